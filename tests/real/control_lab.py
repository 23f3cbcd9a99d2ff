"""A sinit in service mode, in a PID namespace of its own, with a configuration, a run
directory and a state directory of its own; and ways to ask it and to look at its services.

Everything waits for conditions, with one generous limit: the machine may be slow.
SINIT and SINITCTL name the programs (default build/sinit, build/sinitctl)."""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from harness import (AS_ROOT, LIMIT, SINIT, TOP, alive, children, command_line, descendants,
                     finish_turn, freeze, unless_gone, until)

SINITCTL = str(Path(os.environ.get("SINITCTL") or TOP / "build/sinitctl").resolve())
LIBC = ctypes.CDLL(None)
SLEEP = "sleep 100000"

# PID 1 of the namespace when sinit is not to be it: waits for it and ends with its code.
PARENT = ["sh", "-c", '"$@"; exit $?', "sh"]


class Process:
    """What /proc tells of a process, by its number in our own namespace."""

    def __init__(self, pid):
        self.pid = pid
        self.path = Path(f"/proc/{pid}")

    def status(self, key):
        for line in (self.path / "status").read_text().splitlines():
            if line.startswith(key + ":"):
                return line.split(":", 1)[1].strip()
        raise KeyError(key)

    def environ(self):
        pairs = (self.path / "environ").read_bytes().split(b"\0")[:-1]
        return dict(pair.split(b"=", 1) for pair in pairs)

    def argv(self):
        return command_line(self.pid)

    def fds(self):
        found = {int(fd): unless_gone(os.readlink, self.path / "fd" / fd)
                 for fd in os.listdir(self.path / "fd")}
        return {fd: path for fd, path in found.items() if path is not None}

    def settled_fds(self):
        """The same, once the program has read what it is made of, and sleeps."""
        until(lambda: self.stat()[0] == "S" and not any(
            ".so" in path for path in self.fds().values()), f"{self.pid} sleeps")
        return self.fds()

    def limit(self, name):
        """(soft, hard) as written in /proc/PID/limits."""
        for line in (self.path / "limits").read_text().splitlines():
            if line.startswith(name):
                return tuple(line[len(name):].split()[:2])
        raise KeyError(name)

    def stat(self):
        """The fields behind the name: state is 0, ppid 1, pgrp 2, session 3, tty 4."""
        return (self.path / "stat").read_text().rpartition(") ")[2].split()

    def cpu(self):
        """Seconds of CPU time."""
        fields = self.stat()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def alive(self):
        return alive(self.pid)

    def kill(self, sig):
        os.kill(self.pid, sig)

    def freeze(self):
        freeze(self.pid)


class Ctl:
    """How a sinitctl ended."""

    def __init__(self, done):
        self.code = done.returncode
        self.out = done.stdout
        self.err = done.stderr

    def __repr__(self):
        return f"sinitctl: code {self.code}, out {self.out!r}, err {self.err!r}"


class Lab:
    def __init__(self):
        self.base = Path(tempfile.mkdtemp(prefix="sinit-lab."))
        self.base.chmod(0o755)  # other users take part in some tests
        self.conf = self.base / "conf"
        self.run = self.base / "run"
        self.state = self.base / "state"
        self.log = self.base / "log"
        self.out = self.base / "out"
        (self.conf / "conf.d").mkdir(parents=True)
        self.outer = None   # unshare(1)
        self.sinit = None   # sinit itself
        self.sinit_ini()

    # --- configuration

    def sinit_ini(self, more=""):
        (self.conf / "sinit.ini").write_text(f"[sinit]\nstate_dir = {self.state}\n"
                                            f"cgroups = off\n{more}\n")

    def write(self, name, text):
        """A drop-in, whole."""
        data = text if isinstance(text, bytes) else text.encode()
        (self.conf / "conf.d" / f"{name}.ini").write_bytes(data)

    def service(self, name, command=SLEEP, *lines):
        """A drop-in with one service."""
        self.write(name, "\n".join([f"[service {name}]", f"command = {command}", *lines, ""]))

    def remove(self, name):
        (self.conf / "conf.d" / f"{name}.ini").unlink()

    def script(self, name, text, mode=0o755):
        path = self.base / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        path.chmod(mode)
        return path

    # --- life

    def launch(self, *more, pid1=True, before=(), after=(), args=None, **popen):
        """Starts sinit and does not wait. `before`: words in front of unshare(1);
        `after`: words in front of sinit, to be executed inside; pid1=False: sinit is a
        child of a shell that is PID 1."""
        words = [*before, "unshare", *(() if AS_ROOT else ("--map-root-user",)), "--pid",
                 "--fork", "--mount-proc", "--kill-child=KILL", "--",
                 *(() if pid1 else PARENT), *after, SINIT,
                 *(args if args is not None else ("-c", self.conf, "-r", self.run)), *more]
        with self.out.open("ab") as out, self.log.open("ab") as log:
            popen = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": log,
                     "preexec_fn": lambda: LIBC.prctl(1, signal.SIGKILL),  # PR_SET_PDEATHSIG
                     **popen}
            self.outer = subprocess.Popen([str(word) for word in words], **popen)
        self.sinit = None

    def find(self):
        """sinit's process, once it has been executed."""
        for pid in descendants(self.outer.pid):
            if unless_gone(os.readlink, f"/proc/{pid}/exe") == SINIT:
                return Process(pid)
        if self.outer.poll() is not None:
            raise AssertionError(f"sinit ended ({self.outer.returncode}): {self.messages()}")
        return None

    def start(self, *more, ready=True, **how):
        """Starts sinit and waits until it answers."""
        self.launch(*more, **how)
        self.sinit = until(self.find, "sinit is executed")
        if ready:
            until(self.answers, "sinit answers")
        return self

    def answers(self):
        self.find()
        return (self.run / "control").exists() and self.ctl("ping").code == 0

    def wait(self, limit=LIMIT):
        """Waits for the end; sinit's exit code."""
        return self.outer.wait(limit)

    def shutdown(self):
        self.sinit.kill(signal.SIGTERM)
        return self.wait()

    def close(self):
        if self.outer and self.outer.poll() is None:
            for pid in children(self.outer.pid):
                unless_gone(os.kill, pid, signal.SIGKILL)  # PID 1: the namespace goes with it
            try:
                self.outer.wait(5)
            except subprocess.TimeoutExpired:
                self.outer.kill()
                self.outer.wait()
        shutil.rmtree(self.base, ignore_errors=True)

    # --- asking

    def ctl(self, *words, limit=LIMIT, before=(), **how):
        how.setdefault("stdin", subprocess.DEVNULL)
        return Ctl(subprocess.run([*before, SINITCTL, "-r", str(self.run), *map(str, words)],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  errors="surrogateescape", timeout=limit, **how))

    def ok(self, *words, **how):
        done = self.ctl(*words, **how)
        assert done.code == 0, (words, done, self.messages())
        return done

    def json(self, *words):
        return json.loads(self.ctl("--json", *words).out)

    def status(self, name=None):
        """All of it, or one service's object, when the turn is over that has been seen to have come."""
        self.finish_turn()
        if name is None:
            return self.json("status")
        return self.json("status", name)["services"][0]

    def events(self, name=None, kind=None):
        """Those of a state that was seen are among them, though they are written after it."""
        self.finish_turn()
        words = ("events", name) if name else ("events",)
        found = [json.loads(line) for line in self.ctl("--json", *words).out.splitlines()]
        return [event for event in found if kind in (None, event["event"])]

    def await_state(self, name, *states):
        return until(lambda: (s := self.status(name))["state"] in states and s,
                     f"{name} is {states}: {self.status(name)}")

    def pids(self):
        return {s["name"]: s["pid"] for s in self.status()["services"]}

    def process(self, name):
        """A service's main process, by our own numbers, once there is one."""
        return until(lambda: self.find_host(self.status(name)["pid"]), f"a process of {name}")

    def host(self, inner):
        """The process that has this number in sinit's namespace."""
        return until(lambda: self.find_host(inner), f"process {inner} in the namespace")

    def find_host(self, inner):
        for pid in descendants(self.outer.pid):
            numbers = unless_gone(Process(pid).status, "NSpid")
            if numbers and numbers.split()[-1] == str(inner):
                return Process(pid)
        return None

    def sinit_fds(self):
        """sinit's descriptors while it waits: none of an answer that it is just giving."""
        until(lambda: self.sinit.stat()[0] in "ST", "sinit sleeps")
        return self.sinit.fds()

    def finish_turn(self):
        if self.sinit:
            finish_turn(self.sinit.pid)

    def messages(self):
        self.finish_turn()
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def output(self):
        return self.out.read_bytes()

    # --- the FIFO, by hand

    def send(self, line):
        """Writes bytes into the control FIFO, which must have a reader."""
        fd = os.open(self.run / "control", os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.set_blocking(fd, True)
            while line:
                line = line[os.write(fd, line[:4096]):]
        finally:
            os.close(fd)

    def request(self, verb, *words):
        """A request without sinitctl; the answer's lines."""
        name = f"{os.getpid()}.{time.monotonic_ns()}"
        path = self.run / "reply" / name
        os.mkfifo(path, 0o600)
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self.send(" ".join(["sinit1", name, verb, *words]).encode() + b"\n")
            data = b""

            def more():
                nonlocal data
                try:
                    data += os.read(fd, 65536)
                except BlockingIOError:
                    pass
                return b'{"result":' in data and data.endswith(b"\n")
            until(more, f"{verb} {words} is answered")
            return [json.loads(line) for line in data.splitlines()]
        finally:
            os.close(fd)
            path.unlink(missing_ok=True)


@pytest.fixture
def lab():
    it = Lab()
    try:
        yield it
    finally:
        it.close()


needs_root = pytest.mark.skipif(not AS_ROOT, reason="takes root to become other users")


def as_user(uid, gid=None):
    """Words that run a command as another user, for root."""
    gid = uid if gid is None else gid
    return ["setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--"]
