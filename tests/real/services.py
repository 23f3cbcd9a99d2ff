"""sinit as PID 1 of a namespace of its own, over services that misbehave on order.

A test gets `sinit`, an instance of Sinit; it writes services, starts it, and waits for what the
board, the events, the log or the services' own file (written by fake.c) say. Every wait has a
limit, far above what a busy machine needs; nothing waits for a time and hopes.
"""

import ctypes
import json
import os
import signal
import subprocess
import time
from collections import namedtuple
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pytest
from harness import LIMIT, TOP, children, descendants, finish_turn, stat, unless_gone, until

__all__ = ["LIMIT", "children", "descendants", "until"]

SINIT = Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve()
SINITCTL = Path(os.environ.get("SINITCTL") or TOP / "build/sinitctl").resolve()
UNSHARE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid",
           "--fork", "--kill-child", "--mount", "--mount-proc", "--net"]
PR_SET_PDEATHSIG = 1

Line = namedtuple("Line", "time name pid what")
Ended = namedtuple("Ended", "code")


@lru_cache
def fake_program():
    """fake.c's program, built beside sinit; by rename, for tests may run side by side."""
    source, program = Path(__file__).with_name("fake.c"), SINIT.with_name("fake")
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        fresh = program.with_name(f"fake.{os.getpid()}")
        subprocess.run(["cc", "-D_GNU_SOURCE", "-O1", "-static", "-o", fresh, source], check=True)
        fresh.rename(program)
    return program


def now():
    """As fake.c and the board count: CLOCK_MONOTONIC, in ms."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1_000_000


def process_state(pid):
    """The letter of proc_pid_stat(5); None when it is gone."""
    found = stat(pid)
    return found and found[0]


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def die_with_parent():
    """No namespace outlives the tests, whatever ends them."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Sinit:
    def __init__(self, directory):
        self.directory = directory
        self.config = directory / "etc"
        self.run = directory / "run"
        self.state = directory / "state"
        self.log_file = directory / "log"
        self.file = directory / "file"  # what the services write
        self.fakes = set()
        self.process = None
        (self.config / "conf.d").mkdir(parents=True)
        self.settings()

    # --- configuration

    def settings(self, **keys):
        """No cgroups unless a test is about them: what this machine has is not ours."""
        keys = {"state_dir": self.state, "shutdown_timeout": "100s", "cgroups": "off", **keys}
        text = "".join(f"{key} = {value}\n" for key, value in keys.items())
        (self.config / "sinit.ini").write_text(f"[sinit]\n{text}")

    def service(self, name, command=None, **keys):
        """Without a command it is a fake that runs until TERM."""
        keys = {"command": command or self.fake(name), **keys}
        text = "".join(f"{key} = {value}\n" for key, value in keys.items())
        (self.config / f"conf.d/{name}.ini").write_text(f"[service {name}]\n{text}")

    def fake(self, name, options=""):
        self.fakes.add(name)
        return f"{fake_program()} --name {name} --write {self.file} {options}"

    def note(self, name, what, then="true"):
        """A shell command that adds a line like the fake's, but for the time, to the file."""
        return f"sh -c 'echo 0 {name} 0 {what} >>{self.file}; {then}'"

    def heard(self, *names):
        """A piece of shell that goes on when these fakes have said that they have started: from
        then on each gets its TERM."""
        said = " && ".join(f'grep -qs " {name} [0-9]* start" {self.file}' for name in names)
        return f"until {said}; do sleep 0.02; done"

    # --- the life of sinit

    def start(self, *command, through=()):
        words = [*UNSHARE, *map(str, through), SINIT, "-c", self.config, "-r", self.run,
                 *(["--", *map(str, command)] if command else [])]
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, preexec_fn=die_with_parent)
        return self

    def up(self, *command, **more):
        """Started, and every service that can be ready is; fakes have said that they have started."""
        self.start(*command, **more)
        running = self.until_state(ready=True)
        for name in self.fakes & {name for name in running if running[name]["state"] == "running"}:
            self.until_lines(name, "start")
        return self

    @property
    def pid(self):
        """sinit's pid as seen from outside."""
        return until(lambda: children(self.process.pid), "sinit runs")[0]

    def signal(self, number=signal.SIGTERM):
        os.kill(self.pid, number)

    def wait(self, limit=LIMIT):
        """How it ended; its exit code as a shell has it."""
        try:
            code = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            pytest.fail(f"sinit has not gone after {limit} s:\n{self.log()}")
        return Ended(code if code >= 0 else 128 - code)

    def stop(self, limit=LIMIT):
        self.signal()
        return self.wait(limit)

    def crash(self):
        """KILL, which leaves everything in the run directory as it is."""
        os.kill(self.pid, signal.SIGKILL)
        self.process.wait(LIMIT)

    def end(self):
        """Nothing is left of it, whatever the test did."""
        if self.process and self.process.poll() is None:
            for pid in children(self.process.pid):
                unless_gone(os.kill, pid, signal.SIGKILL)
            self.process.kill()
            self.process.wait()

    # --- what it says

    def ctl(self, *words, code=0, limit=LIMIT):
        """Runs sinitctl, checks its exit code (None: any), returns its output."""
        done = subprocess.run([SINITCTL, "-r", self.run, *words], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=limit)
        assert code in (None, done.returncode), f"sinitctl {words}: {done}\n{self.log()}"
        return done.stdout

    def ctl_later(self, *words):
        return subprocess.Popen([SINITCTL, "-r", self.run, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def status(self, name=None):
        """{name: service} or one service; nothing while no sinit is alive, for the board of the
        one before says nothing about this one, nor before it has begun to start them."""
        output = self.ctl("--json", "status", code=None)
        board = json.loads(output) if output else {"sinit": {"pid": None}}
        alive = board["sinit"]["pid"] is not None and board["sinit"]["state"] != "starting"
        services = {s["name"]: s for s in board["services"]} if alive else {}
        return services.get(name, {}) if name else services

    def events(self, name=None, *kinds):
        """The events of a service (or all), of these kinds (or all), in order; those of a state that
        was seen are among them, though they are written after it."""
        self.finish_turn()
        lines = self.ctl("--json", "events", code=None).splitlines()
        found = [json.loads(line) for line in lines]
        return [e for e in found if name in (None, e["service"]) and
                (not kinds or e["event"] in kinds)]

    def sequence(self, *kinds):
        """[(service, event)...] of these kinds."""
        return [(e["service"], e["event"]) for e in self.events(None, *kinds)]

    def finish_turn(self):
        if not self.process:
            return
        foreground = self.process.args[0] == SINIT
        for pid in [self.process.pid] if foreground else children(self.process.pid):
            finish_turn(pid)

    def log(self):
        self.finish_turn()
        return self.log_file.read_text() if self.log_file.exists() else ""

    def lines(self, name=None, *what):
        """What the services wrote."""
        text = self.file.read_text() if self.file.exists() else ""
        found = [Line(int(a), b, int(c), d) for a, b, c, d in
                 (line.split() for line in text.splitlines())]
        return [e for e in found if name in (None, e.name) and (not what or e.what in what)]

    # --- waiting

    def until_lines(self, name, what, count=1, limit=LIMIT):
        return until(lambda: len(found := self.lines(name, what)) >= count and found,
                     f"{count} x {name} {what}", limit)

    def until_event(self, name, kind, count=1, limit=LIMIT):
        return until(lambda: len(found := self.events(name, kind)) >= count and found,
                     f"{count} x event {kind} of {name}", limit)

    def until_state(self, name=None, limit=LIMIT, **fields):
        """Until all these fields of the service (of all services) have these values; a tuple:
        one of these."""
        def matches(service):
            return all(service.get(key) in (value if isinstance(value, tuple) else (value,))
                       for key, value in fields.items())

        def condition():
            assert self.process.poll() is None, f"sinit has gone:\n{self.log()}"
            status = self.status()
            chosen = [status.get(name, {})] if name else list(status.values())
            return chosen and all(map(matches, chosen)) and status

        found = until(condition, f"{name or 'all'} with {fields}", limit)
        return found[name] if name else found


def index(lines, name, what, nth=0):
    """Where the nth such line or event stands, so that orders can be compared."""
    found = [i for i, line in enumerate(lines)
             if ((line.name, line.what) if isinstance(line, Line) else line) == (name, what)]
    assert len(found) > nth, f"no {name} {what} ({nth}) in {lines}"
    return found[nth]


def whats(lines):
    return [line.what for line in lines]


def moment():
    """The wall clock in ms, to be taken before something is asked for."""
    return time.time_ns() // 1_000_000


def took(since, event):
    """ms from a moment to an event, a little more rather than less: both clocks are cut to ms.
    Not between two events: the first may have been written later than what it tells of."""
    stamp = datetime.fromisoformat(event["time"].replace("Z", "+00:00"))
    return stamp.timestamp() * 1000 - since + 3


@pytest.fixture
def sinit(tmp_path):
    instance = Sinit(tmp_path)
    try:
        yield instance
    finally:
        instance.end()
