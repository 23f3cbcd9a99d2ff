"""The shell on the console: when there is nothing else, when it is asked for, and when sinit itself
is broken. It is typed at, as somebody would who sits there."""

import pytest
from lab import AGENT
from sinit_lab import Watched, until
from test_init import RUN, bare  # noqa: F401: a fixture

BROKEN = {"conf.d/agent.ini": "[service agent]\ncomand = /bin/agent\n", "conf.d/sleeper.ini": "# none\n"}


def ask(guest, command, answer, after=0):
    """Types it at the shell, and waits for what it prints; the place after that."""
    guest.type(command + "\n")
    return guest.until_console(answer, after=after).end()


def shell(guest, after=0):
    """Until there is one."""
    at = guest.until_console("emergency: started", after=after).end()
    return ask(guest, "echo here $((6 * 7))", "^here 42", at)


def shell_after_crash(guest):
    """The same where sinit has crashed. What is typed too early is lost with what was on the
    terminal before."""
    at = guest.until_console("emergency shell: end it").end()
    at = guest.until_console("^Enter 'help'", after=at).end()
    return ask(guest, "echo here $((6 * 7))", "^here 42", at)


@pytest.mark.parametrize("files, why", [
    (BROKEN, "agent.ini:2: comand: unknown key"),
    ({"conf.d/agent.ini": "[service agent]\ncommand = /no/such\nrestart_delay = 10ms\nmax_restarts = 1\n",
      "conf.d/sleeper.ini": "# none\n"}, "cannot start /no/such: command not found"),
    ({"conf.d/agent.ini": ..., "conf.d/sleeper.ini": ...}, "there is no sinit.ini"),
])
def test_P102_nothing_can_run(bare, files, why):
    guest = bare(files=files, agent=False)
    at = guest.until_console("nothing is there that can run").start()
    assert why in guest.console()[:at]
    at = shell(guest, at)
    at = ask(guest, "tty", "^/dev/console", at)
    if files is BROKEN:
        at = ask(guest, "sinitctl start agent", "agent: its configuration is broken: .*unknown key", at)
    # Put right, it goes on; and the shell stays until it is ended.
    lines = " ".join(f"'{line}'" for line in AGENT.splitlines())
    guest.type(f"mkdir -p /etc/sinit/conf.d; printf '%s\\n' {lines} >/etc/sinit/conf.d/agent.ini\n")
    ask(guest, "sinitctl reload", "configuration reloaded", at)
    guest.hello()
    guest.type("exit\n")
    sinit = Watched(guest, RUN)
    sinit.until_state("agent", state="running")
    until(lambda: set(sinit.status()) == {"agent"}, "nothing but the agent")


def test_single(bare):
    guest = bare("sinit.single", agent=False)
    at = shell(guest)
    at = ask(guest, "sinitctl --json summary", '"running": *1[,}]', at)
    ask(guest, "sinitctl start agent", "agent: running", at)
    guest.hello()
    sinit = Watched(guest, RUN)
    sinit.until_state("agent", state="running")
    assert sinit.status("sleeper")["state"] == "stopped"


def test_another_program(bare):
    guest = bare(files={**BROKEN, "sinit.ini": "[sinit]\nemergency = /bin/rescue\n"}, agent=False,
                 **{"bin/rescue": "x"})
    guest.until_console("emergency: cannot start /bin/rescue: ")
    guest.press("ctrl", "alt", "delete")
    assert guest.wait_end() == "reboot"


def test_a_crash(bare):
    """The services live on; the shell has the console to itself; after it sinit begins again."""
    guest = bare(files={"conf.d/user.ini": "[service login]\ncommand = sh\ntty = /dev/console\n"
                                           "restart = always\n"})
    before = Watched(guest, RUN).until_state("sleeper", state="running")["pid"]
    guest.check("kill -SEGV 1")
    at = shell_after_crash(guest)
    assert "it has crashed: SIGSEGV, sent by process" in guest.console()
    ask(guest, "readlink /proc/$PPID/exe; echo $PPID", "^1\r?$", at)
    assert guest.check(f"kill -0 {before} && cat /proc/1/comm") == "sinit\n"
    guest.type("exit\n")
    guest.hello()
    assert Watched(guest, RUN).until_state("sleeper", state="running")["pid"] != before
    assert guest.run(f"grep -q sleep /proc/{before}/cmdline").status != 0
    assert "Kernel panic" not in guest.console()


@pytest.mark.parametrize("signal, how", [("TERM", "reboot"), ("USR2", "poweroff")])
def test_the_end_after_a_crash(bare, signal, how):
    guest = bare()
    guest.check("kill -ILL 1")
    shell_after_crash(guest)
    guest.type(f"kill -{signal} 1\n")
    assert guest.wait_end() == how
    assert "Kernel panic" not in guest.console()


def test_a_crash_without_a_shell(bare):
    """It begins again by itself."""
    guest = bare()
    guest.check("rm /bin/sh; kill -BUS 1")
    guest.until_console("/bin/sh: No such file or directory")
    guest.until_console("beginning again")
    guest.hello()
    assert "Kernel panic" not in guest.console()
