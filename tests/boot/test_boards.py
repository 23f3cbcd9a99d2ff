"""The small system of conf.d/board, booted as a board boots it: sinit is what the kernel starts,
nothing has been mounted or set up for it."""

import gzip
import re
import subprocess

import pytest
from board_lab import board, board_tool, watched
from lab import line_modules
from machines import SINIT, TOP
from sinit_lab import until
from trees import archive, squashfs, switch_root

OFF = {"ntpd", "data", "fsck-data"}  # as they stand
ASKED_FOR = pytest.mark.boards  # by make test-boards
KINDS = ["x86_64", "aarch64", pytest.param("armhf", marks=ASKED_FOR),
         pytest.param("riscv64", marks=ASKED_FOR)]


def all_ready(guest):
    """Until every service that is on is ready."""
    def ready():
        status = watched(guest).status()
        good = all(s["ready"] for name, s in status.items() if name not in OFF)
        return good and status

    try:
        return until(ready, "all are ready")
    except AssertionError:
        raise AssertionError(f"{watched(guest).ctl('status', code=None)}"
                             f"{guest.run('dmesg | tail -n 40').output}") from None


def log_in(guest):
    """At the console; what the shell there says is on it from now on."""
    guest.until_console(r"^board login: ")
    guest.type("root\n")
    guest.until_console("^/root # |~ # ")


def assert_it_works(guest):
    status = all_ready(guest)
    assert set(status) - OFF == {"agent", "coldplug", "mdev", "modules", "klogd",
                                 "udhcpc", "httpd", "getty"}
    assert guest.check("readlink /proc/1/exe; hostname") == "/sbin/sinit\nboard\n"
    assert "sinit:" not in guest.console(), guest.console()
    assert re.search(r"inet 10\.0\.2\.15/24", guest.check("ip addr show eth0"))
    assert "nameserver 10.0.2.3" in guest.read("/etc/resolv.conf")
    assert "default via 10.0.2.2" in guest.check("ip route")
    assert "sinit" in guest.check("wget -q -O - http://127.0.0.1/")
    guest.check("logger -t test hello there")
    assert "test: hello there" in guest.until("sinitctl logs syslog | grep 'test: hello'")
    guest.until("sinitctl logs syslog | grep 'sinit: getty: started'", what="sinit's messages, by klogd")
    assert guest.read("/sys/fs/cgroup/httpd.service/memory.max") == f"{16 << 20}\n"


def assert_it_goes(guest):
    """By the command of busybox, which sends a signal to PID 1, typed by who is logged in."""
    log_in(guest)
    guest.type("sinitctl status httpd | cat\n")
    guest.until_console("^httpd +running +yes")
    guest.type("poweroff\n")
    assert guest.wait_end() == "poweroff"
    assert "panic" not in guest.console()


@pytest.mark.parametrize("arch", KINDS)
def test_a_board_with_a_root_of_squashfs(new, tmp_path, arch):
    disk = squashfs(tmp_path / "disk", board(arch))
    guest = new(arch=arch, disks=[disk], network=True, append="init=/sbin/sinit",
                initramfs=switch_root("squashfs", arch, ["virtio_net", *line_modules(arch)]))
    assert_it_works(guest)
    assert guest.check("grep -c ' / squashfs ro' /proc/mounts") == "1\n"
    assert guest.check("stat -f -c %T /run /tmp /var") == "tmpfs\n" * 3
    assert_it_goes(guest)


@pytest.mark.parametrize("arch", KINDS)
def test_a_board_that_is_an_initramfs(new, arch):
    """sinit is its /init, and the modules are those of /etc/modules: no address before, and on
    some machines no agent."""
    tree = board(arch, ["virtio_pci", "virtio_net", *line_modules(arch)])
    guest = new(arch=arch, initramfs=archive(tree), network=True)
    assert_it_works(guest)
    assert "virtio_net" in guest.read("/proc/modules")
    assert guest.check("awk '$2 == \"/\" { print $1 }' /proc/mounts") == "rootfs\n"
    assert_it_goes(guest)


def test_logins_one_after_the_other(new):
    """A new one after each; a terminal that is not there makes no storm. None of it waits for the
    network: there is none."""
    tree = board()
    getty = tree["etc/sinit/conf.d/90-getty.ini"].decode()
    tree["etc/sinit/conf.d/91-nowhere.ini"] = getty.replace(
        "[service getty]", "[service nowhere]").replace("/dev/console", "/dev/ttyS9")
    guest = new(initramfs=archive(tree))
    for number in range(2):
        seen = len(guest.console())
        guest.until_console(r"^board login: ", after=seen if number else 0)
        guest.type("root\n")
        guest.until_console("^(/root|~) # ", after=seen)
        guest.type("tty; exit\n")
        guest.until_console("^/dev/", after=seen)
    watched(guest).until_state("getty", restarts=lambda n: n >= 2)
    assert watched(guest).status("udhcpc")["state"] == "waiting"
    told = watched(guest).until_event("nowhere", "backoff", 3)[:3]
    assert [re.search(r"in (\S+)", e["message"])[1] for e in told] == ["500ms", "1s", "2s"]


def test_what_make_board_makes(tmp_path):
    done = subprocess.run([TOP / ".ci/board", "x86_64", tmp_path / "out"], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    for name in ("rootfs.cpio.gz", "rootfs.squashfs"):
        assert (tmp_path / "out" / name).stat().st_size < 3 << 20
    assert gzip.decompress((tmp_path / "out/rootfs.cpio.gz").read_bytes()) == \
        archive(board_tool().board("x86_64"))
    assert (tmp_path / "out/rootfs/sbin/sinit").read_bytes() == SINIT.read_bytes()
    checked = subprocess.run([SINIT, "--check", "-c", tmp_path / "out/rootfs/etc/sinit"],
                             text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert checked.returncode == 0, checked.stdout
