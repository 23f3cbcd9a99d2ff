"""What is told of targets that cannot be written: of the right one, once, and when it is over."""

import signal

import pytest
from log_lab import lab, lines_of, until  # noqa: F401


@pytest.mark.parametrize("asked", ["reload", "rotate"])
def test_own_log_stays_in_its_file_after_a_fault(lab, asked):
    """Its messages are not written to whatever else has the number of a pipe that was closed."""
    file = lab.logs / "sinit"
    lab.sinit_ini(f"log_target = {file}")
    lab.service("x")
    lab.piped()
    lab.until_has(file, "x: started")
    file.unlink()
    file.mkdir()

    def fails():
        lab.sinit.kill(signal.SIGUSR2)  # a line of status
        return f"{file} cannot be written" in lab.messages()
    until(fails, "it cannot be written")
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
    lab.sinit_ini(f"log_target = {file}")
    lab.service("x")
    lab.piped()
    lab.until_has(file, "x: started")
    file.unlink()
    file.mkdir()

    def fails():
        lab.sinit.kill(signal.SIGUSR2)
        return f"{file} cannot be written" in lab.messages()
    until(fails, "it cannot be written")
    for target in ("stderr", other):
        lab.sinit_ini(f"log_target = {target}")
        lab.ok("reload")
    lab.until_has(other, "reload: ")
    assert str(other) not in lab.sinit_fds().values()
    assert lab.shutdown() == 0
    assert lines_of(other)[-1] == b"sinit: stopped, exit code 0\n"
