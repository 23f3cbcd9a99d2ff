"""The pipes of services and who holds them, what `sinitctl logs` and events tell of what was said,
and what all of it costs."""

import json
import subprocess
import sys

import pytest
from control_lab import as_user
from log_lab import (LIMIT, LINE, SINITCTL, anonymous, check, checked, family, lab, lines_of,  # noqa: F401
                     needs_root, numbers, prefixed, running_seconds, switches, until, until_idle,
                     whole)

ONCE = "restart = never"


# --- who holds a pipe

def test_P81_closed_output_costs_nothing(lab):
    """Time is what a third service needs for 200 lines, at 100 lines a second."""
    go = lab.base / "go"
    lab.service("closed", "sh -c 'exec >&- 2>&-; exec sleep 100000'", f"log = {lab.logs}/closed")
    child = f"until [ -e {go} ]; do sleep 0.05; done; echo still here; exec sleep 100000"
    lab.service("daemon", f"sh -c 'setsid sh -c \"{child}\" & exit 0'", ONCE, "kill_mode = process",
                f"log = {lab.logs}/daemon")
    gate = lab.gate()
    lab.service("clock", f"{numbers()} write --lines 1000000 --rate 100 --gate {gate.path}",
                f"log = {lab.logs}/clock")
    lab.piped()
    assert lab.events("daemon", "exit") or until(lambda: lab.events("daemon", "exit"), "its exit")
    lab.finished("daemon")
    until(lambda: gate.count > 10, "the clock ticks")
    begin, count = running_seconds(lab.sinit, lab.logger), gate.count
    turns = switches(lab.logger) + switches(lab.sinit)
    until(lambda: gate.count >= count + 200, "two seconds")
    spent = running_seconds(lab.sinit, lab.logger) - begin
    lines = gate.count - count
    assert spent < 0.2 * lines / 100
    assert switches(lab.logger) + switches(lab.sinit) - turns < 20 * lines
    go.touch()
    lab.until_has(lab.logs / "daemon", b"still here\n")


@needs_root
@pytest.mark.parametrize("target", ["file", "prefix", "null"])
def test_P86_output_opened_by_path(lab, target):
    """By a service of another user: the pipe is its own."""
    file = lab.logs / "x"
    lab.service("x", "sh -c 'echo a >/dev/stderr; echo b >>/dev/stdout; echo c >/proc/self/fd/1; "
                "echo d >>/dev/fd/2; exit 0'", ONCE, "user = 1000", "group = 1000",
                "success_exit_codes = 0", f"log = {file if target == 'file' else target}")
    pipe = lab.piped()
    lab.finished("x")
    assert lab.status("x")["last_exit"]["code"] == 0
    assert lab.shutdown() == 0
    lines = {"file": lambda: lines_of(file), "prefix": lambda: prefixed(pipe.end(), "x"),
             "null": lambda: [b"a\n", b"b\n", b"c\n", b"d\n"]}[target]()
    assert lines == [b"a\n", b"b\n", b"c\n", b"d\n"]


@needs_root
def test_P86_output_opened_by_path_after_a_restart(lab):
    """The pipe stays, its owner may not: a reload gives the service another user."""
    file = lab.logs / "x"
    command = "sh -c 'id -u >/dev/stderr; exec sleep 100000'"
    lab.service("x", command, "user = 1000", "group = 1000", f"log = {file}")
    lab.piped()
    lab.until_has(file, "1000\n")
    lab.service("x", command, "user = 1001", "group = 1001", f"log = {file}")
    lab.ok("reload")
    lab.until_has(file, "1001\n")


def test_one_that_does_not_wait_for_room_and_the_next(lab):
    """O_NONBLOCK is the pipe's: what runs has it as it likes, the next one writes all that it has to."""
    does_not_wait = lab.script("does_not_wait", f"#!{sys.executable}\nimport os; os.set_blocking(1, False)\n")
    lab.service("x", f"sh -c 'seq 100000 && {does_not_wait}'", f"pre_start = {does_not_wait}", ONCE,
                f"log = {lab.logs}/x", "log_max_size = max")
    lab.piped()
    for life in (1, 2):
        until(lambda: len(lab.events("x", "exit")) == life, f"end {life}")
        assert lab.status("x")["last_exit"]["code"] == 0
        lab.until_has(lab.logs / "x", "\n100000\n", life)
        lab.ok("start", "--no-wait", "x")
    assert lab.shutdown() == 0
    assert lines_of(lab.logs / "x")[:200_000] == [b"%d\n" % i for i in range(1, 100_001)] * 2


# --- sinitctl logs, and events

SAYS = "sh -c 'for i in $(seq {0}); do echo line $i; done; echo oops >&2; exit {1}'"


@pytest.mark.parametrize("more", [[], ["log_stderr = {0}/x.err"]])
def test_logs_right_after_a_crash(lab, more):
    lab.service("x", SAYS.format(50, 3), ONCE, f"log = {lab.logs}/x", *(m.format(lab.logs) for m in more))
    lab.piped()
    lab.finished("x")
    # They may still be in the pipe.
    said = until(lambda: len(lines := lab.ok("logs", "x").out.splitlines()) >= 51 and lines, "all lines")
    assert set(said) == {f"line {i}" for i in range(1, 51)} | {"oops"} and len(said) == 51
    if not more:
        assert said[-1] == "oops" and lab.ok("logs", "x", "-n", "3").out == "line 49\nline 50\noops\n"
    last = lab.last_lines("x")
    assert last[-1] == "oops"
    assert len(last) == 1 if more else last[-2] == "line 50"


def test_event_of_each_end_has_its_own_last_lines(lab):
    lab.service("x", "sh -c 'echo life $(($(cat lives 2>/dev/null || echo 0) + 1)) | tee out >&2;"
                " cut -c6- out >lives; exit 1'", ONCE, f"working_directory = {lab.base}", f"log = {lab.logs}/x")
    lab.piped()
    for life in range(1, 6):
        lab.last_lines("x", life)
        assert [e["stderr"] for e in lab.events("x", "exit")] == [[f"life {i}"] for i in range(1, life + 1)]
        lab.ctl("start", "--no-wait", "x")


def test_logs_holds_the_last_64_KiB(lab):
    """Whole lines, to the last one."""
    lab.numbered("x", f"log = {lab.logs}/x", lines=50_000)
    lab.piped()
    until(lambda: "0000049999" in lab.ok("logs", "x").out, "the last line")
    said = check(lab.ok("logs", "x").out.encode())
    own = whole(said)
    assert own["missing"] == 0 and own["next"] == 50_000
    assert 32_768 < said["bytes"] <= 65_536
    assert whole(check(lab.ok("logs", "x", "-n", "100").out.encode()))["first"] == 49_900


def test_logs_followed(lab):
    """Each line once, from before and from then on, also over the logger's death."""
    gate = lab.gate(limit=100)
    lab.numbered("x", f"log = {lab.logs}/x", lines=30_000, chunk=LINE, gate=gate.path)
    lab.piped()
    lab.until_size(lab.logs / "x", 100 * LINE)
    seen = lab.gate("seen")
    ctl = subprocess.Popen([SINITCTL, "-r", str(lab.run), "logs", "x", "-f", "-n", "1000"],
                           stdout=subprocess.PIPE)
    checker = subprocess.Popen([numbers(), "check", "--gate", seen.path], stdin=ctl.stdout,
                               stdout=subprocess.PIPE)
    ctl.stdout.close()
    try:
        until(lambda: seen.count == 100, "what was there")
        for limit in range(1000, 31_000, 1000):  # no more at a time than it can keep
            gate.limit = limit
            if limit % 10_000 == 0:
                lab.kill_logger()
            until(lambda: seen.count == limit, f"{limit} lines: {seen.count}")
        ctl.terminate()
        checked(json.loads(checker.communicate(timeout=LIMIT)[0]), 30_000)
    finally:
        ctl.kill()
        ctl.wait()
        checker.kill()
        checker.wait()


def test_logs_of_nobody(lab):
    lab.service("x", "sleep 100000", "log = prefix")
    lab.piped()
    assert lab.ctl("logs", "nobody").code == 4
    said = lab.ok("logs", "x")
    assert said.out == ""


def test_logs_of_what_is_not_captured(lab):
    """It is not said to be for another reason than it is."""
    lab.service("x", "sleep 100000", "log = prefix")
    lab.service("y", "sh -c 'echo hello; exec sleep 100000'", "log = null")
    lab.piped()
    said = lab.ctl("logs", "y")
    assert said.code == 1 and not said.out and "null" in said.err


@needs_root
def test_logs_for_members_of_control_group(lab):
    lab.sinit_ini("control_group = 1234")
    lab.service("x", "sh -c 'echo hello; exec sleep 100000'", "log = prefix")
    lab.piped()
    until(lambda: lab.ok("logs", "x").out, "the line")
    assert lab.ok("logs", "x", before=as_user(1000, 1234)).out == "hello\n"
    said = lab.ctl("logs", "x", before=as_user(1000))
    assert said.code == 1 and not said.out and "control_group" in said.err


def test_commands_around_a_life(lab):
    """pre_start and post_stop speak where the service does."""
    file = lab.logs / "x"
    lab.service("x", "echo life", ONCE, "pre_start = echo before", "post_stop = echo after", f"log = {file}")
    lab.piped()
    lab.until_has(file, "after\n")
    assert lab.shutdown() == 0
    assert file.read_text() == "before\nlife\nafter\n"


# --- sinit's own messages

def test_log_target(lab):
    """Through the logger: over its death, into a new file, to the last line."""
    file, old = lab.logs / "sinit", lab.logs / "sinit.old"
    lab.sinit_ini(f"log_target = {file}")
    lab.service("x")
    lab.piped()
    lab.ok("wait", "x")
    lab.until_has(file, "x: started")
    lab.kill_logger()
    lab.until_has(file, "logger has ended")
    assert "x: started" in lab.ok("logs", "sinit").out
    file.rename(old)
    lab.ok("rotate")
    until_idle(lab.logger)  # it has heard of it
    lab.ok("stop", "x")
    lab.until_has(file, "x: stopped")
    assert "x: stopped" not in old.read_text()
    lab.ok("start", "x")
    assert lab.shutdown() == 0
    said = lines_of(old) + lines_of(file)
    assert said.count(b"sinit: x: started (pid 3)\n") == 1 and all(s.startswith(b"sinit: ") for s in said)
    assert said.count(b"sinit: x: killed by TERM\n") == 2 and said[-1] == b"sinit: stopped, exit code 0\n"
    assert lab.messages() == ""


# --- what it costs

def test_inherited_output_costs_nothing(lab):
    """No logger, and the service has what sinit has."""
    lab.service("x")
    lab.service("y", "sleep 100000", "log = null")
    lab.piped()
    lab.ok("wait", "x", "y")
    x, y = lab.process("x").settled_fds(), lab.process("y").settled_fds()
    assert {fd: x[fd] for fd in (1, 2)} == {fd: lab.sinit.fds()[fd] for fd in (1, 2)}
    assert y[1] == y[2] == "/dev/null"
    assert lab.find_logger() is None
    said = lab.ctl("logs", "x")
    assert said.code == 1 and "inherit" in said.err


def test_two_hundred_services(lab):
    """Each with a file of its own."""
    names = [f"s{i:03}" for i in range(200)]
    for name in names:
        lab.numbered(name, f"log = {lab.logs}/{name}", lines=300, chunk=LINE)
    lab.piped()
    lab.ok("wait", "--stopped", *names)
    for name in names:
        lab.until_size(lab.logs / name, 300 * LINE)
    assert lab.shutdown() == 0
    for name in names:
        checked(check(lab.logs / name), 300)


@pytest.mark.release_only
def test_memory_and_PID_1_over_100_megabytes(lab):
    """The logger's own memory stays what it was, and PID 1 has no part in it."""
    file, gate = lab.logs / "x", lab.gate(limit=500_000)
    lab.numbered("x", f"log = {file}", "log_keep = 40", "log_format = timestamps", lines=5_500_000,
                 chunk="1-9000", gate=gate.path)
    lab.piped()
    lab.until_size(file, 500_000 * (LINE + 28))
    before, sinit = anonymous(lab.logger), running_seconds(lab.sinit)
    gate.limit = 0
    lab.until_size(file, 5_000_000 * (LINE + 28))  # the service has not ended yet, nor will it
    assert anonymous(lab.logger) <= before + 64
    assert running_seconds(lab.sinit) - sinit < 0.1
    assert lab.shutdown() == 0
    own = whole(check(*family(file), stamps=True))
    assert own["missing"] == 0 and own["next"] == gate.count > 5_000_000
