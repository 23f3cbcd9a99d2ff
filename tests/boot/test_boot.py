"""sinit as PID 1 of the whole machine. The agent is one of its services: it is sinit that has
started what the tests speak to."""

import json

import pytest
from lab import AGENT
from sinit_lab import Watched, until

FILES = {
    "sinit.ini": "[sinit]\nstate_dir = /var/lib/sinit\n",
    "conf.d/agent.ini": AGENT,
    "conf.d/web.ini": "[service web]\ncommand = sleep 100000\nmemory_max = 32M\ncpu_max = 50%\n",
    "conf.d/eater.ini": "[service eater]\ncommand = eat --when /tmp/go --pause 64\n"
                        "memory_max = 32M\nrestart = never\n",
}


@pytest.fixture
def sinit(machine):
    return Watched(machine, "/run/sinit")


def test_sinit_is_pid_1(machine, sinit):
    assert machine.check("readlink /proc/1/exe") == "/sbin/sinit\n"
    services = sinit.until_state(state="running", ready=True)
    assert set(services) == {"agent", "web", "eater"}
    web = services["web"]["pid"]
    assert machine.check(f"cut -d ' ' -f 4 /proc/{web}/stat") == "1\n"


def test_the_start_is_told_of(machine, sinit):
    """Also what the kernel took before sinit: that is when sinit began, since the boot."""
    sinit.until_state(state="running", ready=True)
    data = json.loads(sinit.ctl("blame", "--json"))
    assert data["mode"] == "boot" and data["finished"]
    assert {service["name"] for service in data["services"]} == {"agent", "web", "eater"}
    assert 0 < data["own_us"] < data["took_us"]
    uptime = float(machine.read("/proc/uptime").split()[0])
    assert 0 < data["kernel_us"] + data["took_us"] <= (uptime + 0.01) * 1000000
    assert "kernel" in sinit.ctl("blame").splitlines()[-1]


def test_a_service_that_dies_is_started_again(machine, sinit):
    pid = sinit.until_state("web", state="running")["pid"]
    machine.check(f"kill -KILL {pid}")
    assert sinit.until_state("web", state="running", restarts=1)["pid"] != pid


def test_the_agent_is_a_service_like_any_other(machine, sinit):
    pid = sinit.status("agent")["pid"]
    # Its end is the end of this request, too: of what is left of it, with the rest of its slice.
    machine.line.sendall(b"run 0 1000 16 0\nkill -KILL $PPID")
    machine.hello()
    assert until(lambda: sinit.status("agent")["pid"] not in (None, pid), "another agent")


def test_the_machine_s_root_is_its_own(machine, sinit):
    """It goes to the leaf, the kernel's threads are where they have to be, services are in their
    slices below the root, with all controllers."""
    root = "/sys/fs/cgroup"
    machine.until("grep -x 0::/init /proc/1/cgroup")
    assert {"cpu", "cpuset", "io", "memory", "pids"} <= set(
        machine.read(f"{root}/cgroup.subtree_control").split())
    pid = sinit.until_state("web", state="running")["pid"]
    assert machine.read(f"/proc/{pid}/cgroup") == "0::/web.service\n"
    assert machine.read(f"{root}/web.service/memory.max") == f"{32 << 20}\n"
    assert machine.read(f"{root}/web.service/cpu.max") == "50000 100000\n"
    assert machine.read("/proc/self/cgroup") == "0::/agent.service\n"
    assert "warning" not in machine.check("dmesg | grep sinit || true")


def test_a_kill_for_memory_is_told(machine, sinit):
    machine.check("touch /tmp/go")
    service = sinit.until_state("eater", state="failed")
    assert service["cause"] == "oom" and "32M in use at memory_max 32M" in service["reason"]
