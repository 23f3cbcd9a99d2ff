"""What a service's process is like, as /proc shows it: who it is, what it has open, where it
is, what it may use. And sinit's own process, whatever it was started with."""

import grp
import os
import pwd
import resource
import signal
import time

import pytest
from control_lab import (SINIT, SLEEP, Process, children, lab,  # noqa: F401
                         needs_root, until)
from harness import unless_gone

NULL = "/dev/null"


def up(lab, name="x", **how):
    """Starts sinit and gives the service's process."""
    if not lab.outer:
        lab.start(**how)
    lab.ok("wait", name, "--timeout", "30s")
    return lab.process(name)


# --- user, group, groups

def ids(process, key):
    return [int(word) for word in process.status(key).split()]


@needs_root
def test_user_group_groups(lab):
    daemon, games, audio, mail = (pwd.getpwnam("daemon"), grp.getgrnam("games").gr_gid,
                                  grp.getgrnam("audio").gr_gid, grp.getgrnam("mail").gr_gid)
    lab.service("x", SLEEP, "user = daemon", "group = games", "groups = audio mail")
    lab.service("plain", SLEEP, "user = daemon")
    lab.service("number", SLEEP, "user = 1234567")
    lab.service("group", SLEEP, "group = audio")
    lab.service("own")
    x = up(lab)
    assert ids(x, "Uid") == [daemon.pw_uid] * 4
    assert ids(x, "Gid") == [games] * 4
    assert {audio, mail} <= set(ids(x, "Groups")) <= {audio, mail, games}
    environ = x.environ()
    assert environ[b"USER"] == environ[b"LOGNAME"] == b"daemon"
    assert environ[b"HOME"] == daemon.pw_dir.encode()
    plain = up(lab, "plain")
    assert ids(plain, "Uid") == [daemon.pw_uid] * 4 and ids(plain, "Gid") == [daemon.pw_gid] * 4
    assert 0 not in ids(plain, "Groups")
    number = up(lab, "number")  # without a line in passwd: never root's group
    assert ids(number, "Uid") == [1234567] * 4 and ids(number, "Gid") == [1234567] * 4
    assert 0 not in ids(number, "Groups")
    group = up(lab, "group")
    assert ids(group, "Uid") == [0] * 4 and ids(group, "Gid") == [audio] * 4
    own = up(lab, "own")
    for key in ("Uid", "Gid", "Groups"):
        assert ids(own, key) == ids(lab.sinit, key)


@needs_root
def test_helpers_run_in_the_services_setting(lab):
    out = lab.base / "helpers"
    out.mkdir()
    out.chmod(0o777)
    # A stop_command that fails is followed by TERM: how long the sleep has to end is no matter.
    script = lab.script("tell", f'#!/bin/sh\necho "$(id -u) $(pwd) $(umask) $V" >{out}/$1\n'
                        '[ $1 != stop ]\n')
    lab.service("x", SLEEP, "stop_timeout = 50s", "user = daemon",
                "working_directory = /tmp", "umask = 027",
                "environment = V=v", f"pre_start = {script} pre", f"post_stop = {script} post",
                f"stop_command = {script} stop", f"reload_command = {script} reload")
    up(lab)
    lab.ok("reload", "x")
    until(lambda: unless_gone((out / "reload").read_text))
    lab.ok("stop", "x")
    wanted = f"{pwd.getpwnam('daemon').pw_uid} /tmp 0027 v\n"
    for name in ("pre", "post", "stop", "reload"):
        assert until((out / name).read_text) == wanted, name


# --- numbers

def test_umask_nice_oom_score_adj(lab):
    lab.service("x", SLEEP, "umask = 0137", "nice = 7", "oom_score_adj = 321")
    lab.service("plain")
    x = up(lab)
    assert x.status("Umask") == "0137"
    assert x.stat()[16] == "7"
    assert (x.path / "oom_score_adj").read_text() == "321\n"
    plain = up(lab, "plain")
    for process in (plain, lab.sinit):  # nothing of it has reached anybody else
        assert process.stat()[16] == str(os.getpriority(os.PRIO_PROCESS, 0))
        assert (process.path / "oom_score_adj").read_text() != "321\n"
        assert process.status("Umask") != "0137"


LIMITS = {
    "cpu": ("Max cpu time", "1000:2000"), "fsize": ("Max file size", "1M:2M"),
    "data": ("Max data size", "1G:2G"), "stack": ("Max stack size", "2M:4M"),
    "core": ("Max core file size", "0"), "rss": ("Max resident set", "512M:1G"),
    "nproc": ("Max processes", "1000:1001"), "nofile": ("Max open files", "64:128"),
    "memlock": ("Max locked memory", "32K:64K"), "as": ("Max address space", "4G:8G"),
    "locks": ("Max file locks", "10:20"), "sigpending": ("Max pending signals", "50:60"),
    "msgqueue": ("Max msgqueue size", "1000:2000"), "nice": ("Max nice priority", "3:4"),
    "rtprio": ("Max realtime priority", "5:6"), "rttime": ("Max realtime timeout", "7000:8000"),
}


def number(word):
    return str(int(word.rstrip("KMG")) * 1024 ** " KMG".find(word[-1])
               if word[-1] in "KMG" else int(word))


def allowed(key, value):
    """Nobody may raise a hard limit without CAP_SYS_RESOURCE, which containers lack."""
    hard = resource.getrlimit(getattr(resource, f"RLIMIT_{key.upper()}", 10))[1]
    if key == "locks" or hard < 0 or hard >= int(number(value.partition(":")[2] or value)):
        return value
    return "0"


def test_every_rlimit(lab):
    limits = {key: (title, allowed(key, value)) for key, (title, value) in LIMITS.items()}
    lab.service("x", SLEEP, *(f"limit_{key} = {value}" for key, (_, value) in limits.items()))
    lab.service("plain")
    x, plain = up(lab), up(lab, "plain")
    for key, (title, value) in limits.items():
        soft, _, hard = value.partition(":")
        assert x.limit(title) == (number(soft), number(hard or soft)), key
        for other in (plain, lab.sinit):
            assert other.limit(title) != x.limit(title) or value == "0", key


# --- directory and descriptors

def test_working_directory(lab):
    lab.service("x", SLEEP, "working_directory = /usr/lib")
    assert os.readlink(up(lab).path / "cwd") == "/usr/lib"


def test_P120_start_directory_is_not_kept_busy(lab):
    start = lab.base / "mnt"
    start.mkdir()
    lab.service("x")
    lab.launch("--", "sleep", "100000", cwd=start)
    lab.sinit = until(lab.find)
    until(lab.answers)
    assert os.readlink(up(lab).path / "cwd") == "/"
    assert os.readlink(lab.sinit.path / "cwd") == "/"
    assert os.readlink(up(lab, "main").path / "cwd") == str(start)


def test_stdin(lab):
    given = lab.base / "input"
    given.write_text("line\n")
    lab.service("none", SLEEP)
    lab.service("null", SLEEP, "stdin = null")
    lab.service("file", SLEEP, f"stdin = {given}")
    lab.service("inherit", SLEEP, "stdin = inherit")
    with given.open() as stdin:
        lab.start(stdin=stdin)
    for name, wanted in (("none", NULL), ("null", NULL), ("file", str(given)),
                         ("inherit", str(given))):
        assert up(lab, name).fds()[0] == wanted, name


def test_log_null(lab):
    lab.service("quiet", "sh -c 'echo hidden; echo hidden >&2; exec sleep 100000'", "log = null")
    lab.service("loud", "sh -c 'echo seen; exec sleep 100000'", "log = inherit")
    assert up(lab, "quiet").settled_fds() == {0: NULL, 1: NULL, 2: NULL}
    assert up(lab, "loud").settled_fds() == {0: NULL, 1: str(lab.out), 2: str(lab.log)}
    until(lambda: lab.output() == b"seen\n")
    assert "hidden" not in lab.messages()


def test_tty(lab):
    """Its terminal on all three, its own session, controlling, in the foreground."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    try:
        lab.service("x", "sh -c 'read x; echo got $x; exec sleep 100000'", f"tty = {path}",
                    "restart = never")
        x = up(lab)
        assert x.settled_fds() == {0: path, 1: path, 2: path}
        state, _, pgrp, session, tty, tpgid = x.stat()[:6]
        assert pgrp == session == tpgid != "0"
        device = os.stat(path).st_rdev
        assert int(tty) == os.major(device) << 8 | os.minor(device)
        os.write(master, b"hello\n")
        seen = b""
        os.set_blocking(master, False)

        def more():
            nonlocal seen
            try:
                seen += os.read(master, 4096)
            except BlockingIOError:
                pass
            return b"got hello" in seen
        until(more, f"the answer: {seen}")
        os.write(master, b"\x03")  # Ctrl-C reaches it, and sinit does not mind
        s = lab.await_state("x", "failed", "stopped")
        assert s["last_exit"]["signal"] == signal.SIGINT, s
        lab.ok("ping")
    finally:
        os.close(master)
        os.close(slave)


def test_P105_absent_terminal(lab):
    lab.service("getty", "sleep 1", "tty = /dev/no-such-terminal", "restart_delay = 10ms",
                "max_backoff = 10ms", "max_restarts = 8")
    lab.service("other")
    began = time.monotonic()
    up(lab, "other")
    s = lab.await_state("getty", "fatal")
    assert s["error"]["step"] == "tty" and s["error"]["errno"] == 2, s
    assert len(lab.events("getty", "exit")) == 9
    lines = [line for line in lab.messages().splitlines() if "getty" in line]
    # Ten at once, then one a second; its end is told in any case.
    assert 1 <= len(lines) <= 10 + time.monotonic() - began + 2, lines
    assert lab.status("other")["state"] == "running"


@pytest.mark.parametrize("closed", range(8))
def test_P106_closed_descriptors(lab, closed):
    shut = [fd for fd in range(3) if closed & 1 << fd]
    words = " ".join(f"{fd}{'<' if fd == 0 else '>'}&-" for fd in shut)
    lab.service("x")
    lab.service("reader", SLEEP, "stdin = inherit")
    lab.start(after=["sh", "-c", f'exec "$@" {words}', "sh"])
    given = {0: NULL, 1: str(lab.out), 2: str(lab.log)}
    wanted = {fd: NULL if fd in shut else given[fd] for fd in range(3)}
    for name in ("x", "reader"):
        assert up(lab, name).settled_fds() == wanted
    fds = lab.sinit.fds()
    assert {fd: fds[fd] for fd in range(3)} == wanted
    lab.ok("restart", "x")
    assert up(lab).settled_fds() == wanted
    assert lab.shutdown() == 0
    assert ("stopped, exit code 0" in lab.messages()) == (2 not in shut)


def test_P106_closed_pipe(lab):
    read, write = os.pipe()
    os.close(read)
    lab.service("x")
    lab.service("failing", "false", "restart_delay = 10ms", "max_restarts = 5")
    lab.start(stdout=write, stderr=write)
    os.close(write)
    lab.await_state("failing", "fatal")  # lines were written on the way
    lab.ok("restart", "x")
    assert lab.status("x")["state"] == "running"
    assert lab.shutdown() == 0


def test_P118_high_descriptor_limit(lab):
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    for i in range(20):
        lab.service(f"x{i}")
    extra = os.open(NULL, os.O_RDONLY)  # somebody's that sinit was given by mistake
    high = os.dup2(extra, 700)
    try:
        lab.start(before=["prlimit", f"--nofile={most}:{most}"], pass_fds=(extra, high))
    finally:
        os.close(extra)
        os.close(high)
    lab.ok("wait", "x*")
    processes = [lab.process(f"x{i}") for i in range(20)]
    for process in processes:
        assert process.limit("Max open files") == (str(most), str(most))
        assert set(process.settled_fds()) == {0, 1, 2}
    # Where the limit is a million, a loop over it takes each of them about 0.1 s.
    assert sum(process.cpu() for process in processes) + lab.sinit.cpu() < 1.0


# --- scripts

@pytest.mark.parametrize("what, text, step, part", [
    ("no_interpreter_line", "echo hello\n", "command", "no #! line"),
    ("carriage_return", "#!/bin/sh\r\necho hello\r\n", "interpreter", "interpreter"),
    ("missing_interpreter", "#!/no/such/shell\n", "interpreter", "interpreter"),
])
def test_P72_scripts(lab, what, text, step, part):
    script = lab.script("script", text)
    lab.service("x", script, "restart_delay = 10ms", "max_restarts = 2")
    lab.start()
    s = lab.await_state("x", "fatal")
    assert s["error"]["step"] == step and part in s["error"]["message"], s
    exits = lab.events("x", "exit")
    assert len(exits) == 3 and all(part in event["message"] for event in exits)
    assert part in lab.messages() and str(script) in lab.messages()
    if what == "carriage_return":
        assert "\\r" in lab.messages() or "carriage" in lab.messages().lower(), lab.messages()
    if what == "missing_interpreter":
        assert "/no/such/shell" in lab.messages()


# --- not PID 1

@pytest.mark.parametrize("parent", ["shell", "sinit"])
def test_P126_not_pid_1(lab, parent):
    """As a child of a shell or of an init: works in the same way, as a subreaper."""
    lab.service("x", "sh -c 'sleep 100000 & exec sleep 100000'")
    lab.service("orphans", "sh -c '(sleep 0.01 &) ; exec sleep 100000'")
    if parent == "shell":
        lab.start(pid1=False)
    else:
        lab.launch(after=[SINIT, "--"])
        outer = until(lab.find)
        until(lambda: children(outer.pid))
        lab.sinit = Process(children(outer.pid)[0])
        until(lab.answers)
    x = up(lab)
    assert lab.sinit.status("NSpid").split()[-1] != "1"
    assert int(x.status("PPid")) == lab.sinit.pid
    up(lab, "orphans")
    until(lambda: lab.status()["sinit"]["orphans_reaped"] >= 1)
    lab.ok("restart", "x")
    told = [line for line in lab.messages().splitlines() if "PID 1" in line]
    assert len(told) == 1 and "warning" not in told[0] and "error" not in told[0], told
    assert lab.shutdown() == 0
