"""wait_for with devices of a real kernel, which tells of them by uevents; [net] where sinit is
the machine's first process."""

import pytest
from lab import AGENT
from sinit_lab import Watched, until

LINK = "/tmp/disk"  # leads to the device: no inotify of its directory tells of that
FILES = {
    "sinit.ini": "[sinit]\nstate_dir = /var/lib/sinit\n",
    "conf.d/agent.ini": AGENT,
    "conf.d/net.ini": "[net lo]\naddress = 10.9.8.7/32\n",
    "conf.d/web.ini": "[service web]\ncommand = httpd -f -p 10.9.8.7:80\nrestart = never\n"
                      "wait_for = lo /dev/nullb0\n",
    "conf.d/disk.ini": "[service disk]\ncommand = sleep 100000\nwait_for = /dev/nullb1\n",
}


def plug(guest, count=1):
    guest.check(f"insmod /modules/null_blk.ko nr_devices={count} gb=1")


def unplug(guest):
    guest.check("rmmod null_blk")


def helper(guest):
    """The guest's number of the devices helper."""
    return int(guest.until("grep -l '^sinit: devices' /proc/[0-9]*/cmdline 2>/dev/null | "
                           "cut -d / -f 3 | head -n 1 | grep ."))


@pytest.fixture
def bare(guest):
    """Without the disk that guests have."""
    unplug(guest)
    guest.check(f"ln -sf /dev/nullb0 {LINK}")
    yield guest
    if guest.run("test -e /dev/nullb0").status == 0:
        unplug(guest)
    plug(guest)


@pytest.mark.parametrize("path", ["/dev/nullb0", LINK], ids=["node", "link"])
def test_a_device_that_comes_later(bare, sinit, path):
    sinit.service("a", wait_for=path, restart_delay="10ms")
    sinit.service("b", requires="a")
    sinit.settings(log_level="debug")
    sinit.start()
    waiting = {"state": "waiting", "reason": f"waiting for {path}"}
    sinit.until_state("a", **waiting)
    plug(bare)
    sinit.until_state(state="running", ready=True)
    # It goes: the service stays, its next life waits, for as long as it takes.
    unplug(bare)
    until(lambda: f"{path} is gone" in sinit.log(), "sinit knows")
    assert sinit.status("a")["state"] == "running"
    sinit.ctl("signal", "a", "KILL")
    sinit.until_state("a", **waiting)
    plug(bare)
    sinit.until_state(state="running", ready=True)
    assert sinit.stop() == 0


def test_nobody_polls(bare, sinit):
    """Waiting costs no wake-up, neither of the helper's nor of sinit's."""
    sinit.service("a", wait_for="/dev/nullb0")
    sinit.start()
    sinit.until_state("a", state="waiting", reason="waiting for /dev/nullb0")
    pids = f"{sinit.pid} {helper(bare)}"
    count = f"for pid in {pids}; do grep ctxt_switches /proc/$pid/status; done"
    until(lambda: bare.check(f"{count} >/tmp/1; sleep 1; {count} >/tmp/2; cmp /tmp/1 /tmp/2 && echo "
                             "same || true").endswith("same\n"), "a second without a wake-up")
    plug(bare)
    sinit.until_state("a", ready=True)


def test_an_avalanche(bare, sinit):
    """More messages than the helper's queue holds, while it sleeps, none of them of interest:
    the one that is gets lost, but the loss is noticed, and everything looked at."""
    sinit.service("a", wait_for=LINK)
    sinit.start()
    sinit.until_state("a", state="waiting", reason=f"waiting for {LINK}")
    pid = helper(bare)
    bare.check(f"kill -STOP {pid}")
    bare.check("for i in $(seq 1500); do echo change >/sys/module/inet_diag/uevent; done")
    plug(bare)
    bare.check(f"kill -CONT {pid}")
    sinit.until_state("a", ready=True)


def test_first_process(machine):
    """The address is there before the server binds to it; a second disk is waited for."""
    sinit = Watched(machine, "/run/sinit")
    sinit.until_state("web", state="running")
    assert "10.9.8.7/32" in machine.check("ip addr show lo")
    assert machine.check("wget -q -O - http://10.9.8.7/etc/passwd | head -n 1").startswith("root")
    assert not sinit.events("web", "exit")
    sinit.until_state("disk", state="waiting", reason="waiting for /dev/nullb1")
    unplug(machine)
    plug(machine, 2)
    sinit.until_state("disk", state="running")
    assert sinit.status("web")["restarts"] == 0


def test_the_helper_follows_sinit_to_its_leaf(machine):
    """It is older than the move."""
    machine.until(f"grep -x 0::/init /proc/{helper(machine)}/cgroup")
