"""The laboratory itself: that a guest, a cell and each program are what other tests take them
for. No sinit is in it."""

import pytest
from sinit_lab import keyed

CGROUP = "/sys/fs/cgroup"
EVERY = {"cpu", "cpuset", "io", "memory", "pids"}


@pytest.fixture
def cell(guest, request):
    """cell(OPTIONS, SHELL TEXT) gives the result of the text in that cell; the cgroup's name
    is in cell.name. Afterwards its cgroup is emptied and removed."""
    name = request.node.name.replace("[", "-").replace("]", "")

    def run(options, text, **more):
        guest.write(f"/tmp/{name}.sh", text)
        return guest.run(f"cell {options} -- sh /tmp/{name}.sh", **more)

    run.name = name
    run.path = f"{CGROUP}/{name}"
    yield run
    guest.check(f"""[ -d {run.path} ] || exit 0
        echo 1 >{run.path}/cgroup.kill
        until ! grep -q 'populated 1' {run.path}/cgroup.events; do usleep 20000; done
        find {run.path} -depth -type d -exec rmdir {{}} +""")


def mounted(text):
    """{mount point: type} of a mountinfo."""
    lines = [line.split() for line in text.splitlines()]
    return {words[4]: words[words.index("-") + 1] for words in lines if "-" in words}


# --- the guest and the line to it

def test_the_root_of_the_guest_has_all_controllers(guest):
    assert guest.read("/proc/self/cgroup") == "0::/\n"
    assert EVERY <= set(guest.read(f"{CGROUP}/cgroup.controllers").split())
    assert mounted(guest.read("/proc/self/mountinfo"))[CGROUP] == "cgroup2"
    assert guest.read("/proc/pressure/memory").startswith("some ")
    assert guest.check("nproc") == "2\n"
    assert guest.check("test -b /dev/nullb0 && cat /proc/1/comm") == "init\n"


def test_the_line_carries_anything(guest):
    text = "".join(map(chr, range(1, 256))) + "\n1 0 5\nhello\nrun 7 1 1 1\n"
    guest.write("/tmp/anything", text)
    assert guest.read("/tmp/anything") == text
    assert guest.run("printf '3 0 5\\n'; echo bad >&2; exit 42") == (42, "3 0 5\nbad\n")
    assert guest.run("kill -KILL $$").status == 137


def test_what_is_not_done_in_time_is_killed(guest):
    done = guest.run("echo first; sleep 10000; echo second", timeout=3)
    assert done == (124, "first\n")
    guest.until("! pidof sleep")


def test_what_runs_in_the_background_stays(guest):
    guest.check("sleep 10001 & echo $! >/tmp/background")
    guest.check("kill -KILL $(cat /tmp/background)")


# --- cells

def test_cell_in_a_cgroup(cell):
    done = cell(f"--cgroup {cell.name}/own --controllers 'pids memory'",
                f"cd {cell.path}/own; cat /proc/self/cgroup cgroup.controllers cgroup.procs")
    where, controllers, *pids = done.output.splitlines()
    assert where == f"0::/{cell.name}/own"
    assert controllers == "memory pids", "no others: not those that another cell has asked for"
    assert 1 <= len(pids) <= 2 and "0" not in pids, "the cell itself is not in it"


def test_cell_with_a_private_cgroup_namespace(guest, cell):
    done = cell(f"--cgroup {cell.name}/own --controllers pids --cgroupns --mount rw --pid",
                f"echo $$; cat /proc/self/cgroup {CGROUP}/cgroup.controllers; "
                f"ls {CGROUP} | grep -c '^cgroup.procs$'; cat /proc/self/mountinfo")
    pid, where, controllers, procs, *mounts = done.output.splitlines()
    assert (pid, where, controllers, procs) == ("1", "0::/", "pids", "1")
    # proc_pid_mountinfo(5): the fourth field is the root within the file system.
    roots = [line.split()[3] for line in mounts if f" {CGROUP} " in line]
    assert roots == ["/"] and mounted("\n".join(mounts))[CGROUP] == "cgroup2"


def test_cell_gives_no_memory_before_its_processes_have_left(guest, cell):
    """Unlike the root of the machine; pids alone, a threaded controller, would be given."""
    options = f"--cgroup {cell.name}/own --controllers memory --cgroupns --mount rw --pid"
    done = cell(options, f"echo +memory >{CGROUP}/cgroup.subtree_control")
    assert done.status != 0 and "busy" in done.output
    done = cell(options, f"mkdir -p {CGROUP}/init && echo $$ >{CGROUP}/init/cgroup.procs && "
                         f"echo +memory >{CGROUP}/cgroup.subtree_control && cat /proc/self/cgroup")
    assert done == (0, "0::/init\n")
    assert guest.read(f"{cell.path}/own/cgroup.subtree_control") == "memory\n"


@pytest.mark.parametrize("what", ["ro", "none", "v1", "hybrid"])
def test_cell_with_another_mount(cell, what):
    done = cell(f"--cgroup {cell.name}/own --cgroupns --pid --mount {what}",
                f"mkdir {CGROUP}/new; cd /proc/self; cat cgroup mountinfo")
    mounts = {point: kind for point, kind in mounted(done.output).items()
              if point.startswith(CGROUP)}
    assert mounts == {
        "ro": {CGROUP: "cgroup2"},
        "none": {},
        "v1": {CGROUP: "tmpfs", f"{CGROUP}/systemd": "cgroup"},
        "hybrid": {CGROUP: "tmpfs", f"{CGROUP}/systemd": "cgroup", f"{CGROUP}/unified": "cgroup2"},
    }[what]
    assert "0::/\n" in done.output
    assert (":name=systemd:/\n" in done.output) == (what in ("v1", "hybrid"))
    if what == "ro":
        assert f"'{CGROUP}/new': Read-only file system" in done.output


def test_cell_of_an_ordinary_user(cell):
    done = cell(f"--cgroup {cell.name}/own --controllers 'memory pids' --user 1000",
                f"id -u; cd {cell.path}/own && mkdir init && echo $$ >init/cgroup.procs && "
                "echo +memory >cgroup.subtree_control && mkdir a && echo 1M >a/memory.max && "
                "cat a/memory.max; echo 1M >memory.max")
    user, limit, *last = done.output.splitlines()
    assert (user, limit) == ("1000", "1048576")
    assert done.status != 0 and "Permission denied" in last[0], "the limit of all is not its own"


def test_cell_with_a_neighbour(cell):
    done = cell(f"--cgroup {cell.name}/own --cgroupns --pid --mount rw --neighbour",
                f"for pid in $(cat {CGROUP}/cgroup.procs); do cat /proc/$pid/comm; done; "
                "cut -d ' ' -f 4 /proc/$(pidof neighbour)/stat")
    assert done.output.splitlines()[0] in ("sh", "neighbour")
    assert "neighbour" in done.output.splitlines(), "it can be seen, and so be moved"
    assert done.output.splitlines()[-1] == "0", "and is nobody's child"


def test_cell_passes_on_signals_and_status(guest, cell):
    assert cell("", "exit 42").status == 42
    guest.write("/tmp/trap.sh",
                "trap 'exit 7' TERM; echo ready >/tmp/trap; while :; do sleep 0.1; done")
    guest.check("(cell --pidfile /tmp/trap.pid -- sh /tmp/trap.sh; echo $? >/tmp/trap.code) &")
    guest.until("grep ready /tmp/trap")
    guest.check("kill -TERM $(cut -d ' ' -f 4 /proc/$(cat /tmp/trap.pid)/stat)")
    assert guest.until("grep . /tmp/trap.code 2>/dev/null") == "7\n"


# --- the programs

def test_eat_is_killed_at_the_limit(guest, cell):
    done = cell(f"--cgroup {cell.name}/own --controllers memory",
                f"echo 16M >{cell.path}/own/memory.max; exec eat 64")
    assert done.status == 137
    assert int(guest.read(f"{cell.path}/own/memory.peak")) == 16 << 20
    assert keyed(guest.read(f"{cell.path}/own/memory.events"))["oom_kill"] >= 1


def test_eat_stays_below_the_limit(cell):
    done = cell(f"--cgroup {cell.name}/own --controllers memory",
                f"echo 64M >{cell.path}/own/memory.max; exec eat --step 4 16")
    assert done == (0, "eat: 16 MB\n")


def test_eat_has_a_child_killed(cell):
    done = cell(f"--cgroup {cell.name}/own --controllers memory",
                f"echo 16M >{cell.path}/own/memory.max; exec eat --child 64")
    assert done == (0, "eat: child killed by 9\n")


def test_spin_is_slowed_down(guest, cell):
    done = cell(f"--cgroup {cell.name}/own --controllers cpu",
                f"echo '20000 100000' >{cell.path}/own/cpu.max; cat /proc/uptime; "
                "spin --seconds 0.2; cat /proc/uptime")
    first, said, last = done.output.splitlines()
    assert said == "spin: 1 x 0.2 s"
    assert float(last.split()[0]) - float(first.split()[0]) > 0.6, "it has 20 ms in each 100"
    assert keyed(guest.read(f"{cell.path}/own/cpu.stat"))["nr_throttled"] > 0


def test_bomb_counts_what_the_limit_lets_it_have(guest, cell):
    guest.write(f"/tmp/{cell.name}.sh", "exec bomb >/tmp/bomb")
    guest.check(f"mkdir {cell.path}; echo +pids >{CGROUP}/cgroup.subtree_control; "
                f"echo 10 >{cell.path}/pids.max; "
                f"(cell --cgroup {cell.name} -- sh /tmp/{cell.name}.sh) &")
    # 10 is the limit, one the bomb.
    assert guest.until("grep . /tmp/bomb 2>/dev/null") == "bomb: 9 children, then EAGAIN\n"
    assert guest.read(f"{cell.path}/pids.current") == "10\n"


def test_family_of_many_kinds(guest, cell):
    guest.check(f"cell --cgroup {cell.name} -- "
                "family --double --setsid --deaf --leave 24 >/tmp/family")
    assert guest.read("/tmp/family") == "family: 24 processes\n"
    pids = guest.read(f"{cell.path}/cgroup.procs").split()
    stats = [guest.read(f"/proc/{pid}/stat").rpartition(")")[2].split() for pid in pids]
    assert len(stats) == 24
    assert len({fields[3] for fields in stats}) == 24 // 3 + 1, "sessions"
    guest.check(f"for pid in {' '.join(pids)}; do kill -TERM $pid; done")
    guest.until(f"[ $(wc -l <{cell.path}/cgroup.procs) = 6 ]", what="6 are deaf")
    guest.check(f"echo 1 >{cell.path}/cgroup.kill")
    guest.until(f"grep 'populated 0' {cell.path}/cgroup.events")
