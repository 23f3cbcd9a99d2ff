"""How long from the kernel's hand-over to the first service: in a guest (tests/boot) whose clock
counts instructions, one a nanosecond: about what a processor of 1 GHz takes, on any machine; and on
this machine, in namespaces, as fast as that is, but with a /dev that is there, and without cgroups.

The first program notes the time and becomes the init under test; a service notes it in its first
line (helpers/boot.c). Each init gets the same services and mounts what it always mounts."""

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/boot"))

COUNTS = (1, 10)

# What busybox leaves to its inittab, by its own applets: the same mounts as sinit's.
RCS = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ -e /dev/null ] || mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
"""


REPORT = re.compile(r"^boot: (\d+ \d+ \d+ \d+ \d+)\r?\n", re.M)
LIMIT = 20  # seconds


def floor(trees, count):
    del trees, count
    return {}


def sinit(trees, count):
    from machines import SINIT, binary
    return {"sbin/init": trees.Program(binary(SINIT)),
            "etc/sinit/conf.d/a.ini": "".join(
                f"[service s{i}]\ncommand = /bin/boot {count}\n" for i in range(count))}


def tools(trees):
    from machines import kernel
    names = ("sh", "mount", "umount", "mkdir", "ip", "swapon", "fsck")
    return {"bin/busybox": trees.Program((kernel() / "busybox").read_bytes()),
            **{f"bin/{name}": trees.Link("busybox") for name in names}}


def sinit_without(trees, count):
    return {**sinit(trees, count), "etc/sinit/sinit.ini": "[sinit]\ncgroups = off\n"}


def busybox(trees, count, script=RCS):
    return {**tools(trees),
            "sbin/init": trees.Link("../bin/busybox"),
            "etc/rcS": trees.Program(script),
            "etc/inittab": "::sysinit:/etc/rcS\n" * bool(script)
                           + "".join(f"::respawn:/bin/boot {count} s{i}\n" for i in range(count))}


def busybox_bare(trees, count):
    return busybox(trees, count, "#!/bin/sh\nmount -t proc proc /proc\n")


def finit(trees, count, levels="2345"):
    done = subprocess.run([TOP / ".ci/finit"], capture_output=True, text=True)
    if done.returncode:
        raise OSError(done.stderr)
    top = TOP / "build/finit"
    tree = {"/".join(path.relative_to(top).parts): trees.Program(path.read_bytes())
            for path in top.rglob("*") if path.is_file()}
    tree.update({**tools(trees), "etc/fstab": "", "sbin/init": trees.Program((top / "sbin/finit").read_bytes()),
                 "etc/finit.conf": "runlevel 2\n" + "".join(
                     f"service :{i} [{levels}] /bin/boot {count} -- s{i}\n"
                     for i in range(count))})
    return tree


def finit_early(trees, count):
    return finit(trees, count, "S2345")


PEERS = {"floor": floor, "sinit": sinit, "sinit, cgroups = off": sinit_without,
         "busybox init": busybox, "busybox init, only /proc": busybox_bare, "finit": finit,
         "finit, services from its runlevel S": finit_early}


# Not finit: it does more to a machine than a benchmark may.
HERE = {name: PEERS[name] for name in ("floor", "sinit, cgroups = off", "busybox init")}


def machine(helper, peer, count):
    """Its tree."""
    import trees
    program = trees.Program(Path(helper).read_bytes())
    return {**{path: trees.DIRECTORY for path in trees.PLACES}, "init": program,
            "bin/boot": program, "sbin/init": program, **peer(trees, count)}


def numbers(report):
    """[hand-over, first, last: ns, RSS, private: KiB]"""
    return list(map(int, report[1].split()))


def boot_there(where, helper, peer, count):
    import trees
    from lab import Guest
    where.mkdir()
    tree = {**machine(helper, peer, count), "dev/console": trees.Node(5, 1)}
    guest = Guest(where, counted=True, agent=False, initramfs=trees.archive(tree), append=f"COUNT={count}")
    try:
        guest.boot()
        return numbers(guest.until_console(REPORT.pattern))
    finally:
        guest.end()
        shutil.rmtree(where)


# /dev is one that is seen from outside; without /proc a sinit asks who process 2 is.
ENTER = r"""mount --bind devices dev
exec env -i PATH="$PATH" STAND_IN=1 COUNT={count} \
    unshare --pid --fork --kill-child --root=. --wd=/ /init
"""


def boot_here(where, helper, peer, count):
    """As boot_there(). It is never shut down: what an init does then is done to the machine."""
    import trees
    where.mkdir()
    trees.put(machine(helper, peer, count), where)
    (where / "devices").mkdir()
    console = where / "devices/console"
    console.touch()
    subprocess.run(["mknod", where / "devices/null", "c", "1", "3"], check=True)
    process = subprocess.Popen(
        ["unshare", "--mount", "--net", "--uts", "--ipc", "--cgroup", "sh", "-c",
         ENTER.format(count=count)], cwd=where, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + LIMIT
        while not (report := REPORT.search(console.read_text())):
            if time.monotonic() > end:
                raise OSError(f"no report: {console.read_text()}")
            time.sleep(0.05)
        return numbers(report)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(where, ignore_errors=True)


def measure(bench):
    """Adds to the tables of bench.py."""
    number = iter(range(10000))
    places = {"guest, counted instructions": (boot_there, PEERS, 3),
              "this machine": (boot_here, HERE, 15)}
    for place, (boot, peers, rounds) in places.items():
        for count in COUNTS:
            table = f"H boot, {place}, {count} service{'s' * (count > 1)}"

            def trial(name, peer):
                begun, first, last, rss, private = boot(
                    bench.work / f"h{next(number)}", bench.helpers["boot"], peer, count)
                more = {"to the last ms": (last - begun) / 1e6} if count > 1 else {}
                bench.add(table, name, **{"to the first service ms": (first - begun) / 1e6,
                                          **more, "RSS of PID 1 KiB": rss, "private KiB": private})
            bench.each(table, [p for p in peers.items() if bench.wanted(p[0])], trial, rounds)
