"""The kinds of machine a guest can be: what QEMU is told, and what is built for it.

x86_64 is this machine's own kind; the others are emulated boards ("virt"), whose programs come
from the cross compilers.
"""

import os
import subprocess
from collections import namedtuple
from functools import lru_cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SINIT = Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve()
SINITCTL = Path(os.environ.get("SINITCTL") or TOP / "build/sinitctl").resolve()
NATIVE = "x86_64"

# `qemu`: the program and its board; `console`: the first serial port, as the kernel names it;
# `agent`: what the agent is spoken to by; `append`: further words for the kernel.
Machine = namedtuple("Machine", "qemu processors console agent compiler append")

MACHINES = {
    # The words of `append`: without them some boots hang while the clock is measured.
    "x86_64": Machine(["qemu-system-x86_64", "-M", "q35"], 2, "ttyS0", "/dev/ttyS1", "cc",
                      "tsc_early_khz=1000000 no_timer_check"),
    "aarch64": Machine(["qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a53"], 2, "ttyAMA0",
                       "/dev/vport0p1", "aarch64-linux-gnu-gcc", ""),
    # With two processors in one thread this one stops at the end of its kernel's start.
    "armhf": Machine(["qemu-system-arm", "-M", "virt,highmem=off", "-cpu", "cortex-a15"],
                     1, "ttyAMA0", "/dev/vport0p1", "arm-linux-gnueabihf-gcc", ""),
    "riscv64": Machine(["qemu-system-riscv64", "-M", "virt"], 2, "ttyS0", "/dev/vport0p1",
                       "riscv64-linux-gnu-gcc", ""),
}


def need(condition, why):
    """These tests cannot be skipped: without a guest nothing of it is proven."""
    if not condition:
        raise RuntimeError(f"no guest: {why}")


@lru_cache
def kernel(arch=NATIVE):
    """The directory where .ci/kernel has put it, and if need be puts it now."""
    done = subprocess.run([TOP / ".ci/kernel", arch], stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    need(done.returncode == 0, done.stdout)
    return TOP / "build/kernel" / arch


def built(path, arch=NATIVE):
    """The program for that kind of machine, where make puts it."""
    return path if arch == NATIVE else path.parent / arch / path.name


def binary(path, arch=NATIVE):
    """The content of sinit or sinitctl."""
    need(built(path, arch).exists(), f"{built(path, arch)} is missing: make ARCH={arch}")
    return built(path, arch).read_bytes()


@lru_cache
def program(name, arch=NATIVE):
    """The path of what is made of NAME.c, beside sinit; by rename, for tests may run side by
    side."""
    source, result = HERE / f"{name}.c", built(SINIT, arch).with_name("boot") / name
    if not result.exists() or result.stat().st_mtime < source.stat().st_mtime:
        result.parent.mkdir(parents=True, exist_ok=True)
        fresh = result.with_name(f"{name}.{os.getpid()}")
        subprocess.run([MACHINES[arch].compiler, "-std=gnu11", "-D_GNU_SOURCE", "-O1", "-Wall",
                        "-Wextra", "-static", "-o", fresh, source], check=True)
        fresh.rename(result)
    return result
