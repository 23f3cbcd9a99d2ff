"""A prober by itself: the test is its PID 1, with the channel on 3 and the statistics on 5, as
probes/helper.h says, and the servers that it probes are threads of the test."""

import mmap
import os
import re
import select
import signal
import socket
import struct
import threading
import time
from pathlib import Path

import pytest
from harness import SINIT, until

NONE, HTTP, TCP, GRPC = range(4)
STARTUP, LIVENESS, READINESS = range(3)
UNKNOWN, PASSING, FAILING = 1, 2, 3
FAULTS = ("NONE TIMEOUT CONNECT RESOLVE CLOSED PROTOCOL TOO_LONG STATUS BODY GRPC_STATUS GRPC_SERVING "
          "ABSENT OLD EXIT KILLED SPAWN NOT_LISTENING STOLEN NO_PROCESS ASKED SILENT INTERNAL").split()
STATS = struct.Struct("@IBB2xiI4Q11Qq")
BEGIN = struct.Struct("@10I4B16H12H4H")
LIMIT = 60


def target(kind, text, host="", port=0, path="", service=""):
    return struct.pack("@6H", kind, port, text(host), text(path), text(service), 0)


def begin(check, kind, *, ticket=1, generation=1, seed=0, interval=20, timeout=10000, delay=0,
          once=0, failures=1, successes=1, role=READINESS, health=UNKNOWN, status=((200, 399),),
          fallback=None, method="", headers="", body="", **where):
    """A PROBER_BEGIN; `where`: host, port, path, service; `fallback`: (kind, where)."""
    pool = bytearray(1)

    def text(value):
        if not value:
            return 0
        at = len(pool)
        pool.extend(value.encode() + b"\0")
        return at

    first = target(kind, text, **where)
    second = target(fallback[0], text, **fallback[1]) if fallback else bytes(12)
    texts = [text(method), text(headers), text(body)]
    ranges = [number for pair in status for number in pair]
    ranges += [0] * (16 - len(ranges))
    return struct.pack("@10I4B16H", 1, check, ticket, generation, seed, interval, timeout, delay,
                       failures, successes, role, health, len(status), once, *ranges) + \
        first + second + struct.pack("@4H", *texts, len(pool)) + bytes(pool)


class Stats:
    def __init__(self, raw):
        (self.generation, fault, self.kind, self.detail, self.last_latency, self.passed, self.failed,
         self.timeouts, self.latency_sum, *self.buckets, self.last_time) = STATS.unpack(raw)
        self.fault = FAULTS[fault]
        self.count = self.passed + self.failed


class Prober:
    def __init__(self, checks=16, before=None):
        """`before`: shell words that execute the rest of their line."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        stats = os.memfd_create("stats")
        os.ftruncate(stats, STATS.size * checks)
        high = [os.dup2(fd, number, inheritable=True)
                for fd, number in ((theirs.fileno(), 903), (stats, 905))]
        words = ["sinit: prober"]
        actions = [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 5)]
        program = SINIT
        if before:
            program = "/bin/bash"
            words = ["bash", "-c", f"{before} bash -c 'exec -a \"sinit: prober\" {SINIT}'"]
        actions += [(os.POSIX_SPAWN_CLOSE, number) for number in high]
        self.pid = os.posix_spawn(program, words, os.environ, file_actions=actions)
        for number in high:
            os.close(number)
        theirs.close()
        self.channel, self.memory = ours, mmap.mmap(stats, 0)
        os.close(stats)
        self.verdicts = []

    def begin(self, check, kind, **more):
        self.channel.send(begin(check, kind, **more))

    def end(self, check):
        self.channel.send(struct.pack("@II", 2, check))

    def stats(self, check=0):
        return Stats(self.memory[check * STATS.size:(check + 1) * STATS.size])

    def verdict(self, check=None, limit=LIMIT):
        """The next one: (check, ticket, passing, fault's name, detail)."""
        if not select.select([self.channel], [], [], limit)[0]:
            raise AssertionError(f"no verdict after {limit} s")
        kind, number, ticket, passing, fault, detail = struct.unpack("@3IBB2xi", self.channel.recv(4096))
        assert kind == 3 and (check is None or number == check)
        return number, ticket, bool(passing), FAULTS[fault], detail

    def result(self, kind, check=0, **more):
        """Of one check: its first verdict's fault and detail."""
        self.begin(check, kind, **more)
        found = self.verdict(check)
        self.end(check)
        assert found[2] == (found[3] == "NONE")
        return found[3:]

    def quiet(self):
        """There is no verdict that has not been read."""
        return not select.select([self.channel], [], [], 0)[0]

    def rounds(self, number, check=0):
        """Until so many more checks have been made."""
        goal = self.stats(check).count + number
        until(lambda: self.stats(check).count >= goal, f"{number} checks")
        return self.stats(check)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def cpu(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def anonymous(self):
        """KiB of memory of its own, counted page by page: how much of the program's file is mapped says
        nothing, nor do the kernel's running totals, which are kept for each processor."""
        rollup = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return int(re.search(r"^Anonymous: +(\d+) kB", rollup, re.M)[1])

    def wait(self):
        """Its exit code."""
        end = time.monotonic() + LIMIT
        while (found := os.waitpid(self.pid, os.WNOHANG)) == (0, 0):
            assert time.monotonic() < end, "the prober does not end"
            time.sleep(0.005)
        self.pid = 0
        return os.waitstatus_to_exitcode(found[1])

    def close(self):
        self.channel.close()
        code = self.wait()
        self.memory.close()
        return code

    def kill(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@pytest.fixture
def prober():
    made = Prober()
    yield made
    if made.pid:
        try:
            assert made.close() == 0
        finally:
            made.kill()


class Server:
    """Accepts connections and has `serve(connection)` answer each in a thread; connections are
    closed when it returns. `count` of them so far."""

    def __init__(self, serve=None, family=socket.AF_INET, address=None, backlog=1024):
        self.socket = socket.socket(family)
        self.socket.bind(address or ("127.0.0.1", 0))
        self.socket.listen(backlog)
        self.count, self.serve = 0, serve
        if serve:
            threading.Thread(target=self.run, daemon=True).start()

    @property
    def port(self):
        return self.socket.getsockname()[1]

    def run(self):
        while True:
            try:
                connection = self.socket.accept()[0]
            except OSError:
                return
            self.count += 1
            threading.Thread(target=self.one, args=(connection,), daemon=True).start()

    def one(self, connection):
        connection.settimeout(LIMIT)
        try:
            with connection:
                self.serve(connection)
        except OSError:
            pass

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


def request_of(connection):
    data = b""
    while b"\r\n\r\n" not in data and (part := connection.recv(65536)):
        data += part
    return data.decode()


def hold(connection):
    """Until the other side closes: then what it has sent last is known to be dealt with."""
    while connection.recv(65536):
        pass


def answers(*parts, then=None):
    """A server's part: reads a request, sends the parts, and closes, or does `then`."""
    def serve(connection):
        request_of(connection)
        for part in parts:
            connection.sendall(part)
        if then:
            then(connection)
    return serve


@pytest.fixture
def serve():
    made = []

    def make(*words, **more):
        made.append(Server(*words, **more))
        return made[-1]
    yield make
    for server in made:
        server.close()
