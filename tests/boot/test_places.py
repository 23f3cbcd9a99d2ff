"""Where sinit finds itself, and what it makes of it: each situation of cell.c with a service
that has limits."""

import pytest

LIMITS = {"memory_max": "32M", "cpu_max": "50%"}
ALL = {"cpu", "cpuset", "io", "memory", "pids"}


def place(sinit, **situation):
    """Started with two services, one with limits."""
    sinit.service("limited", **LIMITS)
    sinit.service("free")
    return sinit.up(**situation)


def procs(sinit, directory):
    return sinit.guest.read(f"{directory}/cgroup.procs").split()


def limits(sinit):
    return sinit.file("limited", "memory.max"), sinit.file("limited", "cpu.max")


def assert_slices(sinit):
    """sinit is in its leaf, each service in its slice with its limits, and nobody else where
    controllers are given away."""
    assert procs(sinit, sinit.own) == []
    assert str(sinit.pid) in procs(sinit, f"{sinit.own}/init")
    assert len(procs(sinit, sinit.slice("limited"))) == 1
    assert len(procs(sinit, sinit.slice("free"))) == 1
    assert limits(sinit) == (str(32 << 20), "50000 100000")
    assert sinit.file("free", "memory.max") == "max"
    assert sinit.warnings() == []


def assert_none(sinit, reason):
    """No slices, and one line that says why; it runs all the same, and also after a restart."""
    assert not sinit.exists(f"{sinit.slice('limited')}/cgroup.procs")
    sinit.ctl("restart", "limited")
    sinit.until_state("limited", state="running", life=2)
    lines = sinit.warnings()
    assert len(lines) == 1 and reason in lines[0], lines
    return lines[0]


# --- where there are slices

def test_private_cgroup_namespace(sinit):
    place(sinit)
    assert_slices(sinit)
    assert set(sinit.guest.read(f"{sinit.own}/cgroup.subtree_control").split()) == ALL
    # None in a leaf: it has processes.
    assert sinit.guest.read(f"{sinit.own}/init/cgroup.subtree_control").strip() == ""
    assert sinit.file("limited", "cgroup.subtree_control") == ""


def test_container_without_a_cgroup_namespace(sinit):
    """Its path is a long one in the whole tree."""
    place(sinit, cgroupns=False, mount="rw")
    assert_slices(sinit)


def test_foreground_in_a_cgroup_of_its_own(sinit):
    place(sinit, pid=False, cgroupns=False, mount=None)
    assert_slices(sinit)


@pytest.mark.parametrize("pid", [False, True], ids=["foreground", "container"])
def test_delegated_to_an_ordinary_user(sinit, pid):
    place(sinit, user=1000, pid=pid, cgroupns=pid, mount="rw" if pid else None)
    assert_slices(sinit)
    assert sinit.file("limited", "../cgroup.procs") == ""


def test_hybrid(sinit):
    place(sinit, mount="hybrid")
    assert_slices(sinit)


def test_root_of_another(sinit):
    """cgroup_root names a directory elsewhere; sinit stays where it is."""
    root = f"{sinit.top}/elsewhere"
    sinit.guest.check(f"mkdir {sinit.top} && cd /sys/fs/cgroup && for d in . {sinit.top}; do "
                      "echo '+cpu +memory' >$d/cgroup.subtree_control; done")
    sinit.settings(cgroup_root=root)
    place(sinit, cgroup=False, mount=None)
    assert sinit.guest.read(f"{root}/limited.service/memory.max") == f"{32 << 20}\n"
    assert sinit.guest.read(f"{root}/limited.service/cpu.max") == "50000 100000\n"
    assert len(procs(sinit, f"{root}/limited.service")) == 1
    assert sinit.guest.read(f"/proc/{sinit.pid}/cgroup") == "0::/\n"
    assert sinit.warnings() == []


def test_two_do_not_share_one(sinit, second):
    """The second finds the directory taken, and says so."""
    root = f"{sinit.top}/elsewhere"
    sinit.guest.check(f"mkdir {sinit.top}")
    for one in (sinit, second):
        one.settings(cgroup_root=root)
        one.service("limited", **LIMITS)
    sinit.up(cgroup=False, mount=None)
    second.up(cgroup=False, mount=None)
    assert f"another sinit has {root}" in second.log()
    assert len(procs(sinit, f"{root}/limited.service")) == 1


# --- neighbours: P87

def test_P87_neighbours_are_moved_to_the_leaf(sinit):
    place(sinit, neighbour=True)
    assert_slices(sinit)
    assert len(procs(sinit, f"{sinit.own}/init")) == 2


def test_P87_neighbours_of_an_ordinary_user(sinit):
    place(sinit, neighbour=True, user=1000, pid=False, cgroupns=False, mount=None)
    assert_slices(sinit)
    assert len(procs(sinit, f"{sinit.own}/init")) == 2


def test_P87_neighbours_that_are_not_ours(sinit):
    """Root in the foreground, started from a shell: whoever else is in the shell's cgroup is left
    alone. EBUSY is the kernel's answer then, and each limit that cannot be had is named."""
    place(sinit, neighbour=True, pid=False, cgroupns=False, mount=None)
    assert len(procs(sinit, sinit.own)) == 1
    assert procs(sinit, f"{sinit.own}/init") == [str(sinit.pid)]
    lines = sinit.warnings()
    assert len(lines) == 2 and all("busy" in line for line in lines)
    assert "memory_max has no effect" in lines[0] and "cpu_max has no effect" in lines[1]
    # The slices are there: what needs no controller works.
    assert len(procs(sinit, sinit.slice("limited"))) == 1
    sinit.ctl("stop", "limited")
    sinit.until_no_slice("limited")


def test_P87_a_neighbour_from_outside_cannot_be_moved(sinit):
    """In another PID namespace it shows as 0. sinit runs, and says what cannot be."""
    sinit.guest.check(f"(cell --cgroup {sinit.cgroup} --controllers 'cpu memory' -- sleep 100000) "
                      "</dev/null >/dev/null 2>&1 &")
    sinit.guest.until(f"grep . {sinit.own}/cgroup.procs")
    place(sinit)
    assert len(procs(sinit, sinit.own)) == 1
    lines = sinit.warnings()
    assert len(lines) == 2 and all("busy" in line for line in lines)
    assert "memory_max" in lines[0] and "cpu_max" in lines[1]


# --- what the parent does not offer: P89

def test_P89_controllers_that_the_parent_does_not_offer(sinit):
    place(sinit, controllers="pids memory")
    assert sinit.file("limited", "memory.max") == str(32 << 20)
    assert not sinit.exists(f"{sinit.slice('limited')}/cpu.max")
    assert sinit.file("limited", "cgroup.subtree_control") == ""
    lines = sinit.warnings()
    assert len(lines) == 1 and "limited: cpu_max has no effect" in lines[0]
    assert "cpu is not offered" in lines[0]
    sinit.ctl("restart", "limited")
    assert sinit.warnings() == lines, "once, not for each life"


def test_P89_no_controllers_at_all(sinit):
    place(sinit, controllers="")
    assert len(procs(sinit, sinit.slice("limited"))) == 1
    assert len(sinit.warnings()) == 2


# --- where there are none: P90

@pytest.mark.parametrize("mount, reason", [("ro", "read-only"), ("none", "not mounted"),
                                           ("v1", "only cgroup v1 is mounted")])
def test_P90_no_tree_that_can_be_written(sinit, mount, reason):
    place(sinit, mount=mount)
    line = assert_none(sinit, reason)
    if mount != "v1":
        assert "docker run --cgroupns=private -v /sys/fs/cgroup:/sys/fs/cgroup:rw" in line
        assert "Kubernetes" in line
    assert procs(sinit, sinit.own) != [], "it is where it was"


def test_what_is_mounted_shows_another_part_of_the_tree(sinit):
    """A cgroup namespace, and the mount of the one before."""
    place(sinit, mount=None)
    assert_none(sinit, "does not show sinit's own cgroup")


@pytest.mark.parametrize("pid", [False, True], ids=["foreground", "container"])
def test_the_root_of_the_machine_is_nobody_s_but_its_init_s(sinit, pid):
    place(sinit, cgroup=False, mount=None, pid=pid)
    assert_none(sinit, "root cgroup of the machine")
    assert sinit.guest.read("/proc/self/cgroup") == "0::/\n", "the agent was not moved"


def test_without_limits_nobody_is_warned(sinit):
    sinit.service("free")
    sinit.up(mount="ro")
    assert sinit.warnings() == []


def test_off(sinit):
    sinit.settings(cgroups="off")
    place(sinit)
    assert not sinit.exists(f"{sinit.own}/init")
    assert sinit.warnings() == []


@pytest.mark.parametrize("situation, reason", [
    ({"mount": "ro"}, "read-only"), ({"mount": "none"}, "not mounted"), ({"mount": "v1"}, "v1"),
    ({"controllers": "memory"}, "cpu_max cannot be set"),
    ({"cgroup": False, "mount": None}, "root cgroup of the machine")],
    ids=["ro", "none", "v1", "controller", "root"])
def test_required(sinit, situation, reason):
    sinit.settings(cgroups="required")
    sinit.service("limited", **LIMITS)
    sinit.start(**situation)
    assert sinit.wait() == 78
    assert "cgroups = required" in sinit.log() and reason in sinit.log()


def test_required_and_there(sinit):
    sinit.settings(cgroups="required")
    place(sinit)
    assert_slices(sinit)


# --- the end

def test_nothing_is_left_of_the_slices(sinit):
    place(sinit)
    assert sinit.stop() == 0
    assert sinit.guest.check(f"find {sinit.own} -name '*.service'") == ""


def test_the_cgroup_is_given_back(sinit):
    """Without controllers for others and without a leaf: somebody else can be started in it."""
    place(sinit, pid=False, cgroupns=False, mount=None)
    assert sinit.stop() == 0
    assert sinit.guest.read(f"{sinit.own}/cgroup.subtree_control").strip() == ""
    assert not sinit.exists(f"{sinit.own}/init")
    sinit.guest.check(f"sh -c 'echo 0 >{sinit.own}/cgroup.procs'")
