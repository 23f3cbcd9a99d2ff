"""Probes from end to end: sinit as PID 1, its prober, its own checks and what services say of
themselves. What a service is asked, and what it is told, stands in one file, in order."""

import os
import pwd
import signal
import sys
import time

import pytest
from harness import stat
from health_lab import PORT, RESTART, health, needs_root, until  # noqa: F401

WEB = f"http://127.0.0.1:{PORT}"
ROLES = ("startup", "liveness", "readiness")


def note(health, words, then="true"):
    """A shell command that says these words, as a service does."""
    return f"sh -c 'echo {words} >>{health.base}/said; {then}'"


class Any:
    """Equal to whatever is of that type."""

    def __init__(self, kind):
        self.kind = kind

    def __eq__(self, other):
        return isinstance(other, self.kind)


def soon(role, interval):
    """A service's name whose first such probe comes within the first 300 ms of its interval
    (s): the phase of a probe is made from the name (supervisor_probes.c)."""
    for number in range(10000):
        name = f"app{number}"
        seed = 2166136261 + ROLES.index(role)
        for c in name.encode():
            seed = (seed ^ c) * 16777619 & 0xffffffff
        if seed % (interval * 1000) < 300:
            return name
    raise AssertionError("no such name")


def samples(health, take, until_true):
    """take()'s answers until the condition holds: for what must never be."""
    found = []

    def look():
        found.append(take())
        return until_true()
    until(look)
    return found


# --- exec probes

def test_a_check_and_its_fallback_of_different_kinds(health):
    """The prober makes the one, PID 1 the other; thresholds hold for both together."""
    dead, answers = "tcp://127.0.0.1:1", WEB
    health.web("web")
    for name, check, fallback in (("first", dead, "exec:true"), ("second", "exec:false", answers),
                                  ("neither", answers, "exec:sh -c 'exit 7'"),
                                  ("last", "file:/nonexistent", dead)):
        health.service(name, "sleep 100001", RESTART)
        health.probe(name, "readiness", check, fallback=fallback, failures=2, interval="500ms")
    health.start()
    health.await_fields("first", ready=True)
    health.await_fields("second", ready=True)
    health.await_fields("neither", ready=True)
    reason = health.await_fields("last", readiness="failing")["reason"]
    assert "connection refused" in reason
    health.order("web", 503)
    reason = health.await_fields("neither", readiness="failing", ready=False)["reason"]
    assert "exited with code 7" in reason
    assert "503" in health.await_fields("second", readiness="failing")["reason"]
    health.order("web", 200)
    health.await_fields("neither", ready=True)
    health.await_fields("second", ready=True)
    # No judgement without the prober, and the next one goes on.
    health.helper("prober").kill(signal.SIGKILL)
    health.order("web", 500)
    health.await_fields("second", readiness="failing")


@needs_root
def test_private_places(health):
    """file: and unix: look with the eyes of the service's user."""
    home = health.base / "private"
    home.mkdir(mode=0o700)
    os.chown(home, 65533, 65533)
    health.service("app", health.program("app", f"""
open('{home}/flag', 'w').close()
s = socket.socket(socket.AF_UNIX)
s.bind('{home}/sock')
os.chmod('{home}/sock', 0o600)
s.listen()
say('start')
signal.pause()
"""), RESTART, "user = 65533", "group = 65533")
    (health.base / "said").touch()
    (health.base / "said").chmod(0o666)
    health.probe("app", "startup", f"file:{home}/flag", interval="2s")
    health.probe("app", "readiness", f"unix:{home}/sock", interval="2s", failures=1)
    health.start()
    health.await_fields("app", ready=True)
    os.unlink(home / "sock")
    assert "cannot connect" in health.await_fields("app", ready=False)["reason"]


@pytest.mark.parametrize("how", ["plain", "stubborn"])
def test_P59_one_process_at_a_time(health, how):
    """Each run is dead before the next, also with a child and when TERM is ignored."""
    health.service("app", "sleep 100001", RESTART)
    script = health.script("probe", "#!/bin/sh\n" + {
        "plain": f"echo run $$ >>{health.base}/said; exec sleep 100059\n",
        "stubborn": f"trap '' TERM; echo run $$ >>{health.base}/said\n"
                    "sleep 100059 & sleep 100059\n",
    }[how])
    health.probe("app", "readiness", f"exec:{script}", interval="300ms", timeout="300ms",
                 failures=2)
    health.start()

    def sessions():
        found = [stat(p.pid) for p in health.running("sleep", "100059")]
        return {fields[3] for fields in found if fields}

    seen = samples(health, sessions, lambda: len(health.said("run")) >= 5)
    assert all(len(found) <= 1 for found in seen), seen
    assert any(seen)
    app = health.await_fields("app", readiness="failing", ready=False, state="running")
    assert app["restarts"] == 0
    assert health.why("app") == "readiness: no answer within 300 ms"
    health.ok("stop", "app")
    until(lambda: not sessions(), "the last probe's end")


def test_exec_runs_as_the_service_does(health):
    """Directory, environment, and what is expanded in the command."""
    here = health.base / "here"
    here.mkdir()
    health.service("app", "sleep 100001", RESTART, f"working_directory = {here}",
                   "environment = COLOUR=red SHAPE=round")
    script = health.script("probe", "#!/bin/sh\n"
                           f"echo run $1 $COLOUR $PWD $(umask) >>{health.base}/said\n")
    health.probe("app", "readiness", f"exec:{script} ${{SHAPE}}%n", interval="1s")
    health.start()
    health.await_fields("app", ready=True, readiness="passing")
    assert health.said("run")[0] == ("run", "roundapp", "red", str(here), "0022")


@needs_root
def test_exec_runs_as_the_service_user(health):
    nobody = pwd.getpwnam("nobody")
    health.service("app", "sleep 100001", RESTART, "user = nobody")
    health.probe("app", "readiness", "exec:" + note(health, "run $(id -u) $(id -g) $USER"),
                 interval="1s")
    health.start()
    health.await_fields("app", ready=True)
    assert health.said("run")[0] == ("run", str(nobody.pw_uid), str(nobody.pw_gid), "nobody")


@pytest.mark.parametrize("command", ["/no/such/command", "no-such-command-anywhere"])
def test_exec_command_missing(health, command):
    """Told as what it is; and PID 1 does not run hot over it."""
    health.service("app", "sleep 100001", RESTART)
    health.probe("app", "readiness", f"exec:{command}", failures=2, interval="1s")
    health.start(env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    health.await_fields("app", readiness="failing")
    assert health.why("app") == \
        "readiness: the command could not be run: no such file or directory"
    assert health.ctl("health").code == 1 and "could not be run" in health.ctl("health").out
    assert health.status("app")["restarts"] == 0
    assert health.sinit.cpu() < 2


@pytest.mark.parametrize("command, why", [
    ("sh -c 'exit 7'", "the command exited with code 7"),
    ("sh -c 'kill -USR1 $$'", "the command was killed by signal 10"),
])
def test_exec_failure_is_told(health, command, why):
    health.service("app", "sleep 100001", RESTART)
    health.probe("app", "readiness", f"exec:{command}", failures=1, interval="1s")
    health.start()
    health.await_fields("app", readiness="failing")
    assert health.why("app") == f"readiness: {why}"


def test_exec_child_that_stays_behind(health):
    """What a probe leaves in its session is ended with it."""
    health.service("app", "sleep 100001", RESTART)
    health.probe("app", "readiness", "exec:" +
                 note(health, "run", "sleep 100077 & exit 0"))
    health.start()
    health.await_fields("app", ready=True)
    seen = samples(health, lambda: len(health.running("sleep", "100077")),
                   lambda: len(health.said("run")) >= 5)
    assert max(seen) <= 1, seen
    health.ok("stop", "app")
    until(lambda: not health.running("sleep", "100077"))


# --- when which probe runs

def test_P61_liveness_waits_for_startup_in_every_life(health):
    health.service("app", health.program("app", """
say('start')
time.sleep(1.2)
open(BASE + '/open', 'w').close()
say('open')
signal.pause()
"""), RESTART, "pre_start = " +
                   note(health, "begin", f"rm -f {health.base}/open"))
    health.probe("app", "startup", "exec:" +
                 note(health, "tried", f"test -e {health.base}/open && "
                      f"echo passed >>{health.base}/said"), failures=1000)
    health.probe("app", "liveness", "exec:" + note(health, "alive", f"test -e {health.base}/open"),
                 failures=1, interval="1s")
    health.probe("app", "readiness", "exec:" +
                 note(health, "ready", f"test -e {health.base}/open"), failures=1, interval="1s")
    health.start()
    for life in (1, 2):
        health.await_fields("app", life=life, ready=True)
        health.await_more("alive", count=2)
        if life == 1:
            assert health.status("app")["startup"] == "passing"
            health.process("app").kill(signal.SIGKILL)
    said = [line[0] if line[0] != "app" else line[1] for line in health.said()]
    starts = [i for i, word in enumerate(said) if word == "begin"] + [len(said)]
    assert len(starts) == 3
    for begin, end in zip(starts, starts[1:]):
        life = said[begin:end]
        assert life.index("start") < life.index("open") < life.index("passed")
        assert life.index("passed") < life.index("alive")
        assert life.index("passed") < life.index("ready")
        assert "tried" not in life[life.index("alive"):]  # startup is over for this life
    assert health.status("app")["restarts"] == 1
    assert not health.events("app", "unhealthy")


def test_P62_liveness_is_off_from_the_stop_request_on(health):
    """A long clean-up in which the service does not answer is not cut short."""
    health.web("app", before="""
def term(*_):
    say('TERM')
    while order() != 'go':
        time.sleep(0.01)
    say('clean')
    os._exit(0)
signal.signal(signal.SIGTERM, term)
""")
    health.probe("app", "liveness", f"{WEB}/live", failures=1, interval="500ms")
    health.start()
    health.await_said("app", "asked", count=2)
    stop = health.ctl_later("stop", "app")
    health.await_said("app", "TERM")
    status = health.await_fields("app", state="stopping")
    assert status["liveness"] == "unknown"
    # Its only thread is busy in term(); several intervals in which it would have failed.
    health.web("clock", port=8081)
    health.probe("clock", "liveness", "http://127.0.0.1:8081/", failures=1, interval="500ms")
    asked = len(health.said("app", "asked"))
    health.ok("reload")
    health.await_said("clock", "asked", count=6)
    assert health.status("app")["state"] == "stopping"
    assert len(health.said("app", "asked")) == asked
    health.order("app", "go")
    assert stop.wait(60) == 0
    assert health.said("app")[-1] == ("app", "clean")
    assert not health.events("app", "unhealthy") and not health.events("app", "restart")
    assert health.events("app", "exit")[0]["code"] == 0


def test_P64_liveness_failure_is_a_failure_whatever_the_exit_code(health):
    health.http(f"listen = {health.base}/http")
    health.web("app", "restart = on-failure")
    health.probe("app", "liveness", f"{WEB}/live", failures=2)
    health.start()
    health.await_said("app", "asked", count=2)
    health.order("app", "500")
    health.await_event("app", "restart")
    health.order("app", "200")
    status = health.await_fields("app", state="running", liveness="passing")
    assert status["restarts"] == 1 and status["cause"] == "liveness" and status["life"] == 2
    assert "liveness" in status["reason"]
    assert health.said("app", "TERM")
    kinds = [e["event"] for e in health.events("app")]
    first = kinds.index("unhealthy")
    assert kinds[first:first + 6] == ["unhealthy", "stop", "exit", "backoff", "restart", "start"]
    events = health.events("app")[first:]
    assert events[2]["code"] == 0
    assert [events[i]["cause"] for i in (0, 1, 3)] == ["liveness"] * 3
    assert health.restarts("app") == {"liveness": 1}
    assert health.metrics()['sinit_service_failures_total{service="app"}'] == 1


def test_hanging_service_is_restarted(health):
    """SIGSTOP: its port still accepts, it does not answer, TERM does nothing."""
    health.web("app", "stop_timeout = 300ms")
    health.probe("app", "liveness", f"{WEB}/live", failures=2)
    health.start()
    health.await_said("app", "asked")
    first = health.process("app")
    first.freeze()
    status = health.await_fields("app", life=2, state="running", liveness="passing")
    assert status["restarts"] == 1 and status["cause"] == "liveness"
    assert not first.alive()
    assert health.events("app", "exit")[0]["signal"] == signal.SIGKILL


def test_startup_failure_restarts(health):
    health.web("app", "max_restarts = 2")
    health.web("needs", "requires = app", port=8081)
    health.probe("app", "startup", f"{WEB}/up", failures=2, expect_status="201")
    health.probe("app", "liveness", f"{WEB}/live")
    health.start()
    status = health.await_fields("app", state="fatal")
    assert status["cause"] == "startup" and "startup" in status["reason"]
    assert status["restarts"] == 2
    assert not health.said("app", "asked", "/live") and not health.said("needs")
    assert not health.events("app", "ready")
    assert len(health.events("app", "unhealthy")) == 3
    assert health.await_fields("needs", state="failed")["blocker"] == "app"


def test_readiness_never_restarts_and_others_wait_for_it(health):
    health.order("app", "503")
    health.web("app")
    health.web("needs", "requires = app", port=8081)
    health.probe("app", "readiness", f"{WEB}/ready", failures=1, interval="500ms")
    health.start()
    health.await_said("app", "asked", count=3)
    status = health.await_fields("app", readiness="failing")
    assert (status["state"], status["ready"]) == ("running", False)
    assert health.status("needs")["state"] == "waiting" and not health.said("needs")
    health.order("app", "200")
    health.await_fields("needs", state="running", ready=True)
    assert health.status("app")["readiness"] == "passing"
    life = health.status("needs")["life"]
    for answer, ready in (("503", False), ("200", True), ("503", False)):
        health.order("app", answer)
        health.await_fields("app", ready=ready, readiness="passing" if ready else "failing")
    # The one that runs is left alone by it.
    assert health.status("needs")["life"] == life == health.status("app")["life"] == 1
    assert health.sequence("unhealthy", "healthy") == [
        ("app", "unhealthy"), ("app", "healthy"), ("app", "unhealthy"), ("app", "healthy"),
        ("app", "unhealthy")]


def test_readiness_is_false_at_once_when_it_is_told_to_stop(health):
    health.web("app", before="""
def term(*_):
    say('TERM')
    wait_for('go')
    os._exit(0)
signal.signal(signal.SIGTERM, term)
""")
    health.probe("app", "readiness", f"{WEB}/ready")
    health.start()
    health.await_fields("app", ready=True, readiness="passing")
    stop = health.ctl_later("stop", "app")
    health.await_said("app", "TERM")
    status = health.status("app")
    assert status["state"] == "stopping" and status["ready"] is False
    assert status["readiness"] != "passing"
    health.order("app", "go")
    assert stop.wait(60) == 0


def test_thresholds_on_both_edges(health):
    """Three failures in a row and two passes in a row: less changes nothing."""
    script = health.script("probe", f"""#!/bin/sh
read answers <{health.base}/answers
set -- $answers
now=${{1:-0}}
[ $# -gt 1 ] && shift
echo $* >{health.base}/answers.new; mv {health.base}/answers.new {health.base}/answers
echo run $now >>{health.base}/said
exit $now
""")
    #                                    v ready    not     not    v failing   not   v passing
    (health.base / "answers").write_text("0 0 1 1 0 1 1 0 0 1 1 1 0 1 0 0 0\n")
    health.service("app", "sleep 100001", RESTART)
    # Its script must be through in time, also on a slow machine: a time-out would count.
    health.probe("app", "readiness", f"exec:{script}", failures=3, successes=2, interval="400ms",
                 timeout="400ms")
    health.start()
    health.await_said("run", count=17)
    health.await_fields("app", readiness="passing", ready=True)
    assert health.sequence("unhealthy") == [("app", "unhealthy")]
    assert health.sequence("healthy") == [("app", "healthy")]
    assert health.status("app")["restarts"] == 0


def test_fallback(health):
    """Asked only when the first has failed; the probe fails when both do."""
    first, second = health.base / "first", health.base / "second"
    first.touch()
    health.service("app", "sleep 100001", RESTART)
    health.probe("app", "readiness", "exec:" + note(health, "first", f"test -e {first}"),
                 fallback="exec:" + note(health, "second", f"test -e {second}"), failures=1,
                 interval="1s")
    health.start()
    health.await_fields("app", readiness="passing")
    health.await_more("first", count=2)
    assert not health.said("second")
    second.touch()
    first.unlink()
    health.await_more("second", count=3)
    assert health.status("app")["readiness"] == "passing"
    assert not health.events("app", "unhealthy")
    second.unlink()
    health.await_fields("app", readiness="failing")
    first.touch()
    health.await_fields("app", readiness="passing")


def test_fallback_of_the_prober(health):
    health.web("app")
    health.probe("app", "readiness", "tcp://127.0.0.1:9", fallback=f"{WEB}/second", failures=1,
                 interval="500ms")
    health.start()
    health.await_said("app", "asked", "/second", count=3)
    health.await_fields("app", readiness="passing")
    assert not health.events("app", "unhealthy")
    health.order("app", "500")
    health.await_fields("app", readiness="failing")
    assert health.why("app") == "readiness: HTTP status 500"


def test_process(health):
    health.service("app", "sleep 100001", RESTART)
    health.probe("app", "readiness", "process")
    health.probe("app", "liveness", "process")
    health.start()
    health.await_fields("app", readiness="passing", liveness="passing", ready=True)
    health.process("app").kill(signal.SIGKILL)
    status = health.await_fields("app", life=2, ready=True)
    assert status["restarts"] == 1 and not health.events("app", "unhealthy")


def test_file_with_max_age(health):
    beat = health.base / "beat"
    health.service("app", "sleep 100001", RESTART)
    health.probe("app", "readiness", f"file:{beat}", max_age="1h", interval="2s", failures=1)
    health.start()
    health.await_fields("app", readiness="failing")
    assert health.why("app") == \
        "readiness: the file cannot be looked at: no such file or directory"
    beat.touch()
    health.await_fields("app", readiness="passing", ready=True)
    old = time.time() - 7200
    os.utime(beat, (old, old))
    health.await_fields("app", readiness="failing", ready=False)
    assert health.why("app").startswith("readiness: the file was last changed 72")
    beat.touch()
    health.await_fields("app", readiness="passing", ready=True)
    assert health.status("app")["life"] == 1


# --- what services say

def test_heartbeat(health):
    health.service("app", health.program("app", """
say('start', os.environ.get('WATCHDOG_USEC'))
while True:
    if order('beat') == 'beat':
        notify('WATCHDOG=1')
        say('beat')
    time.sleep(0.05)
"""), RESTART)
    health.probe("app", "liveness", "heartbeat", max_age="2s", failures=1)
    health.start()
    health.await_said("app", "beat", count=60)  # longer than max_age
    status = health.status("app")
    assert status["life"] == 1 and status["liveness"] == "passing"
    assert health.said("app", "start")[0][2] == "2000000"
    health.order("app", "silent")
    health.await_fields("app", life=2, state="running")
    health.order("app", "beat")
    assert health.status("app")["cause"] == "liveness"
    assert len(health.events("app", "unhealthy")) >= 1


def test_heartbeat_is_awaited_from_when_liveness_begins(health):
    """A start that takes longer than max_age is no silence."""
    health.service("app", health.program("app", """
say('start')
time.sleep(2.5)
notify('READY=1')
time.sleep(0.4)
while True:
    notify('WATCHDOG=1')
    say('beat')
    time.sleep(0.05)
"""), *NOTIFIES)
    health.probe("app", "liveness", "heartbeat", max_age="2s", failures=1)
    health.start()
    health.await_said("app", "beat", count=20)
    status = health.status("app")
    assert (status["life"], status["liveness"]) == (1, "passing")
    assert not health.events("app", "unhealthy")


def test_heartbeat_that_a_reload_adds(health):
    """Nothing is held against the service from before."""
    health.service("app", health.program("app", f"""
say('start')
wait_for('beat')
os.environ['NOTIFY_SOCKET'] = {str(health.run / 'notify')!r}
while True:
    notify('WATCHDOG=1')
    say('beat')
    time.sleep(0.05)
"""), RESTART)
    health.probe("app", "readiness", "exec:" + note(health, "run"), interval="600ms")
    health.start()
    until(lambda: (health.status("app")["uptime_seconds"] or 0) > 6.2, "older than max_age")
    health.probe("app", "liveness", "heartbeat", max_age="6s", failures=1)
    health.ok("reload")
    health.await_more("run", count=3)  # the first check has been made
    health.order("app", "beat")
    health.await_said("app", "beat", count=20)
    status = health.await_fields("app", liveness="passing")
    assert status["life"] == 1 and not health.events("app", "unhealthy")


def test_heartbeat_trigger(health):
    """WATCHDOG=trigger: it says itself that it is not well."""
    health.service("app", health.program("app", """
notify('WATCHDOG=1')
say('start')
wait_for('go')
if not os.path.exists(BASE + '/once'):
    open(BASE + '/once', 'w').close()
    notify('WATCHDOG=trigger')
signal.pause()
"""), RESTART)
    health.probe("app", "liveness", "heartbeat", max_age="1h", failures=3)
    health.start()
    health.await_fields("app", liveness="passing")
    health.order("app", "go")
    status = health.await_fields("app", life=2, state="running", liveness="passing")
    assert status["cause"] == "liveness" and status["restarts"] == 1


NOTIFIES = ("type = notify", RESTART)


def test_notify_ready_only_after_it_was_said(health):
    health.service("app", health.program("app", """
say('start')
wait_for('one')
notify('STATUS=loading\\nREADY=0\\nREADY=1 \\n READY=1\\nREADY')
say('nearly')
wait_for('go')
say('ready')
notify('STATUS=fine\\nREADY=1\\n')
signal.pause()
"""), *NOTIFIES)
    health.service("needs", health.program("needs", "say('start')\nsignal.pause()\n"),
                   "requires = app", RESTART)
    health.start()
    health.await_said("app", "start")
    health.order("app", "one")
    health.await_said("app", "nearly")
    health.ok("ping")
    status = health.status("app")
    assert (status["state"], status["ready"]) == ("starting", False)
    health.order("app", "go")
    health.await_fields("needs", ready=True)
    assert health.status("app")["state"] == "running"
    health.await_said("needs", "start")
    said = health.said()
    assert said.index(("app", "ready")) < said.index(("needs", "start"))


def test_notify_with_a_startup_probe_needs_both(health):
    health.service("app", health.program("app", """
say('start')
wait_for('go')
notify('READY=1')
say('ready')
signal.pause()
"""), *NOTIFIES)
    flag = health.base / "flag"
    health.probe("app", "startup", f"file:{flag}", failures=1000)
    health.start()
    health.order("app", "go")
    health.await_said("app", "ready")
    health.ok("ping")
    assert health.status("app")["state"] == "starting"
    flag.touch()
    health.await_fields("app", state="running", ready=True)
    assert health.status("app")["life"] == 1


def test_notify_ready_from_a_child(health):
    """A process of the service's session speaks for it."""
    health.service("app", health.program("app", """
say('start')
if os.fork() == 0:
    if os.fork() == 0:
        notify('READY=1')
        say('child')
    signal.pause()
signal.pause()
"""), *NOTIFIES)
    health.start()
    health.await_fields("app", state="running", ready=True)


@pytest.mark.parametrize("how", ["session", "child"])
def test_notify_from_another_session(health, how):
    """Who has left the session is known by whom it comes from, as with setsid(1) and su(1)."""
    own = health.program("app", "say('start')\nnotify('READY=1')\nsignal.pause()\n")
    fork = health.program("fork", f"""
if os.fork():
    signal.pause()
os.setsid()
if os.fork():
    signal.pause()
os.execvp({sys.executable!r}, [{sys.executable!r}, {str(health.base / 'app.py')!r}])
""")
    health.service("app", f"setsid -w {own}" if how == "session" else fork, *NOTIFIES)
    health.start()
    health.await_fields("app", state="running", ready=True)


def test_notify_from_nobody(health):
    """Not a word of it is lost without a line in the log, but strangers do not fill that."""
    health.service("app", health.program("app", """
say('start')
if os.fork():
    os.wait()
    signal.pause()
os.setsid()
if os.fork():
    os._exit(0)
while os.getppid() != 1:
    time.sleep(0.01)
for _ in range(100):
    notify('READY=1')
say('sent')
"""), *NOTIFIES)
    health.start()
    health.await_said("app", "sent")
    until(lambda: "notification READY=1 of process" in health.messages())
    health.ok("ping")
    assert health.messages().count("notification READY=1") == 1
    assert health.status("app")["state"] == "starting"


def test_what_a_service_says(health):
    """STATUS= is told with its state; RELOADING=1 until READY=1; STOPPING=1 ends being ready."""
    health.http("listen = 127.0.0.1:9100")
    health.service("app", health.program("app", r"""
say('start')
notify('STATUS=warming "up"\tä' + 'x' * 200)
wait_for('ready')
notify('READY=1\nSTATUS=serves 3')
for step, words in (('reload', 'RELOADING=1'), ('again', 'READY=1'), ('silent', 'STATUS='),
                    ('stop', 'STOPPING=1\nSTATUS=saves all'), ('end', '')):
    wait_for(step)
    if words:
        notify(words)
"""), *NOTIFIES, "restart = never")
    health.start()
    said = health.await_fields("app", state="starting", status_text=Any(str))["status_text"]
    assert said.startswith('warming "up"\tä' + "x" * 90) and len(said.encode()) < 112
    health.order("app", "ready")
    status = health.await_fields("app", ready=True, status_text="serves 3")
    assert status["reason"] == '"serves 3"'
    assert '"serves 3"' in health.ctl("status", "app").out
    health.order("app", "reload")
    health.await_fields("app", ready=True, reason='it is reloading (RELOADING=1); "serves 3"')
    health.order("app", "again")
    health.await_fields("app", reason='"serves 3"')
    health.order("app", "silent")
    health.await_fields("app", reason=None, status_text=None)
    health.order("app", "stop")
    status = health.await_fields("app", ready=False)
    assert status["reason"] == 'it is stopping by itself (STOPPING=1); "saves all"'
    assert health.ctl("health", "app").code == 1
    health.order("app", "end")
    # What it said last can be read until its next start.
    health.await_fields("app", state="stopped", status_text="saves all")
    health.ctl("start", "app", "--timeout", "0")
    health.await_fields("app", life=2, state="starting", ready=False)


def test_notify_start_timeout(health):
    health.service("app", health.program("app", "say('start')\nsignal.pause()\n"), *NOTIFIES,
                   "start_timeout = 500ms", "max_restarts = 1")
    health.start()
    status = health.await_fields("app", state="fatal")
    assert status["cause"] == "start-timeout" and "start_timeout" in status["reason"]
    assert not health.events("app", "ready") and len(health.events("app", "start")) == 2


def test_notify_in_every_life(health):
    """READY=1 of the life before says nothing about this one."""
    health.service("app", health.program("app", """
say('start')
if not os.path.exists(BASE + '/once'):
    open(BASE + '/once', 'w').close()
    notify('READY=1')
    wait_for('die')
    os._exit(1)
wait_for('go')
notify('READY=1')
signal.pause()
"""), *NOTIFIES)
    health.start()
    health.await_fields("app", ready=True)
    health.order("app", "die")
    health.await_said("app", "start", count=2)
    health.await_fields("app", life=2, state="starting", ready=False)
    health.order("app", "go")
    health.await_fields("app", life=2, ready=True)


def test_main_pid_is_handed_over(health):
    """The parent leaves with 0: no restart, another pid; and that one's death is seen."""
    health.service("app", health.program("app", """
say('start')
child = os.fork()
if child:
    notify(f'MAINPID={child}\\nREADY=1')
    wait_for('leave')
    os._exit(0)
say('child', os.getpid())
signal.pause()
"""), *NOTIFIES)
    health.start()
    health.await_fields("app", ready=True)
    first = health.status("app")["pid"]
    child = int(health.await_said("app", "child")[0][2])
    health.order("app", "leave")
    status = health.await_fields("app", pid=child)
    assert child != first
    assert (status["state"], status["life"], status["restarts"]) == ("running", 1, 0)
    assert status["ready"] and not health.events("app", "exit")
    assert "(MAINPID); the one before exited 0" in health.messages()
    assert health.said("app", "start") == [("app", "start")]
    health.order("app", "stay")
    health.process("app").kill(signal.SIGKILL)
    status = health.await_fields("app", life=2, ready=True)
    assert status["restarts"] == 1
    assert health.events("app", "exit")[0]["signal"] == signal.SIGKILL
    # It is stopped as well as any other, though its parent is still the main process.
    health.ok("stop", "app")
    until(lambda: len(health.processes()) == 1, "nothing of it is left")
    assert len(health.said("app", "TERM")) == 2 and "sending KILL" not in health.messages()
    assert health.events("app", "exit")[-1]["code"] == 0


@pytest.mark.parametrize("leaves", [True, False])
def test_main_pid_that_hangs_is_killed(health, leaves):
    """SIGSTOP of the process that has taken over; liveness restarts it all."""
    health.service("app", health.program("app", """
say('start')
child = os.fork()
if child:
    notify(f'MAINPID={child}')
    if order() == '200':
        os._exit(0)
    signal.pause()
say('child', os.getpid())
serve(8080)
"""), *NOTIFIES, "stop_timeout = 500ms")
    if leaves:
        health.order("app", "200")
    health.probe("app", "liveness", f"{WEB}/live", failures=2)
    health.start()
    health.await_fields("app", liveness="passing")
    child = health.host(int(health.said("app", "child")[0][2]))
    child.freeze()
    status = health.await_fields("app", life=2, liveness="passing")
    assert status["restarts"] == 1 and status["cause"] == "liveness"
    assert not child.alive()


def test_notify_of_a_process_that_has_gone(health):
    """As systemd-notify(1) does: it speaks and ends, and its parent has reaped it before PID 1
    looks. Nobody can tell any more whose it was."""
    health.service("app", health.program("app", """
say('start')
wait_for('go')
child = os.fork()
if child == 0:
    notify('READY=1')
    os._exit(0)
os.waitpid(child, 0)
say('gone')
wait_for('again')
notify('READY=1')
signal.pause()
"""), *NOTIFIES)
    health.start()
    health.await_said("app", "start")
    health.sinit.freeze()
    health.order("app", "go")
    health.await_said("app", "gone")
    health.sinit.kill(signal.SIGCONT)
    health.ok("ping")
    health.order("app", "again")
    health.await_fields("app", ready=True)


def test_notify_before_death_counts(health):
    """What was said before it died is heard before the death is: a hand-over in time."""
    health.service("app", health.program("app", """
say('start')
child = os.fork()
if child:
    for _ in range(100):
        notify('STATUS=busy')
    notify(f'MAINPID={child}\\nREADY=1')
    os._exit(0)
signal.pause()
"""), *NOTIFIES)
    health.start()
    for life in range(1, 4):
        health.await_fields("app", ready=True, life=life)
        assert not health.events("app", "backoff")
        health.ok("restart", "app")


def test_main_pid_after_the_hand_over_still_notifies(health):
    """What the new main process and its children say counts as before."""
    health.service("app", health.program("app", """
say('start')
child = os.fork()
if child:
    notify(f'MAINPID={child}')
    os._exit(0)
while os.getppid() != 1:
    time.sleep(0.01)
wait_for('go')
if os.fork() == 0:
    notify('READY=1')
    say('child')
signal.pause()
"""), *NOTIFIES)
    health.start()
    health.await_said("app", "start")
    until(lambda: "MAINPID" in health.messages())
    health.order("app", "go")
    health.await_said("app", "child")
    health.await_fields("app", state="running", ready=True)


@pytest.mark.parametrize("pid", ["1", "2", "-1", "0", "99999999999", "x", "999999", "stranger"])
def test_main_pid_of_no_process_of_it(health, pid):
    """Passed over: its end is the service's end."""
    health.service("other", "sleep 100002", RESTART)
    health.start()
    health.await_fields("other", state="running")
    if pid == "stranger":
        pid = health.status("other")["pid"]
    health.service("app", health.program("app", f"""
say('start')
notify('MAINPID={pid}\\nREADY=1')
wait_for('leave')
os._exit(3)
"""), *NOTIFIES, "restart = never")
    health.ok("reload")
    status = health.await_fields("app", ready=True)
    assert status["pid"] not in (1, health.status("other")["pid"])
    health.order("app", "leave")
    status = health.await_fields("app", state="failed")
    assert status["last_exit"]["code"] == 3
    assert health.status("other")["life"] == 1


def test_notify_garbage_is_harmless(health):
    """Long, empty, binary, half a line, descriptors: nothing happens, and READY=1 still counts."""
    health.service("app", health.program("app", """
say('start')
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(os.environ['NOTIFY_SOCKET'])
pipe = os.pipe()
for data in (b'', b'\\n', b'\\n' * 4000, b'\\0' * 100, bytes(range(256)) * 8, b'=' * 1000,
             b'READY=1' + b'x' * 5000, b'STATUS=' + b's' * 4000, b'STATUS=\\xff\\xfe%s%n',
             b'MAINPID=', b'MAINPID=\\n', b'SINIT_DETAIL=5', b'WATCHDOG=1', b'WATCHDOG=trigger',
             b'READY=1\\0', b'FDSTORE=1', b'RELOADING=1', b'STOPPING=1', b'BARRIER=1',
             b'READY=1\\n' * 1000):
    try:
        socket.send_fds(s, [data], list(pipe) * 20) if data else s.send(data)
    except OSError as error:
        say('error', error.errno)
say('sent')
wait_for('go')
notify(b'STATUS=' + b's' * 4000 + b'\\nREADY=1')
signal.pause()
"""), *NOTIFIES)
    health.start()
    fds = len(health.sinit_fds())
    health.await_said("app", "sent")
    health.ok("ping")
    assert health.status("app")["state"] == "starting"
    assert health.status("app")["life"] == 1
    assert len(health.sinit_fds()) <= fds
    health.order("app", "go")
    health.await_fields("app", ready=True)
    assert health.status("app")["life"] == 1
    assert "sinit_detail" not in health.messages().lower()


def test_notify_from_a_stranger_has_no_effect(health):
    """Who speaks is the kernel's word: not another service, not a process of none."""
    health.service("app", health.program("app", """
say('start')
wait_for('go')
notify('READY=1')
signal.pause()
"""), *NOTIFIES)
    health.service("other", health.program("other", """
notify_to = %r
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
for data in (b'READY=1', b'MAINPID=%%d\\nREADY=1' %% os.getpid(), b'WATCHDOG=trigger'):
    s.sendto(data, notify_to)
if os.fork() == 0:
    os.setsid()
    s.sendto(b'READY=1\\nMAINPID=%%d' %% os.getpid(), notify_to)
    say('sent')
signal.pause()
""" % str(health.run / "notify")), RESTART)
    health.start()
    health.await_said("other", "sent")
    health.ok("ping")
    status = health.status("app")
    assert (status["state"], status["ready"], status["life"]) == ("starting", False, 1)
    other = health.status("other")
    assert other["state"] == "running" and other["life"] == 1
    health.order("app", "go")
    health.await_fields("app", ready=True)
    assert health.status("app")["pid"] == status["pid"]


def test_service_without_notify_has_no_socket(health):
    health.service("app", health.program("app", """
say('start', os.environ.get('NOTIFY_SOCKET'), os.environ.get('WATCHDOG_USEC'))
signal.pause()
"""), RESTART)
    health.start()
    assert health.await_said("app", "start") == [("app", "start", "None", "None")]


# --- many of them

def test_P66_connections_do_not_pile_up(health):
    """A new one for each probe, and nothing is kept: in the prober nor in PID 1."""
    health.web("app")
    health.probe("app", "liveness", f"{WEB}/live", interval="50ms", failures=1, timeout="50ms")
    health.probe("app", "readiness", f"tcp://127.0.0.1:{PORT}", interval="50ms", failures=5)
    # A busy machine may take longer than 50 ms: what counts here is what stays open.
    health.probe("app", "liveness", f"{WEB}/live", interval="50ms", failures=1000)
    health.start()
    health.await_said("app", "asked", count=5)
    prober = health.helper("prober")
    until(lambda: prober.stat()[0] == "S")

    def open_files(count):
        """The least of each, until so many questions were asked."""
        found = samples(health, lambda: [len(os.listdir(p.path / "fd"))
                                         for p in (prober, health.sinit)],
                        lambda: len(health.said("app", "asked")) >= count)
        return [min(numbers) for numbers in zip(*found)]

    before = open_files(60)
    assert open_files(200) == before
    assert health.status("app")["life"] == 1 and health.helper("prober").pid == prober.pid


def test_a_check_that_hangs_delays_no_other(health):
    health.web("slow")
    health.order("slow", "late3")
    health.probe("slow", "readiness", f"{WEB}/", interval="5s", timeout="5s")
    health.service("stuck", "sleep 100001", RESTART)
    health.probe("stuck", "readiness", "exec:sleep 100088", interval="60s", timeout="60s")
    health.web("app", port=8081)
    health.probe("app", "liveness", "http://127.0.0.1:8081/live", failures=3)
    health.probe("app", "readiness", "exec:" + note(health, "run"), interval="600ms")
    health.start()
    health.await_said("slow", "asked")
    begin, late = time.monotonic(), len(health.said("slow", "late"))
    health.await_more("app", "asked", count=5)
    health.await_more("run", count=3)
    # Either it is still at it, or the machine was so slow that this says nothing.
    assert len(health.said("slow", "late")) == late or time.monotonic() - begin > 2.5
    assert not health.events("app", "unhealthy")


# --- the prober dies, and lives of a service

@pytest.mark.release_only  # takes the 40 s that the prober has to answer
def test_prober_that_stands_still(health):
    health.web("app")
    health.probe("app", "readiness", f"{WEB}/ready", failures=1)
    health.start()
    health.await_fields("app", ready=True)
    old = health.helper("prober")
    old.freeze()
    until(lambda: not old.alive(), limit=100)
    assert "the prober has not answered" in health.messages()
    health.await_more("app", "asked")
    # One that is well is left alone, and asked.
    assert len(health.helpers("prober")) == 1


def test_prober_killed(health):
    """It comes back later and later; nobody is restarted or judged for it."""
    health.web("app")
    health.probe("app", "liveness", f"{WEB}/live", failures=1, interval="500ms")
    health.probe("app", "readiness", f"{WEB}/ready", failures=1, interval="500ms")
    health.start()
    health.await_fields("app", ready=True, liveness="passing")
    pids = []
    for _ in range(3):
        prober = health.helper("prober")
        pids.append(prober.pid)
        prober.kill(signal.SIGKILL)
        until(lambda: not prober.alive())
        until(lambda: "the prober has ended (signal 9)" in health.messages())
        health.await_more("app", "asked", "/live", count=2)
        health.await_more("app", "asked", "/ready", count=2)
        status = health.status("app")
        assert (status["life"], status["ready"], status["liveness"]) == (1, True, "passing")
    assert len(set(pids)) == 3
    said = health.messages()
    assert [f"started again in {ms} ms" in said for ms in (100, 200, 400)] == [True] * 3
    assert not health.events("app", "unhealthy") and len(health.events("app", "ready")) == 1
    # The new one finds a failure as the first would have.
    health.order("app", "500")
    health.await_event("app", "restart")


def test_late_answer_about_an_earlier_life_is_dropped(health):
    """A server of its own, which lives on, answers for the first life in the second."""
    name = soon("liveness", 60)
    health.order("web", "held")
    health.web("web")  # ready when it listens
    health.service(name, "sleep 100001", RESTART, "requires = web")
    health.probe(name, "liveness", f"{WEB}/live", failures=1, interval="60s", timeout="60s")
    health.start()
    health.await_said("web", "asked")
    health.order("web", "200")
    health.ok("restart", name)
    status = health.await_fields(name, life=2, liveness="passing")
    health.order("let-go", "")
    health.await_said("web", "late")  # the failure has been sent
    health.ok("ping")
    status = health.status(name)
    assert (status["life"], status["liveness"]) == (2, "passing")
    assert not health.events(name, "unhealthy")


def test_exec_of_an_earlier_life_is_dropped(health):
    """The process of the earlier life's check is killed; that is no failure of this one's."""
    name = soon("liveness", 60)
    health.service(name, "sleep 100001", "restart_delay = 0")
    health.probe(name, "liveness", "exec:" + note(health, "run", "sleep 100088"), failures=1,
                 interval="60s", timeout="60s")
    health.start()
    for life in range(2, 7):
        (check,) = until(lambda: health.running("sleep", "100088"))
        health.process(name).kill(signal.SIGKILL)
        health.await_fields(name, life=life, state="running")
        until(lambda: not check.alive(), "the check of before is gone")
    health.await_said("run", count=6)
    assert not health.events(name, "unhealthy")
    assert len(health.events(name, "restart")) == 5


# --- reload

def test_reload_of_a_probe_alone(health):
    """The service is not touched, and the new probe holds."""
    health.web("app")
    health.probe("app", "liveness", f"{WEB}/old")
    health.start()
    health.await_said("app", "asked", "/old", count=2)
    pid = health.status("app")["pid"]
    health.probe("app", "liveness", f"{WEB}/new", failures=2)
    health.ok("reload")
    health.await_said("app", "asked", "/new", count=2)
    asked = len(health.said("app", "asked", "/old"))
    health.await_more("app", "asked", "/new", count=3)
    assert len(health.said("app", "asked", "/old")) == asked
    status = health.await_fields("app", liveness="passing")
    assert (status["pid"], status["life"], status["restarts"]) == (pid, 1, 0)
    health.order("app", "500")
    health.await_event("app", "restart")


def test_reload_of_an_exec_probe_that_is_running(health):
    """What is killed for the reload has not failed."""
    name = soon("liveness", 60)
    health.service(name, "sleep 100001", RESTART)
    health.probe(name, "liveness", "exec:" + note(health, "old", "sleep 100088"), failures=1,
                 interval="60s", timeout="60s")
    health.start()
    (check,) = until(lambda: health.running("sleep", "100088"))
    health.probe(name, "liveness", "exec:" + note(health, "new"), failures=1, interval="1s")
    health.ok("reload")
    health.await_said("new", count=3)
    status = health.await_fields(name, liveness="passing")
    assert (status["life"], status["restarts"]) == (1, 0)
    assert not health.events(name, "unhealthy") and not check.alive()


def test_reload_removes_readiness(health):
    health.order("app", "503")
    health.web("app")
    health.web("needs", "requires = app", port=8081)
    health.probe("app", "readiness", f"{WEB}/ready", failures=1)
    health.start()
    health.await_fields("app", readiness="failing", ready=False)
    health.no_probe("app", "readiness")
    health.ok("reload")
    status = health.await_fields("app", ready=True)
    assert (status["life"], status["readiness"]) == (1, None)
    health.await_fields("needs", ready=True)
    until(lambda: not health.helpers("prober"), "nobody needs a prober")


def test_reload_adds_liveness(health):
    health.web("app")
    health.start()
    health.await_fields("app", state="running")
    assert not health.helpers("prober")
    health.order("app", "500")
    health.probe("app", "liveness", f"{WEB}/live", failures=2)
    health.ok("reload")
    health.await_event("app", "restart")
    health.order("app", "200")
    status = health.await_fields("app", state="running", liveness="passing")
    assert status["cause"] == "liveness"


def test_reload_adds_readiness(health):
    """It is not ready until that has passed; who needs it is left alone."""
    health.order("app", "503")
    health.web("app")
    health.web("needs", "requires = app", port=8081)
    health.start()
    health.await_fields("needs", ready=True)
    health.probe("app", "readiness", f"{WEB}/ready", failures=1)
    health.ok("reload")
    health.await_fields("app", ready=False, readiness="failing", state="running")
    health.order("app", "200")
    health.await_fields("app", ready=True, readiness="passing")
    assert health.status("needs")["life"] == health.status("app")["life"] == 1
    assert health.status("needs")["ready"] is True


def test_reload_changes_readiness_under_dependents(health):
    health.web("app")
    health.web("needs", "requires = app", port=8081)
    health.probe("app", "readiness", f"{WEB}/ready")
    health.start()
    health.await_fields("needs", ready=True)
    for seconds in (300, 250, 200):
        health.probe("app", "readiness", f"{WEB}/ready{seconds}", interval=f"{seconds}ms")
        health.ok("reload")
        health.await_said("app", "asked", f"/ready{seconds}", count=2)
        health.await_fields("app", ready=True, readiness="passing")
    assert health.status("needs")["life"] == health.status("app")["life"] == 1


def test_reload_removes_startup_of_a_starting_service(health):
    health.order("app", "500")
    health.web("app")
    health.probe("app", "startup", f"{WEB}/up", failures=1000)
    health.start()
    health.await_said("app", "asked")
    assert health.status("app")["state"] == "starting"
    health.no_probe("app", "startup")
    health.ok("reload")
    status = health.await_fields("app", state="running", ready=True)
    assert (status["life"], status["startup"]) == (1, None)


# --- stopping

def test_probes_of_a_stopped_service_stop(health):
    health.web("app")
    health.web("other", port=8081)
    health.probe("app", "readiness", f"{WEB}/ready")
    health.probe("app", "liveness", "exec:" + note(health, "alive", "sleep 100088"),
                 timeout="200ms", failures=1000)
    health.probe("other", "readiness", "http://127.0.0.1:8081/")
    health.start()
    health.await_fields("app", ready=True)
    health.await_said("alive", count=2)
    health.ok("stop", "app")
    until(lambda: not health.running("sleep", "100088"))
    count = len(health.said("alive"))
    # Somebody else there now must not be asked, and a whole turn of all probes shows it.
    health.web("app2")
    health.ok("reload")
    health.await_said("app2", "start")
    health.await_more("other", "asked", count=6)
    assert len(health.said("alive")) == count and not health.said("app2", "asked")
    status = health.status("app")
    assert status["state"] == "stopped" and status["ready"] is False
    assert status["readiness"] == status["liveness"] == "unknown"
    health.ok("stop", "app2")
    health.ok("start", "app")
    health.await_fields("app", ready=True)
    health.await_more("alive")


def test_recovery_in_order(health):
    """The database hangs; the application that needs it is not restarted into the void."""
    health.web("db", "stop_timeout = 300ms")
    health.service("app", health.program("app", f"""
say('start')
import threading
threading.Thread(target=serve, args=(8081,), daemon=True).start()
while True:
    try:
        s = socket.create_connection(('127.0.0.1', {PORT}), 1)
        s.sendall(b'GET /app HTTP/1.0\\r\\n\\r\\n')
        if not s.recv(100):
            raise OSError
        s.close()
    except OSError:
        say('lost')
        os._exit(1)
    time.sleep(0.05)
"""), RESTART, "requires = db")
    health.probe("db", "startup", f"{WEB}/up")
    health.probe("db", "liveness", f"{WEB}/live", failures=2)
    # Python takes its time to listen on a machine that is busy.
    health.probe("app", "startup", "http://127.0.0.1:8081/", failures=100)
    health.probe("app", "liveness", "http://127.0.0.1:8081/", failures=20)
    health.start()
    health.await_fields("app", state="running", liveness="passing")
    health.process("db").freeze()
    health.await_fields("db", life=2, state="running")
    app = health.await_fields("app", state="running", liveness="passing")
    assert app["restarts"] <= 1, health.events("app")
    sequence = health.sequence("start", "ready")
    back = max(i for i, e in enumerate(sequence) if e == ("db", "ready"))
    last = max(i for i, e in enumerate(sequence) if e == ("app", "start"))
    if app["life"] > 1:
        assert back < last, sequence
    assert len(health.said("app", "start")) == app["life"] <= 2


def test_shutdown_while_probes_run_leaves_nothing(health):
    health.web("app")
    health.probe("app", "readiness", f"{WEB}/ready")
    for i in range(3):
        health.service(f"e{i}", "sleep 100001", RESTART)
        health.probe(f"e{i}", "readiness", timeout="200ms", check="exec:sh -c "
                     f"\"trap '' TERM; sleep 10009{i} & sleep 10009{i}\"")
        health.probe(f"e{i}", "liveness", "exec:sleep 100095", timeout="200ms", failures=1000)
    health.start()
    health.await_fields("app", ready=True)
    until(lambda: health.running("sleep", "100090") or health.running("sleep", "100091"))
    everything = health.processes()
    begin = time.monotonic()
    assert health.shutdown() == 0
    assert time.monotonic() - begin < 30  # far from the patience for what does not go
    assert not any(p.alive() for p in everything if p.pid != health.outer.pid)
    assert "killing the processes that are left" not in health.messages()


def test_events_tell_the_reason(health):
    health.web("app")
    health.probe("app", "readiness", f"{WEB}/ready", failures=1, interval="500ms")
    health.start()
    health.await_fields("app", ready=True)
    health.order("app", "503")
    (event,) = health.await_event("app", "unhealthy")
    assert "readiness probe fails" in event["message"]
    health.order("app", "200")
    (good,) = health.await_event("app", "healthy")
    assert "readiness probe passes" in good["message"]
    assert "HTTP status 503" in event["message"], event
    assert "readiness probe fails: HTTP status 503" in health.messages()
    assert event.get("step") is None or event["step"] != "exec"


# --- a start that takes too long

def test_a_start_that_takes_too_long_tells_what_its_probe_finds(health):
    """Also what has not failed often enough to count, whoever makes the check."""
    health.web("web")
    health.order("web", 503)
    for name, check in (("http", WEB), ("exec", "exec:sh -c 'exit 7'"),
                        ("file", "file:/nonexistent")):
        health.service(name, "sleep 100001", "start_timeout = 8s", "restart = never")
        health.probe(name, "startup", check, failures=1000, interval="2s")
    health.start()
    for name, why in (("exec", "the command exited with code 7"),
                      ("file", "the file cannot be looked at")):
        until(lambda name=name, why=why: "its startup probe has not passed yet: " + why in
              (health.status(name).get("reason") or ""))
    for name, why in (("http", "HTTP status 503"), ("exec", "the command exited with code 7"),
                      ("file", "the file cannot be looked at")):
        service = health.await_fields(name, state="failed")
        assert service["cause"] == "start-timeout"
        assert service["reason"].startswith(
            f"not ready within start_timeout (8s); its startup probe fails: {why}"), service


def test_a_startup_probe_may_take_longer_than_the_default_start_timeout(health):
    health.service("app", "sleep 100001")
    health.probe("app", "startup", "exec:true", initial_delay="2m", failures=30)
    health.start()
    health.await_fields("app", state="starting")
    assert "start_timeout = 126200ms\n" in health.ctl("show", "app", "start_timeout").out
