"""What services use, as the responder tells it: asked for when somebody asks, and never waited
for by those who do not. A board written by order stands for PID 1's."""

import json
import re
import shutil
import subprocess
import time

import pytest

from alerter_lab import Writer
from responder_lab import Responder
from services import until

API = "/api/supervisor"
MEASURING = ["/metrics", f"{API}/status", f"{API}/services/web"]
OTHERS = ["/health", "/ready", "/startup", "/", f"{API}/summary", f"{API}/events", f"{API}/health",
          "/health/web", "/ready/web", f"{API}/services/web/health"]
LIMIT = 0.5  # seconds after which the responder answers with what there is
AGE = 0.2  # for which a reading is new


@pytest.fixture
def board(tmp_path):
    writer = Writer(tmp_path)
    writer("service 0 web 0")
    writer("service 1 db 1")
    writer("run 0 100")
    writer("run 1 101")
    yield writer
    writer.close()


@pytest.fixture
def sliced(board):
    board("cgroup /sys/fs/cgroup/test")
    return board


def renew(board, memory=[0]):
    """PID 1's answer: web takes one MiB more each time."""
    memory[0] += 1 << 20
    board(f"use 0 {memory[0]} {256 << 20} 100")
    board("measured")


def memory_of_web(responder):
    resources = responder.get(f"{API}/services/web")["resources"]
    return resources and resources["memory"]["current"]


def test_who_asks_gets_what_is_new(sliced):
    with Responder(sliced.path) as responder:
        responder.pid1.measure = lambda: renew(sliced)
        first = memory_of_web(responder)
        assert first and len(responder.pid1.measures) == 1
        time.sleep(AGE)
        assert memory_of_web(responder) == first + (1 << 20)
        service, other = responder.get(f"{API}/status")["services"]
        assert service["resources"]["memory"]["max"] == 256 << 20
        assert service["resources"]["cpu"]["usage_seconds"] > 1
        assert service["resources"]["pressure"]["cpu"] == {"avg10": 12.34, "stalled_seconds": 5}
        assert service["resources"]["measured_seconds_ago"] < 60
        assert service["cgroup"] == "/sys/fs/cgroup/test/web.service"
        assert service["oom_kills"] == 0 and service["paused"] is False
        assert other["resources"] is None and other["cgroup"] is None
        text = responder.ask("/metrics").body.decode()
        assert re.search(r'^sinit_service_memory_bytes\{service="web"\} \d+$', text, re.M)
        assert 'sinit_service_memory_bytes{service="db"}' not in text


def test_promtool_has_no_complaint(sliced):
    if not shutil.which("promtool"):
        pytest.skip("no promtool")
    with Responder(sliced.path) as responder:
        responder.pid1.measure = lambda: renew(sliced)
        text = responder.ask("/metrics").body
        assert b"sinit_service_pressure_ratio" in text
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_nobody_else_asks(sliced):
    with Responder(sliced.path) as responder:
        for path in OTHERS:
            assert responder.ask(path).status in (200, 503), path
        assert responder.pid1.measures == []


def test_many_who_ask_are_one_question(sliced):
    with Responder(sliced.path) as responder:
        responder.pid1.measured_at_once = False
        clients = [responder.connect() for _ in range(30)]
        began = time.monotonic()
        for number, client in enumerate(clients):
            client.send(MEASURING[number % 3])
        until(lambda: responder.pid1.measures, "a question")
        time.sleep(0.05)  # for more of them, if there were any
        renew(sliced)
        responder.pid1.measured()
        for client in clients:
            assert client.answer().status == 200
            client.socket.close()
        assert len(responder.pid1.measures) <= 1 + (time.monotonic() - began) / AGE


def test_a_flood_of_requests_measures_no_oftener_than_is_worth_it(sliced):
    with Responder(sliced.path) as responder, responder.connect() as client:
        responder.pid1.measure = lambda: renew(sliced)
        began, count = time.monotonic(), 0
        while time.monotonic() < began + 1:
            assert client.ask(f"{API}/services/web").status == 200
            count += 1
        asked = len(responder.pid1.measures)
        assert 1 <= asked <= 2 + (time.monotonic() - began) / AGE and count > asked


def test_what_another_has_just_measured_will_do(sliced):
    """Such as sinitctl top. When the machine is slow the reading may be old, and is not meant."""
    def at_once():
        with Responder(sliced.path) as responder:
            responder.ask("/ready")
            began = time.monotonic()
            renew(sliced)
            assert responder.get(f"{API}/services/web")["resources"]
            return time.monotonic() - began >= AGE or responder.pid1.measures == []
    assert at_once()


def test_without_an_answer_what_there_is(sliced):
    renew(sliced)
    time.sleep(AGE)
    with Responder(sliced.path) as responder:
        responder.pid1.measured_at_once = False
        began = time.monotonic()
        with responder.connect() as waiting, responder.connect() as other:
            waiting.send(f"{API}/status")
            until(lambda: responder.pid1.measures, "a question")
            for path in OTHERS:  # nobody waits but who must
                assert other.ask(path).status in (200, 503)
            assert time.monotonic() - began > LIMIT or waiting.has_come() is None
            answer = waiting.answer().json()
        assert time.monotonic() - began >= LIMIT - 0.05
        assert answer["services"][0]["resources"]["measured_seconds_ago"] >= LIMIT
        # It is known by now that there is no answer; nor is it asked at every request.
        began = time.monotonic()
        for _ in range(20):
            assert responder.ask("/metrics").status == 200
        took = time.monotonic() - began
        assert took < LIMIT or len(responder.pid1.measures) > 1
        # and it is asked again, for the question may have been lost
        responder.pid1.measured_at_once = True
        responder.pid1.measure = lambda: renew(sliced)

        def is_new():
            return json.loads(responder.ask(f"{API}/services/web").body)["resources"][
                "measured_seconds_ago"] < LIMIT
        until(is_new, "a new reading")


def test_metrics_of_a_PID_1_that_hangs(sliced):
    with Responder(sliced.path) as responder:
        responder.pid1.answers = responder.pid1.measured_at_once = False
        assert "\nsinit_up 0\n" in responder.ask("/metrics").body.decode()


def test_without_cgroups_nobody_is_asked(board):
    with Responder(board.path) as responder:
        responder.pid1.measured_at_once = False
        for path in MEASURING:
            assert responder.ask(path).status == 200
        assert responder.get(f"{API}/services/web")["resources"] is None
        assert responder.pid1.measures == []
        assert "sinit_service_oom_kills_total" not in responder.ask("/metrics").body.decode()
