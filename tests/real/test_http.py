"""The responder from end to end: started by sinit, asked over its socket, killed, moved."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from datetime import datetime

import pytest
from control_lab import SLEEP
from harness import reserved_port
from health_lab import PORT, RESTART, health, lab, until  # noqa: F401
from responder_lab import Client

API = "/api/supervisor"
APP = API + "/services/app"
ORDERS = (APP + "/stop", APP + "/restart", API + "/reload")
TOKEN = "correct-horse-battery-staple"


def ask(port, target, method="GET", headers="", host="127.0.0.1"):
    with Client(socket.create_connection((host, port), 60)) as client:
        return client.ask(target, method, headers)


def answers(port, host="127.0.0.1"):
    try:
        return ask(port, "/health", host=host).status
    except (OSError, AssertionError):
        return None


def when(event):
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00"))


def bearer(token=TOKEN):
    return f"Authorization: Bearer {token}\r\n"


def listening(health, *more):
    """[http] at the usual unix socket, with these lines; its path."""
    health.http(f"listen = {health.base}/http", *more)
    return health.base / "http"


def with_control(health, *more):
    health.base.joinpath("token").write_text(TOKEN + "\n")
    return listening(health, "control = yes", f"token_file = {health.base}/token", *more)


def up(health):
    health.start()
    until(lambda: health.listens() == 200, "the responder answers")


# --- pages

def test_port_and_unix_socket(lab):
    port, path = reserved_port(), lab.base / "http"
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{port} {path}\n")
    lab.service("app")
    lab.start()
    lab.ok("wait", "app")
    until(lambda: answers(port) == 200)
    health = ask(port, "/health").json()
    assert health["status"] == "healthy" and health["uptime_seconds"] >= 0
    assert "timestamp" in health
    ready = ask(port, "/ready")
    assert ready.status == 200
    assert ready.json()["ready"] is True and ready.json()["checks"] == {"app": True}
    metrics = ask(port, "/metrics")
    assert metrics.headers["content-type"].startswith("text/plain")
    assert 'sinit_service_up{service="app"} 1' in metrics.body.decode()
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(str(path))
    with Client(connected) as client:  # two questions over one connection
        assert client.ask("/health").status == client.ask("/ready").status == 200
    status = ask(port, API + "/status")
    assert status.status == 200 and "app" in status.body.decode()


def test_nothing_listens_without_http(health):
    health.service("app")
    health.start()
    health.ok("wait", "app")
    assert not health.helpers("responder") and not health.helpers("prober")
    listen(health)


def listen(health):
    """[http] comes by a reload, and goes by one."""
    path = listening(health)
    health.ok("reload")
    until(lambda: health.listens() == 200)
    health.remove("http")
    health.ok("reload")
    until(lambda: not health.helpers("responder"))
    assert health.listens() is None
    assert not path.exists() or path.is_socket()


def test_ready_follows_the_services(health):
    listening(health)
    health.service("app", SLEEP, RESTART)
    flag = health.base / "flag"
    health.probe("app", "readiness", f"file:{flag}", failures=1)
    health.service("other", SLEEP, RESTART)
    up(health)
    until(lambda: health.get("/ready")[1]["checks"] == {"app": False, "other": True})
    status, ready = health.get("/ready")
    assert status == 503 and ready["ready"] is False
    assert health.get("/health")[0] == 200
    assert health.ask("/ready/other").status == 200 and health.ask("/ready/app").status == 503
    flag.touch()
    until(lambda: health.get("/ready")[0] == 200)
    assert health.get("/ready")[1]["ready"] is True
    flag.unlink()
    until(lambda: health.get("/ready")[0] == 503)
    assert health.status("app")["life"] == 1


def test_P107_metrics_of_five_states(health):
    listening(health)
    health.service("run-ning", SLEEP)
    health.service("a.b_c@d", SLEEP)
    health.service("bad", "sh -c 'exit 3'", "restart = never")
    health.service("once", "true", "type = oneshot")
    health.service("off", SLEEP, "enabled = no")
    health.service("back", "sh -c 'exit 4'", "restart_delay = 1h", "max_backoff = 1h")
    up(health)
    health.await_fields("bad", state="failed")
    health.await_fields("once", state="done")
    health.await_fields("back", state="backoff")
    health.await_fields("run-ning", state="running")
    answer = health.ask("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.body.endswith(b"\n")
    metrics = health.metrics()
    for name, state in {"run-ning": "running", "a.b_c@d": "running", "bad": "failed",
                        "once": "done", "off": "stopped", "back": "backoff"}.items():
        assert metrics[f'sinit_service_state{{service="{name}",state="{state}"}}'] == 1
    assert metrics['sinit_service_up{service="run-ning"}'] == 1
    assert metrics['sinit_service_up{service="bad"}'] == 0
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"], input=answer.body,
                              capture_output=True)
        assert done.returncode == 0, done


def test_metrics_grow_and_never_fall(health):
    """Restarts by reason; a reset and a reload take nothing back."""
    with_control(health)
    health.web("app", "max_restarts = unlimited")
    health.probe("app", "liveness", f"http://127.0.0.1:{PORT}/live", failures=1, interval="500ms")
    up(health)
    seen = {}

    def check():
        now = {key: value for key, value in health.metrics().items() if "_total" in key}
        fallen = {key: (seen[key], now.get(key)) for key in seen if now.get(key, -1) < seen[key]}
        assert not fallen, fallen
        seen.update(now)
        return health.restarts("app")

    def killed():
        life = health.status("app")["life"]
        health.process("app").kill(signal.SIGKILL)
        health.await_fields("app", life=life + 1, state="running")
        health.await_said("app", "start", count=life + 1)

    health.await_fields("app", liveness="passing")
    assert check() == {}
    killed()
    assert check() == {"exit": 1}
    health.await_fields("app", liveness="passing")
    health.order("app", "500")
    health.await_event("app", "unhealthy")
    health.order("app", "200")
    health.await_fields("app", life=3, liveness="passing")
    assert check() == {"exit": 1, "liveness": 1}
    health.ok("restart", "app")
    assert check() == {"exit": 1, "liveness": 1, "asked": 1}
    health.ok("reset", "app")
    assert health.status("app")["restarts"] == 0
    assert check() == {"exit": 1, "liveness": 1, "asked": 1}
    health.probe("app", "liveness", f"http://127.0.0.1:{PORT}/other", failures=2)
    health.ok("reload")
    health.await_said("app", "asked", "/other", count=2)
    assert check() == {"exit": 1, "liveness": 1, "asked": 1}
    health.service("new", SLEEP)
    health.ok("reload")
    health.ok("wait", "new")
    assert check() == {"exit": 1, "liveness": 1, "asked": 1}
    killed()
    assert check() == {"exit": 2, "liveness": 1, "asked": 1}
    assert seen['sinit_probe_checks_total{service="app",probe="liveness",result="failed"}'] >= 1


def test_metrics_of_checks_made_by_pid1(health):
    listening(health)
    health.service("app", SLEEP, RESTART)
    health.probe("app", "readiness", "exec:true", interval="1s")
    health.probe("app", "liveness", "exec:sleep 100088", timeout="200ms", failures=1000)
    up(health)
    labels = '{service="app",probe="%s"%s}'

    def value(name, probe, more=""):
        return health.metrics().get(f"sinit_probe_{name}" + labels % (probe, more), 0)

    until(lambda: value("checks_total", "readiness", ',result="passed"') >= 3)
    until(lambda: value("timeouts_total", "liveness") >= 3)
    assert value("checks_total", "readiness", ',result="failed"') == 0


def test_metrics_of_sinit_itself(health):
    """What PID 1 says of itself is what /proc says of it."""
    listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    health.ok("wait", "app")
    until(lambda: health.metrics().get("sinit_open_fds") == len(health.sinit_fds()))
    resident = int(health.sinit.status("VmRSS").split()[0]) * 1024
    assert 0.5 < health.metrics()["sinit_resident_memory_bytes"] / resident < 2


# --- orders

def test_orders(health):
    with_control(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    health.ok("wait", "app")

    def post(target, headers=bearer(), status=200):
        answer = health.ask(target, "POST", headers)
        assert answer.status == status, answer
        return answer

    post(APP + "/stop")
    health.await_fields("app", state="stopped", stopped_by_hand=True)
    post(APP + "/start")
    health.await_fields("app", state="running", stopped_by_hand=False)
    life = health.status("app")["life"]
    post(APP + "/restart")
    health.await_fields("app", state="running", life=life + 1)
    health.service("new", SLEEP)
    post(API + "/reload")
    until(lambda: "new" in health.pids())
    for target in (APP + "/stop", APP + "/restart", API + "/services/nobody/stop",
                   API + "/reload"):
        for wrong in ("", bearer("wrong"), bearer(TOKEN + "x"), bearer(TOKEN[:-1]), bearer(""),
                      "Authorization: Basic Zm9vOmJhcg==\r\n", f"Authorization: {TOKEN}\r\n"):
            assert TOKEN not in post(target, wrong, 401).body.decode()
    post(API + "/services/nobody/stop", status=404)
    assert health.ask(APP + "/stop", "GET", bearer()).status in (404, 405)
    health.ok("ping")
    status = health.status("app")
    assert (status["state"], status["life"]) == ("running", life + 1)
    assert TOKEN not in health.messages()
    assert TOKEN not in health.run.joinpath("board").read_bytes().decode("latin-1")
    assert TOKEN not in health.ctl("--json", "events").out


def test_order_to_reload_a_broken_configuration(health):
    with_control(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    health.service("bad", SLEEP, "nonsense = 1")
    health.ask(API + "/reload", "POST", bearer())
    until(lambda: health.status()["sinit"]["reload_errors"] == 1)
    health.await_fields("app", state="running", life=1)
    assert health.listens() == 200


def test_token_changes_with_a_reload(health):
    with_control(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    responder = health.helper("responder")
    health.base.joinpath("token").write_text("another\n")
    health.ok("reload")
    assert health.ask(APP + "/restart", "POST", bearer()).status == 401
    assert health.ask(APP + "/restart", "POST", bearer("another")).status == 200
    assert responder.alive()
    # A file that is gone, empty or too long leaves nobody who may.
    for text in (None, "", "\n", "x" * 300):
        health.base.joinpath("token").unlink(missing_ok=True)
        if text is not None:
            health.base.joinpath("token").write_text(text)
        health.ok("reload")
        for token in ("another", "", "x" * 300, "x" * 255, "\n"):
            status = health.ask(APP + "/restart", "POST", bearer(token)).status
            assert status in (400, 401, 431), (text, token, status)
    assert "no POST is accepted" in health.messages()


@pytest.mark.parametrize("control", ["no", "yes"])
def test_P111_strangers_get_nothing(health, control):
    """No order without control = yes; nothing of environments, commands or files."""
    health.base.joinpath("token").write_text(TOKEN)
    listening(health, f"control = {control}", f"token_file = {health.base}/token")
    health.service("app", "sleep 100011", RESTART, "environment = SECRET=hunter2")
    up(health)
    health.ok("wait", "app")
    given = bearer() if control == "no" else ""
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
        for target in (*ORDERS, "/health", "/metrics", "/", APP):
            status = health.ask(target, method, given).status
            assert status in (400, 401, 404, 405, 411, 501), (method, target, status)
            if control == "no" and method == "POST" and target in ORDERS:
                assert status == 404
    texts = []
    for target in ("/", "/health", "/ready", "/startup", "/metrics", API + "/status",
                   APP, APP + "/health", API + "/events", API + "/summary", "/health/app",
                   "/../../etc/passwd", "/%2e%2e/etc/passwd",
                   API + "/services/../../etc/passwd"):
        answer = health.ask(target)
        assert answer.status in ((400, 404) if "passwd" in target else (200,)), (target, answer)
        texts.append(answer.body.decode())
    for secret in ("hunter2", "SECRET", "100011", TOKEN, "root:"):
        assert not any(secret in text for text in texts), secret
    status = health.status("app")
    assert (status["state"], status["life"]) == ("running", 1)


# --- what goes wrong

def test_pid1_that_hangs_is_told(health):
    listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    health.sinit.freeze()
    begin = time.monotonic()
    until(lambda: health.listens() == 503, "503", 20)
    told = time.monotonic() - begin
    health.sinit.kill(signal.SIGCONT)
    until(lambda: health.listens() == 200, "200 again", 20)
    # A pulse that is a second old is still good, and half a second is given to the answer;
    # the rest is for a busy machine.
    assert told < 2 + 2
    assert health.status("app")["life"] == 1


def test_responder_killed(health):
    listening(health)
    health.web("app")
    health.probe("app", "liveness", f"http://127.0.0.1:{PORT}/", failures=1, interval="500ms")
    up(health)
    health.await_fields("app", liveness="passing")
    pid = health.status("app")["pid"]
    for _ in range(3):
        responder = health.helper("responder")
        responder.kill(signal.SIGKILL)
        until(lambda: not responder.alive())
        until(lambda: health.listens() == 200, "it is back")
        assert health.helper("responder").pid != responder.pid
    status = health.status("app")
    assert (status["pid"], status["life"], status["liveness"]) == (pid, 1, "passing")
    assert health.messages().count("the responder has ended (signal 9)") == 3


def test_helpers_are_nobody_and_hold_nothing(health):
    """Their own session, no capabilities, no new privileges; only descriptors they need."""
    listening(health)
    health.web("app")
    health.probe("app", "liveness", f"http://127.0.0.1:{PORT}/", failures=1)
    up(health)
    health.await_fields("app", liveness="passing")
    for kind in ("responder", "prober"):
        helper = health.helper(kind)
        assert helper.status("NoNewPrivs") == "1"
        assert int(helper.status("CapEff"), 16) == int(helper.status("CapPrm"), 16) == 0
        fds = helper.fds()
        assert not any("control" in to or "signalfd" in to or str(health.run) in to and
                       not to.endswith("board") for to in fds.values()), (kind, fds)
        assert int(helper.stat()[3]) == helper.pid


# --- moving

def test_reload_moves_it(health):
    first = listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    second = health.base / "second"
    health.http(f"listen = {second}")
    health.ok("reload")
    until(lambda: health.listens(second) == 200)
    until(lambda: health.listens(first) is None)
    assert len(health.helpers("responder")) == 1
    assert health.status("app")["life"] == 1
    assert health.listens(second) == 200


def test_reload_adds_to_what_it_listens_on(lab):
    """The port that stays is served on, though the responder is another."""
    port, more = reserved_port(), reserved_port()
    lab.service("app")
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{port}\n")
    lab.start()
    until(lambda: answers(port) == 200)
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{port} 127.0.0.1:{more}\n")
    lab.ok("reload")
    until(lambda: answers(more) == 200)
    until(lambda: answers(port) == 200, "the port that stays", 20)
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{port} 127.0.0.1:{more}\ndashboard = no\n")
    lab.ok("reload")
    until(lambda: answers(more) == 200, "the second port", 20)
    until(lambda: answers(port) == 200, "the first port", 20)
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{more}\ndashboard = no\n")
    lab.ok("reload")
    until(lambda: answers(port) is None)
    until(lambda: answers(more) == 200, "the one that stays", 20)
    assert "nothing listens there" not in lab.messages()


def test_reload_without_a_change_leaves_it_alone(health):
    listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    responder = health.helper("responder")
    with health.unix() as client:
        assert client.ask("/health").status == 200
        health.service("new", SLEEP)
        health.ok("reload")
        health.ok("wait", "new")
        assert client.ask("/health").status == 200
        until(lambda: client.ask("/ready").json()["checks"] == {"app": True, "new": True})
    assert responder.alive()


def test_port_in_use(lab):
    """Told, and sinit goes on; once it is free, a reload opens it and leaves the other be."""
    port, other = reserved_port(), reserved_port()
    with socket.create_server(("127.0.0.1", port)):
        lab.write("http", f"[http]\nlisten = 127.0.0.1:{port} 127.0.0.1:{other}\n")
        lab.service("app")
        lab.start()
        lab.ok("wait", "app")
        until(lambda: f"listen = 127.0.0.1:{port}: " in lab.messages())
        assert "in use" in lab.messages()
        until(lambda: answers(other) == 200)
    lab.ok("reload")
    until(lambda: answers(port) == 200, "the port that is free now", 20)
    until(lambda: answers(other) == 200, "the other port", 20)
    assert lab.status("app")["life"] == 1


def test_reload_to_an_address_that_the_old_one_covers(lab):
    """From one address of a port to all, and back: the old responder is waited for."""
    port = reserved_port()
    lab.service("app")
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{port}\n")
    lab.start()
    until(lambda: answers(port) == 200)
    lab.write("http", f"[http]\nlisten = :{port}\n")
    lab.ok("reload")
    until(lambda: answers(port, "127.0.0.2") == 200, "every address", 20)
    lab.write("http", f"[http]\nlisten = 127.0.0.1:{port}\n")
    lab.ok("reload")
    until(lambda: answers(port, "127.0.0.2") is None, "one address", 20)
    until(lambda: answers(port) == 200, "that one", 20)
    assert "nothing listens there" not in lab.messages()


@pytest.mark.release_only  # half a minute until it is
def test_port_in_use_is_tried_again(lab):
    port = reserved_port()
    with socket.create_server(("127.0.0.1", port)):
        lab.write("http", f"[http]\nlisten = 127.0.0.1:{port}\n")
        lab.service("app")
        lab.start()
        until(lambda: f"listen = 127.0.0.1:{port}: " in lab.messages())
    until(lambda: answers(port) == 200, "the port that is free now", 50)
    assert lab.messages().count(f"listen = 127.0.0.1:{port}: ") == 2  # and that it does now


def test_restarts_go_on_in_a_flood_of_orders(health):
    """Of some with the wrong token, some without one, some that are garbage."""
    with_control(health)
    health.service("app", SLEEP, RESTART, "max_restarts = unlimited", "backoff_multiplier = 1")
    health.service("other", SLEEP, RESTART)
    up(health)
    path, over, sent = str(health.base / "http"), threading.Event(), [0]
    post = f"POST {API}/services/other/restart HTTP/1.1\r\nHost: x\r\n".encode()
    flood = [post + bearer("wrong").encode() + b"\r\n", post + b"\r\n", b"\0\xff" * 500 + b"\r\n\r\n"]

    def send():
        while not over.is_set():
            with socket.socket(socket.AF_UNIX) as client:
                try:
                    client.connect(path)
                    client.sendall(flood[0] * 20 + flood[1] * 20 + flood[2])
                    while client.recv(65536):
                        pass
                except OSError:
                    pass
            sent[0] += 41
    threads = [threading.Thread(target=send, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for life in range(1, 11):
            before = sent[0]
            until(lambda: sent[0] > before + 200, "the flood")
            health.await_fields("app", state="running", life=life)
            health.process("app").kill(signal.SIGKILL)
        health.await_fields("app", state="running", life=11)
    finally:
        over.set()
    for thread in threads:
        thread.join(60)
    ends, starts = (health.events("app", kind)[-10:] for kind in ("exit", "start"))
    late = [(when(start) - when(end)).total_seconds() for end, start in zip(ends, starts)]
    assert len(late) == 10 and max(late) < 5, late
    assert health.status("other")["life"] == 1
    assert health.get("/health")[0] == 200


def test_responder_that_stands_still(health):
    """One that a reload replaces has some seconds to end."""
    listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    old = health.helper("responder")
    old.freeze()
    health.http("listen = 127.0.0.1:9100", "dashboard = no")
    health.ok("reload")
    until(lambda: not old.alive())
    until(lambda: health.helpers("responder"))


def test_http_goes_though_an_address_was_in_use(health):
    """What could be opened is closed with the section, whatever became of the rest."""
    taken, free = health.base / "taken", health.base / "free"
    with socket.create_server(str(taken), family=socket.AF_UNIX):
        health.http(f"listen = {taken} {free}")
        health.service("app", SLEEP, RESTART)
        health.start()
        health.ok("wait", "app")
        until(lambda: health.listens(free) == 200)
        until(lambda: "in use" in health.messages())
        health.remove("http")
        health.ok("reload")
    until(lambda: health.listens(free) is None, "nothing listens any more")
    until(lambda: not health.helpers("responder"))


def test_socket_left_by_a_crash_is_no_obstacle(health):
    path = listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    health.sinit.kill(signal.SIGKILL)
    health.outer.wait(60)
    assert path.is_socket()
    up(health)
    assert "nothing listens" not in health.messages()


def test_path_that_cannot_be_bound(health):
    """A file of somebody else's there is left alone."""
    path = listening(health)
    path.write_text("mine")
    health.service("app", SLEEP, RESTART)
    health.start()
    health.ok("wait", "app")
    until(lambda: f"listen = {path}: " in health.messages())
    assert path.read_text() == "mine"
    path.unlink()
    health.ok("reload")
    until(lambda: health.listens() == 200)


def test_shutdown_ends_it(health):
    """Whoever is connected sees the end of file; no process stays."""
    listening(health)
    health.service("app", SLEEP, RESTART)
    up(health)
    responder = health.helper("responder")
    with health.unix() as client:
        assert client.ask("/health").status == 200
        health.ok("shutdown")
        assert health.wait() == 0
        until(client.is_closed, "end of file")
    assert not responder.alive()
    assert health.listens() is None
    assert not (health.base / "http").exists()


def test_a_socket_of_another_program_is_not_taken(health):
    path = health.base / "http"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        listening(health)
        health.service("app", SLEEP, RESTART)
        health.start()
        until(lambda: str(path) in health.messages())
        assert path.exists() and not health.helpers("responder")
    # Deserted now: a reload takes it.
    health.ok("reload")
    with health.unix() as client:
        assert client.ask("/health").status == 200


def test_ready_while_it_stops(health):
    """Not ready from the request on, while the services still have their time."""
    listening(health)
    health.service("app", health.program("app", """
def term(*_):
    say('TERM')
    wait_for('go')
    os._exit(0)
signal.signal(signal.SIGTERM, term)
say('start')
signal.pause()
"""), RESTART, "stop_timeout = 100s")
    up(health)
    health.await_said("app", "start")
    until(lambda: health.get("/ready")[0] == 200)
    health.sinit.kill(signal.SIGTERM)
    health.await_said("app", "TERM")
    assert health.get("/ready")[0] == 503
    assert health.listens() is not None
    health.order("app", "go")
    assert health.wait() == 0
