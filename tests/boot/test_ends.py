"""How a machine ends: what asks for it, and that it never is a panic."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from lab import Guest
from machines import kernel, program
from test_init import RUN, bare, tree  # noqa: F401: a fixture
from sinit_lab import Watched
from trees import Program, archive

BOOTS, BATCH = 20, 5

# Of everything that can be in the way at an end.
TROUBLE = {
    "sinit.ini": "[sinit]\nshutdown_timeout = 20s\n",
    "conf.d/fails.ini": "[service fails]\ncommand = false\nrestart = always\nrestart_delay = 10ms\n"
                        "max_backoff = 20ms\nmax_restarts = unlimited\n",
    "conf.d/stubborn.ini": "[service stubborn]\ncommand = sh -c \"trap '' TERM; echo deaf; "
                           "while :; do sleep 1; done\"\nstop_timeout = 200ms\n",
    "conf.d/corpse.ini": "[service corpse]\ncommand = sh -c 'kill -KILL $$'\nrestart = never\n",
    "conf.d/family.ini": "[service family]\ncommand = sh -c '(setsid sleep 1000 &) ; sleep 1000'\n",
    "conf.d/absent.ini": "[service absent]\ncommand = /no/such/program\n",
}


def ended(guest, how):
    """The console of one that has ended so, in order and without a panic."""
    assert guest.wait_end() == how
    text = guest.console()
    assert "Kernel panic" not in text and "Attempted to kill init" not in text
    places = [text.index(line) for line in ("sinit: stopping everything",
                                            "sinit: unmounting file systems", "reboot: ")]
    assert places == sorted(places)
    return text


@pytest.mark.parametrize("batch", range(BOOTS // BATCH))
@pytest.mark.parametrize("verb", ["poweroff", "reboot"])
def test_P102_often(verb, batch, tmp_path):
    """20 boots that end in each way, in batches; two at a time, as there are processors."""
    ender = f"[service ender]\ncommand = sinitctl --no-wait {verb}\nwants = stubborn family corpse\n" \
            "restart = never\n"
    image = archive(tree({**TROUBLE, "conf.d/ender.ini": ender}))

    def boot(number):
        where = tmp_path / str(number)
        where.mkdir()
        guest = Guest(where, initramfs=image, append="rdinit=/sbin/sinit", agent=False)
        try:
            text = ended(guest.boot(), verb)
        finally:
            guest.end()
        assert "stubborn: did not stop in time" in text
        assert "interrupted" not in text
        return text

    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(boot, range(BATCH)))) == BATCH


@pytest.mark.parametrize("ask, how", [
    ("kill -TERM 1", "reboot"), ("kill -INT 1", "reboot"), ("kill -USR2 1", "poweroff"),
    ("kill -PWR 1", "poweroff"), ("sinitctl shutdown", "poweroff"), ("kill -39 1", "reboot"),
])
def test_who_asks_for_what(bare, ask, how):
    guest = bare()
    guest.tell(ask)
    ended(guest, how)


@pytest.mark.parametrize("ask", ["kill -USR1 1", "sinitctl halt"])
def test_halt(bare, ask):
    """It stands still: QEMU goes on, and nothing more is said."""
    guest = bare()
    guest.tell(ask)
    guest.until_console("reboot: System halted")
    assert "Kernel panic" not in guest.console()
    assert guest.process.poll() is None


def test_ctrl_alt_del(bare):
    guest = bare()
    Watched(guest, RUN).until_state(state="running", ready=True)
    guest.press("ctrl", "alt", "delete")
    text = ended(guest, "reboot")
    assert "sleeper: killed by TERM" in text


def test_asked_twice(bare):
    """The second time nobody is waited for."""
    guest = bare(files={"conf.d/deaf.ini": "[service deaf]\ncommand = sh -c \"trap '' TERM; echo deaf; "
                                           "while :; do sleep 1; done\"\nstop_timeout = 1000s\n",
                        "sinit.ini": "[sinit]\nshutdown_timeout = 2000s\n"})
    guest.until_console("^deaf")
    guest.tell("kill -USR2 1")
    guest.until_console("deaf: stopping")
    guest.press("ctrl", "alt", "delete")
    assert "asked again to stop" in ended(guest, "reboot")


def test_a_critical_service_is_down(bare):
    guest = bare(files={"conf.d/critical.ini":
                        "[service heart]\ncommand = sh -c 'sleep 1; exit 3'\ncritical = yes\nrestart = never\n"})
    assert "heart: is critical: stopping everything" in ended(guest, "reboot")


def test_a_critical_service_is_down_and_only_told(bare):
    guest = bare(files={"sinit.ini": "[sinit]\ncritical_action = alert\n", "conf.d/critical.ini":
                        "[service heart]\ncommand = sh -c 'exit 3'\ncritical = yes\nrestart = never\n"})
    Watched(guest, RUN).until_state("heart", state="failed")
    guest.until_console("critical_action = alert")
    Watched(guest, RUN).until_state("sleeper", state="running")


def test_main_has_ended(bare):
    guest = bare("-- /bin/sh -c 'exit 5'", agent=False)
    ended(guest, "poweroff")


def test_kexec_without_a_kernel(bare):
    done = bare().run("sinitctl kexec")
    assert done.status == 1 and "no kernel is loaded" in done.output


def test_what_is_left_of_everything_is_ended(bare):
    """Also what no service of ours has started."""
    guest = bare()
    guest.check("cd /; (setsid sh -c 'trap \"\" HUP; trap \"echo told to go >/dev/console; exit\" TERM; "
                "echo it listens >/dev/console; while :; do sleep 0.1; done' &)")
    guest.until_console("^it listens")
    guest.check("echo 0 >/dev/null; for p in $(pidof sh); do echo $p >/sys/fs/cgroup/cgroup.procs "
                "2>/dev/null; done; true")
    guest.tell("kill -USR2 1")
    assert re.search("^told to go", ended(guest, "poweroff"), re.M)


def test_kexec(new):
    """Into the same kernel and sinit once more; the agent says hello a second time."""
    second = archive(tree())
    first = tree(**{"boot/vmlinuz": (kernel() / "vmlinuz").read_bytes(), "boot/initramfs": second,
                    "bin/kexec": Program(program("kexec").read_bytes())})
    guest = new(initramfs=archive(first), append="rdinit=/sbin/sinit")
    guest.check('kexec /boot/vmlinuz /boot/initramfs "$(cat /proc/cmdline) again"')
    guest.tell("sinitctl kexec")
    guest.until_console("sinit: starting the loaded kernel")
    guest.hello()
    assert " again" in guest.read("/proc/cmdline")
    assert "Kernel panic" not in guest.console()
    Watched(guest, RUN).until_state(state="running", ready=True)
