"""The file systems of boot mode: at its beginning, by /etc/fstab, and at its end."""

import pytest
from harness import AS_ROOT
from mount_lab import Tree, loop, make_disk

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="mounts, and so needs root")


@pytest.fixture
def tree(tmp_path):
    found = Tree(tmp_path)
    yield found
    found.close()


@pytest.fixture
def image(tmp_path_factory):
    return make_disk(tmp_path_factory.mktemp("disk") / "image")


@pytest.fixture
def disk(image):
    """An ext4 on a loop device: "loopN"."""
    with loop(image) as name:
        yield name


def node(tree, name):
    tree.sh(f"cp -a /dev/{name} dev/")


# --- at the beginning -----------------------------------------------------------

SAFE = {"nosuid", "nodev", "noexec"}
NEEDED = {"proc": ("proc", SAFE), "sys": ("sysfs", SAFE), "dev/pts": ("devpts", {"nosuid", "noexec"}),
          "dev/shm": ("tmpfs", {"nosuid", "nodev"}), "run": ("tmpfs", {"nosuid", "nodev"})}
KNOWN = {"sys/fs/cgroup": "cgroup2", "sys/kernel/security": "securityfs",
         "sys/kernel/config": "configfs", "sys/fs/pstore": "pstore",
         "sys/fs/fuse/connections": "fusectl", "sys/firmware/efi/efivars": "efivarfs",
         "dev/mqueue": "mqueue"}


def kernel_has():
    with open("/proc/filesystems") as lines:
        return {line.split("\t")[1].strip() for line in lines}


def test_what_is_missing_is_mounted(tree):
    assert tree.run("early") == []
    mounts = tree.mounts()
    for path, (kind, options) in NEEDED.items():
        assert mounts[path][0] == kind and options <= mounts[path][1], path
    for path, kind in KNOWN.items():
        there = kind in kernel_has() and (path.startswith("dev") or
                                          tree.sh(f"ls -d {path} || true").strip() == path)
        assert (mounts.get(path, ("",))[0] == kind) == there, path
        if there:
            assert mounts[path][1] >= SAFE
    assert tree.sh("stat -c %a run dev/shm dev/pts").split() == ["755", "1777", "755"]
    assert {"gid=5", "mode=620"} <= mounts["dev/pts"][2]


def test_nothing_is_mounted_twice(tree):
    tree.run("early")
    before = tree.sh("cat /proc/self/mountinfo")
    assert tree.run("early") == []
    assert tree.sh("cat /proc/self/mountinfo") == before


@pytest.mark.parametrize("kernel", ["new", "old"])
def test_what_is_mounted_is_left_alone(tree, kernel):
    tree.sh("mkdir run proc; mount -t ramfs mine run; echo x >run/mine; mount -t tmpfs x proc; "
            "mkdir other dev/shm; mount -t tmpfs o other; echo y >other/mine; "
            "mount --bind other dev/shm")
    for _ in range(2):
        assert tree.run("early", **{kernel: "1"}) == []
        assert tree.mounts()["run"][0] == "ramfs" and tree.mounts()["proc"][0] == "tmpfs"
        assert tree.sh("cat run/mine dev/shm/mine") == "x\ny\n"
        assert tree.sh(f"grep -c ' {tree.root}/sys ' /proc/self/mountinfo") == "1\n"


def test_a_bind_mount_of_the_same_file_system_is_one(tree):
    tree.sh("mkdir run other; echo x >other/mine; mount --bind other run")
    assert tree.run("early") == []
    assert tree.sh("cat run/mine") == "x\n"


def test_nodes_and_links_of_an_empty_dev(tree):
    assert tree.run("early") == []
    assert tree.sh("cd dev; stat -c '%n %a %t:%T' console null zero full random urandom kmsg tty ptmx") \
        == ("console 600 5:1\nnull 666 1:3\nzero 666 1:5\nfull 666 1:7\nrandom 666 1:8\n"
            "urandom 666 1:9\nkmsg 600 1:b\ntty 666 5:0\nptmx 666 5:2\n")
    assert tree.sh("readlink dev/fd dev/stdin dev/stdout dev/stderr").split() == [
        "/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"]


def test_a_kernel_without_devtmpfs(tree):
    tree.sh("umount dev")
    assert tree.run("early") == [
        "/dev: the kernel has no devtmpfs (CONFIG_DEVTMPFS): only the most needed nodes are there; "
        "let mdev make the others"]
    assert tree.mounts()["dev"][0] == "tmpfs" and "nosuid" in tree.mounts()["dev"][1]
    assert tree.sh("stat -c %a:%t:%T dev dev/null dev/console").split() == ["755:0:0", "666:1:3", "600:5:1"]
    assert {"dev/pts", "dev/shm"} < set(tree.mounts())


def test_a_cgroup2_without_options(tree):
    assert tree.run("early", old=1) == []
    assert tree.mounts()["sys/fs/cgroup"][0] == "cgroup2"


def test_a_node_that_is_there_is_left_alone(tree):
    tree.sh("echo mine >dev/console; ln -s mine dev/fd")
    assert tree.run("early") == []
    assert tree.sh("cat dev/console; readlink dev/fd") == "mine\nmine\n"


def test_a_read_only_root_is_survived(tree):
    tree.sh("mkdir proc sys; mkdir dev/pts; mount -o remount,ro dev; mount -o remount,ro .")
    said = tree.run("early")
    why = "the directory is missing and cannot be made: Read-only file system"
    assert said == [
        "/dev/console is missing and cannot be made: Read-only file system",
        "/dev/null is missing and cannot be made: Read-only file system",
        f"/dev/shm: {why}; make it on the root file system",
        f"/run: {why}; make it on the root file system"]
    mounts = tree.mounts()
    assert mounts["proc"][0] == "proc" and mounts["dev/pts"][0] == "devpts" and "run" not in mounts


def test_what_cannot_be_mounted_is_named(tree):
    tree.sh("echo >run")
    assert tree.run("early") == ["/run: mounting tmpfs: Not a directory"]
    assert tree.mounts()["proc"][0] == "proc"


def test_without_proc_the_rest_is_mounted(tree):
    tree.sh("echo >proc")
    assert tree.run("early") == ["/proc: mounting proc: Not a directory"]
    assert {"sys", "run", "dev/shm"} <= set(tree.mounts())


# --- fstab ----------------------------------------------------------------------

def fstab(tree, *lines):
    """Runs it; what was said, without "/etc/fstab:"."""
    tree.write("etc/fstab", "".join(f"{line}\n" for line in lines))
    return [line.replace("/etc/fstab:", "") for line in tree.run("configured")]


def test_no_fstab_is_nothing_to_talk_about(tree):
    assert tree.run("configured") == []


def test_entries_in_their_order(tree):
    assert fstab(tree, "# a comment", "", "tmpfs /a tmpfs size=64k,nosuid,mode=700 0 0",
                 "tmpfs /a/b tmpfs noatime,ro", "tmpfs /a\\040b\\134c tmpfs user,exec,x-y=z") == []
    mounts = tree.mounts()
    assert list(mounts)[-3:] == ["a", "a/b", "a\\040b\\134c"]
    assert "nosuid" in mounts["a"][1] and {"size=64k", "mode=700"} <= mounts["a"][2]
    assert {"noatime", "ro"} <= mounts["a/b"][1]
    assert {"nosuid", "nodev"} <= mounts["a\\040b\\134c"][1] and "noexec" not in mounts["a\\040b\\134c"][1]


def test_what_is_skipped(tree):
    assert fstab(tree, "tmpfs /a tmpfs noauto", "srv:/x /b nfs defaults", "tmpfs /c tmpfs _netdev") == [
        "info: 2: /b: skipped: it needs the network; mount it by a service that comes after the network",
        "info: 3: /c: skipped: it needs the network; mount it by a service that comes after the network"]
    assert set(tree.mounts()) == {"", "dev"}


def test_failures_are_named_and_the_next_line_counts(tree):
    assert fstab(tree, "/dev/none /a ext4 defaults", "/dev/none /b ext4 nofail", "/dev/none", "x y z",
                 "UUID=12 /c ext4", "none /d nosuchfs", "tmpfs /e tmpfs size=x", "/f /g none bind",
                 "/f none swap", "LABEL=x none swap nofail", "/f /h squashfs loop,ro", "tmpfs /ok tmpfs", "x" * 4096,
                 "tmpfs /ok2 tmpfs") == [
        "warning: 1: /a: mounting /dev/none (ext4): it is not there (yet)",
        "info: 2: /b: mounting /dev/none (ext4): it is not there (yet)",
        "warning: 3: an entry has at least three fields: device, directory, type",
        "warning: 4: the second field, the directory, is no absolute path",
        "warning: 5: /c: UUID=12: no such device is there, or nobody made its link in /dev/disk; "
        "name the device itself (/dev/...)",
        "warning: 6: /d: mounting none (nosuchfs): the kernel does not have this file system",
        "warning: 7: /e: mounting tmpfs (tmpfs): it holds no such file system, or an option is wrong",
        "warning: 8: /g: mounting /f (none): it is not there (yet)",
        "warning: 9: swap: /f: it is not there (yet)",
        "info: 10: swap: LABEL=x: no such device is there, or nobody made its link in /dev/disk; "
        "name the device itself (/dev/...)",
        "warning: 11: /h: the option loop is not understood; mount it by a oneshot service",
        "warning: 13: skipped: longer than 4095 bytes"]
    assert {"ok", "ok2"} < set(tree.mounts())


def test_an_entry_that_takes_long(tree):
    """What it is about is known meanwhile, and the rest is for another call, which has its own time."""
    assert fstab(tree, "tmpfs /a tmpfs", "disk /b slow", "disk none swap noauto", "tmpfs /c tmpfs") == [
        "2: /b: mounting disk (slow)",
        "warning: 2: /b: mounting disk (slow): the kernel does not have this file system"]
    assert tree.result == 2 and "a" in tree.mounts() and "c" not in tree.mounts()
    tree.sh("umount a")
    assert tree.run("configured 2") == []
    assert tree.result == 0 and "c" in tree.mounts() and "a" not in tree.mounts()


def test_what_a_power_cut_made_of_it(tree):
    tree.sh("mkdir etc; printf 'tmpfs /a tmpfs\\n' >etc/fstab; head -c 50 /dev/zero >>etc/fstab; "
            "printf '\\ntmpfs /b tmpfs' >>etc/fstab")
    assert tree.run("configured") == ["warning: /etc/fstab:2: an entry has at least three fields: "
                                      "device, directory, type"]
    assert {"a", "b"} < set(tree.mounts())


def test_a_file_without_a_swap_area(tree):
    tree.sh("head -c 65536 /dev/zero >file")
    assert fstab(tree, "/file none swap sw,pri=3") == [
        "warning: 1: swap: /file: it holds no swap area (mkswap)"]


def test_a_directory_that_cannot_be_made(tree):
    tree.write("etc/fstab", "tmpfs /a/b tmpfs\ntmpfs /run tmpfs\n")
    tree.sh("mkdir run; mount -o remount,ro .")
    assert tree.run("configured") == ["warning: /etc/fstab:1: /a/b: the directory is missing and "
                                      "cannot be made: Read-only file system"]
    assert "run" in tree.mounts()


def test_bind(tree):
    tree.sh("mkdir -p a/sub; echo x >a/file; echo y >a2; echo >f; mount -t tmpfs t a/sub; echo z >a/sub/z")
    assert fstab(tree, "/a /b none bind,ro,nosuid", "/a /c none rbind,private", "/a2 /f none bind",
                 "/a /d auto bind,x-a") == []
    mounts = tree.mounts()
    assert {"ro", "nosuid"} <= mounts["b"][1] and "rw" in mounts["c"][1] and "c/sub" in mounts
    assert tree.sh("cat b/file c/sub/z f d/file; ls b/sub d/sub") == "x\nz\ny\nx\nb/sub:\n\nd/sub:\n"


def test_a_bind_mount_without_its_options_does_not_stay(tree):
    tree.sh("mkdir a")
    tree.write("etc/fstab", "/a /b none bind,nosuid\n/a /c none bind\n")
    assert tree.run("configured", stubborn=1) == [
        "warning: /etc/fstab:1: /b: mounting /a (none): Operation not permitted"]
    assert "b" not in tree.mounts() and "c" in tree.mounts()


def test_shared(tree):
    assert fstab(tree, "tmpfs /a tmpfs shared") == []
    assert "shared:" in tree.sh(f"grep ' {tree.root}/a ' /proc/self/mountinfo")


def test_what_is_mounted_is_not_mounted_again(tree):
    tree.sh("mkdir a; mount -t ramfs r a")
    assert fstab(tree, "tmpfs /a ext4 ro", "tmpfs /b tmpfs", "tmpfs /b tmpfs") == []
    assert tree.mounts()["a"][0] == "ramfs" and "rw" in tree.mounts()["a"][1]
    assert tree.sh(f"grep -c ' {tree.root}/b ' /proc/self/mountinfo") == "1\n"


def test_options_for_what_sinit_has_mounted_itself(tree):
    tree.run("early")
    assert fstab(tree, "tmpfs /run tmpfs size=128k,noexec", "proc /proc proc defaults",
                 "tmpfs /dev/shm tmpfs size=8z") == [
        "warning: 3: /dev/shm: mounting tmpfs (tmpfs): it holds no such file system, or an option is wrong"]
    mounts = tree.mounts()
    assert "noexec" in mounts["run"][1] and "size=128k" in mounts["run"][2]
    assert SAFE <= mounts["proc"][1]


def test_the_root_as_its_entry_says(tree):
    tree.write("etc/fstab", "/dev/root / auto noatime 0 1\n")
    tree.sh("mount -o remount,ro .")
    assert tree.run("configured") == []
    assert {"rw", "noatime"} <= tree.mounts()[""][1] and "rw" in tree.mounts()[""][2]
    assert fstab(tree, "UUID=nobody-can-find-this / tmpfs ro") == []
    assert "ro" in tree.mounts()[""][2]


def test_the_root_without_an_entry(tree):
    tree.write("etc/fstab", "tmpfs /dev/x tmpfs\n")
    tree.sh("mount -o remount,ro .")
    assert tree.run("configured") == []
    assert "ro" in tree.mounts()[""][2]


def test_a_disk_of_a_type_to_be_found_out(tree, disk):
    node(tree, disk)
    tree.sh("mkdir proc; mount -t proc p proc")
    assert fstab(tree, f"/dev/{disk} /data auto noexec") == []
    assert tree.mounts()["data"][0] == "ext4" and "noexec" in tree.mounts()["data"][1]


def test_a_disk_of_no_type_at_all(tree, tmp_path_factory):
    image = tmp_path_factory.mktemp("empty") / "image"
    image.write_bytes(bytes(1 << 20))
    with loop(image) as empty:
        node(tree, empty)
        tree.sh("mkdir proc; mount -t proc p proc")
        assert fstab(tree, f"/dev/{empty} /data auto") == [
            f"warning: 1: /data: mounting /dev/{empty} (auto): it holds no such file system, "
            "or an option is wrong"]


def test_a_write_protected_disk(tree, image):
    with loop(image, "--read-only") as disk:
        node(tree, disk)
        assert fstab(tree, f"/dev/{disk} /data ext4") == [
            "info: 1: /data: mounted read-only: the device is write-protected"]
        assert "ro" in tree.mounts()["data"][2]


@pytest.mark.parametrize("source", [
    'LABEL=data\\040set', 'LABEL="data\\040set"', "PARTUUID=AB-01", "PARTLABEL=the\\040data", "UUID=1-2"])
def test_a_disk_by_what_it_is_called(tree, disk, source):
    node(tree, disk)
    tree.sh(f"mkdir -p dev/disk/by-label dev/disk/by-uuid; ln -s ../../{disk} dev/disk/by-label/data\\\\x20set; "
            f"ln -s ../../{disk} dev/disk/by-uuid/1-2; mkdir -p sys/class/block/x1 sys/class/block/x2")
    tree.write("sys/class/block/x1/uevent", "DEVNAME=none\nPARTNAME=the\nPARTUUID=ab-0\n")
    tree.write("sys/class/block/x2/uevent", f"MAJOR=1\nDEVNAME={disk}\nPARTNAME=the data\nPARTUUID=ab-01\n")
    assert fstab(tree, f"{source} /data ext4") == []
    assert tree.mounts()["data"][0] == "ext4"


def test_a_table_that_is_too_long(tree):
    tree.write("etc/fstab", "tmpfs /a tmpfs\n" + f"# {'x' * 1000}\n" * 70 + "tmpfs /b tmpfs\n")
    assert tree.run("configured") == ["warning: /etc/fstab: only its first 65535 bytes are read; "
                                      "make it shorter"]
    assert "a" in tree.mounts() and "b" not in tree.mounts()


# --- at the end -----------------------------------------------------------------

NO_SWAP = "Filename\\tType\\tSize\\tUsed\\tPriority\\n"


def with_proc(tree):
    """With no swap: this machine's is none of our business. Nor are its loop devices: /sys is an
    empty directory."""
    tree.sh(f"mkdir proc sys; mount -t proc p proc; printf '{NO_SWAP}' >swaps; "
            "mount --bind swaps proc/swaps")


def end(tree):
    assert "proc/swaps" in tree.mounts() or "proc" not in tree.mounts()
    assert "sys" not in tree.mounts()
    return tree.run("end")


def test_all_is_unmounted_in_reverse_order(tree, disk):
    with_proc(tree)
    node(tree, disk)
    tree.sh("mkdir -p run 'a b\\c' dev/pts; mount -t tmpfs r run; mount -t tmpfs a 'a b\\c'; "
            f"mkdir 'a b\\c/d'; mount /dev/{disk} 'a b\\c/d'; echo kept >'a b\\c/d/file'; "
            "mkdir over; mount --bind 'a b\\c/d' over; mount -t tmpfs o over; mount -t devpts p dev/pts")
    assert end(tree) == [] and tree.result == 0
    assert set(tree.mounts()) == {"", "dev", "dev/pts", "proc", "proc/swaps"}
    assert "rw" in tree.mounts()[""][2]  # it is memory: nothing to save
    assert tree.sh(f"mount /dev/{disk} run; cat run/file; umount run") == "kept\n"


def test_a_mount_that_was_moved_below_a_younger_one(tree):
    with_proc(tree)
    tree.sh("mkdir a b; mount -t tmpfs b b; mount -t tmpfs a a; mkdir a/b; mount --move b a/b")
    assert end(tree) == []
    assert set(tree.mounts()) == {"", "dev", "proc", "proc/swaps"}


def test_a_busy_one_becomes_read_only(tree, disk):
    with_proc(tree)
    node(tree, disk)
    tree.sh(f"mkdir a; mount -t tmpfs a a; mkdir a/b a/c; mount -o nosuid,noatime /dev/{disk} a/b; "
            "mount -t tmpfs c a/c")
    with tree.busy("a/b"):
        for _ in range(2):
            assert end(tree) == [f"info: /a/b (ext4 on /dev/{disk}) is in use: it is read-only now"]
            assert tree.result == 0
        mounts = tree.mounts()
        assert {"ro", "nosuid", "noatime"} <= mounts["a/b"][1] and "ro" in mounts["a/b"][2]
        assert "a" in mounts and "a/c" not in mounts
    assert end(tree) == []
    assert "a" not in tree.mounts()


def test_one_that_is_read_only_needs_nothing(tree, disk):
    with_proc(tree)
    node(tree, disk)
    tree.sh(f"mkdir a; mount -o ro /dev/{disk} a")
    with tree.busy("a"):
        assert tree.run("end", stubborn=1) == [
            f"info: /a (ext4 on /dev/{disk}) is in use: it is read-only now"]
        assert tree.result == 0


def test_one_that_is_written_to_is_named(tree, disk):
    with_proc(tree)
    node(tree, disk)
    tree.sh(f"mkdir a; mount /dev/{disk} a")
    with tree.busy("a/file", "w"):
        assert end(tree) == [f"warning: /a (ext4 on /dev/{disk}) stays writable: "
                             "Device or resource busy"]
        assert tree.result == 1


def test_memory_that_is_busy_is_nothing_to_talk_about(tree):
    with_proc(tree)
    tree.sh("mkdir run a; mount -t tmpfs r run; mount -t tmpfs a a")
    with tree.busy("run/file", "w"):
        assert end(tree) == [] and tree.result == 0
        assert "run" in tree.mounts() and "a" not in tree.mounts()


def test_the_root_becomes_read_only(tree, disk):
    tree.sh(f"mount /dev/{disk} .; cd ..; cd {tree.root}; mkdir proc sys dev a; cp {tree.program} mounter; "
            f"mount -t proc p proc; printf '{NO_SWAP}' >swaps; mount --bind swaps proc/swaps; "
            "mount -t tmpfs a a; mount -o remount,noatime .")
    assert end(tree) == [] and tree.result == 0
    mounts = tree.mounts()
    assert "noatime" in mounts[""][1] and "ro" in mounts[""][2] and "a" not in mounts


def test_the_layers_of_an_overlay(tree, disk):
    """The upper one can be unmounted, but its file system lives on in the root; on the disk it has
    to end."""
    tree.sh(f"mkdir low new rw; mount /dev/{disk} rw; mkdir rw/up rw/work; cd low; "
            f"mkdir proc sys dev rw; cp {tree.program} mounter; cd ..; mount -t overlay "
            "-o lowerdir=low,upperdir=rw/up,workdir=rw/work over new; mount --move rw new/rw; "
            f"mount --move new {tree.root}")
    tree.sh(f"mount -t proc p proc; printf '{NO_SWAP}' >swaps; mount --bind swaps proc/swaps")
    assert "needs_recovery" in tree.sh(f"dumpe2fs -h /dev/{disk} 2>/dev/null")
    assert end(tree) == [] and tree.result == 0
    assert "rw" not in tree.mounts() and "ro" in tree.mounts()[""][2]
    assert "needs_recovery" not in tree.sh(f"dumpe2fs -h /dev/{disk} 2>/dev/null")


def test_a_root_that_is_written_to_is_named(tree, disk):
    tree.sh(f"mount /dev/{disk} .; cd ..; cd {tree.root}; mkdir proc sys dev; cp {tree.program} mounter; "
            f"mount -t proc p proc; printf '{NO_SWAP}' >swaps; mount --bind swaps proc/swaps")
    with tree.busy("file", "w"):
        assert end(tree) == [f"warning: / (ext4 on /dev/{disk}) stays writable: "
                             "Device or resource busy"]
        assert tree.result == 1


def test_a_loop_device_is_detached(tree, disk):
    """One whose image lies on a disk that cannot go before."""
    with_proc(tree)
    node(tree, disk)
    tree.sh(f"mkdir a b; mount /dev/{disk} a; truncate -s 1M a/image; mkfs.ext4 -q a/image")
    with loop("a/image", through=tree.sh) as inner:
        node(tree, inner)
        tree.sh(f"mount /dev/{inner} b; mkdir -p sys/block/{inner}/loop sys/block/loop255/loop; "
                f"echo >sys/block/{inner}/loop/backing_file; echo >sys/block/loop255/loop/backing_file")
        assert end(tree) == [] and tree.result == 0
        assert not {"a", "b"} & set(tree.mounts())


def test_a_server_that_may_be_gone(tree):
    """There is none here; but the kernel's list, as told by a file, says so of a busy tmpfs."""
    tree.sh("mkdir -p proc/self net sys; mount -t tmpfs n net")
    tree.write("proc/self/mountinfo", "1 1 0:1 / / rw - tmpfs none rw\n2 1 0:2 / /net rw - nfs4 srv:/x rw\n"
               "3 1 0:3 / /gone rw - cifs srv:/y rw\n")
    with tree.busy("net"):
        assert end(tree) == ["warning: /gone (cifs on srv:/y) cannot be unmounted: "
                             "No such file or directory"]
        assert "net" not in tree.mounts() and tree.result == 0


def test_swap_that_cannot_be_switched_off(tree):
    tree.sh("mkdir -p proc/self sys; echo >proc/self/mountinfo")
    tree.write("proc/swaps", "Filename\tType\n/no\\040such partition 1 0 -2\n/nor\tfile\n")
    assert end(tree) == [
        "warning: swap on /no such cannot be switched off: No such file or directory",
        "warning: swap on /nor cannot be switched off: No such file or directory"]


def test_a_list_longer_than_the_room_for_it(tree):
    tree.sh("mkdir -p proc/self sys a b; mount -t tmpfs a a; mount -t tmpfs b b")
    lines = [f"{i} 1 0:9 / /none/{'x' * 200}{i} rw - tmpfs none rw\n" for i in range(4000)]
    lines[1:1] = ["1 1 0:1 / / rw - tmpfs none rw\n"]
    tree.write("proc/self/mountinfo", "".join(lines) + "9 1 0:9 / /a rw - tmpfs none rw\n"
               + "8 1 0:9 / /b rw - tmpfs none rw\n")
    assert end(tree) == [] and tree.result == 0
    assert not {"a", "b"} & set(tree.mounts())


def test_without_proc_the_end_says_so(tree):
    assert tree.run("end") == ["warning: /proc/self/mountinfo: No such file or directory: "
                               "only / is made read-only"]
    assert "ro" in tree.mounts()[""][2]
