"""A root file system of its own, in which mounter.c's program runs the functions of boot mode.

Nothing of this machine is touched: the tree is a tmpfs in a private mount namespace, entered by
chroot, so nothing outside can be named. What all namespaces share never gets into it: mounter.c
knows no devtmpfs (/dev is a tmpfs), and cgroup2 is in a cgroup namespace, where its options do not
count."""

import glob
import os
import subprocess
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from harness import LIMIT, SINIT, TOP, until

WRAPPED = ("ioctl", "fsync", "getrandom", "statx", "mount")


@lru_cache
def mounter():
    """mounter.c's program; by rename, for tests may run side by side."""
    program = Path(SINIT).with_name("mounter")
    sources = ["tests/real/mounter.c", "init/base.c", "init/report.c", "init/fstab.c", "init/path.c",
               "init/seed.c", "init/clock.c", "init/fds.c", *sorted(glob.glob("init/mount*.c", root_dir=TOP))]
    fresh = program.with_name(f"mounter.{os.getpid()}")
    subprocess.run(["cc", "-D_GNU_SOURCE", "-I.", "-O1", "-Wall", "-static",
                    *(f"-Wl,--wrap={name}" for name in WRAPPED), "-o", fresh, *sources],
                   check=True, cwd=TOP)
    fresh.rename(program)
    return program


class Tree:
    """`root` is its directory as the namespace sees it; from outside it is empty."""

    def __init__(self, root):
        self.root = root
        self.program = mounter()
        self.holder = subprocess.Popen(
            ["unshare", "--mount", "--ipc", "--cgroup", "--propagation", "private", "cat"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        until(lambda: Path(f"/proc/{self.holder.pid}/comm").read_text() == "cat\n", "a namespace")
        self.sh(f"mount -t tmpfs tree {root}")
        self.sh(f"mkdir dev; mount -t tmpfs dev dev; cp {self.program} mounter")

    def sh(self, script, text=""):
        """Runs a script in the namespace, not in the tree but in its directory, with this text as
        its input; its output."""
        done = subprocess.run(
            ["nsenter", "-t", str(self.holder.pid), "--mount", "--ipc", "--cgroup", "sh", "-ec",
             f"cd {self.root}\n{script}"],
            capture_output=True, text=True, input=text, timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def write(self, path, text):
        self.sh(f"mkdir -p $(dirname {path}); cat >{path}", text)

    def run(self, *words, **env):
        """What the program said, without its result; that is in `result`."""
        *lines, last = self.sh(f"{' '.join(f'{k}={v}' for k, v in env.items())} chroot . /mounter "
                               f"{' '.join(words)}").splitlines()
        self.result = int(last.removeprefix("= "))
        return lines

    def mounts(self):
        """Paths in the tree, without the slash at their beginning ("" is the root), to (type,
        options of the mount, options of the file system), in the order of mounting."""
        found = {}
        for line in self.sh("cat /proc/self/mountinfo").splitlines():
            words, _, rest = line.partition(" - ")
            path, options = words.split()[4:6]
            if path == str(self.root) or path.startswith(f"{self.root}/"):
                found[path[len(str(self.root)):].lstrip("/")] = (
                    rest.split()[0], set(options.split(",")), set(rest.split()[-1].split(",")))
        return found

    @contextmanager
    def busy(self, path, mode="r"):
        """Somebody has this file or directory open, to read or to write it."""
        where = {"r": "<", "w": ">>"}[mode]
        user = subprocess.Popen(
            ["nsenter", "-t", str(self.holder.pid), "--mount", "sh", "-c",
             f"exec 9{where}{self.root}/{path}; echo; exec cat"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert user.stdout.readline() == b"\n"
        try:
            yield
        finally:
            user.communicate(timeout=LIMIT)

    def close(self):
        self.holder.communicate(timeout=LIMIT)


def make_disk(path):
    """An image with an empty ext4."""
    with open(path, "wb") as image:
        image.truncate(4 << 20)
    subprocess.run(["mkfs.ext4", "-q", str(path)], check=True, capture_output=True)
    return path


def shell(script):
    return subprocess.run(["sh", "-ec", script], check=True, capture_output=True, text=True).stdout


@contextmanager
def loop(image, options="", through=shell):
    """A loop device on an image; "loopN"."""
    device = through(f"losetup --find --show {options} {image}").strip()
    attached = Path("/sys/block", Path(device).name, "loop/backing_file")
    whole = attached.read_text()
    try:
        yield Path(device).name
    finally:  # a test may have detached it, and somebody else may have it now
        if attached.exists() and attached.read_text() == whole:
            shell(f"losetup --detach {device}")
