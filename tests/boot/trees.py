"""What a guest finds in its file systems, and how it gets there.

A tree is a dictionary {path without the first slash: what is there}: bytes or a text (a file of
mode 0644), Program(bytes) (0755), Link(target), Node(major, minor) (a character device), or
DIRECTORY; directories above others need no mention. It becomes an initramfs (archive()), an image
of ext4 (ext4()) or squashfs (squashfs()).
"""

import lzma
import re
import shutil
import stat
import subprocess
import tempfile
from collections import namedtuple
from functools import lru_cache
from pathlib import Path

from machines import MACHINES, NATIVE, SINIT, SINITCTL, binary, kernel, need, program

Program = namedtuple("Program", "data")
Link = namedtuple("Link", "target")
Node = namedtuple("Node", "major minor")
DIRECTORY = None

PLACES = ("bin", "sbin", "dev", "proc", "sys", "run", "tmp", "etc", "root", "var/lib")


def with_parents(tree):
    """[(path, what)], each directory before what is in it."""
    full = {}
    for path, what in tree.items():
        for above in reversed(Path(path).parents[:-1]):
            full.setdefault(str(above), DIRECTORY)
        if what is not DIRECTORY or path not in full:
            full[path] = what
    return list(full.items())


# --- the initramfs: the format "newc" of cpio, see the kernel's
# Documentation/driver-api/early-userspace/buffer-format.rst

def entry(name, mode, data=b"", device=(0, 0)):
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name.encode()) + 1, 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def archived(path, what):
    if what is DIRECTORY:
        return entry(path, stat.S_IFDIR | 0o755)
    if isinstance(what, Link):
        return entry(path, stat.S_IFLNK | 0o777, what.target.encode())
    if isinstance(what, Node):
        return entry(path, stat.S_IFCHR | 0o600, device=what)
    data, mode = (what.data, 0o755) if isinstance(what, Program) else (what, 0o644)
    return entry(path, stat.S_IFREG | mode, data.encode() if isinstance(data, str) else data)


def archive(tree):
    return b"".join(archived(*each) for each in with_parents(tree)) + entry("TRAILER!!!", 0)


# --- images

def put(tree, where):
    """The tree as files of this machine, but its devices: to make those one may not be allowed."""
    for path, what in with_parents(tree):
        place = where / path
        if what is DIRECTORY:
            place.mkdir()
            place.chmod(0o755)
        elif isinstance(what, Link):
            place.symlink_to(what.target)
        elif not isinstance(what, Node):
            data, mode = (what.data, 0o755) if isinstance(what, Program) else (what, 0o644)
            place.write_bytes(data.encode() if isinstance(data, str) else data)
            place.chmod(mode)
    where.chmod(0o755)  # the root of the image; mkdtemp() is not for others


def tool(words, **more):
    path = shutil.which(words[0], path="/usr/sbin:/sbin:/usr/bin:/bin")
    need(path, f"no {words[0]} here; .ci/setup boot installs it")
    return subprocess.run([path, *words[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, **more)


def must(words):
    done = tool(words)
    assert done.returncode == 0, f"{words}: {done.stdout.decode(errors='replace')}"


def nodes(tree):
    return [(path, what) for path, what in tree.items() if isinstance(what, Node)]


def ext4(image, tree, size="64M"):
    """Makes the file `image`."""
    with tempfile.TemporaryDirectory() as top:
        put(tree, Path(top))
        must(["mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-E", "root_owner=0:0",
              "-d", top, image, size])
    for path, node in nodes(tree):
        above, _, name = path.rpartition("/")
        commands = image.with_suffix(".commands")
        commands.write_text(f"cd {above}\nmknod {name} c {node.major} {node.minor}\n")
        must(["debugfs", "-w", "-f", commands, image])
    return image


def read(image, path):
    """The bytes of a file of an ext4 image which no guest has any more; None: no such file. The
    journal is not looked at: what was not written back is not there."""
    name = f"/{path.lstrip('/')}"
    if b"Inode:" not in tool(["debugfs", "-R", f"stat {name}", image]).stdout:
        return None
    with tempfile.NamedTemporaryFile() as out:
        must(["debugfs", "-R", f"dump {name} {out.name}", image])
        return Path(out.name).read_bytes()


def is_clean(image):
    """Was it unmounted, and is all in order? (As after a crash it would be `not clean`, or have a
    journal to be replayed.)"""
    head = tool(["dumpe2fs", "-h", image]).stdout.decode(errors="replace")
    return (re.search(r"^Filesystem state: +clean$", head, re.M) is not None
            and "needs_recovery" not in head
            and tool(["e2fsck", "-f", "-n", image]).returncode == 0)


def squashfs(image, tree, *more):
    """Makes the file `image`; `more`: words for mksquashfs(1)."""
    with tempfile.TemporaryDirectory() as top:
        put(tree, Path(top))
        devices = [word for path, node in nodes(tree)
                   for word in ("-p", f"{path} c 600 0 0 {node.major} {node.minor}")]
        must(["mksquashfs", top, image, "-noappend", "-no-progress", "-all-root", *more, *devices])
    return image


def swap(image, size=16 << 20):
    """Without holes, so that it may be a file on a disk, too."""
    image.write_bytes(b"\xff" * size)
    must(["mkswap", image])
    return image


# --- modules of the kernel

@lru_cache
def known(arch):
    """({name: path} of the modules, the names of those that are part of the kernel)"""
    def name(path):
        return Path(path).name.partition(".ko")[0].replace("-", "_")

    top = kernel(arch)
    builtin = (top / "builtin").read_text().split()
    return ({name(path): path for path in top.glob("modules/**/*.ko*")},
            {name(path) for path in builtin})


@lru_cache
def module(name, arch):
    path = known(arch)[0].get(name)
    need(path, f"its kernel ({arch}) has no module {name}")
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()


def modules(names, arch=NATIVE):
    """{name: bytes}: these and what they need, in the order in which insmod can have them; without
    what is part of the kernel."""
    found = {}
    for name in names:
        if name in known(arch)[1]:
            continue
        data = module(name, arch)
        needs = re.search(rb"\0depends=([^\0]*)\0", data)
        found.update(modules(filter(None, needs[1].decode().split(",")) if needs else (), arch))
        found[name] = data
    return found


def insmod(names, arch=NATIVE, options={}):
    """Shell commands that load them from /modules."""
    return "".join(f"insmod /modules/{name}.ko {options.get(name, '')}\n"
                   for name in modules(names, arch))


def module_files(names, arch=NATIVE):
    return {f"modules/{name}.ko": data for name, data in modules(names, arch).items()}


def modprobe_files(names, arch=NATIVE):
    """These and what they need, as modprobe(8) looks for them."""
    found = modules(names, arch)
    release = re.search(rb"\0vermagic=(\S+)", next(iter(found.values())))[1].decode()
    top = f"lib/modules/{release}"

    # The last one of a line is loaded first.
    def line(name):
        return " ".join([f"{name}.ko:", *(f"{need}.ko" for need in reversed(modules([name], arch))
                                          if need != name)])

    needs = "".join(f"{line(name)}\n" for name in found)
    return {**{f"{top}/{name}.ko": data for name, data in found.items()},
            f"{top}/modules.dep": needs,
            f"{top}/modules.builtin": (kernel(arch) / "builtin").read_bytes()}


# --- trees

def applets(arch=NATIVE):
    """The names of busybox, which are together in the program: it may be one of another machine,
    that cannot be asked."""
    data = (kernel(arch) / "busybox").read_bytes()
    begin = data.index(b"[\0[[\0")
    names = data[begin:data.index(b"\0\0", begin)].decode().split("\0")
    return [name for name in names if name not in ("busybox", "init", "linuxrc")]


def busybox(arch=NATIVE, names=None):
    """It and its names, or these."""
    return {"bin/busybox": Program((kernel(arch) / "busybox").read_bytes()),
            **{f"bin/{name}": Link("busybox") for name in names or applets(arch)}}


def base(arch=NATIVE, programs=("agent",), console=True):
    """busybox, sinit, programs of this directory."""
    tree = {path: DIRECTORY for path in PLACES}
    if console:
        tree["dev/console"] = Node(5, 1)
    tree.update(busybox(arch))
    tree["sbin/sinit"] = Program(binary(SINIT, arch))
    tree["bin/sinitctl"] = Program(binary(SINITCTL, arch))
    tree.update({f"bin/{name}": Program(program(name, arch).read_bytes()) for name in programs})
    tree["etc/passwd"] = "root::0:0:root:/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
    tree["etc/group"] = "root:x:0:\nnogroup:x:65534:\n"
    return tree


def with_libraries(name):
    """A program of this machine and what it is linked with (ld.so(8))."""
    path = shutil.which(name)
    need(path, f"no {name} here; .ci/setup boot installs it")
    loaded = subprocess.run(["ldd", path], check=True, text=True, stdout=subprocess.PIPE).stdout
    libraries = [word for word in loaded.split() if word.startswith("/")]
    return {f"bin/{name}": Program(Path(path).read_bytes()),
            **{library.lstrip("/"): Program(Path(library).read_bytes()) for library in libraries}}


def configuration(files):
    """sinit's, of {"sinit.ini": text, "conf.d/X.ini"...}."""
    return {f"etc/sinit/{name}": text for name, text in files.items()}


# The root is mounted read-only, as the kernel would do it, and handed over as it would: nothing
# else is mounted below it. sinit gets the words behind "--" of the kernel's command line.
SWITCH = """#!/bin/sh
mkdir -p /proc /dev
mount -t proc proc /proc
mount -t devtmpfs dev /dev
{insmod}
for word in $(cat /proc/cmdline); do
    case $word in
    init=*) init=${{word#init=}} ;;
    esac
done
mkdir /newroot
mount -t {type} -o ro /dev/vda /newroot || poweroff -f
umount /proc
umount /dev
exec switch_root /newroot "${{init:-/sbin/sinit}}" "$@"
"""


def switch_root(kind, arch=NATIVE, more=()):
    """The initramfs of a guest whose root is its first disk, of this kind, and whose init is what
    "init=" on the kernel's command line says, or sinit. `more`: modules to be loaded."""
    names = ("virtio_pci", "virtio_blk", "crc32c_generic", kind, *more)
    return archive({
        **busybox(arch, ("sh", "cat", "insmod", "mkdir", "mount", "umount", "switch_root",
                         "poweroff")),
        "init": Program(SWITCH.format(insmod=insmod(names, arch), type=kind).encode()),
        "dev/console": Node(5, 1), **module_files(names, arch)})


def agent_service(arch=NATIVE, needs=""):
    """The section of a service that is the agent."""
    more = f"requires = {needs}\n" if needs else ""
    return (f"[service agent]\ncommand = /bin/agent {MACHINES[arch].agent}\n"
            f"oom_score_adj = -1000\n{more}")
