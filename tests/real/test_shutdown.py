"""How services are stopped: by whom, in which order, with how much patience."""

import random
import signal
import time

import pytest

from services import children, index, moment, sinit, took, until, whats

__all__ = ["sinit"]

SEED = 20  # of the times at which something is done to sinit


def test_P26_stop_takes_no_longer_than_the_services(sinit):
    """The grace is 100 s; the services take 100 ms."""
    for name in ("a", "b", "c"):
        sinit.service(name, sinit.fake(name, "--stop-delay 100"), stop_timeout="100s")
    sinit.up()
    for name in ("a", "b", "c"):
        sinit.until_lines(name, "start")
    assert sinit.stop(limit=50).code == 0
    assert all(whats(sinit.lines(name)) == ["start", "TERM", "end"] for name in ("a", "b", "c"))


def test_P29_service_that_ignores_TERM_is_killed_after_its_own_time(sinit):
    sinit.service("deaf", sinit.fake("deaf", "--ignore-term"), stop_timeout="4s")
    sinit.service("slow", sinit.fake("slow", "--stop-delay 500"), stop_timeout="50s")
    sinit.up()
    for name in ("deaf", "slow"):
        sinit.until_lines(name, "start")
    before = moment()
    assert sinit.stop(limit=50).code == 0
    deaf, slow = sinit.events("deaf", "exit")[0], sinit.events("slow", "exit")[0]
    assert deaf["signal"] == signal.SIGKILL and slow["code"] == 0
    assert took(before, deaf) >= 4000
    assert slow["seq"] < deaf["seq"]
    assert "did not stop in time" in sinit.log()
    killed = [line for line in sinit.log().splitlines() if "did not stop in time" in line]
    assert len(killed) == 1 and " deaf: " in killed[0]


# --- P31: nothing of a service outlives its stop

PORT = 5432


def with_child(sinit, option):
    """The child listens, and it or its parent hold the lock."""
    sinit.service("web", sinit.fake("web", f"--{option}-child --listen {PORT} "
                                    f"--lock {sinit.directory}/lock"),
                  restart="always", restart_delay="0", max_restarts="unlimited")
    sinit.up()
    sinit.until_lines("web", "start")


def check_lives(sinit, count):
    """So many lives, each with a child that was told before it was killed."""
    sinit.until_lines("web", "start", count)
    assert not sinit.lines("web.child", "bind-failed")
    assert not sinit.lines("web", "overlap")
    child = whats(sinit.lines("web.child"))
    assert child == ["start", "TERM", "end"] * (count - 1) + ["start"]


@pytest.mark.parametrize("option", ["fork", "group"])
def test_P31_children_of_a_killed_leader(sinit, option):
    with_child(sinit, option)
    sinit.ctl("signal", "web", "KILL")
    check_lives(sinit, 2)
    sinit.ctl("signal", "web", "KILL")
    check_lives(sinit, 3)


@pytest.mark.parametrize("option", ["fork", "group"])
def test_P31_children_at_restart_and_stop(sinit, option):
    with_child(sinit, option)
    sinit.ctl("restart", "web")
    check_lives(sinit, 2)
    sinit.ctl("stop", "web")
    assert whats(sinit.lines("web.child"))[-2:] == ["TERM", "end"]
    assert children(sinit.pid) == []


def test_P31_deaf_child_is_killed_with_the_rest_of_the_grace(sinit):
    sinit.service("web", sinit.fake("web", "--deaf-child --stop-delay 700"), stop_timeout="4s",
                  post_stop=sinit.note("web", "post"))
    sinit.up()
    sinit.until_lines("web", "start")
    sinit.ctl("stop", "web")
    assert children(sinit.pid) == []
    assert whats(sinit.lines("web.child")) == ["start", "TERM"]
    assert whats(sinit.lines("web")) == ["start", "TERM", "end", "post"]
    told = sinit.lines("web.child", "TERM")[0].time - sinit.lines("web", "TERM")[0].time
    assert told >= 700


def test_P31_child_in_a_session_of_its_own_at_shutdown(sinit):
    """Where there is no cgroup it is found at the end, and told before it is killed."""
    sinit.service("web", sinit.fake("web", "--setsid-child"))
    sinit.up()
    sinit.until_lines("web", "start")
    assert sinit.stop().code == 0
    assert whats(sinit.lines("web.child")) == ["start", "TERM", "end"]


def test_kill_mode_group_tells_all_at_once(sinit):
    sinit.service("web", sinit.fake("web", "--fork-child --stop-delay 300"), kill_mode="group")
    sinit.up()
    sinit.until_lines("web", "start")
    sinit.ctl("stop", "web")
    lines = sinit.lines()
    assert index(lines, "web.child", "TERM") < index(lines, "web", "end")
    assert [e.what for e in lines].count("TERM") == 2, "each is told once"


def test_kill_mode_process_leaves_the_others(sinit):
    sinit.service("web", sinit.fake("web", "--fork-child"), kill_mode="process")
    sinit.up()
    sinit.until_lines("web", "start")
    sinit.ctl("stop", "web")
    assert whats(sinit.lines("web.child")) == ["start"]
    assert len(children(sinit.pid)) == 1


# --- P33: TERM while things start

@pytest.mark.parametrize("ms", [50, 300, 1000])
def test_P33_TERM_during_start(sinit, ms):
    sinit.service("setup", sinit.fake("setup", "--lives 60000"), type="oneshot")
    sinit.service("hook", pre_start=sinit.fake("hook.pre", "--lives 60000"))
    sinit.service("later", requires="setup")
    sinit.service("last", requires="later hook")
    for _ in range(5):
        sinit.start()
        until(lambda: sinit.status() or sinit.process.poll() is not None, "it has begun")
        time.sleep(ms / 1000)  # not to wait for something: the case is about these moments
        sinit.signal()
        assert sinit.wait(limit=50).code == 0
        events = sinit.events()
        asked = next(e["seq"] for e in events if e["event"] == "shutdown")
        # But for one that had been born, and executed its program only now.
        assert not [e for e in events if e["event"] == "start" and e["seq"] > asked and
                    e["service"] != "setup"]
    assert not sinit.lines("later") and not sinit.lines("last") and not sinit.lines("hook")


# --- P34: a stop during the back-off

def backing_off(sinit, count):
    for i in range(count):
        sinit.service(f"s{i}", sinit.fake(f"s{i}", "--lives 0,0,0,0,0,0,0,0,0,0"),
                      restart_delay="300ms", backoff_multiplier=1, max_restarts="unlimited")


def test_P34_stop_during_back_off(sinit):
    random.seed(SEED)
    backing_off(sinit, 20)
    sinit.start()
    sinit.until_lines("s19", "end")
    starts = {}
    for i in random.sample(range(20), 20):
        time.sleep(random.uniform(0, 0.06))  # stops fall on any moment of the back-off
        sinit.ctl("stop", f"s{i}")
        assert sinit.status(f"s{i}")["state"] == "stopped"
        starts[f"s{i}"] = len(sinit.events(f"s{i}", "start"))
    # A cancelled timer cannot be seen; but a clock that ran beyond every back-off can.
    sinit.service("clock", "sleep 0.7", type="oneshot")
    sinit.ctl("reload")
    sinit.until_state("clock", state="done")
    for name, count in starts.items():
        assert len(sinit.events(name, "start")) == count, name
        assert sinit.status(name)["state"] == "stopped"


def test_P34_TERM_during_back_off(sinit):
    random.seed(SEED)
    backing_off(sinit, 10)
    for _ in range(10):
        sinit.file.unlink(missing_ok=True)
        sinit.start()
        sinit.until_lines("s9", "end")
        time.sleep(random.uniform(0, 0.4))
        sinit.signal()
        assert sinit.wait(limit=50).code == 0
        sequence = sinit.sequence("start", "shutdown", "backoff")
        after = sequence[sequence.index((None, "shutdown")) + 1:]
        # A birth that was on its way (its exec is slow on a busy machine) is told of later.
        assert len(after) == len(set(after)) and all(what == "start" for _, what in after), after


# --- P35: the order

def test_P35_dependents_stop_before_what_they_require(sinit):
    sinit.service("db")
    sinit.service("cache")
    sinit.service("app", sinit.fake("app", "--stop-delay 2500"), requires="db", wants="cache")
    sinit.service("other")
    sinit.up()
    for name in ("db", "cache", "app", "other"):
        sinit.until_lines(name, "start")
    assert sinit.stop().code == 0
    lines = sinit.lines()
    gone = index(lines, "app", "end")
    assert gone < index(lines, "db", "TERM") and gone < index(lines, "cache", "TERM")
    assert index(lines, "other", "TERM") < index(lines, "other", "end") < gone


def test_P35_a_stop_by_hand_takes_the_dependents_along(sinit):
    sinit.service("db")
    sinit.service("app", sinit.fake("app", "--stop-delay 500"), requires="db")
    sinit.service("fan", wants="db")
    sinit.up()
    for name in ("db", "app", "fan"):
        sinit.until_lines(name, "start")
    sinit.ctl("stop", "db")
    lines = sinit.lines()
    assert index(lines, "app", "end") < index(lines, "db", "TERM")
    assert whats(sinit.lines("fan")) == ["start"]
    app = sinit.until_state("app", state=("waiting", "stopped"))
    assert app["want"] == "up" and app["cause"] == "dependency"
    sinit.ctl("start", "db")
    sinit.until_state("app", state="running")
    assert whats(sinit.lines("fan")) == ["start"]


# --- P37: each its own time

def test_P37_no_hidden_limit(sinit):
    sinit.service("long", sinit.fake("long", "--stop-delay 6000"), stop_timeout="40s")
    sinit.service("deaf", sinit.fake("deaf", "--ignore-term"), stop_timeout="1s")
    sinit.up()
    for name in ("long", "deaf"):
        sinit.until_lines(name, "start")
    before = moment()
    assert sinit.stop().code == 0
    term, end = sinit.lines("long", "TERM", "end")
    assert end.time - term.time >= 6000
    long, deaf = sinit.events("long", "exit")[0], sinit.events("deaf", "exit")[0]
    assert long["code"] == 0 and deaf["signal"] == signal.SIGKILL
    assert took(before, deaf) >= 1000
    assert deaf["seq"] < long["seq"]


# --- stop_command and post_stop

def test_stop_command_comes_first_and_post_stop_last(sinit):
    pid = f"{sinit.directory}/pid"
    sinit.service("app", sinit.fake("app"), pre_start=sinit.note("app", "pre"),
                  stop_command=sinit.note("app", "asked", f"kill -TERM $(cat {pid})"),
                  post_stop=sinit.note("app", "post"))
    sinit.up()
    sinit.until_lines("app", "start")
    inside = sinit.status("app")["pid"]
    (sinit.directory / "pid").write_text(f"{inside}\n")
    sinit.ctl("stop", "app")
    assert whats(sinit.lines("app")) == ["pre", "start", "asked", "TERM", "end", "post"]


def test_stop_command_that_fails_is_followed_by_the_signal(sinit):
    sinit.service("app", stop_command=sinit.note("app", "asked", "exit 1"), stop_timeout="50s")
    sinit.up()
    sinit.until_lines("app", "start")
    sinit.ctl("stop", "app")
    assert whats(sinit.lines("app")) == ["start", "asked", "TERM", "end"]


def test_stop_command_that_hangs_is_killed_with_its_service(sinit):
    sinit.service("app", stop_command="sleep 10000", stop_timeout="500ms")
    sinit.up()
    sinit.until_lines("app", "start")
    sinit.ctl("stop", "app")
    assert sinit.events("app", "exit")[0]["signal"] == signal.SIGKILL
    assert children(sinit.pid) == []


def test_post_stop_runs_after_a_crash_and_pre_start_before_each_life(sinit):
    sinit.service("app", sinit.fake("app", "--lives 0"), restart_delay="10ms",
                  pre_start=sinit.note("app", "pre"), post_stop=sinit.note("app", "post"))
    sinit.start()
    sinit.until_lines("app", "start", 2)
    assert whats(sinit.lines("app")) == ["pre", "start", "end", "post", "pre", "start"]


def test_pre_start_that_fails(sinit):
    sinit.service("app", pre_start=sinit.note("app", "pre", "exit 3"), restart_delay="10ms",
                  max_restarts=2)
    sinit.start()
    app = sinit.until_state("app", state="fatal")
    assert app["cause"] == "pre-start" and "pre_start exited 3" in app["reason"]
    assert whats(sinit.lines("app")) == ["pre"] * 3
