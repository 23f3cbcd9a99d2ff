"""sinitctl plot and blame: a start with a known order, held up at known places. The order of the
times, the chain and the picture are asserted, never how long anything took."""

import json
import os
import re
import xml.etree.ElementTree as xml

import pytest

from control_lab import as_user, lab, needs_root, until

__all__ = ["lab"]

SVG = "{http://www.w3.org/2000/svg}"
TIMES = ("wanted_us", "executed_us", "ready_us", "failed_us", "ended_us")


def gate(lab, name):
    """A command that ends when the gate is opened."""
    os.mkfifo(lab.base / name)
    return f"sh -c 'read line < {lab.base / name}'"


def open_gate(lab, name):
    (lab.base / name).write_text("\n")  # waits for its reader


def look(lab, *words):
    data = json.loads(lab.ok("blame", "--json", *words).out)
    return data, {service["name"]: service for service in data["services"]}


def picture(lab, *words):
    """The SVG's root, and the tooltip of each row by its name."""
    root = xml.fromstring(lab.ok("plot", *words).out)
    tips = [group.find(f"{SVG}title").text for group in root.iter(f"{SVG}g")]
    return root, {tip.split(",")[0]: tip for tip in tips[1:]}


@pytest.fixture
def chain(lab):
    """base, then quick and slow, then top; `slow` waits for a gate."""
    once = "type = oneshot"
    lab.service("base", "true", once)
    lab.service("quick", "true", once, "requires = base")
    lab.service("slow", gate(lab, "slow"), once, "requires = base")
    lab.service("top", "true", once, "requires = quick slow")
    lab.service("bad", "false", once, "restart = never")
    lab.service("after-bad", "sleep 100000", "wants = bad")
    lab.service("needs-bad", "sleep 100000", "requires = bad")
    lab.service("off", "sleep 100000", "enabled = no")
    lab.start()
    for name in ("quick", "after-bad"):
        lab.await_state(name, "done", "running")
    lab.await_state("needs-bad", "failed")
    until(lambda: look(lab)[1]["top"]["waited_for"] == "slow", "only slow is waited for")
    return lab


def test_while_it_goes_on(chain):
    data, services = look(chain)
    assert data["finished"] is False
    assert services["slow"]["result"] == services["top"]["result"] == "starting"
    assert services["top"]["executed_us"] is None and services["top"]["waited_for"] == "slow"
    assert "off" not in services
    text = chain.ok("blame").out
    assert any("slow " in line and "so far" in line for line in text.splitlines()), text
    assert "waits for slow (requires)" in text
    last = re.fullmatch(r"startup has taken .* so far; not ready yet: (.*)", text.splitlines()[-1])
    assert set(last[1].split(", ")) == {
        "slow (starting)", "top (waiting)", "bad (failed)", "needs-bad (failed)"}
    _, tips = picture(chain)
    assert "so far" in tips["slow"]


def test_order_and_critical_path(chain):
    open_gate(chain, "slow")
    chain.await_state("top", "done")
    data, s = look(chain)
    assert data["finished"] is True and data["mode"] == "container" and data["kernel_us"] is None
    assert data["critical_path"] == ["base", "slow", "top"]
    assert {name for name in s if s[name]["critical"]} == {"base", "slow", "top"}
    assert data["took_us"] == s["top"]["ready_us"] == max(
        service["ready_us"] or 0 for service in s.values())
    for service in s.values():
        assert 0 < data["own_us"] <= service["wanted_us"]
        times = [service[key] for key in TIMES[:3] if service[key] is not None]
        assert times == sorted(times), service
    assert s["base"]["ready_us"] <= s["quick"]["executed_us"]
    assert s["quick"]["ready_us"] <= s["slow"]["ready_us"] <= s["top"]["executed_us"]
    assert (s["slow"]["waited_for"], s["slow"]["by"]) == ("base", "requires")
    assert s["bad"]["failed_us"] <= s["after-bad"]["executed_us"]
    assert (s["after-bad"]["waited_for"], s["after-bad"]["by"]) == ("bad", "wants")
    assert s["bad"]["result"] == s["needs-bad"]["result"] == "failed"
    assert s["needs-bad"]["executed_us"] is None
    text = chain.ok("blame").out.splitlines()
    assert re.fullmatch(
        r"startup took [\d.]+ m?s; never ready: bad \(failed\), needs-bad \(failed\)", text[-1]), text[-1]


def test_picture(chain):
    open_gate(chain, "slow")
    chain.await_state("top", "done")
    root, tips = picture(chain)
    assert root.tag == f"{SVG}svg"
    assert set(tips) == {"base", "quick", "slow", "top", "bad", "after-bad", "needs-bad"}
    assert {name for name, tip in tips.items() if tip.endswith("on the critical path")} == {
        "base", "slow", "top"}
    assert "failed" in tips["bad"] and "failed" in tips["needs-bad"]
    texts = [element.text for element in root.iter(f"{SVG}text")]
    assert {*tips, "waiting", "starting", "running", "failed"} <= set(texts)
    assert texts[0].startswith(os.uname().nodename + ": startup took ")
    right = float(root.get("width"))
    for bar in root.iter(f"{SVG}rect"):
        if bar.get("class"):
            assert 0 < float(bar.get("x")) < float(bar.get("x")) + float(bar.get("width")) < right
    _, tips = picture(chain, "s*", "top")
    assert set(tips) == {"slow", "top"}


def test_later_lives_change_nothing(chain):
    open_gate(chain, "slow")
    chain.await_state("top", "done")
    before, _ = look(chain, "base", "after-bad")
    chain.ok("restart", "after-bad", "base")
    data, services = look(chain, "base", "after-bad")
    assert data["took_us"] == before["took_us"]
    for old in before["services"]:
        new = services[old["name"]]
        assert [new[key] for key in TIMES[:4]] == [old[key] for key in TIMES[:4]]
    assert services["base"]["ended_us"] is None
    first = services["after-bad"]["ended_us"]
    chain.ok("restart", "after-bad")
    assert look(chain)[1]["after-bad"]["ended_us"] == first is not None


def test_what_is_started_later_is_no_part_of_it(chain):
    open_gate(chain, "slow")
    chain.await_state("top", "done")
    before, _ = look(chain)
    chain.ok("start", "off")
    data, services = look(chain)
    assert services["off"]["later"] and services["off"]["ready_us"] > data["took_us"]
    assert data["took_us"] == before["took_us"]
    assert "off" not in picture(chain)[1]
    assert "after sinit's start" in chain.ok("blame", "off").out


def test_pre_start_is_waiting(lab):
    lab.service("prepared", "sleep 100000", f"pre_start = {gate(lab, 'pre')}")
    lab.service("other", "sleep 100000")
    lab.start()
    lab.await_state("other", "running")
    _, services = look(lab)
    assert services["prepared"]["executed_us"] is None
    open_gate(lab, "pre")
    lab.await_state("prepared", "running")
    _, services = look(lab)
    assert services["other"]["ready_us"] < services["prepared"]["executed_us"]


def test_ready_in_a_second_life(lab):
    once = lab.script("once", f"#!/bin/sh\n[ -e {lab.base}/was ] || {{ : > {lab.base}/was; exit 1; }}\n")
    lab.service("twice", str(once), "type = oneshot", "restart_delay = 10ms")
    lab.start()
    lab.await_state("twice", "done")
    data, services = look(lab)
    twice = services["twice"]
    assert twice["result"] == "ready" and data["took_us"] == twice["ready_us"]
    assert twice["executed_us"] < twice["failed_us"] < twice["ready_us"]
    assert "before it was ready" in lab.ok("blame").out


def test_a_failure_that_is_tried_again(lab):
    lab.service("never", "false", "type = oneshot", "restart_delay = 10m", "max_backoff = 10m")
    lab.start()
    lab.await_state("never", "backoff")
    data, services = look(lab)
    assert services["never"]["result"] == "failed" and data["took_us"] is None
    text = lab.ok("blame").out
    assert "never  failed, is tried again" in text
    assert text.endswith("startup failed; never ready: never (failed)\n"), text


def test_stopped_by_hand_is_left_out(lab):
    lab.service("gone", "sleep 100000")
    lab.service("here", "sleep 100000")
    lab.start()
    lab.await_state("gone", "running")
    lab.ok("stop", "gone")
    assert set(look(lab)[1]) == {"gone", "here"}  # it has taken part in this one
    lab.shutdown()
    lab.start()
    lab.await_state("here", "running")
    assert set(look(lab)[1]) == {"here"}


@needs_root
def test_for_everybody_and_after_the_end(chain):
    """Who may not ask sinit, or has none to ask, sees all but what waited for what."""
    open_gate(chain, "slow")
    chain.await_state("top", "done")
    done = chain.ctl("blame", before=as_user(65534))
    assert done.code == 0 and "startup took" in done.out, done
    assert "permission denied" in done.err and "without what needed what" in done.err, done
    chain.shutdown()
    done = chain.ctl("blame")
    assert done.code == 0 and "not what needed what" in done.err, done
    assert "startup took" in done.out
    assert until(lambda: chain.ctl("plot").out.endswith("</svg>\n"), "a picture")
