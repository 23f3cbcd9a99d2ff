"""Roots on a disk that is written to: what was said last is there after the power has gone, the
file systems are clean, and swap comes and goes."""

import pytest
from board_lab import bare, watched
from lab import BOOT_LIMIT
from trees import DIRECTORY, Program, ext4, is_clean, read, squashfs, swap, switch_root, tool

INIT = "init=/sbin/sinit"
FSTAB = "/dev/vda / ext4 rw,noatime 0 1\n"

# Each writes when it is asked to end, as slowly as a database; the second one is not done
# before its grace is over, and is killed.
LAST_WORDS = """#!/bin/sh
trap 'echo asked >/var/lib/asked; usleep 300000; echo done >/var/lib/done; exit 0' TERM
echo here >/var/lib/here
while :; do sleep 100000 & wait; done
"""
DEAF = """#!/bin/sh
trap '' TERM
while :; do echo line; sleep 1; done >/var/lib/deaf
"""
SERVICES = {
    "conf.d/writer.ini": "[service writer]\ncommand = /bin/writer\n",
    "conf.d/deaf.ini": "[service deaf]\ncommand = /bin/deaf\nstop_timeout = 500ms\n"
                       "kill_mode = group\n",
}


def boot(new, disk, *others, **words):
    return new(initramfs=switch_root("ext4"), disks=[disk, *others], append=INIT, **words)


@pytest.fixture
def disk(tmp_path):
    return tmp_path / "disk"


@pytest.mark.parametrize("verb, says", [("poweroff", "Power down"), ("reboot", "Restarting system"),
                                        ("halt", "System halted")])
def test_nothing_is_lost_when_the_power_goes_at_the_end(new, disk, verb, says):
    """At the very line in which the kernel says that it is over."""
    tree = bare(SERVICES, **{"bin/writer": Program(LAST_WORDS.encode()),
                             "bin/deaf": Program(DEAF.encode()), "etc/fstab": FSTAB})
    guest = boot(new, ext4(disk, tree))
    guest.until("cat /var/lib/here /var/lib/deaf")
    guest.check(f"sinitctl {verb} >/dev/null 2>&1 &")
    guest.until_console(f"reboot: {says}")
    guest.cut()
    assert read(disk, "var/lib/asked") == b"asked\n"
    assert read(disk, "var/lib/done") == b"done\n"
    assert read(disk, "var/lib/deaf").startswith(b"line\n")
    assert is_clean(disk)
    assert "panic" not in guest.console()


def test_a_disk_that_is_in_use_is_clean_all_the_same(new, tmp_path, disk):
    """A second file system, a bind mount of it, a disk of swap, and a file of swap, with which no
    file system can be unmounted; processes that stay in directories there. All of it is given
    back."""
    pages = swap(tmp_path / "pages", 4 << 20).read_bytes()
    other = ext4(tmp_path / "other", {"file": "a file\n", "pages": pages})
    tree = bare({}, **{
        "etc/fstab": FSTAB + "/dev/vdb /mnt/other ext4 rw 0 2\n/dev/vdc none swap sw 0 0\n"
                     "/mnt/other/pages none swap sw 0 0\n",
        "mnt/other": DIRECTORY, "mnt/bind": DIRECTORY})
    guest = boot(new, ext4(disk, tree), other, swap(tmp_path / "swap"))
    assert guest.check("sed 1d /proc/swaps | cut -d ' ' -f 1 | sort") == \
        "/dev/vdc\n/mnt/other/pages\n"
    assert guest.read("/mnt/other/file") == "a file\n"
    guest.check("mount -o bind /mnt/other /mnt/bind")
    guest.check("(cd /mnt/bind; exec sleep 100000) & (cd /mnt/other; exec sleep 100000) &")
    guest.check("echo written >/mnt/bind/new")
    guest.check("sinitctl poweroff >/dev/null 2>&1 &")
    guest.until_console("reboot: Power down")
    guest.cut()
    assert is_clean(disk) and is_clean(other)
    assert read(other, "new") == b"written\n"
    assert "warning" not in guest.console(), guest.console()


def test_a_state_on_a_partition_of_its_own(new, tmp_path):
    """With a root that cannot be written to: stops by hand and the random seed outlive a reboot."""
    data = ext4(tmp_path / "data", {})
    root = squashfs(tmp_path / "root", bare({
        "sinit.ini": "[sinit]\nstate_dir = /data/sinit\n",
        "conf.d/one.ini": "[service one]\ncommand = sleep 100000\n",
        "conf.d/two.ini": "[service two]\ncommand = sleep 100000\n"}, **{
        "etc/fstab": "/dev/vdb /data ext4 rw 0 2\n", "data": DIRECTORY}))

    def booted():
        guest = new(initramfs=switch_root("squashfs", more=["ext4"]), disks=[root, data],
                    append=INIT)
        watched(guest).until_state("two", state="running")
        return guest

    guest = booted()
    guest.check("sinitctl stop one")
    guest.check("sinitctl reboot >/dev/null 2>&1 &")
    assert guest.wait_end() == "reboot"
    first = read(data, "sinit/random-seed")
    assert first and is_clean(data)
    guest = booted()
    assert watched(guest).status("one")["state"] == "stopped"
    guest.check("sinitctl start one")
    guest.check("sinitctl reboot >/dev/null 2>&1 &")
    assert guest.wait_end() == "reboot"
    assert read(data, "sinit/random-seed") not in (None, first)
    assert read(data, "sinit/stopped/one") is None


def test_a_root_that_stays_read_only(new, disk):
    """No /etc/fstab: everything starts all the same, and the end finds nothing to complain of."""
    guest = boot(new, ext4(disk, bare(SERVICES)))
    assert watched(guest).until_state("agent", ready=True)
    assert guest.check("grep -c '^/dev/vda / ext4 ro' /proc/mounts") == "1\n"
    guest.check("sinitctl poweroff >/dev/null 2>&1 &")
    assert guest.wait_end() == "poweroff"
    assert is_clean(disk)


def test_a_sinit_that_was_replaced_while_it_ran(new, disk):
    """Its old file keeps the root writable, as long as it runs (that is what remount says); on the
    disk all is well."""
    guest = boot(new, ext4(disk, bare({}, **{"etc/fstab": FSTAB})))
    guest.check("cp /sbin/sinit /sbin/new && mv /sbin/new /sbin/sinit && echo kept >/var/lib/kept")
    guest.check("sinitctl poweroff >/dev/null 2>&1 &")
    guest.until_console("reboot: Power down")
    guest.cut()
    assert "/ (ext4 on /dev/vda) stays writable" in guest.console()
    assert read(disk, "var/lib/kept") == b"kept\n"
    assert "needs_recovery" not in tool(["dumpe2fs", "-h", disk]).stdout.decode()
    assert boot(new, disk).check("cat /var/lib/kept; cmp /sbin/sinit /proc/1/exe") == "kept\n"


def test_a_disk_that_does_not_answer(new, tmp_path, disk):
    """It is named when its time is up, and what comes behind it in /etc/fstab is mounted all the
    same. Its QEMU gives 90 bytes in a second."""
    dead, other = ext4(tmp_path / "dead", {}), ext4(tmp_path / "other", {})
    guest = new(initramfs=switch_root("ext4"), append=INIT, agent=False, disks=[
        ext4(disk, bare({}, **{
            "etc/fstab": FSTAB + "/dev/vdb /dead ext4 rw 0 2\n/dev/vdc /other ext4 rw 0 2\n",
            "dead": DIRECTORY, "other": DIRECTORY})),
        f"{dead},throttling.bps-read=90", other])
    guest.until_console("/etc/fstab:2: /dead: mounting /dev/vdb .ext4.: no end of it within 60 s",
                        60 + BOOT_LIMIT)
    guest.hello(BOOT_LIMIT)
    assert guest.run("cut -d ' ' -f 1,2 /proc/mounts | grep vd").output == \
        "/dev/vda /\n/dev/vdc /other\n"
