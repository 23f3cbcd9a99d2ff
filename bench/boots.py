"""How long from the kernel's hand-over to the first service, in a guest (tests/boot) whose clock
counts instructions, one a nanosecond: about what a processor of 1 GHz takes, on any machine.

The first program notes the time and becomes the init under test; a service notes it in its first
line (helpers/boot.c). Each init gets the same services and mounts what it always mounts."""

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP / "tests/boot"))

COUNTS = (1, 10)
ROUNDS = 3

# What busybox leaves to its inittab, by its own applets: the same mounts as sinit's.
RCS = """#!/bin/sh
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t cgroup2 cgroup2 /sys/fs/cgroup
ip link set lo up
"""


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


PEERS = {"floor": floor, "sinit": sinit, "busybox init": busybox,
         "busybox init, only /proc": busybox_bare, "finit": finit,
         "finit, services from its runlevel S": finit_early}


def boot(where, helper, peer, count):
    """[hand-over, first, last: ns, RSS, private: KiB]"""
    import trees
    from lab import Guest
    program = trees.Program(Path(helper).read_bytes())
    where.mkdir()
    tree = {**{path: trees.DIRECTORY for path in trees.PLACES}, "dev/console": trees.Node(5, 1),
            "init": program, "bin/boot": program, "sbin/init": program, **peer(trees, count)}
    guest = Guest(where, counted=True, agent=False, initramfs=trees.archive(tree),
                  append=f"COUNT={count} finit.status=off")
    try:
        guest.boot()
        return list(map(int, guest.until_console(r"^boot: ([-\d ]+)\r?$")[1].split()))
    finally:
        guest.end()
        shutil.rmtree(where)


def measure(bench):
    """Adds to the tables of bench.py."""
    number = iter(range(10000))
    for count in COUNTS:
        table = f"H boot, guest, {count} service{'s' * (count > 1)}, counted instructions"

        def trial(name, peer):
            begun, first, last, rss, private = boot(
                bench.work / f"h{next(number)}", bench.helpers["boot"], peer, count)
            more = {"to the last ms": (last - begun) / 1e6} if count > 1 else {}
            bench.add(table, name, **{"hand-over to the first service ms": (first - begun) / 1e6,
                                      **more, "PID 1 RSS KiB": rss, "private KiB": private})
        bench.each(table, list(PEERS.items()), trial, ROUNDS)
