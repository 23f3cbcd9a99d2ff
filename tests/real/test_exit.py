"""How sinit ends, and what it does with the processes of its namespace."""

import re
import os
import signal
from pathlib import Path

import pytest

from services import (children, descendants, fake_program, index, moment, process_state, sinit, took,
                      until)

__all__ = ["sinit"]


def critical_and_helpers(sinit, **keys):
    """`lead` is critical and needs both helpers, of which `net` needs `disk`."""
    sinit.service("disk")
    sinit.service("net", requires="disk")
    sinit.service("lead", requires="net", critical="yes", restart="never",
                  pre_start=f"sh -c '{sinit.heard('disk', 'net')}'", **keys)


def check_helpers_stopped_in_order(sinit):
    lines = sinit.lines()
    assert index(lines, "net", "TERM") < index(lines, "net", "end") < index(lines, "disk", "TERM")
    assert index(lines, "disk", "TERM") < index(lines, "disk", "end")


def test_P22_exit_code_is_that_of_the_critical_service(sinit):
    critical_and_helpers(sinit, command=sinit.fake("lead", "--lives 200 --code 3"))
    assert sinit.start().wait().code == 3
    check_helpers_stopped_in_order(sinit)


def test_P22_critical_service_killed(sinit):
    critical_and_helpers(sinit, command=sinit.fake(
        "lead", f"--lives 200 --signal {int(signal.SIGKILL)}"))
    assert sinit.start().wait().code == 128 + signal.SIGKILL
    check_helpers_stopped_in_order(sinit)


def test_P24_clean_stop_is_0_and_what_it_leaves_is_no_obstacle(sinit):
    for name in ("a", "b", "c"):
        sinit.service(name)
    sinit.up()
    assert sinit.stop().code == 0
    assert sinit.up().stop().code == 0


def test_P24_start_over_what_a_killed_sinit_has_left(sinit):
    sinit.service("a")
    sinit.up()
    sinit.crash()
    assert (sinit.run / "control").is_fifo(), "the case is about a stale FIFO"
    (sinit.run / "a.pid").write_text("1\n")
    (sinit.run / "reply").mkdir(exist_ok=True)
    sinit.ctl("status", code=3)
    sinit.up()
    sinit.ctl("restart", "a")
    assert sinit.stop().code == 0


def crashing(sinit, **keys):
    sinit.service("good")
    sinit.service("bad", sinit.fake("bad", "--lives 0,0,0,0,0 --code 4"), max_restarts=2,
                  restart_delay="50ms", pre_start=f"sh -c '{sinit.heard('good')}'", **keys)


def test_P25_critical_service_that_used_up_its_restarts_ends_sinit(sinit):
    crashing(sinit, critical="yes")
    assert sinit.start().wait().code == 4
    assert len(sinit.lines("bad", "start")) == 3
    assert [e.what for e in sinit.lines("good")] == ["start", "TERM", "end"]


def test_P25_other_service_that_used_up_its_restarts_stays_failed(sinit):
    crashing(sinit)
    sinit.start()
    bad = sinit.until_state("bad", state="fatal")
    assert "exited 4" in bad["reason"] and bad["ready"] is False
    assert sinit.status("good")["state"] == "running"
    sinit.ctl("health", code=1)
    assert sinit.process.poll() is None
    assert sinit.stop().code == 0


def test_critical_oneshot_that_cannot_be_executed(sinit):
    sinit.service("setup", "/nonexistent/setup", type="oneshot", restart="never", critical="yes")
    assert sinit.start().wait().code not in (0, 78)


def test_critical_service_that_fails_with_what_it_requires(sinit):
    sinit.service("db", sinit.fake("db", "--lives 100 --code 5"), restart="never")
    sinit.service("app", requires="db", critical="yes")
    assert sinit.start().wait().code == 1
    assert not sinit.events("app", "fatal")


@pytest.mark.parametrize("lives", [800, 0])
def test_critical_service_that_is_taken_down_with_what_it_requires(sinit, lives):
    """Directly or not; TERM, which it dies of, is not its exit code."""
    sinit.service("db", sinit.fake("db", f"--lives {lives} --code 5"), restart="never")
    sinit.service("web", requires="db")
    sinit.service("app", "sleep 100001", requires="web", critical="yes")
    assert sinit.start().wait().code == 1
    assert "app: is critical: stopping everything, exit code 1" in sinit.log()


def main_command(sinit, options):
    """A fake, once `a` has started."""
    return sinit.start("sh", "-c", f"{sinit.heard('a')}; exec {sinit.fake('main', options)}")


def test_main_command_ends_everything_with_its_code(sinit):
    sinit.service("a")
    assert main_command(sinit, "--lives 300 --code 7").wait().code == 7
    lines = sinit.lines()
    assert index(lines, "main", "start") < index(lines, "main", "end") < index(lines, "a", "TERM")
    assert sinit.sequence("ready").index(("a", "ready")) < \
        sinit.sequence("ready").index(("main", "ready"))


def test_main_command_runs_where_it_is_told_else_where_sinit_was_started(sinit):
    pwd = ("sh", "-c", f"pwd >>{sinit.directory}/pwd")
    sinit.service("a")
    assert sinit.start(*pwd).wait().code == 0
    (sinit.config / "conf.d/main.ini").write_text("[service main]\nworking_directory = /usr\n")
    assert sinit.start(*pwd).wait().code == 0
    assert (sinit.directory / "pwd").read_text().splitlines() == [os.getcwd(), "/usr"]


def test_main_command_killed(sinit):
    sinit.service("a")
    main = main_command(sinit, f"--lives 300 --signal {int(signal.SIGSEGV)}")
    assert main.wait().code == 128 + signal.SIGSEGV
    assert sinit.lines("a", "end")


# --- reaping

def zombies(pid):
    return [child for child in children(pid) if process_state(child) == "Z"]


def test_P01_5000_orphans_at_once(sinit):
    count = 5000
    sinit.service("stormy", sinit.fake("stormy", f"--orphans {count}"))
    sinit.up()
    pid, before = sinit.pid, sinit.status("stormy")
    sinit.until_lines("stormy", "start")
    sinit.ctl("signal", "stormy", "USR1")
    until(lambda: sinit.ctl("ping") is not None and sinit.lines("stormy", "orphans"), "all are made")
    until(lambda: children(pid) == [] or len(children(pid)) == 1 and not zombies(pid),
          "no zombie is left")
    after = sinit.status("stormy")
    assert (after["pid"], after["life"]) == (before["pid"], 1)

    def reaped():
        return int(re.search(r'"orphans_reaped":(\d+)', sinit.ctl("--json", "status"))[1])
    until(lambda: reaped() >= count, "all are counted")
    assert reaped() == count


def test_P05_helpers_of_restarted_services_are_reaped(sinit):
    sinit.service("pipe", "sh -c 'sleep 10000 & sleep 10001 | cat | cat'", restart="always",
                  restart_delay="0", max_restarts="unlimited")
    sinit.up()
    pid = sinit.pid
    expected = 6  # the service's shell, four of its own (a pipe of three and a helper), sinit

    def is_whole(life):
        return sinit.status("pipe").get("life") == life and \
            sinit.status("pipe")["state"] == "running" and len(descendants(pid)) == expected - 1

    until(lambda: is_whole(1), "all five run")
    for life in range(2, 52):
        sinit.ctl("restart", "--no-wait", "pipe")
        until(lambda: is_whole(life), f"life {life} has five processes, and no other has any")
        assert not zombies(pid)
    for life in range(52, 72):
        sinit.ctl("signal", "pipe", "KILL")
        until(lambda: is_whole(life), f"life {life} has five processes, and no other has any")
    until(lambda: not zombies(pid), "no zombie is left")
    assert len(descendants(pid)) == expected - 1
    assert sinit.stop().code == 0


# --- what services inherit

def masks(text):
    return {key: int(value, 16) for key, value in re.findall(r"^(Sig\w+):\s*(\w+)$", text, re.M)}


def test_P17_service_gets_clean_signals(sinit, tmp_path):
    out = tmp_path / "masks"
    sinit.service("masks", f"sh -c 'exec grep ^Sig /proc/self/status >{out}'", type="oneshot")
    sinit.service("hook", pre_start=f"sh -c 'exec grep ^Sig /proc/self/status >{out}.hook'")
    sinit.up(through=[fake_program(), "--spoil"])
    for path in (out, Path(f"{out}.hook")):
        found = masks(path.read_text())
        assert (found["SigBlk"], found["SigIgn"]) == (0, 0), path
    # And sinit itself hears what it was told to be deaf to.
    assert sinit.stop().code == 0


# --- services that go into the background

@pytest.mark.parametrize("restart", ["always", "on-failure"])
def test_P129_undeclared_daemon(sinit, restart):
    """Its left-overs are stopped before the next life, and the log has the hint."""
    sinit.service("bg", sinit.fake("bg", f"--daemon --lock {sinit.directory}/lock"),
                  restart=restart, restart_delay="200ms", max_restarts=2)
    sinit.start()
    lives = 3 if restart == "always" else 1
    sinit.until_state("bg", state="fatal" if restart == "always" else "stopped")
    # Each life: the parent's end, and TERM for the one that stayed, whose lock is free again.
    steps = [e.what for e in sinit.lines("bg") if e.what != "start"]
    assert steps == ["end", "TERM", "end"] * lives
    assert not sinit.lines("bg", "overlap")
    assert len(sinit.events("bg", "start")) == lives
    assert children(sinit.pid) == []
    assert "foreground" in sinit.log() and "bg" in sinit.log()


# --- the time it takes to end

def test_second_TERM_skips_the_waiting(sinit):
    sinit.service("deaf", sinit.fake("deaf", "--ignore-term"), stop_timeout="1000s")
    sinit.service("base", requires="")
    sinit.up()
    sinit.until_lines("deaf", "start")
    sinit.signal()
    sinit.until_lines("deaf", "TERM")
    assert sinit.process.poll() is None
    sinit.signal()
    assert sinit.wait().code == 0
    assert not sinit.lines("deaf", "end")
    assert "deaf" in sinit.log() and "KILL" in sinit.log()


def test_shutdown_timeout_ends_longer_stop_timeouts(sinit):
    sinit.settings(shutdown_timeout="1500ms")
    sinit.service("deaf", sinit.fake("deaf", "--ignore-term"), stop_timeout="1000s")
    sinit.up()
    sinit.until_lines("deaf", "start")
    before = moment()
    assert sinit.stop().code == 0
    assert sinit.lines("deaf", "TERM")
    assert took(before, sinit.events("deaf", "exit")[0]) >= 1500
