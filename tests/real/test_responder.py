"""The responder: every endpoint, and every way of being a bad client."""

import base64
import hashlib
import json
import mmap
import os
import re
import shutil
import socket
import struct
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from harness import reserved_port
from responder_lab import Responder, process_line
from services import LIMIT, sinit, until

__all__ = ["sinit"]

API = "/api/supervisor"
AS_ROOT = os.geteuid() == 0
GETS = ["/health", "/ready", "/startup", "/metrics", "/", f"{API}/status", f"{API}/health",
        f"{API}/events", f"{API}/summary", "/health/web", "/ready/web", f"{API}/services/web",
        f"{API}/services/web/health"]
POSTS = [f"{API}/reload", *(f"{API}/services/web/{verb}" for verb in ("start", "stop", "restart"))]
SECRET = "s3cret-in-the-command-line"


@pytest.fixture
def board(sinit):
    """Five services in five states; one that is not enabled."""
    sinit.service("web", environment=f"SECRET={SECRET}")
    sinit.service("job", f"sh -c 'true {SECRET}'", type="oneshot")
    sinit.service("bad-1.x", "sh -c 'exit 7'", restart="never")
    sinit.service("worse", "sh -c 'exit 3'", restart="always", restart_delay="1ms",
                  max_restarts=1)
    sinit.service("slow", "sh -c 'exit 1'", restart="always", restart_delay="100s",
                  max_backoff="100s")
    sinit.service("off", enabled="no")
    sinit.start()
    for name, state in (("web", "running"), ("job", "done"), ("bad-1.x", "failed"),
                        ("worse", "fatal"), ("slow", "backoff"), ("off", "stopped")):
        sinit.until_state(name, state=state)
    return sinit.run / "board"


@pytest.fixture
def good_board(sinit):
    sinit.service("web")
    sinit.service("job", "true", type="oneshot")
    sinit.up()
    return sinit.run / "board"


@pytest.fixture
def responder(board):
    with Responder(board) as found:
        yield found


@pytest.fixture
def good(good_board):
    with Responder(good_board) as found:
        yield found


def stamp(answer):
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["timestamp"])
    return answer


# --- endpoints

def test_health(responder):
    answer = responder.ask("/health")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert stamp(answer.json())["status"] == "healthy"
    assert answer.json()["uptime_seconds"] > 0


def test_ready_tells_of_every_enabled_service(responder):
    answer = stamp(responder.get("/ready", 503))
    assert answer["ready"] is False
    assert answer["checks"] == {"web": True, "job": True, "bad-1.x": False, "worse": False,
                                "slow": False}


def test_ready_when_all_are(good, sinit):
    answer = stamp(good.get("/ready"))
    assert answer["ready"] is True and answer["checks"] == {"web": True, "job": True}
    sinit.ctl("stop", "web")
    assert good.get("/ready", 503)["checks"] == {"web": False, "job": True}


def test_startup_stays_fulfilled(good, good_board, sinit):
    """PID 1 has seen it, though nobody asked before one was stopped, and by any responder."""
    sinit.ctl("stop", "web")
    assert good.get("/startup")["started"] is True
    with Responder(good_board) as other:
        assert other.get("/startup")["started"] is True


def test_startup_waits(responder):
    answer = responder.get("/startup", 503)
    assert answer["started"] is False and answer["checks"]["web"] and not answer["checks"]["slow"]


def test_health_and_ready_of_a_service(responder):
    for name, state, status in (("web", "running", 200), ("job", "done", 200),
                                ("bad-1.x", "failed", 503), ("worse", "fatal", 503)):
        answer = stamp(responder.get(f"/health/{name}", status))
        assert answer["status"] == ("healthy" if status == 200 else "unhealthy")
        assert answer["service"]["state"] == state
        assert responder.get(f"/ready/{name}", status)["ready"] is (status == 200)
    assert responder.get("/health/%77eb")["service"]["name"] == "web"
    for name in ("nobody", "", "we", "web/x", "webx", "%2e%2e", "a" * 500):
        assert responder.ask(f"/health/{name}").status == 404
        assert responder.ask(f"/ready/{name}").status == 404
    for name in ("%", "%4", "%zz", "%00", "%0a"):
        assert responder.ask(f"/health/{name}").status == 400


def test_status_and_events_are_those_of_sinitctl(responder, sinit):
    ours = responder.get(f"{API}/status")
    theirs = json.loads(sinit.ctl("--json", "status"))
    assert ours["sinit"].keys() == theirs["sinit"].keys()
    assert ours["sinit"]["pid"] == theirs["sinit"]["pid"]
    still = lambda s: {k: v for k, v in s.items() if not k.endswith("_seconds") and k != "reason"}
    by_name = lambda found: {s["name"]: still(s) for s in found["services"]}
    assert by_name(ours) == by_name(theirs)
    assert still(responder.get(f"{API}/services/worse")) == by_name(theirs)["worse"]
    events = sinit.events()
    assert responder.get(f"{API}/events")["events"] == events
    assert responder.get(f"{API}/events?limit=3")["events"] == events[-3:]
    assert responder.get(f"{API}/events?x=1&limit=99999999999")["events"] == events
    assert responder.get(f"{API}/events?limit=0")["events"] == []
    assert responder.ask(f"{API}/events?limit=x").status == 400
    summary = responder.get(f"{API}/summary")
    assert summary["services"] == 6 and summary["states"]["fatal"] == 1
    assert summary.keys() == json.loads(sinit.ctl("--json", "summary")).keys()


def test_health_of_the_supervisor_and_of_its_services(responder):
    answer = responder.get(f"{API}/health")
    assert answer["status"] == "healthy"
    services = {s["name"]: s for s in answer["services"]}
    assert services["web"] == {"name": "web", "state": "running", "healthy": True, "ready": True,
                               "startup": None, "liveness": None, "readiness": None, "why": None}
    assert "restart limit" in services["worse"]["why"]
    assert responder.get(f"{API}/services/worse/health") == services["worse"]
    assert responder.ask(f"{API}/services/nobody/health").status == 404


def test_dashboard(responder, board):
    answer = responder.ask("/")
    assert answer.headers["content-type"].startswith("text/html")
    page, policy = answer.body.decode(), answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag in ("style", "script"):
        inline = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(inline[0].encode()).digest()).decode()
        assert len(inline) == 1 and f"{tag}-src 'sha256-{digest}'" in policy, digest
    assert "innerHTML" not in page and "http:" not in page and "src=" not in page
    with Responder(board, dashboard=False) as without:
        assert without.ask("/").status == 404


def test_a_unix_socket(board, tmp_path):
    with Responder(board, unix=tmp_path / "http") as responder:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(tmp_path / "http"))
            client.sendall(b"GET /health HTTP/1.0\r\n\r\n")
            assert client.makefile("rb").read().startswith(b"HTTP/1.1 200 OK\r\n")
        assert responder.get("/health")


# --- metrics

def metrics(responder):
    answer = responder.ask("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.body.decode()
    samples = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in samples, line
            samples[name] = float(value)
    return text, samples


def counters(text, samples):
    names = re.findall(r"^# TYPE (\S+) counter$", text, re.M)
    return {k: v for k, v in samples.items() if k.split("{")[0] in names}


def test_P107_metrics(responder, sinit):
    text, found = metrics(responder)
    assert text.endswith("\n")
    for name, state in (("web", "running"), ("job", "done"), ("bad-1.x", "failed"),
                        ("worse", "fatal"), ("slow", "backoff"), ("off", "stopped")):
        states = {k: v for k, v in found.items()
                  if k.startswith(f'sinit_service_state{{service="{name}",')}
        assert len(states) == 10 and sum(states.values()) == 1
        assert states[f'sinit_service_state{{service="{name}",state="{state}"}}'] == 1
    assert found['sinit_service_up{service="web"}'] == 1
    assert found['sinit_service_ready{service="job"}'] == 1
    assert found['sinit_service_last_exit_code{service="bad-1.x"}'] == 7
    assert found['sinit_service_last_exit_signal{service="bad-1.x"}'] == 0
    assert 'sinit_service_last_exit_code{service="web"}' not in found
    assert found['sinit_service_starts_total{service="worse"}'] == 2
    assert found['sinit_service_backoff_seconds{service="slow"}'] == 100
    assert abs(found['sinit_service_start_time_seconds{service="web"}'] - time.time()) < LIMIT
    assert found["sinit_up"] == 1 and found["sinit_services"] == 6
    assert found["sinit_resident_memory_bytes"] == 1234 * 1024
    assert found["sinit_open_fds"] == 23 and found["sinit_loop_lag_seconds"] == 0.005678
    events = sinit.events()
    for kind in ("start", "exit", "fatal", "oom"):
        assert found[f'sinit_events_total{{event="{kind}"}}'] == sum(
            e["event"] == kind for e in events)


def test_P107_counters_never_fall(responder, sinit):
    before = counters(*metrics(responder))
    sinit.ctl("reset", "worse")
    sinit.ctl("restart", "web")
    sinit.service("new", "true", type="oneshot")
    sinit.ctl("reload")
    sinit.until_state("new", state="done")
    after = counters(*metrics(responder))
    if after['sinit_service_restarts_total{service="web",reason="asked"}'] == 0:
        # This PID 1 does not keep struct board_totals: only the present time is known.
        del before['sinit_service_ready_seconds_total{service="web"}']
    assert {k for k in before if after[k] < before[k]} == set()
    assert sum(after.values()) > sum(before.values())


def test_P107_promtool_has_no_complaint(responder):
    if not shutil.which("promtool"):
        pytest.skip("no promtool")
    text, _ = metrics(responder)
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                          capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_P107_Prometheus_scrapes_it(responder, tmp_path):
    if not shutil.which("prometheus"):
        pytest.skip("no prometheus")
    address = f"127.0.0.1:{reserved_port()}"
    config = tmp_path / "prometheus.yml"
    config.write_text("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: sinit, "
                      f"static_configs: [{{targets: ['127.0.0.1:{responder.port}']}}]}}]\n")
    with (tmp_path / "prometheus.log").open("w") as log:
        server = subprocess.Popen(
            ["prometheus", f"--config.file={config}", f"--web.listen-address={address}",
             f"--storage.tsdb.path={tmp_path}/tsdb"], stdout=log, stderr=log)

    def query(what):
        try:
            url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": what})
            with urllib.request.urlopen(url, timeout=LIMIT) as answer:
                found = json.load(answer)["data"]["result"]
        except OSError:
            assert server.poll() is None
            return None
        return found and found[0]["value"][1]

    try:
        until(lambda: query('up{job="sinit"}') == "1", "a scrape that went well")
        assert query('sinit_service_up{service="web"}') == "1"
        assert query('sum(sinit_service_state{service="worse",state="fatal"})') == "1"
        assert query('sinit_service_starts_total{service="worse"}') == "2"
    finally:
        server.kill()
        server.wait()


# --- the pulse of PID 1

def test_no_request_no_ping(responder):
    assert responder.get("/ready", 503)
    assert responder.pid1.pings == []


def test_at_most_one_ping_a_second(responder):
    began = time.monotonic()
    with responder.connect() as client:
        while time.monotonic() < began + 2.5:
            assert client.ask("/health").status == 200
        seconds = time.monotonic() - began
    # Not their distances: when this process sees them is another matter.
    assert 2 <= len(responder.pid1.pings) <= 1 + seconds


def test_PID_1_that_does_not_answer(responder):
    responder.pid1.answers = False
    began = time.monotonic()
    answer = stamp(responder.get("/health", 503))
    assert answer["status"] == "unhealthy" and "PID 1" in answer["reason"]
    assert time.monotonic() - began >= 0.85
    # It has been asked, and has still not answered: nobody need wait again.
    assert responder.get("/health", 503)
    assert responder.get(f"{API}/health", 503)
    assert metrics(responder)[1]["sinit_up"] == 0
    assert len(responder.pid1.pings) <= 1 + time.monotonic() - began
    assert responder.get("/ready", 503)["checks"]["web"] is True
    # It does again, late.
    responder.pid1.answers = True
    responder.pid1.pong(responder.pid1.unanswered[0])
    until(lambda: responder.ask("/health").status == 200, "health again")


def test_others_are_answered_while_one_waits_for_the_pulse(responder):
    responder.pid1.answers = False
    with responder.connect() as waiting, responder.connect() as other:
        waiting.send("/health")
        until(lambda: responder.pid1.pings, "a ping")
        assert other.ask("/ready").status == 503
        assert waiting.answer().status == 503


def test_the_end_of_PID_1_is_its_end(responder):
    with responder.connect() as client:
        assert client.ask("/health").status == 200
        assert responder.hang_up() == 0
        assert client.rest() == b""


# --- orders

def test_P111_no_order_without_control(responder):
    for path in POSTS:
        for method in ("POST", "GET", "PUT", "DELETE"):
            assert responder.ask(path, method).status == 404, path
    assert responder.pid1.orders == []


def test_P111_reading_is_all_there_is(responder):
    for path in GETS:
        for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"):
            answer = responder.ask(path, method)
            assert answer.status == 405 and answer.headers["allow"] == "GET, HEAD", path
    for path in ("/../../etc/passwd", "/..", "//", "/./health", "/health/../health",
                 "/%2e%2e/etc/passwd", "/health%2fweb", "/health/..%2f..%2fetc%2fpasswd",
                 "http://x/../../etc/passwd", "*", "/etc/passwd", f"{API}/services/../../x"):
        assert responder.ask(path).status == 404, path
    assert responder.ask("http://example.org/health").status == 200
    assert responder.ask("HTTP://example.org/ready?x#".rstrip("#")).status == 503
    assert responder.ask("/health", headers=f"Content-Length: {1 << 40}\r\n").status == 413
    assert responder.ask("/health", headers="Content-Length: 99999999999999999999999999\r\n"
                         ).status == 413
    assert responder.pid1.orders == []


def test_P111_no_answer_has_commands_or_environment(responder):
    for path in GETS:
        assert SECRET not in responder.ask(path).body.decode(), path


def test_orders_are_passed_on(board):
    with Responder(board, control=True) as responder:
        responder.pid1.token = "letmein"
        bearer = "Authorization: bearer  letmein \r\n"
        for path in POSTS:
            answer = responder.ask(path, "POST", bearer)
            assert answer.status == 200 and answer.json()["ok"] is True, path
        assert responder.pid1.orders == [("reload", "", "letmein"), ("start", "web", "letmein"),
                                         ("stop", "web", "letmein"), ("restart", "web", "letmein")]
        answer = responder.ask(POSTS[0], "POST", bearer, body="x" * 4096)
        assert answer.status == 200
        assert responder.ask(f"{API}/services/nobody/stop", "POST", bearer).status == 404
        for headers in ("", "Authorization: Bearer wrong\r\n", "Authorization: Basic letmein\r\n",
                        f"Authorization: Bearer {'x' * 300}\r\n"):
            answer = responder.ask(POSTS[0], "POST", headers)
            assert answer.status == 401 and answer.headers["www-authenticate"] == "Bearer"
            assert answer.json()["ok"] is False
        answer = responder.ask(POSTS[0])
        assert answer.status == 405 and answer.headers["allow"] == "POST"


def test_orders_of_a_web_page_need_the_token(board):
    with Responder(board, control=True) as responder:
        assert responder.ask(POSTS[0], "POST", "Origin: http://evil\r\n").status == 403
        assert responder.pid1.orders == []
        assert responder.ask(POSTS[0], "POST").status == 200


def test_an_order_that_is_not_answered(board):
    with Responder(board, control=True) as responder:
        responder.pid1.answers = False
        began = time.monotonic()
        with responder.connect() as waiting:
            waiting.send(POSTS[0], "POST")
            until(lambda: responder.pid1.orders, "an order")
            assert responder.ask("/ready").status == 503
            assert waiting.answer().status == 504
        assert time.monotonic() - began >= 9.5


def test_a_flood_of_orders_is_not_passed_on(board):
    with Responder(board, control=True) as responder:
        began = time.monotonic()
        with responder.connect() as client:
            found = [client.ask(POSTS[0], "POST").status for _ in range(2000)]
        seconds = time.monotonic() - began
        assert set(found) <= {200, 503} and found.count(200) >= 100
        assert len(responder.pid1.orders) <= 100 * (seconds + 2)
        assert responder.get("/health")


# --- HTTP

def test_HEAD_is_GET_without_its_body(responder):
    for path in GETS:
        with responder.connect() as client:
            head = client.ask(path, "HEAD")
            whole = client.ask(path)
            assert head.status == whole.status
            # Times in the answers may have grown by a digit.
            assert abs(int(head.headers["content-length"]) - len(whole.body)) < 50
            assert client.seen == b""


def test_keep_alive_and_close(responder):
    with responder.connect() as client:
        for _ in range(100):
            assert client.ask("/health").status == 200
        assert client.ask("/health", headers="Connection: close\r\n").headers["connection"] == "close"
        assert client.rest() == b""
    with responder.connect() as client:
        for _ in range(3):
            client.socket.sendall(b"GET /health HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
            assert client.answer().headers["connection"] == "keep-alive"
    assert b"Connection: close" in responder.raw(b"GET /health HTTP/1.0\r\n\r\n")


def test_pipelining(responder):
    paths = (GETS * 8)[:80]
    with responder.connect() as client:
        data = "".join(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n" for path in paths).encode()
        client.socket.sendall(data)
        statuses = [client.answer().status for _ in paths]
        assert statuses == [responder.ask(path).status for path in paths]
        # In any pieces.
        for i in range(0, 200, 7):
            client.socket.sendall(data[i:i + 7])
        client.socket.sendall(data[203:])
        assert [client.answer().status for _ in paths] == statuses
        client.socket.sendall(b"\r\n\r\nGET /health HTTP/1.1\nhost: x\n\n")
        assert client.answer().status == 200


def test_a_body_is_passed_over(responder):
    with responder.connect() as client:
        answer = client.ask("/health", body="GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.status == 200
        assert client.ask("/ready").status == 503
        client.send("/health", headers="Expect: 100-continue\r\nContent-Length: 3\r\n")
        until(lambda: client.more() or b"\r\n\r\n" in client.seen, "100")
        assert client.seen == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.seen = b""
        client.socket.sendall(b"abc")
        assert client.answer().status == 200


HOST = b"Host: x\r\n"
BAD = [
    (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    (400, b"hello\r\n\r\n"),
    (400, b"GET /health\r\n\r\n"),
    (400, b"GET  /health HTTP/1.1\r\n" + HOST + b"\r\n"),
    (400, b"GET health HTTP/1.1\r\n" + HOST + b"\r\n"),
    (400, b"GET /health HTTP/1.1 \r\n" + HOST + b"\r\n"),
    (400, b"GET /hea\xffth HTTP/1.1\r\n" + HOST + b"\r\n"),
    (400, b"GET /health HTTX/1.1\r\n" + HOST + b"\r\n"),
    (400, b"G@T /health HTTP/1.1\r\n" + HOST + b"\r\n"),
    (400, b"CONNECT x:80 HTTP/1.1\r\n" + HOST + b"\r\n"),
    (505, b"GET /health HTTP/2.0\r\n" + HOST + b"\r\n"),
    (400, b"GET /health HTTP/1.1\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + HOST + b"\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b"blank : x\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b" folded: x\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b"A: b\rc\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b"A: b\x00c\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n"),
    (400, b"GET /health HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx"),
    (411, b"POST /health HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    (413, b"POST /health HTTP/1.1\r\n" + HOST + b"Content-Length: 4097\r\n\r\n"),
    (417, b"GET /health HTTP/1.1\r\n" + HOST + b"Expect: wonders\r\n\r\n"),
    (431, b"GET /" + b"a" * 65536 + b" HTTP/1.1\r\n" + HOST + b"\r\n"),
    (431, b"GET /health HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 65536 + b"\r\n\r\n"),
    (431, b"GET /health HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 20000 + b"\r\n"),
]


@pytest.mark.parametrize("status,data", BAD, ids=lambda v: repr(v)[:40])
def test_a_bad_request(good, status, data):
    answer = good.raw(data)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"Connection: close" in answer
    assert good.get("/health")


def test_garbage_of_every_kind(good):
    source = hashlib.shake_256(b"garbage").digest(200 * 3000)
    for i in range(200):
        data = source[i * 3000:i * 3000 + 15 * i]
        if i % 3 == 0:
            data = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + data
        with good.connect() as client:
            client.socket.sendall(data)
            client.socket.shutdown(socket.SHUT_WR)
            client.rest()
    assert good.get("/health")
    assert good.alive()


def test_P109_idle_and_slow_clients(good):
    idle = [good.connect() for _ in range(500)]
    half = [good.connect() for _ in range(50)]
    for client in half:
        client.socket.sendall(b"GET /health HT")
    began = time.monotonic()
    assert good.get("/health")
    assert time.monotonic() - began < 4  # a slow client has 5 s
    if AS_ROOT:
        assert good.open_files() < 256 + 24
    # The idle ones are closed after seconds, the slow ones are told why.
    for client in half:
        assert client.rest().startswith(b"HTTP/1.1 408 ")
    assert time.monotonic() - began < 15
    until(lambda: all(client.is_closed() for client in idle), "idle connections closed")
    for client in idle + half:
        client.socket.close()
    assert good.get("/health")
    if AS_ROOT:
        until(lambda: good.open_files() < 24, "their descriptors closed")


def test_P109_a_full_table_of_slow_clients(good):
    slow = []

    def one_is_turned_away():
        slow.append(good.connect())
        slow[-1].socket.sendall(b"GET /health HT")
        return any((c.has_come() or b"").startswith(b"HTTP/1.1 503 ") for c in slow)
    until(one_is_turned_away, "503 of a full table")
    assert slow[0].rest().startswith(b"HTTP/1.1 408 ")
    until(lambda: good.raw(b"GET /health HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 "), "health")
    for client in slow:
        client.socket.close()


def test_P109_few_descriptors(good_board):
    with Responder(good_board, files=32) as responder:
        idle = [responder.connect() for _ in range(100)]
        began = time.monotonic()
        assert responder.get("/health")
        assert time.monotonic() - began < 4
        half = [responder.connect() for _ in range(30)]
        for client in half:
            client.socket.sendall(b"GET /health HT")
        # Nobody can be spared until one is late; then it goes on.
        assert responder.get("/health")
        for client in idle + half:
            client.socket.close()


@pytest.mark.release_only  # all within the 5 s that a request may take to come in
@pytest.mark.skipif(not AS_ROOT, reason="counts the descriptors of another user's process")
def test_the_last_descriptor_is_a_client_s(good_board):
    part, rest = b"GET /health HT", b"TP/1.1\r\nHost: x\r\n\r\n"
    with Responder(good_board, files=32) as responder:
        busy = []

        def connect():
            busy.append(responder.connect())
            busy[-1].socket.sendall(part)

        def twice_round():
            """Twice round its loop: what has come or gone before it has met."""
            for _ in range(2):
                busy[0].socket.sendall(rest + part)
                assert busy[0].answer().status == 200

        connect()
        twice_round()
        while responder.open_files() < 31:
            connect()
            twice_round()
        last = responder.connect()
        twice_round()
        assert last.ask("/health").status == 200
        for client in busy:
            client.socket.close()


def test_an_active_client_is_not_closed_for_newcomers(good):
    with good.connect() as active:
        others = []
        for _ in range(30):
            others += [good.connect() for _ in range(20)]
            assert active.ask("/health").status == 200
        for client in others:
            client.socket.close()


def test_a_slow_reader_stops_nobody(good):
    with good.connect() as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Answers until no more fit into the sockets, and then requests until no more do.
        request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        slow.socket.setblocking(False)
        sent, stuck = 0, 0
        while stuck < 20:
            try:
                sent += slow.socket.send(request * 10)
                stuck = 0
            except BlockingIOError:
                stuck += 1
                assert good.get("/health")
        for _ in range(100):
            assert good.get("/health")
        slow.socket.setblocking(True)
        slow.socket.settimeout(LIMIT)
        for _ in range(20):
            assert slow.answer().status == 200


def test_P109_many_large_answers_at_once(sinit):
    for i in range(150):
        sinit.service(f"job-{i}", "true", type="oneshot")
    sinit.up()
    with Responder(sinit.run / "board") as responder:
        _, samples = metrics(responder)
        many = [responder.connect() for _ in range(200)]
        for client in many:
            client.send("/metrics")
        began = time.monotonic()
        assert responder.get("/health")
        assert time.monotonic() - began < 1
        for client in many:
            answer = client.answer()
            assert answer.status == 200 and len(answer.body.splitlines()) > len(samples)
            assert client.ask("/ready").status == 200
            client.socket.close()


def test_clients_that_vanish(good):
    linger = struct.pack("ii", 1, 0)
    for i in range(300):
        client = good.connect()
        client.socket.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"[:i % 40])
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        client.socket.close()
    assert good.get("/health") and good.alive()
    if AS_ROOT:
        until(lambda: good.open_files() < 24, "their descriptors closed")


# --- privileges

@pytest.mark.release_only
def test_it_has_given_up_what_it_can(good):
    assert good.get("/health")
    assert process_line(good.pid, "NoNewPrivs") == "1"
    assert process_line(good.pid, "Seccomp") == "2"
    for key in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        assert int(process_line(good.pid, key), 16) == 0
    if AS_ROOT:
        assert process_line(good.pid, "Uid").split() == ["65534"] * 4
        assert process_line(good.pid, "Gid").split() == ["65534"] * 4
        assert process_line(good.pid, "Groups") == ""
        assert int(process_line(good.pid, "CapBnd"), 16) == 0


def test_a_record_that_PID_1_is_in_the_middle_of(good, good_board):
    """As it stays when PID 1 is stopped there: told as it is, without a long wait."""
    with good_board.open("r+b") as file, mmap.mmap(file.fileno(), 0) as board:
        first, = struct.unpack_from("=I", board, 5 * 4)
        seq, = struct.unpack_from("=I", board, first)
        struct.pack_into("=I", board, first, seq | 1)
        began = time.monotonic()
        assert len(good.get("/ready")["checks"]) == 2
        assert good.get(f"{API}/status")
        assert time.monotonic() - began < 1
        struct.pack_into("=I", board, first, seq)


@pytest.mark.parametrize("words", [[], ["1"], ["1", "dashboard"], ["x", "dashboard", "control"],
                                   ["17", "dashboard", "control"]])
def test_bad_arguments(good_board, words):
    with Responder(good_board, argv=["sinit: responder", *words]) as responder:
        until(lambda: not responder.alive(), "its end")
        assert responder.code == 70


def test_a_board_that_is_none(tmp_path):
    (tmp_path / "board").write_bytes(b"no board" * 1000)
    with Responder(tmp_path / "board") as responder:
        until(lambda: not responder.alive(), "its end")
        assert responder.code == 70
