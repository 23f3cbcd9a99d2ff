"""sinit as PID 1 of the whole machine. The agent is one of its services: it is sinit that has
started what the tests speak to."""

import pytest
from lab import AGENT
from sinit_lab import Watched, until

FILES = {
    "sinit.ini": "[sinit]\nstate_dir = /var/lib/sinit\n",
    "conf.d/agent.ini": AGENT,
    "conf.d/web.ini": "[service web]\ncommand = sleep 100000\n",
}


@pytest.fixture
def sinit(machine):
    return Watched(machine, "/run/sinit")


def test_sinit_is_pid_1(machine, sinit):
    assert machine.check("readlink /proc/1/exe") == "/sbin/sinit\n"
    services = sinit.until_state(state="running", ready=True)
    assert set(services) == {"agent", "web"}
    web = services["web"]["pid"]
    assert machine.check(f"cut -d ' ' -f 4 /proc/{web}/stat") == "1\n"


def test_a_service_that_dies_is_started_again(machine, sinit):
    pid = sinit.until_state("web", state="running")["pid"]
    machine.check(f"kill -KILL {pid}")
    assert sinit.until_state("web", state="running", restarts=1)["pid"] != pid


def test_the_agent_is_a_service_like_any_other(machine, sinit):
    pid = sinit.status("agent")["pid"]
    # Its end is the end of this request, too.
    machine.line.sendall(b"run 0 1000 16 0\nkill -KILL $PPID")
    machine.hello()
    assert until(lambda: sinit.status("agent")["pid"] not in (None, pid), "another agent")
