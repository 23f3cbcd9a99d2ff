"""sinitctl top on a terminal and through a pipe, over a board written by order and with a thread
in PID 1's place; and pause and resume, of a sinit that has no cgroups."""

import fcntl
import json
import os
import re
import signal
import struct
import subprocess
import termios
import threading

import pytest

from alerter_lab import Writer
from harness import Terminal, children, stat, until
from services import SINITCTL, sinit

__all__ = ["sinit"]

BEGIN, END = "\x1b[?1049h", "\x1b[?1049l"
MIB = 1 << 20


class Control(threading.Thread):
    """RUNDIR/control, where `measure` writes new numbers to the board."""

    def __init__(self, run, board):
        super().__init__(daemon=True)
        self.run_directory, self.board = run, board
        os.mkfifo(run / "control")
        (run / "reply").mkdir()
        self.fd = os.open(run / "control", os.O_RDWR)
        self.asked, self.answers = 0, True
        self.start()

    def run(self):
        while True:
            for line in os.read(self.fd, 4096).decode().splitlines():
                version, reply, verb = line.split(" ")
                assert (version, verb) == ("sinit1", "measure"), line
                self.asked += 1
                if not self.answers:
                    continue
                self.board(f"use 0 {3 * MIB} {4 * MIB} 500")  # half a CPU
                self.board(f"use 1 {9 * MIB} 0 0")
                self.board("measured")
                try:
                    fd = os.open(self.run_directory / "reply" / reply, os.O_WRONLY | os.O_NONBLOCK)
                except OSError:  # who asked has ended meanwhile
                    continue
                os.write(fd, b'{"result":"ok"}\n')
                os.close(fd)


@pytest.fixture
def board(tmp_path):
    writer = Writer(tmp_path)
    for slot, name in enumerate(("busy", "lazy", "third")):
        writer(f"service {slot} {name} 0")
        writer(f"run {slot} {100 + slot}")
    writer("cgroup /sys/fs/cgroup/test")
    writer("live")
    yield writer
    writer.close()


@pytest.fixture
def control(board, tmp_path):
    return Control(tmp_path, board)


def size(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def terminal(run, *words, rows=24, columns=120, term="xterm", **environ):
    """A shell that waits for top and says how that has ended, and how the terminal is then."""
    def before(fd):
        size(fd, rows, columns)
        os.environ.update(TERM=term, LC_ALL="C", PS1="", **environ)
    script = '"$@"; echo "code $?"; stty -a | grep -o "[-]*icanon\\|[-]*echo\\b"; echo over; read x'
    return Terminal(["sh", "-c", script, "sh", SINITCTL, "-r", str(run), "top", *words], before)


def is_put_right(shell):
    """After the end: the screen is left, with a cursor and settings for a shell."""
    rest = shell.expect(r"(?s).*\nover").group(0)
    assert "\x1b[?25h" + END in rest
    assert "code 0" in rest and "-icanon" not in rest and "-echo" not in rest, rest
    assert "icanon" in rest and "echo" in rest, rest


def test_a_table_that_renews_itself(board, control, tmp_path):
    with terminal(tmp_path, "-d", "200ms") as shell:
        shell.expect(re.escape(BEGIN))
        shell.expect(r"sinit, pid \d+, up [^:]+: 3 services, 3 ready\x1b\[K")
        shell.expect(r"cpu - %, memory 12\.0M, 6 processes; q: quit")
        shell.expect(r"\x1b\[H")  # the second one knows what was used
        shell.expect(r"cpu 50\.0 %, memory 12\.0M")
        lines = shell.expect(r"(?s)NAME.*?\x1b\[J").group(0).split("\x1b[K\r\n")
        assert re.search(r"^busy +\S*running\S* +100 +50\.0 +3\.0M +\[######--\] 4\.0M +3 ", lines[1]), lines
        assert lines[2].startswith("lazy") and "no limit" in lines[2]
        assert lines[3].startswith("third")
        before = control.asked
        until(lambda: shell.read() and control.asked >= before + 3, "more looks")
        shell.type("q")
        is_put_right(shell)


@pytest.mark.parametrize("how", ["\x03", signal.SIGTERM, signal.SIGHUP])
def test_what_ends_it(board, control, tmp_path, how):
    with terminal(tmp_path) as shell:
        shell.expect("third")
        if isinstance(how, str):
            shell.type(how)
        else:
            os.killpg(stat(shell.pid)[5], how)  # what is in the foreground, with the shell
        shell.expect(re.escape("\x1b[?25h" + END))


def test_a_signal_leaves_the_terminal_as_it_was(board, control, tmp_path):
    with terminal(tmp_path, "-d", "10s") as shell:
        shell.expect("third")
        os.kill(children(shell.pid)[0], signal.SIGINT)
        is_put_right(shell)


def test_a_small_terminal_and_another_size(board, control, tmp_path):
    with terminal(tmp_path, "-d", "10s", rows=5, columns=44) as shell:
        page = shell.expect(r"(?s)\x1b\[H.*?\x1b\[J").group(0)
        assert page.count("\n") == 4 and "third" not in page
        for line in re.sub(r"\x1b\[[?0-9;]*[A-Za-z]", "", page).split("\r\n"):
            assert len(line) <= 44, line
        size(shell.fd, 30, 130)
        shell.expect("OF LIMIT.*WAIT%.*HEALTH")
        shell.expect("third")
        shell.type("q")
        is_put_right(shell)


def test_sinit_ends_meanwhile(board, control, tmp_path):
    with terminal(tmp_path, "-d", "200ms") as shell:
        shell.expect("third")
        board.close()  # and its lock with it
        shell.expect(re.escape(END))
        shell.expect("sinit is not running on")
        shell.expect("code 3")


def test_no_colour(board, control, tmp_path):
    with terminal(tmp_path, NO_COLOR="1") as shell:
        page = shell.expect(r"(?s)\x1b\[H.*?\x1b\[J").group(0)
        assert not re.search(r"\x1b\[[0-9;]*m", page)
    with terminal(tmp_path) as shell:
        shell.expect(r"\x1b\[7mNAME.*\x1b\[0m")
        shell.expect(r"\x1b\[32mrunning\x1b\[0m")


def test_with_n_and_on_a_dumb_terminal_no_screen(board, control, tmp_path):
    for words, term in ((["-n", "1", "-d", "100ms"], "xterm"), (["-d", "100ms"], "dumb")):
        with terminal(tmp_path, *words, term=term) as shell:
            assert BEGIN not in shell.expect(r"(?s).*over").group(0)


def ctl(run, *words, code=0):
    done = subprocess.run([SINITCTL, "-r", run, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done
    return done


def test_through_a_pipe(board, control, tmp_path):
    done = ctl(tmp_path, "top", "-d", "200ms")
    assert done.stderr == "" and control.asked == 2
    lines = done.stdout.splitlines()
    assert len(lines) == 6 and lines[2].startswith("NAME") and lines[3].startswith("busy")
    assert lines[1].startswith("cpu 50.0 %, memory 12.0M")
    looks = [json.loads(line) for line in
             ctl(tmp_path, "--json", "top", "-n", "3", "-d", "100ms", "busy").stdout.splitlines()]
    assert len(looks) == 3
    for look in looks:
        assert look["sinit"]["state"] == "starting" and look["memory_bytes"] == 3 * MIB
        assert look["services"][0]["name"] == "busy"
        assert look["services"][0]["cpu_percent"] == 50.0
        assert look["services"][0]["resources"]["memory"]["max"] == 4 * MIB


def test_PID_1_that_does_not_answer(board, control, tmp_path):
    """What there is is shown, and said to be old."""
    ctl(tmp_path, "top", "-d", "100ms")
    control.answers = False
    done = ctl(tmp_path, "top", "-d", "100ms")
    assert "has not answered within" in done.stderr
    assert re.search(r"memory 12\.0M, 6 processes; read \d+s ago", done.stdout), done.stdout


# --- a real sinit

def test_a_sinit_without_cgroups(sinit):
    sinit.service("web")
    sinit.up()
    header = json.loads(sinit.ctl("--json", "status"))["services"][0]
    if header["cgroup"]:
        pytest.skip("this sinit has cgroups")
    text = sinit.ctl("top", "-d", "100ms")
    assert "no cgroups: resources are not known; see the log of sinit\n" in text
    assert re.search(r"^web +running", text, re.M)
    for verb in ("pause", "resume"):
        done = ctl(sinit.run, verb, "web", code=1)
        assert "web: it has no cgroup of its own" in done.stderr
        assert "no such service" in ctl(sinit.run, verb, "nobody", code=4).stderr
    assert sinit.status("web")["paused"] is False
