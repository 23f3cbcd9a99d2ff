"""Guests: a real kernel in QEMU, and programs inside it.

A Guest is booted from an initramfs of sinit, busybox and the programs of this directory. Its
first serial port is the console, which goes to a file; at the second one agent.c runs what the
tests say. PID 1 is either a few lines of shell, below which a test starts as many sinits as it
likes (`Guest(directory)`), or, with `boots=` a configuration, sinit itself.

Everything has a limit. QEMU emulates the processor, always: where it might do better with the
help of the machine it may as well not do at all.
"""

import ctypes
import os
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections import namedtuple
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SINIT = Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve()
SINITCTL = Path(os.environ.get("SINITCTL") or TOP / "build/sinitctl").resolve()
KERNEL = TOP / "build/kernel/x86_64"
LIMIT = 60  # seconds after which what was waited for will not come
BOOT_LIMIT = 100  # seconds; a boot takes 2, on a busy machine 10
PROGRAMS = ("agent", "cell", "eat", "spin", "bomb", "family")
MODULES = ("net/ipv4/inet_diag.ko", "net/ipv4/tcp_diag.ko",  # who listens on a port
           "fs/configfs/configfs.ko", "drivers/block/null_blk/null_blk.ko")  # a disk
PR_SET_PDEATHSIG = 1

Result = namedtuple("Result", "status output")

# What any first process does. The disk keeps nothing, and is as fast as its limits let it be.
PREPARE = """#!/bin/sh
export PATH=/bin:/sbin HOME=/ TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs tmp /tmp
for module in inet_diag tcp_diag configfs; do insmod /modules/$module.ko; done
insmod /modules/null_blk.ko nr_devices=1 gb=1
ip link set lo up
hostname guest
"""


def need(condition, why):
    """These tests cannot be skipped: without a guest nothing of it is proven."""
    if not condition:
        raise RuntimeError(f"no guest: {why}")


@lru_cache
def program(name):
    """The program of NAME.c, built beside sinit; by rename, for tests may run side by side."""
    source, result = HERE / f"{name}.c", SINIT.with_name("boot") / name
    if not result.exists() or result.stat().st_mtime < source.stat().st_mtime:
        result.parent.mkdir(exist_ok=True)
        fresh = result.with_name(f"{name}.{os.getpid()}")
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-static",
                        "-o", fresh, source], check=True)
        fresh.rename(result)
    return result


@lru_cache
def kernel():
    """Where .ci/kernel has put it, and if need be puts it now."""
    done = subprocess.run([TOP / ".ci/kernel"], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    need(done.returncode == 0, done.stdout)
    return KERNEL


# --- the initramfs: the format "newc" of cpio, see the kernel's
# Documentation/driver-api/early-userspace/buffer-format.rst

def entry(name, mode, data=b"", device=(0, 0)):
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name.encode()) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def directory(name):
    return entry(name, stat.S_IFDIR | 0o755)


def file(name, data, mode=0o755):
    return entry(name, stat.S_IFREG | mode, data)


@lru_cache
def base():
    """All that guests have in common."""
    names = subprocess.run([kernel() / "busybox", "--list"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    parts = [directory(name) for name in
             ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "etc", "root", "modules", "var",
              "var/lib")]
    parts.append(entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1)))
    parts.append(file("bin/busybox", (kernel() / "busybox").read_bytes()))
    parts += [entry(f"bin/{name}", stat.S_IFLNK | 0o777, b"busybox") for name in names
              if name != "busybox"]
    parts.append(file("sbin/sinit", SINIT.read_bytes()))
    parts.append(file("bin/sinitctl", SINITCTL.read_bytes()))
    parts += [file(f"bin/{name}", program(name).read_bytes()) for name in PROGRAMS]
    parts += [file(f"modules/{Path(name).name}", (kernel() / "modules" / name).read_bytes())
              for name in MODULES]
    parts.append(file("etc/passwd", b"root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"))
    parts.append(file("etc/group", b"root:x:0:\nnogroup:x:65534:\n"))
    return b"".join(parts)


def with_libraries(name):
    """{path: content} of a program of this machine and what it is linked with (ld.so(8))."""
    path = shutil.which(name)
    need(path, f"no {name} here; .ci/setup boot installs it")
    loaded = subprocess.run(["ldd", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    libraries = [word for word in loaded.split() if word.startswith("/")]
    return {f"bin/{name}": Path(path).read_bytes(),
            **{library.lstrip("/"): Path(library).read_bytes() for library in libraries}}


def initramfs(init, files, programs=()):
    """`files`: {path without the first slash: text}; `programs`: names."""
    parts = [base(), file("init", init.encode())]
    contents = {name: (text.encode(), 0o644) for name, text in files.items()}
    for each in programs:
        contents.update({name: (data, 0o755) for name, data in with_libraries(each).items()})
    made = set()
    for name, (data, mode) in contents.items():
        for above in reversed(Path(name).parents[:-1]):
            if str(above) not in made:
                made.add(str(above))
                parts.append(directory(str(above)))
        parts.append(file(name, data, mode))
    return b"".join(parts) + entry("TRAILER!!!", 0)


# --- the guest

def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Guest:
    def __init__(self, where, boots=None, counted=False, more=()):
        """`boots`: sinit is PID 1, with these files ({"sinit.ini": text, "conf.d/X.ini"...});
        one of its services has to be AGENT. `counted`: its clock counts instructions, one a
        nanosecond, so that times do not depend on the machine; it has one processor then.
        `more`: programs of this machine."""
        self.where = where
        self.counted = counted
        self.console_file = where / "console"
        self.requests = 0
        self.buffer = b""
        self.process = None
        if boots is None:
            init, files = "/bin/agent /dev/ttyS1\npoweroff -f\n", {}
        else:
            init = "exec /sbin/sinit\n"
            files = {f"etc/sinit/{name}": text for name, text in boots.items()}
        (where / "initramfs").write_bytes(initramfs(PREPARE + init, files, more))

    def boot(self):
        qemu = shutil.which("qemu-system-x86_64")
        need(qemu, "no qemu-system-x86_64 here; .ci/setup boot installs it")
        here, there = socket.socketpair()
        with there, (self.where / "qemu").open("wb") as log:
            clock = ["-smp", "1", "-icount", "shift=0,sleep=off"] if self.counted else ["-smp", "2"]
            # One thread for both processors: with one each, a busy machine has seen them wait for
            # each other for ever, while the kernel changed its own code.
            words = [qemu, "-accel", "tcg,thread=single", "-M", "q35", *clock, "-m", "512",
                     "-display", "none", "-monitor", "none", "-nodefaults", "-no-user-config",
                     "-no-reboot", "-serial", f"file:{self.console_file}",
                     "-chardev", f"socket,id=agent,fd={there.fileno()}", "-serial", "chardev:agent",
                     "-kernel", kernel() / "vmlinuz", "-initrd", self.where / "initramfs",
                     # The last two: without them some boots hang while the clock is measured.
                     "-append", "console=ttyS0 panic=-1 quiet rdinit=/init "
                                "tsc_early_khz=1000000 no_timer_check"]
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            pass_fds=[there.fileno()],
                                            preexec_fn=die_with_parent)
        self.line = here
        self.hello(BOOT_LIMIT)
        return self

    def hello(self, limit=LIMIT):
        """Until an agent is there."""
        said = self.receive_line(time.monotonic() + limit)
        need(said == "hello", f"its agent said {said!r}\n{self.console()}")

    def run(self, text, timeout=LIMIT, stdin=b""):
        """Has sh run it. The status is 124 when it was not done in time, and was killed."""
        self.requests += 1
        body = text.encode()
        head = f"run {self.requests} {int(timeout * 1000)} {len(body)} {len(stdin)}\n"
        end = time.monotonic() + timeout + LIMIT  # the clock in there may be another one
        self.line.settimeout(timeout + LIMIT)
        self.line.sendall(head.encode() + body + stdin)
        number, status, size = self.receive_line(end).split()
        assert int(number) == self.requests, f"answer {number} to request {self.requests}"
        return Result(int(status), self.receive(int(size), end).decode(errors="replace"))

    def check(self, text, **more):
        """The output of what has to succeed."""
        done = self.run(text, **more)
        assert done.status == 0, f"{text}\nstatus {done.status}: {done.output}"
        return done.output

    def write(self, path, text):
        self.check(f"mkdir -p {os.path.dirname(path)} && cat >{path}", stdin=text.encode())

    def read(self, path):
        return self.check(f"cat {path}")

    def until(self, text, limit=LIMIT, what=None):
        """Until the command succeeds; its output. The guest does the waiting: there a turn costs
        less."""
        done = self.run(f"until out=$({text}); do usleep 20000; done; echo \"$out\"", limit)
        assert done.status == 0, f"after {limit} s still not: {what or text}\n{self.run(text)}"
        return done.output

    # --- the line

    def receive_some(self, end):
        self.line.settimeout(max(0.01, end - time.monotonic()))
        try:
            data = self.line.recv(1 << 16)
        except TimeoutError:
            raise RuntimeError(f"the guest does not answer\n{self.console()}") from None
        need(data, f"it has gone\n{self.qemu()}{self.console()}")
        self.buffer += data

    def receive(self, size, end):
        while len(self.buffer) < size:
            self.receive_some(end)
        data, self.buffer = self.buffer[:size], self.buffer[size:]
        return data

    def receive_line(self, end):
        while b"\n" not in self.buffer:
            self.receive_some(end)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode(errors="replace")

    # --- what it says, and its end

    def console(self):
        return self.console_file.read_text(errors="replace") if self.console_file.exists() else ""

    def qemu(self):
        return (self.where / "qemu").read_text(errors="replace")

    def poweroff(self, limit=LIMIT):
        """Has it end by itself."""
        body = b"poweroff -f"
        self.line.sendall(f"run end {limit * 1000} {len(body)} 0\n".encode() + body)
        self.process.wait(limit)

    def end(self):
        """Nothing is left of it, whatever the tests did."""
        if self.process:
            if self.process.poll() is None:
                self.process.kill()
            self.process.wait()
            self.line.close()


AGENT = "[service agent]\ncommand = /bin/agent /dev/ttyS1\noom_score_adj = -1000\n"
