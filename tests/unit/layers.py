#!/usr/bin/env python3
"""Who may include whom, and what the pure parts may call.

    tests/unit/layers.py [OBJECT_DIRECTORY]     default: build/obj/MACHINE

Three tables: the layer of each file, the layers that a layer may use, and the symbols
that an object of a layer may leave undefined. A file that is in no row is an error, so
that a new one gets its place. Prints `ok` or `not ok` lines; exit 1 if one is not ok.
"""

import platform
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]

# The first pattern that matches a file's path gives its layer.
LAYERS = [
    ("base", "init/base.[ch] init/raw_syscall.h"),
    ("kernel", "init/fds.[ch] init/clock.[ch]"),
    ("pure", "init/machine.[ch] init/machine_life.c init/machine_internal.h init/backoff.[ch] init/graph.[ch] init/words.[ch] init/value.[ch] init/schema*.[ch] "
             "init/schema.def init/image*.[ch] init/explain*.[ch] init/pidmap.[ch] "
             "init/ranks.[ch] init/format.[ch] init/render*.[ch] init/board_names.c "
             "init/mountinfo.[ch] init/fstab.[ch] "
             "reaper/status.[ch] reaper/signals.[ch] ctl/request.[ch] ctl/startup.[ch] ctl/plot*.[ch] "
             "init/option_table.[ch] init/option_text.c init/options.[ch] "
             "probes/verdict.[ch] probes/schedule.[ch] probes/fault.[ch] probes/alarms.[ch] "
             "probes/search.[ch] probes/prober_message.[ch] probes/http_request.[ch] "
             "probes/grpc_message.[ch] probes/check.[ch] probes/web_*.[ch] "
             "probes/metrics*.[ch] probes/stats.[ch] init/notify.[ch] probes/alert_*.[ch] "
             "init/cmdline.[ch] cgroup/limits.[ch] cgroup/place.[ch] cgroup/reading.[ch] "
             "init/netaddr.[ch] probes/uevent.[ch] log/syslog_message.[ch] log/lines.[ch]"),
    ("record", "init/board.h probes/helper.h log/store.h log/store_read.h"),
    ("config", "init/config*.[ch] init/loader.h init/builder.[ch] init/arena.[ch] "
               "init/files.[ch] init/users.[ch] init/ini.[ch]"),
    ("responder", "probes/responder.c probes/server*.[ch] probes/site*.[ch] probes/dashboard.c "
                  "probes/confine.[ch]"),
    ("helpers", "probes/helpers.[ch]"),
    ("wrapper", "reaper/wrapper*.[ch]"),
    ("world", "init/board*.c log/store_read.c init/log.[ch] init/report.[ch] init/path.[ch] init/mount*.[ch] "
              "init/seed.[ch] init/console.[ch] init/watchdog.[ch] init/machine_end.[ch] init/loopback.[ch] init/pipe.[ch] "
              "reaper/*.[ch] cgroup/*.[ch] log/store_make.[ch]"),
    ("platform", "init/platform.[ch]"),
    ("main", "init/main.c init/supervisor_main.[ch] init/loop.c init/reload.c init/rundir.c init/sinit.h init/cgroups.c "
             "init/boot.[ch] init/errand.[ch] init/emergency.c "
             "init/helper_run.[ch] init/helper_*.c ctl/control.[ch] ctl/serve.c"),
    ("supervisor", "init/supervisor*.[ch]"),
    ("sinitctl", "ctl/*.[ch]"),
    ("probes", "probes/*.[ch]"),
    ("logger", "log/*.[ch]"),
]

# Every layer may use itself.
USES = {
    "base": "",
    "kernel": "",
    "pure": "base record",  # of the record only its types: explain's sentences, kinds of checks
    "record": "pure",
    "config": "base pure",
    "responder": "base kernel pure record probes",
    "helpers": "base record",
    "world": "base kernel pure record",
    "platform": "base kernel world pure",
    "wrapper": "base pure world platform",
    "supervisor": "base pure record world platform",
    "main": "base kernel pure record config world platform wrapper supervisor helpers",
    "probes": "base kernel pure record",  # helpers: processes of their own, which call none of PID 1's
    "logger": "base kernel pure record probes",  # likewise, with its children
    "sinitctl": "base kernel pure record config",
}

# Finer than the layers: who alone may include these.
ONLY = [
    ("init/platform.h", "init/platform.c init/supervisor*.[ch] reaper/wrapper.c init/sinit.h init/errand.c"),
    ("init/supervisor_internal.h", "init/supervisor*.c"),
    ("reaper/reap.h", "init/platform.c reaper/*"),
    ("reaper/leftovers.h", "init/platform.c reaper/*"),
    ("reaper/child.h", "reaper/*"),
    ("init/loader.h", "init/config*.c"),
    ("probes/prober.h", "probes/prober*.c probes/probe.c probes/*_probe.c"),
    ("probes/devices.h", "probes/devices*.c"),
    ("init/machine.h", "init/machine_internal.h init/board.h init/image.h init/supervisor.h"),
    ("init/machine_internal.h", "init/machine.c init/machine_life.c"),
]

# Memory and text: no system call, no allocation, no clock, no state.
PURE_CALLS = ("mem* str* snprintf vsnprintf bsearch qsort __stack_chk_fail _GLOBAL_OFFSET_TABLE_ "
              "__*_chk __errno_location isalnum isdigit isalpha isspace tolower toupper ato* strto* "
              "inet_pton gmtime_r")

# What an object may leave undefined besides what objects of the layers in the second
# column define. The supervisor's own system calls all go through platform.h; its
# tables, made when a configuration is taken over, are the exception.
SYMBOLS = [
    ("base", "base", ""),
    ("pure", "base pure", ""),
    ("supervisor", "base pure world platform supervisor",
     "calloc realloc free"),
]

failed = 0


def report(good, name, *details):
    global failed
    failed += not good
    print("ok" if good else "not ok", name)
    for line in details if not good else ():
        print("   ", line)


def matches(path, patterns):
    return any(fnmatch(path, pattern) for pattern in patterns.split())


def layer(path):
    return next((name for name, patterns in LAYERS if matches(path, patterns)), None)


def sources():
    return sorted(str(path.relative_to(TOP)) for directory in ("init", "reaper", "cgroup", "ctl", "probes", "log")
                  for path in (TOP / directory).iterdir() if path.suffix in (".c", ".h", ".def"))


def check_includes():
    for path in sources():
        own = layer(path)
        if not own:
            report(False, f"layer of {path}", "it is in no row of LAYERS")
            continue
        wrong = []
        for number, line in enumerate((TOP / path).read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s*"([^"]+)"', line)
            if not match:
                continue
            other = match[1]
            where = f"{path}:{number}: includes {other}"
            if not (TOP / other).exists():
                wrong.append(f"{where}, which is no path from the top")
            elif layer(other) not in [own, *USES[own].split()]:
                wrong.append(f"{where} of layer {layer(other)}; {own} may use: {USES[own]}")
            for header, users in ONLY:
                if other == header and not matches(path, users):
                    wrong.append(f"{where}, which is for {users} only")
        report(not wrong, f"includes of {path} ({own})", *wrong)


def check_cycles():
    """A header that includes itself by a way round hides who depends on whom."""
    graph = {path: re.findall(r'^\s*#\s*include\s*"([^"]+\.h)"', (TOP / path).read_text(), re.M)
             for path in sources() if path.endswith(".h")}
    found = []

    def visit(path, way):
        if path in way:
            found.append(" -> ".join([*way[way.index(path):], path]))
            return
        for other in graph.get(path, ()):
            visit(other, [*way, path])

    for path in graph:
        visit(path, [])
    report(not found, "headers without cycles", *sorted(set(found)))


def nm(objects, path, *flags):
    return subprocess.run(["nm", *flags, objects / path], check=True, capture_output=True,
                          text=True).stdout.split("\n")


def check_symbols(objects):
    built = {path: objects / path.replace(".c", ".o") for path in sources() if path.endswith(".c")}
    built = {path: object for path, object in built.items() if object.exists()}
    if not built:
        report(False, "objects", f"none in {objects}: run make first")
        return
    defined = {}
    for path, object in built.items():
        for line in nm(objects, object, "-g", "--defined-only"):
            if line:
                defined[line.split()[-1]] = layer(path)
    for own, others, more in SYMBOLS:
        for path, object in built.items():
            if layer(path) != own:
                continue
            undefined = [line.split()[-1] for line in nm(objects, object, "-u") if line]
            wrong = [f"{path} calls {symbol}"
                     + (f" of layer {defined[symbol]}" if symbol in defined else "")
                     for symbol in undefined
                     if defined.get(symbol) not in others.split()
                     and not (symbol not in defined and matches(symbol, f"{PURE_CALLS} {more}"))]
            report(not wrong, f"symbols of {path} ({own})", *wrong)


def main():
    words = sys.argv[1:]
    objects = Path(words[0]) if words else TOP / "build/obj" / platform.machine()
    check_includes()
    check_cycles()
    check_symbols(objects.resolve())
    sys.exit(bool(failed))


main()
