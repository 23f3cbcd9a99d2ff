"""wait_for and [net]: what services wait for comes, goes and comes back; interfaces are set up.

The interfaces are bridges in the network namespace that sinit is born in: they need no driver.
"""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from harness import command_line, freeze
from services import children, process_state, sinit, until  # noqa: F401

ENTER = ["nsenter", *([] if os.geteuid() == 0 else ["--user", "--preserve-credentials"])]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="takes capabilities away from root")
# A server that does not try twice.
SERVER = ("python3 -c 'import socket, time; s = socket.socket(); s.bind((\"{address}\", 80)); "
          "s.listen(); time.sleep(1000)'")


def run(sinit, *words):
    """In sinit's namespaces of the network and of mounts."""
    return subprocess.run([*ENTER, "--target", str(sinit.pid), "--net", "--mount", *map(str, words)],
                          check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def with_links(*names):
    """Words that make interfaces before sinit begins."""
    made = "; ".join(f"ip link add {name} type bridge" for name in names)
    return ("sh", "-c", f'{made}; exec "$@"', "sh")


def listens(sinit, address):
    until(lambda: f"{address}:80" in run(sinit, "ss", "-Hltn") or sinit.events(None, "exit"),
          "the server listens or has ended")
    return not sinit.events(None, "exit")


def net(sinit, name, **keys):
    text = "".join(f"{key} = {value}\n" for key, value in keys.items())
    (sinit.config / f"conf.d/net-{name}.ini").write_text(f"[net {name}]\n{text}")


def helpers(sinit):
    return [pid for pid in children(sinit.pid) if command_line(pid) == [b"sinit: devices"]]


def helper(sinit):
    """The devices helper's pid."""
    return until(lambda: helpers(sinit), "the devices helper runs")[0]


def waits(sinit, name, what):
    sinit.until_state(name, state="waiting", reason=f"waiting for {what}")


def kill(sinit, name):
    """By number it would be another process's, outside of the namespace."""
    sinit.ctl("signal", name, "KILL")


def settled(sinit):
    """The state of the helper as the tests can see it: it sleeps, having looked at everything; and
    so does sinit, having heard of it."""
    until(lambda: process_state(helper(sinit)) == "S" and process_state(sinit.pid) == "S",
          "the helper and sinit sleep")
    return helper(sinit)


# --- paths

def test_path_later(sinit):
    """Directories on the way to it are not there either."""
    path = sinit.directory / "one/two/three"
    sinit.service("a", wait_for=path)
    sinit.service("b", requires="a")
    sinit.start()
    waits(sinit, "a", path)
    waits(sinit, "b", "a")
    path.parent.parent.mkdir()
    path.parent.mkdir()
    path.with_name("another").touch()
    waits(sinit, "a", path)
    path.touch()
    sinit.until_state(ready=True)
    assert not sinit.events("a", "exit")


def test_all_of_them(sinit):
    """In whatever order they come; the reason names what is missing."""
    paths = [sinit.directory / name for name in "xyz"]
    sinit.service("a", wait_for=" ".join(map(str, paths)))
    sinit.start()
    waits(sinit, "a", f"{paths[0]} and 2 more")
    paths[1].touch()
    waits(sinit, "a", f"{paths[0]} and 1 more")
    paths[0].touch()
    waits(sinit, "a", paths[2])
    paths[2].mkdir()
    sinit.until_state("a", ready=True)


def test_moved_there(sinit):
    """A file that is made beside and renamed, below a directory that is renamed too."""
    path = sinit.directory / "dir/file"
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    (sinit.directory / "new").mkdir()
    (sinit.directory / "new/part").touch()
    (sinit.directory / "new").rename(path.parent)
    waits(sinit, "a", path)
    (path.parent / "part").rename(path)
    sinit.until_state("a", ready=True)


def test_symlink(sinit):
    """What it leads to counts."""
    path, target = sinit.directory / "link", sinit.directory / "target"
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    path.symlink_to(target)
    waits(sinit, "a", path)
    path.unlink()
    target.touch()
    path.symlink_to(target)
    sinit.until_state("a", ready=True)


def test_link_to_what_comes_later(sinit):
    """Nothing happens beside the link then; relative and absolute ones, one behind the other, and
    directories on the way that are not there yet either."""
    first, second = sinit.directory / "links/first", sinit.directory / "links/second"
    target = sinit.directory / "one/two/target"
    first.parent.mkdir()
    first.symlink_to("../links//second")
    second.symlink_to(target)
    sinit.service("a", wait_for=first)
    sinit.start()
    waits(sinit, "a", first)
    settled(sinit)
    target.parent.parent.mkdir()
    target.parent.mkdir()
    target.touch()
    sinit.until_state("a", ready=True)


def test_link_on_the_way(sinit):
    """To a directory that is not there, then is one with nothing in it, then a file was in its
    place."""
    path, target = sinit.directory / "link/one/two", sinit.directory / "target"
    (sinit.directory / "link").symlink_to("target")
    target.touch()
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    settled(sinit)
    target.unlink()
    target.mkdir()
    settled(sinit)
    (target / "one").mkdir()
    (target / "one/two").touch()
    sinit.until_state("a", ready=True)


def test_link_replaced(sinit):
    """By one that leads elsewhere: what the old one led to is of no interest any more. It is the
    second of two, far from the name that is waited for."""
    path, middle = sinit.directory / "link", sinit.directory / "dir/middle"
    middle.parent.mkdir()
    path.symlink_to(middle)
    middle.symlink_to(sinit.directory / "old")
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    settled(sinit)
    new = middle.with_name("new")
    new.symlink_to(sinit.directory / "other")
    new.rename(middle)
    settled(sinit)
    (sinit.directory / "old").touch()
    settled(sinit)
    waits(sinit, "a", path)
    (sinit.directory / "other").touch()
    sinit.until_state("a", ready=True)


def test_link_to_what_is_there(sinit):
    """That what it leads to goes, and comes back, is seen."""
    path, target = sinit.directory / "link", sinit.directory / "dir/target"
    target.parent.mkdir()
    target.touch()
    path.symlink_to(target)
    sinit.settings(log_level="debug")
    sinit.service("a", wait_for=path)
    sinit.up()
    target.unlink()
    until(lambda: f"{path} is gone" in sinit.log(), "sinit knows")
    kill(sinit, "a")
    waits(sinit, "a", path)
    target.touch()
    sinit.until_state("a", state="running", ready=True)


def test_links_in_a_circle(sinit):
    """It is told once, and the helper still sleeps; a link that is mended is seen."""
    path, other = sinit.directory / "link", sinit.directory / "dir/other"
    other.parent.mkdir()
    path.symlink_to(other)
    other.symlink_to(path)
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    settled(sinit)
    other.unlink()
    other.symlink_to("other")
    settled(sinit)
    assert sinit.log().count(f"wait_for = {path}: links on the way lead back to themselves") == 1
    other.unlink()
    other.touch()
    sinit.until_state("a", ready=True)


def test_mounted(sinit):
    """A mount makes paths appear without any of them being made."""
    path, source = sinit.directory / "mnt/file", sinit.directory / "source"
    path.parent.mkdir()
    source.mkdir()
    (source / "file").touch()
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    run(sinit, "mount", "--bind", source, path.parent)
    sinit.until_state("a", ready=True)


def test_gone_and_back(sinit):
    """The service that runs is left alone; its next life waits."""
    path = sinit.directory / "there"
    path.touch()
    sinit.settings(log_level="debug")
    sinit.service("a", wait_for=path)
    sinit.up()
    pid = sinit.status("a")["pid"]
    path.unlink()
    until(lambda: f"{path} is gone" in sinit.log(), "sinit knows")
    other = sinit.directory / "other"
    sinit.service("b", wait_for=other)
    sinit.ctl("reload")
    waits(sinit, "b", other)
    assert sinit.status("a")["pid"] == pid
    kill(sinit, "a")
    waits(sinit, "a", path)
    path.touch()
    sinit.until_state("a", state="running", ready=True)
    assert sinit.status("a")["pid"] != pid
    assert sinit.status("b")["state"] == "waiting"


def test_stop_while_waiting(sinit):
    path = sinit.directory / "there"
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    sinit.ctl("stop", "a")
    assert sinit.status("a")["state"] == "stopped"
    path.touch()
    settled(sinit)
    assert sinit.status("a")["state"] == "stopped"
    path.unlink()
    settled(sinit)
    sinit.ctl("start", "a", "--timeout", "100ms", code=5)
    waits(sinit, "a", path)
    assert sinit.stop().code == 0


def test_waiting_is_no_start(sinit):
    """start_timeout counts from the start of the process."""
    path = sinit.directory / "there"
    sinit.service("a", wait_for=path, start_timeout="1s", max_restarts=0)
    sinit.start()
    waits(sinit, "a", path)
    end = time.monotonic() + 2
    until(lambda: time.monotonic() > end, "twice start_timeout")
    waits(sinit, "a", path)
    path.touch()
    sinit.until_state("a", ready=True)
    assert not sinit.events("a", "failed", "backoff", "fatal")


def test_defaults(sinit):
    """wait_for of [defaults], and of one that waits for something else."""
    path = sinit.directory / "there"
    (sinit.config / "conf.d/0.ini").write_text(f"[defaults]\nwait_for = {path}\n")
    sinit.service("a")
    sinit.service("b", wait_for=sinit.directory)
    sinit.start()
    sinit.until_state("b", ready=True)
    waits(sinit, "a", path)


# --- nothing polls

@pytest.mark.release_only  # who is watched by a sanitizer may wake up by itself
def test_asleep(sinit):
    """While nothing comes, neither sinit nor the helper wakes up: no switch, no CPU time."""
    sinit.service("a", wait_for=f"{sinit.directory}/there eth7")
    sinit.start()
    waits(sinit, "a", f"{sinit.directory}/there and 1 more")
    pids = sinit.pid, settled(sinit)

    def switches():
        return [[line for line in Path(f"/proc/{pid}/status").read_text().splitlines()
                 if "ctxt_switches" in line] + Path(f"/proc/{pid}/schedstat").read_text().split()[:1]
                for pid in pids]

    def still():
        before = switches()
        time.sleep(2)
        return before == switches()
    until(still, "two seconds without a wake-up")


def test_avalanche(sinit):
    """More names made beside it than the kernel keeps for the helper, while that sleeps: the one
    that matters gets lost, but the loss is noticed."""
    path = sinit.directory / "busy/there"
    path.parent.mkdir()
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    room = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    pid = settled(sinit)
    freeze(pid)
    for i in range(room // 2 + 1):
        (path.parent / str(i % 100)).touch()
        (path.parent / str(i % 100)).unlink()
    path.touch()
    os.kill(pid, signal.SIGCONT)
    sinit.until_state("a", ready=True)


# --- interfaces

def test_interface_later(sinit):
    sinit.service("a", wait_for="br7")
    sinit.start()
    waits(sinit, "a", "br7")
    run(sinit, "ip", "link", "add", "br6", "type", "bridge")
    waits(sinit, "a", "br7")
    run(sinit, "ip", "link", "set", "br6", "name", "br7")
    sinit.until_state("a", ready=True)
    run(sinit, "ip", "link", "del", "br7")
    kill(sinit, "a")
    waits(sinit, "a", "br7")
    run(sinit, "ip", "link", "add", "br7", "type", "bridge")
    sinit.until_state("a", state="running")


def test_set_up_before_services(sinit):
    """A server that binds to the address finds it; loopback is an interface as any other."""
    net(sinit, "br0", address="10.11.12.13/24 10.11.12.14/24", gateway="10.11.12.1", mtu=1400)
    net(sinit, "lo")
    sinit.service("a", SERVER.format(address="10.11.12.14"), restart="never")
    sinit.service("b", SERVER.format(address="127.0.0.1"), restart="never")
    sinit.start(through=with_links("br0"))
    sinit.until_state(ready=True)
    link = run(sinit, "ip", "addr", "show", "br0")
    assert "mtu 1400" in link and "UP" in link
    assert "inet 10.11.12.13/24 brd 10.11.12.255 scope global br0" in link
    assert "default via 10.11.12.1 dev br0 proto static" in run(sinit, "ip", "route")
    assert listens(sinit, "10.11.12.14") and listens(sinit, "127.0.0.1")
    assert "[net" not in sinit.log()


def test_all_of_them_before_services(sinit):
    """What a quick service sees of a slow set-up is all of it."""
    names = [f"br{i}" for i in range(20)]
    addresses = [[f"10.{i}.{j}.1" for j in range(32)] for i in range(len(names))]
    for name, several in zip(names, addresses):
        net(sinit, name, address=" ".join(f"{address}/24" for address in several))
    sinit.service("a", f"cp /proc/net/fib_trie {sinit.file}", type="oneshot")
    sinit.start(through=with_links(*names))
    sinit.until_state("a", state="done")
    seen = set(sinit.file.read_text().split())
    assert not {address for several in addresses for address in several} - seen


def has_v6():
    return Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").exists()


@pytest.mark.skipif(not has_v6(), reason="the kernel has no IPv6")
def test_both_families(sinit):
    """The IPv6 address may be tentative for a second; nobody waits for that."""
    net(sinit, "br0", address="10.11.12.13/30\naddress = fd00:1::2/64", gateway="fd00:1::1 10.11.12.14")
    sinit.service("a")
    sinit.start(through=with_links("br0"))
    sinit.until_state(ready=True)
    assert "inet6 fd00:1::2/64" in run(sinit, "ip", "addr", "show", "br0")
    assert "default via fd00:1::1 dev br0 proto static" in run(sinit, "ip", "-6", "route")
    assert "default via 10.11.12.14 dev br0" in run(sinit, "ip", "route")
    assert "[net" not in sinit.log()


def test_down_stays_down(sinit):
    net(sinit, "br0", address="10.11.12.13/24", up="no")
    sinit.service("a")
    sinit.start(through=with_links("br0"))
    sinit.until_state(ready=True)
    link = run(sinit, "ip", "addr", "show", "br0")
    assert "10.11.12.13/24" in link and "UP" not in link


def test_set_up_later(sinit):
    """And again when it is another one by the same name; who waits for it finds it set up."""
    net(sinit, "br0", address="10.11.12.13/24", gateway="10.11.12.1")
    sinit.service("a", SERVER.format(address="10.11.12.13"), restart_delay=0, wait_for="br0")
    sinit.settings(log_level="debug")
    sinit.start()
    waits(sinit, "a", "br0")
    for count in range(1, 4):
        run(sinit, "ip", "link", "add", "br0", "type", "bridge")
        until(lambda: "10.11.12.13:80" in run(sinit, "ss", "-Hltn"), "the server listens")
        assert "default via 10.11.12.1 dev br0" in run(sinit, "ip", "route")
        run(sinit, "ip", "link", "del", "br0")
        until(lambda: sinit.log().count("br0 is gone") == count, "sinit knows")
        kill(sinit, "a")
        waits(sinit, "a", "br0")
        assert len(sinit.events("a", "exit")) == count
    assert "[net" not in sinit.log()


def test_there_already(sinit):
    """Addresses and routes that are there are no fault; another default route gives way."""
    made = ("ip link add br0 type bridge; ip link set br0 up; ip addr add 10.11.12.13/24 dev br0; "
            "ip route add default via 10.11.12.9")
    net(sinit, "br0", address="10.11.12.13/24", gateway="10.11.12.1")
    sinit.service("a")
    sinit.start(through=("sh", "-c", f'{made}; exec "$@"', "sh"))
    sinit.until_state(ready=True)
    assert "default via 10.11.12.1 dev br0" in run(sinit, "ip", "route")
    assert "10.11.12.9" not in run(sinit, "ip", "route")
    os.kill(helper(sinit), signal.SIGKILL)
    until(lambda: "the devices helper has ended" in sinit.log(), "its end is told")
    run(sinit, "ip", "addr", "del", "10.11.12.13/24", "dev", "br0")
    until(lambda: "10.11.12.13" in run(sinit, "ip", "addr"), "the next one sets it up again")
    assert "[net" not in sinit.log()


def test_faults(sinit):
    """Each is told with what to do; the rest is done all the same, and services start."""
    net(sinit, "br0", address="10.11.12.13/24", gateway="192.168.77.1", mtu=68)
    net(sinit, "br1", address="10.11.13.13/24")
    sinit.service("a")
    sinit.start(through=with_links("br0", "br1"))
    sinit.until_state(ready=True)
    assert ("[net br0]: gateway = 192.168.77.1: Network unreachable; no address of the interface is in "
            "its network, see address") in sinit.log().replace("is unreachable", "unreachable")
    addresses = run(sinit, "ip", "addr")
    assert "10.11.12.13/24" in addresses and "10.11.13.13/24" in addresses


@pytest.mark.skipif(not has_v6(), reason="the kernel has no IPv6")
def test_v6_is_off(sinit):
    net(sinit, "br0", address="fd00:1::2/64 10.11.12.13/24")
    sinit.service("a")
    off = "echo 1 >/proc/sys/net/ipv6/conf/br0/disable_ipv6"
    sinit.start(through=("sh", "-c", f'ip link add br0 type bridge; {off}; exec "$@"', "sh"))
    sinit.until_state(ready=True)
    assert "[net br0]: address = fd00:1::2/64: Permission denied; is IPv6 switched off" in sinit.log()
    assert "10.11.12.13/24" in run(sinit, "ip", "addr")


@needs_root
def test_without_the_right_to(sinit):
    """One warning, however many interfaces; what is waited for is seen."""
    net(sinit, "br0", address="10.11.12.13/24", mtu=1400)
    net(sinit, "br1", address="10.11.13.13/24")
    sinit.service("a", wait_for="br1")
    sinit.start(through=(*with_links("br0", "br1"), "setpriv", "--bounding-set", "-net_admin"))
    sinit.until_state(ready=True)
    assert sinit.log().count("[net br") == 1
    assert "[net br0]: sinit may not set up interfaces here; give it CAP_NET_ADMIN" in sinit.log()
    assert "10.11.1" not in run(sinit, "ip", "addr")


@needs_root
def test_what_the_helper_keeps(sinit):
    """It is nobody, with what it needs and no more: for waiting for an interface nothing."""
    sinit.service("a", wait_for="br0")
    sinit.start()
    waits(sinit, "a", "br0")

    def rights():
        text = Path(f"/proc/{settled(sinit)}/status").read_text()
        words = {line.split()[0]: line.split()[1:] for line in text.splitlines() if line.split()[1:]}
        assert set(words["Uid:"]) == set(words["Gid:"]) == {"65534"} and words["NoNewPrivs:"] == ["1"]
        assert int(words["CapBnd:"][0], 16) == int(words["CapInh:"][0], 16) == 0
        assert words["CapPrm:"] == words["CapEff:"]
        return int(words["CapPrm:"][0], 16)

    see, net_admin = 1 << 2, 1 << 12
    def change(right, **keys):
        before = helper(sinit)
        sinit.service("a", **keys)
        sinit.ctl("reload")
        until(lambda: helper(sinit) != before, "another helper")
        assert rights() == right

    assert rights() == 0
    change(see, wait_for="br0 /there")
    net(sinit, "br0")
    change(see | net_admin, wait_for="br0 /there")
    change(net_admin, wait_for="br0")


# --- reload, and the helper's death

def test_reload(sinit):
    """The helper is told anew where it matters, and left alone where not."""
    first, second = sinit.directory / "first", sinit.directory / "second"
    sinit.service("a", wait_for=first)
    sinit.service("c", wait_for="")
    sinit.start(through=with_links("br0"))
    waits(sinit, "a", first)
    pid = settled(sinit)
    sinit.service("c", priority=3)
    sinit.ctl("reload")
    assert helper(sinit) == pid
    # Another thing to wait for, which is there; an interface.
    second.touch()
    sinit.service("a", wait_for=second)
    net(sinit, "br0", address="10.11.12.13/24")
    sinit.ctl("reload")
    sinit.until_state("a", ready=True)
    until(lambda: "10.11.12.13/24" in run(sinit, "ip", "addr"), "the address")
    # Another address: the one before is left alone, as documented.
    net(sinit, "br0", address="10.11.12.14/24")
    sinit.ctl("reload")
    until(lambda: "10.11.12.14/24" in run(sinit, "ip", "addr"), "the other address")
    assert "10.11.12.13/24" in run(sinit, "ip", "addr")
    # None at all: no helper.
    (sinit.config / "conf.d/net-br0.ini").unlink()
    sinit.service("a")
    sinit.ctl("reload")
    until(lambda: not helpers(sinit), "no helper any more")
    assert "has ended" not in sinit.log()


def test_reload_keeps_what_is_known(sinit):
    """A service that could start is not held up by a reload that adds something for another."""
    path = sinit.directory / "there"
    path.touch()
    sinit.service("a", wait_for=path)
    sinit.up()
    sinit.service("0", wait_for=sinit.directory / "more")
    sinit.ctl("reload")
    sinit.ctl("restart", "a")
    waits(sinit, "0", sinit.directory / "more")
    assert "a: waiting for" not in sinit.log()


def test_killed_helper(sinit):
    """Nobody is hurt, and the next one sees what has come meanwhile."""
    path = sinit.directory / "there"
    path.touch()
    sinit.service("a", wait_for=path)
    sinit.service("b", wait_for=sinit.directory / "later")
    sinit.start()
    pid = sinit.until_state("a", ready=True)["pid"]
    old = helper(sinit)
    freeze(old)
    (sinit.directory / "later").touch()
    os.kill(old, signal.SIGKILL)
    sinit.until_state("b", ready=True)
    assert sinit.status("a")["pid"] == pid and sinit.status("a")["restarts"] == 0
    assert "the devices helper has ended (signal 9); it is started again in" in sinit.log()


@pytest.mark.release_only  # takes the 30 s after which the helper is asked, and then 40 s
def test_helper_that_stands_still(sinit):
    """Nobody waits for ever because of it. One that is well is asked, and left alone."""
    path = sinit.directory / "later"
    sinit.service("a", wait_for=path)
    sinit.start()
    waits(sinit, "a", path)
    old = settled(sinit)

    def switches():
        text = Path(f"/proc/{old}/status").read_text()
        return [line for line in text.splitlines() if line.startswith("voluntary_ctxt_switches")]
    before = switches()
    until(lambda: switches() != before, "it is asked", 100)
    assert settled(sinit) == old
    freeze(old)
    path.touch()
    sinit.until_state("a", ready=True, limit=100)
    assert helper(sinit) != old
    assert sinit.log().count("the devices helper has not answered for") == 1


def test_none_without_need(sinit):
    sinit.service("a")
    sinit.up()
    assert len(children(sinit.pid)) == 1
