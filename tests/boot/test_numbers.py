"""Numbers that were promised. The clock of this guest counts instructions, one a nanosecond, as a
slow processor would take: how busy the machine below is does not matter."""

import re

from sinit_lab import until

COUNTED = True


def seconds(text):
    """The first number of each /proc/uptime in it."""
    return [float(value) for value in re.findall(r"^(\d+\.\d+) \d+\.\d+$", text, re.M)]


def test_cpu_time_is_what_was_asked_for(sinit):
    """20 % of one CPU, +- 2, over 5 s."""
    sinit.service("spin", "spin --threads 2", cpu_max="20%")
    sinit.up()
    stat = f"{sinit.slice('spin')}/cpu.stat"
    text = sinit.guest.check(f"cat /proc/uptime {stat}; sleep 5; cat /proc/uptime {stat}")
    begin, end = seconds(text)
    used = [int(value) / 1e6 for value in re.findall(r"^usage_usec (\d+)$", text, re.M)]
    assert 0.18 <= (used[1] - used[0]) / (end - begin) <= 0.22


def test_200_processes_are_killed_within_50_ms(sinit):
    sinit.service("family", "family --double --setsid 200", stop_signal="KILL", kill_mode="group")
    sinit.up()
    until(lambda: len(sinit.file("family", "cgroup.procs").split()) == 201, "all of it")
    begin, end = seconds(sinit.guest.check(
        f"cat /proc/uptime; sinitctl -r {sinit.run} stop family; cat /proc/uptime"))
    assert end - begin <= 0.05
    sinit.until_no_slice("family")
