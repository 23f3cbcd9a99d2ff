"""What tini's and dumb-init's own suites need: their sources, sinit under their programs' names,
and a PID namespace in which PID 1 reaps orphans and the suite is an ordinary process.

SINIT names the program (default build/sinit)."""

import atexit
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[1]
SINIT = Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve()
SOURCES = TOP / "build/deps/src"
PYTHON = "/usr/bin/python3"  # Debian's, which has what the suites import
LIMIT = 240  # seconds that one suite may take: 30, if the machine has nothing else to do

NAMESPACE = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--pid",
             "--fork", "--kill-child", "--mount", "--mount-proc"]
# A shell that waits for a command in the foreground reaps all that comes its way.
REAPING = [*NAMESPACE, "sh", "-c", '"$@"; exit $?', "sh"]

subprocess.run([TOP / ".ci/deps", "peers"], check=True)
BIN = Path(tempfile.mkdtemp(prefix="sinit-peers-"))
atexit.register(shutil.rmtree, BIN, ignore_errors=True)
for name in ("tini", "tini-static", "dumb-init"):
    shutil.copy(SINIT, BIN / name)
for name in ("python", "python3"):  # what their scripts begin with
    (BIN / name).symlink_to(PYTHON)
for name in ("hardening-check", "yes"):
    (BIN / name).symlink_to(HERE / name)


def environment(**more):
    """Nothing of ours, or of who runs us, that the programs or the suites would obey."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("TINI_", "DUMB_INIT_", "PYTEST_", "PYTHON"))}
    return {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HERE), **more}


class Run:
    """A command in such a namespace, its output in a file; `text()` waits for its end."""

    def __init__(self, words, pid1=False, cwd=None, **more):
        self.output = tempfile.TemporaryFile()
        self.child = subprocess.Popen([*(NAMESPACE if pid1 else REAPING), *map(str, words)],
                                      stdin=subprocess.DEVNULL, stdout=self.output,
                                      stderr=self.output, cwd=cwd, env=environment(**more))

    def text(self):
        try:
            self.status = self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.child.kill()  # and with it the namespace
            self.status = self.child.wait()
        self.output.seek(0)
        return self.output.read().decode(errors="replace")
