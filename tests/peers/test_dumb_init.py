"""dumb-init 1.2.5's own suite against sinit called dumb-init: one test of ours for each of theirs."""

import re
import subprocess
import tempfile
import xml.etree.ElementTree as xml
from pathlib import Path

import pytest

from peers import BIN, LIMIT, PYTHON, SOURCES, Run, environment

# The first test waits for all that runs before it.
pytestmark = pytest.mark.timeout(2 * LIMIT)

SUITE = SOURCES / "dumb-init"
# --timeout: theirs is 5 s, which a busy machine needs for Python alone.
PYTEST = [PYTHON, "-m", "pytest", "-p", "no:cacheprovider", "--color=no", "--timeout=90"]

# Tests of theirs that are left out, and why.
LEFT_OUT = {
    "test_help_message": "the text of --help: sinit describes its own options",
}


def names():
    """Of all their tests, as file::function[parameters]."""
    listed = subprocess.run([*PYTEST, "-q", "--collect-only", "tests"], cwd=SUITE,
                            env=environment(), capture_output=True, text=True, check=True)
    return [line.removeprefix("tests/") for line in listed.stdout.splitlines() if "::" in line]


def function(name):
    return re.fullmatch(r".*::(\w+)(\[.*\])?", name).group(1)


NAMES = names()


@pytest.fixture(scope="module")
def results():
    """What failed and how, by name; None for what passed. The files run side by side, each in
    a namespace: one of them takes longer than all others."""
    found = {}
    deselected = " and ".join(f"not {name}" for name in LEFT_OUT)
    with tempfile.TemporaryDirectory() as place:
        runs = []
        for file in sorted({name.split("::")[0] for name in NAMES}):
            report = Path(place, f"{file}.xml")
            runs.append((file, report, Run([*PYTEST, "-k", deselected, f"--junitxml={report}",
                                            f"tests/{file}"], cwd=SUITE)))
        for file, report, run in runs:
            text = run.text()
            assert report.exists(), f"{file}: {text}"
            for case in xml.parse(report).iter("testcase"):
                bad = [child for child in case if child.tag in ("failure", "error", "skipped")]
                found[f"{file}::{case.get('name')}"] = bad[0].text if bad else None
    return found


@pytest.mark.parametrize("name", NAMES)
def test_suite(results, name):
    if function(name) in LEFT_OUT:
        pytest.skip(LEFT_OUT[function(name)])
    assert name in results, "was not run"
    assert results[name] is None, results[name]


def test_nothing_is_left_out_that_is_not_there():
    assert set(LEFT_OUT) <= {function(name) for name in NAMES}


def test_zombies():
    """tests/test-zombies: for a dumb-init that is PID 1."""
    run = Run([BIN / "dumb-init", SUITE / "tests/test-zombies"], pid1=True)
    text = run.text()
    assert run.status == 0, text
