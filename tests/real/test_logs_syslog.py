"""/dev/log served by sinit, and lines passed on to another machine, which is the test."""

import json
import os
import random
import re
import signal
import socket
import stat
import threading

import pytest
from harness import freeze, reserved_port
from log_lab import (LIMIT, LINE, check, checked, lab, lines_in, lines_of, needs_root, numbers,  # noqa: F401
                     prefixed, until)

ONCE = "restart = never"
RFC5424 = re.compile(r"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z) ([!-~]{1,255}) "
                     r"([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) (-|(?:\[[^\]]*\])+)(?: (.*))?")

# Sends numbered messages; a message is known to be its sender's while that lives.
SENDER = r"""
import os, socket, sys, time
path, tag, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(path)
for i in range(count):
    s.send(f"<30>Nov 26 22:11:32 {tag}[{i % 7 + 1}]: message {i}".encode())
os.write(1, b"all sent\n")
time.sleep(100000)
"""


def syslog(lab, *lines, listen=True):
    """A section [syslog] with a socket of its own; its path."""
    path = lab.base / "devlog"
    listen = [f"listen = yes\nsocket = {path}"] if listen else []
    lab.write("syslog", "\n".join(["[syslog]", *listen, *lines, ""]))
    return path


def sender(lab, name, path, count, *lines, tag="tag"):
    script = lab.script("sender", SENDER)
    lab.service(name, f"/usr/bin/python3 {script} {path} {tag} {count}", ONCE, *lines)


def send(path, *messages):
    """From outside of the namespace."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.connect(str(path))
        for message in messages:
            s.send(message)


def told(count):
    return [f"daemon.info tag[{i % 7 + 1}]: message {i}" for i in range(count)]


# --- taking messages

def test_messages_of_a_captured_service_are_in_its_log(lab):
    path, file = syslog(lab), lab.logs / "x"
    sender(lab, "x", path, 3, f"log = {file}")
    lab.piped()
    lab.until_has(file, "message 2")
    lab.until_has(file, "all sent")
    said = file.read_text().splitlines()
    assert [line for line in said if line != "all sent"] == told(3)
    assert sorted(lab.ok("logs", "x").out.splitlines()) == sorted(said)
    assert lab.shutdown() == 0 and lab.pipe.end() == b""


def test_messages_of_others_are_on_standard_output(lab):
    """Of a service that is not captured, and of a stranger."""
    path = syslog(lab)
    sender(lab, "x", path, 3)
    pipe = lab.piped()
    until(lambda: b"message 2" in pipe.data, "the messages")
    send(path, b"<11>stranger: hello")
    until(lambda: b"hello" in pipe.data, "the stranger's")
    assert lab.shutdown() == 0
    lines = prefixed(pipe.end(), "syslog")
    assert [line.decode().rstrip("\n") for line in lines] == [*told(3), "user.err stranger: hello"]


def test_log_of_its_own(lab):
    file = lab.logs / "messages"
    path = syslog(lab, f"log = {file}", "log_format = json", "log_max_size = 4K", "log_keep = 1000")
    pipe = lab.piped()
    until(path.exists, "the socket")
    until(lambda: stat.S_IMODE(path.stat().st_mode) == 0o666, "all may write to it")
    send(path, b"<0>kernel: so what", b"<191>x: y")
    lab.until_has(file, "x: y")
    said = [json.loads(line) for line in lab.ok("--json", "logs", "syslog", "-n", "1").out.splitlines()]
    assert said == [{"service": None, "stream": "syslog", "line": "local7.debug x: y"}]
    assert lab.shutdown() == 0 and pipe.end() == b""
    assert [json.loads(line)["message"] for line in lines_of(file)] == [
        "kern.emerg kernel: so what", "local7.debug x: y"]
    assert not path.exists()


ODD = [b"", b"<", b"<>", b"<13>", b"<999>x", b"no head at all", b"<13>two\nlines\n", b"<13>t: nul\0byte",
       b"<13>t: \x1b[31mred", b"<13>t: \xff\xfe", "<13>t: été 🐧".encode(), b"<13>" + b"x" * 20_000,
       b"<165>1 2003-10-11T22:14:15.003Z host app 42 ID47 [a@1 b=\"c\"] BOM", b"<13>1 - - - - - -",
       random.Random(1).randbytes(3000), b"<34>Oct 11 22:14:15 mymachine su: 'su root' failed"]


def test_odd_messages(lab):
    """Each is one line, valid in JSON, and none is refused."""
    file = lab.logs / "messages"
    path = syslog(lab, f"log = {file}", "log_format = json", "log_max_size = max")
    lab.piped()
    until(path.exists, "the socket")
    send(path, *(m for odd in ODD for m in (odd, b"<13>t: end of one")))
    lab.until_has(file, "end of one", len(ODD))
    assert lab.shutdown() == 0
    text, found = "", []
    for line in lines_of(file):
        entry = json.loads(line.decode("utf-8"))
        text += entry["message"]
        if not entry.get("partial"):
            found.append(text)
            text = ""
    assert len(found) == 2 * len(ODD) and found[1::2] == ["user.notice t: end of one"] * len(ODD)
    assert all(re.match(r"[a-z0-9]+\.[a-z]+ ", text) for text in found)
    assert "été 🐧" in found[2 * 10] and not any(ord(c) < 32 for text in found for c in text)


def test_kills_while_messages_come(lab):
    """Each once, in order."""
    file = lab.logs / "messages"
    path = syslog(lab, f"log = {file}", "log_max_size = max")
    sender(lab, "x", path, 30_000)
    pipe = lab.piped()
    moments = random.Random(5)
    for _ in range(40):
        goal = (file.stat().st_size if file.exists() else 0) + moments.randrange(10_000)
        until(lambda: b"all sent" in pipe.data or (file.exists() and file.stat().st_size >= goal),
              "messages come")
        lab.kill_logger()
    lab.until_has(file, "message 29999\n")
    assert lab.shutdown() == 0
    assert file.read_text().splitlines() == told(30_000)


# Its first life writes, its second one sends a message.
LIVES = r"""
import os, socket, sys, time
path, go, sent = sys.argv[1:]
if not os.path.exists(go):
    os.write(1, b"begins\n")
    while not os.path.exists(go):
        time.sleep(0.001)
    os.write(1, b"written before the end by a life that has not sent anything so far\nand at the end\n")
    os._exit(1)
with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
    s.connect(path)
    s.send(b"<30>tag: sent by the next life")
open(sent, "w").close()
time.sleep(100000)
"""


def test_message_before_what_an_earlier_life_has_written_is_taken(lab):
    """Where that life has ended is known before the message is put there: no line is torn for it."""
    file, go, sent = lab.logs / "x", lab.base / "go", lab.base / "sent"
    path = syslog(lab)
    script = lab.script("lives", LIVES)
    lab.service("x", f"/usr/bin/python3 {script} {path} {go} {sent}", "restart_delay = 1ms",
                f"log = {file}", "log_format = timestamps")
    lab.piped()
    until(path.exists, "the socket")
    logger = lab.logger
    lab.until_has(file, "begins")
    freeze(logger.pid)
    send(path, b"<30>other: so that the socket is looked at first")
    go.touch()
    until(sent.exists, "the second life has sent it")
    logger.kill(signal.SIGCONT)
    lab.until_has(file, "the next life\n")
    lab.until_has(file, "the end\n")
    assert lab.shutdown() == 0
    assert [line.split(b" ", 1)[1] for line in lines_of(file)] == [
        b"begins\n", b"written before the end by a life that has not sent anything so far\n",
        b"and at the end\n", b"daemon.info tag: sent by the next life\n"]


@needs_root
def test_dev_log(lab):
    """Where programs look for it, by syslog(3)."""
    dev, words = lab.base / "dev", "null zero full random urandom tty"
    dev.mkdir()
    lab.write("syslog", "[syslog]\nlisten = yes\n")
    lab.service("x", "/usr/bin/python3 -c 'import syslog, time; syslog.openlog(\"prog\", syslog.LOG_PID, "
                "syslog.LOG_MAIL); syslog.syslog(syslog.LOG_WARNING, \"hello\"); time.sleep(100000)'",
                f"log = {lab.logs}/x")
    lab.piped(after=["sh", "-ec", f'for n in {words}; do touch {dev}/$n; mount --bind /dev/$n {dev}/$n; done; '
                     f'ln -s /proc/self/fd {dev}/fd; mount --rbind {dev} /dev; exec "$@"', "sh"])
    lab.until_has(lab.logs / "x", "hello\n")
    assert re.fullmatch(r"mail\.warning prog\[\d+\]: hello\n", (lab.logs / "x").read_text())
    assert (dev / "log").is_socket()


def test_socket_comes_and_goes_by_reloads(lab):
    """One that an earlier sinit has left is taken; one that somebody serves is not."""
    path = syslog(lab)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as old:
        old.bind(str(path))
    lab.service("y")
    pipe = lab.piped()
    until(lambda: lab.find_logger(), "the logger")

    def works(text):
        def sent():
            try:
                send(path, b"<13>" + text)
            except OSError:
                return False
            return True
        until(sent, "the socket")
        until(lambda: text in pipe.data, "the message")
    works(b"one")
    lab.remove("syslog")
    lab.ok("reload")
    until(lambda: not path.exists(), "the socket has gone")
    syslog(lab)
    lab.ok("reload")
    works(b"two")
    lab.remove("syslog")
    lab.ok("reload")
    until(lambda: not path.exists(), "the socket has gone")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        syslog(lab)
        lab.ctl("reload")
        lab.until_said(str(path))
        other.settimeout(LIMIT)
        send(path, b"mine")
        assert other.recv(100) == b"mine"
    assert lab.shutdown() == 0


# --- passing on

class Receiver:
    """A syslog server on loopback."""

    def __init__(self, kind, port=0, host="127.0.0.1"):
        self.kind, self.data, self.datagrams, self.connections = kind, bytearray(), [], []
        if kind == "udp":
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            self.socket.bind((host, port))
        else:
            self.socket = socket.create_server((host, port))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            if self.kind == "udp":
                while True:
                    self.datagrams.append(self.socket.recv(65536))
            while True:
                connection = self.socket.accept()[0]
                self.connections.append(connection)
                while part := connection.recv(65536):
                    self.data += part
                connection.close()
        except OSError:
            pass

    def lines(self):
        if self.kind == "udp":
            lines = list(self.datagrams)
        else:  # but one that has not come as a whole
            data = bytes(self.data)
            lines = lines_in(data[:data.rfind(b"\n") + 1])
        return [line.decode("utf-8").removesuffix("\n") for line in lines]

    def close(self):
        for one in (self.socket, *self.connections):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()


@pytest.fixture
def receive():
    made = []

    def make(*words):
        made.append(Receiver(*words))
        return made[-1]
    yield make
    for receiver in made:
        receiver.close()


def parts(line):
    """(facility and severity, host, app, process, id, data, text)"""
    match = RFC5424.fullmatch(line)
    assert match and int(match[1]) < 192, line
    return int(match[1]), *match.groups()[2:]


@pytest.mark.parametrize("kind", ["udp", "tcp"])
def test_forwarded(lab, receive, kind):
    """Messages and captured lines, in the form of RFC 5424."""
    receiver, here = receive(kind), os.uname().nodename
    path = syslog(lab, f"forward = {kind}://127.0.0.1:{receiver.port}", "log = null")
    lab.service("web", "sh -c 'echo hello; printf \"\\\\033[31mred\\\\n\"; exec sleep 100000'",
                f"log = {lab.logs}/web")
    lab.piped()
    until(path.exists, "the socket")
    send(path, b"<22>Nov 26 22:11:32 postfix/smtpd[777]: connect\n", b"<13>a\nb",
         b"<165>1 2003-10-11T22:14:15.003Z host app 42 ID47 [a@1 b=\"c\"] structured",
         f"<190>Nov 26 22:11:32 {here} nginx: GET".encode())
    until(lambda: len(receiver.lines()) >= 6, "six lines")
    assert lab.shutdown() == 0
    lines = {found[-1]: found for found in map(parts, receiver.lines())}
    assert len(lines) == 6 and len({found[1] for found in lines.values()}) == 1
    assert lines["hello"][1:3] == (here, "web") and lines["hello"][0] // 8 == 3
    assert lines["GET"][:4] == (190, here, "nginx", "-")
    assert lines["connect"][0] == 22 and lines["connect"][2:4] == ("postfix/smtpd", "777")
    assert any(found[0] == 165 and "structured" in text for text, found in lines.items())
    assert not any(ord(c) < 32 for text in lines for c in text)


def forwarded_numbers(receiver):
    return [int(parts(line)[-1][:10]) for line in receiver.lines()]


def test_forwarded_by_tcp_all_of_it(lab, receive):
    """As much as the line takes: the service is not faster than what is sent."""
    receiver, gate = receive("tcp"), lab.gate(limit=500)
    syslog(lab, f"forward = tcp://127.0.0.1:{receiver.port}", listen=False)
    lab.numbered("x", f"log = {lab.logs}/x", lines=20_000, gate=gate.path)
    lab.piped()
    while gate.limit < 20_000:
        until(lambda: len(receiver.lines()) == gate.limit, "what was written")
        gate.limit += 500
    until(lambda: len(receiver.lines()) == 20_000, "all of it")
    assert lab.shutdown() == 0
    assert forwarded_numbers(receiver) == list(range(20_000))
    checked(check(lab.logs / "x"), 20_000)


def test_forwarded_to_nobody(lab, receive):
    """Nothing waits for it; when the receiver is there what the ring has comes."""
    port = reserved_port()
    syslog(lab, f"forward = tcp://127.0.0.1:{port}", listen=False)
    lab.numbered("x", f"log = {lab.logs}/x", lines=200_000)
    lab.piped()
    lab.until_has(lab.logs / "x", "0000199999")
    lab.until_said("forward")
    receiver = receive("tcp", port)
    until(lambda: forwarded_numbers(receiver)[-1:] == [199_999], "the last line")
    found = forwarded_numbers(receiver)
    assert found == list(range(found[0], 200_000)) and len(found) > 1000
    assert lab.shutdown() == 0
    checked(check(lab.logs / "x"), 200_000)


def test_datagrams_to_nobody(lab):
    """Where nobody listens the kernel says so, and it is told."""
    syslog(lab, f"forward = udp://127.0.0.1:{reserved_port()}", listen=False)
    lab.numbered("x", f"log = {lab.logs}/x", lines=100, chunk=LINE)
    lab.piped()
    lab.finished("x")
    lab.until_said("does not take all")
    assert lab.shutdown() == 0
    checked(check(lab.logs / "x"), 100)


def test_receiver_that_comes_back(lab, receive):
    """Lines come again, whole; it is told when it goes and when it is back."""
    first, gate = receive("tcp", reserved_port()), lab.gate()
    syslog(lab, f"forward = tcp://127.0.0.1:{first.port}", listen=False)
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 500 --gate {gate.path}", ONCE,
                f"log = {lab.logs}/x", "log_max_size = max")
    lab.piped()
    until(lambda: len(first.lines()) > 100, "it receives")
    first.close()
    second = receive("tcp", first.port)
    until(lambda: len(second.lines()) > 100, "it receives again")
    assert lab.shutdown() == 0
    found = forwarded_numbers(second)
    assert found == list(range(found[0], found[-1] + 1))  # the last may have been cut with the end
    checked(check(lab.logs / "x"), gate.count)


@needs_root
def test_receiver_of_datagrams_that_moves(lab, receive):
    """Its name leads to another address; no connection tells that the old one is nobody's."""
    first, gate, hosts = receive("udp"), lab.gate(), lab.base / "hosts"
    second = receive("udp", first.port, "127.0.0.3")
    hosts.write_text("127.0.0.1 logs.test\n")
    syslog(lab, f"forward = udp://logs.test:{first.port}", listen=False)
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 50 --gate {gate.path}", ONCE,
                f"log = {lab.logs}/x")
    lab.piped(after=["unshare", "--mount", "sh", "-c", f'mount --bind {hosts} /etc/hosts; exec "$@"', "sh"])
    until(first.lines, "it receives")
    hosts.write_text("127.0.0.3 logs.test\n")
    first.close()
    until(second.lines, "it receives where it is now")
    assert lab.shutdown() == 0


def test_receiver_that_does_not_read(lab):
    """Only the forwarding stands still, and what is lost for it is told: when it begins, and at the end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        syslog(lab, f"forward = tcp://127.0.0.1:{server.getsockname()[1]}", listen=False)
        lab.numbered("x", f"log = {lab.logs}/x", "log_max_size = max", lines=1_000_000)
        lab.piped()
        server.settimeout(LIMIT)
        with server.accept()[0]:
            lab.finished("x")
            lab.until_said("lost for it so far")
            assert lab.shutdown() == 0
            told = [int(re.search(r"(\d+) lines? w", line)[1]) for line in lab.until_said("lost for it so far", 2)]
            assert told == sorted(told) and 500_000 < told[-1] < 1_000_000
    checked(check(lab.logs / "x"), 1_000_000)
