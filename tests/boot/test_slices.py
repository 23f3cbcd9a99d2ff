"""A service's life in its slice: nothing of it escapes a stop, it can be frozen, and what an
earlier sinit has left there is dealt with."""

import re

import pytest
from sinit_lab import until

FAMILY = "family --double --setsid --deaf"


def processes(sinit, name):
    return sinit.guest.run(f"cat {sinit.slice(name)}/cgroup.procs 2>/dev/null").output.split()


def grown(sinit, name, count):
    """Its processes, when there are so many."""
    return until(lambda: len(found := processes(sinit, name)) == count and found,
                 f"{count} processes of {name}")


def family(sinit, count, life=1):
    """The processes of `family` and their parent, when that life has told that all are there; on
    the way there are others, who leave."""
    sinit.guest.until(f"[ $(grep -c '^family: {count} processes' {sinit.home}/log) = {life} ]",
                      what=f"{life} x {count} processes")
    return grown(sinit, "family", count + 1)


def alive(sinit, pids):
    every = " ".join(f"/proc/{pid}" for pid in pids)
    return sinit.guest.run(f"ls -d {every} 2>/dev/null").output.split()


def assert_gone(sinit, pids):
    """Nobody of them runs. Who has left a cgroup may be a zombie for a moment."""
    until(lambda: alive(sinit, pids) == [], "the end of all")


def usage(sinit, name):
    return int(re.search(r"usage_usec (\d+)", sinit.file(name, "cpu.stat"))[1])


# --- the end of all of it

def test_a_stop_leaves_nobody(sinit):
    """Forked twice, in sessions of their own, deaf for TERM."""
    sinit.service("family", f"{FAMILY} 24", stop_timeout="1s")
    sinit.up()
    pids = family(sinit, 24)
    sinit.ctl("stop", "family")
    assert_gone(sinit, pids)
    sinit.until_no_slice("family")


def test_left_overs_get_the_signal_and_the_rest_of_the_grace(sinit):
    """The main process has gone by itself: TERM to the others, KILL to the deaf ones; then the
    next life, which meets none of them."""
    sinit.service("family", f"{FAMILY} --leave 24", restart="always", restart_delay="100ms",
                  stop_timeout="1s")
    sinit.start()
    sinit.until_state("family", restarts=lambda n: n >= 2)
    # One more where the last but one is just about to leave.
    assert len(processes(sinit, "family")) <= 26, "never those of two lives"



def test_a_kill_of_the_main_process_takes_the_others_along(sinit):
    sinit.service("family", f"{FAMILY} 24", restart_delay="100ms", stop_timeout="1s")
    sinit.up()
    before = family(sinit, 24)
    sinit.ctl("signal", "family", "KILL")
    sinit.until_state("family", state="running", restarts=1)
    assert_gone(sinit, before)
    family(sinit, 24, 2)


def test_kill_mode_process_leaves_them_alone(sinit):
    sinit.service("family", f"{FAMILY} 8", kill_mode="process", stop_timeout="1s")
    sinit.up()
    pids = family(sinit, 8)
    sinit.ctl("stop", "family")
    assert len(alive(sinit, pids)) == 8
    assert len(processes(sinit, "family")) == 8, "they keep their slice"


def test_shutdown_leaves_nobody(sinit):
    sinit.service("family", f"{FAMILY} 24", stop_timeout="1s")
    sinit.up(pid=False, cgroupns=False, mount=None)
    pids = family(sinit, 24)
    assert sinit.stop() == 0
    assert_gone(sinit, pids)
    assert sinit.guest.check(f"find {sinit.own} -name '*.service'") == ""


def test_one_that_makes_cgroups_of_its_own(sinit):
    """Below its slice, as container engines do. They count, and they go."""
    inner = f"{sinit.slice('nest')}/inner/most"
    make = f"mkdir -p {inner}; sleep 100001 & echo $! >{inner}/cgroup.procs; wait"
    sinit.service("nest", f"sh -c '{make}'", stop_timeout="1s")
    sinit.up(cgroupns=False, mount="rw")
    sinit.guest.until(f"grep . {inner}/cgroup.procs")
    pids = [*processes(sinit, "nest"), *sinit.guest.read(f"{inner}/cgroup.procs").split()]
    sinit.ctl("stop", "nest")
    assert_gone(sinit, pids)
    sinit.until_no_slice("nest")


# --- birth


def test_hooks_and_checks_are_in_the_slice(sinit):
    """Also post_stop, which comes after the KILL of the whole slice here: since Linux 6.14 (and
    6.1.129) nobody who is cloned into a cgroup lives if cgroup.kill was ever written there."""
    where = f"sh -c 'echo WHAT $(cat /proc/self/cgroup) >>{sinit.home}/where; exit CODE'"
    where, fails = where.replace("CODE", "0"), where.replace("CODE", "1")
    # Since the command fails the signal follows, and that is the KILL.
    sinit.service("web", pre_start=where.replace("WHAT", "pre"), stop_command=fails.replace("WHAT", "stop"),
                  post_stop=where.replace("WHAT", "post"), stop_signal="KILL", kill_mode="group")
    sinit.add("probe", "liveness web", check=f"exec:{where.replace('WHAT', 'check')}",
              interval="1s")
    sinit.up()
    sinit.guest.until(f"grep check {sinit.home}/where")
    sinit.ctl("stop", "web")
    lines = set(sinit.guest.read(f"{sinit.home}/where").splitlines())
    assert lines == {f"{what} 0::/web.service" for what in ("pre", "check", "stop", "post")}


def test_a_user_s_service(sinit):
    """It runs in the slice, which it cannot change."""
    sinit.service("web", f"sh -c 'echo max >{sinit.slice('web')}/pids.max; exec sleep 100000'",
                  user="nobody", pids_max="10")
    sinit.up(cgroupns=False, mount="rw")
    pid, = grown(sinit, "web", 1)
    assert "Uid:\t65534\t" in sinit.guest.read(f"/proc/{pid}/status")
    assert sinit.file("web", "pids.max") == "10"
    sinit.guest.until(f"grep 'Permission denied' {sinit.home}/log")


# --- frozen

def test_pause_and_resume(sinit):
    sinit.service("spin", "spin --threads 2")
    sinit.up()
    sinit.ctl("pause", "spin")
    sinit.guest.until(f"grep 'frozen 1' {sinit.slice('spin')}/cgroup.events")
    before = usage(sinit, "spin")
    sinit.guest.check("sleep 0.3")
    assert usage(sinit, "spin") == before
    sinit.ctl("resume", "spin")
    sinit.guest.until(f"grep 'frozen 0' {sinit.slice('spin')}/cgroup.events")
    until(lambda: usage(sinit, "spin") > before, "it runs again")
    assert sinit.status("spin")["restarts"] == 0


def test_what_is_paused_can_be_stopped(sinit):
    sinit.service("family", f"{FAMILY} 8", stop_timeout="1s")
    sinit.up()
    pids = family(sinit, 8)
    sinit.ctl("pause", "family")
    sinit.ctl("stop", "family")
    assert_gone(sinit, pids)


def test_no_probe_fails_while_it_is_paused(sinit):
    sinit.service("web", "httpd -f -p 127.0.0.1:8081")
    sinit.add("probe", "liveness web", check="tcp://127.0.0.1:8081", interval="400ms", failures="3",
              timeout="400ms")
    sinit.up()
    sinit.until_state("web", liveness="passing")
    sinit.ctl("pause", "web")
    sinit.guest.check("sleep 2")  # five time-outs long
    sinit.ctl("resume", "web")
    sinit.until_state("web", liveness="passing", restarts=0)


def test_pause_without_cgroups_says_why(sinit):
    sinit.service("web")
    sinit.up(mount="ro")
    done = sinit.guest.run(f"sinitctl -r {sinit.run} pause web")
    assert done.status == 1 and "cgroup" in done.output


# --- an earlier sinit

def up_elsewhere(sinit):
    """Outside of its tree of slices, in the foreground: it can be started again after a crash.
    (Once a cgroup gives controllers away, nobody can be born in it.)"""
    sinit.settings(cgroup_root=sinit.own)
    sinit.guest.check(f"mkdir -p {sinit.top}")
    sinit.up(pid=False, cgroup=False, mount=None)


def test_what_a_crash_has_left_is_ended_before_the_next_life(sinit):
    sinit.service("family", f"{FAMILY} 24", stop_timeout="1s")
    up_elsewhere(sinit)
    before = family(sinit, 24)
    sinit.signal("KILL")
    sinit.wait()
    assert len(alive(sinit, before)) == 25
    up_elsewhere(sinit)
    assert_gone(sinit, before)  # what counts as up is the next life
    assert not set(family(sinit, 24, 2)) & set(before)
    assert "family: ending the processes that an earlier sinit has left" in sinit.log()


def test_slices_that_nobody_wants_any_more_are_removed(sinit):
    sinit.guest.check(f"mkdir -p {sinit.own}/old.service {sinit.own}/mine")
    sinit.service("web")
    sinit.up()
    assert not sinit.exists(f"{sinit.own}/old.service")
    assert sinit.exists(f"{sinit.own}/mine"), "what does not look like a slice is not ours"


def test_a_frozen_slice_of_an_earlier_sinit(sinit):
    sinit.service("web")
    up_elsewhere(sinit)
    before = grown(sinit, "web", 1)
    sinit.guest.check(f"echo 1 >{sinit.slice('web')}/cgroup.freeze")
    sinit.signal("KILL")
    sinit.wait()
    up_elsewhere(sinit)
    assert_gone(sinit, before)
    assert sinit.file("web", "cgroup.freeze") == "0"


# --- many times

def test_500_restarts_grow_nothing(sinit):
    """Descriptors, cgroups (those that die slowly, too), sinit's memory."""
    sinit.service("short", "true", restart="always", restart_delay="0", backoff_multiplier="1",
                  max_restarts="unlimited", min_uptime="0", memory_max="32M")
    sinit.start()

    def restarts(count):
        sinit.until_state("short", limit=110, restarts=lambda n: n >= count)

    def sizes():
        fds = int(sinit.guest.check(f"ls /proc/{sinit.pid}/fd 2>/dev/null | wc -l"))
        directories = int(sinit.guest.check(f"find {sinit.own} -type d | wc -l"))
        rss = int(re.search(r"RssAnon:\s+(\d+)", sinit.guest.read(f"/proc/{sinit.pid}/status"))[1])
        return fds, directories, rss

    restarts(20)
    before = sizes()
    restarts(520)
    after = sizes()
    # A life more or less may be there just now.
    assert after[0] <= before[0] + 4 and after[1] <= before[1] + 1
    assert after[2] <= before[2] + 64, "kB"


def test_a_restart_asked_for_from_inside_the_slice(sinit):
    """Whoever asks is killed with the slice, and the restart goes on."""
    sinit.service("self", f"sh -c 'test -e {sinit.home}/asked || {{ touch {sinit.home}/asked; "
                          f"sinitctl -r {sinit.run} restart self; }}; exec sleep 100000'")
    sinit.start()
    sinit.until_state("self", state="running", life=2)
    assert len(grown(sinit, "self", 1)) == 1


@pytest.mark.parametrize("verb", ["stop", "restart"])
def test_from_inside_a_deep_child(sinit, verb):
    sinit.service("self", f"sh -c 'test -e {sinit.home}/asked || {{ touch {sinit.home}/asked; "
                          f"(setsid sinitctl -r {sinit.run} {verb} self &) }}; exec sleep 100000'")
    sinit.start()
    if verb == "stop":
        sinit.until_state("self", state="stopped")
        sinit.until_no_slice("self")
    else:
        sinit.until_state("self", state="running", life=2)
