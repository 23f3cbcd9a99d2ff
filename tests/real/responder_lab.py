"""The responder alone: a real sinit writes the board, and a thread of the test stands for the
PID 1 that answers its pings and orders. SINIT names the program (default build/sinit)."""

import ctypes
import fcntl
import json
import os
import re
import resource
import select
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from services import LIMIT, SINIT, until

# probes/helper.h
CHANNEL, BOARD, STATS, SOCKETS = 3, 4, 5, 6
PING, PONG, ORDER, ANSWER, MEASURE, MEASURED = 1, 2, 3, 4, 5, 6
NAME, TOKEN, TEXT, VERB = 72, 256, 1024, 16


class Pid1(threading.Thread):
    """Answers what comes by the channel, as long as it is told to."""

    def __init__(self, channel):
        super().__init__(daemon=True)
        self.channel = channel
        self.answers = True
        self.token = ""
        self.pings = []   # when they came
        self.unanswered = []
        self.orders = []  # (verb, name, token)
        self.measures = []  # when they were asked for
        self.measure = lambda: None  # what to do then, before it is told to be done
        self.measured_at_once = True
        self.start()

    def pong(self, number):
        self.channel.send(struct.pack("=IIIIQQ", PONG, number, 23, 1234, 5678, 99))

    def measured(self):
        self.channel.send(struct.pack("=I", MEASURED))

    def take(self, message):
        kind, number = struct.unpack_from("=II", message + b"\0\0\0\0")
        if kind == MEASURE:
            assert len(message) == 4
            self.measures.append(time.monotonic())
            if self.measured_at_once:
                self.measure()
                self.measured()
        elif kind == PING:
            assert len(message) == 8
            self.pings.append(time.monotonic())
            if self.answers:
                self.pong(number)
            else:
                self.unanswered.append(number)
        elif kind == ORDER:
            verb, name, token = (text.split(b"\0")[0].decode() for text in struct.unpack_from(
                f"={VERB}s{NAME}s{TOKEN}s", message, 8))
            self.orders.append((verb, name, token))
            if self.answers:
                status = 401 if token != self.token else 404 if name == "nobody" else 200
                text = f"{verb} {name}".encode()
                self.channel.send(struct.pack(f"=III{TEXT}s", ANSWER, number, status, text))

    def run(self):
        try:
            while message := self.channel.recv(16384):
                self.take(message)
        except OSError:
            pass


class Responder:
    def __init__(self, board, dashboard=True, control=False, unix=None, stats=b"\0" * 4096,
                 files=None, argv=None):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        sockets = [self.listener]
        if unix:
            self.unix = socket.socket(socket.AF_UNIX)
            self.unix.bind(str(unix))
            self.unix.listen(64)
            sockets.append(self.unix)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        memory = os.memfd_create("stats")
        os.write(memory, stats)
        board_fd = os.open(board, os.O_RDONLY)
        argv = argv or ["sinit: responder", str(len(sockets)),
                        "dashboard" if dashboard else "no-dashboard",
                        "control" if control else "no-control"]
        fds = [theirs.fileno(), board_fd, memory, *(s.fileno() for s in sockets)]
        self.pid = os.fork()
        if self.pid == 0:
            try:
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)
                high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 200) for fd in fds]
                for target, fd in enumerate(high, CHANNEL):
                    os.dup2(fd, target)
                os.closerange(CHANNEL + len(fds), 1024)
                if files:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
                os.execv(SINIT, argv)
            finally:
                os._exit(99)
        for thing in (theirs, *sockets):
            thing.close()
        for fd in (board_fd, memory):
            os.close(fd)
        self.code = None
        self.pid1 = Pid1(ours)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.pid1.channel.close()

    def alive(self):
        if self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is None

    def hang_up(self):
        """As the end of PID 1 does. Returns the responder's exit code."""
        self.pid1.channel.shutdown(socket.SHUT_RDWR)
        self.pid1.channel.close()
        until(lambda: not self.alive(), "the responder's end")
        return self.code

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def connect(self):
        return Client(socket.create_connection(("127.0.0.1", self.port), LIMIT))

    def ask(self, target, method="GET", headers="", body=""):
        """One request on a connection of its own."""
        with self.connect() as client:
            return client.ask(target, method, headers, body)

    def get(self, target, status=200):
        answer = self.ask(target)
        assert answer.status == status, answer
        return answer.json()

    def raw(self, data):
        """What comes back for these bytes until the other side closes."""
        with self.connect() as client:
            try:
                client.socket.sendall(data)
            except (BrokenPipeError, ConnectionResetError):
                pass
            return client.rest()


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"{self.status} {self.headers} {self.body!r}"


class Client:
    """One connection."""

    def __init__(self, connected):
        self.socket = connected
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, target, method="GET", headers="", body=""):
        if body:
            headers += f"Content-Length: {len(body)}\r\n"
        self.socket.sendall(
            f"{method} {target} HTTP/1.1\r\nHost: x\r\n{headers}\r\n{body}".encode())

    def more(self):
        data = self.socket.recv(65536)
        assert data, f"closed after {self.seen!r}"
        self.seen += data

    def answer(self, head_only=False):
        while b"\r\n\r\n" not in self.seen:
            self.more()
        head, _, self.seen = self.seen.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        length = 0 if head_only else int(headers["content-length"])
        while len(self.seen) < length:
            self.more()
        body, self.seen = self.seen[:length], self.seen[length:]
        return Answer(int(re.match(r"HTTP/1\.1 (\d{3}) ", lines[0])[1]), headers, body)

    def ask(self, target, method="GET", headers="", body=""):
        self.send(target, method, headers, body)
        return self.answer(method == "HEAD")

    def rest(self):
        """Everything until the other side closes."""
        try:
            while data := self.socket.recv(65536):
                self.seen += data
        except ConnectionResetError:
            pass
        return self.seen

    def has_come(self):
        """What can be read at once, and still can be after this; None: nothing, not even
        the end."""
        look = select.poll()
        look.register(self.socket, select.POLLIN)
        try:
            return self.socket.recv(4096, socket.MSG_PEEK) if look.poll(0) else None
        except ConnectionResetError:
            return b""

    def is_closed(self):
        """The other side has closed, and has sent nothing before."""
        return self.has_come() == b""


def process_line(pid, key):
    return re.search(rf"^{key}:[ \t]*(.*?)[ \t]*$", Path(f"/proc/{pid}/status").read_text(), re.M)[1]
