"""What goes wrong around a service: it cannot be started, the system has no processes, no
descriptors, no room. The one service waits and says why; sinit and the others go on."""

import fcntl
import os
import resource
import signal
import subprocess

import pytest
from control_lab import AS_ROOT, SLEEP, as_user, lab, needs_root, until  # noqa: F401

FAST = ["restart_delay = 1ms", "max_backoff = 1ms"]


# --- the service's own faults

@pytest.mark.parametrize("what, step, errno, root", [
    ("missing", "command", 2, False),
    ("missing_in_path", "command", 2, False),
    ("not_executable", "command", 13, False),
    ("directory_as_program", "command", 13, False),
    ("missing_directory", "working_directory", 2, False),
    ("file_as_directory", "working_directory", 20, False),
    ("unreadable_directory", "working_directory", 13, True),
    ("unknown_user", "user", 2, False),
    ("number_no_user", "user", 2, False),
    ("unknown_group", "user", 2, False),
    ("unknown_groups", "user", 2, False),
    ("rlimit", "limits", 1, False),
    ("stdin", "stdin", 2, False),
    ("no_terminal", "tty", 25, False),
])
def test_cannot_be_started(lab, what, step, errno, root):
    """Its back-off, with the step and the error in status and events; then it is fatal."""
    if root and not AS_ROOT:
        pytest.skip("takes root to become another user")
    private = lab.base / "private"
    private.mkdir(mode=0o700)
    text = lab.script("text", "#!/bin/sh\n", mode=0o644)
    command, *lines = {
        "missing": ["/no/such/program"],
        "missing_in_path": ["no-such-program-anywhere"],
        "not_executable": [str(text)],
        "directory_as_program": ["/usr"],
        "missing_directory": [SLEEP, "working_directory = /no/such/directory"],
        "file_as_directory": [SLEEP, f"working_directory = {text}"],
        "unreadable_directory": [SLEEP, f"working_directory = {private}", "user = nobody"],
        "unknown_user": [SLEEP, "user = nobody-of-that-name"],
        "number_no_user": [SLEEP, "user = 4294967295"],
        "unknown_group": [SLEEP, "group = nobody-of-that-name"],
        "unknown_groups": [SLEEP, "groups = nobody-of-that-name"],
        "rlimit": [SLEEP, "limit_nofile = 2000000000"],
        "stdin": [SLEEP, "stdin = /no/such/file"],
        "no_terminal": [SLEEP, "tty = /dev/null"],
    }[what]
    lab.service("bad", command, *lines, "max_restarts = 1", "restart_delay = 1s")
    lab.service("needs", SLEEP, "requires = bad")
    lab.service("good")
    # Not the caller's PATH: a directory in it that may not be searched is another error.
    lab.start(env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    lab.ok("wait", "good")
    s = lab.await_state("bad", "backoff", "fatal")
    assert s["error"]["step"] == step and s["error"]["errno"] == errno, s
    assert s["cause"] == "spawn" and s["pid"] is None and s["last_exit"] is None
    s = lab.await_state("bad", "fatal")
    assert s["error"]["step"] == step and s["error"]["message"] in s["reason"], s
    ends = lab.events("bad", "exit")
    assert len(ends) == 2 and not lab.events("bad", "start")
    for event in ends:
        assert (event["step"], event["errno"]) == (step, errno), event
        assert event["message"] == s["error"]["message"]
    (backoff,) = lab.events("bad", "backoff")
    assert backoff["delay_ms"] == 1000 and backoff["errno"] == errno
    assert s["error"]["message"] in lab.messages()
    needs = lab.await_state("needs", "failed")
    assert needs["blocker"] == "bad" and "bad" in needs["reason"]
    assert lab.status("good")["state"] == "running"
    # Mended, it starts, and the error is gone.
    lab.service("bad", SLEEP)
    lab.ok("reload")
    lab.ok("start", "bad")
    assert lab.status("bad")["error"] is None


# --- no processes

def limit_processes(lab, uid, soft):
    """As that user: root without CAP_SYS_RESOURCE may not."""
    subprocess.run([*as_user(uid), "prlimit", f"--pid={lab.sinit.pid}", f"--nproc={soft}:"],
                   check=True, timeout=60)


@needs_root
def test_fork_fails(lab):
    """EAGAIN: tried again, and never the service's fault."""
    uid = 1_300_000_000 + os.getpid()  # nobody else's processes count
    lab.run.mkdir()
    os.chown(lab.run, uid, uid)
    lab.service("a", SLEEP, "max_restarts = 1")
    lab.service("b", SLEEP, "enabled = no", "max_restarts = 0")
    lab.service("pre", SLEEP, "enabled = no", "max_restarts = 0", "pre_start = true")
    lab.service("stopping", SLEEP, "stop_command = /no/such/command")
    lab.start(after=as_user(uid))
    lab.ok("wait", "a", "stopping")
    stopping = lab.process("stopping")
    limit_processes(lab, uid, 3)  # sinit, a and stopping
    lab.ok("start", "--no-wait", "b", "pre")
    for name in ("b", "pre"):
        until(lambda: len(lab.events(name, "exit")) >= 4)
        s = lab.status(name)
        assert s["state"] in ("backoff", "starting") and s["cause"] == "resources", s
        assert s["error"]["errno"] == 11 and s["restarts"] == 0, s
        assert not lab.events(name, "fatal") and not lab.events(name, "restart")
    lab.ok("stop", "stopping")  # without a process for its stop_command
    assert not stopping.alive()
    limit_processes(lab, uid, 2)
    lab.ok("ping")
    assert lab.ctl("reload").code == 1
    assert lab.status("a")["state"] == "running"
    limit_processes(lab, uid, 100)
    lab.ok("wait", "b", "pre", "--timeout", "30s")
    for name in ("b", "pre"):
        s = lab.status(name)
        assert s["state"] == "running" and s["restarts"] == 0 and s["error"] is None, s
    lab.ok("reload")
    assert lab.messages().count("b: cannot start") <= 12
    assert lab.shutdown() == 0


@needs_root
def test_shutdown_without_processes(lab):
    uid = 1_300_000_000 + os.getpid()
    lab.run.mkdir()
    os.chown(lab.run, uid, uid)
    lab.service("a", "sh -c 'setsid sleep 100000 & exec sleep 100000'", "kill_mode = process",
                "post_stop = true")
    lab.start(after=as_user(uid))
    lab.ok("wait", "a")
    limit_processes(lab, uid, 1)
    assert lab.shutdown() == 0


# --- no descriptors

def limit_descriptors(process, soft):
    hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)[1]
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_no_free_descriptors(lab):
    given = lab.base / "input"
    given.write_text("")
    for name, line in (("plain", "nice = 1"), ("apart", "oom_score_adj = 500"),
                       ("reading", f"stdin = {given}")):
        # Its own limit, so that it does not suffer from sinit's.
        lab.service(name, SLEEP, line, "limit_nofile = 64", "max_restarts = 1", *FAST)
    lab.start()
    lab.ok("wait", "*")
    pids = lab.pids()
    limit_descriptors(lab.sinit, 3)
    for name in pids:
        lab.process(name).kill(signal.SIGKILL)
    until(lambda: lab.status("plain")["state"] == "running" and lab.pids()["plain"] != pids["plain"])
    for name in ("apart", "reading"):
        until(lambda: len(lab.events(name, "exit")) >= 4, f"{name}: {lab.status(name)}")
        s = lab.status(name)
        assert s["state"] in ("backoff", "starting") and s["cause"] == "resources", s
        assert s["error"]["errno"] == 24, s
    errors = lab.status()["sinit"]["reload_errors"]
    lab.sinit.kill(signal.SIGHUP)  # goes wrong, and nothing else does
    until(lambda: "reload cannot begin" in lab.messages())
    assert lab.status()["sinit"]["reload_errors"] == errors
    limit_descriptors(lab.sinit, 1024)
    lab.ok("wait", "*", "--timeout", "30s")
    for name in pids:
        s = lab.status(name)
        assert s["restarts"] == 1 and s["error"] is None, s
        assert not lab.events(name, "fatal")
    lab.ok("reload")
    lab.ok("restart", "*")
    assert lab.shutdown() == 0


def test_no_free_descriptor_but_an_answer(lab):
    """Who asks what is wrong gets an answer, twice in a row."""
    lab.service("x", SLEEP, "limit_nofile = 64")
    lab.start()
    lab.ok("wait", "x")
    used = lab.sinit.settled_fds()
    assert sorted(used) == list(range(len(used)))
    limit_descriptors(lab.sinit, len(used))
    for _ in range(2):
        lab.ok("show", "x")
        lab.ok("signal", "x", "CONT")
    assert "refused" not in lab.messages()
    limit_descriptors(lab.sinit, 1024)
    assert lab.shutdown() == 0


# The loader of a program that is not static needs one more.
@pytest.mark.parametrize("number", [pytest.param(3, marks=pytest.mark.release_only),
                                    *range(4, 14)])
def test_few_descriptors_from_the_start(lab, number):
    """It runs with what it gets, or says why it cannot and ends with 70; no crash, no hang."""
    lab.service("x", f"touch {lab.base}/ran", "type = oneshot", "limit_nofile = 64")
    lab.launch(after=["sh", "-c", f'ulimit -Sn {number}; exec "$@"', "sh"])
    until(lambda: lab.outer.poll() is not None or (lab.base / "ran").exists())
    if not (lab.base / "ran").exists():
        assert lab.outer.returncode in (70, 78), lab.messages()
        assert os.strerror(24) in lab.messages() or "descriptors" in lab.messages()  # musl's
        return
    lab.sinit = until(lab.find)
    assert lab.shutdown() == 0


# --- no room

def full_pipe():
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        pass
    os.set_blocking(write, True)
    return read, write


def test_output_is_full(lab):
    """A pipe that nobody reads: nothing waits for it; what was lost is told afterwards."""
    read, write = full_pipe()
    lab.service("x")
    lab.service("noisy", "false", "max_restarts = 6", "restart_delay = 10ms")
    try:
        lab.start(stdout=write, stderr=write)
        lab.ok("wait", "x")
        lab.await_state("noisy", "fatal")
        for _ in range(200):  # a line each, together far more than sinit keeps
            lab.request("reload")
        lab.ok("restart", "x")
        # The services share the pipe, and it still waits for those who write to it.
        assert os.get_blocking(write)
        os.set_blocking(read, False)
        seen = b""

        def more():
            nonlocal seen
            try:
                seen += os.read(read, 65536)
            except BlockingIOError:
                pass
            return b"lost" in seen
        lab.sinit.kill(signal.SIGUSR2)
        until(more, "the loss is told")
        os.set_blocking(read, True)
        lab.sinit.kill(signal.SIGTERM)
        os.close(write)
        write = None
        while os.read(read, 65536):
            pass
        assert lab.wait() == 0
    finally:
        os.close(read)
        if write is not None:
            os.close(write)


def test_errors_of_the_configuration_with_full_output(lab):
    """Nobody reads why it cannot start: it ends all the same."""
    read, write = full_pipe()
    try:
        for i in range(30):
            lab.service(f"x{i}", SLEEP, "nonsense = 1")
        lab.launch(stdout=write, stderr=write)
        assert lab.wait() == 78
    finally:
        os.close(read)
        os.close(write)


def test_shutdown_with_full_output(lab):
    read, write = full_pipe()
    try:
        lab.service("x")
        lab.start(stdout=write, stderr=write)
        lab.ok("wait", "x")
        assert lab.shutdown() == 0
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("when", ["before", "after"])
def test_full_run_directory(lab, when):
    """No room for the board, or none left later: sinit goes on, and can be steered."""
    lab.run.mkdir()
    size = "8k" if when == "before" else "8m"
    lab.service("x")
    lab.start(after=["sh", "-c", f'mount -t tmpfs -o size={size} tmpfs {lab.run}; exec "$@"',
                     "sh"], ready=False)
    lab.run = lab.sinit.path / "root" / str(lab.run).lstrip("/")
    until(lambda: lab.ctl("ping").code == 0)
    if when == "after":
        lab.ok("wait", "x")
        with (lab.run / "filling").open("wb", buffering=0) as file, pytest.raises(OSError):
            while True:
                file.write(b"x" * 65536)
    for _ in range(3):
        lab.ok("restart", "--no-wait", "x")
    lab.service("y")
    lab.ok("reload")
    if when == "after":
        lab.ok("wait", "x", "y")
        assert lab.status("x")["life"] >= 2
    else:
        assert "board" in lab.messages()
    assert lab.shutdown() == 0


def test_run_directory_cannot_be_made(lab):
    """Where nothing can be written, sinit says so and does its work without sinitctl."""
    lab.run.mkdir()
    lab.service("x")
    lab.start(after=["sh", "-c", f'mount -t tmpfs -o ro tmpfs {lab.run}; exec "$@"', "sh"],
              args=("-c", lab.conf, "-r", lab.run / "not" / "there"), ready=False)
    until(lambda: "x: started" in lab.messages())
    assert f"{lab.run}/not/there cannot be used (Read-only file system)" in lab.messages()
    assert lab.shutdown() == 0


# What container engines of 2020 did: every system call that they had not heard of is refused
# with EPERM, not with ENOSYS. From 424 (Linux 5.1) on, calls have the same numbers everywhere.
OLD_FILTER = """
import ctypes, os, struct, sys
code = b"".join(struct.pack("HBBI", *instruction) for instruction in [
    (0x20, 0, 0, 0),            # load the number
    (0x35, 0, 1, 424),          # at least 424?
    (0x06, 0, 0, 0x00050001),   # EPERM
    (0x06, 0, 0, 0x7fff0000)])  # allowed
class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
libc = ctypes.CDLL(None)
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, ctypes.byref(Program(len(code) // 8, code)), 0, 0) == 0  # PR_SET_SECCOMP
os.execvp(sys.argv[1], sys.argv[1:])
"""


@pytest.mark.release_only  # the sanitizers need some of them
def test_newer_system_calls_are_refused(lab):
    """Nothing is missing where an old filter is around a new kernel."""
    lab.service("x")
    lab.write("probe", "[readiness x]\ncheck = exec:true\ninterval = 1s\n")
    lab.start(after=["/usr/bin/python3", "-c", OLD_FILTER])
    lab.ok("wait", "x")
    lab.ok("restart", "x")
    lab.ok("reload")
    assert "cannot" not in lab.messages()
    assert lab.shutdown() == 0
