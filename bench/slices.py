"""What slices cost: a start with and without one, and the end of a service of 200 processes.

Twice: on this machine's cgroup v2 tree, in a sub-tree of its own (real time, but no controllers
there), and in a guest with all controllers (tests/boot), whose clock counts instructions, one a
nanosecond: that does not depend on the machine, and is about what a processor of 1 GHz takes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/boot"))

STARTS = 200
FAMILY = 200
LIMITS = {"memory_max": "32M", "cpu_max": "50%", "pids_max": "500"}
WAYS = {"no slice": ("off", {}), "slice": ("auto", {}), "slice, three limits": ("auto", LIMITS)}


def sections(more):
    keys = "".join(f"{key} = {value}\n" for key, value in more.items())
    return "".join(f"[service s{i:03}]\ncommand = sleep 100000\n{keys}" for i in range(STARTS))


def on_cpu(text):
    """µs of CPU time: the first number of /proc/PID/schedstat is in ns."""
    return int(text.split()[0]) / 1000


# --- this machine

def unified():
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        if fields[fields.index("-") + 1] == "cgroup2":
            return Path(fields[4])
    return None


class Here:
    def __init__(self, directory, build, mode, text):
        self.run = directory / "run"
        self.ctl = [build / "sinitctl", "-r", self.run]
        self.root = unified() / f"sinit-bench-{os.getpid()}"
        (directory / "conf.d").mkdir(parents=True)
        (directory / "sinit.ini").write_text(
            f"[sinit]\nstate_dir = {directory}/state\ncgroups = {mode}\ncgroup_root = {self.root}\n"
            "log_level = error\n")
        (directory / "conf.d/a.ini").write_text(text)
        self.child = subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount", "--mount-proc",
             build / "sinit", "-c", directory, "-r", self.run])

    def until_ready(self, count):
        while True:
            out = subprocess.run([*self.ctl, "--json", "status"], capture_output=True, text=True)
            services = json.loads(out.stdout)["services"] if out.stdout else []
            if len(services) == count and all(s["ready"] for s in services):
                return
            time.sleep(0.02)

    def pid(self):
        text = Path(f"/proc/{self.child.pid}/task/{self.child.pid}/children").read_text()
        return int(text.split()[0])

    def end(self):
        subprocess.run([*self.ctl, "shutdown"], capture_output=True)
        self.child.wait(60)


def start_here(directory, build, mode, limits):
    sinit = Here(directory, build, mode, sections(limits))
    sinit.until_ready(STARTS)
    spent = on_cpu(Path(f"/proc/{sinit.pid()}/schedstat").read_text())
    sinit.end()
    return spent / STARTS


def stop_here(directory, build):
    text = (f"[service many]\ncommand = sh -c 'for i in $(seq {FAMILY - 1}); do sleep 100000 & done;"
            " echo >ready; wait'\nworking_directory = " f"{directory}\n"
            "stop_signal = KILL\nkill_mode = group\n")
    sinit = Here(directory, build, "auto", text)
    sinit.until_ready(1)
    while not (directory / "ready").exists():
        time.sleep(0.02)
    begin = time.monotonic()
    subprocess.run([*sinit.ctl, "stop", "many"], capture_output=True, check=True)
    took = time.monotonic() - begin
    sinit.end()
    return took * 1000


# --- a guest

def start_there(guest, name, mode, limits):
    from sinit_lab import Sinit
    sinit = Sinit(guest, name)
    sinit.settings(cgroups=mode, log_level="error")
    for i in range(STARTS):
        sinit.service(f"s{i:03}", **limits)
    sinit.up()
    spent = on_cpu(guest.read(f"/proc/{sinit.pid}/schedstat"))
    sinit.stop()
    sinit.end()
    return spent / STARTS


def stop_there(guest, name):
    from sinit_lab import Sinit
    sinit = Sinit(guest, name)  # a stop by hand is remembered by name
    sinit.service("many", f"sh -c 'for i in $(seq {FAMILY - 1}); do sleep 100000 & done; "
                  "echo >ready; wait'", stop_signal="KILL", kill_mode="group", working_directory=sinit.home)
    sinit.up()
    guest.until(f"cat {sinit.home}/ready && echo x")
    begin, end = (float(line.split()[0]) for line in guest.check(
        f"cat /proc/uptime; sinitctl -r {sinit.run} stop many >/dev/null; cat /proc/uptime")
        .splitlines())
    sinit.stop()
    sinit.end()
    return (end - begin) * 1000


def measure(bench, build):
    """Adds to the tables of bench.py."""
    here = "G slices, this machine, no controllers"
    there = "G slices, guest, all controllers, counted instructions"
    end = f"G end of a service of {FAMILY} processes by cgroup.kill"
    number = iter(range(10000))

    def trial(name, way):
        if unified():
            bench.add(here, name, **{"CPU of PID 1 a start, µs":
                                     start_here(bench.work / f"g{next(number)}", build, *way)})
    bench.each(here, list(WAYS.items()), trial)
    if unified():
        bench.each(end, [("this machine", None)], lambda name, _: bench.add(
            end, name, ms=stop_here(bench.work / f"g{next(number)}", build)))

    from lab import Guest
    where = bench.work / "guest"
    where.mkdir()
    guest = Guest(where, counted=True)
    try:
        guest.boot()
        bench.each(there, list(WAYS.items()), lambda name, way: bench.add(
            there, name, **{"CPU of PID 1 a start, µs":
                            start_there(guest, f"g{next(number)}", *way)}), 2)
        bench.each(end, [("guest", None)], lambda name, _: bench.add(
            end, name, ms=stop_there(guest, f"g{next(number)}")), 2)
    finally:
        guest.end()
