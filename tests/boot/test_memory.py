"""Kills for memory and warnings before them, where they are hard to get right."""

import pytest
from sinit_lab import keyed, until

MIB = 1 << 20
AGAIN = {"restart": "always", "restart_delay": "10ms", "max_backoff": "20ms",
         "max_restarts": "unlimited"}


def kills(sinit, name):
    """As the kernel counts them."""
    return keyed(sinit.file(name, "memory.events"))["oom_kill"]


def reconfigure(sinit):
    sinit.configure()
    sinit.ctl("reload")


# --- whom a kill is for

@pytest.mark.parametrize("pid", [True, False], ids=["container", "foreground"])
def test_a_kill_for_memory_is_never_for_sinit(sinit, pid):
    """Neither at birth, where a child's memory would be sinit's own, nor by a check at the limit:
    both belong to the slice, and are what the kernel finds in it."""
    sinit.service("tiny", memory_max="64K", **AGAIN)
    sinit.service("grows", "eat --every 2 --pause 64", memory_max="16M", **AGAIN)
    sinit.add("probe", "liveness grows", check="exec:/bin/true", interval="50ms", failures="1000")
    sinit.service("other")
    sinit.start(pid=pid, cgroupns=pid, mount="rw" if pid else None)
    for name in ("tiny", "grows"):
        sinit.until_state(name, restarts=lambda n: n >= 8)
        assert sinit.events(name, "oom")
    other = sinit.status("other")
    assert (other["state"], other["life"]) == ("running", 1)
    assert not sinit.gone()
    assert sinit.stop() == 0


def test_a_hundred_kills_are_a_hundred(sinit):
    """One process each, as fast as they come, and beside them some of all of a slice: none is
    missed, none is taken for the machine's."""
    sinit.service("eats", "sh -c 'for i in $(seq 100); do eat --score 500 64; done; "
                          f"touch {sinit.home}/done; exec sleep 100000'",
                  memory_max="4M", oom_policy="ignore")
    sinit.service("all", "eat --child 64", memory_max="4M", **AGAIN)
    sinit.up()
    sinit.until_state("all", restarts=lambda n: n >= 20)
    sinit.guest.until(f"test -e {sinit.home}/done")
    assert kills(sinit, "eats") >= 100
    until(lambda: sinit.status("eats")["oom_kills"] == kills(sinit, "eats"), "all are counted")
    told = {event["message"] for event in sinit.events(None, "oom")}
    assert told and all("at memory_max 4M" in text for text in told), told


def test_a_kill_in_a_cgroup_of_its_own_making(sinit):
    """With a limit that the service has set there: it is the service's affair."""
    slice_ = "/sys/fs/cgroup/makes.service"
    sinit.guest.write(f"{sinit.home}/makes", f"""cd {slice_}
        mkdir a b
        echo 0 >a/cgroup.procs
        echo +memory >cgroup.subtree_control
        echo 4M >b/memory.max
        for i in 1 2 3; do (echo 0 >b/cgroup.procs; exec eat 64); sleep 0.4; done
        touch {sinit.home}/done
        exec sleep 100000""")
    sinit.service("makes", f"sh {sinit.home}/makes", memory_max="100M", restart_delay="100ms")
    sinit.start()
    until(lambda: sinit.exists(f"{sinit.home}/done") or sinit.status("makes").get("restarts"),
          "it has lived through it")
    until(lambda: sinit.status("makes")["oom_kills"] == 3, "three are counted")
    service = sinit.status("makes")
    assert (service["state"], service["restarts"], service["life"]) == ("running", 0, 1)
    assert not any("memory_max" in event["message"] for event in sinit.events("makes", "oom"))


def test_policy_stop_and_a_hook_that_is_killed(sinit):
    sinit.service("pre", pre_start="eat 64", memory_max="16M", oom_policy="stop",
                  restart_delay="100ms")
    sinit.start()
    service = sinit.until_state("pre", state=("failed", "backoff", "fatal"))
    assert (service["state"], service["restarts"]) == ("failed", 0)
    assert "memory" in service["reason"], service["reason"]


# --- where the kernel cannot tell

def test_without_watches(sinit):
    """No trip wire is set that nobody would take away, and kills are found when somebody asks."""
    limit = "/proc/sys/fs/inotify/max_user_watches"
    before = sinit.guest.read(limit).strip()
    sinit.guest.check(f"echo 0 >{limit}")
    try:
        sinit.service("warns", "eat --pause 24", memory_max="32M", memory_warn="50%")
        sinit.service("eater", "eat --child --pause --score 500 64", memory_max="16M",
                      oom_policy="ignore")
        sinit.up()
        sinit.guest.until(f"grep '^oom_kill 1$' {sinit.slice('eater')}/memory.events")
        assert sinit.file("warns", "memory.high") == "max"
        until(lambda: sinit.ctl("top", "-n", "1") and sinit.status("eater")["oom_kills"] == 1,
              "the kill is known")
        sinit.guest.until(f"[ $(cat {sinit.slice('warns')}/memory.current) -gt {24 * MIB} ]")
    finally:
        sinit.guest.check(f"echo {before} >{limit}")


# --- memory_warn

def test_the_warning_survives_a_reload(sinit):
    """Of memory_high, which is the same file; and one of another key does not raise it again."""
    limits = {"memory_warn": "20M", "memory_max": "64M"}
    command = f"eat --when {sinit.home}/go --pause 30"
    sinit.service("w", command, memory_high="40M", **limits)
    sinit.up()
    sinit.service("w", command, memory_high="50M", **limits)
    reconfigure(sinit)
    # The limits are written by a child.
    sinit.guest.until(f"[ $(cat /proc/{sinit.pid}/task/*/children | wc -w) = 1 ]")
    sinit.guest.check(f"touch {sinit.home}/go")
    sinit.until_event("w", "memory")
    sinit.guest.until(f"[ $(cat {sinit.slice('w')}/memory.current) -gt {30 * MIB} ]")
    for number in range(3):
        sinit.service("w", command, memory_high="50M", description=f"number {number}", **limits)
        reconfigure(sinit)
    # What comes after three reloads has been seen when something else that comes later has.
    sinit.service("marker", "eat --pause 30", **limits)
    reconfigure(sinit)
    sinit.until_event("marker", "memory")
    assert len(sinit.events("w", "memory")) == 1


def times(sinit):
    """sinit's own, and that of the children it has waited for, in ticks (proc_pid_stat(5))."""
    fields = sinit.guest.read(f"/proc/{sinit.pid}/stat").rpartition(") ")[2].split()
    own, children = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return own, children


def test_sinit_does_not_reclaim(sinit):
    """A reload lowers memory_high below what its service has in use, 300 MB of cache: to drop it
    is for a child."""
    command = f"sh -c 'exec 3</dev/nullb0; dd bs=1M count=300 <&3 >/dev/null; " \
              f"touch {sinit.home}/full; exec sleep 100000'"
    limits = {"memory_max": "400M"}
    sinit.service("w", command, memory_warn="380M", **limits)
    sinit.up()
    sinit.guest.until(f"test -e {sinit.home}/full")
    assert int(sinit.file("w", "memory.current")) > 300 * MIB
    before = times(sinit)
    sinit.service("w", command, memory_high="8M", memory_warn="6M", **limits)
    reconfigure(sinit)
    until(lambda: int(sinit.file("w", "memory.current")) < 10 * MIB, "it is dropped")
    sinit.guest.until(f"[ $(cat /proc/{sinit.pid}/task/*/children | wc -w) = 1 ]")
    own, children = (b - a for a, b in zip(before, times(sinit)))
    assert own < children, (own, children)


def test_a_warning_comes_also_where_cache_has_filled_the_slice(sinit):
    """Cache is dropped before anybody is killed, so it is no reason for one; what comes after
    it is."""
    sinit.service("w", f"sh -c 'exec 3</dev/nullb0; dd bs=1M count=150 <&3 >/dev/null; "
                       f"touch {sinit.home}/full; exec eat --when {sinit.home}/go --every 20 100'",
                  memory_max="64M", memory_warn="50%", restart="never")
    sinit.up()
    sinit.guest.until(f"test -e {sinit.home}/full")
    assert sinit.events("w", "memory") == []
    sinit.guest.check(f"touch {sinit.home}/go")
    sinit.until_state("w", state="failed", cause="oom")
    kinds = [event["event"] for event in sinit.events("w", "memory", "oom")]
    assert kinds[0] == "memory" and kinds.count("memory") == 1, kinds
