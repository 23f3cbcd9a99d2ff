"""What is told of targets that cannot be written: of the right one, once, and when it is over."""

import os
import re
import signal
import threading

import pytest
from harness import unless_gone
from log_lab import check, lab, lines_of, numbers, until, whole  # noqa: F401

ONCE = "restart = never"
MANY = 400  # services that a reload takes away


def flood(gate, rate=2000):
    return f"{numbers()} write --lines 1000000000 --rate {rate} --gate {gate.path}"


def lost(lab):
    """The numbers that sinit has told, one after the other."""
    return [int(n) for n in re.findall(r"(\d+) lines? of its output w", lab.messages())]


@pytest.mark.parametrize("asked", ["reload", "rotate"])
def test_own_log_stays_in_its_file_after_a_fault(lab, asked):
    """Its messages are not written to whatever else has the number of a pipe that was closed."""
    file = lab.logs / "sinit"
    lab.own_log_fails(file)
    lab.ok(asked)
    lab.ok("stop", "x")
    lab.until_said("x: stopped")
    file.rmdir()
    lab.until_has(file, "can be written again")
    for _ in range(3):
        lab.ok(asked)
    lab.ok("start", "x")
    lab.until_has(file, "x: started")
    assert lab.shutdown() == 0
    assert lines_of(file)[-1] == b"sinit: stopped, exit code 0\n"
    assert "x: started" not in lab.messages()


def test_own_log_that_fails_and_goes_elsewhere(lab):
    """Also by a reload that names no file meanwhile: the logger writes the next one, not PID 1."""
    file, other = lab.logs / "sinit", lab.logs / "other"
    lab.own_log_fails(file)
    for target in ("stderr", other):
        lab.sinit_ini(f"log_target = {target}")
        lab.ok("reload")
    lab.until_has(other, "reload: ")
    assert str(other) not in lab.sinit_fds().values()
    assert lab.shutdown() == 0
    assert lines_of(other)[-1] == b"sinit: stopped, exit code 0\n"


def test_own_log_in_the_file_of_a_service(lab):
    """Whichever of the two the logger speaks of."""
    file, gate = lab.logs / "sinit", lab.gate()
    lab.sinit_ini(f"log_target = {file}")
    lab.service("x")
    lab.piped()
    lab.until_has(file, "x: started")
    lab.service("y", flood(gate), ONCE, f"log = {file}")
    lab.ok("reload")
    lab.until_has(file, "abcdefghi")
    file.rename(lab.logs / "before")
    file.mkdir()
    lab.until_said(f"{file} cannot be written")
    lab.ok("stop", "x")
    lab.until_said("x: stopped")
    file.rmdir()
    lab.until_has(file, "can be written again")
    lab.ok("start", "x")
    lab.until_has(file, "x: started")
    assert lab.shutdown() == 0


def test_path_that_changes_while_it_fails(lab):
    """Nothing is told of the new one: it could be written all the time."""
    a, b, gate = lab.logs / "a", lab.logs / "b", lab.gate()
    a.mkdir()
    lab.service("x", flood(gate), ONCE, f"log = {a}")
    lab.http()
    lab.piped()
    lab.until_said(f"{a} cannot be written")
    until(lambda: lab.dropped("x") > 0, "lines are lost")
    lab.service("x", flood(gate), ONCE, f"log = {b}")
    lab.ok("reload")
    until(lambda: b.exists() and b.stat().st_size > 10_000, "the new one is written")
    old = lab.logger
    lab.service("y", flood(lab.gate("other")), ONCE, f"log = {lab.logs / 'y'}")
    lab.ok("reload")
    until(lambda: lab.find_logger(old.pid), "another one, which knows of no fault")
    lab.ok("stop", "x")
    assert lab.shutdown() == 0
    own = whole(check(b))
    said = lab.messages()
    assert sum(lost(lab)) == own["first"] and own["missing"] == 0 and own["next"] == gate.count
    assert str(b) not in said and said.count(str(a)) == 1, said
    assert said.count("where it went before") == len(lost(lab)), said


def test_fault_is_handed_on_with_a_target(lab):
    """To who comes to it by a reload, when who was there before goes: it is told once, and when it is over."""
    file, gates = lab.logs / "x", [lab.gate(), lab.gate("other")]
    file.mkdir()
    lab.service("a", flood(gates[0]), ONCE, f"log = {file}")
    lab.http()
    lab.piped()
    lab.until_said(f"{file} cannot be written")
    for name, gate, target in (("b", gates[1], file), ("a", gates[0], lab.logs / "a")):
        old = lab.logger
        lab.service(name, flood(gate), ONCE, f"log = {target}")
        lab.ok("reload")
        until(lambda old=old: lab.find_logger(old.pid), "another one")
    lab.until_has(lab.logs / "a", "abcdefghi")
    until(lambda: lab.dropped("b") > 0, "lines are lost")
    file.rmdir()
    lab.until_said(f"{file} can be written again")
    assert lab.shutdown() == 0
    assert lab.messages().count(f"{file} cannot be written") == 1


def test_fault_of_what_a_removed_service_left(lab):
    """The file is called by its name; the one that has it still is spoken of."""
    shared, own, gate = lab.logs / "shared", lab.logs / "own", lab.gate()
    left = "sh -c '{} & exec sleep 100000'"
    lab.service("x", flood(gate), ONCE, f"log = {shared}")
    lab.service("y", left.format("sleep 100000"), ONCE, "kill_mode = process", f"log = {shared}")
    lab.service("z", left.format(flood(lab.gate("z"))), ONCE, "kill_mode = process", f"log = {own}")
    lab.piped()
    lab.until_has(own, "abcdefghi")
    for name in "yz":
        lab.remove(name)
    lab.ok("reload")
    until(lambda: list(lab.pids()) == ["x"], "they are gone")
    for file in (shared, own):
        file.rename(file.with_suffix(".before"))
        file.mkdir()
        lab.until_said(f"{file} cannot be written: Is a directory")
    for file in (shared, own):
        file.rmdir()
        lab.until_said(f"{file} can be written again")
    old = lab.kill_logger()
    lab.service("later", flood(lab.gate("later")), f"log = {lab.logs / 'later'}")
    lab.ok("reload")
    until(lambda: lab.find_logger(old.pid), "another one, which knows of no fault")
    lab.until_has(lab.logs / "later", "abcdefghi")
    assert lab.shutdown() == 0
    said = lab.messages()
    assert said.count("can be written again") == said.count("cannot be written") == 2, said


def test_fault_is_told_once_over_a_reload_and_a_kill(lab):
    """The logger that ends what another one was killed with has its orders, of a time before the fault."""
    a, b = lab.logs / "a", lab.logs / "b"
    for file in (a, b):
        file.mkdir()
    lab.service("a", flood(lab.gate("ga")), ONCE, f"log = {a}")
    lab.piped()
    lab.until_said(f"{a} cannot be written")
    logger = lab.logger
    logger.freeze()
    lab.service("b", flood(lab.gate("gb")), ONCE, f"log = {b}")
    lab.ok("reload")
    unless_gone(logger.kill, signal.SIGKILL)
    lab.until_said(f"{b} cannot be written")
    assert lab.shutdown() == 0
    said = lab.messages()
    assert said.count(f"{a} cannot be written") == said.count(f"{b} cannot be written") == 1, said
    assert "written again" not in said


def test_lines_lost_before_and_after_a_store_that_began_anew(lab):
    """Both are told and counted, though the logger counts from 0 then."""
    fifo, gate = lab.logs / "fifo", lab.gate(limit=100_000)
    os.mkfifo(fifo)
    lab.numbered("x", f"log = {fifo}", lines=140_000, gate=gate.path)
    lab.http()
    lab.piped()
    until(lambda: gate.count == 100_000, "it is not held up")
    lab.until_said("nobody reads it")

    def read(last):
        data, fd = bytearray(), os.open(fifo, os.O_RDONLY)

        def run():
            while last not in data and (part := os.read(fd, 65536)):
                data.extend(part)
            os.close(fd)
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        return thread
    reader = read(b"0000099999")
    until(lambda: len(lost(lab)) == 1, "what was lost is told")
    reader.join()
    while "it begins anew" not in lab.messages():
        lab.kill_logger(signal.SIGABRT)
    gate.limit = 120_000
    until(lambda: gate.count == 120_000, "it is not held up")
    lab.until_said("nobody reads it", 2)
    gate.limit = 0
    reader = read(b"0000139999")
    until(lambda: len(lost(lab)) == 2, "and then once more")
    first, second = lost(lab)
    assert 0 < second < 40_000 and first + second == lab.dropped("x")
    assert lab.shutdown() == 0
    reader.join()


def test_many_faults_while_nobody_listens(lab):
    """More than there is room for on the way to PID 1, which is stopped in a debugger, say: all are told."""
    place, names = lab.logs / "place", [f"s{i}" for i in range(MANY)]
    place.mkdir()
    lab.write("many", "".join(f"[service {name}]\ncommand = sh -c 'while :; do echo {name}; sleep 0.5; done'\n"
                              f"log = {place}/{name}\n" for name in names))
    lab.piped()
    until(lambda: len(list(place.iterdir())) == MANY, "all are written")
    logger = lab.logger
    lab.sinit.freeze()
    place.rename(lab.logs / "before")
    place.write_text("no directory")
    until(lambda: not any("/before/" in path for path in logger.fds().values()), "all have been looked for")
    lab.sinit.kill(signal.SIGCONT)
    until(lambda: lab.messages().count("cannot be written") == MANY, "all are told")
    place.unlink()
    until(lambda: lab.messages().count("can be written again") == MANY, "and that it is over")
    assert lab.messages().count("cannot be written") == MANY
    assert lab.shutdown() == 0


def test_orders_of_many_that_are_removed(lab):
    """What of the orders before is read is in proportion to what is written: PID 1 is not held up by
    thousands."""
    lab.write("many", "".join(f"[service s{i}]\ncommand = sleep 100000\nlog = prefix\n" for i in range(MANY)))
    lab.service("x", "sleep 100000", "log = prefix")
    lab.piped()
    until(lambda: all(lab.pids().values()), "all are there")

    def transferred():
        text = (lab.sinit.path / "io").read_text()
        return [int(re.search(rf"^{key}: (\d+)$", text, re.M)[1]) for key in ("rchar", "wchar")]
    before = transferred()
    lab.remove("many")
    lab.ok("reload")
    until(lambda: len(lab.sinit_fds()) < MANY, "they are gone, and all that they said is written")
    read, written = (now - then for now, then in zip(transferred(), before))
    assert read < 100 * written, (read, written)
    assert lab.shutdown() == 0
