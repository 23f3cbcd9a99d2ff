"""Where lines cannot go: full disks, readers that do not read. A service is held up a little, and
then lines are lost, counted and told of; never more than that."""

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest
from harness import unless_gone
from log_lab import LINE, check, checked, family, lab, lines_of, numbers, until, whole  # noqa: F401

ONCE = "restart = never"
FULL = 2_500_000  # lines of 20 bytes: 50 MB
BOTH = "'{0} write --lines {1} --gate {2} & {0} write --lines {1} --fd 2; wait; touch {3}'"


def lost(lab, text):
    """The number that sinit's log tells when lines of `text` are written again."""
    line = lab.until_said(text, 2)[1]
    return int(re.search(r"(\d[\d,]*) lines?", line)[1].replace(",", ""))


def small_tmpfs(directory):
    """Words that give sinit a tmpfs of 1 MB there, of which 600 KB are somebody else's."""
    directory.mkdir()
    return ["sh", "-c", f'mount -t tmpfs -o size=1M t {directory}; head -c 600K /dev/zero >{directory}/junk; '
            'exec "$@"', "sh"]


def test_P79_disk_full_and_space_again(lab):
    place, done = lab.base / "small", lab.base / "done"
    gate = lab.gate(limit=FULL)
    lab.service("x", "sh -c " + BOTH.format(numbers(), FULL + 1000, gate.path, done), ONCE,
                f"log = {place}/x", f"log_stderr = {place}/x")
    lab.http()
    lab.piped(after=small_tmpfs(place))
    view = Path(f"/proc/{lab.sinit.pid}/root{place}")
    until(lambda: gate.count == FULL, "it goes on writing")
    warned = lab.until_said(f"{place}/x")
    assert len(warned) == 1 and "warning: " in warned[0]
    until(lambda: lab.dropped("x") > FULL, "lines are counted")
    (view / "junk").unlink()
    gate.limit = 0
    lab.until_has(view / "x", f"{FULL + 999:010}")
    until(done.exists, "it finishes")

    def lines():
        return lines_of(view / "x")

    def whole():
        return sum(len(line) == LINE for line in lines())
    until(lambda: whole() + lab.dropped("x") == 2 * (FULL + 1000), "all are written or counted")
    assert lost(lab, f"{place}/x") == lab.dropped("x")
    assert lab.messages().count(f"{place}/x") == 3  # and that it can be written again
    lab.ok("ping")
    assert len(lines()) - whole() <= 1  # where the disk was full
    assert lab.shutdown() == 0


def test_dev_full(lab):
    lab.numbered("x", "log = /dev/full", lines=100_000)
    lab.http()
    lab.piped()
    lab.finished("x")
    until(lambda: lab.dropped("x") > 90_000, "they are counted")  # all but the last, which may yet come
    assert lab.shutdown() == 0


def test_fifo_that_nobody_reads(lab):
    """And then somebody does."""
    fifo, gate, data = lab.logs / "fifo", lab.gate(limit=100_000), bytearray()
    os.mkfifo(fifo)
    lab.numbered("x", f"log = {fifo}", lines=101_000, gate=gate.path)
    lab.http()
    lab.piped()
    until(lambda: gate.count == 100_000, "it is not held up for long")
    lab.until_said(str(fifo))
    until(lambda: re.search(r"^x .* \d+ lines of its output lost so far$", lab.ok("status").out, re.M),
          "its status says so")
    fd = os.open(fifo, os.O_RDONLY)

    def read():
        while part := os.read(fd, 65536):
            data.extend(part)
    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    gate.limit = 0
    until(lambda: b"0000100999" in data, "lines come again")
    assert lost(lab, str(fifo)) == lab.dropped("x")
    seen = bytes(data).count(b"\n")
    assert seen + lab.dropped("x") == 101_000
    whole(check(bytes(data)))
    assert lab.shutdown() == 0
    thread.join()
    os.close(fd)


def test_slow_reader_loses_nothing(lab):
    """Who reads at all has no reason to lose lines: the service waits."""
    lab.numbered("x", "log = prefix", lines=60_000)
    lab.http()
    pipe = lab.piped(reading=False)

    def read_slowly():
        while part := os.read(pipe.read_fd, 16384):
            pipe.data += part
            time.sleep(0.01)
    pipe.thread = threading.Thread(target=read_slowly, daemon=True)
    pipe.thread.start()
    lab.finished("x")
    assert lab.dropped("x") == 0
    assert lab.shutdown() == 0
    checked(check(pipe.end()), 60_000, key="x | ")


def test_stdout_that_nobody_reads(lab):
    """The service finishes, and both ends of a life are as quick as ever."""
    lab.sinit_ini("shutdown_timeout = 20s")
    lab.numbered("x", "log = prefix", lines=500_000)
    lab.service("y", f"{numbers()} write --lines 1000000000", "log = prefix")
    lab.service("z", "sh -c 'while :; do echo z; done'", "log = prefix")
    lab.http()
    lab.piped(reading=False)
    lab.finished("x")
    begin = time.monotonic()
    lab.ok("stop", "y")
    assert time.monotonic() - begin < 10
    until(lambda: lab.dropped("x") > 400_000, "they are counted")
    begin = time.monotonic()
    assert lab.shutdown() == 0
    assert time.monotonic() - begin < 20


def test_stdout_that_is_read_again(lab):
    """After a while without a reader lines are whole, and the number of those lost is right."""
    gate = lab.gate(limit=100_000)
    lab.numbered("x", "log = prefix", lines=101_000, chunk="1-300", gate=gate.path)
    lab.http()
    pipe = lab.piped(reading=False)
    until(lambda: gate.count == 100_000, "it goes on")
    until(lambda: lab.dropped("x") > 0, "lines are lost")
    pipe.go()
    gate.limit = 0
    until(lambda: b"0000100999" in pipe.data, "the last line")
    lab.until_said("can be written again")  # all that was lost is told by now
    lost_lines = lab.dropped("x")
    assert lab.shutdown() == 0
    own = whole(check(pipe.end()), "x | ")
    assert own["lines"] + lost_lines == 101_000 and own["missing"] == lost_lines


def test_logger_killed_while_lines_are_lost(lab):
    """For the next one all is well from the beginning: it tells that it is over, and what was lost."""
    gate = lab.gate(limit=100_000)
    lab.numbered("x", "log = prefix", lines=101_000, gate=gate.path)
    lab.http()
    pipe = lab.piped(reading=False)
    until(lambda: gate.count == 100_000, "it goes on")
    lab.until_said("nobody reads it")
    logger = lab.logger
    logger.freeze()
    pipe.go()
    unless_gone(logger.kill, signal.SIGKILL)
    gate.limit = 0
    until(lambda: b"0000100999" in pipe.data, "the last line")
    lab.until_said("can be written again")
    lost_lines = lab.dropped("x")
    assert lab.shutdown() == 0
    own = whole(check(pipe.end()), "x | ")
    assert own["lines"] + lost_lines == 101_000 and own["missing"] == lost_lines > 0


def test_stdout_that_is_closed(lab):
    """EPIPE kills nobody, and costs nothing: lines are lost and counted."""
    gate = lab.gate()
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 1000 --gate {gate.path}", "log = prefix")
    lab.http()
    pipe = lab.piped(reading=False)
    until(lambda: gate.count > 100, "it writes")
    os.close(pipe.read_fd)
    pipe.read_fd = -1
    until(lambda: lab.dropped("x") > 100, "lines are lost")
    logger, count = lab.logger.pid, gate.count
    until(lambda: gate.count > count + 2000, "the service goes on")
    assert lab.logger.pid == logger and len(lab.messages().splitlines()) < 50
    assert lab.shutdown() == 0


@pytest.mark.parametrize("others", ["file", "prefix"])
def test_one_stalled_target_does_not_hold_up_others(lab, others):
    """Each has its own second."""
    fifo = lab.logs / "fifo"
    os.mkfifo(fifo)
    lab.service("bad", f"{numbers()} write --lines 1000000000", f"log = {fifo}")
    lab.numbered("good", f"log = {lab.logs / 'good' if others == 'file' else 'prefix'}", lines=200_000)
    pipe = lab.piped()
    lab.finished("good")
    assert lab.shutdown() == 0
    if others == "file":
        checked(check(*family(lab.logs / "good")), 200_000)
    else:
        checked(check(pipe.end()), 200_000, key="good | ")
