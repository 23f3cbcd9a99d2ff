"""Files, links, sockets and limits that others have made to harm: what is not ours is left alone,
and nobody else's lines are held up or lost for it."""

import os
import platform
import random
import shutil
import signal
import socket
import time
from pathlib import Path

import pytest
from control_lab import children
from harness import command_line, freeze, unless_gone
from log_lab import (LINE, bytes_of, check, checked, complete, family, lab, lines_of, needs_root,  # noqa: F401
                     numbers, prefixed, until, until_idle)
from test_logs_syslog import send, syslog

ONCE = "restart = never"
STRANGER = 1000
SMALL = ["log_max_size = 4K", "log_keep = 1000"]
SEED = 29  # of the moments


def flood(gate, rate=2000):
    return f"{numbers()} write --lines 1000000000 --rate {rate} --gate {gate.path}"


def more(gate, lines=500):
    goal = gate.count + lines
    until(lambda: gate.count >= goal, "it writes")


# Writes from memory of which a page does not come, before GO is there: the kernel holds the pipe meanwhile.
# A service that "stays", or that has "left" a child that does it, or which is gone and has a child with an
# open description of its own, "alone": that one waits for GO-hold before.
HOLDER = f"""
import ctypes, fcntl, os, struct, sys, threading, time
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.write.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
how, go = sys.argv[1:]
out = 1
os.write(1, b"before\\n")
child = os.fork() if how == "left" else 0
if how == "alone":
    out = os.open("/proc/self/fd/1", os.O_WRONLY)
    null = os.open("/dev/null", os.O_RDWR)
    os.dup2(null, 1)
    os.dup2(null, 2)
    if os.fork():
        sys.exit()
    while not os.path.exists(go + "-hold"):
        time.sleep(0.001)
if not child:
    fd = libc.syscall({dict(aarch64=282).get(platform.machine(), 323)}, 0)  # userfaultfd(2)
    fcntl.ioctl(fd, 0xc018aa3f, struct.pack("QQQ", 0xaa, 0, 0))
    at, page = libc.mmap(None, 4096, 3, 0x22, -1, 0), ctypes.create_string_buffer(b"held\\n" * 20, 4096)
    fcntl.ioctl(fd, 0xc020aa00, struct.pack("QQQQ", at, 4096, 1, 0))
    writer = threading.Thread(target=lambda: libc.write(out, at, 100))
    writer.start()
    while not os.path.exists(go):
        time.sleep(0.001)
    fcntl.ioctl(fd, 0xc028aa03, struct.pack("QQQQQ", at, ctypes.addressof(page), 4096, 0, 0))
    writer.join()
    os.write(out, b"after\\n")
while child and not any("userfault" in open(f"/proc/{{child}}/task/{{task}}/wchan").read()
                        for task in os.listdir(f"/proc/{{child}}/task")):
    time.sleep(0.001)
"""


# --- what is there under the name of a file

@pytest.mark.parametrize("target", ["prefix", "/dev/stdout"])
def test_stdout_is_a_file_that_is_large_already(lab, target):
    """It is sinit's, and nothing is rotated for it, in no directory."""
    place = lab.base / "here"
    place.mkdir()
    (place / ".1").write_text("somebody else's")
    lab.out.write_bytes(b"from before\n" * 1000)
    lab.numbered("x", f"log = {target}", "log_max_size = 4K", lines=20_000)
    lab.start(cwd=place)
    lab.finished("x")
    assert lab.shutdown() == 0
    data = lab.output().removeprefix(b"from before\n" * 1000)
    checked(check(data), 20_000, key="x | " if target == "prefix" else "")
    assert [(p.name, p.read_text()) for p in place.iterdir()] == [(".1", "somebody else's")]


@needs_root
@pytest.mark.parametrize("which", ["logs", "logs/deep"])
def test_directory_that_becomes_a_link(lab, which):
    """Of a stranger's: what it leads to is neither written, rotated nor removed. Of root's it is
    followed."""
    own, victim, gate = lab.base / "srv", lab.base / "victim", lab.gate(limit=100)
    file = own / "logs/deep/app"
    file.parent.mkdir(parents=True)
    (victim / "deep").mkdir(parents=True)
    precious = [victim / name for name in ("app", "app.1", "app.2", "deep/app", "deep/app.1", "deep/app.2")]
    for path in precious:
        path.write_text("precious\n")
    for path in (own, own / "logs", own / "logs/deep"):
        os.chown(path, STRANGER, STRANGER)
    lab.numbered("x", f"log = {file}", "log_max_size = 4K", "log_keep = 2", lines=1_000_000, gate=gate.path)
    lab.piped()
    lab.until_has(file, b"0000000099")

    place = own / which
    place.rename(lab.base / "aside")
    place.symlink_to(victim)
    os.lchown(place, STRANGER, STRANGER)
    gate.limit = 5000
    until(lambda: gate.count == 5000, "it goes on")
    lab.ok("rotate")
    gate.limit = 6000
    said = lab.until_said("symbolic link")
    assert len(said) == 1 and str(file) in said[0]
    assert [p.read_text() for p in precious] == ["precious\n"] * 6
    assert sorted(p for p in victim.rglob("*") if p.is_file()) == sorted(precious)

    place.unlink()
    place.symlink_to(victim)
    lab.ok("rotate")
    gate.limit = 6001
    lab.until_has(victim / file.relative_to(place), b"0000006000")
    assert lab.shutdown() == 0


@pytest.mark.parametrize("shared", [True, False])
def test_file_with_another_name(lab, shared):
    """In a directory that others may write to it may be anybody's, in one of root's it is not."""
    place, victim = lab.base / "place", lab.base / "victim"
    place.mkdir()
    place.chmod(0o777 if shared else 0o755)
    victim.write_bytes(b"precious\n")
    os.link(victim, place / "app")
    lab.numbered("x", f"log = {place}/app", lines=1000)
    lab.piped()
    lab.finished("x")
    if shared:
        assert "has another name" in lab.until_said(f"{place}/app")[0]
    assert lab.shutdown() == 0
    lines = lines_of(victim)
    assert lines[0] == b"precious\n" and len(lines) == (1 if shared else 1001)


@needs_root
@pytest.mark.parametrize("given", [True, False])
def test_file_of_a_stranger_in_a_directory_of_all(lab, given):
    """Who made it could read it; that is log_user's right alone."""
    place = lab.base / "tmp"
    place.mkdir()
    place.chmod(0o1777)
    (place / "app").touch(0o644)
    os.chown(place / "app", STRANGER, STRANGER)
    lab.numbered("x", f"log = {place}/app", *([f"log_user = {STRANGER}"] if given else []))
    lab.piped()
    lab.finished("x")
    if not given:
        lab.until_said(f"{place}/app")
    assert lab.shutdown() == 0
    assert len(lines_of(place / "app")) == (1000 if given else 0)


def test_one_file_under_three_names(lab):
    """By another spelling and a link: each line once, over all rotations. That they are one is found
    when there is something to write, so each begins with a line."""
    file, link, gate = lab.logs / "app", lab.base / "link", {n: lab.gate(n, 1) for n in "abc"}
    link.symlink_to(file)
    for name, path in (("a", file), ("b", f"{lab.logs}/.//app"), ("c", link)):
        lab.numbered(name, f"log = {path}", "log_max_size = 16K", "log_keep = 1000", "log_gzip = yes",
                     mark=f"{name}:", lines=20_000, chunk="1-500", gate=gate[name].path)
    lab.piped()
    lab.until_has(file, "0000000000", 3)
    for one in gate.values():
        one.limit = 0
    lab.finished("a", "b", "c")
    lab.until_packed(file, -(-3 * 20_000 // (16384 // (LINE + 2))))
    assert lab.shutdown() == 0
    complete(check(*family(file)), {f"{n}:": 20_000 for n in "abc"})
    assert set(lab.logs.iterdir()) == set(family(file))


@pytest.mark.parametrize("what", ["huge", pytest.param("foreign", marks=needs_root)])
def test_old_file_that_is_none_of_ours(lab, what):
    """It is not compressed, and keeps no other from being so."""
    trap = lab.logs / "x.3"
    trap.write_bytes(b"somebody else's\n")
    if what == "huge":
        os.truncate(trap, 1 << 40)
    else:
        os.chown(trap, STRANGER, STRANGER)
    inode = trap.stat().st_ino
    for name in "xy":
        lab.numbered(name, f"log = {lab.logs}/{name}", *SMALL, "log_gzip = yes", lines=2000)
    lab.piped()
    lab.finished("x", "y")

    def plain(name):
        return [p for p in family(lab.logs / name)[:-1] if p.suffix != ".gz"]

    def only_the_trap():
        """Others go while they are looked at."""
        return unless_gone(lambda: [p.stat().st_ino for p in plain("x")]) == [inode]
    files = -(-2000 // (4096 // LINE))
    until(lambda: len(family(lab.logs / "x")) == files + 1 and only_the_trap(),
          "all but one of x are compressed")
    lab.until_packed(lab.logs / "y", files)
    assert lab.shutdown() == 0
    for name in "xy":
        checked(check(*(p for p in family(lab.logs / name) if p not in plain(name))), 2000)


def test_rotation_of_each_line_holds_nobody_up(lab):
    """It is slow, and that is its own service's affair. A turn of the logger would write all of its
    ring, 3,000 lines, and the other one takes several: six at least."""
    file, gate = lab.logs / "x", lab.gate()
    lab.service("x", f"{numbers()} write --lines 1000000000 --gate {gate.path}", ONCE, f"log = {file}",
                "log_max_size = 1", "log_keep = 40")
    lab.numbered("y", f"log = {lab.logs}/y", "enabled = no", lines=20_000)
    lab.piped()
    logger = lab.logger.pid
    until((lab.logs / "x.40").exists, "there are many old files")
    lab.ok("start", "--no-wait", "y")
    lab.until_size(lab.logs / "y", LINE)
    counts = [gate.count]

    def is_written():
        counts.append(gate.count)
        return (lab.logs / "y").stat().st_size >= 20_000 * LINE
    until(is_written, "all of y")
    # As it was when y was last seen to be unfinished: this process may have looked late.
    assert counts[-2] - counts[0] < 10_000
    assert lab.logger.pid == logger and "has not answered" not in lab.messages()
    lab.ok("stop", "x")
    assert lab.shutdown() == 0
    checked(check(lab.logs / "y"), 20_000)


def test_log_user_that_cannot_be_given(lab):
    """Not mapped in a namespace of users: told once, and not a line is lost."""
    file = lab.logs / "x"
    lab.numbered("x", f"log = {file}", *SMALL, f"log_user = {STRANGER}", lines=5000)
    lab.piped(after=["unshare", "--user", "--map-root-user"])
    lab.finished("x")
    assert len(lab.until_said("cannot be given to log_user")) == 1
    assert lab.shutdown() == 0
    assert lab.messages().count("log_user") == 1 and "cannot be written" not in lab.messages()
    checked(check(*family(file)), 5000)


def test_moved_in_the_moment_of_kills(lab):
    """As logrotate does: all is in the files together, and nothing twice."""
    file, gate, moved = lab.logs / "x", lab.gate(), []
    moments = random.Random(SEED)
    lab.service("x", f"{numbers()} write --lines 1000000000 --gate {gate.path}", ONCE, f"log = {file}",
                "log_max_size = max")
    lab.piped()
    for i in range(40):
        until(file.exists, "there is a file")
        time.sleep(moments.uniform(0, 0.004))
        moved.append(lab.logs / f"x.moved.{i}")
        file.rename(moved[-1])
        if i % 2:
            file.touch()
        lab.kill_logger()
    lab.ok("stop", "x")
    assert lab.shutdown() == 0
    # A line of which a part was written may go on in the next file.
    checked(check(b"".join(p.read_bytes() for p in (*moved, file))), gate.count)


# --- the socket of syslog

def test_socket_that_is_something_else(lab):
    """A file there stays, a stream that is served stays; when they have gone a reload makes it."""
    path = syslog(lab, f"log = {lab.logs}/messages")
    path.write_text("precious\n")
    lab.service("y")
    lab.piped()
    lab.until_said(str(path))
    assert path.read_text() == "precious\n"
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(path))
        other.listen()
        inode = path.stat().st_ino
        lab.ok("reload")
        lab.until_said("since another program does")
        assert path.stat().st_ino == inode
    path.unlink()
    lab.ok("reload")
    until(path.exists, "the socket")
    send(path, b"<13>hello")
    lab.until_has(lab.logs / "messages", b"hello\n")
    assert lab.shutdown() == 0
    assert not path.exists()


@pytest.mark.parametrize("how", ["rotate", "reload", "USR1"])
def test_socket_that_was_removed(lab, how):
    """Made again, and told; another's in its place is left alone at the end."""
    path = syslog(lab, f"log = {lab.logs}/messages")
    lab.service("y")
    lab.piped()
    until(path.exists, "the socket")
    path.unlink()
    if how == "USR1":
        lab.sinit.kill(signal.SIGUSR1)
    else:
        lab.ok(how)
    until(path.exists, "the socket again")
    assert len(lab.until_said(str(path))) == 1
    send(path, b"<13>hello")
    lab.until_has(lab.logs / "messages", b"hello\n")
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        assert lab.shutdown() == 0
        send(path, b"mine")
        assert other.recv(100) == b"mine"


# --- no room

@pytest.mark.parametrize("limit", [66, 100, 256])
def test_few_open_files(lab, limit):
    """What finds no room has sinit's own output: all get through, and all that they say is there."""
    names = [f"s{i:02}" for i in range(60)]
    for name in names:
        lab.numbered(name, f"log = {lab.logs}/{name}", mark=f"{name}:", lines=5000)
    pipe = lab.piped(after=["prlimit", f"--nofile={limit}:{limit}"])
    lab.ok("wait", "--stopped", *names)
    assert lab.shutdown() == 0
    files = [lab.logs / name for name in names if (lab.logs / name).exists()]
    complete(check(pipe.end(), *files), {f"{name}:": 5000 for name in names})
    assert len([line for line in lab.messages().splitlines() if "warning: " in line]) == 1
    assert "limit of open files" in lab.messages()
    assert bool(files) == (limit > 100) and len(files) < 60


# --- RUNDIR/logs

def spoil(path, how):
    if isinstance(how, int):
        os.truncate(path, how)
        return
    with path.open("r+b") as file:
        file.seek(16)  # behind magic, version and capacity
        file.write(random.Random(SEED).randbytes(3000))


@pytest.mark.release_only  # a file that is cut below who maps it is a SIGBUS, as it is meant to be
@pytest.mark.parametrize("how", [0, 8192, "noise"])
def test_store_that_is_spoilt(lab, how):
    """By root only: it is told, nobody waits for ever, and lines come again."""
    file, gate = lab.logs / "x", lab.gate()
    lab.service("x", flood(gate, 20_000), ONCE, f"log = {file}", "log_max_size = max")
    lab.piped()
    more(gate)
    lab.until_has(file, b"0000000499")
    spoil(lab.run / "logs", how)
    more(gate, 8000)  # more than its pipe holds
    last = gate.count
    lab.until_has(file, b"%010d" % (last + 1000))
    lab.until_said("begins anew")
    lab.ok("logs", "x")
    lab.ok("stop", "x")
    assert lab.shutdown() == 0
    data = bytes_of(file)
    assert data.endswith(b"%010dabcdefghi\n" % (gate.count - 1))


def test_run_directory_removed_and_made_again(lab):
    file, gate = lab.logs / "x", lab.gate()
    lab.service("x", flood(gate), ONCE, f"log = {file}")
    lab.piped()
    more(gate)
    lab.run.rename(lab.base / "gone")
    shutil.rmtree(lab.base / "gone", ignore_errors=True)  # sinit may be faster
    more(gate)
    lab.kill_logger()
    lab.sinit.kill(signal.SIGHUP)
    until(lab.answers, "sinitctl reaches it again")
    more(gate)
    last = b"%010d" % gate.count
    until(lambda: last in lab.ctl("logs", "x").out.encode(), "its last lines are shown")
    lab.ok("stop", "x")
    assert lab.shutdown() == 0
    checked(check(file), gate.count)


@needs_root
def test_run_directory_without_room_for_what_is_kept(lab):
    """sinit says so, and sinitctl does not blame the configuration for it."""
    lab.service("x", "sh -c 'echo hello; exec sleep 100000'", "log = prefix")
    lab.run.mkdir()
    pipe = lab.piped(ready=False, after=["unshare", "--mount", "sh", "-c",
                                         f'mount -t tmpfs -o size=256k none {lab.run}; exec "$@"', "sh"])
    until(lambda: b"x | hello\n" in pipe.data, "the line")
    lab.until_said("warning: logs cannot be made in the run directory")
    said = lab.ctl("logs", "x", before=["nsenter", "-t", str(lab.sinit.pid), "--mount", "--pid", "--"])
    assert said.code == 1 and "run/logs could not be made" in said.err
    assert lab.shutdown() == 0


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_what_an_earlier_sinit_has_left_is_not_shown(lab, end):
    """Neither as a service's output nor as what was said last before an end."""
    command = "sh -c 'echo {} >&2; exit 3'"
    lab.service("x", command.format("OLD RUN"), ONCE, "log = prefix")
    pipe = lab.piped()
    until(lambda: b"OLD RUN\n" in pipe.data and "OLD RUN" in lab.ctl("logs", "x").out, "it has said so")
    lab.sinit.kill(end)
    lab.wait()
    assert prefixed(pipe.end(), "x") == [b"OLD RUN\n"]
    pipe.close()
    lab.service("x", command.format("new run"), ONCE, "log = inherit")
    lab.piped()
    lab.finished("x")
    said = lab.ctl("logs", "x")
    assert said.code == 1 and "inherit" in said.err and not said.out
    until(lambda: lab.events("x", "exit"), "its end")
    assert "OLD RUN" not in str(lab.events()) + lab.ctl("events").out
    assert not (lab.run / "logs").exists()
    assert lab.shutdown() == 0


# --- a pipe

def processes_of(lab, script):
    return [pid for pid in children(lab.sinit.pid) if str(script).encode() in command_line(pid)]


@needs_root
def test_pipe_that_a_left_over_holds(lab):
    """It writes from memory which is not there: PID 1 does not wait for it."""
    script = lab.script("holder", HOLDER)
    lab.service("h", f"/usr/bin/python3 {script} left {lab.base}/go", ONCE, "kill_mode = process",
                f"log = {lab.logs}/h")
    lab.service("y", "sleep 100000", f"log = {lab.logs}/y")
    lab.piped()
    lab.ok("wait", "y")
    lab.finished("h")
    left = processes_of(lab, script)
    try:
        assert len(left) == 1
        lab.ok("restart", "y")
        lab.ok("start", "--no-wait", "h")
        lab.ok("stop", "y")
    finally:
        for pid in left:
            os.kill(pid, signal.SIGKILL)


@needs_root
def test_pipe_that_is_held_when_it_is_given_up(lab):
    """By the only one who still writes to it, and who has opened it himself: PID 1 does not wait for him
    to close it."""
    script, go = lab.script("holder", HOLDER), lab.base / "go"
    lab.service("h", f"/usr/bin/python3 {script} alone {go}", ONCE, "kill_mode = process", "log = prefix",
                "enabled = no")
    lab.service("y", "sleep 100000", f"log = {lab.logs}/y")
    lab.numbered("much", "log = prefix", lines=20_000)
    pipe = lab.piped(reading=False)  # what h says cannot be written, so its pipe is not given up yet
    lab.ok("wait", "y")
    lab.finished("much")
    lab.ok("start", "--no-wait", "h")
    until(lambda: lab.events("h", "exit"), "it is gone")
    left, logger, before = processes_of(lab, script), lab.logger, len(lab.sinit_fds())
    lab.remove("h")
    try:
        lab.ok("reload")
        until(lambda: lab.find_logger(logger.pid), "a logger that empties it")
        freeze(lab.sinit.pid)
        pipe.go()
        until(lambda: b"h | before\n" in pipe.data, "it is written")
        until_idle(lab.logger)  # it has told so
        (lab.base / "go-hold").touch()
        until(lambda: any("userfault" in Path(f"/proc/{left[0]}/task/{task}/wchan").read_text()
                          for task in os.listdir(f"/proc/{left[0]}/task")), "it is held")
        lab.sinit.kill(signal.SIGCONT)
        until(lambda: len(lab.sinit_fds()) < before, "PID 1 gives it up")
        lab.ok("restart", "y")
    finally:
        lab.sinit.kill(signal.SIGCONT)
        go.touch()
    until(lambda: b"h | after\n" in pipe.data, "its last line")
    until(lambda: len(lab.sinit_fds()) == before - 2, "both ends are closed")
    assert lab.shutdown() == 0


@needs_root
def test_pipe_that_a_service_holds(lab):
    """The logger hangs in it, cannot be killed, and is left alone: another one writes the other logs. What
    the one that hung moves when it can is not lost."""
    script, gate, go = lab.script("holder", HOLDER), lab.gate(), lab.base / "go"
    lab.service("h", f"/usr/bin/python3 {script} stays {go}", ONCE, f"log = {lab.logs}/h")
    lab.service("y", flood(gate), f"log = {lab.logs}/y", "log_max_size = max")
    lab.piped()
    try:
        lab.until_said("hangs in the kernel")
        lab.until_size(lab.logs / "y", len(bytes_of(lab.logs / "y")) + 10_000 * LINE)
    finally:
        go.touch()
    lab.until_has(lab.logs / "h", "after\n")
    lab.until_said("does not any more")
    lab.ok("stop", "y")
    assert lab.shutdown() == 0
    assert lines_of(lab.logs / "h") == [b"before\n"] + [b"held\n"] * 20 + [b"after\n"]
    checked(check(lab.logs / "y"), gate.count)
