"""The watchdog resets the machine when it is not fed: when PID 1's loop hangs, when a critical service
is down for good, when sinit has crashed; and never while all is well, nor at a good end. It is the
kernel's softdog."""

import os
import subprocess

import pytest
from machines import SINIT, TOP
from sinit_lab import Watched
from test_emergency import shell_after_crash
from test_init import RUN, bare  # noqa: F401: a fixture
from trees import Program, insmod, module_files

RESET = "softdog: Initiating system reboot"


def settings(timeout, more):
    load = insmod(["softdog"]).strip().replace("\n", "; ")
    return {"sinit.ini": f"[sinit]\nwatchdog = /dev/watchdog\nwatchdog_timeout = {timeout}\n{more}",
            "conf.d/module.ini": f"[service module]\ntype = oneshot\ncommand = sh -c '{load}'\n"}


@pytest.fixture
def watched(bare):
    """watched(timeout, more, files=, ...): with the module loaded by a service, and so after sinit has
    looked for the device the first time."""
    def boot(timeout="5s", more="", files={}, **other):
        guest = bare(files={**settings(timeout, more), **files}, **module_files(["softdog"]), **other)
        guest.until_console("sinit: watchdog /dev/watchdog: resets the machine")
        return guest
    return boot


def reset(guest):
    """The kernel says nothing more than that."""
    assert guest.wait_end() is None
    assert RESET in guest.console()


@pytest.fixture(scope="session")
def hanging():
    """sinit, built so that RTMAX has its loop hang."""
    where = SINIT.parent / "hang"
    words = ["make", "-s", f"B={where.relative_to(TOP)}", "TEST_HANG=1", where.relative_to(TOP) / "sinit"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    subprocess.run(words, cwd=TOP, check=True, env=environment)
    return Program((where / "sinit").read_bytes())


def test_it_is_fed(watched):
    """Its time is seen to run, and to begin anew."""
    guest = watched("20s")
    where = "/sys/class/watchdog/watchdog0"
    assert guest.check(f"cat {where}/state {where}/timeout") == "active\n20\n"
    assert "watchdog /dev/watchdog: No such file or directory; looking for it again" in guest.console()
    assert "warning" not in guest.console().replace("warning: watchdog /dev/watchdog: No such", "")
    guest.tell("kill -USR2 1")
    assert guest.wait_end() == "poweroff"
    assert "watchdog did not stop" not in guest.console()


def test_more_than_once(watched):
    """Longer than its time."""
    guest = watched("10s")
    guest.check("begin=$(cut -d . -f 1 /proc/uptime); "
                "until [ $(cut -d . -f 1 /proc/uptime) -ge $((begin + 22)) ]; do usleep 50000; done")
    assert RESET not in guest.console()
    guest.tell("kill -USR2 1")
    assert guest.wait_end() == "poweroff"


def test_a_loop_that_hangs(watched, hanging):
    guest = watched(**{"sbin/sinit": hanging})
    guest.tell("kill -64 1")
    reset(guest)
    assert "stopping everything" not in guest.console()


def test_a_critical_service_that_is_down(watched):
    guest = watched(more="critical_action = alert\n", files={"conf.d/heart.ini":
                    "[service heart]\ncommand = false\nrestart = never\ncritical = yes\nafter = module\n"})
    guest.until_console("is not fed any more.*heart is critical and down")
    reset(guest)


def test_it_gets_well_in_time(watched):
    guest = watched("40s", more="critical_action = alert\n", files={
        "conf.d/heart.ini": "[service heart]\ncommand = sh -c 'test -e /tmp/go && exec sleep 1000'\n"
                            "restart = never\ncritical = yes\nafter = module\n"})
    guest.until_console("is not fed any more")
    guest.check("touch /tmp/go; sinitctl start heart")
    guest.until_console("watchdog /dev/watchdog is fed again")
    Watched(guest, RUN).until_state("heart", state="running")


def test_a_crash(watched):
    guest = watched("20s")  # for the shell, too
    guest.check("kill -SEGV 1")
    shell_after_crash(guest)
    reset(guest)


def test_it_is_fed_to_the_end(watched):
    """While what is left of everything has its grace, which is longer than the watchdog's time."""
    guest = watched("5s")
    guest.check("(setsid sh -c 'trap \"\" TERM; echo $$ >/sys/fs/cgroup/cgroup.procs; echo deaf >/dev/console; "
                "while :; do sleep 1; done' >/dev/null 2>&1 &)")
    guest.until_console("^deaf")
    guest.tell("kill -USR2 1")
    assert guest.wait_end() == "poweroff"
    assert "killing the processes that are left" in guest.console() and RESET not in guest.console()


def test_a_clean_reboot_leaves_none_behind(watched):
    guest = watched("300s")
    guest.tell("sinitctl reboot")
    assert guest.wait_end() == "reboot"
    assert "watchdog did not stop" not in guest.console() and RESET not in guest.console()
