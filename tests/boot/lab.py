"""Guests: a real kernel in QEMU, and programs inside it.

A Guest is booted from an initramfs. Its first serial port is the console, which goes to a file,
and what is typed at it comes from a FIFO; at a second line agent.c runs what the tests say. Who is
PID 1:
  - a few lines of shell, below which a test starts as many sinits as it likes: Guest(directory)
  - sinit, after those lines have mounted everything, with a configuration: boots={...}
  - whatever the initramfs says: initramfs=archive({...}), see trees.py; sinit as its /init, or a
    root on a disk.

Everything has a limit. QEMU emulates the processor, always: where it might do better with the
help of the machine it may as well not do at all.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections import namedtuple

from machines import MACHINES, NATIVE, kernel, need
from trees import (Program, agent_service, archive, base, configuration, insmod, module_files,
                   with_libraries)

LIMIT = 60  # seconds after which what was waited for will not come
BOOT_LIMIT = 100  # seconds; a boot takes 2, on a busy machine 10
PROGRAMS = ("agent", "cell", "eat", "spin", "bomb", "family")
MODULES = ("inet_diag", "tcp_diag", "configfs", "null_blk")  # who listens on a port; a disk
LINE = ("virtio_pci", "virtio_console")  # what the agent's line needs, but on x86_64
PR_SET_PDEATHSIG = 1

# How the console tells of the end of the machine.
ENDS = {"reboot: Power down": "poweroff", "reboot: Restarting system": "reboot",
        "reboot: System halted": "halt", "kexec_core: Starting new kernel": "kexec",
        "Kernel panic": "panic"}

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
{insmod}ip link set lo up
hostname guest
"""


def line_modules(arch=NATIVE):
    """Those that have to be loaded before an agent can be heard."""
    return LINE if MACHINES[arch].agent.startswith("/dev/vport") else ()


def prepared(init, files, programs=(), arch=NATIVE):
    """The initramfs whose first process mounts everything and then does `init`, with `files`, a
    tree. `programs`: names of some of this machine."""
    names = (*MODULES, *line_modules(arch))
    script = PREPARE.format(insmod=insmod(names, arch, {"null_blk": "nr_devices=1 gb=1"})) + init
    tree = {**base(arch, PROGRAMS), **module_files(names, arch), "init": Program(script.encode())}
    for each in programs:
        tree.update(with_libraries(each))
    return archive({**tree, **files})


# --- the guest

def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Guest:
    def __init__(self, where, boots=None, counted=False, more=(), arch=NATIVE, initramfs=None,
                 append="", disks=(), network=False, agent=True, console_name=None):
        """`boots`: sinit is PID 1, with these files ({"sinit.ini": text, "conf.d/X.ini"...});
        one of its services has to be AGENT. `counted`: its clock counts instructions, one a
        nanosecond, so that times do not depend on the machine; it has one processor then.
        `more`: programs of this machine. `arch`: see machines.py. `initramfs`: one of trees.py,
        instead of all that. `append`: words for the kernel's command line. `disks`: images, as
        /dev/vda... `network`: a card, behind which QEMU itself answers DHCP.
        `agent`: one will say hello; without it boot() waits for nothing. `console_name`: what the
        kernel is told to have as its console."""
        self.where = where
        self.arch = arch
        self.machine = MACHINES[arch]
        self.counted = counted
        self.append = append
        self.console_name = console_name or self.machine.console
        self.disks = disks
        self.network = network
        self.has_agent = agent
        self.console_file = where / "console.out"
        self.requests = 0
        self.buffer = b""
        self.process = self.line = self.monitor = self.keyboard = None
        if initramfs is None:
            agent_only = f"/bin/agent {self.machine.agent}\npoweroff -f\n"
            initramfs = prepared("exec /sbin/sinit\n" if boots else agent_only,
                                 configuration(boots or {}), more, arch)
        (where / "initramfs").write_bytes(initramfs)

    def words(self, agent, monitor):
        """QEMU's command line; `agent` and `monitor`: descriptors."""
        program, *board = self.machine.qemu
        qemu = shutil.which(program)
        need(qemu, f"no {program} here; .ci/setup boot (or boards) installs it")
        # One thread for both processors: with one each, a busy machine has seen them wait for
        # each other for ever, while the kernel changed its own code.
        words = [qemu, "-accel", "tcg,thread=single", *board, "-m", "512", "-display", "none",
                 "-nodefaults", "-no-user-config", "-no-reboot", "-kernel",
                 kernel(self.arch) / "vmlinuz", "-initrd", self.where / "initramfs"]
        words += ["-smp", "1" if self.counted else str(self.machine.processors)]
        words += ["-icount", "shift=0,sleep=off"] if self.counted else []
        # A "pipe" is two files: a FIFO, and, for us, an ordinary one.
        words += ["-chardev", f"pipe,id=console,path={self.where / 'console'}",
                  "-serial", "chardev:console",
                  "-chardev", f"socket,id=monitor,fd={monitor}", "-mon", "monitor,mode=control",
                  "-chardev", f"socket,id=agent,fd={agent}"]
        words += ["-serial", "chardev:agent"] if not line_modules(self.arch) else [
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent"]
        for i, disk in enumerate(self.disks):
            words += ["-drive", f"file={disk},format=raw,if=none,id=disk{i}",
                      "-device", f"virtio-blk-pci,drive=disk{i}"]
        if self.network:
            words += ["-netdev", "user,id=net", "-device",
                      "virtio-net-pci,netdev=net,romfile="]
        return [*words, "-append", f"console={self.console_name} panic=-1 quiet rdinit=/init "
                                   f"{self.machine.append} {self.append}"]

    def boot(self):
        self.console_file.touch()
        os.mkfifo(self.where / "console.in")
        self.keyboard = os.open(self.where / "console.in", os.O_RDWR | os.O_CLOEXEC)
        self.line, agent = socket.socketpair()
        self.monitor, monitor = socket.socketpair()
        with agent, monitor, (self.where / "qemu").open("wb") as log:
            ends = agent.fileno(), monitor.fileno()
            self.process = subprocess.Popen(self.words(*ends), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, pass_fds=ends,
                                            preexec_fn=die_with_parent)
        if self.has_agent:
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

    def tell(self, text):
        """Has sh run what ends the machine, and may end the agent first: nothing comes back."""
        body = text.encode()
        self.line.sendall(f"run end {LIMIT * 1000} {len(body)} 0\n".encode() + body)

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

    # --- the console and the monitor

    def console(self):
        return self.console_file.read_text(errors="replace") if self.console_file.exists() else ""

    def until_console(self, pattern, limit=BOOT_LIMIT, after=0):
        """Until this (a regular expression) is on the console, not before the character `after`;
        the match. It is looked for often: a test may want to act at that moment."""
        end, wanted = time.monotonic() + limit, re.compile(pattern, re.M)
        while True:
            gone = self.process.poll() is not None
            found = wanted.search(self.console(), after)
            if found:
                return found
            assert not gone, f"it has gone without {pattern!r}\n{self.qemu()}{self.console()}"
            assert time.monotonic() < end, f"no {pattern!r} in {limit} s\n{self.console()}"
            time.sleep(0.005)

    def type(self, text):
        """As at a terminal on its console."""
        os.write(self.keyboard, text.encode())

    def qmp(self, command, **arguments):
        """What QEMU's monitor answers; see the QEMU Machine Protocol's reference."""
        if not hasattr(self, "monitor_lines"):
            self.monitor.settimeout(LIMIT)
            self.monitor_lines = self.monitor.makefile("r")
            self.monitor_lines.readline()  # its greeting
            self.qmp("qmp_capabilities")
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while "event" in (answer := json.loads(self.monitor_lines.readline())):
            pass
        assert "return" in answer, f"{command}: {answer}"
        return answer["return"]

    def press(self, *keys):
        """Keys, all together: press("ctrl", "alt", "delete")."""
        self.qmp("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def qemu(self):
        return (self.where / "qemu").read_text(errors="replace")

    # --- its end

    def said_of_its_end(self):
        """poweroff, reboot, halt, kexec, panic: the last of these on the console, or None."""
        found = [(self.console().rfind(text), what) for text, what in ENDS.items()]
        return max(found)[1] if max(found)[0] >= 0 else None

    def wait_end(self, limit=BOOT_LIMIT):
        """Until it has ended by itself; how. (A halted machine does not end QEMU.)"""
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"after {limit} s it still runs\n{self.console()}") from None
        return self.said_of_its_end()

    def poweroff(self, limit=LIMIT):
        """Has it end by itself."""
        self.tell("poweroff -f")
        self.process.wait(limit)

    def cut(self):
        """The power, at once."""
        self.process.kill()
        self.process.wait()

    def end(self):
        """Nothing is left of it, whatever the tests did."""
        if self.process:
            self.cut()
        for end in (self.line, self.monitor):
            if end:
                end.close()
        if self.keyboard is not None:
            os.close(self.keyboard)
            self.keyboard = None


AGENT = agent_service()
