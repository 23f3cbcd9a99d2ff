"""Who may do what, and places where little is allowed: odd users, read-only systems, foreign
processes, requests that nobody should have sent."""

import fcntl
import os
import pwd
import signal
import time

import pytest
from control_lab import (AS_ROOT, SLEEP, Process, as_user, descendants,  # noqa: F401
                         lab, needs_root, until)


def running(lab, word):
    """Living processes of the namespace that have this argument."""
    return [process for process in map(Process, descendants(lab.outer.pid))
            if word.encode() in process.argv() and process.alive()]


# --- users

@needs_root
def test_P112_random_user(lab):
    """As in OpenShift: no line in passwd, group 0, nothing of its own but a run directory."""
    uid = 1000780000
    lab.run.mkdir()
    lab.run.chmod(0o775)
    lab.service("x", "sh -c 'cd; exec sleep 100000'")
    lab.service("again", "true", "type = oneshot", "user = 1000780000", "group = 0",
                "enabled = no")
    lab.start(after=["setpriv", f"--reuid={uid}", "--regid=0", "--clear-groups",
                     "--bounding-set=-all", "--no-new-privs", "--"], env={"PATH": os.environ["PATH"],
                                                                          "HOME": "/"})
    lab.ok("wait", "x")
    for process in (lab.sinit, lab.process("x")):
        assert process.status("Uid").split() == [str(uid)] * 4
        assert process.status("Gid").split() == ["0"] * 4
        assert int(process.status("CapEff"), 16) == 0
    assert lab.process("x").environ()[b"HOME"] == b"/"
    lab.ok("restart", "x", before=as_user(uid, 0))
    lab.ok("restart", "x")  # root may, too
    lab.ok("start", "again", before=as_user(uid, 0))  # to be what one is takes no privilege
    # That a stop cannot be remembered is told; it is a stop all the same.
    asked = lab.ok("stop", "x", before=as_user(uid, 0))
    assert "x: stopped, but not for the next start of sinit" in asked.err
    assert "cannot be remembered" in lab.messages()
    assert "error" not in lab.messages()
    assert lab.shutdown() == 0


@needs_root
def test_P116_never_silently_root(lab):
    lab.service("x", SLEEP, "user =   nobody  ")
    lab.start()
    lab.ok("wait", "x")
    assert lab.process("x").status("Uid").split()[0] == str(pwd.getpwnam("nobody").pw_uid)
    assert lab.shutdown() == 0
    for line in ("user = $NOPE", "user = no body", "usr = nobody", "user = -1",
                 "group = $NOPE", "groups = games $NOPE"):
        lab.service("x", "touch started-as-somebody", f"working_directory = {lab.base}", line)
        lab.launch()
        assert lab.wait() == 78, line
        assert "x.ini:4: " in lab.messages().splitlines()[-1], (line, lab.messages())
    assert not (lab.base / "started-as-somebody").exists()


# --- little to write to

READ_ONLY = """
for m in $(awk '$5 !~ "^/(proc|dev)" {print $5}' /proc/self/mountinfo | sort -r); do
    mount -o remount,bind,ro "$m" 2>/dev/null
done
if [ "$1" != - ]; then mount -t tmpfs -o noexec,nosuid,nodev tmpfs "$1"; fi
shift
touch /run/it-is-writable /tmp/it-is-writable 2>/dev/null && echo "not read-only"
exec "$@"
"""


def read_only(writable="-"):
    return ["sh", "-c", READ_ONLY, "sh", writable]


def find_run(lab, run):
    """Launches; from here on asks through sinit's own view of the file system."""
    lab.launch("--", "sleep", "100009", args=["-c", lab.conf, "-r", run],
               after=read_only(os.path.dirname(run)))
    lab.sinit = until(lab.find)
    lab.run = lab.sinit.path / "root" / run.lstrip("/")
    until(lab.answers)


@pytest.mark.parametrize("where", ["run", "elsewhere"])
def test_P113_read_only(lab, where):
    """A tmpfs that executes nothing, on /run or elsewhere with -r: all works."""
    place = lab.base / "elsewhere"
    place.mkdir()
    lab.sinit_ini(f"log_target = {lab.base}/sinit.log")
    lab.service("x")
    find_run(lab, "/run/sinit" if where == "run" else f"{place}/sinit")
    assert lab.output() == b""
    lab.ok("wait", "x", "main")
    life = lab.status("x")["life"]
    lab.ok("restart", "x")
    assert lab.status("x")["life"] == life + 1
    lab.ok("reload")
    lab.ok("stop", "x")
    said = lab.messages()
    assert said.count("log_target") == 1 and said.count("cannot be remembered") == 1, said
    assert lab.shutdown() == 143  # the command's own end


def test_P113_nothing_to_write_to(lab):
    """Runs without sinitctl, with a warning; restarts and the shutdown work."""
    lab.service("x", "sleep 100007", "restart_delay = 10ms")
    lab.launch(args=["-c", lab.conf], after=read_only())
    first = until(lambda: running(lab, "100007"))[0]
    lab.sinit = until(lab.find)
    first.kill(signal.SIGKILL)
    until(lambda: [p for p in running(lab, "100007") if p.pid != first.pid])
    assert lab.output() == b""
    said = [line for line in lab.messages().splitlines() if "/run/sinit" in line]
    assert len(said) == 1 and "warning" in said[0] and "-r DIR" in said[0], lab.messages()
    lab.sinit.kill(signal.SIGHUP)
    until(lambda: "reload: " in lab.messages())
    assert lab.shutdown() == 0


# --- foreign processes

def test_P114_strangers_live(lab):
    """Not PID 1: what is left of the services is ended, and nothing else, not even in
    sinit's own process group and session."""
    stranger = ["sh", "-c", "sleep 100011 & setsid sleep 100012 & \"$@\"; code=$?\n"
                "kill -0 $! && kill -0 $(($! - 1)) && echo strangers live\n"
                "exec sleep 100013", "sh"]
    lab.service("x", "sh -c 'setsid sleep 100008 & exec sleep 100007'", "kill_mode = process")
    lab.service("y", "sh -c 'trap \"\" TERM; while :; do sleep 100006; done'",
                "stop_timeout = 300ms")
    lab.start(pid1=True, after=stranger)
    lab.ok("wait", "x", "y")
    until(lambda: running(lab, "100008"))
    lab.sinit.kill(signal.SIGTERM)
    until(lambda: b"strangers live" in lab.output())
    assert len(running(lab, "100011")) == len(running(lab, "100012")) == 1
    for word in ("100006", "100007", "100008"):
        assert not running(lab, word), word


# --- requests

def refused(lab):
    return lab.status()["sinit"]["requests_refused"]


def refusals_told(lab, began):
    """Lines of the log; at most one in ten seconds."""
    lines = [line for line in lab.messages().splitlines() if "request refused" in line]
    assert 1 <= len(lines) <= 1 + (time.monotonic() - began) / 10, lines
    return lines


def test_garbage_lines(lab):
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    before, began = lab.status("x"), time.monotonic()
    lines = [b"", b" ", b"restart x", b"sinit1", b"sinit1 -", b"sinit1 - ", b"sinit1 -  restart x",
             b"sinit2 - restart x", b"sinit1 - RESTART x", b"sinit1 - restart x ",
             b"sinit1 ../../x restart x", b"sinit1 .x restart x", b"sinit1 a/b restart x",
             b"sinit1 - restart %", b"sinit1 - restart %zz", b"sinit1 - restart x%00",
             b"\0" * 100, bytes(range(11, 256)), b"sinit1 - restart" + b" x" * 65,
             b"sinit1 - " + b"r" * 4080, b"y" * 4095, b"{\"verb\":\"restart\"}"]
    fine = {b"sinit1 - restart %"}  # an empty name: well-formed, and nobody's
    for line in lines:
        lab.send(line + b"\n")
    lab.ok("ping")
    assert refused(lab) == len(lines) - len(fine)
    assert lab.status("x")["life"] == before["life"]
    assert len(refusals_told(lab, began)) >= 1
    assert len(lab.messages()) < 4096


@pytest.mark.parametrize("size", [4096, 5000, 100_000])
def test_overlong_line(lab, size):
    """Passed over to its end; the request behind it is answered."""
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    life, began = lab.status("x")["life"], time.monotonic()
    lab.send(b"sinit1 - restart " + b"x" * (size - 17) + b"\n")
    lab.send(b"a " * (size // 2) + b"sinit1 - restart x\n")
    lab.ok("ping")
    assert refused(lab) == 2 and lab.status("x")["life"] == life
    assert "too long" in refusals_told(lab, began)[0] or "longer" in refusals_told(lab, began)[0]


@pytest.mark.parametrize("kind", ["missing", "link", "file", "directory", "device", "foreign",
                                  "unopened"])
def test_reply_fifo_refused(lab, kind):
    if kind in ("foreign", "device") and not AS_ROOT:
        pytest.skip("takes root")
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    life, fds, began = lab.status("x")["life"], len(lab.sinit_fds()), time.monotonic()
    path, outside = lab.run / "reply" / "it", lab.base / "outside"
    reader = None
    if kind == "link":
        os.mkfifo(outside)
        reader = os.open(outside, os.O_RDONLY | os.O_NONBLOCK)
        path.symlink_to(outside)
    elif kind == "file":
        path.write_text("content")
    elif kind == "directory":
        path.mkdir()
    elif kind == "device":
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    elif kind == "foreign":
        os.mkfifo(path)
        os.chown(path, 1234567, 1234567)
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    elif kind == "unopened":
        os.mkfifo(path)
    for _ in range(10):
        lab.send(b"sinit1 it restart x\n")
    lab.ok("ping")
    assert refused(lab) == 10
    assert lab.status("x")["life"] == life  # what cannot be answered is not done
    assert "reply FIFO" in refusals_told(lab, began)[0]
    assert len(lab.sinit_fds()) == fds
    if kind == "file":
        assert path.read_text() == "content"
    if reader is not None:
        assert os.read(reader, 100) == b""  # nobody ever wrote
        os.close(reader)


def test_reply_never_read(lab):
    """A client that does not read gets what fits; nothing waits for it, others are served."""
    names = [f"service-{i:02}-{'x' * 30}" for i in range(60)]
    lab.write("all", "".join(f"[service {n}]\ncommand = {SLEEP}\n" for n in names))
    lab.start()
    lab.ok("wait", "*")
    fds, readers = len(lab.sinit_fds()), []
    for i, verb in enumerate(["restart", "stop"]):
        path = lab.run / "reply" / f"silent{i}"
        os.mkfifo(path)
        readers.append(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
        fcntl.fcntl(readers[-1], fcntl.F_SETPIPE_SZ, 4096)
        lab.send(f"sinit1 silent{i} {verb} *\n".encode())
    lab.ok("ping")
    lab.ok("wait", "*", "--stopped", "--timeout", "30s")  # it was done all the same
    assert len(lab.sinit_fds()) == fds
    assert not list((lab.run / "reply").iterdir())
    for reader in readers:
        assert 0 < len(os.read(reader, 65536)) <= 4096
        os.close(reader)
