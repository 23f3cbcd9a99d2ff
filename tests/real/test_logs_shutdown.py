"""The end of everything: what is said last is there when sinit has ended."""

import random
import signal
import time

import pytest
from harness import command_line, descendants
from log_lab import LINE, Process, check, checked, lab, lines_of, numbers, until  # noqa: F401

ONCE = "restart = never"
SEED = 27  # of the moments


def test_last_words(lab):
    """Of a service that was told to end: all of them, in a file and on standard output."""
    for name, target in (("x", lab.logs / "x"), ("y", "prefix")):
        lab.service(name, f"sh -c 'trap \"{numbers()} write --lines 50000; exit 0\" TERM; "
                    "sleep 100000 & wait'", ONCE, f"log = {target}")
    pipe = lab.piped()
    until(lambda: sum(command_line(pid)[:1] == [b"sleep"] for pid in descendants(lab.sinit.pid)) == 2, "both run")
    assert lab.shutdown() == 0
    checked(check(lab.logs / "x"), 50_000)
    checked(check(pipe.end()), 50_000, key="y | ")


@pytest.mark.parametrize("kills", [0, 5])
def test_last_words_before_KILL(lab, kills):
    """A service and a left-over that write until they are killed: what they have written is there."""
    service, left = lab.gate("service"), lab.gate("left")
    write = f"{numbers()} write --deaf --lines 1000000000 --rate 20000 --chunk {LINE}"
    lab.service("x", f"{write} --gate {service.path}", "stop_timeout = 1s", f"log = {lab.logs}/x")
    lab.service("y", f"sh -c 'setsid {write} --gate {left.path} & exit 0'", ONCE, "kill_mode = process",
                "log = prefix")
    pipe = lab.piped()
    lab.finished("y")
    until(lambda: service.count > 1000 and left.count > 1000, "both write")
    lab.sinit.kill(signal.SIGTERM)
    moments = random.Random(SEED)
    for _ in range(kills):
        time.sleep(moments.uniform(0, 0.1))
        if logger := lab.find_logger():
            try:
                logger.kill(signal.SIGKILL)
            except ProcessLookupError:
                pass
    assert lab.wait() == 0
    for found, key, gate in ((check(lab.logs / "x"), "", service), (check(pipe.end()), "y | ", left)):
        assert gate.count <= checked(found, key=key) <= gate.count + 1


def test_critical_service_that_fails(lab):
    """Why it all ended is the last thing in the log."""
    go = lab.base / "go"
    lab.service("x", f"sh -c 'until [ -e {go} ]; do sleep 0.01; done; for i in $(seq 100); do echo line $i; "
                "done; echo fatal: no luck >&2; exit 7'", ONCE, "critical = yes", f"log = {lab.logs}/x")
    lab.service("y")
    lab.piped()
    go.touch()
    assert lab.wait() == 7
    assert lines_of(lab.logs / "x")[-2:] == [b"line 100\n", b"fatal: no luck\n"]


def test_no_process_is_left(lab):
    """The logger ends with sinit, also when sinit is killed and not PID 1."""
    gate = lab.gate()
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 1000 --gate {gate.path}",
                f"log = {lab.logs}/x")
    lab.start(pid1=False)
    until(lambda: gate.count > 100, "it writes")
    logger = Process(lab.logger.pid)
    lab.sinit.kill(signal.SIGKILL)
    until(lambda: not logger.alive(), "the logger has ended")
