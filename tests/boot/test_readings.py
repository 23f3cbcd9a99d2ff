"""What is told of a service's use is what the kernel's files say."""

import json
import re

import pytest
from sinit_lab import keyed, until

MIB = 1 << 20
API = "http://127.0.0.1:8080"


class Web:
    """What sinit's responder in the guest answers. Cells share the guest's network."""

    def __init__(self, sinit):
        self.sinit = sinit
        sinit.add("http", "http", listen="127.0.0.1:8080")

    def get(self, path):
        return self.sinit.guest.check(f"wget -q -O - {API}{path}", timeout=20)

    def service(self, name):
        return json.loads(self.get(f"/api/supervisor/services/{name}"))

    def resources(self, name):
        """What the API has, once it was measured."""
        return until(lambda: self.service(name)["resources"], f"a reading of {name}")

    def metric(self, name, **labels):
        """The value of a metric of a service; None where there is none."""
        wanted = "".join(f'(?=[^}}]*{key}="{value}")' for key, value in labels.items())
        found = re.search(rf"^sinit_service_{name}\{{{wanted}[^}}]*\}} (\S+)$",
                          self.get("/metrics"), re.M)
        return float(found[1]) if found else None


@pytest.fixture
def web(sinit):
    return Web(sinit)


def test_what_it_uses(sinit, web):
    sinit.service("eats", "eat --pause 16", memory_max="64M", pids_max="20")
    sinit.up()
    sinit.guest.until(f"grep ^eat: {sinit.home}/log")
    found = web.resources("eats")
    used = int(sinit.file("eats", "memory.current"))
    assert abs(found["memory"]["current"] - used) <= 4 * MIB and used > 16 * MIB
    assert found["pids"] == {"current": 1, "max": 20}
    assert found["memory"]["max"] == 64 * MIB
    assert found["memory"]["peak"] <= int(sinit.file("eats", "memory.peak"))
    assert set(found["pressure"]) == {"memory", "cpu", "io"}
    assert web.metric("memory_limit_bytes", service="eats") == 64 * MIB
    assert abs(web.metric("memory_bytes", service="eats") - used) <= 4 * MIB
    assert web.metric("pids", service="eats") == 1


def test_cpu_time_grows(sinit, web):
    """Each reading is a new one: measured because somebody asks."""
    sinit.service("spin", "spin --threads 2", cpu_max="20%")
    sinit.up()

    def cpu():
        return web.resources("spin")["cpu"]

    first = cpu()["usage_seconds"]
    until(lambda: cpu()["usage_seconds"] > first, "more")
    assert cpu()["usage_seconds"] <= keyed(sinit.file("spin", "cpu.stat"))["usage_usec"] / 1e6
    until(lambda: cpu()["throttled_seconds"] > 0, "held back")
    until(lambda: web.resources("spin")["pressure"]["cpu"]["stalled_seconds"] > 0, "pressure")


def test_what_it_writes(sinit, web):
    sinit.service("writes", "sh -c 'dd if=/dev/zero of=/dev/nullb0 bs=64k count=64 oflag=direct; "
                            "exec sleep 100000'")
    sinit.up()
    until(lambda: web.resources("writes")["io"]["written_bytes"] == 4 * MIB, "4 MiB")
    assert web.metric("io_written_bytes_total", service="writes") == 4 * MIB


def test_P92_kills_are_counted(sinit, web):
    sinit.service("eater", "eat --child --pause --score 500 64", memory_max="32M",
                  oom_policy="ignore")
    sinit.service("other")
    sinit.up()
    sinit.until_event("eater", "oom")
    assert until(lambda: web.metric("oom_kills_total", service="eater"), "counted") >= 1
    assert web.metric("oom_kills_total", service="other") == 0
    assert sinit.status("eater")["oom_kills"] >= 1


def test_without_slices_there_are_none(sinit, web):
    sinit.service("web")
    sinit.up(mount="ro")
    assert web.service("web")["resources"] is None
    assert web.metric("memory_bytes", service="web") is None
