"""Servers that nobody here wrote, under probes: each is made to hang with SIGSTOP, which only a
probe can notice, and is restarted; what needs it waits for it."""

import os
import shutil
import signal
from glob import glob

import pytest
from health_lab import PORT, RESTART, health, lab, needs_root, until  # noqa: F401

# Minutes of other people's servers, which show a sanitizer nothing that the rest does not.
pytestmark = pytest.mark.release_only

HANGS = {"interval": "600ms", "timeout": "550ms", "failures": "3"}
SOON = "stop_timeout = 300ms"  # a process that is stopped has to be killed


def program(name, *places):
    found = shutil.which(name) or next((p for place in places for p in sorted(glob(place))), None)
    assert found, f"{name} is not installed: it is in .ci/packages"
    return found


def hang_and_recover(health, name):
    """Its life before and after."""
    health.ok("wait", name, "--timeout", "60s")
    before = health.status(name)
    health.process(name).freeze()
    after = until(lambda: (s := health.status(name))["life"] > before["life"] and s["ready"] and s,
                  f"{name} is back")
    assert after["restarts"] == before["restarts"] + 1
    assert health.events(name, "unhealthy")
    assert [e["cause"] for e in health.events(name, "stop")] == ["liveness"]
    assert health.events(name, "exit")[-1]["signal"] == signal.SIGKILL
    return before, after


def test_redis(health):
    redis, cli = program("redis-server"), program("redis-cli")
    health.service("redis", f"{redis} --port {PORT} --dir {health.base} --save '' --appendonly yes",
                   RESTART, SOON)
    health.probe("redis", "startup", f"tcp://127.0.0.1:{PORT}", interval="100ms", failures="300")
    health.probe("redis", "liveness", f"exec:{cli} -p {PORT} ping", **HANGS)
    health.service("worker", f"sh -c '{cli} -p {PORT} incr lives; exec sleep 1000'", RESTART,
                   "requires = redis", "restart_with = redis")
    health.start()
    hang_and_recover(health, "redis")
    # Its data is there, and the worker's second life came after it was ready again.
    until(lambda: health.status("worker")["life"] == 2 and health.status("worker")["ready"])
    order = [(e["service"], e["event"]) for e in health.events() if e["event"] in ("start", "ready")]
    assert order.index(("redis", "ready")) < order.index(("worker", "start"))
    assert health.shutdown() == 0


def test_nginx(health):
    nginx = program("nginx", "/usr/sbin/nginx")
    text = (f"daemon off; master_process off; pid {health.base}/pid; error_log stderr; "
            "events {} http { access_log off; "
            + "".join(f"{k}_temp_path {health.base}/{k}; " for k in
                      ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
            + f"server {{ listen 127.0.0.1:{PORT}; location = /health {{ return 200 well; }} }} }}")
    (health.base / "nginx.conf").write_text(text)
    health.service("nginx", f"{nginx} -e stderr -c {health.base}/nginx.conf -p {health.base}",
                   RESTART, SOON)
    health.probe("nginx", "liveness", f"http://127.0.0.1:{PORT}/health", expect_body="well", **HANGS)
    health.probe("nginx", "readiness", f"http://127.0.0.1:{PORT}/health", expect_status="200")
    health.start()
    hang_and_recover(health, "nginx")
    assert health.shutdown() == 0


@needs_root
def test_postgresql(health):
    bin_glob = "/usr/lib/postgresql/*/bin/"
    initdb, postgres = program("initdb", bin_glob + "initdb"), program("postgres", bin_glob + "postgres")
    ready = program("pg_isready", bin_glob + "pg_isready")
    data = health.base / "data"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")
    os.chmod(data, 0o700)
    health.service("cluster", f"{initdb} -D {data} -A trust --no-sync", "type = oneshot",
                   "user = postgres", "log = null")
    health.service("db", f"{postgres} -D {data} -p {PORT} -k {data} -c listen_addresses=127.0.0.1",
                   RESTART, SOON, "requires = cluster", "user = postgres", "stop_signal = INT")
    health.probe("db", "startup", f"exec:{ready} -q -h 127.0.0.1 -p {PORT}", interval="200ms",
                 failures="300")
    health.probe("db", "liveness", f"exec:{ready} -q -h 127.0.0.1 -p {PORT} -t 1",
                 interval="1500ms", timeout="1400ms", failures="2")
    health.start()
    hang_and_recover(health, "db")
    assert health.shutdown() == 0


# A process with sanitizers and without an environment looks for leaks and finds libnl's.
@pytest.mark.parametrize("check", ["tcp", pytest.param("listen", marks=pytest.mark.release_only)])
def test_redis_by_other_checks(health, check):
    """A port that answers says nothing of one that hangs: the kernel accepts for it."""
    redis = program("redis-server")
    health.service("redis", f"{redis} --port {PORT} --dir {health.base} --save ''", RESTART)
    target = f"tcp://127.0.0.1:{PORT}" if check == "tcp" else f"listen:{PORT}"
    health.probe("redis", "readiness", target, timeout="2s", interval="2s")
    health.start()
    health.ok("wait", "redis", "--timeout", "60s")
    health.ok("stop", "redis")
    assert health.shutdown() == 0
