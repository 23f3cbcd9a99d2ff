"""Reloads: what has changed is where lines go, and not one of them is lost on the way."""

import re

from log_lab import (LINE, bytes_of, check, checked, descriptors, family, lab, lines_in, numbers,  # noqa: F401
                     prefixed, until, whole)

ONCE = "restart = never"


def writer(lab, name, *lines, gate, chunk="1-70"):
    """A service that goes on where its life before was told to end. `chunk`: bytes that it writes at once."""
    lab.service(name, f"{numbers()} write --lines 1000000000 --rate 20000 --chunk {chunk} --gate {gate.path}",
                *lines)


def more(gate, lines=500):
    goal = gate.count + lines
    until(lambda: gate.count >= goal, "it writes")


def found_numbers(*files):
    return [int(n) for file in files for path in family(file)
            for n in re.findall(rb"(\d{10})abcdefghi\n", path.read_bytes())]


def test_path_changes_without_a_restart(lab):
    """What is half written then goes on in the other file."""
    a, b, gate = lab.logs / "a", lab.logs / "b", lab.gate()
    writer(lab, "x", f"log = {a}", gate=gate)
    lab.piped()
    lab.until_has(a, "\n")
    pid = lab.status("x")["pid"]
    writer(lab, "x", f"log = {b}", gate=gate)
    lab.ok("reload")
    lab.until_has(b, "\n")
    assert lab.status("x")["pid"] == pid
    assert lab.shutdown() == 0
    checked(check(a.read_bytes(), b.read_bytes()), gate.count)


def test_form_and_size_change_without_a_restart(lab):
    """Each line is wholly of one form; of raw ones, which come last, the beginning may be out before."""
    file, gate = lab.logs / "x", lab.gate()
    writer(lab, "x", f"log = {file}", "log_format = json", gate=gate)
    lab.piped()
    more(gate)
    pid = lab.status("x")["pid"]
    for form in ("timestamps", "json", "timestamps", "raw"):
        writer(lab, "x", f"log = {file}", f"log_format = {form}", "log_max_size = 64K", "log_keep = 1000",
               gate=gate)
        lab.ok("reload")
        more(gate)
    assert lab.status("x")["pid"] == pid
    assert lab.shutdown() == 0
    stamp = rb"20\d\d-\d\d-\d\dT[\d:]{8}\.\d{6}Z"
    text = b"".join(path.read_bytes() for path in family(file))
    form = re.compile(rb"(?:%s )?\d{10}abcdefghi\n|\{[^\n]*\d{10}abcdefghi[^\n]*\}\n" % stamp)
    assert form.sub(b"", text) == b""
    assert [int(n) for n in re.findall(rb"(\d{10})abcdefghi", text)] == list(range(gate.count))


def test_reloads_under_load(lab):
    """Twenty, between two files and standard output, which is a pipe; of who writes whole lines none
    is in two of them."""
    a, b, gate = lab.logs / "a", lab.logs / "b", lab.gate()
    writer(lab, "x", f"log = {a}", gate=gate, chunk=200)
    pipe = lab.piped()
    lab.ok("wait", "x")
    pid = lab.status("x")["pid"]
    for i in range(20):
        more(gate, 100)
        writer(lab, "x", f"log = {(b, 'prefix', a)[i % 3]}", gate=gate, chunk=200)
        lab.ok("reload")
        if i < 3:  # each is written to at least once
            until(lambda target=(b, pipe, a)[i]: bytes_of(target) if target != pipe else pipe.data, "lines")
    more(gate)
    assert lab.status("x")["pid"] == pid
    assert lab.shutdown() == 0
    found = found_numbers(a, b) + [int(line[:10]) for line in prefixed(pipe.end(), "x")]
    assert sorted(found) == list(range(gate.count))
    for file in (a, b):
        assert whole(check(*family(file)))["lines"] > 0


def test_inherit_to_prefix_restarts(lab):
    """And back: the process has other descriptors then, and writes whole lines itself, maybe before the last
    ones of its life before are written."""
    gate = lab.gate()
    writer(lab, "x", gate=gate, chunk=200)
    pipe = lab.piped()
    more(gate)
    assert lab.find_logger() is None
    for life, target in ((2, "prefix"), (3, "inherit")):
        writer(lab, "x", f"log = {target}", gate=gate, chunk=200)
        lab.ok("reload")
        until(lambda life=life: lab.status("x")["life"] == life, f"life {life}")
        more(gate)
    until(lambda: lab.find_logger() is None, "nobody needs a logger any more")
    assert lab.shutdown() == 0
    out = lines_in(pipe.end())
    own = [line for line in out if line.startswith(b"x | ")]
    assert 0 < len(own) < len(out)
    checked(check(b"".join(sorted(line.removeprefix(b"x | ") for line in out))), gate.count)
    assert own == sorted(own)


def test_nothing_is_shown_of_what_is_captured_no_more(lab):
    """Also where it was the last one, and no other logger follows."""
    lab.service("x", "sh -c 'echo hello; exec sleep 100000'", "log = prefix")
    lab.piped()
    until(lambda: lab.ctl("logs", "x").out == "hello\n", "the line")
    lab.service("x", "sh -c 'echo hello; exec sleep 100000'", "log = inherit")
    lab.ok("reload")
    seen = set()

    def over():
        said = lab.ctl("logs", "x")
        seen.add(said.out)
        return said.code == 1 and "not captured" in said.err
    until(over, "it is captured no more")
    assert seen <= {"hello\n", ""}
    assert "\0" not in lab.ok("events", "x").out + lab.ok("--json", "events", "x").out


def test_streams_parted_restarts(lab):
    file, gate = lab.logs / "x", lab.gate()
    writer(lab, "x", f"log = {file}", gate=gate)
    lab.piped()
    more(gate)
    writer(lab, "x", f"log = {file}", f"log_stderr = {lab.logs}/err", gate=gate)
    lab.ok("reload")
    until(lambda: lab.status("x")["life"] == 2, "the second life")
    more(gate)
    assert lab.shutdown() == 0
    checked(check(*family(file)), gate.count)


def test_service_removed_and_added(lab):
    """All that it said is in its file, and nobody keeps its pipe."""
    gate, other = lab.gate(), lab.gate("other")
    writer(lab, "x", f"log = {lab.logs}/x", gate=gate)
    lab.piped()
    more(gate)
    lab.until_has(lab.logs / "x", f"{gate.count:010}")  # it has its file open
    before = until(lambda: descriptors(lab.logger, lab.sinit), "they sleep")
    for _ in range(3):
        writer(lab, "y", f"log = {lab.logs}/y", gate=other)
        lab.ok("reload")
        more(other)
        lab.remove("y")
        lab.ok("reload")
        until(lambda: "y" not in lab.pids(), "it has gone")
        until(lambda: descriptors(lab.logger, lab.sinit) == before, "its pipe is closed")
    more(gate)
    assert lab.shutdown() == 0
    checked(check(*family(lab.logs / "y")), other.count)
    checked(check(*family(lab.logs / "x")), gate.count)


def test_restarts_lose_nothing(lab):
    """The pipe stays over the lives of a service."""
    file, gate = lab.logs / "x", lab.gate()
    writer(lab, "x", f"log = {file}", gate=gate)
    lab.piped()
    for _ in range(8):
        more(gate, 100)
        lab.ok("restart", "x")
    assert lab.shutdown() == 0
    checked(check(*family(file)), gate.count)


def test_first_logging_service_comes_by_a_reload(lab):
    """And the last goes: the logger with it."""
    lab.service("x")
    lab.piped()
    lab.ok("wait", "x")
    assert lab.find_logger() is None
    gate = lab.gate()
    writer(lab, "y", f"log = {lab.logs}/y", gate=gate)
    lab.ok("reload")
    more(gate)
    until(lab.find_logger, "a logger")
    lab.remove("y")
    lab.ok("reload")
    until(lambda: "y" not in lab.pids(), "it has gone")
    lab.until_size(lab.logs / "y", gate.count * LINE)
    until(lambda: lab.find_logger() is None, "nobody needs a logger any more")
    checked(check(*family(lab.logs / "y")), gate.count)
    assert lab.shutdown() == 0


def test_failed_reload_changes_nothing(lab):
    a, gate = lab.logs / "a", lab.gate()
    writer(lab, "x", f"log = {a}", gate=gate)
    lab.piped()
    more(gate)
    writer(lab, "x", "log = relative/path", gate=gate)
    assert lab.ctl("reload").code == 1
    more(gate)
    assert lab.shutdown() == 0
    checked(check(*family(a)), gate.count)
