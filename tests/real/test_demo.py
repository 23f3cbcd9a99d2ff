"""What the README promises: `make run`'s script over the drop-ins of conf.d with real
servers, on a terminal, through a pipe, and as an ordinary user; and Dockerfile.example."""

import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import termios
import threading
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.release_only  # the demonstration is of the release build

TOP = Path(__file__).resolve().parents[2]
SINIT = Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve()
SINITCTL = Path(os.environ.get("SINITCTL") or TOP / "build/sinitctl").resolve()
LIMIT = 120  # seconds that anything may take; reached only by a failure
STRANGER = 12345  # a uid that no account has


def until(condition, what):
    end = time.monotonic() + LIMIT
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {LIMIT} s: {what()}"
        time.sleep(0.05)
    return value


class Demo:
    """.ci/run-demo in a session of its own; what it prints is collected in `text`."""

    def __init__(self, run, terminal, top=TOP, user=None, command=None):
        self.run, self.text = run, ""
        if terminal:
            self.out, other = pty.openpty()
        else:
            self.out, other = os.pipe()
        self.child = subprocess.Popen(
            command or [top / ".ci/run-demo", SINIT.parent if top == TOP else top / "build"],
            cwd=top, stdin=other if terminal else subprocess.DEVNULL, stdout=other, stderr=other,
            env={**os.environ, "SINIT_DEMO": str(run), "TERM": "xterm"},
            start_new_session=True, user=user, group=user,
            extra_groups=None if user is None else [],
            preexec_fn=self.take_terminal if terminal else None)
        os.close(other)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    @staticmethod
    def take_terminal():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self):
        try:
            while piece := os.read(self.out, 65536):
                self.text += piece.decode(errors="replace")
        except OSError:  # a terminal that nobody has open any more
            pass

    def log(self):
        try:
            return (self.run / "log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def plain(self):
        return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", self.text)

    def state(self, name):
        """As the last table that was printed has it."""
        found = re.findall(rf"^\W*{name} +([a-z]+)", self.plain(), re.M)
        return found[-1] if found else None

    def ready(self):
        def up():
            assert self.child.poll() is None, self.text
            return {self.state(name) for name in ("redis", "nginx", "worker")} == {"running"}
        until(up, lambda: f"redis, nginx and worker running\n{self.text[-4000:]}\n{self.log()}\n"
              f"load {os.getloadavg()}\n{self.processes()}")
        until(lambda: "worker: page read, number 2" in self.log(), self.log)

    def end(self):
        """The exit status."""
        status = self.child.wait(LIMIT)
        self.reader.join(LIMIT)
        os.close(self.out)
        return status

    def below(self):
        """The script and all below it: unshare is in a session of its own."""
        below = [self.child.pid]
        for pid in below:
            try:
                words = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            except OSError:
                continue
            below += [int(word) for word in words]
        return below

    def processes(self):
        return subprocess.run(["ps", "-o", "pid,ppid,stat,etime,time,wchan:20,args", "-p",
                               ",".join(map(str, self.below()))], capture_output=True,
                              text=True).stdout

    def kill(self):
        for pid in self.below():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


@pytest.fixture
def demo(tmp_path):
    made = []

    def make(run=None, **words):
        made.append(Demo(run or tmp_path / "run", **words))
        return made[-1]

    yield make
    for one in made:
        if one.child.poll() is None:
            one.kill()
            one.child.wait()


def check_end(demo):
    """Everything has ended by itself, and in order."""
    assert demo.end() == 0, demo.text
    log = demo.log()
    stopped = log[log.index("stopping everything"):]
    assert "sinit: stopped, exit code 0" in stopped
    assert "KILL" not in re.sub(r"KILL in \d+s", "", stopped), stopped
    worker = stopped.index("worker: killed by TERM")
    assert worker < stopped.index("redis: stopping")
    assert worker < stopped.index("nginx: stopping")
    assert "redis: exited 0" in stopped
    assert "nginx: exited 0" in stopped  # gently: a KILL or TERM would read otherwise
    assert "sinit has ended with 0" in demo.text
    assert "started" not in stopped
    found = subprocess.run(["pgrep", "-f", f"{demo.run}/etc"], capture_output=True, text=True)
    assert not found.stdout


def check_tables(demo):
    assert demo.state("prepare") == "done"
    assert demo.state("monitor") == "stopped"
    assert "not enabled: sinitctl start" in demo.plain()
    order = [demo.log().index(f"sinit: {name}: started") for name in ("prepare", "nginx", "worker")]
    assert order == sorted(order)


def test_terminal(demo):
    """A table that renews itself; Ctrl-C is for the script and reaches no service."""
    one = demo(terminal=True)
    one.ready()
    check_tables(one)
    assert one.text.count("\x1b[H\x1b[2J") >= 2
    os.write(one.out, b"\x03")
    check_end(one)


def test_make_run(demo):
    """The command of the README itself: make is not interrupted, and tells how it ended."""
    build = os.environ.get("B") or "build"
    one = demo(terminal=True, command=["make", "-s", f"B={build}", "run"])
    one.ready()
    os.write(one.out, b"\x03")
    check_end(one)


def test_pipe(demo):
    one = demo(terminal=False)
    one.ready()
    check_tables(one)
    assert "\x1b" not in one.text
    os.kill(one.child.pid, signal.SIGINT)
    check_end(one)


def test_steered_from_outside(demo):
    """As the text below the table says: the run directory is enough to steer it."""
    one = demo(terminal=False)
    one.ready()

    def ctl(*words):
        return subprocess.run([SINITCTL, "-r", one.run / "ctl", *words], capture_output=True,
                              text=True, timeout=LIMIT)

    assert ctl("start", "monitor").returncode == 0
    assert ctl("status", "monitor").returncode == 0
    assert ctl("stop", "monitor").returncode == 0
    assert ctl("status", "monitor").returncode == 3
    before = one.log().count("worker: started")
    assert ctl("restart", "redis").returncode == 0  # the worker is restarted with it
    until(lambda: one.log().count("worker: started") > before, one.log)
    assert ctl("wait", "--ready", "worker").returncode == 0
    assert ctl("shutdown").returncode == 0
    assert one.end() == 0


def test_signal_at_once(demo):
    """Nothing is lost of a Ctrl-C that comes before there is a sinit to get it."""
    one = demo(terminal=False)
    until(lambda: one.log() or (one.run / "log").exists(), lambda: one.text)
    os.kill(one.child.pid, signal.SIGINT)
    assert one.end() in (0, 130), one.text
    assert not subprocess.run(["pgrep", "-f", f"{one.run}/etc"], capture_output=True).stdout


def may_have_namespaces():
    return subprocess.run(["unshare", "-Ur", "true"], user=STRANGER, group=STRANGER,
                          extra_groups=[], cwd="/", capture_output=True).returncode == 0


def test_ordinary_user(demo):
    """As somebody who is not root. (If the tests are run by such a one, all of these are.)"""
    if os.geteuid() != 0:
        pytest.skip("test_terminal was it already: this is no root")
    if not may_have_namespaces():
        pytest.skip("user namespaces are not for ordinary users here")
    with tempfile.TemporaryDirectory(prefix="sinit-demo-") as name:
        top = Path(name)
        top.chmod(0o755)
        for what in (".ci", "conf.d"):
            shutil.copytree(TOP / what, top / what)
        (top / "build").mkdir()
        for program in (SINIT, SINITCTL):
            shutil.copy(program, top / "build" / program.name)
        run = top / "run"
        run.mkdir()
        os.chown(top, STRANGER, STRANGER)
        os.chown(run, STRANGER, STRANGER)
        one = demo(run=run, terminal=True, top=top, user=STRANGER)
        one.ready()
        check_tables(one)
        os.write(one.out, b"\x03")
        check_end(one)


# --- The drop-ins and the example of an image ------------------------------------------


def test_drop_ins(tmp_path):
    """They stand as they are, and each is a lesson."""
    shutil.copytree(TOP / "conf.d", tmp_path / "conf.d")
    checked = subprocess.run([SINIT, "--check", "-c", tmp_path], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    assert not checked.stderr
    names = checked.stdout.split()
    assert names.index("prepare") < names.index("nginx") < names.index("worker")
    assert names.index("redis") < names.index("worker")
    for path in (TOP / "conf.d").glob("*.ini"):
        lines = path.read_text().splitlines()
        comments = [line for line in lines if line.startswith(";")]
        assert lines[0].startswith(";") and len(comments) >= 4, path


def test_readme_drop_in(tmp_path):
    """The drop-in that the README explains is a good one, and it explains every line."""
    text = (TOP / "README.md").read_text()
    block = re.search(r"((?:^    .*\n)+)", text[text.index("[service worker]") - 4:], re.M)[1]
    shutil.copytree(TOP / "conf.d", tmp_path / "conf.d")
    (tmp_path / "conf.d/worker.ini").write_text(re.sub(r"^    ", "", block, flags=re.M))
    checked = subprocess.run([SINIT, "--check", "-c", tmp_path], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
    for key in re.findall(r"^    ([a-z_]+) =", block, re.M):
        assert f"| `{key}` |" in text, key


def configurations(text):
    """The indented blocks of a document that begin with a section, without their indentation."""
    found = re.findall(r"((?:^(?: {4}.*)?\n)+)", text, re.M)
    found = [re.sub(r"^    ", "", block, flags=re.M).strip() + "\n" for block in found]
    return [block for block in found if block.startswith("[")]


def check_snippet(directory, text):
    """A piece of a configuration, with whatever services it names."""
    (directory / "conf.d").mkdir(parents=True)
    services = set(re.findall(r"^\[(?:startup|liveness|readiness) (\S+)\]", text, re.M))
    services |= {name for line in re.findall(r"^(?:requires|services) = (.*)", text, re.M)
                 for name in line.split() if "*" not in name}
    services -= set(re.findall(r"^\[service (\S+)\]", text, re.M))
    text += "".join(f"[service {name}]\ncommand = true\n" for name in sorted(services))
    (directory / "conf.d/a.ini").write_text(text)
    checked = subprocess.run([SINIT, "--check", "-c", directory], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, ""), text


def test_snippets(tmp_path):
    """Whatever stands in a document as a configuration, and each example, is a good one."""
    found = [path.read_text() for path in (TOP / "conf.d/examples").glob("*.ini")]
    for page in ("README.md", "docs/boards.md"):
        found += configurations((TOP / page).read_text())
    page = (TOP / "docs/sinit.conf.5.in").read_text()
    found += [re.sub(r"\\-", "-", block) for block in
              re.findall(r"^\.nf\n\.RS\n(.*?)^\.RE\n\.fi$", page, re.M | re.S)]
    assert len(found) >= 8
    for number, text in enumerate(found):
        check_snippet(tmp_path / str(number), text)


def test_readme_numbers():
    """The table of limits is that of the code."""
    text = (TOP / "README.md").read_text()

    def number(path, name):
        found = re.search(rf"\b{name}\b\s*=?\s*(\d+)", (TOP / path).read_text())
        return int(found[1])

    for words, path, name in (
            ("| services | {};", "init/image.h", "IMAGE_MAX_SERVICES"),
            ("| a service's name | {} bytes |", "init/image.h", "IMAGE_MAX_NAME"),
            ("| a line of the configuration | {} bytes;", "init/ini.h", "INI_LINE_MAX"),
            ("| errors told at once | {} |", "init/config.h", "CONFIG_MAX_MESSAGES"),
            ("| `max_restarts` | 0 to {},", "init/machine.h", "MACHINE_RESTARTS_MAX"),
            ("| events kept | {} |", "init/board.h", "BOARD_EVENTS"),
            ("| a request of sinitctl | {} bytes,", "ctl/request.h", "REQUEST_LINE"),
            ("bytes, {} arguments (", "ctl/request.h", "REQUEST_ARGS"),
            ("deaths and requests | {} |", "init/supervisor.h", "SUPERVISOR_STARTS")):
        assert words.format(number(path, name)) in text, name
    assert number("init/log.h", "LOG_BUFFER") == 8 << 10
    assert number("ctl/ctl.h", "CTL_ANSWER_MS") == 5000
    assert number("ctl/ctl.h", "CTL_WAIT_MS") == 90000
    assert number("init/reload.c", "PATIENCE") == 30000


def test_links():
    """What the documents point to is there."""
    for page in ("README.md", "docs/ARCHITECTURE.md"):
        text = (TOP / page).read_text()
        named = re.findall(r"\]\(([^):]+)\)", text)
        named += re.findall(r"`((?:init|reaper|ctl|tests|docs|conf\.d)/[\w./]+\w)`", text)
        assert named
        for name in named:
            assert (TOP / name).exists(), f"{page}: {name}"
    for path in re.findall(r"`(?:make) ([a-z]+)`", (TOP / "README.md").read_text()):
        assert path in make_targets(), path


def instructions():
    text = (TOP / "Dockerfile.example").read_text()
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.M).replace("\\\n", " ")
    return [line.split(None, 1) for line in text.splitlines() if line.strip()]


def make_targets():
    return {name for line in (TOP / "Makefile").read_text().splitlines()
            if (match := re.match(r"([a-z][a-z ]*):(?!=)", line)) for name in match[1].split()}


def test_dockerfile_targets():
    runs = [words for what, words in instructions() if what == "RUN"]
    makes = [words for words in runs if words.startswith("make")]
    assert makes
    for words in makes:
        given = [word for word in words.split()[1:] if "=" not in word]
        assert set(given) <= make_targets(), words
    for words in runs:  # nothing is built but by make
        assert re.match(r"make|apk|\.ci/setup build$|sinit --check$", words), words
    # The image that it begins with has no make.
    assert runs.index(".ci/setup build") < runs.index(makes[0])


def test_dockerfile_files():
    for what, words in instructions():
        if what == "COPY" and "--from" not in words:
            *sources, _ = words.split()
            assert all((TOP / source).exists() for source in sources), words
    text = (TOP / "Dockerfile.example").read_text()
    entry = re.search(r'^ENTRYPOINT \["([^"]+)"\]', text, re.M)[1]
    there = re.search(r"DESTDIR=(\S+)", text)[1]
    plan = subprocess.run(["make", "-n", "install", f"DESTDIR={there}"], cwd=TOP, text=True,
                          capture_output=True, check=True).stdout
    assert f" {there}{entry}\n" in plan
