"""A sinit with probes and a responder of its own: the lab of control_lab in a network namespace
with a loopback that works, so that every test has all ports; services in Python that say over
a file what they are asked, and do what another file says."""

import json
import os
import socket
import subprocess
import sys

import pytest
from control_lab import AS_ROOT, SINITCTL, Lab, Process, descendants, lab, needs_root, until
from responder_lab import Client

__all__ = ["AS_ROOT", "Process", "descendants", "health", "lab", "needs_root", "until"]

# Words in front of sinit, inside of its namespace.
LOOPBACK = ["unshare", "--net", "--", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
PORT = 8080
RESTART = "restart_delay = 100ms"

# In front of every program of a service. say() adds a line to the file that all of them write;
# a line is one write(2), so that the order in it is the order in which things were said.
PRELUDE = """\
import http.server, os, signal, socket, sys, time
NAME, BASE = {name!r}, {base!r}
def say(*words):
    fd = os.open(BASE + '/said', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(fd, (' '.join([NAME, *map(str, words)]) + '\\n').encode())
    os.close(fd)
def order(default=''):
    try:
        return open(BASE + '/order.' + NAME).read().strip() or default
    except FileNotFoundError:
        return default
def wait_for(*orders):
    while order() not in orders:
        time.sleep(0.01)
def notify(data):
    if isinstance(data, str):
        data = data.encode()
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.sendto(data, os.environ['NOTIFY_SOCKET'])
    s.close()
def serve(port, life=''):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            status = order('200')
            say('asked', self.path, life)  # whoever sees that may give the next order
            late = status == 'held' or status.startswith('late')
            if status == 'held':
                while not os.path.exists(BASE + '/order.let-go'):
                    time.sleep(0.01)
            elif late:
                time.sleep(float(status[4:]))
            if late:
                status = '500'
            try:
                self.send_response(int(status))
                self.end_headers()
            except OSError:
                pass
            if late:
                say('late')
        def log_message(self, *words):
            pass
    server = http.server.ThreadingHTTPServer(('127.0.0.1', port), Handler)
    if 'NOTIFY_SOCKET' in os.environ:
        notify('READY=1')
    server.serve_forever()
signal.signal(signal.SIGTERM, lambda *_: (say('TERM'), os._exit(0)))
"""


class Late:
    """A text that is made when it is shown: what is the case when a wait was in vain."""

    def __init__(self, make):
        self.make = make

    def __str__(self):
        return self.make()


class Health(Lab):
    def launch(self, *more, after=LOOPBACK, **how):
        super().launch(*more, after=after, **how)

    # --- configuration

    def program(self, name, text):
        """A service's command: the prelude and this."""
        path = self.script(f"{name}.py", PRELUDE.format(name=name, base=str(self.base)) + text)
        return f"{sys.executable} {path}"

    def web(self, name, *lines, port=PORT, before=""):
        """A service that answers by HTTP what order() says; it has started when it listens."""
        self.service(name, self.program(name, f"say('start')\n{before}\nserve({port})\n"),
                     RESTART, "type = notify", *lines)

    def probe(self, name, role, check, **keys):
        """A check has as long as its interval: one that must not fail by chance has a longer one than
        this, for an exec or an answer may take that long on a busy machine."""
        keys = {"check": check, "interval": "200ms", **keys}
        text = "".join(f"{key} = {value}\n" for key, value in keys.items())
        self.write(f"{name}.{role}", f"[{role} {name}]\n{text}")

    def no_probe(self, name, role):
        self.remove(f"{name}.{role}")

    def http(self, *lines):
        self.write("http", "\n".join(["[http]", *map(str, lines), ""]))

    def ctl_later(self, *words):
        return subprocess.Popen([SINITCTL, "-r", self.run, *words], stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    # --- what services are told and say

    def order(self, name, what):
        fresh = self.base / f"order.{name}.new"
        fresh.write_text(str(what))
        fresh.rename(self.base / f"order.{name}")

    def said(self, *begin):
        path = self.base / "said"
        lines = [tuple(line.split()) for line in path.read_text().splitlines()] \
            if path.exists() else []
        return [line for line in lines if line[:len(begin)] == begin]

    def await_said(self, *begin, count=1):
        return until(lambda: len(found := self.said(*begin)) >= count and found,
                     Late(lambda: f"{count} x {begin} said: {self.said()}"))

    def await_more(self, *begin, count=1):
        """So many more than now."""
        return self.await_said(*begin, count=len(self.said(*begin)) + count)

    # --- what sinit says

    def await_fields(self, name, **fields):
        def matches():
            status = self.status(name)
            return all(status[key] == value for key, value in fields.items()) and status
        return until(matches, Late(lambda: f"{name} with {fields}: {self.status(name)}"))

    def await_event(self, name, kind, count=1):
        return until(lambda: len(found := self.events(name, kind)) >= count and found,
                     Late(lambda: f"{count} x {kind} of {name}: {self.events(name)}"))

    def sequence(self, *kinds):
        return [(e["service"], e["event"]) for e in self.events() if e["event"] in kinds]

    def why(self, name):
        return self.json("health", name)["services"][0]["why"] or ""

    # --- processes

    def processes(self):
        """Those of the namespace that are alive."""
        return [p for p in map(Process, descendants(self.outer.pid)) if p.alive()]

    def running(self, *argv):
        """Processes with these words."""
        return [p for p in self.processes() if p.argv() == [word.encode() for word in argv]]

    def helper(self, kind):
        """The prober or the responder, once it is there."""
        return until(lambda: self.helpers(kind), f"a {kind}")[0]

    def helpers(self, kind):
        return [p for p in self.processes() if p.argv()[:1] == [f"sinit: {kind}".encode()]]

    # --- the responder

    def unix(self, path=None):
        connected = socket.socket(socket.AF_UNIX)
        connected.settimeout(60)
        try:
            connected.connect(str(path or self.base / "http"))
        except OSError:
            connected.close()
            raise
        return Client(connected)

    def ask(self, target, method="GET", headers="", path=None):
        with self.unix(path) as client:
            return client.ask(target, method, headers)

    def get(self, target):
        """(status, the JSON of the answer)"""
        answer = self.ask(target)
        return answer.status, json.loads(answer.body)

    def metrics(self):
        """{"name{labels}": value}"""
        text = self.ask("/metrics").body.decode()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
                for line in text.splitlines() if not line.startswith("#")}

    def restarts(self, name):
        """{reason: how many}, those that are not 0."""
        begin = f'sinit_service_restarts_total{{service="{name}",reason="'
        return {key[len(begin):-2]: value for key, value in self.metrics().items()
                if key.startswith(begin) and value}

    def listens(self, path=None):
        """Whether the responder answers there."""
        try:
            return self.ask("/health", path=path).status
        except (OSError, AssertionError):
            return None


@pytest.fixture
def health():
    it = Health()
    it.base.joinpath("said").touch()
    it.base.joinpath("said").chmod(0o666)
    try:
        yield it
    finally:
        it.close()
