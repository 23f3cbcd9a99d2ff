"""A sinit whose services log: numbered lines and their check, a standard output that is a pipe, the
logger found and killed.

Everything waits for conditions with one generous limit; what counts time is a service that writes
at a known pace, never a sleep."""

import gzip
import io
import json
import mmap
import os
import re
import signal
import socket
import struct
import subprocess
import threading
from functools import lru_cache
from pathlib import Path

import pytest
from control_lab import AS_ROOT, LIMIT, SINIT, SINITCTL, Lab, Process, children, needs_root, until
from harness import command_line, unless_gone
from responder_lab import Client

LINE = 20  # bytes of a numbered line, unless a test says otherwise
PIECE = 4000  # bytes of a line that are written at once, but for raw files
STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z ")
LOGGER = b"sinit: logger"


@lru_cache
def numbers():
    """numbers.c's program, beside sinit; by rename, for tests may run side by side."""
    source, program = Path(__file__).with_name("numbers.c"), Path(SINIT).with_name("numbers")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        fresh = program.with_name(f"numbers.{os.getpid()}")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O2", "-static", "-o", fresh, source], check=True)
        fresh.rename(program)
    return str(program)


def words(**options):
    """Of numbers.c: lines=5, deaf=True."""
    found = []
    for key, value in options.items():
        if value is not None and value is not False:
            found += [f"--{key}"] if value is True else [f"--{key}", str(value)]
    return found


class Gate:
    """How many lines a writer has written (or a checker seen), and how many it may write."""

    def __init__(self, path, limit=0):
        self.path = path
        path.write_bytes(struct.pack("@QQ", 0, limit))
        path.chmod(0o666)
        with path.open("r+b") as file:
            # By whole numbers: struct.pack_into() would write a 0 first, which means something else.
            self.numbers = memoryview(mmap.mmap(file.fileno(), 16)).cast("Q")

    @property
    def count(self):
        return self.numbers[0]

    @property
    def limit(self):
        return self.numbers[1]

    @limit.setter
    def limit(self, value):
        self.numbers[1] = value


# --- checking

def check(*sources, stamps=False, bytes=LINE):
    """What numbers.c finds in bytes, or in files one behind the other; .gz are decompressed."""
    found = []
    for source in sources:
        if isinstance(source, Path):
            source = gzip.decompress(source.read_bytes()) if source.suffix == ".gz" else source
        found.append(source)
    options = words(bytes=bytes, stamps=stamps)
    if all(isinstance(source, Path) for source in found):
        given, files = b"", found
    else:
        given, files = b"".join(s.read_bytes() if isinstance(s, Path) else s for s in found), []
    done = subprocess.run([numbers(), "check", *options, *files], input=given, capture_output=True,
                          check=True, timeout=LIMIT)
    return json.loads(done.stdout)


def whole(result, key=""):
    """Nothing torn and nothing doubled; the key's own counts."""
    assert result["bad"] == result["unterminated"] == 0, result
    assert all(found["doubled"] == 0 for found in result["keys"].values()), result
    return result["keys"][key]


def checked(result, *expected, key=""):
    """Every line of 0 to expected[0] once and in order; by name, if there are several keys."""
    assert not expected or len(result["keys"]) == 1, result
    own = whole(result, key)
    assert own["missing"] == own["first"] == 0, result
    assert not expected or own["lines"] == expected[0], result
    return own["lines"]


def complete(result, counts):
    """The same, of several keys: {key: lines}."""
    assert {key: checked(result, key=key) for key in result["keys"]} == counts, result


def lines_in(data):
    """With their ends; splitlines() would end one at a carriage return, too."""
    return io.BytesIO(data).readlines()


def bytes_of(path):
    """Nothing if there is no such file; it may be just being renamed."""
    return unless_gone(path.read_bytes, gone=b"")


def lines_of(path):
    return lines_in(bytes_of(path))


def family(path):
    """A log file with its old ones, oldest first, as they are now."""
    def age(other):
        words = other.name[len(path.name):].strip(".").split(".")
        return -int(words[0] or 0)
    return sorted((p for p in path.parent.glob(path.name + "*")
                   if re.fullmatch(r"(\.\d+)?(\.gz)?", p.name[len(path.name):])), key=age)


def prefixed(out, name):
    """The lines of one service by prefix, without its name."""
    begin = name.encode() + b" | "
    return [line[len(begin):] for line in lines_in(out) if line.startswith(begin)]


# --- processes

def running_seconds(*processes):
    """CPU time, by nanoseconds."""
    return sum(int((p.path / "schedstat").read_text().split()[0]) for p in processes) / 1e9


def switches(process):
    return sum(int(line.split()[1]) for line in (process.path / "status").read_text().splitlines()
               if "ctxt_switches" in line)


def descriptors(*processes):
    """How many each has while it sleeps, for some are open for a moment only; None if one does not sleep,
    or has just gone."""
    def look():
        before = [switches(p) for p in processes]
        found = [len(os.listdir(p.path / "fd")) for p in processes]
        asleep = all(p.stat()[0] == "S" for p in processes)
        return found if asleep and [switches(p) for p in processes] == before else None
    return unless_gone(look)


def until_idle(process):
    """It sleeps, and has slept since the look before: it is in the middle of nothing."""
    seen = []

    def sleeps():
        seen.append(switches(process))
        return process.stat()[0] == "S" and seen[-2:-1] == seen[-1:]
    until(sleeps, f"{process.pid} is idle")


def anonymous(process):
    """KiB of memory of its own, page by page."""
    rollup = (process.path / "smaps_rollup").read_text()
    return int(re.search(r"^Anonymous: +(\d+) kB", rollup, re.M)[1])


class Pipe:
    """sinit's standard output, read by a thread, or by a program that checks it."""

    def __init__(self, reading=True, checker=None):
        self.data = bytearray()
        self.read_fd, self.write_fd = os.pipe()
        self.checker = self.thread = None
        if checker is not None:
            self.checker = subprocess.Popen([numbers(), "check", *words(**checker)],
                                            stdin=self.read_fd, stdout=subprocess.PIPE)
        elif reading:
            self.go()

    def go(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while part := os.read(self.read_fd, 1 << 20):
            self.data += part

    def end(self):
        """When sinit has ended: all that came; or what the checker has found."""
        if self.checker:
            return json.loads(self.checker.communicate(timeout=LIMIT)[0])
        self.thread.join(LIMIT)
        assert not self.thread.is_alive(), "somebody still has sinit's standard output"
        return bytes(self.data)

    def started(self):
        os.close(self.write_fd)
        self.write_fd = -1

    def close(self):
        if self.checker and self.checker.poll() is None:
            self.checker.kill()
            self.checker.wait()
        for fd in (self.write_fd, self.read_fd):
            if self.thread:
                self.thread.join(LIMIT)  # it is the last to read
            if fd >= 0:
                os.close(fd)


class LogLab(Lab):
    def __init__(self):
        super().__init__()
        self.logs = self.base / "logs"
        self.logs.mkdir()
        self.logs.chmod(0o777)
        self.pipe = None

    def piped(self, reading=True, checker=None, **how):
        """Starts sinit with a pipe as its standard output."""
        self.pipe = Pipe(reading, checker)
        self.start(stdout=self.pipe.write_fd, **how)
        self.pipe.started()
        return self.pipe

    def numbered(self, name, *lines, before="", **options):
        """A service that writes numbered lines once. `before`: words in front of the writer."""
        command = " ".join([before, numbers(), "write", *words(**options)]).strip()
        self.service(name, command, "restart = never", *lines)

    def unended(self, name, text, *lines):
        """A service that says a text whose last line has no end. It ends when let_end() lets it."""
        go = self.base / f"{name}.go"
        self.service(name, f"sh -c 'printf \"{text}\"; until [ -e {go} ]; do sleep 0.01; done; rm {go}'",
                     "restart = never", *lines)

    def let_end(self, name, text, count=1):
        """Once all that was said is taken: where a life has ended nobody can tell if the logger is just
        moving something."""
        until(lambda: self.ctl("logs", name).out.count(text) >= count, f"{text!r} is taken")
        until_idle(self.logger)
        (self.base / f"{name}.go").touch()
        self.finished(name)

    def last_lines(self, name, life=1):
        """What is told with the end of a life, when the logger has come to it."""
        def told():
            ends = self.events(name, "exit")
            return len(ends) >= life and ends[life - 1].get("stderr")
        return until(told, f"the last lines of {name}'s life {life}")

    def gate(self, name="gate", limit=0):
        return Gate(self.base / name, limit)

    def own_log_fails(self, file, why=""):
        """sinit logs into a file, where a directory stands from then on; sinit says that it cannot, and why."""
        self.sinit_ini(f"log_target = {file}")
        self.service("x")
        self.piped()
        self.until_has(file, "x: started")
        file.unlink()
        file.mkdir()

        def said():
            self.sinit.kill(signal.SIGUSR2)  # a line of status
            return f"{file} cannot be written{why}" in self.messages()
        until(said, "it cannot be written")

    def finished(self, *names):
        for name in names:
            self.await_state(name, "stopped", "done", "failed")

    def find_logger(self, but=None):
        """Its process, when there is one that is not `but`."""
        for pid in children(self.sinit.pid):
            if pid != but and command_line(pid)[:1] == [LOGGER]:
                return Process(pid)
        return None

    @property
    def logger(self):
        return until(self.find_logger, "there is a logger")

    def kill_logger(self, sig=signal.SIGKILL):
        """Kills it, if it has not just made way for another one; waits until there is another one."""
        old = self.logger
        unless_gone(old.kill, sig)
        return until(lambda: self.find_logger(old.pid), "there is a new logger")

    def until_has(self, path, text, count=1):
        text = text if isinstance(text, bytes) else text.encode()

        def has():
            data = bytes_of(path)
            return data.count(text) >= count and data
        return until(has, f"{text!r} in {path}")

    def until_size(self, path, size):
        """A file with its old ones has so many bytes, none of them compressed."""
        def there():
            return sum(p.stat().st_size for p in family(path)) >= size
        # Nothing is known while one is just being renamed.
        until(lambda: unless_gone(there), f"{path}: {size} bytes")

    def until_packed(self, path, count):
        """A file and its old ones are so many, and all of the old ones are compressed."""
        def packed():
            files = family(path)
            return len(files) == count and all(p.suffix == ".gz" for p in files[:-1])
        until(packed, f"{path}: {count} files, compressed")

    def until_said(self, text, count=1):
        """So many lines of sinit's log have it."""
        def said():
            found = [line for line in self.messages().splitlines() if text in line]
            return len(found) >= count and found
        return until(said, f"sinit says {text!r}: {self.messages()}")

    def metrics(self):
        """By name with labels; [http] must be there (see http())."""
        with socket.socket(socket.AF_UNIX) as connected:
            connected.settimeout(LIMIT)
            connected.connect(str(self.base / "http"))
            text = Client(connected).ask("/metrics").body.decode()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in text.splitlines() if line and line[0] != "#"}

    def http(self):
        self.write("http", f"[http]\nlisten = {self.base}/http\n")

    def dropped(self, name):
        """Lines lost, as /metrics has them."""
        return self.metrics().get(f'sinit_service_log_dropped_lines_total{{service="{name}"}}', 0)

    def close(self):
        super().close()
        if self.pipe:
            self.pipe.close()


@pytest.fixture
def lab():
    it = LogLab()
    try:
        yield it
    finally:
        it.close()
