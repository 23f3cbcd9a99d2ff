"""Who starts when, who waits for whom, and what a failure means to others."""

import os
import subprocess

import pytest

from services import SINIT, index, moment, sinit, took, until

__all__ = ["sinit"]

STOPPED = "waiting for db, which is stopped: sinitctl start db"


def states(sinit):
    return {name: service["state"] for name, service in sinit.status().items()}


def test_P51_starts_after_the_service_it_requires_runs(sinit):
    """pre_start holds db back for a while: `after` must mean ready, not spawned."""
    sinit.service("app", requires="db")
    sinit.service("db", pre_start=sinit.fake("db.pre", "--lives 700 --code 0"))
    sinit.up()
    sequence = sinit.sequence("start", "ready")
    assert sequence == [("db", "start"), ("db", "ready"), ("app", "start"), ("app", "ready")]
    sinit.until_lines("app", "start")
    lines = sinit.lines()
    assert index(lines, "db.pre", "end") < index(lines, "app", "start")


def test_P51_starts_after_the_oneshot_it_requires_is_done(sinit):
    sinit.service("app", requires="setup")
    sinit.service("fan", wants="setup")
    sinit.service("late", after="setup")
    sinit.service("early", before="setup")
    sinit.service("setup", sinit.fake("setup", "--lives 700 --code 0"), type="oneshot")
    sinit.up()
    sequence = sinit.sequence("start", "ready", "done")
    assert sequence[:3] == [("early", "start"), ("early", "ready"), ("setup", "start")]
    assert sequence[3] == ("setup", "done")
    sinit.until_lines("app", "start")
    lines = sinit.lines()
    assert index(lines, "setup", "end") < index(lines, "app", "start")


def test_P52_dependent_waits_for_a_dependency_that_recovers(sinit):
    # A oneshot fails until its third run, which ends well, and not before app was seen to wait.
    seen = sinit.directory / "seen"
    sinit.service("db", f"sh -c 'test -e {sinit.directory}/2 && until test -e {seen}; do sleep 0.02; "
                  f"done && exit 0; test -e {sinit.directory}/1 && touch {sinit.directory}/2; "
                  f"touch {sinit.directory}/1; exit 1'", type="oneshot", restart_delay="300ms")
    sinit.service("app", requires="db")
    sinit.start()
    until(lambda: "db" in (sinit.status("app").get("reason") or ""), "app waits for db")
    seen.touch()
    sinit.until_state("app", state="running")
    assert sinit.sequence("start", "done", "failed", "fatal") == [
        ("db", "start")] * 3 + [("db", "done"), ("app", "start")]


def test_P52_dependent_gives_up_when_the_dependency_does(sinit):
    sinit.service("db", "sh -c 'exit 1'", type="oneshot", max_restarts=2, restart_delay="200ms")
    sinit.service("app", requires="db")
    sinit.start()
    app = sinit.until_state("app", state="failed")
    assert app["cause"] == "dependency" and "db" in app["reason"]
    sequence = sinit.sequence("start", "fatal", "failed")
    assert sequence == [("db", "start")] * 3 + [("db", "fatal"), ("app", "failed")]


def test_P52_dependent_recovers_with_the_dependency(sinit):
    sinit.service("db", f"sh -c 'test -e {sinit.directory}/good'", type="oneshot", restart="never")
    sinit.service("app", requires="db")
    sinit.start()
    sinit.until_state("app", state="failed")
    (sinit.directory / "good").touch()
    sinit.ctl("start", "db")
    sinit.until_state("app", state="running")


def test_P55_failure_of_a_dependency_is_told_by_name(sinit):
    sinit.service("db", sinit.fake("db", "--lives 0,0,0,0,0"), type="oneshot", max_restarts=2,
                  restart_delay="50ms")
    sinit.service("app", requires="db")
    sinit.service("web", requires="app")
    sinit.service("log", wants="db")
    sinit.start()
    sinit.until_state("log", state="running")
    sinit.until_state("web", state="failed")
    assert states(sinit) == {"db": "fatal", "app": "failed", "web": "failed", "log": "running"}
    status = sinit.status()
    assert "required service db has failed or ended" in status["app"]["reason"]
    assert "required service app has failed or ended" in status["web"]["reason"]
    assert [status[name]["blocker"] for name in ("app", "web")] == ["db", "app"]
    assert not sinit.lines("app") and not sinit.lines("web")
    sequence = sinit.sequence("start", "fatal")
    assert index(sequence, "db", "fatal") < index(sequence, "log", "start")
    sinit.ctl("wait", "app", "--ready", "--timeout", "50s", code=1)


def test_P55_a_dependency_that_ended_well_is_no_reason_to_wait_for_ever(sinit):
    """db ends by itself, and is not restarted: a dependent that runs goes on, one that is
    started later is told that there is nothing to wait for, and comes back with it."""
    sinit.service("db", sinit.fake("db", "--lives 1000,100000 --code 0"))
    sinit.service("app", requires="db")
    sinit.service("late", requires="db", enabled="no")
    sinit.start()
    sinit.until_state("app", state="running")
    sinit.until_state("db", state="stopped")
    assert sinit.status("app")["state"] == "running" and not sinit.lines("app", "TERM")
    sinit.ctl("signal", "app", "KILL")
    app = sinit.until_state("app", state="failed")
    assert app["cause"] == "dependency"
    assert "required service db has failed or ended" in app["reason"]
    sinit.ctl("start", "late")  # starts what it needs, and that brings the other one back
    sinit.until_state("app", state="running")
    assert sinit.status("db")["state"] == "running"


def test_start_of_what_waits_for_a_stopped_service_ends_at_once(sinit):
    sinit.service("db")
    sinit.service("app", requires="db")
    sinit.up()
    sinit.ctl("stop", "db")
    sinit.ctl("start", "app", code=1, limit=30)
    assert sinit.status("app")["reason"] == STOPPED
    sinit.ctl("start", "db")
    sinit.until_state("app", state="running")


def test_restart_starts_what_is_needed(sinit):
    sinit.service("db", sinit.fake("db", "--lives 1000,100000 --code 0"))
    sinit.service("app", requires="db")
    sinit.start()
    sinit.until_state("app", state="running")
    sinit.until_state("db", state="stopped")
    sinit.ctl("restart", "app")
    assert sinit.status("db")["state"] == "running"


def test_P55_running_dependents_stop_when_the_dependency_is_fatal(sinit):
    """Its first life is good enough to let app start."""
    sinit.service("db", sinit.fake("db", "--lives -,0,0,0"), max_restarts=1, restart_delay="50ms")
    sinit.service("app", requires="db")
    sinit.service("log", wants="db")
    sinit.up()
    sinit.ctl("signal", "db", "KILL")
    sinit.until_state("db", state="fatal")
    app = sinit.until_state("app", state="failed")
    assert app["cause"] == "dependency" and "db" in app["reason"]
    assert sinit.lines("app", "TERM") and not sinit.lines("log", "TERM")
    assert sinit.status("log")["state"] == "running"


# --- stops go through to the last dependent

def chain(sinit, **db):
    """db <- web <- top, and one that only wants web."""
    sinit.service("db", **db)
    sinit.service("web", requires="db")
    sinit.service("top", requires="web")
    sinit.service("soft", wants="web")


def exits(sinit):
    return [event["service"] for event in sinit.events(None, "exit")]


@pytest.mark.parametrize("probe", ["", "readiness", "startup"])
def test_a_stop_takes_down_whoever_requires_it_directly_or_not(sinit, probe):
    chain(sinit)
    if probe:
        (sinit.config / "conf.d/probe.ini").write_text(
            f"[{probe} web]\ncheck = process\ninterval = 100ms\n")
    sinit.up()
    before = {name: service["pid"] for name, service in sinit.status().items()}
    sinit.ctl("stop", "db")
    assert exits(sinit) == ["top", "web", "db"]
    for name in ("web", "top"):
        assert not sinit.until_state(name, state="waiting", reason=STOPPED)["ready"]
    assert sinit.status("soft")["pid"] == before["soft"]
    # What cannot come is not waited for.
    sinit.ctl("start", "top", code=1, limit=30)
    sinit.ctl("start", "db")
    sinit.until_state(ready=True)
    after = {name: service["pid"] for name, service in sinit.status().items()}
    assert all(after[name] != before[name] for name in ("db", "web", "top"))
    sequence = sinit.sequence("ready")[-3:]
    assert [name for name, _ in sequence] == ["db", "web", "top"]


def test_a_reload_that_disables_it_takes_them_down_too(sinit):
    chain(sinit)
    sinit.up()
    sinit.service("db", enabled="no")
    sinit.ctl("reload")
    sinit.until_state("top", state="waiting")
    sinit.until_state("db", state="stopped")
    assert exits(sinit) == ["top", "web", "db"]


def test_a_failure_for_good_takes_down_the_last_dependent_first(sinit):
    chain(sinit, restart="never")
    sinit.up()
    sinit.ctl("signal", "db", "KILL")
    sinit.until_state("top", state="failed")
    assert exits(sinit) == ["db", "top", "web"]
    assert sinit.status("top")["blocker"] == "web"
    assert "required service web" in sinit.status("top")["reason"]
    assert sinit.status("soft")["state"] == "running"


def test_a_restart_leaves_those_who_require_it_alone(sinit):
    chain(sinit)
    sinit.up()
    sinit.ctl("restart", "db")
    sinit.service("db", description="new", environment="A=1")
    sinit.ctl("reload")
    sinit.until_state("db", state="running", life=3)
    assert all(sinit.status(name)["life"] == 1 for name in ("web", "top", "soft"))


def test_a_stop_by_hand_is_no_matter_to_what_a_finished_oneshot_was_for(sinit):
    """What it required does not undo what it has done."""
    sinit.service("db")
    sinit.service("setup", "true", type="oneshot", requires="db")
    sinit.service("top", requires="setup")
    sinit.up()
    sinit.ctl("stop", "db")
    assert sinit.status("top")["state"] == "running" and sinit.status("setup")["ready"]


# --- cycles

def check(sinit):
    return subprocess.run([SINIT, "-c", sinit.config, "--check"], capture_output=True, text=True,
                          env={**os.environ, "LC_ALL": "C"})


def test_P56_cycles_are_told_by_names_and_files_before_anything_runs(sinit):
    sinit.service("a", requires="b")
    sinit.service("b", wants="c")
    sinit.service("c", requires="a")
    sinit.service("self", requires="self")
    sinit.service("d")
    done = check(sinit)
    assert done.returncode == 78
    assert sinit.start().wait().code == 78
    for text in (done.stderr, sinit.log()):
        cycle = [line for line in text.splitlines() if "->" in line and "self" not in line]
        assert len(cycle) == 1 and cycle[0].count("->") == 3
        assert ".ini:" in cycle[0] and all(f" {name} " in f" {cycle[0].split(': ')[-1]} "
                                           for name in "abc")
        assert [line for line in text.splitlines() if "self.ini:" in line]
    assert not sinit.lines(), "nothing ran"


def test_P56_orders_alone_are_no_cycle(sinit):
    sinit.service("a", after="b")
    sinit.service("b", after="c")
    sinit.service("c", after="a")
    assert check(sinit).returncode == 0
    sinit.up()
    assert set(states(sinit).values()) == {"running"}


# --- init steps

def test_P58_slow_oneshot_without_a_timeout_set(sinit):
    sinit.service("app", requires="setup",
                  command=f"sh -c 'cat {sinit.directory}/made && exec {sinit.fake('app')}'")
    sinit.service("setup", f"sh -c 'sleep 7; touch {sinit.directory}/made'", type="oneshot")
    before = moment()
    sinit.up()
    done, start = sinit.events("setup", "done")[0], sinit.events("app", "start")[0]
    assert done["seq"] < start["seq"]
    assert took(before, done) >= 7000
    assert sinit.status("app")["life"] == sinit.status("setup")["life"] == 1


def test_P58_slow_oneshot_with_a_timeout(sinit):
    sinit.service("app", requires="setup")
    sinit.service("setup", sinit.fake("setup", "--lives 60000"), type="oneshot",
                  start_timeout="2s", restart="never")
    before = moment()
    sinit.start()
    setup = sinit.until_state("setup", state="failed")
    assert setup["cause"] == "start-timeout" and "start_timeout" in setup["reason"]
    told = [line for line in sinit.log().splitlines() if "start_timeout" in line]
    assert told and all(" setup: " in line for line in told)
    assert took(before, sinit.events("setup", "stop")[0]) >= 2000
    assert sinit.until_state("app", state="failed")["blocker"] == "setup"
    assert not sinit.lines("app")


# --- priority

def test_priority_is_the_order_among_those_that_may_start(sinit):
    for name, priority in (("late", 90), ("mid", 50), ("first", 10), ("last", 100)):
        sinit.service(name, priority=priority)
    # What is required goes first, whatever its priority.
    sinit.service("needy", priority=1, requires="last")
    sinit.up()
    # By the order of births: on a busy machine the exec of one may be told of after the next one's.
    starts = sorted(sinit.events(None, "start"), key=lambda event: event["pid"])
    assert [e["service"] for e in starts] == ["first", "mid", "late", "last", "needy"]
    assert sinit.stop().code == 0
    stops = [name for name, _ in sinit.sequence("stop")]
    assert stops == ["needy", "last", "late", "mid", "first"]


# --- stops by hand

def test_stop_by_hand_outlives_sinit(sinit):
    sinit.service("a", restart="always")
    sinit.service("b")
    sinit.service("c", wants="a")
    sinit.up()
    sinit.ctl("stop", "a")
    assert (sinit.state / "stopped/a").exists()
    assert sinit.stop().code == 0

    sinit.start()
    sinit.until_state("b", state="running")
    sinit.until_state("c", state="running")
    a = sinit.status("a")
    assert (a["state"], a["stopped_by_hand"], a["life"]) == ("stopped", True, 0)
    assert "by hand" in a["reason"]
    sinit.service("a", restart="always", description="changed")
    sinit.ctl("reload")
    sinit.crash()

    sinit.start()
    sinit.until_state("c", state="running")
    assert sinit.status("a")["state"] == "stopped"
    sinit.ctl("start", "a")
    assert not (sinit.state / "stopped/a").exists()
    assert sinit.stop().code == 0

    sinit.up()
    assert sinit.status("a")["state"] == "running"


def test_stop_by_hand_holds_dependents_until_the_start(sinit):
    sinit.service("db")
    sinit.service("app", requires="db")
    sinit.up()
    sinit.ctl("stop", "db")
    assert sinit.stop().code == 0
    sinit.start()
    sinit.until_state("app", state="waiting", reason=STOPPED)
    sinit.ctl("start", "db")
    sinit.until_state("app", state="running")


def test_disabled_service_starts_only_by_hand_or_need(sinit):
    sinit.service("off", enabled="no")
    sinit.service("needed", enabled="no")
    sinit.service("app", requires="needed")
    sinit.start()
    sinit.until_state("app", state="running")
    assert states(sinit) == {"off": "stopped", "needed": "running", "app": "running"}
    sinit.ctl("start", "off")
    assert sinit.status("off")["state"] == "running"


def test_one_order_starts_what_waits_for_each_other(sinit):
    """None of them is told that it waits for one which is stopped: that one is started, too."""
    sinit.service("db")
    sinit.service("web", requires="db")
    sinit.service("top", requires="web")
    sinit.up()
    for words in (["*"], ["top", "web", "db"], ["db", "web", "top"]) * 3:
        sinit.ctl("stop", "*")
        sinit.ctl("start", *words)  # exit code 0
        assert states(sinit) == {"db": "running", "web": "running", "top": "running"}
