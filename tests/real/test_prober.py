"""The prober against servers that behave and servers that do not. Waits are for conditions; what
is counted is checks, not seconds."""

import os
import socket
import struct
import subprocess
import time
from pathlib import Path

import pytest
from harness import AS_ROOT, children, reserved_port, until
from prober_lab import (FAILING, GRPC, HTTP, LIVENESS, PASSING, STARTUP, TCP, Prober,
                        answers, begin, hold, prober, request_of, serve)  # noqa: F401

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
SHORT = {"timeout": 150, "interval": 200}
LOCAL = {"host": "127.0.0.1"}


def http(port, path="/health", **more):
    return {"host": "127.0.0.1", "port": port, "path": path, **more}


# --- http: answers

GOOD = {
    "plain": (OK, {}),
    "not kept alive": (b"HTTP/1.0 204 No Content\r\n\r\n", {}),
    "redirect": (b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", {}),
    "interim": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\nA: b\r\n\r\n" + OK, {}),
    "body": (OK, {"body": "ell"}),
    "whole body": (OK, {"body": "hello"}),
    "body to the end": (b"HTTP/1.1 200 OK\r\n\r\nhello, world", {"body": "world"}),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
                {"body": "hello"}),
    "late in the body": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65531 + b"hello", {"body": "hello"}),
    "status": (b"HTTP/1.1 503 Busy\r\n\r\n", {"status": ((200, 299), (503, 503))}),
    "no reason": (b"HTTP/1.1 200\r\n\r\n", {}),
    "long head": (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 16300 + b"\r\n\r\n", {}),
}


@pytest.mark.parametrize("name", GOOD)
def test_http_passes(prober, serve, name):
    answer, more = GOOD[name]
    assert prober.result(HTTP, **http(serve(answers(answer)).port), **more) == ("NONE", 0)


@pytest.mark.parametrize("name", ["plain", "interim", "chunked", "body to the end"])
def test_http_in_pieces(prober, serve, name):
    answer, more = GOOD[name]

    def pieces(connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request_of(connection)
        for byte in answer:
            connection.sendall(bytes([byte]))
    assert prober.result(HTTP, **http(serve(pieces).port), **more) == ("NONE", 0)


BAD = {
    "status": (b"HTTP/1.1 503 Busy\r\n\r\n", {}, ("STATUS", 503)),
    "redirect": (b"HTTP/1.1 301 Moved\r\n\r\n", {"status": ((200, 299),)}, ("STATUS", 301)),
    "switched": (b"HTTP/1.1 101 Switching\r\n\r\n" + OK, {}, ("STATUS", 101)),
    "body": (OK, {"body": "helllo"}, ("BODY", 0)),
    "no body": (b"HTTP/1.1 204 None\r\n\r\n", {"body": "x"}, ("BODY", 0)),
    "head only": (OK, {"body": "hello", "method": "HEAD"}, ("BODY", 0)),
    "text beyond 64 KiB": (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65532 + b"hello", {"body": "hello"}, ("BODY", 0)),
    "nothing": (b"", {}, ("CLOSED", 0)),
    "half a status": (b"HTTP/1.1 2", {}, ("CLOSED", 0)),
    "half a head": (b"HTTP/1.1 200 OK\r\nContent-Le", {}, ("CLOSED", 0)),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell", {"body": "hello"}, ("CLOSED", 0)),
    "half a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhe", {"body": "hello"},
                     ("CLOSED", 0)),
    "bad chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", {"body": "hello"},
                  ("PROTOCOL", 0)),
    "interim only": (b"HTTP/1.1 100 Continue\r\n\r\n", {}, ("CLOSED", 0)),
    "interim for ever": (b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, {}, ("TOO_LONG", 16384)),
    "giant head": (b"HTTP/1.1 200 OK\r\n" + b"A: " + b"x" * 100000, {}, ("TOO_LONG", 16384)),
    "many headers": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 4000, {}, ("TOO_LONG", 16384)),
    "garbage": (b"SSH-2.0-OpenSSH_9.2\r\n", {}, ("PROTOCOL", 0)),
    "binary": (bytes(range(256)), {}, ("PROTOCOL", 0)),
    "no number": (b"HTTP/1.1 abc OK\r\n\r\n", {}, ("PROTOCOL", 0)),
    "another version": (b"HTTP/x.1 200 OK\r\n\r\n", {}, ("PROTOCOL", 0)),
    "two lengths": (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", {}, ("PROTOCOL", 0)),
}


@pytest.mark.parametrize("name", BAD)
def test_http_fails(prober, serve, name):
    answer, more, fault = BAD[name]
    # What was not read is not lost by a reset, but an error of its own may come instead of 0.
    found = prober.result(HTTP, **http(serve(answers(answer)).port), **more)
    assert found == fault


HANGS = {
    "before the head": (b"", {}),
    "in the head": (b"HTTP/1.1 200 OK\r\nA: ", {}),
    "in the body": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell", {"body": "hello"}),
}


@pytest.mark.parametrize("name", HANGS)
def test_http_hangs(prober, serve, name):
    answer, more = HANGS[name]
    server = serve(answers(answer, then=hold))
    assert prober.result(HTTP, **http(server.port), **more, **SHORT) == ("TIMEOUT", 150)
    stats = prober.stats()
    assert stats.timeouts >= 1 and stats.passed == 0 and stats.latency_sum >= 150000
    assert prober.quiet()


def test_http_slow_drip(prober, serve):
    """Each byte in time, but not the whole."""
    def slowly(connection):
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        while True:
            connection.sendall(b"A: b\r\n")
            time.sleep(0.03)
    assert prober.result(HTTP, **http(serve(slowly).port), **SHORT) == ("TIMEOUT", 150)


def test_http_reset(prober, serve):
    def reset(connection):
        request_of(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert prober.result(HTTP, **http(serve(reset).port)) == ("CLOSED", 104)


def test_http_answer_without_reading(prober, serve):
    """A server that refuses before it has read a long request has answered all the same."""
    def refuse(connection):
        connection.sendall(b"HTTP/1.1 431 Too Large\r\n\r\n")
        hold(connection)
    headers = "".join(f"X-{i}: {'x' * 1000}\r\n" for i in range(14))
    assert prober.result(HTTP, **http(serve(refuse).port), headers=headers) == ("STATUS", 431)


def test_http_stops_reading(prober, serve):
    """An endless body is of no interest, and with expect_body 64 KiB of it are enough."""
    sent = []

    def endless(connection):
        request_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 4096)
        except OSError:
            sent.append(True)
    port = serve(endless).port
    assert prober.result(HTTP, **http(port)) == ("NONE", 0)
    assert prober.result(HTTP, **http(port), body="y") == ("BODY", 0)
    until(lambda: len(sent) >= 2, "connections closed")


def test_http_request(prober, serve):
    seen = []

    def remember(connection):
        seen.append(request_of(connection))
        connection.sendall(OK)
    port = serve(remember).port
    once = {"interval": 3600000}
    prober.result(HTTP, **http(port, "/a?b=%20"), **once)
    prober.result(HTTP, **http(port), **once, method="POST",
                  headers="Host: shop\r\nX-A: b c\r\nuser-agent: me\r\n")
    line, *headers = seen[0].split("\r\n")
    assert line == "GET /a?b=%20 HTTP/1.1"
    assert f"Host: 127.0.0.1:{port}" in headers and "Connection: close" in headers
    assert any(header.startswith("User-Agent: sinit/") for header in headers)
    line, *headers = seen[1].split("\r\n")
    assert line == "POST /health HTTP/1.1" and "Content-Length: 0" in headers
    assert [h for h in headers if h.lower().startswith(("host:", "x-a:", "user-agent:"))] == \
        ["Host: shop", "X-A: b c", "user-agent: me"]


def test_P66_no_connection_kept(prober, serve):
    """A new connection for each check, and nothing piles up."""
    server = serve(answers(OK))
    assert prober.result(HTTP, **http(server.port)) == ("NONE", 0)
    idle = prober.descriptors() if AS_ROOT else 0  # else nobody may look
    prober.begin(0, HTTP, **http(server.port), interval=1)
    prober.rounds(2000)
    stats = prober.stats()
    assert stats.failed == 0 and prober.verdict()[2:4] == (True, "NONE") and prober.quiet()
    prober.end(0)
    assert server.count >= 2000
    if AS_ROOT:
        until(lambda: prober.descriptors() == idle, "connections closed")
    # Few: only where the server's own end came between two system calls of the prober's.
    assert time_wait(server.port) < server.count / 4


# --- tcp, unix, file

def test_tcp(prober, serve):
    assert prober.result(TCP, **LOCAL, port=serve().port) == ("NONE", 0)
    assert prober.result(TCP, **LOCAL, port=reserved_port()) == ("CONNECT", 111)


def test_tcp_polite(prober, serve):
    """A service, however late it looks, sees a connection that ended, and no error to log; and
    nothing is left of it on the prober's side."""
    server = serve()
    prober.begin(0, TCP, **LOCAL, port=server.port)
    prober.rounds(20)
    prober.end(0)
    for _ in range(20):
        assert server.socket.accept()[0].recv(1) == b""
    assert time_wait(server.port) == 0


def time_wait(port):
    """Connections to the port that are kept in TIME_WAIT on the side that made them."""
    fields = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    return sum(words[2].endswith(f":{port:04X}") and words[3] == "06" for words in fields)


def test_tcp_full_queue(prober, serve):
    """A server that does not accept, once its queue is full, does not answer at all."""
    prober.begin(0, TCP, **LOCAL, port=serve(backlog=0).port, interval=200, timeout=150)
    while (found := prober.verdict())[2]:
        pass
    assert found[3:] == ("TIMEOUT", 150)


# --- names

def test_name(prober, serve):
    port = serve().port
    assert prober.result(TCP, host="localhost", port=port) == ("NONE", 0)
    assert prober.result(TCP, host="127.1", port=port) == ("NONE", 0)
    fault, detail = prober.result(TCP, host="no-such-name.invalid", port=port)
    assert fault in ("RESOLVE", "TIMEOUT") and detail
    assert prober.result(TCP, host="x" * 300, port=port) == ("RESOLVE", -2)


def test_numeric_6(prober):
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")
    with server:
        assert prober.result(TCP, host="::1", port=server.getsockname()[1]) == ("NONE", 0)


def test_names_leave_no_process(prober, serve):
    port = serve().port
    prober.begin(0, TCP, host="localhost", port=port, interval=5)
    prober.begin(1, TCP, host="also-not-there.invalid", port=port, interval=30, timeout=25)
    prober.rounds(100)
    prober.rounds(5, 1)
    prober.end(0)
    prober.end(1)
    # A child that was killed is reaped in a later turn.
    prober.begin(2, TCP, host="127.0.0.1", port=port, interval=5)
    until(lambda: not children(prober.pid), "children gone")
    assert prober.stats(0).failed == 0


# --- grpc

@pytest.fixture
def grpc_server():
    """The health service as the generated code would make it: its messages are a few bytes."""
    grpc = pytest.importorskip("grpc")
    from concurrent import futures
    statuses = {"": 1, "slow": 0, "down": 2, "odd": 3, "x" * 300: 1}

    def check(request, context):
        name = request[3 if len(request) > 129 else 2:].decode() if request else ""
        if name not in statuses:
            context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return bytes([8, statuses[name]]) if statuses[name] else b""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
        "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(check)})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(None).wait()


def test_grpc(prober, grpc_server):
    def result(service, port=grpc_server, **more):
        return prober.result(GRPC, **LOCAL, port=port, service=service, **more)
    assert result("") == ("NONE", 0)
    assert result("x" * 300) == ("NONE", 0)
    assert result("slow") == ("GRPC_SERVING", 0)
    assert result("down") == ("GRPC_SERVING", 2)
    assert result("odd") == ("GRPC_SERVING", 3)
    assert result("nobody") == ("GRPC_STATUS", 5)
    assert result("", reserved_port()) == ("CONNECT", 111)
    assert result("", interval=1) == ("NONE", 0)
    prober.begin(1, GRPC, **LOCAL, port=grpc_server, interval=2)
    prober.rounds(200, 1)
    assert prober.stats(1).failed == 0


def test_grpc_unimplemented(prober):
    grpc = pytest.importorskip("grpc")
    from concurrent import futures
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    assert prober.result(GRPC, **LOCAL, port=port) == ("GRPC_STATUS", 12)
    server.stop(None).wait()


@pytest.mark.parametrize("answer,fault", [
    (b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", "PROTOCOL"),
    (b"", "CLOSED"),
    (b"\0\0\0\4\0\0\0\0\0", "CLOSED"),  # SETTINGS, and no more
    (b"\0\0\0\4\0\0\0\0\0" + b"\0\0\1\1\5\0\0\0\1\x88", "PROTOCOL"),  # :status 200, the end
    (b"\0\0\0\4\0\0\0\0\0" + b"\0\0\5\1\5\0\0\0\1\x48\x03503", "STATUS"),
])
def test_grpc_bad_answers(prober, serve, answer, fault):
    def reply(connection):
        connection.recv(65536)
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_WR)
        hold(connection)
    assert prober.result(GRPC, **LOCAL, port=serve(reply).port)[0] == fault


def test_grpc_hangs(prober, serve):
    assert prober.result(GRPC, **LOCAL, port=serve(hold).port, **SHORT) == ("TIMEOUT", 150)


# --- fallback, thresholds, lives

def test_fallback(prober, serve):
    good, bad = serve().port, reserved_port()
    fallback = (TCP, {"host": "127.0.0.1", "port": good})
    assert prober.result(TCP, **LOCAL, port=bad, fallback=fallback) == ("NONE", 0)
    assert prober.stats().kind == TCP
    hanging = serve(hold).port
    assert prober.result(HTTP, **http(hanging), **SHORT, fallback=fallback) == ("NONE", 0)
    assert prober.stats().last_latency >= 150000  # of the whole check
    fallback = (TCP, {"host": "127.0.0.1", "port": bad})
    assert prober.result(TCP, **LOCAL, port=bad, fallback=fallback) == ("CONNECT", 111)
    # A time-out of its own.
    fallback = (HTTP, {"host": "127.0.0.1", "port": hanging, "path": "/"})
    assert prober.result(HTTP, **http(hanging), **SHORT, fallback=fallback) == ("TIMEOUT", 150)
    assert prober.stats().last_latency >= 300000


def test_once(prober, serve):
    """One probe, at once, whose result is told whatever it is; and no other after it."""
    port, bad = serve().port, reserved_port()
    for where, fault in ((port, ("NONE", 0)), (bad, ("CONNECT", 111)), (bad, ("CONNECT", 111))):
        prober.begin(0, TCP, **LOCAL, port=where, once=1, interval=1, delay=60000, failures=5,
                     successes=5, ticket=where)
        assert prober.verdict() == (0, where, fault[0] == "NONE", *fault)
    prober.begin(1, TCP, **LOCAL, port=port, interval=1)
    prober.rounds(20, 1)
    assert prober.stats().count == 3 and prober.verdict(1) and prober.quiet()


def test_thresholds(prober, serve):
    """Verdicts on both edges only, and after as many results as were asked for."""
    status = [200]
    server = serve(lambda c: request_of(c) and c.sendall(b"HTTP/1.1 %d X\r\n\r\n" % status[0]))
    prober.begin(0, HTTP, **http(server.port), failures=3, successes=2, ticket=7)
    assert prober.verdict() == (0, 7, True, "NONE", 0)
    assert prober.stats().passed >= 2 and prober.stats().failed == 0
    status[0] = 500
    assert prober.verdict() == (0, 7, False, "STATUS", 500)
    assert prober.stats().failed >= 3
    prober.rounds(5)
    assert prober.quiet()
    status[0] = 200
    assert prober.verdict() == (0, 7, True, "NONE", 0)


def test_known_health(prober, serve):
    """What PID 1 knows already is not told again: a prober that takes over in mid-life."""
    port, bad = serve().port, reserved_port()
    prober.begin(0, TCP, **LOCAL, port=port, health=PASSING)
    prober.begin(1, TCP, **LOCAL, port=bad, health=FAILING)
    prober.rounds(3, 0)
    prober.rounds(3, 1)
    assert prober.quiet()
    prober.begin(0, TCP, **LOCAL, port=bad, health=PASSING)
    assert prober.verdict(0)[2:] == (False, "CONNECT", 111)


def test_P61_lives(prober, serve):
    """A new life begins with nothing known, and nothing of the one before is told in it."""
    server = serve(hold)
    prober.begin(0, HTTP, **http(server.port), ticket=1)
    until(lambda: server.count == 1, "a check in flight")
    port = serve(answers(OK)).port
    prober.begin(0, HTTP, **http(port), ticket=2)
    assert prober.verdict() == (0, 2, True, "NONE", 0)
    prober.begin(0, HTTP, **http(port), ticket=3, generation=2)
    assert prober.verdict() == (0, 3, True, "NONE", 0)
    assert prober.stats().generation == 2 and prober.stats().timeouts == 0


def test_P62_end(prober, serve):
    """After the end there is no check: the one in flight is dropped, its connection closed."""
    closed = []

    def note_end(connection):
        try:
            hold(connection)
        finally:
            closed.append(True)
    server = serve(note_end)
    prober.begin(0, HTTP, **http(server.port))
    until(lambda: server.count == 1, "a check in flight")
    prober.end(0)
    until(lambda: closed, "the connection closed")
    prober.begin(1, TCP, **LOCAL, port=server.port, interval=5)
    prober.rounds(50, 1)
    assert prober.stats(0).count == 0 and prober.verdict()[0] == 1 and prober.quiet()


def test_one_in_flight(prober, serve):
    """Never two at a time, and nothing is caught up in a burst afterwards."""
    server = serve(hold)
    prober.begin(0, HTTP, **http(server.port), interval=10, timeout=200)
    for _ in range(5):
        prober.rounds(1)
        begun = server.count
        assert begun <= prober.stats().count + 1
    stats = prober.stats()
    assert stats.timeouts >= 5 and stats.passed == 0


def test_delay_and_phase(prober, serve):
    """Within a second after the delay, whatever the interval."""
    port = serve().port
    prober.begin(0, TCP, **LOCAL, port=port, interval=3600000, seed=3599999)
    prober.begin(1, TCP, **LOCAL, port=port, interval=3600000, delay=3600000)
    prober.begin(2, TCP, **LOCAL, port=port, interval=3600000, seed=3599999, role=STARTUP)
    assert {prober.verdict()[0], prober.verdict()[0]} == {0, 2}
    assert prober.stats(1).count == 0 and prober.quiet()


# --- the process

def test_eof(serve):
    """PID 1 is gone: so is the prober, whatever it is doing."""
    made = Prober()
    made.begin(0, HTTP, **http(serve(hold).port))
    made.begin(1, TCP, host="slow-name.invalid", port=1)
    assert made.close() == 0
    made = Prober()
    assert made.close() == 0


def test_nonsense(prober, serve):
    """Messages that are none are passed over; those after them are not."""
    good = begin(0, TCP, **LOCAL, port=serve().port)
    for size in [1, 3, 4, 8, 12, 100, len(good) - 1]:
        prober.channel.send(good[:size])
    for message in (bytes(200), b"\xff" * 200, b"\1" + bytes(300), good + b"x",
                    begin(1 << 30, TCP, **LOCAL, port=1), begin(0, 9, **LOCAL, port=1),
                    begin(0, TCP, **LOCAL, port=1, interval=0), begin(0, TCP, host="", port=1),
                    begin(0, HTTP, **http(1, "no slash")), bytes(20000)):
        prober.channel.send(message)
    prober.end(5)
    prober.end(1 << 31)
    prober.channel.send(good)
    assert prober.verdict() == (0, 1, True, "NONE", 0)


def test_no_place_in_stats(prober, serve):
    """A check beyond the statistics is made all the same."""
    prober.begin(1000, TCP, **LOCAL, port=serve().port)
    assert prober.verdict()[:3] == (1000, 1, True)


@pytest.mark.skipif(not AS_ROOT, reason="only root has something to give up")
def test_privileges(prober, serve):
    prober.result(TCP, **LOCAL, port=serve().port)
    status = dict(line.split(":\t", 1) for line in Path(f"/proc/{prober.pid}/status").read_text().splitlines()
                  if ":\t" in line)
    assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
    assert not status["Groups"].strip() and status["NoNewPrivs"] == "1"
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[name], 16) == 0, name
    assert os.readlink(f"/proc/{prober.pid}/cwd") == "/"
    assert os.stat(f"/proc/{prober.pid}/mem").st_uid == 0  # cannot be looked into


def test_user_namespace(serve):
    """Root of a namespace in which nobody else is known: it stays root by name, and may nothing."""
    if subprocess.run(["unshare", "--user", "--map-root-user", "true"], check=False).returncode:
        pytest.skip("no user namespaces here")
    made = Prober(before="exec unshare --user --map-root-user")
    try:
        made.begin(0, TCP, host="localhost", port=serve().port)
        assert made.verdict()[2:4] == (True, "NONE")
        status = Path(f"/proc/{made.pid}/status").read_text()
        assert "\nCapEff:\t0000000000000000\n" in status and "\nCapBnd:\t0000000000000000\n" in status
        assert made.close() == 0
    finally:
        made.kill()


def test_descriptors_run_out(serve):
    """A lack of our own is no fault of the service: told as such, and no verdict."""
    made = Prober(before="ulimit -n 12; exec")
    try:
        server = serve(hold)
        for check in range(1, 12):
            made.begin(check, HTTP, **http(server.port), timeout=3600000, interval=3600000)
        made.begin(0, TCP, **LOCAL, port=server.port, delay=20)
        until(lambda: made.stats().fault == "INTERNAL", "no descriptor left")
        assert made.stats().detail == 24 and made.stats().count == 0 and made.quiet()
        for check in range(1, 12):
            made.end(check)
        assert made.verdict() == (0, 1, True, "NONE", 0)
        assert made.close() == 0
    finally:
        made.kill()


def test_full_channel(serve):
    """Verdicts that found no room come later, none is lost, and the last is what is."""
    made = Prober(checks=2000)
    try:
        port, bad = serve().port, reserved_port()
        for check in range(2000):
            made.begin(check, TCP, **LOCAL, port=port if check % 2 else bad, interval=60000, seed=0)
        until(lambda: all(made.stats(check).count for check in range(2000)), "all checked")
        found = [made.verdict() for _ in range(2000)]
        assert sorted(v[0] for v in found) == list(range(2000))
        assert all(v[2] == bool(v[0] % 2) for v in found) and made.quiet()
        assert made.close() == 0
    finally:
        made.kill()


def test_spread(serve):
    """1,000 checks a second: each is made as often as the others, at all times of the second."""
    checks = 1000
    made = Prober(checks=checks)
    try:
        port = serve(lambda c: None).port
        for check in range(checks):
            made.begin(check, TCP, **LOCAL, port=port, interval=1000, seed=check * 7919)
        until(lambda: all(made.stats(check).count >= 2 for check in range(checks)), "two rounds")
        all_stats = [made.stats(check) for check in range(checks)]
        counts = [stats.count for stats in all_stats]
        assert max(counts) - min(counts) <= 1
        assert sum(stats.failed for stats in all_stats) == 0

        def spread():
            """100 in each tenth of the second, but for a round in which the machine was busy."""
            tenths = [0] * 10
            for check in range(checks):
                tenths[made.stats(check).last_time % 1000 // 100] += 1
            return min(tenths) >= 50
        until(spread, "checks at all times of the second")
        if AS_ROOT:
            assert made.descriptors() < 30
        assert made.close() == 0
    finally:
        made.kill()


@pytest.mark.release_only
def test_memory_flat(serve, grpc_server):
    """Of every kind, with lives that come and go; a sanitizer would keep what was freed."""
    prober = Prober(checks=128)
    port, refused = serve(answers(OK)).port, reserved_port()

    def work(rounds):
        for ticket in range(5):
            prober.begin(0, HTTP, **http(port), interval=1, body="hello", ticket=ticket)
            prober.begin(1, GRPC, **LOCAL, port=grpc_server, interval=2, ticket=ticket)
            prober.begin(2, TCP, host="localhost", port=port, interval=1, ticket=ticket)
            prober.rounds(rounds, 0)
            prober.rounds(rounds // 4, 1)
            for check in range(3):
                prober.end(check)

    def work_at_once(rounds):
        goal = {check: prober.stats(check).count + rounds for check in range(3, 103)}
        for check in range(3, 103):
            prober.begin(check, TCP, **LOCAL, port=refused, interval=1)
        until(lambda: all(prober.stats(check).count >= goal[check] for check in goal), "all checks")
        for check in range(3, 103):
            prober.end(check)

    def grown():
        """KiB, by more than 10,000 probes."""
        before = prober.anonymous()
        work(50)
        work_at_once(100)
        return prober.anonymous() - before
    grown()
    descriptors = prober.descriptors()
    # How many are under way at once is chance, and there may be more than ever before, but not
    # every time; what is not given back grows each time.
    assert any(grown() <= 32 for _ in range(4))
    until(lambda: prober.descriptors() <= descriptors, "its descriptors closed")
    assert prober.close() == 0


def test_idle(prober, serve):
    """Nothing due, no wake-up."""
    prober.begin(0, TCP, **LOCAL, port=serve().port, interval=3600000)
    prober.verdict()

    def switches():
        status = Path(f"/proc/{prober.pid}/status").read_text()
        return int(status.split("\nvoluntary_ctxt_switches:")[1].split()[0])
    until(lambda: "State:\tS" in Path(f"/proc/{prober.pid}/status").read_text(), "asleep")
    before = switches()
    other = Prober()
    other.begin(0, TCP, **LOCAL, port=1, interval=5)
    other.rounds(100)
    other.close()
    assert switches() == before


def test_liveness_detection(prober, serve):
    """interval × failures, plus little: in checks, three and no more."""
    server = serve()
    prober.begin(0, TCP, **LOCAL, port=server.port, failures=3, role=LIVENESS, interval=50)
    assert prober.verdict()[2]
    failed = prober.stats().failed
    server.close()
    assert prober.verdict() == (0, 1, False, "CONNECT", 111)
    assert prober.stats().failed - failed in (3, 4)
