"""The alerter alone: rules, ways of delivery, cooldown, and what goes wrong on the way."""

import errno
import json
import os
import re
import shlex
import socket
import stat
import struct
import subprocess
import time

import pytest
from alerter_lab import NEVER, NUMBERED, TOP, Alerter, Hook, files, rule
from harness import SINIT, alive, unless_gone, until


@pytest.fixture
def alerter(tmp_path):
    alerter = Alerter(tmp_path, ALERT_TEST="kept")
    yield alerter
    alerter.clean()


@pytest.fixture
def out(tmp_path):
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


@pytest.fixture
def hook():
    hook = Hook()
    yield hook
    hook.shutdown()
    hook.server_close()


def wait_sent(alerter, count, ok=True):
    found = [alerter.sent() for _ in range(count)]
    assert all(one[0] == ok for one in found), (found, alerter.complaints())
    return found


def test_file(alerter, out):
    alerter.rule(file=out, name="ops")
    alerter.event("fatal", "db@2")
    assert alerter.sent() == (True, "db@2", "ops")
    (path,) = out.iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}\.\d{3}Z-db@2-fatal\.json", path.name)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    found = json.loads(path.read_text())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found.pop("timestamp"))
    message = found.pop("message")
    assert message == "restart limit reached: exited 3; sinitctl start db@2 starts it again"
    assert found == {
        "severity": "critical", "event": "fatal", "service": "db@2", "requires_attention": True,
        "suppressed": 0, "missed": 0, "dropped": 0, "host": socket.gethostname(), "alert": "ops",
        "summary": f"db@2 on {socket.gethostname()} is down and stays down: {message}"}


def test_files_of_the_same_moment_stay(alerter, out):
    alerter.rule(file=out)
    alerter.event("restart", count=40)
    wait_sent(alerter, 40)
    assert len(files(out)) == 40 and len(list(out.iterdir())) == 40


def test_webhook(alerter, hook):
    alerter.rule(webhook=("127.0.0.1", hook.port, "/a/b?c=d"), name="hook")
    alerter.event("restart")
    wait_sent(alerter, 1)
    ((path, headers, body),) = hook.requests
    assert path == "/a/b?c=d" and headers["Host"] == f"127.0.0.1:{hook.port}"
    assert headers["Content-Type"] == "application/json"
    found = json.loads(body)
    assert (found["event"], found["severity"]) == ("restart", "warning")
    assert found["message"] == "restart 1 (exited 3)" and not found["requires_attention"]


@pytest.mark.parametrize("kind, priority", [("fatal", "5"), ("oom", "4"), ("recovered", "3")])
def test_ntfy(alerter, hook, kind, priority):
    alerter.rule(webhook=("localhost", hook.port, "/topic"), form=1, events=kind)
    alerter.event(kind)
    wait_sent(alerter, 1)
    ((_, headers, body),) = hook.requests
    assert headers["Title"] == f"web: {kind}" and headers["Priority"] == priority
    assert kind in headers["Tags"].split(",") and body.startswith(f"web on {socket.gethostname()} ")


def test_webhook_over_ipv6(alerter):
    hook = Hook(family=socket.AF_INET6)
    alerter.rule(webhook=("::1", hook.port, "/"))
    alerter.event("oom")
    wait_sent(alerter, 1)
    assert hook.requests[0][1]["Host"] == f"[::1]:{hook.port}"
    hook.shutdown()
    hook.server_close()


def test_webhook_that_refuses(alerter, hook):
    hook.status = 500
    alerter.rule(webhook=("127.0.0.1", hook.port, "/"), name="hook")
    alerter.event("oom")
    assert alerter.sent() == (False, "web", "hook")
    assert alerter.why == ("127.0.0.1", "status", 500)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        alerter.rule(webhook=("127.0.0.1", closed.getsockname()[1], "/"))
        alerter.event("oom")
        wait_sent(alerter, 1, ok=False)
    assert alerter.why == ("127.0.0.1", "connect", errno.ECONNREFUSED)
    alerter.rule(webhook=("no.such.invalid", 80, "/"))
    alerter.event("oom")
    wait_sent(alerter, 1, ok=False)
    assert alerter.why[:2] == ("no.such.invalid", "resolve")
    assert alerter.complaints() == ""


def test_command(alerter, out):
    script = ("cat >$1/json; env >$1/env; ls -l /proc/self/fd >$1/fds; grep SigBlk /proc/self/status >$1/mask")
    alerter.rule(command=["sh", "-c", script, "sh", out], name="cmd")
    alerter.event("failed")
    wait_sent(alerter, 1)
    found = json.loads((out / "json").read_text())
    environ = dict(line.split("=", 1) for line in (out / "env").read_text().splitlines() if "=" in line)
    assert environ["ALERT_TEST"] == "kept" and environ["ALERT_SUMMARY"] == found["summary"]
    assert (environ["ALERT_EVENT"], environ["ALERT_SERVICE"], environ["ALERT_SEVERITY"]) == \
        ("failed", "web", "critical")
    assert "socket:" not in (out / "fds").read_text() and "board" not in (out / "fds").read_text()
    assert set((out / "mask").read_text().split()[1]) == {"0"}


@pytest.mark.parametrize("command, why", [
    (["sh", "-c", "exit 7"], ("sh", "exit", 7)),
    (["sh", "-c", "kill -9 $$"], ("sh", "killed", 9)),
    (["/nowhere/x"], ("/nowhere/x", "spawn", errno.ENOENT)),
    (["/nowhere/" + 200 * "x"], ("/nowhere/" + 118 * "x", "spawn", errno.ENOENT))])
def test_command_that_fails(alerter, command, why):
    """Why is told to PID 1, in one message, and nowhere else."""
    alerter.rule(command=command)
    alerter.event("oom")
    wait_sent(alerter, 1, ok=False)
    assert alerter.why == why and alerter.complaints() == ""


def test_recovery_comes_behind_what_it_is_about(alerter, out):
    """By each way; other bad news, and recoveries of others, do not wait for it."""
    wait = f"until [ -e {out}/go ]; do sleep 0.05; done"
    alerter.rule(number=0, command=["sh", "-c", f'[ $ALERT_EVENT = recovered ] || {wait}; echo $ALERT_EVENT >>{out}/$ALERT_SERVICE'], name="cmd")
    alerter.rule(number=1, file=out, name="file")
    for kind, name in (("restart", "web"), ("recovered", "web"), ("recovered", "other"), ("fatal", "web")):
        alerter.event(kind, name)
    assert sorted(one[1:] for one in wait_sent(alerter, 5)) == sorted(
        3 * [("web", "file")] + [("other", "file"), ("other", "cmd")])
    assert (out / "other").exists() and not (out / "web").exists()
    until(lambda: len(alerter.children()) == 2, "both bad ones are on their way")
    (out / "go").touch()
    wait_sent(alerter, 3)
    lines = (out / "web").read_text().split()
    assert sorted(lines) == ["fatal", "recovered", "restart"] and lines.index("restart") < lines.index("recovered")


def test_all_ways_at_once(alerter, hook, out):
    alerter.rule(command=["sh", "-c", f"cat >{out}/c"], file=out, webhook=("127.0.0.1", hook.port, "/"))
    alerter.event("oom")
    wait_sent(alerter, 3)
    (found,) = files(out)
    assert found == json.loads((out / "c").read_text()) == hook.json()[0]


def test_directory_missing(alerter, tmp_path):
    alerter.rule(file=tmp_path / "none")
    alerter.event("oom")
    wait_sent(alerter, 1, ok=False)
    assert alerter.why == (f"{tmp_path}/none", "write", errno.ENOENT)


@pytest.mark.release_only  # half a minute
def test_what_hangs_is_killed_and_others_go_on(alerter, out):
    """A webhook that takes the request and says nothing, and a command whose child hangs."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        alerter.rule(number=0, webhook=("127.0.0.1", silent.getsockname()[1], "/"), name="hook", services=["a"])
        alerter.rule(number=1, command=["sh", "-c", f"sleep 1000 & echo $! >{out}/pid; wait"], name="cmd",
                     services=["a"])
        alerter.rule(number=2, file=out, name="file")
        began = time.monotonic()
        alerter.event("oom", "a")
        assert alerter.sent() == (True, "a", "file")
        alerter.event("oom", "b")
        assert alerter.sent() == (True, "b", "file")
        assert time.monotonic() - began < 20
        assert {(alerter.sent()[2], alerter.why) for _ in range(2)} == {
            ("hook", ("127.0.0.1", "late", 30)), ("cmd", ("sh", "late", 30))}
        assert 29 < time.monotonic() - began < 45
    until(lambda: not alive((out / "pid").read_text().strip()), "its child is gone, too")
    assert not alerter.children()


@pytest.mark.release_only  # counts what comes while eight are busy
def test_eight_at_once_and_a_queue(alerter, out):
    alerter.rule(command=["sh", "-c", "while [ ! -e $1/go ]; do sleep 0.05; done", "sh", out], name="slow")
    for number in range(280):
        alerter.event("oom", f"s{number}")
    until(lambda: len(alerter.children()) == 8, "eight run")
    alerter.event("oom", "more")
    time.sleep(0.2)
    assert len(alerter.children()) == 8
    (out / "go").touch()
    # How many found room before the first eight had been taken from the queue varies.
    count = 0
    while alerter.seen < alerter.last:
        assert alerter.sent()[0]
        count += 1
    assert 256 <= count <= 264
    alerter.rule(file=out, name="after")
    alerter.event("oom")
    wait_sent(alerter, 1)
    assert files(out)[-1]["dropped"] == 281 - count
    assert f"; {281 - count} alerts could not be sent" in files(out)[-1]["summary"]


def test_cooldown(alerter, out):
    alerter.rule(file=out, cooldown=2000)
    alerter.event("restart")
    alerter.event("restart", count=3)
    alerter.event("restart", "other")
    alerter.event("oom")
    wait_sent(alerter, 3)
    assert alerter.quiet(2.1)
    alerter.event("restart")
    wait_sent(alerter, 1)
    found = files(out)[-1]
    assert (found["service"], found["event"], found["suppressed"]) == ("web", "restart", 3)
    assert "; 3 more like this since the last alert" in found["summary"]


def test_cooldown_outlives_a_reload(alerter, out):
    alerter.rule(file=out, cooldown=NEVER)
    alerter.event("restart")
    wait_sent(alerter, 1)
    alerter.rule(file=out, cooldown=NEVER, services=["web", "x"])
    alerter.event("restart")
    assert alerter.quiet()
    alerter.rule(file=out, cooldown=NEVER, name="renamed")
    alerter.event("restart")
    wait_sent(alerter, 1)


def test_kinds_and_patterns(alerter, out):
    alerter.rule(number=0, file=out, events="fatal oom", services=["we*", "x[12]", "db"], name="some")
    for kind, name in (("fatal", "web"), ("oom", "db@3"), ("oom", "db2"), ("oom", "d"), ("oom", "x2"), ("oom", "x3"), ("restart", "web"), ("start", "web"),
                       ("exit", "web"), ("backoff", "web"), ("stop", "web"), ("done", "web"), ("ready", "web")):
        alerter.event(kind, name)
    assert sorted(wait_sent(alerter, 3)) == [(True, name, "some") for name in ("db@3", "web", "x2")]
    assert alerter.quiet()


def test_recovered(alerter, out):
    """PID 1 says when; what is ready may fail again at once."""
    alerter.rule(file=out, events="recovered")
    for kind in ("restart", "ready", "unhealthy", "healthy", "recovered", "oom", "done"):
        alerter.event(kind)
    wait_sent(alerter, 1)
    assert alerter.quiet()
    assert {found["severity"] for found in files(out)} == {"info"}


def test_critical_down(alerter, out):
    alerter.board("service 0 a 0")
    alerter.board("service 1 b 1")
    alerter.rule(number=0, file=out, events="critical-down", name="page")
    alerter.rule(number=1, file=out, name="all")
    alerter.event("fatal", "a")
    assert alerter.sent() == (True, "a", "all")
    alerter.event("failed", "b")
    assert {alerter.sent()[2], alerter.sent()[2]} == {"page", "all"}
    assert [found["event"] for found in files(out)] == ["fatal", "critical-down", "critical-down"]


def test_new_rules_while_an_alert_is_on_its_way(alerter, out):
    alerter.rule(number=0, command=["sh", "-c", f"until [ -e {out}/go ]; do sleep 0.05; done"], name="old")
    alerter.rule(number=1, file=out, name="second")
    alerter.event("oom")
    assert alerter.sent()[2] == "second"
    alerter.rule(file=out, name="new")
    alerter.event("oom", "b")
    assert alerter.sent() == (True, "b", "new")
    (out / "go").touch()
    assert alerter.sent() == (True, "web", "old")


def test_overtaken_by_the_ring(alerter, out):
    alerter.rule(file=out, events="fatal")
    alerter.unseen_event("start", count=1500)
    alerter.event("fatal")
    wait_sent(alerter, 1)
    (found,) = files(out)
    assert found["missed"] == 1501 - 1024 and "; 477 events went by unseen" in found["summary"]
    alerter.event("fatal", "b")
    wait_sent(alerter, 1)
    assert files(out)[-1]["missed"] == 0


def test_events_before_the_beginning_are_passed_over(alerter, tmp_path, out):
    alerter.unseen_event("fatal", "a")
    alerter.unseen_event("fatal", "b")
    second = Alerter(tmp_path, after=1, board=alerter.board)
    second.rule(file=out)
    second.last = 2
    second.look()
    assert second.sent() == (True, "b", "test") and second.seen == 2
    assert second.quiet()
    second.channel.close()
    assert second.wait() == 0


def test_nothing_is_read_before_the_beginning(tmp_path, out):
    first = Alerter(tmp_path, after=None)
    first.event("fatal")
    first.rule(file=out)
    first.look()
    assert first.quiet()
    first.begin(0)
    first.look()
    wait_sent(first, 1)
    first.clean()


def test_seen_is_what_needs_no_more_looking_at(alerter, out):
    """An alert that is on its way, or waits, has not been dealt with; an earlier one has."""
    alerter.rule(number=0, file=out, services=["a", "c"])
    alerter.rule(number=1, command=["sh", "-c", f"until [ -e {out}/go ]; do sleep 0.05; done"], services=["b"])
    alerter.event("oom", "a")
    wait_sent(alerter, 1)
    assert alerter.seen == 1
    alerter.event("oom", "b")
    alerter.event("oom", "c")
    assert alerter.sent() == (True, "c", "test") and alerter.seen == 1
    (out / "go").touch()
    assert alerter.sent() == (True, "b", "test") and alerter.seen == 3


def test_seen_is_told_when_many_events_were_no_alerts(alerter, out):
    alerter.rule(file=out)
    alerter.event("start", count=255)
    assert alerter.quiet()
    alerter.event("start")
    assert not alerter.quiet(10)
    assert NUMBERED.unpack(alerter.channel.recv(4096)) == (6, 0, 256)


def test_end_lets_deliveries_finish(alerter, out):
    """Also when that takes longer than what there is time for when PID 1 has gone."""
    alerter.rule(command=["sh", "-c", f"sleep 3; touch {out}/done"])
    alerter.unseen_event("fatal", "web")
    alerter.end()
    alerter.event("fatal", "b")  # no alert is configured any more
    assert alerter.sent() == (True, "web", "test")
    assert alerter.last_seen() == 1 and alerter.wait() == 0
    assert (out / "done").exists()


def test_end_that_is_taken_back(alerter, out):
    alerter.rule(command=["sh", "-c", f"until [ -e {out}/go ]; do sleep 0.05; done"], name="old")
    alerter.event("fatal", "a")
    alerter.end()
    alerter.unseen_event("fatal", "b")
    alerter.begin(2)
    alerter.rule(file=out, name="new")
    alerter.event("fatal", "c")
    assert alerter.sent() == (True, "c", "new")
    (out / "go").touch()
    assert alerter.sent() == (True, "a", "old") and alerter.seen == 3
    assert alerter.quiet()


def test_garbage_is_passed_over(alerter, out):
    good = rule(file=out)
    for size in range(1, len(good)):
        alerter.channel.send(good[:size])
    for message in (struct.pack("@I", 99), b"\xff" * 500, good[:-1] + b"x", b"x" * 20000):
        alerter.channel.send(message)
    alerter.event("oom")
    assert alerter.quiet()
    alerter.channel.send(good)
    alerter.event("oom")
    wait_sent(alerter, 1)


@pytest.mark.release_only  # more events than are queued, were it slower
def test_full_channel_does_not_stop_it(alerter, out):
    alerter.rule(file=out)
    alerter.event("oom")
    wait_sent(alerter, 1)
    for _ in range(1200):  # far more than a socket pair takes
        alerter.unseen_event("oom", "web")
        if _ % 20 == 0:
            alerter.look()
            until(lambda: not alerter.children() and alerter.state() == "S", "it is through")
    alerter.look()
    until(lambda: len(files(out)) > 600, "it goes on")


def test_idle_is_never_woken(alerter, out):
    alerter.rule(file=out, cooldown=100)
    alerter.event("oom")
    wait_sent(alerter, 1)
    until(lambda: not alerter.children() and alerter.state() == "S", "it waits")

    def still():
        before = alerter.switches()
        time.sleep(1)
        return alerter.switches() == before
    until(still, "a second without a wake-up")


def test_end_of_channel(alerter, out):
    """What is known at the end is still told, and quick deliveries get the time they need."""
    alerter.rule(number=0, command=["sh", "-c", f"sleep 0.1; touch {out}/done"])
    alerter.rule(number=1, command=["sh", "-c", f"echo $$ >{out}/pid; exec sleep 1000"], services=["b"])
    alerter.unseen_event("fatal", "web")
    began = time.monotonic()
    assert alerter.close() == 0
    assert (out / "done").exists() and time.monotonic() - began < 2


def test_end_of_channel_does_not_wait_for_ever(alerter, out):
    alerter.rule(command=["sh", "-c", f"echo $$ >{out}/pid; exec sleep 1000"])
    alerter.event("oom")
    pid = until(lambda: unless_gone((out / "pid").read_text), "it runs").strip()
    began = time.monotonic()
    assert alerter.close() == 0
    assert 1.9 < time.monotonic() - began < 20
    until(lambda: not alive(pid), "killed")


def test_without_a_board(tmp_path):
    with open(os.devnull) as null:
        pid = os.posix_spawn(SINIT, ["sinit: alerter"], {},
                             file_actions=[(os.POSIX_SPAWN_DUP2, null.fileno(), 4)])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 70


@pytest.mark.parametrize("name", ["ntfy", "slack", "mail"])
def test_examples_of_the_configuration(tmp_path, name):
    (tmp_path / "conf.d").mkdir()
    text = (TOP / f"conf.d/examples/alert-{name}.ini").read_text()
    (tmp_path / "conf.d/alert.ini").write_text(text)
    (tmp_path / "conf.d/services.ini").write_text(
        "".join(f"[service {service}]\ncommand = true\n" for service in ("redis", "nginx", "worker")))
    found = subprocess.run([SINIT, "-c", tmp_path, "--check"], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_example_of_a_mail(alerter, out):
    """Its command as it stands, but with a curl that keeps what it is given."""
    (out / "curl").write_text(f'#!/bin/sh\necho "$*" >{out}/words\ncat >{out}/mail\n')
    (out / "curl").chmod(0o755)
    line = next(line for line in (TOP / "conf.d/examples/alert-mail.ini").read_text().splitlines()
                if line.startswith("command = "))
    script = shlex.split(line.removeprefix("command = "))[2].replace("%%", "%")
    alerter.rule(command=["sh", "-c", f"PATH={out}:$PATH; {script}"])
    alerter.event("fatal")
    wait_sent(alerter, 1)
    head, sentence, rest = (out / "mail").read_text().split("\n\n")
    assert head.splitlines()[2] == "Subject: [critical] web fatal"
    assert sentence == json.loads(rest)["summary"]
    assert "--mail-rcpt ops@example.org -T - smtp://" in (out / "words").read_text()
