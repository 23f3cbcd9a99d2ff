"""The limits of a slice hold, and what happens at them is told."""

import json
import re

from sinit_lab import keyed, until

MIB = 1 << 20


def memory_events(sinit, name):
    return keyed(sinit.file(name, "memory.events"))


def processes(sinit, name):
    return sinit.file(name, "cgroup.procs").split()


# --- the files

FILES = {
    "memory_max": ("100M", "memory.max", str(100 * MIB)),
    "memory_high": ("80M", "memory.high", str(80 * MIB)),
    "memory_low": ("10M", "memory.low", str(10 * MIB)),
    "memory_swap_max": ("0", "memory.swap.max", "0"),
    "cpu_max": ("1.5", "cpu.max", "150000 100000"),
    "cpu_weight": ("50", "cpu.weight", "50"),
    "pids_max": ("50", "pids.max", "50"),
    "io_weight": ("20", "io.weight", "default 20"),
    "io_max": ("/dev/nullb0 wbps=10M riops=100", "io.max",
               f"254:0 rbps=max wbps={10 * MIB} riops=100 wiops=max"),
    "cpuset_cpus": ("1", "cpuset.cpus", "1"),
}


def test_every_limit_is_in_its_file(sinit):
    sinit.service("all", **{key: value for key, (value, _, _) in FILES.items()})
    sinit.up()
    found = {key: sinit.file("all", file) for key, (_, file, _) in FILES.items()}
    assert found == {key: text for key, (_, _, text) in FILES.items()}
    assert sinit.warnings() == []


def test_a_limit_that_the_kernel_refuses(sinit):
    """No such CPU, no such disk: a warning each, and it runs."""
    sinit.service("odd", cpuset_cpus="7", io_max="/dev/nosuch wbps=1M", pids_max="20")
    sinit.up()
    assert sinit.file("odd", "pids.max") == "20"
    lines = sinit.warnings()
    assert len(lines) == 2 and "cpuset_cpus" in "".join(lines) and "io_max" in "".join(lines)


def test_a_reload_changes_limits_of_what_runs(sinit):
    sinit.service("web", memory_max="100M", pids_max="50")
    pid = sinit.up().status("web")["pid"]
    sinit.service("web", memory_max="90M", cpu_max="50%")
    sinit.configure()
    sinit.ctl("reload")
    wanted = {"memory.max": str(90 * MIB), "cpu.max": "50000 100000", "pids.max": "max"}
    until(lambda: {file: sinit.file("web", file) for file in wanted} == wanted, "new limits")
    assert sinit.status("web")["pid"] == pid, "it was not restarted"


# --- memory

def eater(sinit, command="eat --pause 64", **keys):
    """A service with 32M that wants more, and a neighbour that is content."""
    sinit.service("eater", command, memory_max="32M", **{"restart_delay": "100ms", **keys})
    sinit.service("content", "eat --pause 16", memory_max="32M")
    return sinit


def assert_told(sinit):
    """Each event, and the log, has name, limit and usage. One kill may come as two events: the
    kernel counts the processes that go with the victim when it is counted already."""
    events = sinit.until_event("eater", "oom")
    assert all("32M in use at memory_max 32M" in event["message"] for event in events), events
    assert "eater: out of memory: 32M in use at memory_max 32M" in sinit.log()


def test_a_service_is_killed_at_its_limit(sinit):
    """Its peak is the limit, the neighbour feels nothing, and everybody is told."""
    eater(sinit, restart="never").up()
    service = sinit.until_state("eater", state="failed")
    assert service["cause"] == "oom" and service["restarts"] == 0
    assert "memory" in service["reason"] and "32" in service["reason"], service["reason"]
    assert_told(sinit)
    assert sinit.status("content")["ready"] and sinit.status("content")["restarts"] == 0
    events = memory_events(sinit, "content")
    assert events["oom"] == events["oom_kill"] == events["max"] == 0


def test_the_peak_is_the_limit(sinit):
    """The slice outlives a kill of which the main process knows nothing."""
    eater(sinit, "eat --child --pause --score 500 64", oom_policy="ignore").up()
    assert_told(sinit)
    assert abs(int(sinit.file("eater", "memory.peak")) - 32 * MIB) <= MIB
    assert memory_events(sinit, "eater")["oom_kill"] >= 1


def test_policy_restart(sinit):
    eater(sinit).up()
    service = sinit.until_state("eater", restarts=lambda n: n >= 2)
    assert_told(sinit)
    assert len(sinit.events("eater", "oom")) >= 2
    assert all("memory" in e["message"] for e in sinit.events("eater", "backoff"))
    assert service["cause"] == "oom"


def test_policy_stop(sinit):
    eater(sinit, oom_policy="stop", restart="always").up()
    service = sinit.until_state("eater", state="failed")
    assert (service["restarts"], service["cause"]) == (0, "oom")
    sinit.until_no_slice("eater")


def test_policy_ignore_leaves_it_to_the_exit(sinit):
    """It has died as it might have by any KILL, but of what is told."""
    eater(sinit, oom_policy="ignore").up()
    sinit.until_state("eater", restarts=lambda n: n >= 1)
    assert_told(sinit)
    assert "memory" in sinit.events("eater", "backoff")[0]["message"]


def test_P92_a_worker_is_killed_and_the_main_process_lives(sinit):
    """Without killing all of it together: logged, counted, told by name."""
    eater(sinit, "eat --child --pause --score 500 64", oom_policy="ignore").up()
    pid = sinit.status("eater")["pid"]
    assert_told(sinit)
    service = sinit.status("eater")
    assert (service["state"], service["pid"], service["restarts"]) == ("running", pid, 0)
    assert sinit.file("eater", "memory.oom.group") == "0"



def test_P92_all_of_it_dies_together_and_is_restarted(sinit):
    eater(sinit, "eat --child --pause --score 500 64").up()
    first = sinit.guest.until(f"cat {sinit.slice('eater')}/cgroup.procs | grep .").split()
    service = sinit.until_state("eater", state="running", restarts=lambda n: n >= 1)
    assert service["cause"] == "oom"
    assert_told(sinit)
    assert sinit.file("eater", "memory.oom.group") == "1"
    assert not set(first) & set(processes(sinit, "eater")), "nobody of the first life is left"


def test_a_warning_comes_before_the_limit(sinit):
    sinit.service("grows", f"eat --step 1 --when {sinit.home}/go --pause 30", memory_max="32M",
                  memory_warn="80%")
    sinit.up()
    assert sinit.events("grows", "memory") == []
    sinit.guest.check(f"touch {sinit.home}/go")
    event, = sinit.until_event("grows", "memory")
    service = sinit.status("grows")
    assert (service["state"], service["restarts"]) == ("running", 0)
    assert sinit.events("grows", "oom") == []
    assert re.search(r"\d", event["message"])
    # It is not held back for ever at the mark.
    sinit.guest.until(f"[ $(cat {sinit.slice('grows')}/memory.current) -gt {30 * MIB} ]")


def test_no_warning_below(sinit):
    sinit.service("small", "eat --pause 8", memory_max="32M", memory_warn="80%")
    sinit.service("marker", f"eat --when {sinit.home}/go --pause 30", memory_max="32M",
                  memory_warn="20M")
    sinit.up()
    sinit.guest.check(f"touch {sinit.home}/go")
    sinit.until_event("marker", "memory")
    assert sinit.events("small", "memory") == []


# --- CPU

def test_cpuset_keeps_it_on_its_cpu(sinit):
    sinit.service("spin", "spin --threads 2", cpuset_cpus="1")
    sinit.up()
    for pid in processes(sinit, "spin"):
        assert "Cpus_allowed_list:\t1\n" in sinit.guest.read(f"/proc/{pid}/status")


# --- processes

def test_a_fork_bomb_stays_in_its_slice(sinit):
    """Restless: it never stops trying. sinit, sinitctl and /health answer all the same."""
    sinit.add("http", "http", listen="127.0.0.1:8080")
    sinit.service("bomb", "bomb --restless", pids_max="50", stop_timeout="5s")
    sinit.service("other")
    sinit.up()
    sinit.guest.until(f"[ $(cut -d ' ' -f 2 {sinit.slice('bomb')}/pids.events) -gt 100 ]")
    assert int(sinit.file("bomb", "pids.current")) <= 50
    for _ in range(5):
        health = sinit.guest.check("wget -q -O - http://127.0.0.1:8080/health", timeout=20)
        assert json.loads(health)["status"] == "healthy"
        sinit.ctl("ping", limit=20)
    sinit.ctl("restart", "other", limit=20)
    sinit.ctl("stop", "bomb", limit=30)
    sinit.until_no_slice("bomb")


def test_a_quiet_bomb(sinit):
    sinit.service("bomb", "bomb", pids_max="50")
    sinit.up()
    assert sinit.guest.until(f"grep ^bomb: {sinit.home}/log") == "bomb: 49 children, then EAGAIN\n"


# --- disks

def test_io_is_slowed_down(sinit):
    """4 MiB at 2 MiB/s: the disk itself takes no time at all."""
    write = "dd if=/dev/zero of=/dev/nullb0 bs=64k count=64 oflag=direct"
    sinit.service("fast", f"sh -c '{write}; cat /proc/uptime; exec sleep 100000'")
    begin, end = f"{sinit.home}/begin", f"{sinit.home}/end"
    sinit.service("slow", f"sh -c 'cat /proc/uptime >{begin}; {write}; cat /proc/uptime >{end}; "
                  "exec sleep 100000'", io_max="/dev/nullb0 wbps=2M")
    sinit.up()
    ended = float(sinit.guest.until(f"grep . {end} 2>/dev/null").split()[0])
    assert ended - float(sinit.guest.read(begin).split()[0]) > 1
    assert re.search(r"wbytes=4194304", sinit.file("slow", "io.stat"))
