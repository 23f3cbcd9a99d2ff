"""Alerts of a whole sinit: none is lost while the alerter begins, is away or is to go."""

import json
import os
import signal
import subprocess
import time

import pytest
from control_lab import SINIT
from health_lab import RESTART, health, until  # noqa: F401

UNLIMITED = "max_restarts = unlimited"


class Alerts:
    """The alerts of a lab that become files."""

    def __init__(self, lab):
        self.lab = lab
        self.directory = lab.base / "alerts"
        self.directory.mkdir()

    def to_file(self, name="ops", *lines):
        self.lab.write("alert-" + name, "\n".join(
            [f"[alert {name}]", "cooldown = 0", f"file = {self.directory}", *lines, ""]))

    def to_command(self, name, script, *lines):
        path = self.lab.script(name + ".sh", f"#!/bin/sh\ncd {self.directory}\n{script}\n")
        self.lab.write("alert-" + name, "\n".join(
            [f"[alert {name}]", "cooldown = 0", f"command = {path}", *lines, ""]))

    def remove(self, name):
        self.lab.remove("alert-" + name)

    def all(self, kind=None):
        found = [json.loads(path.read_text()) for path in sorted(self.directory.glob("*.json"))]
        return [one for one in found if kind in (None, one["event"])]

    def wait(self, count, kind=None):
        until(lambda: len(self.all(kind)) >= count, f"{count} alerts: {self.all()} {self.lab.messages()}")
        return self.all(kind)


@pytest.fixture
def alerts(health):  # noqa: F811
    return Alerts(health)


def crash(lab, name="web"):
    """One automatic restart."""
    restarts = lab.status(name)["restarts"]
    lab.ok("signal", name, "KILL")
    until(lambda: (now := lab.status(name))["restarts"] == restarts + 1 and now["state"] == "running",
          "restarted")


def test_events_at_boot(health, alerts):  # noqa: F811
    """They come about while the alerter is still being started."""
    for i in range(4):
        health.service(f"a{i}", "/nonexistent/program", "restart = never")
        health.service(f"b{i}", "sh -c 'exit 3'", "restart = never")
        health.service(f"c{i}", "sh -c 'exit 3'", "max_restarts = 0")
    health.service("keep")
    alerts.to_file()
    health.start()
    found = alerts.wait(12)
    assert sorted(one["service"] for one in found) == sorted(f"{l}{i}" for l in "abc" for i in range(4))
    assert {one["missed"] for one in found} == {0}


def test_critical_service_that_fails_at_once(health, alerts):  # noqa: F811
    health.service("main", "sh -c 'exit 4'", "max_restarts = 0", "critical = yes")
    alerts.to_file()
    health.launch()
    assert health.wait() == 4
    assert [one["event"] for one in alerts.all()] == ["critical-down"]


def test_alerter_that_was_killed(health, alerts):  # noqa: F811
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    alerts.to_file("ops", "events = restart")
    health.start()
    crash(health)
    alerts.wait(1)
    # Of what PID 1 has not been told of, the next alerter may tell once more.
    until(lambda: len(health.events("web", "alert")) == 1, "PID 1 knows")
    for _ in range(3):  # each time it stays away for longer
        health.helper("alerter").kill(signal.SIGKILL)
        until(lambda: not health.helpers("alerter"), "it is gone")
    crash(health)
    crash(health)
    found = alerts.wait(3)
    assert [one["message"].split(" (")[0] for one in found] == ["restart 1", "restart 2", "restart 3"]
    assert {one["missed"] for one in found} == {0}
    until(lambda: len(health.events("web", "alert")) == 3, "PID 1 knows")


def test_alert_on_its_way_when_the_alerter_is_killed(health, alerts):  # noqa: F811
    """It is sent once more rather than never, and those before it are not."""
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    alerts.to_command("slow", 'cat >>got; [ -e go ] || sleep 1000', "events = restart")
    (alerts.directory / "go").touch()
    health.start()
    crash(health)
    got = alerts.directory / "got"
    until(lambda: len(health.events("web", "alert")) == 1, "the first")
    (alerts.directory / "go").unlink()
    crash(health)
    until(lambda: got.read_text().count("\n") == 2, "the second is on its way")
    health.helper("alerter").kill(signal.SIGKILL)
    (alerts.directory / "go").touch()
    until(lambda: len(health.events("web", "alert")) == 2, "it was sent")
    told = [json.loads(line)["message"].split(" (")[0] for line in got.read_text().splitlines()]
    assert told == ["restart 1", "restart 2", "restart 2"]


def test_last_alert_removed_while_one_is_on_its_way(health, alerts):  # noqa: F811
    """It is delivered, what comes before another [alert] is no alert, and what follows is."""
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    script = 'until [ -e go ]; do sleep 0.05; done; cat >>got'
    alerts.to_command("slow", script, "events = restart")
    health.start()
    crash(health)
    alerter = until(lambda: [p for p in health.helpers("alerter") if health.running("/bin/sh", str(
        health.base / "slow.sh"))], "it is on its way")[0]
    alerts.remove("slow")
    health.ok("reload")
    crash(health)
    alerts.to_command("slow", script, "events = restart")
    health.ok("reload")
    crash(health)
    until(lambda: len(health.running("/bin/sh", str(health.base / "slow.sh"))) == 2, "the next one, too")
    (alerts.directory / "go").touch()
    until(lambda: len(health.events("web", "alert")) == 2, "both are delivered")
    told = [json.loads(line)["message"].split(" (")[0] for line in
            (alerts.directory / "got").read_text().splitlines()]
    assert sorted(told) == ["restart 1", "restart 3"]
    assert alerter.alive() and "alerter has ended" not in health.messages()


def test_last_alert_removed(health, alerts):  # noqa: F811
    """More than the time that deliveries have when sinit itself ends; then the alerter goes."""
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    alerts.to_command("slow", "sleep 3; cat >>got", "events = restart")
    health.start()
    crash(health)
    until(lambda: health.running("/bin/sh", str(health.base / "slow.sh")), "it is on its way")
    alerts.remove("slow")
    health.ok("reload")
    until(lambda: health.events("web", "alert"), "it is delivered")
    assert (alerts.directory / "got").exists()
    until(lambda: not health.helpers("alerter"), "the alerter has gone")
    alerts.to_file("ops", "events = restart")
    health.ok("reload")
    crash(health)
    assert [one["message"].split(" (")[0] for one in alerts.wait(1)] == ["restart 2"]
    assert "alerter" not in health.messages()


def test_board_moved_while_one_is_on_its_way(health, alerts):  # noqa: F811
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    alerts.to_command("slow", "sleep 3; cat >>got", "events = restart")
    health.start()
    crash(health)
    until(lambda: health.running("/bin/sh", str(health.base / "slow.sh")), "it is on its way")
    (health.run / "board").unlink()
    until(lambda: "board was gone" in health.messages(), "it is made again")
    crash(health)
    until(lambda: len(health.events("web", "alert")) == 2, "both are delivered")
    assert (alerts.directory / "got").read_text().count("\n") == 2
    assert "alerter has ended" not in health.messages()


def test_rules_that_do_not_fit_into_the_channel_at_once(health, alerts):  # noqa: F811
    """64 with long commands; and again with a reload while the alerter does not read."""
    health.service("web", "sleep 100000", RESTART, UNLIMITED)

    def write(size):
        for i in range(64):
            alerts.to_file(f"a{i}", "events = restart", f"command = true {'x' * size}")
    write(3500)
    health.start()
    crash(health)
    assert len(alerts.wait(64)) == 64
    alerter = health.helper("alerter")
    alerter.freeze()
    write(3600)
    for _ in range(3):
        health.ok("reload")
    crash(health)
    alerter.kill(signal.SIGCONT)
    found = alerts.wait(128)
    assert sorted(one["alert"] for one in found) == sorted(2 * [f"a{i}" for i in range(64)])
    assert {(one["missed"], one["dropped"]) for one in found} == {(0, 0)}
    assert "could not be handed" not in health.messages()


def test_command_of_many_words(health, alerts):  # noqa: F811
    """As many as a line of the configuration can have."""
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    script = health.script("count.sh", f"#!/bin/sh\necho $# >{alerts.directory}/count\n")
    health.write("alert", f"[alert ops]\nevents = restart\ncommand = {script} {1900 * 'x '}\n")
    health.start()
    crash(health)
    until(lambda: health.events("web", "alert"), "it is sent")
    assert (alerts.directory / "count").read_text() == "1900\n"


def test_alert_that_is_too_long_is_refused(health):  # noqa: F811
    """With a variable it may be longer than a line."""
    health.service("web")
    health.write("alert", "[alert ops]\ncommand = true ${BIG}\n")
    for size, code in ((16000, 0), (17000, 78)):
        done = subprocess.run([SINIT, "-c", health.conf, "--check"], capture_output=True, text=True,
                              env={**os.environ, "BIG": size * "x"})
        assert done.returncode == code, done.stderr
    assert "alert.ini:1: [alert ops]: its command, services, webhook and file are too long" in done.stderr


# --- what is told of them -------------------------------------------------------------------


def test_what_could_not_be_delivered(health, alerts):  # noqa: F811
    """An event names the alert and says why; the log has one line of it, in its own format."""
    health.sinit_ini("log_format = json")
    health.service("web", "sleep 100000", RESTART, UNLIMITED)
    alerts.to_file("good", "events = restart")
    health.write("alert-dir", "[alert dir]\nevents = restart\nfile = /nonexistent/directory\n")
    health.write("alert-cmd", "[alert cmd]\nevents = restart\ncommand = /nonexistent/command\n")
    health.write("alert-exit", "[alert exit]\nevents = restart\ncommand = sh -c 'exit 7'\n")
    health.write("alert-hook", "[alert hook]\nevents = restart\nwebhook = http://127.0.0.1:9/x\n")
    health.start()
    crash(health)
    until(lambda: len(health.events("web", "alert")) == 5, "all are told of")
    why = {"dir": "the file could not be written: no such file or directory",
           "cmd": "the command could not be run: no such file or directory",
           "exit": "the command exited with code 7", "hook": "connection refused"}
    found = {event["alert"]: (event["delivered"], event["message"]) for event in health.events("web", "alert")}
    assert found == {"good": (True, "alert good delivered"), **{
        name: (False, f"alert {name} could not be delivered: {words}") for name, words in why.items()}}
    assert "alert exit could not be delivered: the command exited with code 7" in health.ok("events", "web").out
    where = {"dir": "/nonexistent/directory", "cmd": "/nonexistent/command", "exit": "sh", "hook": "127.0.0.1"}
    lines = [json.loads(line) for line in health.messages().splitlines()]
    told = [(line["level"], line["service"], line["message"]) for line in lines if "alert" in line["message"]]
    assert sorted(told) == sorted(("warning", "web", f"alert {name} could not be delivered: {where[name]}: {why[name]}")
                                  for name in why)


def test_restart_for_a_probe_says_so(health, alerts):  # noqa: F811
    """And not that it was killed by a signal, which was sinit's own."""
    health.service("web", "sleep 100000", RESTART, "max_restarts = 1")
    health.service("once", "sleep 100000", "restart = never")
    for name in ("web", "once"):  # the command is given as long as the interval
        health.probe(name, "liveness", "exec:false", interval="1s", failures=1)
    alerts.to_file("ops", "events = restart fatal failed")
    health.start()
    found = {one["event"]: one["message"] for one in alerts.wait(3)}
    why = "its liveness probe failed: the command exited with code 1"
    assert found == {"restart": f"restart 1 ({why})", "failed": f"failed: {why}",
                     "fatal": f"restart limit reached: {why}; sinitctl start web starts it again"}


# --- recovery -------------------------------------------------------------------------------


def kinds(lab, name):
    return [event["event"] for event in lab.events(name) if event["event"] in (
        "restart", "failed", "fatal", "unhealthy", "recovered")]


def test_recovered_once_it_has_been_well_for_min_uptime(health, alerts):  # noqa: F811
    """Not by each start of one that ends again at once."""
    health.service("web", f"sh -c '[ -e {health.base}/good ] && exec sleep 100000; sleep 0.1; exit 3'", RESTART,
                   "max_backoff = 100ms", UNLIMITED, "min_uptime = 1s")
    alerts.to_file("ops", "events = restart recovered")
    health.start()
    until(lambda: health.status("web")["restarts"] >= 4, "it fails")
    assert "recovered" not in kinds(health, "web")
    (health.base / "good").touch()
    (found,) = alerts.wait(1, "recovered")
    assert found["message"] == "ready for 1s" and found["severity"] == "info"
    assert kinds(health, "web")[-2:] == ["restart", "recovered"] and kinds(health, "web").count("recovered") == 1
    events = [event for event in health.events("web") if event["event"] in ("ready", "recovered")]
    assert events[-1]["event"] == "recovered" and events[-2]["event"] == "ready"
    assert alerts.all()[-1]["event"] == "recovered"


def test_recovered_after_a_probe_failed(health, alerts):  # noqa: F811
    flag = health.base / "bad"
    health.service("web", "sleep 100000", "min_uptime = 5s")
    health.probe("web", "readiness", f"exec:sh -c '! [ -e {flag} ]'", interval="1s", failures=1)
    alerts.to_file("ops", "events = unhealthy recovered")
    health.start()
    until(lambda: health.status("web")["ready"], "ready")
    for _ in range(2):
        flag.touch()
        until(lambda: not health.status("web")["ready"], "not ready")
        flag.unlink()
        until(lambda: health.status("web")["ready"], "ready")
    alerts.wait(1, "recovered")
    assert kinds(health, "web") == ["unhealthy", "unhealthy", "recovered"]


def test_not_recovered_before_its_liveness_is_known(health, alerts):  # noqa: F811
    health.service("web", "sleep 100000", RESTART, UNLIMITED, "min_uptime = 0")
    health.probe("web", "liveness", "exec:false", interval="300ms", failures=1)
    alerts.to_file("ops")
    health.start()
    alerts.wait(3, "restart")
    assert "recovered" not in kinds(health, "web")


def test_recovered_oneshot_is_done(health, alerts):  # noqa: F811
    flag = health.base / "good"
    health.service("job", f"sh -c '[ -e {flag} ]'", "type = oneshot", "restart = never")
    alerts.to_file("ops")
    health.start()
    alerts.wait(1, "failed")
    flag.touch()
    health.ok("start", "job")
    assert alerts.wait(1, "recovered")[0]["message"] == "done"
    assert kinds(health, "job") == ["failed", "recovered"]


def test_recovery_is_no_reason_to_wake_up_for_long(health, alerts):  # noqa: F811
    """Once it has been told nothing is due any more."""
    health.service("web", "sleep 100000", RESTART, UNLIMITED, "min_uptime = 300ms")
    health.start()
    crash(health)
    until(lambda: "recovered" in kinds(health, "web"), "recovered")
    until(lambda: health.sinit.stat()[0] == "S", "it waits")
    switches = lambda: int(health.sinit.status("voluntary_ctxt_switches"))  # noqa: E731

    def still():
        before = switches()
        time.sleep(1)
        return switches() == before
    until(still, "a second without a wake-up")
