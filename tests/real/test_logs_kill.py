"""The logger killed at any moment: nothing is lost, nothing is doubled."""

import os
import random
import signal
import time

import pytest
from log_lab import (LINE, STAMP, check, checked, complete, family, lab, lines_of,  # noqa: F401
                     numbers, until, whole)
from test_logs import joined, objects

ONCE = "restart = never"
KILLS = 1000
SEED = 26  # of the moments


def storm(lab, kills, gates, longest=0.004):
    """Kills the logger so often; each time every gate lets through its share, of which some is on its
    way at that moment."""
    moments = random.Random(SEED)
    for _ in range(kills):
        for gate, share in gates.items():
            gate.limit += share
        time.sleep(moments.uniform(0, longest))
        lab.kill_logger()
    for gate in gates:
        gate.limit = 0


@pytest.mark.release_only  # sanitizers have the others, which ask for less time
@pytest.mark.timeout(300)  # PID 1 lets a new one wait for 50 ms
def test_thousand_kills_and_ten_million_lines(lab):
    """To a file, to a file with times, and to standard output, which is a pipe."""
    kinds = {"raw": (4_000_000, f"log = {lab.logs}/raw"),
             "stamped": (3_000_000, f"log = {lab.logs}/stamped\nlog_format = timestamps"),
             "prefix": (3_000_000, "log = prefix")}
    gates = {}
    for name, (lines, keys) in kinds.items():
        gate = lab.gate(f"gate.{name}", 1)
        lab.numbered(name, "log_max_size = max", keys, lines=lines, chunk="1-9000", gate=gate.path)
        gates[gate] = lines // KILLS
    pipe = lab.piped(checker={})
    storm(lab, KILLS, gates)
    lab.finished(*kinds)
    for name, (lines, _) in kinds.items():
        until(lambda: f"{lines - 1:010}" in lab.ok("logs", name).out, "the last line is taken")
    rings = {name: lab.ok("logs", name).out.encode() for name in kinds}
    assert lab.shutdown() == 0
    checked(check(lab.logs / "raw"), 4_000_000)
    checked(check(lab.logs / "stamped", stamps=True), 3_000_000)
    checked(pipe.end(), 3_000_000, key="prefix | ")
    for name, ring in rings.items():
        own = whole(check(ring))
        assert own["missing"] == 0 and own["next"] == kinds[name][0]


@pytest.mark.parametrize("packed", ["no", "yes"])
def test_kills_while_files_are_rotated(lab, packed):
    """Every file is there, whole, and in its place; nothing half made is left."""
    kills, file, gate = 80, lab.logs / "x", lab.gate(limit=1)
    lab.numbered("x", f"log = {file}", "log_max_size = 16K", "log_keep = 1000", f"log_gzip = {packed}",
                 lines=kills * 3000, chunk="1-9000", gate=gate.path)
    lab.piped()
    storm(lab, kills, {gate: 3000})
    lab.finished("x")
    count = -(-kills * 3000 // (16384 // LINE))
    if packed == "yes":
        lab.until_packed(file, count)
    assert lab.shutdown() == 0
    files = family(file)
    assert len(files) == count and set(lab.logs.iterdir()) == set(files)
    checked(check(*files), kills * 3000)


def test_kills_of_who_has_just_begun(lab):
    """As soon as there is one."""
    file, gate = lab.logs / "x", lab.gate(limit=1)
    lab.numbered("x", f"log = {file}", "log_max_size = max", lines=250_000, gate=gate.path)
    pipe = lab.piped()
    storm(lab, 50, {gate: 5000}, longest=0)
    lab.finished("x")
    assert lab.shutdown() == 0 and pipe.end() == b""
    checked(check(file), 250_000)


@pytest.mark.parametrize("form", ["json", "timestamps"])
def test_kills_within_lines_in_pieces(lab, form):
    """Lines of 10,000 bytes, each of three pieces."""
    file, gate, size = lab.logs / "x", lab.gate(limit=1), 10_000
    lab.numbered("x", f"log = {file}", f"log_format = {form}", "log_max_size = max", lines=3000, bytes=size,
                 chunk="1-9000", gate=gate.path)
    lab.piped()
    storm(lab, 60, {gate: 50})
    lab.finished("x")
    assert lab.shutdown() == 0
    if form == "json":
        found = [line.encode() + b"\n" for line in joined(objects(file))]
    else:
        pieces = [STAMP.sub(b"", line, 1) for line in lines_of(file)]
        found = [b"".join(p[:-1] for p in pieces[i:i + 3]) + b"\n" for i in range(0, len(pieces), 3)]
    checked(check(b"".join(found), bytes=size), 3000)


@pytest.mark.parametrize("form", ["raw", "timestamps"])
def test_kills_over_one_file_of_three(lab, form):
    """Lines of which a part was written go on before another's begin."""
    file, gates, names = lab.logs / "x", {}, "abc"
    for name in names:
        gate = lab.gate(name, 1)
        gates[gate] = 6000
        lab.numbered(name, f"log = {file}", "log_max_size = max", f"log_format = {form}", lines=360_000,
                     mark=f"{name}:", chunk="1-9000", gate=gate.path)
    lab.piped()
    storm(lab, 60, gates)
    lab.finished(*names)
    assert lab.shutdown() == 0
    complete(check(file, stamps=form == "timestamps"), {f"{name}:": 360_000 for name in names})


def test_kills_over_many_services(lab):
    """Of forty the output is on its way."""
    gates, names = {}, [f"s{i:02}" for i in range(40)]
    for name in names:
        gate = lab.gate(f"gate.{name}", 1)
        gates[gate] = 200
        lab.numbered(name, f"log = {lab.logs}/{name}", "log_max_size = max", lines=10_000, chunk="1-500",
                     gate=gate.path)
    lab.piped()
    storm(lab, 50, gates)
    lab.finished(*names)
    assert lab.shutdown() == 0
    for name in names:
        checked(check(lab.logs / name), 10_000)


def test_kills_while_lines_are_dropped(lab):
    """What is counted as lost and what comes are all there is."""
    gate = lab.gate(limit=1)
    lab.numbered("x", "log = prefix", lines=301_000, chunk="1-300", gate=gate.path)
    lab.http()
    pipe = lab.piped(reading=False)
    storm(lab, 20, {gate: 15_000})
    gate.limit = 300_000
    until(lambda: gate.count >= 300_000, "it goes on")
    pipe.go()
    gate.limit = 0
    until(lambda: b"0000300999" in pipe.data, "the last line")
    lab.until_said("can be written again")  # all that was lost is told by now
    lost = lab.dropped("x")
    assert lost > 0
    assert lab.shutdown() == 0
    own = whole(check(pipe.end()), "x | ")
    assert own["lines"] + lost == 301_000 and own["missing"] == lost


def test_file_cut_while_there_is_no_logger(lab):
    """What is in the journal of a file says nothing about one that was cut or replaced."""
    file, gate = lab.logs / "x", lab.gate(limit=1)
    lab.numbered("x", f"log = {file}", "log_max_size = max", lines=62_000, gate=gate.path)
    lab.piped()
    for i in range(30):
        gate.limit = (i + 1) * 2000
        until(file.exists, "it is open")
        logger = lab.logger
        logger.freeze()
        if i % 2:
            os.truncate(file, 0)
        else:
            file.unlink()
        logger.kill(signal.SIGKILL)
        until(lambda logger=logger: lab.find_logger(logger.pid), "there is a new logger")
    gate.limit = 0
    lab.finished("x")
    assert lab.shutdown() == 0
    data = file.read_bytes()
    assert b"\0" not in data
    own = whole(check(data[data.index(b"\n") + 1:]))  # a line may have been cut in two with its file
    assert own["next"] == 62_000 and own["missing"] == 0


def test_logger_that_stands_still(lab):
    """Only those who write are held up: PID 1 answers, starts and stops."""
    file, gate = lab.logs / "x", lab.gate()
    lab.service("x", f"{numbers()} write --lines 1000000000 --gate {gate.path}", f"log = {file}",
                "log_max_size = max")
    lab.service("y", "sh -c 'echo hello; exec sleep 100000'", f"log = {lab.logs}/y", "enabled = no")
    lab.piped()
    until(lambda: gate.count > 1000, "it writes")
    logger = lab.logger
    logger.freeze()
    try:
        lab.ok("start", "y")
        lab.ok("ping")
        lab.ok("stop", "x")
    finally:
        logger.kill(signal.SIGCONT)
    lab.until_has(lab.logs / "y", b"hello\n")
    assert lab.shutdown() == 0
    checked(check(file), gate.count)
