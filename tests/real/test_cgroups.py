"""Slices on this machine's own cgroup v2 tree, in a sub-tree that each test makes for itself.

Limits need controllers, which that tree may not have: those are proven in tests/boot. What
needs no controller is here: births, emptiness, kill, freeze, left-overs, and what sinit says
where there is no tree to use."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from harness import AS_ROOT, unless_gone
from services import (LIMIT, SINIT, die_with_parent, index, process_state, sinit, until,
                      whats)

__all__ = ["sinit"]


def unified():
    """Where cgroup v2 is mounted."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return Path(fields[4])
    return None


needs_tree = pytest.mark.skipif(not AS_ROOT or not unified(),
                                reason="needs root and a cgroup v2 mount for a sub-tree of its own")
count = iter(range(1000))


def busy(pid):
    """How long it has had a CPU, in seconds."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def assert_quiet(sinit):
    """It uses little of the time in which another process, this one, is busy; one that spins would
    have as much, but for a machine's way to share its CPUs."""
    before, end = busy(sinit.pid), time.process_time() + 0.8
    while time.process_time() < end:
        pass
    assert busy(sinit.pid) - before < 0.3


class Tree:
    def __init__(self, sinit):
        self.sinit = sinit
        self.root = unified() / f"sinit-test-{os.getpid()}-{next(count)}"

    def slice(self, name):
        return self.root / f"{name}.service"

    def pids(self, name):
        procs = self.slice(name) / "cgroup.procs"
        return [int(pid) for pid in unless_gone(procs.read_text, gone="").split()]

    def slices(self):
        """One goes just after its service is seen to be stopped."""
        self.sinit.finish_turn()
        return sorted(path.name for path in self.root.glob("*.service"))

    def end(self):
        """Nothing is left of it, whatever the test did."""
        if not self.root.exists():
            return
        (self.root / "cgroup.kill").write_text("1")
        until(lambda: "populated 0" in (self.root / "cgroup.events").read_text(), "the end of all")
        for path in sorted(self.root.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
        self.root.rmdir()


@pytest.fixture
def tree(sinit):
    made = Tree(sinit)
    sinit.settings(cgroups="auto", cgroup_root=made.root)
    try:
        yield made
    finally:
        sinit.end()
        made.end()


@needs_tree
def test_a_service_and_all_that_it_starts_are_in_its_slice(sinit, tree):
    sinit.service("a", sinit.fake("a", "--setsid-child"), pre_start="sh -c 'cat /proc/self/cgroup "
                  f">{sinit.directory}/pre'")
    sinit.service("b", sinit.fake("b"), oom_score_adj=10)  # born without shared memory
    sinit.up()
    sinit.until_lines("a.child", "start")
    assert len(tree.pids("a")) == 2 and len(tree.pids("b")) == 1
    assert sinit.directory.joinpath("pre").read_text().endswith("/a.service\n")
    assert Path(f"/proc/{sinit.pid}/cgroup").read_text() not in \
        [Path(f"/proc/{pid}/cgroup").read_text() for pid in tree.pids("a")]
    assert sinit.stop().code == 0
    assert not tree.root.exists(), "made by sinit, removed by it"


@needs_tree
@pytest.mark.parametrize("how", ["stop", "restart", "kill"])
def test_P31_a_session_of_its_own_does_not_escape(sinit, tree, how):
    sinit.service("web", sinit.fake("web", "--setsid-child --listen 5432 "
                                    f"--lock {sinit.directory}/lock"),
                  restart="always", restart_delay="0")
    sinit.up()
    sinit.until_lines("web", "start")  # its child's comes before
    if how == "kill":
        sinit.ctl("signal", "web", "KILL")
    else:
        sinit.ctl(how, "web")
    if how == "stop":
        assert tree.slices() == []
    else:
        sinit.until_lines("web", "start", 2)
        sinit.until_lines("web.child", "start", 2)
    assert not sinit.lines("web.child", "bind-failed") and not sinit.lines("web", "overlap")
    assert whats(sinit.lines("web.child"))[:3] == ["start", "TERM", "end"]


@needs_tree
def test_a_deaf_one_in_another_session_is_killed_by_the_slice(sinit, tree):
    sinit.service("a", "sh -c \"trap '' TERM; setsid sleep 100000 & "
                  "setsid sh -c 'sleep 100001 & sleep 100002' & wait\"", stop_timeout="300ms")
    sinit.up()
    until(lambda: len(tree.pids("a")) == 5, "all five")
    sinit.ctl("stop", "a")
    assert tree.slices() == []


@needs_tree
def test_slices_come_and_go_with_their_services(sinit, tree):
    sinit.service("once", "true", type="oneshot")
    sinit.service("a", sinit.fake("a"))
    sinit.service("off", sinit.fake("off"), enabled="no")
    sinit.service("bad", "/nonexistent", max_restarts=0)
    sinit.start()
    sinit.until_state("once", state="done")
    sinit.until_state("bad", state="fatal")
    sinit.until_state("a", state="running")
    assert tree.slices() == ["a.service"]
    sinit.ctl("stop", "a")
    assert tree.slices() == []
    sinit.ctl("start", "a")
    assert tree.slices() == ["a.service"]
    (sinit.config / "conf.d/a.ini").unlink()
    sinit.ctl("reload")
    until(lambda: not tree.slices(), "the slice of a removed service")


@needs_tree
def test_500_restarts_leave_nothing(sinit, tree):
    sinit.service("a", "sh -c 'sleep 0.001 & exit 1'", restart_delay="0", max_restarts="unlimited",
                  min_uptime="1h", backoff_multiplier=1)
    sinit.start()
    before = until(lambda: sinit.status("a").get("restarts", 0) > 20 and
                   len(os.listdir(f"/proc/{sinit.pid}/fd")), "a start")
    until(lambda: sinit.status("a")["restarts"] > 500, "500 restarts", 100)
    assert abs(len(os.listdir(f"/proc/{sinit.pid}/fd")) - before) <= 2
    sinit.ctl("stop", "a")
    assert tree.slices() == []
    stat = (tree.root / "cgroup.stat").read_text().split()
    assert int(stat[stat.index("nr_descendants") + 1]) == 0


def foreground(sinit):
    with sinit.log_file.open("ab") as log:
        sinit.process = subprocess.Popen([SINIT, "-c", sinit.config, "-r", sinit.run], stdout=log,
                                         stderr=log, stdin=subprocess.DEVNULL,
                                         preexec_fn=die_with_parent)
    return sinit.process


@needs_tree
def test_left_overs_of_an_earlier_sinit(sinit, tree):
    """In the foreground, where services outlive a sinit that is killed."""
    sinit.service("a", sinit.fake("a", "--setsid-child"))
    first = foreground(sinit)
    for name in ("a", "a.child"):
        sinit.until_lines(name, "start")
    first.kill()
    first.wait()
    left = tree.pids("a")
    assert len(left) == 2
    second = foreground(sinit)
    sinit.until_lines("a", "start", 2)
    lines = sinit.lines()
    assert index(lines, "a", "end") < index(lines, "a", "start", 1)
    assert "a: ending the processes that an earlier sinit has left in its cgroup" in sinit.log()
    assert not set(left) & set(tree.pids("a"))
    second.terminate()
    assert second.wait(LIMIT) == 0


@needs_tree
def test_left_overs_have_one_grace_all_together(sinit, tree):
    """Twelve that are deaf for TERM get it side by side. Those of a service that there is no more
    are told of, and left alone."""
    names = [f"deaf{number}" for number in range(12)]
    for name in names:
        sinit.service(name, sinit.fake(name, "--ignore-term"), stop_timeout="100ms")
    sinit.service("gone", sinit.fake("gone"))
    first = foreground(sinit)
    for name in (*names, "gone"):
        sinit.until_lines(name, "start")
    first.kill()
    first.wait()
    stranger, = tree.pids("gone")
    (sinit.config / "conf.d/gone.ini").unlink()
    second = foreground(sinit)
    for name in names:
        sinit.until_lines(name, "start", 2)
    times = [sinit.lines(name, "TERM")[0].time for name in names]
    assert max(times) - min(times) < 5000, "a grace is 1 s"
    told = [line for line in sinit.log().splitlines()
            if "gone.service has processes" in line and "warning" in line]
    assert len(told) == 1, sinit.log()
    assert tree.pids("gone") == [stranger] and process_state(stranger) == "S"
    assert not sinit.lines("gone", "TERM")
    second.terminate()
    assert second.wait(LIMIT) == 0


@needs_tree
def test_a_lock_of_another_user_takes_no_slices_away(sinit, tree):
    """Anybody who can read the directory can lock it, shared."""
    tree.root.mkdir()
    hold = ["sh", "-c", 'exec 9<"$1"; flock -s 9 && echo locked; exec sleep 100000', "sh"]
    with subprocess.Popen([*hold, tree.root], user=65534, stdout=subprocess.PIPE,
                          stdin=subprocess.DEVNULL, preexec_fn=die_with_parent) as other:
        try:
            assert other.stdout.readline() == b"locked\n"
            sinit.service("a", sinit.fake("a"))
            sinit.up()
            assert len(tree.pids("a")) == 1, sinit.log()
        finally:
            other.kill()


@needs_tree
def test_a_second_sinit_takes_no_slices_of_the_first(sinit, tree, tmp_path):
    sinit.service("a", sinit.fake("a"))
    sinit.up()
    done = subprocess.Popen([SINIT, "-c", sinit.config, "-r", tmp_path / "run2"],
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, preexec_fn=die_with_parent)
    try:
        until(lambda: len(sinit.lines("a", "start")) == 2, "the second sinit's service")
        assert len(tree.pids("a")) == 1
    finally:
        done.send_signal(signal.SIGTERM)
        said = done.communicate(timeout=LIMIT)[0].decode()
    assert "another sinit has" in said, said
    assert len(tree.pids("a")) == 1 and sinit.status("a")["restarts"] == 0


@needs_tree
def test_a_slice_that_somebody_removed(sinit, tree):
    """While its service was down for its back-off: the next start makes another."""
    sinit.service("a", "sh -c 'exit 1'", restart_delay="1h")
    sinit.start()
    sinit.until_state("a", state="backoff")
    tree.slice("a").rmdir()
    sinit.ctl("start", "--no-wait", "a")
    until(lambda: sinit.status("a")["last_exit"] and len(sinit.events("a", "start")) == 2,
          "another life")
    assert "cannot start" not in sinit.log()


@needs_tree
def test_restart_asked_for_from_inside_the_slice(sinit, tree):
    sinit.service("a", f"sh -c 'echo 0 a $$ start >>{sinit.file}; "
                  f"test -e {sinit.directory}/again || {{ touch {sinit.directory}/again; "
                  f"{SINIT.with_name('sinitctl')} -r {sinit.run} restart a; }}; exec sleep 1000'")
    sinit.start()
    sinit.until_lines("a", "start", 2)
    sinit.until_state("a", state="running", ready=True)
    assert len(sinit.lines("a", "start")) == 2
    assert len(tree.pids("a")) == 1


@needs_tree
def test_cgroups_inside_a_slice_are_removed_with_it(sinit, tree):
    sinit.service("a", f"sh -c 'mkdir -p {tree.slice('a')}/x/y; "
                  f"sh -c \"echo 0 >{tree.slice('a')}/x/y/cgroup.procs; sleep 100000\" & wait'")
    sinit.up()
    until(lambda: unless_gone((tree.slice("a") / "x/y/cgroup.procs").read_text),
          "a process in the inner cgroup")
    sinit.ctl("stop", "a")
    assert tree.slices() == []


@needs_tree
def test_kill_mode_process_leaves_the_slice_to_the_others(sinit, tree):
    sinit.service("a", sinit.fake("a", "--fork-child"), kill_mode="process")
    sinit.up()
    sinit.until_lines("a.child", "start")
    sinit.ctl("stop", "a")
    assert len(tree.pids("a")) == 1
    sinit.ctl("start", "a")
    sinit.until_lines("a.child", "start", 2)
    assert len(tree.pids("a")) == 3


@needs_tree
def test_cgroups_of_any_name_and_depth_are_removed(sinit, tree):
    """The next life meets none of them, and a stop leaves none."""
    deep = sinit.directory / "deep.sh"
    deep.write_text(f"""cd {tree.slice('a')}
        [ -e .x ] && echo 0 a 0 met >>{sinit.file}
        for i in 1 2 3 4 5 6 7 8 9 10 11 12; do mkdir .x; cd .x; done
        echo 0 >cgroup.procs
        echo 0 a 0 start >>{sinit.file}
        exec sleep 100000""")
    sinit.service("a", f"sh {deep}")
    sinit.up()
    sinit.until_lines("a", "start")
    sinit.ctl("restart", "a")
    sinit.until_lines("a", "start", 2)
    assert not sinit.lines("a", "met")
    sinit.ctl("stop", "a")
    assert tree.slices() == []


@needs_tree
def test_the_slice_of_a_running_service_is_removed(sinit, tree):
    """Its process had left it. Its check is judged all the same, and sinit does not spin."""
    away, gone = tree.root / "away", sinit.directory / "gone"
    sinit.service("a", f"sh -c 'mkdir {away}; echo 0 >{away}/cgroup.procs; rmdir {tree.slice('a')};"
                       f" touch {gone}; exec sleep 100000'")
    check = sinit.note("a", "check")
    (sinit.config / "conf.d/check.ini").write_text(
        f"[liveness a]\ncheck = exec:sh -c 'test ! -e {gone} || {check[7:-1]}'\ninterval = 200ms\n")
    sinit.start()
    until(gone.exists, "its process has left")
    until(lambda: sinit.lines("a", "check") or sinit.events("a", "unhealthy"), "a judgement")
    assert_quiet(sinit)


@needs_tree
def test_more_services_than_open_files(sinit, tree):
    """Those that no descriptor is left for run without a slice, and it is said why. One that has
    a slice is stopped with all that is in it."""
    sinit.service("a", "sh -c 'setsid sleep 100001 & exec sleep 100000'", priority=1)
    for number in range(60):
        sinit.service(f"s{number}", "sleep 100000")
    sinit.start(through=["sh", "-c", 'ulimit -n 64; exec "$@"', "sh"])
    services = sinit.until_state(state="running", limit=100)
    assert any("limit of open files" in line and "warning" in line
               for line in sinit.log().splitlines()), sinit.log()
    outside = [name for name in services if not tree.pids(name)]
    assert outside and len(outside) < 60
    left = until(lambda: len(pids := tree.pids("a")) == 2 and pids, "both processes")
    sinit.ctl("stop", "a", outside[0])
    assert tree.pids("a") == []
    until(lambda: not any(process_state(pid) for pid in left), "the end of both, and of their zombies")
    assert sinit.status(outside[0])["state"] == "stopped"


@needs_tree
def test_frozen_by_somebody_else(sinit, tree):
    """A restart gives a life that runs, and resume thaws it."""
    freeze = tree.slice("a") / "cgroup.freeze"
    sinit.service("a", sinit.fake("a"), start_timeout="2s")
    sinit.up()
    freeze.write_text("1")
    sinit.ctl("restart", "a")
    sinit.until_state("a", state="running", ready=True, life=2)
    sinit.until_lines("a", "start", 2)
    assert freeze.read_text() == "0\n"
    freeze.write_text("1")
    sinit.ctl("resume", "a")
    assert freeze.read_text() == "0\n"


@needs_tree
def test_a_paused_service_is_stopped_by_its_stop_command(sinit, tree):
    sinit.service("a", sinit.fake("a", "--ignore-term"), stop_timeout="50s",
                  stop_command=sinit.note("a", "stop-command", "kill -KILL $(head -n 1 "
                                          f"{sinit.file} | cut -d \" \" -f 3)"))
    sinit.up()
    sinit.ctl("pause", "a")
    sinit.ctl("stop", "a")
    assert len(sinit.lines("a", "stop-command")) == 1
    assert tree.slices() == []


@needs_tree
def test_who_needs_a_paused_service_waits_for_it(sinit, tree):
    sinit.service("db")
    sinit.service("app", requires="db", enabled="no")
    sinit.start()
    sinit.until_state("db", ready=True)
    sinit.ctl("pause", "db")
    sinit.ctl("start", "--no-wait", "app")
    assert sinit.until_state("app", state=("waiting", "running"))["state"] == "waiting"
    sinit.ctl("resume", "db")
    sinit.until_state("app", state="running")
    assert tree.pids("app")


@needs_tree
def test_a_kill_of_its_cgroup_is_not_for_ever(sinit, tree):
    """There are kernels that kill whoever is cloned into a cgroup to which cgroup.kill was ever
    written, by anybody."""
    sinit.service("a", sinit.fake("a"), restart="always", restart_delay="0")
    sinit.up()
    (tree.slice("a") / "cgroup.kill").write_text("1")
    sinit.until_lines("a", "start", 2)
    sinit.until_state("a", state="running", restarts=1)
    sinit.ctl("restart", "a")
    assert sinit.status("a")["restarts"] == 1


@needs_tree
def test_a_kill_of_sinit_s_own_cgroup_is_not_for_ever(sinit, tree):
    """They do so, too, if it was written to the cgroup of the parent."""
    own = tree.root.with_name(f"{tree.root.name}-own")
    own.mkdir()
    try:
        (own / "cgroup.kill").write_text("1")
        sinit.service("a", sinit.fake("a"), restart="never")
        sinit.start(through=["sh", "-c", f'echo 0 >{own}/cgroup.procs; exec "$@"', "sh"])
        sinit.until_lines("a", "start")
        sinit.until_state("a", state="running")
        assert sinit.stop().code == 0
    finally:
        sinit.end()
        until(lambda: "populated 0" in (own / "cgroup.events").read_text(), "its end")
        own.rmdir()


# --- where there is no tree

MOUNTS = {
    "read-only": "umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup && "
                 "mount -o remount,bind,ro /sys/fs/cgroup",
    "absent": "umount -l /sys/fs/cgroup; true",
    "not ours": "umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup",
}
SAYS = {"read-only": "is mounted read-only", "absent": "is not mounted",
        "not ours": "which is not its own"}


def inside(mounts):
    return ["sh", "-c", f'mount --make-rprivate /; {MOUNTS[mounts]}; exec "$@"', "sh"]


@pytest.mark.skipif(not AS_ROOT, reason="mounts")
@pytest.mark.parametrize("mounts", MOUNTS)
def test_P90_all_run_without_limits(sinit, mounts):
    """One warning for each start of sinit, not for each of a service."""
    sinit.settings(cgroups="auto")
    sinit.service("a", sinit.fake("a"), memory_max="32M", cpu_max="20%")
    sinit.service("b", "sh -c 'exit 1'", restart_delay="10ms", pids_max=50, max_restarts=3,
                  backoff_multiplier=1)
    sinit.start(through=inside(mounts))
    sinit.until_state("a", ready=True)
    sinit.until_state("b", state="fatal")
    assert sinit.stop().code == 0
    warnings = [line for line in sinit.log().splitlines() if "no cgroups" in line]
    assert len(warnings) == 1 and "warning" in warnings[0], sinit.log()
    assert SAYS[mounts] in warnings[0]


@pytest.mark.skipif(not AS_ROOT, reason="mounts")
def test_without_limits_it_is_no_warning(sinit):
    sinit.settings(cgroups="auto")
    sinit.service("a", sinit.fake("a"))
    sinit.start(through=inside("absent"))
    sinit.until_state("a", ready=True)
    assert "warning" not in sinit.log() and "no cgroups" in sinit.log()


@pytest.mark.skipif(not AS_ROOT, reason="mounts")
@pytest.mark.parametrize("mounts", MOUNTS)
def test_required_is_an_error(sinit, mounts):
    sinit.settings(cgroups="required")
    sinit.service("a", sinit.fake("a"))
    sinit.start(through=inside(mounts))
    assert sinit.wait().code == 78
    assert SAYS[mounts] in sinit.log() and not sinit.lines("a")


@needs_tree
def test_required_with_a_controller_that_is_not_there(sinit, tree):
    """The machine's unified tree without memory: a limit of it cannot be kept."""
    if "memory" in (unified() / "cgroup.controllers").read_text():
        pytest.skip("this tree has the controller memory")
    sinit.settings(cgroups="required", cgroup_root=tree.root)
    sinit.service("a", sinit.fake("a"), memory_max="32M")
    sinit.start()
    assert sinit.wait().code == 78
    assert "memory_max cannot be set" in sinit.log() and not sinit.lines("a")


@needs_tree
def test_P89_a_controller_that_is_not_there_is_one_warning(sinit, tree):
    if "memory" in (unified() / "cgroup.controllers").read_text():
        pytest.skip("this tree has the controller memory")
    sinit.service("a", sinit.fake("a"), memory_max="32M")
    sinit.service("b", sinit.fake("b"), memory_max="32M", memory_high="20M")
    sinit.up()
    told = [line for line in sinit.log().splitlines() if "has no effect" in line]
    assert len(told) == 1 and "not offered" in told[0] and "memory_max" in told[0], sinit.log()
    assert not (tree.slice("a") / "cgroup.subtree_control").read_text().strip()


def test_off_says_nothing(sinit):
    sinit.settings(cgroups="off")
    sinit.service("a", sinit.fake("a"), memory_max="32M")
    sinit.up()
    assert "cgroup" not in sinit.log()


@needs_tree
def test_a_root_that_is_no_cgroup(sinit, tmp_path):
    sinit.settings(cgroups="auto", cgroup_root=tmp_path)
    sinit.service("a", sinit.fake("a"), memory_max="32M")
    sinit.up()
    assert "is not in a cgroup v2 file system" in sinit.log()


@needs_tree
def test_nothing_is_left_of_a_root_that_is_no_cgroup(sinit, tmp_path):
    """A directory that was not there, in a file system that is not it."""
    sinit.settings(cgroups="auto", cgroup_root=tmp_path / "new")
    sinit.service("a", sinit.fake("a"), memory_max="32M")
    sinit.up()
    assert "is not in a cgroup v2 file system" in sinit.log()
    assert not (tmp_path / "new").exists()


@needs_tree
def test_open_files_limit_of_services_stays(sinit, tree):
    """sinit needs a descriptor a slice and raises its own limit; services keep what it was
    given."""
    sinit.service("a", f"sh -c 'ulimit -n >{sinit.directory}/n; exec sleep 1000'")
    sinit.start(through=["sh", "-c", 'ulimit -Sn 100; exec "$@"', "sh"])
    until(lambda: unless_gone((sinit.directory / "n").read_text) == "100\n", "the limit")
    files = next(line for line in Path(f"/proc/{sinit.pid}/limits").read_text().splitlines()
                 if line.startswith("Max open files"))
    assert int(files.split()[3]) > 100
