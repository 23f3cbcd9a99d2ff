"""tini 0.19.0's own suite against sinit called tini and tini-static.

test/run_inner_tests.py is one program that says what it is about to test and ends at the first
failure; ci/run_build.sh has the smoke tests, in a shell loop over both programs. Each of their
tests is one of ours. test/run_outer_tests.py as it is needs Python 2, docker and images of
distributions of 2014; those of its tests that are about tini are done here with tini as PID 1 of
a namespace, which is what docker was for."""

import os
import pty
import re
import signal
import subprocess
import time

import pytest

from peers import BIN, LIMIT, NAMESPACE, PYTHON, SOURCES, Run, environment

# The first test waits for all that runs before it.
pytestmark = pytest.mark.timeout(2 * LIMIT)

SUITE = SOURCES / "tini"
PROGRAMS = ["tini", "tini-static"]
PROXY, MINUS_S, VARIABLE = "subreaper-proxy tini", "tini -s", "tini, TINI_SUBREAPER"

# Tests of theirs that are left out, and why.
LEFT_OUT = {
    "shows help message": "the text of --help",
    "references options that exist": "the text of --help",
    "for license": "the text of -l: sinit prints its own license",
    **{f"{name} (MINIMAL)": "absent: tini built without options" for name in (
        "with: true", "with: false", "does not reference options that don't exist",
        "can run binary: ${bin}", "can run binary --version if args are given")},
    "valgrind": "absent: a dynamic program for valgrind to look into",
    "packages": "absent: packages of sinit for Ubuntu and CentOS",
    "-w without a command": "tini 0.19.0 itself fails it: it exits 1, as sinit does",
}


def left_out(name):
    if name in LEFT_OUT:
        pytest.skip(LEFT_OUT[name])


# --- test/run_inner_tests.py ----------------------------------------------------------

INNER = [
    "exit code test",
    *(f"{what} ({how})" for how in (PROXY, MINUS_S, VARIABLE)
      for what in ("reaping test", "reaping display test", "signal test for: 15",
                   "signal test for: 10", "signal test for: 12")),
    "process group test (arguments)",
    "process group test (environment variable)",
    "zombie reaping failure test (Tini should warn)",
    "signal configuration test",
    "parent death signal test",
]


def said(text):
    """The names, as in INNER, of the tests that the program said it was about to run."""
    names = []
    for name in re.findall(r"^running (.*)", text, re.M | re.I):
        name = re.sub(r"^(exit code test) for .*", r"\1", name)
        name = re.sub(r"\(\S+proxy\.py .*\)", f"({PROXY})", name)
        name = re.sub(r"\(\S+ -s with .*\)", f"({MINUS_S})", name)
        names.append(re.sub(r"\(\S+ with env .*TINI_SUBREAPER.*\)", f"({VARIABLE})", name))
    return names


RACES = 4


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    """Both programs' runs, side by side. The suite wants a directory with a "tini"."""
    places = {}
    for program in PROGRAMS:
        place = places[program] = tmp_path_factory.mktemp(program)
        link = place / "tini"
        link.symlink_to(BIN / program)
        subprocess.run(["cc", "-w", "-o", place / "sigconf-test",
                        SUITE / "test/sigconf/sigconf-test.c"], check=True)

    def run(program):
        return Run([PYTHON, SUITE / "test/run_inner_tests.py"], SOURCE_DIR=str(SUITE),
                   BUILD_DIR=str(places[program]), FORCE_SUBREAPER="1")

    results = {}
    runs = {program: run(program) for program in PROGRAMS}
    for program, last in runs.items():
        text = last.text()
        # A race of the suite's own: it sends USR1 as soon as the grandchild is forked, which
        # ignores it until Python has come to reset it; then nobody ever ends.
        for _ in range(RACES):
            if last.status == 0 or not said(text)[-1:] or "process group" not in said(text)[-1]:
                break
            last = run(program)
            text = last.text()
        results[program] = text, last.status
    return results


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", INNER)
def test_inner(inner, program, name):
    text, status = inner[program]
    names = said(text)
    assert name in names, f"was not reached: {text}"
    assert status == 0 or name != names[-1], text


@pytest.mark.parametrize("program", PROGRAMS)
def test_inner_is_complete(inner, program):
    text, status = inner[program]
    assert said(text) == INNER, text
    assert "All done, tests as expected" in text and status == 0, text


# --- The smoke tests of ci/run_build.sh -----------------------------------------------

def smoke_tests():
    """Their shell text by name: what follows each line that announces a test."""
    loop = (SUITE / "ci/run_build.sh").read_text()
    loop = loop.split("# Smoke tests", 1)[1].split("\n  done\n", 1)[0]
    before, minimal, normal, after = re.fullmatch(
        r'(.*\n)    if \[\[ -n "\$\{MINIMAL:-\}" \]\]; then\n(.*?\n)    else\n(.*?\n)    fi\n(.*)',
        loop, re.S).groups()
    tests = {}
    for part, suffix in (before, ""), (minimal, " (MINIMAL)"), (normal, ""), (after, ""):
        pieces = re.split(r'^ *echo "(?:Smoke test|Testing|Checking) (.*)"\n', part, flags=re.M)
        for announced, text in zip(pieces[1::2], pieces[2::2]):
            name = re.sub(r" ?(for |on )?\$(\{tini\}|tini)\s*", "", announced)
            tests[(name or "smoke test") + suffix] = text
    return tests


SMOKE = smoke_tests()


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name", SMOKE)
def test_smoke(program, name):
    left_out(name)
    run = Run(["bash", "-c", f"set -o errexit -o nounset -o pipefail\n{SMOKE[name]}"],
              tini=str(BIN / program), SOURCE_DIR=str(SUITE), CC="musl-gcc")
    text = run.text()
    assert run.status == 0, f"{SMOKE[name]}\n{text}"


# --- The tests of test/run_outer_tests.py, with tini as PID 1 --------------------------

def descendants(pid):
    found = []
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            found = [int(child) for child in children.read().split()]
    except OSError:
        pass
    return found + [other for child in found for other in descendants(child)]


def until(condition, what):
    end = time.monotonic() + 60
    while not (result := condition()):
        assert time.monotonic() < end, what
        time.sleep(0.01)
    return result


@pytest.mark.parametrize("program", PROGRAMS)
def test_outer_reaping(program):
    run = Run([BIN / program, SUITE / "test/reaping/stage_1.py"], pid1=True, TINI_VERBOSITY="3")
    text = run.text()
    assert run.status == 0, text


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("name, code", [("TERM", 143), ("USR1", 138), ("USR2", 140)])
def test_outer_signals(program, name, code):
    run = Run([BIN / program, SUITE / "test/signals/test.py"], pid1=True, TINI_VERBOSITY="3")
    # The program itself, the test and what that waits for.
    tini = until(lambda: len(below := descendants(run.child.pid)) >= 3 and below[0], "no sleep")
    os.kill(tini, getattr(signal, f"SIG{name}"))
    text = run.text()
    assert run.status == code, text


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("word, code", [("-z", 1), ("-h", 0), ("zzzz", 127)])
def test_outer_exit_code(program, word, code):
    run = Run([BIN / program, word], pid1=True, TINI_VERBOSITY="3")
    text = run.text()
    assert run.status == code, text


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("command, typed, code", [
    (["dash"], b"exit 0\n", 0),
    (["dash", "-c", r"while true; do echo \#; sleep 0.1; done"], b"\x03", 128 + signal.SIGINT),
])
def test_outer_terminal(program, command, typed, code):
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("unshare", [*NAMESPACE, str(BIN / program), "--", *command],
                   environment(TINI_VERBOSITY="3"))
    output = b""
    try:
        while b"#" not in output:
            output += os.read(terminal, 1024)
        os.write(terminal, typed)
        while chunk := os.read(terminal, 1024):
            output += chunk
    except OSError:  # all that had the terminal have gone
        pass
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == code, output


@pytest.mark.parametrize("name", ["-w without a command", "valgrind", "packages"])
def test_outer_left_out(name):
    left_out(name)
    pytest.fail("is in no list")


def test_nothing_is_left_out_that_is_not_there():
    outer = {"-w without a command", "valgrind", "packages"}
    minimal = {name for name in SMOKE if name.endswith(" (MINIMAL)")}
    assert set(LEFT_OUT) - outer <= set(SMOKE)
    assert minimal <= set(LEFT_OUT)
