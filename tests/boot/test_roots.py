"""Roots on a disk that is written to: what was said last is there after the power has gone, the
file systems are clean, and swap comes and goes."""

import pytest
from board_lab import bare, watched
from lab import BOOT_LIMIT
from machines import TOP
from trees import (DIRECTORY, Link, Program, ext4, is_clean, read, squashfs, swap, switch_root, tool,
                   with_libraries)

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


def boot(new, disk, *others, append=INIT, **words):
    return new(initramfs=switch_root("ext4"), disks=[disk, *others], append=append, **words)


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



def with_second(new, disk, *others, state_dir="/var/lib/sinit", more=(), **tree):
    """A guest whose second disk is at /mnt."""
    lines = "".join(f"{line}\n" for line in ("/dev/vdb /mnt ext4 rw 0 2", *more))
    return boot(new, ext4(disk, bare({"sinit.ini": f"[sinit]\nstate_dir = {state_dir}\n",
                                      "conf.d/x.ini": "[service x]\ncommand = sleep 100000\n"},
                                     **{"etc/fstab": FSTAB + lines, "mnt": DIRECTORY, **tree})), *others)


def off(guest, limit=100):
    guest.check("sinitctl poweroff >/dev/null 2>&1 &")
    guest.until_console("reboot: Power down", limit)
    guest.cut()


@pytest.mark.timeout(300)
def test_a_slow_disk_is_waited_for(new, disk, tmp_path):
    """As long as it gets on, however long that takes: 35 MB at 0.8 MB/s are more than the 30 s in
    which a disk that does nothing is given up."""
    other = ext4(tmp_path / "other", {}, "200M")
    guest = with_second(new, disk, f"{other},throttling.bps-write=800000")
    guest.check("head -c 35000000 /dev/zero | tr '\\0' x >/mnt/large", timeout=100)
    off(guest, 110)
    assert is_clean(other) and read(other, "large") == b"x" * 35000000
    assert "does not answer" not in guest.console()


@pytest.mark.timeout(300)
def test_swap_that_is_full_of_a_tmpfs(new, disk, tmp_path):
    """Memory has no room for what is in swap; nobody needs it any more."""
    other, pages = ext4(tmp_path / "other", {}), swap(tmp_path / "pages", 600 << 20)
    guest = with_second(new, disk, other, pages, more=["/dev/vdc none swap sw 0 0"])
    guest.check("mkdir /run/t; mount -t tmpfs -o size=700m t /run/t; "
                "dd if=/dev/zero of=/run/t/large bs=1M count=540 2>/dev/null; echo kept >/mnt/kept", timeout=200)
    assert int(guest.check("awk 'NR == 2 { print $4 }' /proc/swaps")) > 50000
    off(guest)
    assert is_clean(other) and is_clean(disk) and read(other, "kept") == b"kept\n"


def test_a_state_that_does_not_answer(new, disk, tmp_path):
    """A file system that is frozen holds whoever writes to it: not PID 1, and not the others' end."""
    state, other = ext4(tmp_path / "state", {}), ext4(tmp_path / "other", {})
    guest = with_second(new, disk, other, state, more=["/dev/vdc /state ext4 rw 0 2"],
                        state_dir="/state/sinit", **{"state": DIRECTORY})
    guest.until("ls /state/sinit/random-seed")
    guest.check("fsfreeze --freeze /state; echo kept >/mnt/kept")
    said = guest.check("sinitctl stop x && sinitctl ping")
    assert "x: stopped, but not for the next start of sinit" in said and "sinit answers" in said
    off(guest)
    assert is_clean(other) and is_clean(disk) and read(other, "kept") == b"kept\n"


def test_a_disk_below_dev(new, disk, tmp_path):
    other = ext4(tmp_path / "other", {})
    guest = boot(new, ext4(disk, bare({}, **{"etc/fstab": FSTAB})), other)
    guest.check("mkdir /dev/data && mount -t ext4 /dev/vdb /dev/data && echo kept >/dev/data/kept")
    off(guest)
    assert is_clean(other) and read(other, "kept") == b"kept\n"


def test_a_run_directory_on_the_disk(new, disk):
    guest = boot(new, ext4(disk, bare({}, **{"etc/fstab": FSTAB})),
                 append=f"{INIT} -- -r /var/lib/run")
    guest.tell("kill -USR2 1")
    guest.until_console("reboot: Power down")
    guest.cut()
    assert is_clean(disk) and "stays writable" not in guest.console()


STOPPED = """#!/bin/sh
trap 'echo bye >/var/lib/bye; exit' TERM
echo $$ >/sys/fs/cgroup/cgroup.procs
echo up >/var/lib/up
while :; do sleep 1; done
"""


def test_who_is_stopped_hears_of_the_end(new, disk):
    """Somebody who belongs to no service, and stands still."""
    guest = boot(new, ext4(disk, bare(
        {}, **{"etc/fstab": FSTAB, "bin/stopped": Program(STOPPED.encode())})))
    guest.check("(setsid /bin/stopped >/dev/null 2>&1 &)")
    guest.until("cat /var/lib/up")
    guest.check("kill -STOP $(pidof stopped)")
    off(guest)
    assert read(disk, "var/lib/bye") == b"bye\n"


@pytest.mark.timeout(300)
def test_a_disk_that_does_not_answer(new, tmp_path, disk):
    """It is named when its time is up, and what comes behind it in /etc/fstab is mounted all the
    same. QEMU gives a block or two of it, for the look at its partitions, and then a byte in a
    second."""
    dead, other = ext4(tmp_path / "dead", {}), ext4(tmp_path / "other", {})
    guest = new(initramfs=switch_root("ext4"), append=INIT, agent=False, disks=[
        ext4(disk, bare({}, **{
            "etc/fstab": FSTAB + "/dev/vdb /dead ext4 rw 0 2\n/dev/vdc /other ext4 rw 0 2\n",
            "dead": DIRECTORY, "other": DIRECTORY})),
        f"{dead},throttling.bps-read=1,throttling.bps-read-max=6000", other])
    guest.until_console("/etc/fstab:2: /dead: mounting /dev/vdb .ext4.: no end of it within 60 s",
                        60 + BOOT_LIMIT)
    guest.hello(BOOT_LIMIT)
    assert guest.run("cut -d ' ' -f 1,2 /proc/mounts | grep vd").output == \
        "/dev/vda /\n/dev/vdc /other\n"


def test_a_partition_that_is_looked_over_first(new, disk, tmp_path):
    """By the drop-in of conf.d/board, with an e2fsck; nothing is mounted before."""
    data = ext4(tmp_path / "data", {"file": "a file\n"})
    tool(["debugfs", "-w", "-R", "ssv state 2", data])  # "errors detected"
    drop_in = (TOP / "conf.d/board/50-data.ini").read_text()
    guest = boot(new, ext4(disk, bare(
        {"conf.d/data.ini": drop_in.replace("/dev/mmcblk0p3", "/dev/vdb").replace("enabled = no\n", "")},
        **{"etc/fstab": FSTAB + "/dev/vdb /data ext4 noauto,noatime 0 2\n", "data": DIRECTORY,
           "sbin/fsck": Link("/bin/e2fsck"), **with_libraries("e2fsck")})), data)
    sinit = watched(guest)
    assert sinit.until_state("data", state="done")
    assert [e["service"] for e in sinit.events(None, "done")] == ["fsck-data", "data"]
    assert guest.read("/data/file") == "a file\n"
    off(guest)
    assert is_clean(data)
