"""A real container: crun runs an OCI bundle whose process is /sbin/sinit, on a machine with
cgroup v2 and all controllers. Once as `crun spec` has it, /sys/fs/cgroup read-only and no cgroup
namespace; once with both as sinit wants them."""

import json
import shlex
import subprocess

import pytest
from sinit_lab import Sinit, until

PROGRAMS = ("crun",)  # of this machine, in the guest
CRUN = "crun --root /run/crun --cgroup-manager cgroupfs"


class Container(Sinit):
    def __init__(self, guest, name, spec):
        super().__init__(guest, name)
        self.name = name
        self.spec = spec
        self.own = f"/sys/fs/cgroup/{name}"

    def bundle(self, words, cgroup):
        """crun's own specification, but for the process, where sinit's files are, and cgroups."""
        spec = json.loads(json.dumps(self.spec))
        spec["process"].update(terminal=False, args=words)
        spec["mounts"].append({"destination": self.home, "type": "bind", "source": self.home,
                               "options": ["bind", "rw"]})
        spec["linux"]["cgroupsPath"] = f"/{self.name}"
        if cgroup:
            spec["linux"]["namespaces"].append({"type": "cgroup"})
            mount, = (m for m in spec["mounts"] if m["destination"] == "/sys/fs/cgroup")
            mount["options"] = ["rw" if option == "ro" else option for option in mount["options"]]
        self.guest.write(f"{self.home}/bundle/config.json", json.dumps(spec))
        root = f"{self.home}/bundle/rootfs"
        self.guest.check(f"""mkdir -p {root}/bin {root}/sbin {root}{self.home}
            cp /bin/busybox /bin/sinitctl /bin/eat {root}/bin && cp /sbin/sinit {root}/sbin
            for name in sh sleep true cat; do ln -sf busybox {root}/bin/$name; done""")

    def run_sinit(self, *words, cgroup=True):
        self.configure()
        self.bundle(["/sbin/sinit", "-c", f"{self.home}/etc", "-r", self.run, *words], cgroup)
        # A root in memory can be moved, but not pivoted; see the kernel's ramfs-rootfs-initramfs.
        command = f"{CRUN} run --no-pivot -b {self.home}/bundle {self.name}"
        self.guest.check(f"cd {self.home}; ({command}; echo $? >code) >log 2>&1 </dev/null &")
        return self

    def exec(self, *words):
        return self.guest.run(f"{CRUN} exec {self.name} {shlex.join(words)}")

    def signal(self, name="TERM"):
        self.guest.check(f"{CRUN} kill {self.name} {name}")

    def end(self):
        self.guest.run(f"{CRUN} delete -f {self.name}")


@pytest.fixture
def container(guest, request, tmp_path):
    subprocess.run(["crun", "spec"], cwd=tmp_path, check=True)
    spec = json.loads((tmp_path / "config.json").read_text())
    instance = Container(guest, request.node.name, spec)
    try:
        yield instance
    finally:
        instance.end()


def test_as_the_engine_has_it(container):
    """Read-only: one warning for all of it, and everything runs."""
    container.service("limited", memory_max="32M", cpu_max="50%")
    container.service("other", memory_max="32M")
    container.run_sinit(cgroup=False)
    container.until_state(state="running")
    line, = container.warnings()
    assert "read-only" in line and "--cgroupns=private" in line
    container.signal()
    assert container.wait() == 0


def test_with_cgroups_of_its_own(container):
    container.service("limited", "eat --pause 64", memory_max="32M", cpu_max="50%", restart="never")
    container.service("other", memory_max="48M")
    container.run_sinit()
    container.until_state("other", state="running")
    container.until_state("limited", state="failed", cause="oom")
    assert container.file("other", "memory.max") == str(48 << 20)
    assert not [line for line in container.warnings() if "cgroup" in line or "no effect" in line]
    assert "0::/init\n" == container.exec("cat", "/proc/1/cgroup").output
    container.signal()
    assert container.wait() == 0


def test_who_comes_in_later(container):
    """exec, as an operator does it: into a container whose cgroup has no room for processes."""
    container.service("limited", memory_max="32M")
    container.run_sinit()
    container.until_state(state="running")
    done = container.exec("sinitctl", "-r", container.run, "status")
    assert done.status == 0 and "limited" in done.output
    container.ctl("restart", "limited")
    container.until_state("limited", state="running", life=2)


@pytest.mark.parametrize("cgroup", [False, True], ids=["read-only", "writable"])
def test_the_status_is_passed_on(container, cgroup):
    container.service("limited", memory_max="32M")
    container.run_sinit("--", "sh", "-c", "exit 42", cgroup=cgroup)
    assert container.wait() == 42
    assert until(lambda: not container.exists(container.own), "its cgroups are removed")
