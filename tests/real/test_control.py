"""The control FIFO, sinitctl's answers and exit codes, and what works without PID 1."""

import array
import fcntl
import grp
import json
import os
import shutil
import signal
import stat
import subprocess
import termios
import threading

import pytest
from control_lab import (LIBC, SINIT, SINITCTL, SLEEP, as_user, lab,  # noqa: F401
                         needs_root, until)

PLAIN = "sinitctl: "
IN_MODIFY, IN_MOVED_TO, IN_DELETE = 0x2, 0x80, 0x200  # inotify(7)


def mode(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


# --- who may

def test_P95_modes(lab):
    lab.service("x")
    lab.start(umask=0)
    assert stat.S_ISFIFO(os.lstat(lab.run / "control").st_mode)
    assert mode(lab.run / "control") == 0o600
    assert mode(lab.run / "reply") == 0o700
    assert mode(lab.run / "board") == 0o644
    # Services of any user notify; whose it was is the kernel's word.
    for path in {lab.run, *lab.run.iterdir()} - {lab.run / "notify"}:
        assert not mode(path) & 0o002, path


@needs_root
def test_P95_other_users(lab):
    """Refused by the FIFO, or with control_group only those outside of it; nobody hangs."""
    group = grp.getgrnam("games").gr_gid
    stranger, member = as_user(1234567), as_user(1234568, group)
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    for user in (stranger, member):
        done = lab.ctl("restart", "x", before=user)
        assert done.code == 1 and "permission denied" in done.err, done
        assert lab.ctl("status", "x", before=user).code == 0  # to read is everybody's
    assert lab.shutdown() == 0
    lab.sinit_ini("control_group = games")
    lab.start()
    assert mode(lab.run / "control") == 0o620 and mode(lab.run / "reply") == 0o1770
    for path in ("control", "reply"):
        assert os.lstat(lab.run / path).st_gid == group
    lab.ok("wait", "x")
    life = lab.status("x")["life"]
    assert lab.ctl("restart", "x", before=member).code == 0
    assert lab.status("x")["life"] == life + 1
    done = lab.ctl("restart", "x", before=stranger)
    assert done.code == 1 and "permission denied" in done.err, done


# --- exit codes

def test_P96_exit_codes(lab):
    lab.service("good")
    # A oneshot: of any other it may be seen that it runs before it is seen to end.
    lab.service("bad", "false", "type = oneshot", "restart = never", "enabled = no")
    lab.service("missing", "/no/such/program", "restart = never", "enabled = no")
    lab.service("once", "true", "type = oneshot")
    nobody = lab.ctl("status")
    assert nobody.code == 3 and nobody.err.startswith(PLAIN)
    assert lab.ctl("restart", "good").code == 3
    lab.start()
    lab.ok("wait", "good", "once")
    for verb in ("start", "stop", "restart", "reset", "show", "status", "reload", "wait"):
        done = lab.ctl(verb, "god")
        assert done.code == 4 and "god" in done.err, done
    assert "good" in lab.ctl("status", "god").err  # the nearest name
    assert lab.ctl("signal", "god", "HUP").code == 4
    for name in ("bad", "missing"):
        done = lab.ctl("start", name)
        assert done.code == 1 and name in done.err, done
        assert lab.ctl("status", name).code == 3
    assert lab.ctl("stop", "good").code == 0
    assert lab.ctl("stop", "good").code == 0
    assert lab.ctl("status", "good").code == 3
    assert lab.ctl("reload", "good").code == 1
    assert lab.ctl("signal", "good", "HUP").code == 1
    assert lab.ctl("start", "good").code == 0
    assert lab.ctl("start", "good").code == 0
    assert lab.ctl("status", "good", "once").code == 0
    for words in ([], ["nonsense"], ["start"], ["signal", "good"], ["signal", "good", "NOPE"],
                  ["wait", "good", "--timeout", "x"], ["status", "--nonsense"]):
        assert lab.ctl(*words).code == 2, words
    assert lab.ctl("wait", "good", "--stopped", "--timeout", "10ms").code == 5
    assert lab.ctl("shutdown").code == 0
    assert lab.wait() == 0
    assert lab.ctl("status", "good").code == 3
    assert lab.ctl("start", "good").code == 3


def test_one_of_several_fails(lab):
    """The good ones are done, and the code tells that one was not."""
    lab.service("good", SLEEP, "enabled = no")
    lab.service("bad", "false", "type = oneshot", "restart = never", "enabled = no")
    lab.start()
    assert lab.ctl("start", "good", "bad").code == 1
    assert lab.ctl("status", "good").code == 0
    assert lab.ctl("stop", "good", "nobody").code == 4
    assert lab.ctl("wait", "good", "--stopped", "--timeout", "30s").code == 0


# --- the FIFO is taken away

@pytest.mark.parametrize("what", ["fifo", "file", "directory", "reply", "moved", "removed"])
def test_P97_taken_away(lab, what):
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    pid = lab.status("x")["pid"]
    fifo, reply = lab.run / "control", lab.run / "reply"
    lab.sinit.freeze()  # so that it cannot mend before sinitctl has looked
    if what == "moved":
        lab.run.rename(lab.base / "old")
    elif what == "removed":
        shutil.rmtree(lab.run)
    elif what == "reply":
        shutil.rmtree(reply)
    else:
        fifo.unlink()
    if what == "file":
        fifo.write_text("")
    if what == "directory":
        fifo.mkdir()
    done = lab.ctl("restart", "x", limit=2 + 10)
    assert done.code == 3 and done.err.startswith(PLAIN) and len(done.err.splitlines()) == 1, done
    lab.sinit.kill(signal.SIGCONT)
    if what != "directory":
        lab.sinit.kill(signal.SIGHUP)  # at the latest then
        until(lambda: fifo.exists() and stat.S_ISFIFO(os.stat(fifo).st_mode))
        until(lambda: lab.ctl("ping").code == 0)
    else:
        until(lambda: "control FIFO" in lab.messages())  # somebody's: it is told, not removed
        fifo.rmdir()
        until(lambda: lab.ctl("ping").code == 0)
    assert lab.status("x")["pid"] == pid
    assert lab.ctl("restart", "x").code == 0
    assert mode(fifo) == 0o600 and mode(reply) == 0o700


def test_P97_lock_and_board_taken_away(lab):
    """They are made again, so that a second sinit is refused and status has its board."""
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    pid = lab.status("x")["pid"]
    for name in ("lock", "board", "lock"):
        (lab.run / name).unlink()
        until(lambda: (lab.run / name).exists() and lab.ctl("status", "x").code == 0, name)
        assert lab.status("x")["pid"] == pid
    second = subprocess.run([SINIT, "-c", lab.conf, "-r", lab.run],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
    assert second.returncode == 70 and "another sinit" in second.stdout, second
    lab.ok("restart", "x")
    assert lab.status("x")["pid"] != pid
    assert lab.shutdown() == 0


def test_P97_another_sinit_takes_over(lab):
    """Its lock is taken in a moment in which sinit does not look: sinit leaves it alone, says
    so, and its services go on."""
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    pid = lab.process("x")
    lab.sinit.freeze()
    for name in ("lock", "board", "control"):
        (lab.run / name).unlink()
    holder = subprocess.Popen(["/usr/bin/python3", "-c", f"""
import fcntl, time
lock = open({str(lab.run / "lock")!r}, "w")
fcntl.lockf(lock, fcntl.LOCK_EX)
print("held", flush=True)
time.sleep(1000)"""], stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        lab.sinit.kill(signal.SIGCONT)
        until(lambda: "another sinit" in lab.messages())
        assert not (lab.run / "control").exists() and not (lab.run / "board").exists()
        assert pid.alive()
        assert lab.shutdown() == 0
    finally:
        holder.kill()
        holder.communicate()


def test_P97_the_fifo_is_replaced_again_and_again(lab):
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    fifo = lab.run / "control"

    def replaced():
        try:
            fifo.unlink()
        except FileNotFoundError:
            pass
        return "again and again" in lab.messages()
    until(replaced)
    assert lab.messages().count("made it again") < 25
    assert lab.status("x")["state"] == "running"


def test_P97_again_and_again(lab):
    """What is made again leaves no descriptor of the old one, and is found at once."""
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    fds = len(lab.sinit_fds())
    for i in range(10):
        (lab.run / "control").unlink()
        until(lambda: (lab.run / "control").exists() and lab.ctl("ping").code == 0)
    assert len(lab.sinit_fds()) == fds, lab.sinit_fds()
    for i in range(3):
        lab.run.rename(lab.base / f"old{i}")
        lab.sinit.kill(signal.SIGHUP)
        until(lambda: (lab.run / "control").exists() and lab.ctl("ping").code == 0)
        assert lab.status("x")["state"] == "running"
    assert len(lab.sinit_fds()) == fds, lab.sinit_fds()


# --- many at once

def test_P99_many_clients(lab):
    names = [f"s{i:02}" for i in range(25)]
    for name in names:
        lab.service(name)
    lab.start()
    lab.ok("wait", "*")
    before = {s["name"]: s["life"] - len(lab.events(s["name"], "backoff"))
              for s in lab.status()["services"]}
    fds = len(lab.sinit_fds())
    asked = []
    for i, name in enumerate(names):
        asked += [(name, ["--json", "restart", name]), (name, ["--json", "show", name, "command"])]
    # Near the size of an atomic write, and two clients that are killed half-way.
    long = "x" * 60
    asked += [(None, ["signal", f"no-{i}-" + long, "HUP"]) for i in range(5)]
    running = [(name, subprocess.Popen([SINITCTL, "-r", lab.run, *words], text=True,
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE))
               for name, words in asked]
    killed = [subprocess.Popen([SINITCTL, "-r", lab.run, "restart", "s00"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
              for _ in range(2)]
    for one in killed:
        one.kill()
        one.wait()
    for i, (name, one) in enumerate(running):
        out, err = one.communicate(timeout=60)
        if name is None:
            assert one.returncode == 4 and long in err
            continue
        assert one.returncode == 0, (name, out, err)
        others = [other for other in names if other != name]
        assert not any(other in out + err for other in others), (name, out, err)
    lab.ok("wait", "*")
    # On a busy machine execs may hang for so long that another one has to wait its turn.
    turns = [e["service"] for e in lab.events(kind="backoff") if "the system had no process" in e["message"]]
    for s in lab.status()["services"]:
        # s00: also by those that were killed, if they came so far.
        extra = s["life"] - before[s["name"]] - turns.count(s["name"])
        assert extra == 1 or (s["name"] == "s00" and extra in (2, 3)), s
    assert len(lab.events(kind="backoff")) == len(turns), lab.events()
    assert len(lab.sinit_fds()) == fds, lab.sinit_fds()


def test_P99_long_requests(lab):
    """More names than fit into one line are sent in several."""
    names = [f"service-with-a-rather-long-name-{i:03}-{'x' * 20}" for i in range(120)]
    lab.write("all", "".join(f"[service {n}]\ncommand = {SLEEP}\nenabled = no\n" for n in names))
    lab.start()
    lab.ok("start", *names)
    assert all(s["state"] == "running" for s in lab.status()["services"])
    lab.ok("stop", *names)
    done = lab.ctl("start", "n" * 5000)
    assert done.code == 2 and done.err.startswith(PLAIN), done
    lab.ok("ping")


def test_P99_killed_clients_leave_nothing(lab):
    lab.service("x")
    (lab.run / "reply").mkdir(parents=True)
    os.mkfifo(lab.run / "reply" / "1234.left-by-an-earlier-life")
    lab.start()
    lab.ok("wait", "x")
    fds = len(lab.sinit_fds())
    lab.sinit.freeze()
    clients = [subprocess.Popen([SINITCTL, "-r", lab.run, "restart", "x"],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
               for _ in range(5)]

    def all_have_asked():
        names = os.listdir(lab.run / "reply")
        count = array.array("i", [0])
        fcntl.ioctl(fifo, termios.FIONREAD, count)
        return len(names) == 5 and count[0] == sum(len(f"sinit1 {name} restart x\n")
                                                   for name in names)
    fifo = os.open(lab.run / "control", os.O_RDONLY | os.O_NONBLOCK)
    until(all_have_asked)
    os.close(fifo)
    for client in clients:
        client.kill()
        client.wait()
    lab.sinit.kill(signal.SIGCONT)
    until(lambda: not list((lab.run / "reply").iterdir()))
    lab.ok("ping")
    assert len(lab.sinit_fds()) == fds


def test_P99_what_was_left_goes_before_anybody_can_ask(lab):
    """Later it would take along the reply FIFO of a client that is quicker than sinit: its request
    would be refused."""
    reply, left = lab.run / "reply", "1234.left-by-an-earlier-life"
    reply.mkdir(parents=True)
    os.mkfifo(reply / left)
    watch = LIBC.inotify_init1(0)
    for place, what in ((lab.run, IN_MOVED_TO), (reply, IN_DELETE)):
        LIBC.inotify_add_watch(watch, os.fsencode(place), what)
    lab.service("x")
    lab.start()
    seen = os.read(watch, 65536)  # in the order in which it came about
    os.close(watch)
    assert seen.index(left.encode()) < seen.index(b"control\0"), seen


# --- JSON

def test_P84_json_stays_valid(lab):
    """Whatever is in names and values, each line of JSON is JSON, and UTF-8."""
    strange = b'a "quoted\\" \xff\xfe \xc3\xa9 \xe2\x82 end'
    lab.write("x", b"[service we.ird@x-1_2]\ncommand = sh -c 'exec sleep 100000' '" +
              strange + b"'\ndescription = " + strange + b"\nenvironment = 'V=" + strange + b"'\n")
    lab.start()
    lab.ok("wait", "we.ird@x-1_2")
    lab.finish_turn()

    def lines(*words):
        done = subprocess.run([SINITCTL, "-r", lab.run, "--json", *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        return done.returncode, [json.loads(line.decode()) for line in done.stdout.splitlines()]
    for words in (["status"], ["events"], ["summary"], ["health"],
                  ["show", "we.ird@x-1_2"], ["restart", "we*"]):
        code, found = lines(*words)
        assert code == 0 and found, words
    code, found = lines("show", "we.ird@x-1_2")
    assert "quoted" in json.dumps(found)
    for words in (["status", b'"\xff\x1b[31m\n\\'], ["start", b"\x01\x7f\xff %20 {}"],
                  ["signal", "we*", b"\xff"], ["stop", ""]):
        code, _ = lines(*words)
        assert code in (2, 4), words
    # A file's name can be anything, too; it comes back in the errors of a reload.
    (lab.conf / "conf.d").joinpath(os.fsdecode(b'b"ad\n\x1b\xff\\.ini')).write_text("[nonsense]\n")
    code, found = lines("reload")
    assert code == 1 and any("error" in line for line in found), found
    assert "\x1b" not in lab.messages()


# --- without PID 1

def test_board_while_pid1_is_stopped(lab):
    lab.service("x")
    lab.service("bad", "false", "restart = never")
    lab.start()
    lab.ok("wait", "x")
    lab.await_state("bad", "failed")
    before = lab.status("x")
    events = lab.events()
    lab.sinit.freeze()
    after = lab.status()
    assert after["sinit"]["state"] == "running" and after["sinit"]["pid"] == 1
    assert [s for s in after["services"] if s["name"] == "x"][0]["pid"] == before["pid"]
    assert lab.ctl("status").code == 0
    assert lab.ctl("status", "bad").code == 3
    assert lab.events() == events
    assert "1 failed" in lab.ctl("summary").out
    done = lab.ctl("restart", "x")  # what needs PID 1 says so after its time
    assert done.code == 5 and "alive" in done.err, done
    lab.sinit.kill(signal.SIGCONT)
    lab.ok("ping")


def test_dead_sinit_is_told_from_a_live_one(lab):
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    lab.finish_turn()
    lab.sinit.kill(signal.SIGKILL)
    lab.wait()
    done = lab.ctl("--json", "status")
    found = json.loads(done.out)
    assert done.code == 3
    assert found["sinit"]["state"] == "dead" and found["sinit"]["pid"] is None
    assert found["sinit"]["last_pid"] == 1
    assert "not running" in lab.ctl("status").out
    assert lab.events("x", "start")
    for words in (["restart", "x"], ["ping"], ["reload"], ["wait", "x"], ["shutdown"]):
        assert lab.ctl(*words).code == 3, words
    # What it left is no obstacle to the next one, nor ever taken for that one's: it is removed
    # before the lock is taken, into which a number is written then.
    watch = LIBC.inotify_init1(0)
    LIBC.inotify_add_watch(watch, os.fsencode(lab.run), IN_MODIFY | IN_DELETE)
    lab.start()
    seen = os.read(watch, 65536)
    os.close(watch)
    assert seen.index(b"\0board\0") < seen.index(b"\0lock\0"), seen
    assert lab.status()["sinit"]["state"] == "running"
    assert lab.shutdown() == 0
    found = lab.status()["sinit"]
    assert found["state"] == "gone" and lab.ctl("status").code == 3


def test_second_sinit_is_refused(lab):
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    x, events = lab.status("x")["pid"], lab.events()
    second = subprocess.run(["unshare", *([] if os.geteuid() == 0 else ["-r"]), "--pid", "--fork",
                             "--kill-child=KILL", SINIT, "-c", lab.conf, "-r", lab.run],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=60)
    assert second.returncode == 70
    # From outside of the namespace of the first its number is another; both are right.
    assert any(f"pid {pid})" in second.stdout for pid in (1, lab.sinit.pid)), second.stdout
    assert str(lab.run) in second.stdout
    lab.ok("ping")
    assert lab.status("x")["pid"] == x and lab.events() == events
    assert lab.shutdown() == 0


def test_events_follow(lab):
    """-f tells what happens as it happens, and ends with sinit."""
    lab.service("x")
    lab.start()
    lab.ok("wait", "x")
    follower = subprocess.Popen([SINITCTL, "-r", lab.run, "--json", "events", "-f", "x"],
                                stdout=subprocess.PIPE, text=True)
    seen = []
    reader = threading.Thread(target=lambda: seen.extend(map(json.loads, follower.stdout)))
    reader.start()
    try:
        lab.ok("stop", "x")
        until(lambda: any(event["event"] == "exit" for event in seen))
        lab.ok("start", "x")
        until(lambda: sum(event["event"] == "ready" for event in seen) == 2)
        assert lab.shutdown() == 0
        assert follower.wait(60) in (0, 3)
    finally:
        follower.kill()
        follower.wait()
        reader.join()
    assert [event["seq"] for event in seen] == sorted({event["seq"] for event in seen})
