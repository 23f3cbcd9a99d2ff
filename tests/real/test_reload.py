"""Reload: what changed is restarted, once; what did not is left alone."""

import fcntl
import os
import signal
import subprocess
from contextlib import contextmanager

import pytest
from control_lab import SINIT, SINITCTL, SLEEP, lab, until  # noqa: F401
from harness import unless_gone


def lives(lab):
    return {s["name"]: (s["life"], s["pid"], s["restarts"]) for s in lab.status()["services"]}


@contextmanager
def held(program):
    """Whoever executes it waits until the end: a lease, fcntl(2)."""
    fd = os.open(program, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGWINCH)  # is ignored; SIGIO would end the tests
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        yield
    finally:
        os.close(fd)


def argument(lab, name):
    """The last word of its command; none if that life has just ended."""
    return b"".join(lab.process(name).argv()[-1:]).decode()


def test_P73_only_what_changed(lab):
    for name in "abc":
        lab.service(name, "sleep 100001")
    lab.start()
    lab.ok("wait", "*")
    before = lives(lab)
    # restart alone: by the file as the last reload has read it.
    lab.service("a", "sleep 100002")
    lab.ok("restart", "a")
    assert argument(lab, "a") == "100001"
    middle = lives(lab)
    assert middle["a"][0] == before["a"][0] + 1
    # reload: a and c have changed by now; b has not.
    lab.service("c", "sleep 100003")
    lab.ok("reload")
    lab.ok("wait", "*")
    until(lambda: argument(lab, "a") == "100002" and argument(lab, "c") == "100003")
    after = lives(lab)
    assert after["a"][0] == middle["a"][0] + 1
    assert after["c"][0] == before["c"][0] + 1
    assert after["b"] == before["b"]
    # And a restart after the reload is one restart, with the current file.
    lab.ok("restart", "a")
    assert argument(lab, "a") == "100002"
    assert lives(lab)["a"][0] == after["a"][0] + 1
    # Nobody took it for a crash.
    assert not lab.events("a", "backoff") and not lab.events("c", "backoff")


@pytest.mark.parametrize("how", ["sinitctl", "signal"])
def test_P75_added_removed_stopped(lab, how):
    def reload():
        if how == "sinitctl":
            lab.ok("reload")
            return
        count = lab.status()["sinit"]["reloads"]
        lab.sinit.kill(signal.SIGHUP)
        until(lambda: lab.status()["sinit"]["reloads"] > count)

    for name in "wxy":
        lab.service(name, "sleep 100001")
    lab.start()
    lab.ok("wait", "w", "x", "y")
    lab.ok("stop", "y")
    x = lab.process("x")
    lab.remove("x")
    lab.service("z")
    lab.service("y", "sleep 100002")  # changed, but stopped all the same
    before = lives(lab)
    reload()
    lab.ok("wait", "z")
    until(lambda: not x.alive() and "x" not in lives(lab))
    after = lives(lab)
    assert after["w"] == before["w"]
    assert after["y"] == before["y"]
    assert lab.status("y")["state"] == "stopped" and lab.status("y")["stopped_by_hand"]
    # An error: everything stays, and whoever asked sees where it is.
    lab.service("w", "sleep 100003", "nonsense = 1")
    lab.service("v")
    done = lab.ctl("reload")
    assert done.code == 1
    assert "w.ini:3: " in done.err and "nonsense" in done.err, done
    assert lives(lab) == after
    assert argument(lab, "w") == "100001"
    assert lab.status()["sinit"]["reload_errors"] == 1
    assert lab.events(kind="config")
    # The same by the signal: told in the log.
    lab.sinit.kill(signal.SIGHUP)
    until(lambda: lab.status()["sinit"]["reload_errors"] == 2)
    until(lambda: "w.ini:3: " in lab.messages())
    assert '{"' not in lab.messages()
    for i in range(3):
        lab.service(f"bad{i}", SLEEP, "nonsense = 1")
    lab.sinit.kill(signal.SIGHUP)
    until(lambda: all(f"bad{i}.ini:3: " in lab.messages() for i in range(3)))
    for i in range(3):
        lab.remove(f"bad{i}")
    assert lives(lab) == after
    # And with the fault mended it all goes on.
    lab.service("w", "sleep 100003")
    lab.ok("reload")
    lab.ok("wait", "v", "w")
    until(lambda: argument(lab, "w") == "100003")


def test_P75_settings_of_sinit_hold_after_a_reload(lab):
    lab.service("w")
    lab.start()
    lab.ok("wait", "w")
    lab.sinit_ini("log_level = error")
    lab.ok("reload")
    size = len(lab.messages())
    lab.ok("restart", "w")
    assert len(lab.messages()) == size  # nothing of it is an error
    lab.sinit_ini(f"log_target = {lab.base}/other")
    lab.ok("reload")
    lab.ok("restart", "w")
    until(lambda: "w: started" in unless_gone((lab.base / "other").read_text, gone=""))


@pytest.mark.parametrize("gone", ["all", "conf.d"])
def test_P75_a_configuration_that_has_gone_is_an_error(lab, gone):
    """A volume that is not mounted any more, a slip of the pen: nothing is stopped for it."""
    lab.service("w")
    lab.start()
    lab.ok("wait", "w")
    before = lives(lab)
    place = lab.conf if gone == "all" else lab.conf / "conf.d"
    place.rename(lab.base / "away")
    done = lab.ctl("reload")
    assert done.code == 1, done
    assert ("no sinit.ini" if gone == "all" else "no service is configured") in done.err
    assert lives(lab) == before
    assert subprocess.run([SINIT, "-c", lab.base / "nothing", "--check"],
                          stderr=subprocess.DEVNULL).returncode == 78
    (lab.base / "away").rename(place)
    lab.ok("reload")
    assert lives(lab) == before


def test_a_removed_service_says_so(lab):
    lab.service("w")
    lab.service("x")
    lab.start()
    lab.ok("wait", "w", "x")
    lab.remove("x")
    lab.ok("reload")
    until(lambda: "x: stopped: removed from the configuration" in lab.messages())


def test_P75_every_error_is_answered(lab):
    lab.service("w")
    lab.start()
    for i in range(20):
        lab.service(f"bad{i}", SLEEP, "nonsense = 1")
    done = lab.ctl("reload")
    assert done.code == 1
    for i in range(20):
        assert f"bad{i}.ini:3: " in done.err
    assert lab.pids().keys() == {"w"}


def test_P76_nothing_changed(lab):
    lab.service("a")
    lab.service("b", SLEEP, "requires = a")
    lab.service("c", SLEEP, "wants = b", "restart_with = a")
    lab.service("d", "true", "type = oneshot", "before = a")
    lab.service("e", SLEEP, "after = a d")
    lab.start()
    lab.ok("wait", "*")
    before = lives(lab)
    last = lab.events()[-1]["seq"]
    for i in range(20):
        for name in "abcde":
            path = lab.conf / "conf.d" / f"{name}.ini"
            path.write_text(path.read_text() + f"; change {i} of no meaning\n")
        lab.ok("reload")
        assert all(s["ready"] for s in lab.status()["services"])
    assert lives(lab) == before
    since = [event for event in lab.events() if event["seq"] > last]
    assert {event["event"] for event in since} == {"reload"} and len(since) == 20, since


def test_changes_in_place(lab):
    """What only matters for the next start or stop is taken over without a restart."""
    lab.service("a", SLEEP, "stop_timeout = 10s", "priority = 50")
    lab.service("b")
    lab.start()
    lab.ok("wait", "*")
    before = lives(lab)
    lab.service("a", SLEEP, "stop_timeout = 7s", "priority = 10", "restart = always",
                "requires = b", "description = new")
    lab.ok("reload")
    assert lives(lab) == before
    assert "7s" in lab.ok("show", "a").out
    lab.process("a").kill(signal.SIGTERM)  # the new policy is in force
    until(lambda: lives(lab)["a"][0] == before["a"][0] + 1)


def test_reload_while_it_stops_slowly(lab):
    """Changes that come faster than a service stops: one life at a time, the newest wins."""
    script = lab.script("slow", "#!/bin/sh\ntrap 'sleep 0.3; exit 0' TERM\n"
                                "echo $1 >>$0.lives\nwhile :; do sleep 0.05; done\n")
    lab.service("a", f"{script} 0")
    lab.start()

    def begun():  # its trap is set by then
        return unless_gone((lab.base / "slow.lives").read_text, gone="").split()
    until(begun, "the first")
    for i in range(1, 6):
        lab.service("a", f"{script} {i}")
        lab.ok("reload")
    until(lambda: lab.status("a")["state"] == "running" and argument(lab, "a") == "5")
    seen = until(lambda: (found := begun())[-1] == "5" and found, "the last has begun")
    assert seen[0] == "0" and seen[-1] == "5" and len(seen) == len(set(seen)), seen


def test_disabled_by_reload(lab):
    lab.service("a")
    lab.service("off", SLEEP, "enabled = no")
    lab.start()
    lab.ok("wait", "a")
    assert lab.status("off")["state"] == "stopped"
    lab.service("off", SLEEP)
    lab.service("a", SLEEP, "enabled = no")
    lab.ok("reload")
    lab.ok("wait", "off")
    assert lab.ctl("wait", "a", "--stopped", "--timeout", "30s").code == 0


def test_reload_in_the_middle_of_others(lab):
    """Many ask at once: each gets an answer, and the last state of the files is in force."""
    lab.service("a", "sleep 100001")
    lab.start()
    lab.service("a", "sleep 100002")
    asked = [subprocess.Popen([SINITCTL, "-r", lab.run, "reload"], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE) for _ in range(6)]
    for one in asked:
        _, said = one.communicate(timeout=60)
        assert one.returncode == 0, said
    until(lambda: lab.status("a")["state"] == "running" and argument(lab, "a") == "100002")


@pytest.mark.release_only  # sanitizers keep memory that was given back for a while
def test_P122_flat(lab):
    """300 reloads of which each changes, adds and removes, and 300 restarts."""
    for i in range(5):
        lab.service(f"s{i}")

    def reload():
        """Refused as long as too many services of earlier configurations are still being stopped."""
        def done():
            answer = lab.request("reload")[-1]
            assert answer == {"result": "ok"} or "try again" in answer["message"], answer
            return answer == {"result": "ok"}
        until(done, "a reload")

    def reloads(first, count):
        for i in range(first, first + count):
            lab.service("changing", f"sleep {100000 + i}", f"environment = V={'x' * (i % 50)}")
            if i % 2:
                lab.service("coming", SLEEP)
            else:
                lab.remove("coming")
            reload()

    def restarts(count):
        for i in range(count):
            assert lab.request("restart", f"s{i % 5}")[-1] == {"result": "ok"}

    def measure():
        until(lambda: all(s["state"] == "running" for s in lab.status()["services"]))
        # Not VmRSS: the board's ring of events, which is there from the start, fills up.
        sizes = [int(lab.sinit.status(key).split()[0]) for key in ("VmSize", "RssAnon")]
        return *sizes, len(lab.sinit_fds())

    lab.service("coming")
    lab.start()
    reloads(1, 31)
    restarts(30)
    lab.service("coming")
    reload()
    lab.ok("wait", "*")
    size, anon, fds = measure()
    reloads(32, 300)
    restarts(300)
    size_after, anon_after, fds_after = measure()
    assert fds_after == fds, lab.sinit_fds()
    # KiB. Each image that were not given back would be 4 or more, and one more mapping.
    assert abs(size_after - size) <= 64, (size, size_after)
    assert abs(anon_after - anon) <= 32, (anon, anon_after)
    until(lambda: lab.sinit.status("State")[0] == "S")
    assert not list((lab.run / "reply").iterdir())


def test_exec_that_took_long(lab):
    """sinit asks ever more seldom for an exec that hangs; a reload meets what is, all the same."""
    program, ran = lab.base / "program", lab.base / "ran"
    program.write_text(f"#!/bin/sh\necho >{ran}\nexec {SLEEP}\n")
    program.chmod(0o755)
    lab.service("slow", str(program), "start_timeout = 60s")
    lab.service("clock", "sleep 1", "type = oneshot")
    with held(program):
        lab.start()
        lab.ok("wait", "clock")
        assert lab.status("slow")["state"] == "starting" and not ran.exists()
    until(ran.exists, "it runs")
    before = lives(lab)["slow"]
    lab.service("slow", str(program), "start_timeout = 60s", "stop_timeout = 1s")
    lab.ok("reload")
    lab.ok("wait", "slow")
    assert lives(lab)["slow"] == before and not lab.events("slow", "stopping")
