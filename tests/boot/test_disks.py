"""The laboratory itself: roots on disks, the power's end, keys. No sinit is in it; a shell on the
root is what "init=" starts."""

import pytest
from lab import LIMIT
from trees import Link, Program, base, ext4, is_clean, read, squashfs, swap, switch_root

FIRST = """#!/bin/sh
export PATH=/bin:/sbin
echo "first: $*" >/dev/console
mount -t proc proc /proc
mount -t devtmpfs dev /dev
agent /dev/ttyS1
exec sh </dev/console >/dev/console 2>&1
"""

INIT = "init=/etc/first -- one two"


def root(**more):
    return {**base(), "etc/first": Program(FIRST), "etc/text": "a text\n",
            "etc/link": Link("text"), **more}


@pytest.fixture
def disk(tmp_path):
    return tmp_path / "disk"


def test_a_root_of_ext4_and_what_is_on_it_after_a_cut(new, disk):
    ext4(disk, root())
    guest = new(initramfs=switch_root("ext4"), disks=[disk], append=INIT)
    assert "first: one two" in guest.console()
    assert guest.check("cat /etc/link; stat -c %a,%F /etc/first /dev/console") == \
        "a text\n755,regular file\n600,character special file\n"
    assert guest.check("grep -c '^/dev/vda / ext4 ro' /proc/mounts") == "1\n"
    guest.check("mount -o remount,rw / && echo kept >/root/kept && sync && echo lost >/root/lost")
    guest.cut()
    assert not is_clean(disk)
    # What is in the journal only is not seen; the file system knows it after a mount.
    guest = new(initramfs=switch_root("ext4"), disks=[disk], append=INIT)
    assert guest.run("cat /root/kept; cat /root/lost 2>/dev/null").output == "kept\n"
    guest.check("mount -o remount,rw / && sync && mount -o remount,ro /")
    guest.cut()
    assert is_clean(disk)
    assert read(disk, "root/kept") == b"kept\n"
    assert read(disk, "/root/none") is None


def test_a_root_of_squashfs_and_a_swap_disk(new, disk, tmp_path):
    squashfs(disk, root())
    guest = new(initramfs=switch_root("squashfs"), append=INIT,
                disks=[disk, swap(tmp_path / "swap")])
    assert guest.check("cat /etc/link; stat -c %a,%F /etc/first") == "a text\n755,regular file\n"
    assert guest.run("echo more >/etc/text").status != 0
    assert guest.check("swapon /dev/vdb && sed 1d /proc/swaps | wc -l") == "1\n"
    guest.poweroff()
    assert guest.wait_end() == "poweroff"


def test_keys_and_the_monitor(new, disk):
    """The agent gone, a shell on the console is typed at; and the kernel itself restarts at
    ctrl-alt-del."""
    squashfs(disk, root())
    guest = new(initramfs=switch_root("squashfs"), append=INIT, disks=[disk])
    guest.line.sendall(b"run 0 1000 16 0\nkill -KILL $PPID")
    guest.type("echo typed $((40 + 2))\n")
    guest.until_console("^typed 42")
    guest.type("echo 1 >/proc/sys/kernel/ctrl-alt-del\necho armed $((1 + 1))\n")
    guest.until_console("^armed 2")
    guest.press("ctrl", "alt", "delete")
    assert guest.wait_end(LIMIT) == "reboot"
