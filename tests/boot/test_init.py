"""sinit as the first process of a machine, with nothing before it: the kernel starts it from the
initramfs."""

import re

import pytest
from lab import AGENT
from sinit_lab import Watched
from trees import Program, archive, base, configuration

RUN = "/run/sinit"
SLEEPER = "[service sleeper]\ncommand = sleep 100000\n"


def tree(files=None, console=True, **more):
    """An initramfs that is sinit's own: with `files` of its configuration and the agent; a file or
    directory that is `...` is left out."""
    files = {"conf.d/agent.ini": AGENT, "conf.d/sleeper.ini": SLEEPER, **(files or {})}
    full = {**base(console=console), "etc/hostname": "board\n", **configuration(files), **more}
    return {path: what for path, what in full.items() if what is not Ellipsis}


@pytest.fixture
def bare(new):
    """bare(append, agent=, ...): booted with sinit as its init; the rest is for tree()."""
    def boot(append="", agent=True, console_name=None, **more):
        return new(initramfs=archive(tree(**more)), append=f"rdinit=/sbin/sinit {append}",
                   agent=agent, console_name=console_name)
    return boot


def warnings(guest):
    return [line for line in guest.console().splitlines()
            if re.search(r"sinit: (warning|error)", line)]


def test_everything_is_mounted_and_set(bare):
    guest = bare()
    mounts = {(place, kind) for _, place, kind, *_ in
              (line.split() for line in guest.read("/proc/mounts").splitlines())}
    assert {("/proc", "proc"), ("/sys", "sysfs"), ("/dev", "devtmpfs"), ("/dev/pts", "devpts"),
            ("/dev/shm", "tmpfs"), ("/run", "tmpfs"), ("/sys/fs/cgroup", "cgroup2")} <= mounts
    assert guest.check("stat -c %a /dev/shm /run") == "1777\n755\n"
    assert guest.check("hostname") == "board\n"
    assert guest.check("ping -c 1 -W 5 127.0.0.1 >/dev/null && readlink /proc/1/exe") == "/sbin/sinit\n"
    assert "/sbin" in guest.check("tr '\\0' '\\n' </proc/$PPID/environ | grep ^PATH=")
    assert guest.check("cd /proc/1/fd; for n in 0 1 2; do readlink $n; done") == "/dev/console\n" * 3
    status = Watched(guest, RUN).until_state(state="running", ready=True)
    assert set(status) == {"agent", "sleeper"}
    assert warnings(guest) == []


def test_words_for_others_and_for_sinit(bare):
    """What the kernel does not know it passes on: that is for nobody. What is behind -- is for
    sinit, and so are its own words."""
    guest = bare("splash sinit.conf=/etc/other nonsense -- -r /run/elsewhere",
                 **{"etc/other/conf.d/a.ini": AGENT})
    assert set(Watched(guest, "/run/elsewhere").until_state(state="running")) == {"agent"}
    assert warnings(guest) == []


def test_a_command_behind_the_dashes_is_main(bare):
    guest = bare('-- /bin/sh -c "sleep 100000"')
    assert Watched(guest, RUN).until_state("main", state="running")


def test_what_is_wrong_on_the_command_line_is_told_and_survived(bare):
    guest = bare("sinit.sinlge -- --frobnicate")
    guest.check("true")
    assert "sinit.sinlge on the kernel's command line: there is no such word" in guest.console()
    assert re.search("not used: .*--frobnicate", guest.console())


def test_debug(bare):
    guest = bare("sinit.debug", files={"sinit.ini": "[sinit]\nlog_level = error\n"})
    guest.until_console("sinit: sleeper: started")


def test_P106_no_console_node(bare):
    """0, 1 and 2 are closed, as the kernel leaves them then; there is one once /dev is mounted.
    (The kernel has such a node in its own initramfs.)"""
    script = "#!/bin/sh\n/bin/rm /dev/console\nexec /sbin/sinit 0<&- 1>&- 2>&-\n"
    guest = bare("rdinit=/init", init=Program(script))
    assert guest.check("cd /proc/1/fd; for n in 0 1 2; do readlink $n; done") == "/dev/console\n" * 3
    guest.until_console("sinit: sleeper: started")


def test_P106_no_console_at_all(bare):
    """Nobody would see its messages on a terminal: the kernel keeps them."""
    guest = bare(console_name="ttyUSB0")
    guest.until("dmesg | grep 'sinit: sleeper: started'")


def test_nothing_is_there(bare):
    """No directory to mount anything on."""
    guest = bare(console=False, proc=..., sys=..., dev=..., run=..., tmp=...)
    Watched(guest, RUN).until_state(state="running", ready=True)
    assert warnings(guest) == []


def test_broken_drop_ins_do_not_stop_the_boot(bare):
    guest = bare(files={
        "conf.d/bad.ini": "[service bad]\ncomand = x\n[service good]\ncommand = sleep 100000\n",
        "conf.d/needy.ini": "[service needy]\ncommand = sleep 9\nrequires = bad\n",
        "conf.d/noise.ini": "not a line\n[servce x]\n"})
    sinit = Watched(guest, RUN)
    assert sinit.until_state("bad", state="failed", cause="config")
    assert sinit.until_state("needy", state="failed")
    sinit.until_state("good", state="running")
    for said in ("sinit: error: /etc/sinit/conf.d/bad.ini:2: comand: unknown key", "noise.ini:1:",
                 "noise.ini:2:", "sinit.single on the kernel's command line gives a shell"):
        assert said in guest.console()
    # It is told in full by the verb that status names.
    assert "bad.ini:2: comand: unknown key" in guest.run("sinitctl check").output


def test_errors_of_the_start_are_in_the_log_too(bare):
    """On the console for who sits there, and where messages go."""
    guest = bare(files={"conf.d/bad.ini": "[service bad]\ncomand = x\n",
                        "sinit.ini": "[sinit]\nlog_target = kmsg\n"},
                 **{"etc/fstab": "/dev/none /mnt ext4 defaults 0 0\n"})
    told = guest.until("dmesg | grep 'bad.ini:2: comand: unknown key'")
    assert "sinit: error" in guest.console() and "sinit" in told
    assert "/dev/none" in guest.check("dmesg")


def test_a_host_name_that_is_no_file(new):
    """Nothing that has to be there is waited for."""
    script = "#!/bin/sh\n/bin/rm /etc/hostname\n/bin/mkfifo /etc/hostname\nexec /sbin/sinit\n"
    new(initramfs=archive(tree(init=Program(script)))).check("sinitctl ping")


def test_a_full_run(new):
    """No board and no FIFO, but services and a good end."""
    script = """#!/bin/sh
/bin/mkdir -p /run
/bin/mount -t tmpfs -o size=4k,nr_inodes=3 run /run
/bin/cat /bin/busybox >/run/fill 2>/run/errors
exec /sbin/sinit
"""
    guest = new(initramfs=archive(tree(init=Program(script))))
    assert "4096" in guest.check("ls -l /run/fill")
    guest.check("pidof sleep && pidof sinit")
    assert "sinitctl" in guest.console()
    guest.tell("kill -USR2 1")
    assert guest.wait_end() == "poweroff"


def test_time_jumps_while_it_boots(bare):
    """Only CLOCK_MONOTONIC counts: neither a back-off nor a time-out is skipped or stretched."""
    jump = "[service clock]\ntype = oneshot\ncommand = date -s '2038-01-19 03:14:07'\npriority = 1\n" \
           "[service back]\ntype = oneshot\ncommand = date -s '1971-01-01'\nrequires = clock\n"
    guest = bare(files={"conf.d/jump.ini": jump, "conf.d/fails.ini":
                        "[service fails]\ncommand = false\nrestart_delay = 300ms\nmax_restarts = 2\n"
                        "backoff_multiplier = 1\n"})
    sinit = Watched(guest, RUN)
    sinit.until_state("back", state="done")
    sinit.until_state("fails", state="fatal", restarts=2)
    sinit.until_state("sleeper", state="running", uptime_seconds=lambda up: up < 1000)
