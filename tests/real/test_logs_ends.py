"""Ends of all kinds: of a service that a reload takes away, of a line that has none, of left-overs, of
lines that find no place, of PID 1. What was said before is where it belongs, or is told to be lost."""

import os
import random
import re
import select
import signal
import time
from contextlib import suppress

import pytest
from harness import command_line, descendants, freeze, unless_gone
from log_lab import (LINE, LogLab, Process, bytes_of, check, checked, complete, family, lab, lines_of,  # noqa: F401
                     numbers, prefixed, until, until_idle, whole)

ONCE = "restart = never"
LAST = 2000  # lines that are said at the end; they fit into a pipe
SEED = 30  # of the moments
KILLS = 60  # while reloads change something


def flood(gate, rate=2000):
    return f"{numbers()} write --lines 1000000000 --rate {rate} --gate {gate.path}"


def more(gate, lines=500):
    goal = gate.count + lines
    until(lambda: gate.count >= goal, "it writes")


def find(lab, word):
    """The process of the namespace that has such a word in its command line."""
    def found():
        for pid in descendants(lab.outer.pid):
            words = command_line(pid)
            if words[:1] == [numbers().encode()] and str(word).encode() in words:
                return Process(pid)
        return None
    return until(found, f"a process with {word}")


# --- last words

def speaks_at_its_end(lab, name, *keys):
    """Says so much on both streams when it is told to end."""
    words = [f"{numbers()} write --mark {mark}: --lines {LAST} --fd {fd}" for mark, fd in (("out", 1), ("err", 2))]
    lab.service(name, f"sh -c 'trap \"{'; '.join(words)}; exit 0\" TERM; touch {lab.base}/up; sleep 100000 & wait'",
                *keys)


@pytest.mark.parametrize("how", ["removed", "inherit", "null"])
def test_last_words_of_what_a_reload_takes_away(lab, how):
    """They go to the files that the service had, also by a logger that has never known it."""
    speaks_at_its_end(lab, "x", f"log = {lab.logs}/out", f"log_stderr = {lab.logs}/err")
    lab.service("y", "sleep 100000", f"log = {lab.logs}/y")
    pipe = lab.piped()
    until((lab.base / "up").exists, "it is up")
    (lab.base / "up").unlink()
    before, logger = len(lab.sinit_fds()), lab.logger
    logger.freeze()
    if how == "removed":
        lab.remove("x")
    else:
        speaks_at_its_end(lab, "x", f"log = {how}")
    lab.ok("reload")
    if how == "removed":
        until(lambda: "x" not in lab.pids(), "it has gone")
    else:
        until((lab.base / "up").exists, "it is up again")
    unless_gone(logger.kill, signal.SIGKILL)  # PID 1 may have done so: it has not answered for long
    for name in ("out", "err"):
        lab.until_size(lab.logs / name, LAST * 24)
        checked(check(lab.logs / name), LAST, key=f"{name}:")
    until(lambda: len(lab.sinit_fds()) == before - 4, "both of its pipes are closed")
    assert lab.shutdown() == 0
    assert checked(check(pipe.end()), key="out:") == LAST if how == "inherit" else pipe.end() == b""


@pytest.mark.parametrize("end", [signal.SIGCONT, signal.SIGKILL])
def test_service_that_no_logger_has_known(lab, end):
    """A reload brings it and another one takes it away, while the logger stands still: what it has said is
    in its file."""
    lab.service("y", "sleep 100000", f"log = {lab.logs}/y")
    lab.piped()
    lab.ok("wait", "y")
    before, logger = len(lab.sinit_fds()), lab.logger
    until_idle(logger)
    logger.freeze()
    lab.numbered("x", f"log = {lab.logs}/x", lines=LAST)
    lab.ok("reload")
    lab.finished("x")
    lab.remove("x")
    lab.ok("reload")
    until(lambda: "x" not in lab.pids(), "it has gone")
    unless_gone(logger.kill, end)
    lab.until_size(lab.logs / "x", LAST * LINE)
    checked(check(lab.logs / "x"), LAST)
    until(lambda: len(lab.sinit_fds()) == before, "its pipe is closed")
    assert lab.shutdown() == 0


def reloads_and_kills(lab, ways, share):
    """A service that writes as fast as it is let, with one way after the other; its gate."""
    moments, gate = random.Random(SEED), lab.gate(limit=1)
    command = f"{numbers()} write --lines 1000000000 --chunk 1-9000 --gate {gate.path}"
    lab.service("x", command, ways[0], "log_max_size = max")
    lab.piped()
    for i in range(KILLS):
        lab.service("x", command, ways[i % len(ways)], "log_max_size = max")
        logger = lab.logger
        gate.limit += share
        time.sleep(moments.uniform(0, 0.004))
        with suppress(ProcessLookupError):  # it may just have made way for the next one
            logger.kill(signal.SIGKILL)
        lab.ok("reload")
    until(lambda: gate.count == gate.limit, "all is written")
    assert lab.shutdown() == 0
    return gate


def test_kills_while_reloads_change_the_form(lab):
    """A line of which a part was written begins anew in the new form; each is there as a whole, once."""
    file = lab.logs / "x"
    gate = reloads_and_kills(lab, [f"log = {file}\nlog_format = {form}" for form in ("timestamps", "json")], 8000)
    stamp = rb"20\d\d-\d\d-\d\dT[\d:]{8}\.\d{6}Z"
    forms = [rb"%s \d{10}abcdefghi\n" % stamp,
             rb'\{"time":"%s","service":"x","message":"\d{10}abcdefghi"\}\n' % stamp]
    form = re.compile(rb"^(?:%s)" % b"|".join(forms), re.M)
    data = file.read_bytes()
    assert [int(re.search(rb"\d{10}", line)[0]) for line in form.findall(data)] == list(range(gate.count))
    assert len(form.sub(b"", data).splitlines()) <= KILLS  # what was begun when a logger was killed


def alike(one, other, block=1 << 16):
    """How many bytes two memoryviews have in common at their beginnings."""
    at = 0
    while at < min(len(one), len(other)) and one[at:at + block] == other[at:at + block]:
        at += block
    rest = [bytes(one[at:at + block]), bytes(other[at:at + block])]
    return min(at, len(one), len(other)) + len(os.path.commonprefix(rest))


def in_turns(whole, parts, turns):
    """What was written, each byte once and in order, to one of two files and the other, so many times."""
    whole, parts = memoryview(whole), [memoryview(part) for part in parts]
    states = {(0, 0)}  # how much of each has been found
    for turn in range(turns):
        following = set()
        for one, other in states:
            most = alike(whole[one + other:], parts[turn % 2][(one, other)[turn % 2]:])
            # The last bytes may be a later turn's which look the same; never as many as a line has.
            for some in range(max(0, most - LINE), most + 1):
                following.add((one, other + some) if turn % 2 else (one + some, other))
        states = following
    return tuple(map(len, parts)) in states and sum(map(len, parts)) == len(whole)


def test_kills_while_reloads_change_the_path(lab):
    """A line of which a part was written goes on in the other file; no byte is lost or doubled."""
    a, b = lab.logs / "a", lab.logs / "b"
    gate = reloads_and_kills(lab, [f"log = {a}", f"log = {b}"], 30_000)
    whole = b"".join(b"%010dabcdefghi\n" % n for n in range(gate.count))
    assert in_turns(whole, [a.read_bytes(), b.read_bytes()], KILLS)


# --- lines without an end

def test_lives_that_end_within_a_line(lab):
    """Nothing of the next life is added to it, in a raw file and in what is shown."""
    lab.unended("x", "no end", f"log = {lab.logs}/x")
    lab.piped()
    for life in range(1, 4):
        lab.let_end("x", "no end", life)
        lab.ok("start", "--no-wait", "x")
    lab.until_has(lab.logs / "x", "no end", 4)
    assert lab.ok("logs", "x").out.splitlines() == ["no end"] * 4
    assert lab.shutdown() == 0
    assert (lab.logs / "x").read_bytes().splitlines() == [b"no end"] * 4


def test_short_lives_behind_much_that_nobody_has_taken_yet(lab):
    """The reader is slow: five lives have ended in the pipe before the first one's end is taken. He reads a
    page now and then, so that nothing is dropped: far more of them are there than six lives need."""
    lab.script("lives", f"#!/bin/sh\necho x >>{lab.base}/count; life=$(grep -c x {lab.base}/count)\n"
               f"[ $life = 1 ] && {numbers()} write --lines 9000\necho life $life; printf end; exit 3\n")
    lab.service("x", f"{lab.base}/lives", "log = prefix", "restart = always", "restart_delay = 1ms",
                "backoff_multiplier = 1", "max_restarts = 5")
    pipe, read_at = lab.piped(reading=False), time.monotonic()

    def over():
        nonlocal read_at
        if time.monotonic() > read_at + 0.2 and select.select([pipe.read_fd], [], [], 0)[0]:
            pipe.data += os.read(pipe.read_fd, 4096)
            read_at = time.monotonic()
        return lab.status("x")["state"] == "fatal"
    until(over, "six lives")
    assert b"life" not in pipe.data
    pipe.go()
    until(lambda: pipe.data.count(b"life") == 6, "all that was said")
    said = [lab.last_lines("x", life)[-2:] for life in range(1, 7)]
    assert said == [[f"life {i}", "end"] for i in range(1, 7)]
    assert lab.shutdown() == 0
    # The logger may have been moving something when the first life ended: then nobody can tell where.
    assert prefixed(pipe.end(), "x")[-9:] == [line for i in range(2, 7) for line in (b"life %d\n" % i, b"end\n")][1:]


def test_logger_killed_behind_short_lives(lab):
    """The next one hears of each end that the one before has not noted."""
    lab.service("x", "sh -c 'echo life; printf end; exit 3'", f"log = {lab.logs}/x", "enabled = no",
                "restart = always", "restart_delay = 1ms", "backoff_multiplier = 1", "max_restarts = 5")
    lab.service("y", "sleep 100000", "log = prefix")
    lab.piped()
    lab.ok("wait", "y")
    logger = lab.logger
    until_idle(logger)
    freeze(logger.pid)
    lab.ok("start", "--no-wait", "x")
    lab.await_state("x", "fatal")
    unless_gone(logger.kill, signal.SIGKILL)  # PID 1 may have done so: it has not answered for long
    lab.until_has(lab.logs / "x", "life", 6)
    until(lambda: [e.get("stderr", [])[-2:] for e in lab.events("x", "exit")] == [["life", "end"]] * 6, "all last lines")
    assert lab.shutdown() == 0
    assert bytes_of(lab.logs / "x").splitlines() == [b"life", b"end"] * 6


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_next_sinit_begins_a_line_of_its_own(lab, end):
    """In a raw file whose last line has no end, too."""
    file = lab.logs / "x"
    lab.service("x", "sh -c 'echo begins; printf ends'", ONCE, f"log = {file}")
    for life in range(1, 4):
        lab.piped()
        lab.until_has(file, "ends", life)
        lab.sinit.kill(end)
        lab.wait()
        lab.pipe.end()
        lab.pipe.close()
        lab.pipe = None
    assert file.read_bytes() == b"\n".join([b"begins\nends"] * 3)


def test_another_one_follows_in_the_same_file(lab):
    file = lab.logs / "both"
    lab.unended("a", "no_end", f"log = {file}")
    lab.service("b", "echo line", ONCE, "enabled = no", f"log = {file}")
    lab.piped()
    for count in (1, 2):
        lab.let_end("a", "no_end", count)
        lab.until_has(file, "no_end", count)
        lab.ok("start", "--no-wait", "b")
        lab.until_has(file, "line\n", count)
        lab.finished("b")
        lab.ok("start", "--no-wait", "a")
    lab.let_end("a", "no_end", 3)
    assert lab.shutdown() == 0
    assert file.read_bytes().removesuffix(b"\n") == b"no_end\nline\nno_end\nline\nno_end"


# --- what lives on

def test_left_over_of_a_service_that_was_removed(lab):
    """Its pipe has a reader, and what it says is in the file, until it ends as well."""
    file, gate = lab.logs / "x", lab.gate()
    lab.service("y", "sleep 100000", f"log = {lab.logs}/y")
    lab.piped()
    lab.ok("wait", "y")
    before = len(lab.sinit_fds())
    lab.service("x", f"sh -c 'setsid {flood(gate)} & exec sleep 100000'", "kill_mode = process", f"log = {file}")
    lab.ok("reload")
    more(gate)
    lab.remove("x")
    lab.ok("reload")
    until(lambda: "x" not in lab.pids(), "it has gone")
    more(gate)
    lab.kill_logger()
    more(gate)
    left = find(lab, gate.path)
    left.kill(signal.SIGTERM)
    until(lambda: not left.alive(), "it ends at a line's end")
    until(lambda: len(lab.sinit_fds()) == before, "its pipe is closed")
    checked(check(file), gate.count)
    assert lab.shutdown() == 0


def test_services_that_outlive_PID_1(lab):
    """As a supervisor in the foreground that is killed: what they say is taken and written, and the
    logger ends with the last of them."""
    x, y = lab.gate("x"), lab.gate("y")
    lab.service("x", flood(x), f"log = {lab.logs}/x")
    lab.service("y", flood(y), f"log = {lab.logs}/y", "log_format = timestamps")
    lab.start(after=["sh", "-c", '"$@"; exec sleep 100000', "sh"])
    more(x)
    more(y)
    logger, sinit = lab.logger, lab.sinit
    writers = {gate: find(lab, gate.path) for gate in (x, y)}
    sinit.kill(signal.SIGKILL)
    until(lambda: not sinit.alive(), "it is gone")
    more(x, 8000)  # more than its pipe holds
    more(y)
    writers[x].kill(signal.SIGTERM)
    until(lambda: not writers[x].alive(), "the first has ended")
    more(y)
    assert logger.alive() and writers[y].alive()
    writers[y].kill(signal.SIGTERM)
    until(lambda: not logger.alive(), "the logger has ended")
    until(lambda: not writers[y].alive(), "its writer, too: its files were closed first")
    checked(check(lab.logs / "x"), x.count)
    checked(check(lab.logs / "y", stamps=True), y.count)


def test_next_sinit_logs_where_what_lives_on_does(lab):
    """The next one rotates and compresses the file, what the first one has left behind appends to it:
    each line of both is there once."""
    lines, file, second = 240_000, lab.logs / "x", LogLab()
    for which, mark in ((lab, "A"), (second, "B")):
        which.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 1000", "log_gzip = yes",
                       lines=lines, rate=60_000, mark=mark)
    try:
        lab.start(after=["sh", "-c", '"$@"; exec sleep 100000', "sh"])
        until(lambda: len(family(file)) > 2, "it is rotated")
        logger = lab.logger
        lab.sinit.kill(signal.SIGKILL)
        second.start()
        second.finished("x")
        until(lambda: not logger.alive(), "the first logger has ended")
        assert second.shutdown() == 0
    finally:
        second.close()
    complete(check(*family(file)), {"A": lines, "B": lines})


# --- what finds no place

def told_lost(lab, name):
    """How many lines of the service sinit says are lost, and where they were to go."""
    said = re.findall(rf"{name}: (\d+) lines? of its output (?:was|were) lost: (.*) could not", lab.messages())
    return sum(int(count) for count, _ in said), {where for _, where in said}


def test_loss_at_the_end_is_told(lab):
    """Of a full disk every line."""
    lab.numbered("x", "log = /dev/full", lines=10_000)
    lab.piped()
    lab.finished("x")
    lab.until_said("/dev/full cannot be written")
    assert lab.shutdown() == 0
    assert told_lost(lab, "x") == (10_000, {"/dev/full"})


def test_what_a_reader_did_not_take_by_the_end_is_told(lab):
    """Of a pipe what did not fit into it any more: what has come and what is told are all."""
    lab.numbered("x", "log = prefix", lines=6000, mark="n")
    pipe = lab.piped(reading=False)
    lab.finished("x")
    assert lab.shutdown() == 0
    pipe.go()
    own = whole(check(pipe.end()), "x | n")
    lost, where = told_lost(lab, "x")
    assert own["lines"] > 0 and own["lines"] + lost == 6000 and where == {"standard output"}


@pytest.mark.parametrize("killed", [False, True])
def test_log_target_that_fails(lab, killed):
    """sinit's messages are on its standard error meanwhile, with the reason first; then in the file. Also if
    it is another logger by then."""
    file = lab.logs / "sinit"
    lab.own_log_fails(file, ": Is a directory")
    lab.ok("stop", "x")
    lab.until_said("x: stopped")
    if killed:
        lab.kill_logger()
    file.rmdir()
    lab.until_has(file, "can be written again")
    lab.ok("start", "x")
    lab.until_has(file, "x: started")
    assert lab.shutdown() == 0
    assert lines_of(file)[-1] == b"sinit: stopped, exit code 0\n"
    assert "exit code 0" not in lab.messages()


def test_log_target_that_cannot_be_opened(lab):
    """It is not tried again; messages are on standard error."""
    lab.sinit_ini(f"log_target = {lab.logs}")
    lab.service("x")
    lab.piped()
    lab.until_said(f"log_target {lab.logs}: Is a directory; messages go to stderr")
    lab.until_said("x: started")
    assert lab.shutdown() == 0
    assert "stopped, exit code 0" in lab.messages()
