"""An alerter by itself: the test is its PID 1, with the channel on 3, and on 4 a board that
board_writer.c writes, as probes/helper.h says."""

import glob
import http.server
import json
import os
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

from harness import SINIT, until

TOP = Path(__file__).resolve().parents[2]
KINDS = {"restart": 1, "fatal": 2, "failed": 4, "recovered": 8, "unhealthy": 16, "oom": 32,
         "memory": 64, "critical-down": 128}
RULE = struct.Struct("@5I10H")
SENT = struct.Struct("@IiQ72s72s128sB7x")
NUMBERED = struct.Struct("@IIQ")  # an alerter_number
LIMIT = 60
# enum probe_fault by its names
FAULTS = {name.lower(): number for number, name in enumerate(re.findall(
    r"FAULT_(\w+),", (TOP / "probes/helper.h").read_text().split("enum probe_fault {")[1].split("};")[0]))}
NEVER = 2 ** 32 - 2  # ms of cooldown


def build_writer():
    """board_writer.c's program; by rename, for tests may run side by side."""
    program = Path(SINIT).with_name("board_writer")
    sources = ["tests/real/board_writer.c", "init/base.c", *sorted(glob.glob("init/board*.c", root_dir=TOP))]
    if not program.exists() or any((TOP / s).stat().st_mtime > program.stat().st_mtime for s in sources):
        fresh = program.with_name(f"board_writer.{os.getpid()}")
        subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-I.", "-O1", "-o", fresh, *sources],
                       check=True, cwd=TOP)
        fresh.rename(program)
    return program


class Writer:
    def __init__(self, directory):
        self.process = subprocess.Popen([build_writer(), directory], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        self.path = Path(directory) / "board"
        assert self.process.stdout.readline() == "ok\n"

    def __call__(self, line):
        self.process.stdin.write(line + "\n")
        assert self.process.stdout.readline() == "ok\n"

    def close(self):
        self.process.stdin.close()
        self.process.wait(LIMIT)


def rule(number=0, events="*", cooldown=0, form=0, webhook=None, file=None, name="test", command=(),
         services=()):
    """An ALERTER_RULE. `webhook`: (host, port, path)."""
    pool = bytearray(1)

    def text(*values):
        at = len(pool)
        for value in values:
            pool.extend(str(value).encode() + b"\0")
        return at if values else 0

    host, port, path = webhook or (None, 0, None)
    bits = sum(KINDS.values()) if events == "*" else sum(KINDS[word] for word in events.split())
    offsets = [text(host) if host else 0, text(path) if path else 0, text(file) if file else 0,
               text(name), text(*command), len(command), text(*services), len(services)]
    return RULE.pack(1, number, bits, cooldown, form, port, *offsets, len(pool)) + bytes(pool)


class Alerter:
    def __init__(self, directory, after=0, board=None, **environ):
        self.directory = Path(directory)
        self.board = board or Writer(directory)
        self.seen, self.last = after, after or 0
        self.stderr = self.directory / "stderr"
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with open(self.board.path, "rb") as board:
            high = [os.dup2(fd, number, inheritable=True)
                    for fd, number in ((theirs.fileno(), 903), (board.fileno(), 904))]
        actions = [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4),
                   (os.POSIX_SPAWN_OPEN, 2, str(self.stderr), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)]
        actions += [(os.POSIX_SPAWN_CLOSE, number) for number in high]
        self.pid = os.posix_spawn(SINIT, ["sinit: alerter"], {**os.environ, **environ},
                                  file_actions=actions)
        for number in high:
            os.close(number)
        theirs.close()
        self.channel = ours
        if after is not None:
            self.begin(after)

    def state(self):
        return Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()[0]

    def begin(self, after):
        self.channel.send(NUMBERED.pack(4, 0, after))

    def end(self):
        self.channel.send(NUMBERED.pack(5, 0, self.last))

    def rule(self, **more):
        self.channel.send(rule(**more))

    def event(self, kind, name="web", count=1):
        self.unseen_event(kind, name, count)
        self.look()

    def unseen_event(self, kind, name="web", count=1):
        self.board(f"event {kind} {name} {count}")
        self.last += count

    def look(self):
        self.channel.send(NUMBERED.pack(2, 0, self.last))

    def sent(self, limit=LIMIT):
        """The next ALERTER_SENT: (ok, service, rule)."""
        assert select.select([self.channel], [], [], limit)[0], f"nothing sent; {self.complaints()}"
        message = self.channel.recv(4096)
        if len(message) == NUMBERED.size:
            kind, _, self.seen = NUMBERED.unpack(message)
            assert kind == 6
            return self.sent(limit)
        kind, detail, self.seen, service, name, where, fault = SENT.unpack(message)
        assert kind == 3
        self.why = (where.split(b"\0")[0].decode(), next((w for w, n in FAULTS.items() if n == fault), None), detail)
        return not fault, service.split(b"\0")[0].decode(), name.split(b"\0")[0].decode()

    def last_seen(self):
        """Reads what it says at its end."""
        while message := self.channel.recv(4096):
            kind, _, self.seen = NUMBERED.unpack(message)
            assert kind == 6
        return self.seen

    def quiet(self, seconds=0.3):
        return not select.select([self.channel], [], [], seconds)[0]

    def complaints(self):
        return self.stderr.read_text()

    def children(self):
        return Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()

    def switches(self):
        """How often it has been woken."""
        return sum(int(line.split()[1]) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines()
                   if "ctxt_switches" in line)

    def close(self):
        """Ends it by the end of the channel; its exit code."""
        self.channel.close()
        return self.wait()

    def wait(self):
        end = time.monotonic() + LIMIT
        while (found := os.waitpid(self.pid, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < end, "the alerter does not end"
            time.sleep(0.005)
        self.pid = 0
        return os.waitstatus_to_exitcode(found[1])

    def clean(self):
        self.channel.close()
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        self.board.close()


class Hook(http.server.HTTPServer):
    """A server that keeps the requests: (path, headers, body)."""

    def __init__(self, status=200, family=socket.AF_INET):
        self.address_family = family
        self.requests, self.status = [], status

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.server.requests.append((self.path, dict(self.headers), body))
                self.send_response(self.server.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def port(self):
        return self.server_address[1]

    def json(self):
        return [json.loads(body) for _, _, body in self.requests]


def files(directory):
    """What the alerts in a directory say, in the order of their names."""
    return [json.loads(path.read_text()) for path in sorted(Path(directory).glob("*.json"))]
