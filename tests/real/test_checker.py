"""The checks that have a process of their own, alone. Of listen: with the socket's owner
somewhere."""

import errno
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from harness import SINIT, until

FAULT = 100  # probes/helper.h: CHECKER_FAULT, and the numbers of the faults
OK, CONNECT, GONE, OLD, ABSENT, STOLEN, UNKNOWN = 0, *(FAULT + n for n in (2, 11, 12, 16, 17, 21))
TIME = 30  # seconds that a check may take on a busy machine

# Binds a socket, says its port, and waits; with "child" the socket stays with a child only, with
# "session" that is in a session of its own, and with "orphan" its parent is gone, too.
HOLDER = """
import os, socket, sys, time
family, kind, how = sys.argv[1:]
s = socket.socket(getattr(socket, family), getattr(socket, kind))
s.bind(("::1" if family == "AF_INET6" else "127.0.0.1", 0))
if kind == "SOCK_STREAM" and how != "bound":
    s.listen()
def wait():
    sys.stdin.read()
    os._exit(0)
if how in ("child", "session", "orphan"):
    if os.fork() == 0:
        if how == "session":
            os.setsid()
        if how == "orphan" and os.fork():
            os._exit(0)
        wait()
    port = s.getsockname()[1]
    s.close()
    if how == "orphan":
        os.wait()
else:
    port = s.getsockname()[1]
if how == "connected":
    s.connect(("127.0.0.1", 9))
print(port, flush=True)
wait()
"""


class Holder:
    def __init__(self, how="own", family="AF_INET", kind="SOCK_STREAM"):
        self.process = subprocess.Popen([sys.executable, "-c", HOLDER, family, kind, how],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        start_new_session=True)
        self.pid, self.port = self.process.pid, int(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


@pytest.fixture
def hold():
    holders = []

    def make(*args, **more):
        holders.append(Holder(*args, **more))
        return holders[-1]
    yield make
    for holder in holders:
        holder.close()


def listen(port, pid, kind="tcp", notify="-", prefix=()):
    words = ["sinit: check", notify, "listen", kind, str(port), str(pid)]
    if prefix:
        script = f"exec -a 'sinit: check' {SINIT} {' '.join(words[1:])}"
        return subprocess.run([*prefix, "bash", "-c", script], timeout=TIME).returncode
    return subprocess.run(words, executable=SINIT, timeout=TIME).returncode


@pytest.mark.parametrize("family", ["AF_INET", "AF_INET6"])
@pytest.mark.parametrize("kind", ["tcp", "udp"])
@pytest.mark.parametrize("how", ["own", "child", "session", "orphan"])
def test_own(hold, how, kind, family):
    holder = hold(how, family, "SOCK_STREAM" if kind == "tcp" else "SOCK_DGRAM")
    assert listen(holder.port, holder.pid, kind) == OK
    assert listen(holder.port, holder.pid, "udp" if kind == "tcp" else "tcp") == ABSENT


def test_absent(hold):
    holder = hold("bound")
    assert listen(holder.port, holder.pid) == ABSENT  # it is bound, but does not listen
    assert listen(hold("connected", kind="SOCK_DGRAM").port, holder.pid, "udp") == ABSENT


def test_both_families(hold):
    """A socket for every address of both is one of IPv6."""
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        assert listen(server.getsockname()[1], os.getpid()) == OK


@pytest.mark.parametrize("abstract", [False, True])
def test_stolen(hold, tmp_path, abstract):
    mine, thief = hold(), hold()
    name = f"@sinit-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(name.replace("@", "\0", 1) if abstract else name)
        notify.settimeout(TIME)
        assert listen(thief.port, mine.pid, notify=name) == STOLEN
        name = Path(f"/proc/{thief.pid}/comm").read_text().strip()
        assert notify.recv(100) == f"SINIT_DETAIL={thief.pid}\nSINIT_THIEF={name}".encode()


def test_stolen_with_nobody_to_tell(hold, tmp_path):
    mine, thief = hold(), hold()
    for notify in ("-", "", str(tmp_path / "none"), "/" + "x" * 300):
        assert listen(thief.port, mine.pid, notify=notify) == STOLEN
    assert listen(thief.port, 2 ** 22 + 1) == STOLEN  # the service is gone


def test_shared_port(hold):
    """With SO_REUSEPORT it is enough that one of the sockets is the service's."""
    mine = hold()
    with socket.socket() as first, socket.socket() as second:
        for one in (first, second):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        first.bind(("127.0.0.1", 0))
        first.listen()
        second.bind(first.getsockname())
        second.listen()
        assert listen(first.getsockname()[1], os.getpid()) == OK
        assert listen(first.getsockname()[1], mine.pid) == STOLEN


def test_same_session_of_another(hold):
    """In the session of sinit, which is the test here: who shares it is not the service's for that."""
    with subprocess.Popen(["sleep", "1000"]) as other, socket.create_server(("127.0.0.1", 0)) as server:
        assert listen(server.getsockname()[1], other.pid) == STOLEN
        other.kill()


def test_bad_words():
    for words in ("", "-", "- listen", "- listen tcp", "- listen tcp 80", "- listen tcp x 1",
                  "- listen tcp 70000 1", "- listen tcp 80 0", "- listen tcp 80 -1", "- tcp 80",
                  "- unix", "- file", "- file /", "- file / x", "- file / -1", "- / file"):
        words = ["sinit: check", *words.split()]
        assert subprocess.run(words, executable=SINIT).returncode == UNKNOWN, words


def check_path(kind, path, *words):
    """The exit code, and the detail."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(f"\0sinit-test-{os.getpid()}")
        code = subprocess.run(["sinit: check", f"@sinit-test-{os.getpid()}", kind, str(path), *words],
                              executable=SINIT, timeout=TIME).returncode
        notify.setblocking(False)
        try:
            return code, int(notify.recv(100).removeprefix(b"SINIT_DETAIL="))
        except BlockingIOError:
            return code, 0


def test_file(tmp_path):
    path = tmp_path / "f"
    assert check_path("file", path, "0") == (GONE, errno.ENOENT)
    path.touch()
    assert check_path("file", path, "60000") == (OK, 0)
    os.utime(path, (time.time() - 100,) * 2)
    assert check_path("file", path, "0") == (OK, 0)
    code, age = check_path("file", path, "60000")
    assert code == OLD and age >= 99
    os.utime(path, (time.time() + 100000,) * 2)  # the clock was set back
    assert check_path("file", path, "1") == (OK, 0)
    assert check_path("file", path / "x", "0") == (GONE, errno.ENOTDIR)


def test_unix(tmp_path):
    path = str(tmp_path / "s")
    assert check_path("unix", path) == (CONNECT, errno.ENOENT)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert check_path("unix", path) == (CONNECT, errno.ECONNREFUSED)
        server.listen()
        assert check_path("unix", path) == (OK, 0)
    assert check_path("unix", path) == (CONNECT, errno.ECONNREFUSED)
    assert check_path("unix", "/" + "x" * 200) == (CONNECT, errno.ENAMETOOLONG)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path + "2")
        assert check_path("unix", path + "2") == (CONNECT, errno.EPROTOTYPE)


def test_unix_full_queue(tmp_path):
    """It waits until there is room."""
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as other:
        server.bind(path)
        server.listen(0)
        other.connect(path)
        with subprocess.Popen(["sinit: check", "-", "unix", path], executable=SINIT) as check:
            until(lambda: "unix_wait_for_peer" in open(f"/proc/{check.pid}/wchan").read() or
                  check.poll() is not None, "it waits")
            server.accept()[0].close()
            assert check.wait(TIME) == OK


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
class TestNamespaces:
    IN_PID = ["unshare", "--pid", "--fork", "--kill-child"]

    def test_own_proc(self):
        """In a PID namespace with its own /proc the numbers are those of the namespace."""
        script = (f"import socket, subprocess, os\n"
                  f"s = socket.create_server(('127.0.0.1', 0))\n"
                  f"run = lambda pid: subprocess.run(['sinit: check', '-', 'listen', 'tcp', str(s.getsockname()[1]), str(pid)], "
                  f"executable={SINIT!r}, close_fds=True).returncode\n"
                  f"other = subprocess.Popen(['sleep', '1000'])\n"
                  f"assert os.getpid() < 10, os.getpid()\n"
                  f"print(run(os.getpid()), run(other.pid))\n")
        found = subprocess.run([*self.IN_PID, "--mount-proc", sys.executable, "-c", script],
                               capture_output=True, text=True, timeout=TIME)
        assert found.stdout.split() == [str(OK), str(STOLEN)], found.stderr

    def test_foreign_proc(self, hold):
        holder = hold()
        assert listen(holder.port, holder.pid, prefix=self.IN_PID) == UNKNOWN

    @pytest.mark.release_only  # the sanitizer, too, wants a /proc
    def test_no_proc(self, hold):
        holder = hold()
        hide = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh"]
        assert listen(holder.port, holder.pid, prefix=hide) == UNKNOWN

    def test_service_that_cannot_be_looked_into(self, hold):
        """Another user's process: it may have the socket, so nothing is known."""
        holder = hold()
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        assert listen(holder.port, holder.pid, prefix=nobody) == UNKNOWN
        assert listen(holder.port, 2 ** 22 + 1, prefix=nobody) == STOLEN

    def test_other_network(self, hold):
        holder = hold()
        assert listen(holder.port, holder.pid, prefix=["unshare", "--net"]) == ABSENT


@pytest.mark.release_only
def test_fast(hold):
    holder, thief = hold(), hold()
    best = {}
    for port in (holder.port, thief.port):
        for _ in range(10):
            began = time.monotonic()
            listen(port, holder.pid)
            best[port] = min(best.get(port, TIME), time.monotonic() - began)
    assert max(best.values()) < 0.02, best
