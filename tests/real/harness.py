"""A sinit in wrapper mode: as PID 1 of a namespace of its own or as an ordinary process, over
pipes or in a terminal.

Every wait is for a condition and has a limit, far above what a busy machine needs; nothing waits
for a time and hopes. SINIT names the program (default build/sinit)."""

import errno
import os
import pty
import re
import select
import signal
import socket
import subprocess
import time
from functools import lru_cache
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
SINIT = str(Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve())
LIMIT = 60  # seconds after which what was waited for will not come
AS_ROOT = os.geteuid() == 0
UNSHARE = ["unshare", *([] if AS_ROOT else ["--user", "--map-root-user"]), "--pid", "--fork",
           "--kill-child", "--mount", "--mount-proc"]
# No configuration of this machine makes a supervisor of a wrapper.
NO_CONFIG = ["-c", "/nonexistent"]


def until(condition, what="", limit=LIMIT):
    """What condition() gives as soon as it is true."""
    end = time.monotonic() + limit
    while not (result := condition()):
        assert time.monotonic() < end, f"after {limit} s still not: {what or condition}"
        time.sleep(0.005)
    return result


def unless_gone(look, *words, gone=None):
    """What look() gives; `gone` if the process or the file that it is about has gone, as any may
    between two looks."""
    try:
        return look(*words)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESRCH, errno.ENODEV):  # the last of a cgroup
            raise
        return gone


@lru_cache
def helper():
    """wrapped.c's program, beside sinit; by rename, for tests may run side by side."""
    source = Path(__file__).with_name("wrapped.c")
    program = Path(SINIT).with_name("wrapped")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        fresh = program.with_name(f"wrapped.{os.getpid()}")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-static", "-o", fresh, source], check=True)
        fresh.rename(program)
    return str(program)


ports = []


def reserved_port():
    """One of loopback that nobody else is given while the tests run. Who connects to it is refused;
    a server that sets SO_REUSEADDR, as sinit does, gets it."""
    ports.append(socket.socket())
    ports[-1].bind(("127.0.0.1", 0))
    ports[-1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # from now on, for others
    return ports[-1].getsockname()[1]


# --- looking at processes ---------------------------------------------------

def children(pid):
    """Also those of its threads. One may be missing while others end (proc(5))."""
    found = []
    for task in unless_gone(os.listdir, f"/proc/{pid}/task", gone=[]):
        found += unless_gone(Path(f"/proc/{pid}/task/{task}/children").read_text, gone="").split()
    return [int(child) for child in found]


def descendants(pid):
    found = children(pid)
    for child in found:
        found += [other for other in children(child) if other not in found]
    return found


def stat(pid):
    """State, parent, group, session, terminal, foreground group; None if it is gone."""
    text = unless_gone(Path(f"/proc/{pid}/stat").read_text)
    if text is None:
        return None
    fields = text.rpartition(") ")[2].split()
    return [fields[0], *map(int, fields[1:6])]


def alive(pid):
    found = stat(pid)
    return found is not None and found[0] not in "ZX"


def command_name(pid):
    name = unless_gone(Path(f"/proc/{pid}/comm").read_text)
    return name and name.strip()


def command_line(pid):
    """Its words; none if it has ended."""
    return unless_gone(Path(f"/proc/{pid}/cmdline").read_bytes, gone=b"").split(b"\0")[:-1]


def freeze(pid):
    """SIGSTOP, once it stands still: what it was about when told goes on to its end."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: (stat(pid) or "T")[0] in "TZX", f"{pid} stands still")


def finish_turn(pid):
    """Gives a sinit that is awake the time to write its events, and its log, which it does at the end
    of a turn; what else has come of that turn may have been seen already."""
    end = time.monotonic() + 1
    while (stat(pid) or "S")[0] in "RD" and time.monotonic() < end:
        time.sleep(0.001)


def status_line(text, key):
    """A value of /proc/PID/status, given as text."""
    return re.search(rf"^{key}:\s*(.*)$", text, re.M).group(1)


# --- running sinit ----------------------------------------------------------

class Wrapper:
    """One sinit. `pid` is sinit's number as seen from here, `child()` the command's."""

    def __init__(self, command, flags=(), pid1=False, name=None, **popen):
        self.started = time.monotonic()
        program = [SINIT, *NO_CONFIG] if name is None else [name]
        words = [*(UNSHARE if pid1 else []), *program, *flags, "--", *map(str, command)]
        popen.setdefault("stdin", subprocess.DEVNULL)
        popen.setdefault("stdout", subprocess.PIPE)
        popen.setdefault("stderr", subprocess.PIPE)
        self.process = subprocess.Popen(words, **popen)
        self.pid1 = pid1
        self.seen = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in [*reversed(descendants(self.process.pid)), self.process.pid]:
            unless_gone(os.kill, pid, signal.SIGKILL)
        self.process.wait(LIMIT)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    @property
    def pid(self):
        if not self.pid1:
            return self.process.pid
        return until(lambda: children(self.process.pid), "PID 1")[0]

    def child(self, name=None):
        """The command's process, when it has become the program `name`."""
        def found():
            for child in children(self.pid):
                if name is None or command_name(child) == name:
                    return child
            return None
        return until(found, f"the command {name or ''}")

    def kill(self, sig):
        os.kill(self.pid, sig)

    def line(self):
        """The next line of standard output."""
        while b"\n" not in self.seen:
            ready, _, _ = select.select([self.process.stdout], [], [], LIMIT)
            assert ready, f"no line; so far {self.seen!r}"
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, f"end of file; so far {self.seen!r}"
            self.seen += data
        line, _, self.seen = self.seen.partition(b"\n")
        return line.decode()

    def wait(self):
        """The exit code."""
        return self.process.wait(LIMIT)

    def end(self):
        """(exit code, rest of standard output, standard error)."""
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, (self.seen + (out or b"")).decode(), (err or b"").decode()


def run(command, flags=(), **options):
    with Wrapper(command, flags, **options) as wrapper:
        return wrapper.end()


class Terminal:
    """A process in a new session with a pseudo-terminal of its own."""

    def __init__(self, argv, before=lambda fd: None):
        self.text = ""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                before(0)
                os.execvp(argv[0], argv)
            finally:
                os._exit(99)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.pid:
            for pid in [*reversed(descendants(self.pid)), self.pid]:
                unless_gone(os.kill, pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)

    def type(self, text):
        os.write(self.fd, text.encode())

    def read(self):
        """Takes what is there; False at the end."""
        try:
            while select.select([self.fd], [], [], 0.005)[0]:
                data = os.read(self.fd, 65536)
                if not data:
                    return False
                self.text += data.decode(errors="replace")
        except OSError:  # EIO: nobody has it open any more
            return False
        return True

    def expect(self, pattern):
        """Waits for a regular expression in the output; what comes after it is kept."""
        def found():
            going_on = self.read()
            match = re.search(pattern, self.text)
            assert match or going_on, f"end without {pattern!r}: {self.text!r}"
            return match
        end = time.monotonic() + LIMIT
        while not (match := found()):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text!r}"
        self.text = self.text[match.end():]
        return match

    def wait(self):
        """The exit code."""
        def ended():
            self.read()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return (status,) if pid else None
        status = until(ended, "the end of the process in the terminal")[0]
        self.pid = 0
        return os.waitstatus_to_exitcode(status)
