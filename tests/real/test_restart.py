"""Restarts: delays, limits, windows, by which causes, and what they take along.

P49 (the wall clock jumps) needs a kernel of its own and is not here."""

import signal
import time

import pytest

from services import LIMIT, cpu_seconds, index, moment, now, sinit, took, until, whats

__all__ = ["sinit"]

ALWAYS_CRASHES = "--lives " + ",".join(["0"] * 40)


def delays(sinit, name):
    """But for those of a birth that had to wait for others, whose execs a busy machine delays."""
    return [e["delay_ms"] for e in sinit.events(name, "backoff") if e["cause"] != "resources"]


def test_P40_back_off_follows_the_formula(sinit):
    sinit.service("db", sinit.fake("db", "--lives 0,0,0,0,0,0,0"), restart_delay="200ms",
                  backoff_multiplier=2, max_backoff="2s")
    sinit.start()
    sinit.until_lines("db", "start", 8)
    expected = [200, 400, 800, 1600, 2000, 2000, 2000]
    assert delays(sinit, "db") == expected
    ends, starts = sinit.lines("db", "end"), sinit.lines("db", "start")
    gaps = [start.time - end.time for end, start in zip(ends, starts[1:])]
    assert all(gap >= delay for gap, delay in zip(gaps, expected)), gaps
    assert sum(gaps) < sum(expected) + LIMIT * 1000
    assert sinit.status("db")["restarts"] == 7


def test_P40_jitter_stays_in_its_bounds(sinit):
    for i in range(10):
        sinit.service(f"s{i}", sinit.fake(f"s{i}", "--lives 0,0"), restart_delay="100ms",
                      backoff_multiplier=1, backoff_jitter="50%")
    sinit.start()
    for i in range(10):
        sinit.until_lines(f"s{i}", "start", 3)
    found = [delay for i in range(10) for delay in delays(sinit, f"s{i}")]
    assert len(found) == 20 and all(50 <= delay <= 150 for delay in found)
    assert len(set(found)) > 5, "they are spread"


CRASHES = dict(restart_delay="50ms", max_backoff="10s", max_restarts=5, min_uptime="2s")


def test_P42_good_run_resets_delay_and_budget(sinit):
    sinit.service("app", sinit.fake("app", "--lives 0,0,0,0,3000,0,0,0,0,0,0"), **CRASHES)
    sinit.start()
    sinit.until_state("app", state="fatal")
    assert delays(sinit, "app") == [50, 100, 200, 400, 50, 100, 200, 400, 800]
    assert len(sinit.lines("app", "start")) == 4 + 1 + 5
    good = sinit.lines("app", "start")[4], sinit.lines("app", "end")[4]
    assert good[1].time - good[0].time >= 3000


def test_P42_without_a_good_run_nothing_is_reset(sinit):
    """min_uptime is just missed, time and again."""
    sinit.service("app", sinit.fake("app", "--lives " + ",".join(["300"] * 8)),
                  **{**CRASHES, "min_uptime": "100s"})
    sinit.start()
    sinit.until_state("app", state="fatal")
    assert delays(sinit, "app") == [50, 100, 200, 400, 800]
    assert len(sinit.lines("app", "start")) == 6


def test_P43_the_limit_counts_restarts(sinit):
    sinit.service("app", sinit.fake("app", f"{ALWAYS_CRASHES} --code 9"), max_restarts=3,
                  restart_delay="20ms")
    sinit.start()
    app = sinit.until_state("app", state="fatal")
    assert len(sinit.lines("app", "start")) == 1 + 3
    assert (app["restarts"], app["last_exit"]["code"], app["want"]) == (3, 9, "up")
    assert "limit" in app["reason"] and "exited 9" in app["reason"]
    assert [e for _, e in sinit.sequence("start", "restart", "fatal")] == \
        ["start"] + ["restart", "start"] * 3 + ["fatal"]


def test_P43_old_restarts_leave_the_window(sinit):
    """At most one back-off lies in any 300 ms, so a limit of 2 is never reached."""
    sinit.service("app", sinit.fake("app", "--lives " + ",".join(["0"] * 6)), max_restarts=2,
                  restart_window="300ms", restart_delay="400ms", backoff_multiplier=1)
    sinit.start()
    sinit.until_lines("app", "start", 7)
    assert sinit.until_state("app", state="running")["restarts"] == 6


def test_P43_reset_and_start_give_a_full_budget(sinit):
    sinit.service("app", sinit.fake("app", ALWAYS_CRASHES), max_restarts=1, restart_delay="20ms")
    sinit.start()
    sinit.until_state("app", state="fatal")
    sinit.ctl("reset", "app")
    assert sinit.status("app")["state"] == "stopped" and sinit.status("app")["restarts"] == 0
    sinit.ctl("start", "app", code=None)
    sinit.until_event("app", "fatal", 2)
    assert len(sinit.lines("app", "start")) == 4


def test_P45_missing_program_disturbs_nobody(sinit):
    sinit.service("bad", "/nonexistent/daemon", restart_delay="0", max_restarts="unlimited",
                  restart="always", backoff_multiplier=1)
    sinit.service("good1", after="bad")
    sinit.service("good2", wants="bad", after="good1")
    sinit.start()
    for name in ("good1", "good2"):
        sinit.until_state(name, state="running")
    bad = sinit.until_state("bad", state="backoff")
    assert bad["error"]["errno"] == 2 and bad["cause"] == "spawn" and bad["last_exit"] is None
    pid, began, used = sinit.pid, now(), cpu_seconds(sinit.pid)
    lines = sinit.log().count("\n")
    tries = sinit.status("bad")["life"]
    answers = []
    while now() < began + 4000 or sinit.status("bad")["life"] < tries + 5:
        at = now()
        sinit.ctl("ping")
        answers.append(now() - at)
        assert now() < began + LIMIT * 1000
        time.sleep(0.1)
    seconds = (now() - began) / 1000
    assert min(answers) < 200
    assert (cpu_seconds(pid) - used) / seconds < 0.05
    assert (sinit.log().count("\n") - lines) / seconds < 5
    assert sinit.stop().code == 0


@pytest.mark.parametrize("restart", ["always", "on-failure"])
@pytest.mark.parametrize("name", ["KILL", "TERM", "SEGV"])
def test_P46_death_by_signal_is_a_failure(sinit, restart, name):
    """From outside, and TERM as well: sinit has not asked for it."""
    sinit.service("app", "sleep 10000", restart=restart, restart_delay="10ms")
    sinit.up()
    sinit.ctl("signal", "app", name)
    sinit.until_event("app", "restart")
    app = sinit.until_state("app", state="running", life=2)
    number = getattr(signal, f"SIG{name}")
    assert app["last_exit"]["signal"] == number and name in app["reason"]
    assert sinit.events("app", "exit")[0]["signal"] == number
    assert sinit.events("app", "backoff")[0]["delay_ms"] == 10


@pytest.mark.parametrize("restart,code,state", [
    ("always", 0, "running"), ("on-failure", 0, "stopped"), ("never", 0, "stopped"),
    ("always", 1, "running"), ("on-failure", 1, "running"), ("never", 1, "failed"),
    ("on-failure", 42, "stopped"), ("never", 42, "stopped")])
def test_policies(sinit, restart, code, state):
    sinit.service("app", sinit.fake("app", f"--lives 0 --code {code}"), restart=restart,
                  restart_delay="10ms", success_exit_codes="0 42")
    sinit.start()
    lives = 2 if state == "running" else 1
    sinit.until_state("app", state=state, life=lives)
    sinit.until_lines("app", "start", lives)
    assert len(sinit.events("app", "exit")) == 1
    # A restart that ought not to be would be due before the shutdown's event.
    assert sinit.stop().code == 0
    assert len(sinit.events("app", "start")) == lives


def test_start_timeout_counts_as_a_failure(sinit):
    sinit.service("setup", sinit.fake("setup", "--lives 60000,0 --code 0"), type="oneshot",
                  start_timeout="3s", restart_delay="10ms")
    before = moment()
    sinit.start()
    sinit.until_state("setup", state="done", life=2)
    exits = sinit.events("setup", "exit")
    assert [e["code"] for e in exits] == [0, 0], "its TERM's code does not make it good"
    assert sinit.events("setup", "backoff")[0]["cause"] == "start-timeout"
    start, term = sinit.lines("setup", "start")[0], sinit.lines("setup", "TERM")[0]
    assert took(before, sinit.events("setup", "stop")[0]) >= 3000
    assert start.time < term.time


# --- P50: requests that meet each other

def check_one_at_a_time(sinit, name):
    """Each life ended before the next began, which goes on."""
    until(lambda: whats(sinit.lines(name, "start", "end"))[-1:] == ["start"], "the last one has begun")
    assert not sinit.lines(name, "overlap")
    found = whats(sinit.lines(name, "start", "end"))
    assert found == ["start", "end"] * (len(found) // 2) + ["start"]


def test_P50_twenty_restarts_at_once(sinit):
    sinit.service("app", sinit.fake("app", f"--stop-delay 1000 --lock {sinit.directory}/lock"),
                  stop_timeout="50s")
    sinit.up()
    sinit.until_lines("app", "start")
    clients = [sinit.ctl_later("restart", "app") for _ in range(20)]
    assert [client.wait(LIMIT) for client in clients] == [0] * 20
    app = sinit.until_state("app", state="running")
    check_one_at_a_time(sinit, "app")
    assert 2 <= app["life"] <= 21 and app["restarts"] == 0
    sinit.ctl("restart", "app")
    assert sinit.until_state("app", state="running")["life"] == app["life"] + 1


def test_P50_restarts_while_it_waits(sinit):
    asked = sinit.directory / "asked"
    sinit.service("db", f"sh -c 'until test -e {asked}; do sleep 0.02; done'", type="oneshot")
    sinit.service("app", sinit.fake("app", f"--lock {sinit.directory}/lock"), requires="db")
    sinit.start()
    sinit.until_state("app", state="waiting")
    clients = [sinit.ctl_later("restart", "app") for _ in range(20)]
    time.sleep(1)  # most ask while it waits; whoever is later meets a life, which is as well
    asked.touch()
    assert [client.wait(LIMIT) for client in clients] == [0] * 20
    sinit.until_state("app", state="running")
    check_one_at_a_time(sinit, "app")
    assert sinit.sequence("start", "done")[:2] == [("db", "start"), ("db", "done")]
    sinit.ctl("stop", "app")
    assert sinit.status("app")["state"] == "stopped"


def test_P50_stop_during_a_restart_wins_and_start_during_a_stop_too(sinit):
    sinit.service("app", sinit.fake("app", f"--stop-delay 2500 --lock {sinit.directory}/lock"))
    sinit.up()
    sinit.until_lines("app", "start")
    sinit.ctl("restart", "--no-wait", "app")
    sinit.until_lines("app", "TERM")
    sinit.ctl("stop", "app")
    assert sinit.status("app")["state"] == "stopped" and len(sinit.lines("app", "start")) == 1
    sinit.ctl("start", "app")
    sinit.until_lines("app", "start", 2)
    sinit.ctl("stop", "--no-wait", "app")
    sinit.until_lines("app", "TERM", 2)
    sinit.ctl("start", "app")
    sinit.until_lines("app", "start", 3)
    check_one_at_a_time(sinit, "app")


# --- restart_with

def test_restart_with_follows_a_restart_and_a_crash(sinit):
    sinit.service("db", restart_delay="10ms")
    sinit.service("app", requires="db", restart_with="db", restart_delay="10ms")
    sinit.service("other", requires="db")
    sinit.up()
    for name in ("db", "app", "other"):
        sinit.until_lines(name, "start")
    for life, (verb, *words) in enumerate([("restart", "db"), ("signal", "db", "KILL")], 2):
        sinit.ctl(verb, *words)
        app = sinit.until_state("app", state="running", life=life)
        assert (app["cause"], app["restarts"]) == ("restart-with", 0)
        sequence = sinit.sequence("start", "ready", "exit")
        # app goes on until db is back, and then begins anew.
        assert index(sequence, "db", "ready", life - 1) < index(sequence, "app", "exit", life - 2) \
            < index(sequence, "app", "start", life - 1)
    assert sinit.status("other")["life"] == 1


def test_restart_with_reaches_each_once(sinit):
    """A chain and a second way to the same end."""
    sinit.service("a")
    sinit.service("b", restart_with="a", requires="a")
    sinit.service("c", restart_with="a b", requires="b")
    sinit.service("d", restart_with="c")
    sinit.up()
    sinit.ctl("restart", "a")
    sinit.until_state(state="running", life=2)
    assert sinit.stop().code == 0
    assert [len(sinit.events(name, "start")) for name in "abcd"] == [2] * 4
