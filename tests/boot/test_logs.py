"""Logs on disks that do not answer, or go: only in a guest is there such a disk to be had."""

import pytest
from board_lab import bare, watched
from lab import LIMIT
from trees import DIRECTORY, ext4, is_clean, read, switch_root

FSTAB = "/dev/vda / ext4 rw,noatime 0 1\n/dev/vdb /data ext4 rw 0 2\n"
# Far more than fits into the pipe and the ring, so that it would be held up for good.
TALK = "i=0; while :; do i=$((i+1)); echo $i; [ $((i % 1000)) = 0 ] && echo $i >/run/{name}; " \
    "[ $i = {most} ] && exec sleep 100000; done"


def service(name, most, **keys):
    keys = {"command": f"sh -c '{TALK.format(name=name, most=most)}'", **keys}
    return {f"conf.d/{name}.ini": f"[service {name}]\n" +
            "".join(f"{key} = {value}\n" for key, value in keys.items())}


@pytest.fixture
def disk(tmp_path):
    return tmp_path / "disk"


@pytest.fixture
def data(tmp_path):
    return ext4(tmp_path / "data", {})


def boot(new, disk, data, files):
    tree = bare(files, **{"etc/fstab": FSTAB, "data": DIRECTORY})
    return new(initramfs=switch_root("ext4"), disks=[ext4(disk, tree), data], append="init=/sbin/sinit")


def off(guest):
    guest.check("sinitctl poweroff >/dev/null 2>&1 &")
    guest.until_console("reboot: Power down", 3 * LIMIT)
    guest.cut()


def numbers(text):
    return [int(line) for line in text.splitlines()]


@pytest.mark.timeout(300)
def test_a_disk_that_does_not_answer(new, disk, data):
    """The logger hangs in the kernel, where it cannot even be killed. PID 1 does not; another
    logger writes the other files; who logs to the disk loses lines, not time. When the disk is
    back nothing is there twice, and the log goes on."""
    files = {**service("held", 60000, log="/data/held.log", enabled="no"),
             **service("free", 60000, log="/var/lib/free.log", enabled="no"),
             **service("first", 1000, log="/data/held.log")}
    guest = boot(new, disk, data, files)
    sinit = watched(guest)
    guest.until("grep -qx 1000 /data/held.log")
    guest.check("fsfreeze --freeze /data && sinitctl start held free >/dev/null")
    guest.until_console("the logger hangs in the kernel", 2 * LIMIT)
    assert "sinit answers" in guest.check("sinitctl ping")
    guest.until("grep -qx 60000 /run/held", 2 * LIMIT)
    guest.until("grep -qx 60000 /var/lib/free.log", 2 * LIMIT)
    assert numbers(guest.read("/var/lib/free.log")) == list(range(1, 60001))
    guest.check("fsfreeze --unfreeze /data")
    guest.until("grep -qx 60000 /data/held.log", 2 * LIMIT)
    written = numbers(guest.read("/data/held.log"))[1000:]
    assert len(set(written)) == len(written) and written == sorted(written)
    assert len(written) < 60000
    sinit.until_state("held", log_dropped=60000 - len(written))
    off(guest)
    assert is_clean(disk) and is_clean(data)


@pytest.mark.timeout(300)
def test_the_last_words_of_a_board_are_on_its_disk(new, disk, data):
    """Services that log to a file are heard until they have ended; sinit's own file is closed
    before its disk is unmounted."""
    bye = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 100000 & wait; done"
    files = {"sinit.ini": "[sinit]\nlog_target = /data/sinit.log\n",
             "conf.d/a.ini": f"[service a]\ncommand = sh -c \"{bye}\"\nlog = /data/a.log\n"}
    guest = boot(new, disk, data, files)
    guest.until("grep -qx up /data/a.log")
    off(guest)
    assert is_clean(disk) and is_clean(data)
    assert read(data, "a.log") == b"up\nbye\n"
    assert b"sinit: a: started" in read(data, "sinit.log")
    assert b"sinit: stopping everything" in read(data, "sinit.log")
