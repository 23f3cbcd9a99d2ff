"""Where others meddle: services that make cgroups of their own, what somebody does to a slice,
what was there before sinit."""

import pytest
from sinit_lab import until


def processes(sinit, name):
    return sinit.guest.run(f"cat {sinit.slice(name)}/cgroup.procs 2>/dev/null").output.split()


def cgroup(sinit, pid):
    return sinit.guest.read(f"/proc/{pid}/cgroup").strip()


def assert_quiet(sinit):
    """It makes no more processes than its checks need: a few a second, and not hundreds."""
    last = "cut -d ' ' -f 5 /proc/loadavg"
    before, after = sinit.guest.check(f"{last}; sleep 1; {last}").split()
    assert int(after) - int(before) < 60


# --- services that make cgroups of their own, with controllers

def delegating(sinit, name, script, **keys):
    """A service that does this in its slice and notes that it is done."""
    path = f"{sinit.home}/{name}.sh"
    sinit.guest.write(path, f"cd /sys/fs/cgroup/{name}.service\n{script}\n"
                            f"echo ready >>{sinit.home}/{name}.lives\nexec sleep 100000\n")
    sinit.service(name, f"sh -e {path}", **keys)


def lives(sinit, name, count):
    sinit.guest.until(f"[ $(cat {sinit.home}/{name}.lives 2>/dev/null | wc -l) = {count} ]",
                      what=f"{count} lives of {name}")


# A check that is at it just then is in the way.
CONTROLLED = """mkdir a
echo 0 >a/cgroup.procs
until echo +memory +pids >cgroup.subtree_control; do usleep 1000; done"""


def test_a_check_of_a_service_that_delegates(sinit):
    """Nobody can be born in its slice any more: the check is in a leaf below it."""
    where = f"{sinit.home}/where"
    delegating(sinit, "d", CONTROLLED)
    sinit.add("probe", "liveness d", check=f"exec:sh -c 'cat /proc/self/cgroup >{where}'",
              interval="500ms", failures="1000")  # a slow machine may time out
    sinit.start()
    lives(sinit, "d", 1)
    sinit.guest.until(f"grep '^0::/d.service/sinit$' {where} 2>/dev/null")
    service = sinit.until_state("d", liveness="passing")
    assert (service["restarts"], service["life"]) == (0, 1)
    assert_quiet(sinit)
    sinit.ctl("stop", "d")
    sinit.until_no_slice("d")


@pytest.mark.parametrize("name, depth, controllers", [
    ("a", 1, "+memory +pids"), ("a", 1, "+pids"), (".x", 1, "+memory"), (".x", 12, "+pids"),
    ("a", 12, "+memory +cpu")])
def test_one_that_delegates_is_restarted_at_once(sinit, name, depth, controllers):
    """Nothing of the life before meets the next one: its script ends where something does. Without
    memory the kernel would let it be born beside cgroups with controllers, in a slice of threads
    only."""
    each = " ".join(map(str, range(depth)))
    delegating(sinit, "d", f"for i in {each}; do mkdir {name}; cd {name}; done\n"
               "echo 0 >cgroup.procs\ncd /sys/fs/cgroup/d.service\n"
               f"for i in {each}; do echo {controllers} >cgroup.subtree_control; cd {name}; done")
    sinit.up()
    lives(sinit, "d", 1)
    sinit.ctl("restart", "d")
    lives(sinit, "d", 2)
    service = sinit.status("d")
    assert (service["state"], service["life"], service["restarts"]) == ("running", 2, 0)
    assert sinit.events("d", "backoff") == []
    sinit.ctl("stop", "d")
    sinit.until_no_slice("d")


# --- limits

def test_a_check_that_there_is_no_room_for_has_failed(sinit):
    """Where a service has as many processes as it may have, as a bomb has, it cannot be asked."""
    sinit.service("full", pids_max="20")
    sinit.add("probe", "liveness full", check="exec:/bin/true", interval="1s", failures="2")
    sinit.up()
    sinit.until_state("full", liveness="passing")
    sinit.guest.check(f"echo 1 >{sinit.slice('full')}/pids.max")
    until(lambda: any("could not be run" in event["message"]
                      for event in sinit.events("full", "unhealthy")), "it has failed so")
    sinit.until_state("full", restarts=lambda n: n >= 1)


def test_limits_of_an_earlier_life_do_not_stay(sinit):
    """Its slice does, for the sake of those who are left alone in it."""
    command = "sh -c 'sleep 100001 & exec sleep 100000'"
    sinit.service("k", command, kill_mode="process", memory_max="20M", pids_max="7",
                  cpuset_cpus="1", cpu_max="50%")
    sinit.up()
    sinit.ctl("stop", "k")
    assert len(processes(sinit, "k")) == 1
    assert sinit.file("k", "pids.max") == "7"
    sinit.service("k", command, kill_mode="process", cpu_max="60%")
    sinit.configure()
    sinit.ctl("reload")
    sinit.ctl("start", "k")
    files = ("memory.max", "pids.max", "cpu.max", "cpuset.cpus.effective")
    assert [sinit.file("k", file) for file in files] == ["max", "max", "60000 100000", "0-1"]


def test_a_reload_gives_all_cpus_back(sinit):
    sinit.service("spin", "spin", cpuset_cpus="1")
    pid = sinit.up().status("spin")["pid"]
    assert sinit.file("spin", "cpuset.cpus.effective") == "1"
    sinit.service("spin", "spin")
    sinit.configure()
    sinit.ctl("reload")
    until(lambda: sinit.file("spin", "cpuset.cpus.effective") == "0-1", "all CPUs")
    assert sinit.status("spin")["pid"] == pid
    assert sinit.warnings() == []


# --- where sinit finds itself

@pytest.mark.parametrize("root", ["{top}//own//tree", "{own}/tree/", "{home}/link"])
def test_ways_to_write_a_root(sinit, root):
    """Below sinit's own cgroup, which has to give its controllers for it."""
    sinit.guest.check(f"mkdir -p {sinit.own}/tree; ln -s {sinit.own}/tree {sinit.home}/link")
    sinit.settings(cgroup_root=root.format(**vars(sinit)))
    sinit.service("limited", memory_max="32M")
    sinit.up(pid=False, cgroupns=False, mount=None)
    assert sinit.guest.read(f"{sinit.own}/tree/limited.service/memory.max") == f"{32 << 20}\n"
    assert sinit.warnings() == []


def test_a_root_in_which_others_are(sinit):
    """It is not made a threaded one, for which the kernel would offer some controllers."""
    busy = f"{sinit.top}/busy"
    sinit.guest.check(f"(cell --cgroup {busy[15:]} --controllers 'cpu memory pids cpuset' "
                      "-- sleep 100000) </dev/null >/dev/null 2>&1 &")
    sinit.guest.until(f"grep . {busy}/cgroup.procs")
    sinit.settings(cgroup_root=busy)
    sinit.service("limited", memory_max="32M")
    sinit.service("free")
    sinit.up(cgroup=False, mount=None, pid=False)
    assert sinit.guest.read(f"{busy}/cgroup.type") == "domain\n"
    assert sinit.guest.read(f"{busy}/cgroup.subtree_control").strip() == ""
    for name in ("limited", "free"):
        assert len(sinit.guest.read(f"{busy}/{name}.service/cgroup.procs").split()) == 1
    line, = sinit.warnings()
    assert "memory_max has no effect" in line and "busy" in line and "not sinit's" in line


# A shell that starts sinit, twice, and who else is there; they leave their numbers.
SHELL = """cd HOME
sleep 100000 &
echo $$ $! >others
"$@" &
echo $! >first
until [ -e again ]; do usleep 20000; done
"$@" &
echo $! >second
wait
wait
"""


def test_an_ordinary_user_starts_it_again(sinit):
    """From a shell in a cgroup that is the user's, which goes to the leaf with it: else there could
    be no controllers. After a KILL the second finds what the first has left, and is where the
    first was, though the shell that starts it is in the leaf now."""
    sinit.guest.write(f"{sinit.home}/shell", SHELL.replace("HOME", sinit.home))
    sinit.service("deaf", "sh -c \"trap '' TERM; sleep 100001 & sleep 100002 & wait\"",
                  stop_timeout="1s")
    sinit.up(through=["sh", f"{sinit.home}/shell"], user=1000, pid=False, cgroupns=False,
             mount=None)
    own = sinit.own.removeprefix("/sys/fs/cgroup")
    shell, other = sinit.guest.read(f"{sinit.home}/others").split()
    first = sinit.guest.read(f"{sinit.home}/first").strip()
    at = cgroup(sinit, first)
    left = processes(sinit, "deaf")
    assert len(left) == 3 and at == f"0::{own}/init"
    assert cgroup(sinit, shell) == cgroup(sinit, other) == at
    sinit.guest.check(f"kill -KILL {first}; touch {sinit.home}/again")
    second = sinit.guest.until(f"grep . {sinit.home}/second 2>/dev/null").strip()
    until(lambda: len(pids := processes(sinit, "deaf")) == 3 and not {*pids} & {*left},
          "another life in the same slice")
    assert "an earlier sinit has left" in sinit.log()
    assert cgroup(sinit, second) == at
    assert cgroup(sinit, shell) == cgroup(sinit, other) == at
    assert sinit.guest.check(f"find {sinit.own} -path '*init/init*'") == ""
