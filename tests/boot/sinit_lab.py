"""sinit in a guest: below the guest's own PID 1, in a cell (see cell.c), or as that PID 1.

A test gets `sinit`, writes services, starts it in a situation, and waits for what status,
events, log or the files of the slices say. Every wait has a limit, far above what a busy machine
needs; nothing waits for a time and hopes.
"""

import json
import shlex
import time

from lab import LIMIT

CONTROLLERS = "cpu memory pids io cpuset"


def until(condition, what, limit=LIMIT):
    """What condition() gives as soon as it is true. Both count: what it gives and when."""
    end, pause = time.monotonic() + limit, 0.02
    while not (result := condition()):
        assert time.monotonic() < end, f"after {limit} s still not: {what}"
        time.sleep(pause)
        pause = min(pause * 1.3, 0.3)  # each look costs the guest some of its time
    return result


def section(kind, keys):
    return f"[{kind}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def keyed(text):
    """{key: number} of lines "KEY NUMBER"."""
    return {key: int(value) for key, value in map(str.split, text.splitlines())}


class Watched:
    """What a sinit says of itself, by its run directory in the guest."""

    def __init__(self, guest, run):
        self.guest = guest
        self.run = run

    def log(self):
        return self.guest.console()

    def gone(self):
        return False  # as PID 1 it would take the guest with it

    def ctl(self, *words, code=0, limit=LIMIT):
        """Runs sinitctl, checks its exit code (None: any), returns its output."""
        done = self.guest.run(shlex.join(["sinitctl", "-r", self.run, *map(str, words)]), limit)
        assert code in (None, done.status), f"sinitctl {words}: {done}\n{self.log()}"
        return done.output

    def status(self, name=None):
        """{name: service} or one service; nothing while there is no sinit."""
        done = self.guest.run(f"sinitctl -r {self.run} --json status 2>/dev/null")
        board = json.loads(done.output) if done.output else {"sinit": {"pid": None}}
        alive = board["sinit"]["pid"] is not None
        services = {s["name"]: s for s in board["services"]} if alive else {}
        return services.get(name, {}) if name else services

    def events(self, name=None, *kinds):
        """The events of a service (or all), of these kinds (or all), in order. Those of a state that
        was seen are written after it: they are there when sinit answers."""
        ctl = f"sinitctl -r {self.run}"
        output = self.guest.run(f"{ctl} ping >/dev/null 2>&1; {ctl} --json events 2>/dev/null").output
        found = [json.loads(line) for line in output.splitlines()]
        return [e for e in found if name in (None, e["service"]) and
                (not kinds or e["event"] in kinds)]

    def until_event(self, name, kind, count=1, limit=LIMIT):
        return until(lambda: len(found := self.events(name, kind)) >= count and found,
                     f"{count} x event {kind} of {name}", limit)

    def until_state(self, name=None, limit=LIMIT, **fields):
        """Until all these fields of the service (of all services) have these values; a tuple:
        one of these; a function: true of the value."""
        def good(wanted, value):
            if callable(wanted):
                return value is not None and wanted(value)
            return value in (wanted if isinstance(wanted, tuple) else (wanted,))

        def condition():
            status = self.status()
            assert status or not self.gone(), "sinit has gone"
            chosen = [status.get(name, {})] if name else list(status.values())
            fine = all(good(wanted, s.get(key)) for s in chosen for key, wanted in fields.items())
            return chosen and fine and status

        try:
            found = until(condition, f"{name or 'all'} with {fields}", limit)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.status(name)}\n{self.log()}") from None
        return found[name] if name else found


class Sinit(Watched):
    """One in a cell. Unless said otherwise it is PID 1 of a container: PID namespace, private
    cgroup namespace, cgroup v2 with all controllers at /sys/fs/cgroup, writable."""

    def __init__(self, guest, name):
        self.home = f"/tmp/{name}"
        super().__init__(guest, f"{self.home}/run")
        self.top = f"/sys/fs/cgroup/{name}"  # as the guest sees it
        self.own = f"{self.top}/own"
        self.cgroup = f"{name}/own"
        self.files = {}
        self.settings()
        guest.check(f"mkdir -p {self.home}/etc/conf.d {self.home}/run {self.home}/state")

    # --- configuration; written when it starts, or by configure()

    def settings(self, **keys):
        keys = {"state_dir": f"{self.home}/state", "shutdown_timeout": "100s", **keys}
        self.files["sinit.ini"] = section("sinit", keys)

    def add(self, name, kind, **keys):
        """Any other section, as a drop-in of its own."""
        self.files[f"conf.d/{name}.ini"] = section(kind, keys)

    def service(self, name, command="sleep 100000", **keys):
        self.add(name, f"service {name}", command=command, **keys)

    def configure(self):
        """All files in one request: each would cost a few milliseconds."""
        text = "".join(f"cat >{self.home}/etc/{name} <<'END'\n{content}END\n"
                       for name, content in self.files.items())
        self.guest.check(text)

    # --- its life

    def cell(self, pid=True, cgroup=True, controllers=CONTROLLERS, cgroupns=True, mount="rw",
             user=None, neighbour=False):
        """The words of the situation."""
        words = ["cell", "--pidfile", f"{self.home}/pid"]
        if cgroup:
            words += ["--cgroup", self.cgroup, "--controllers", controllers]
        words += ["--pid"] * pid + ["--cgroupns"] * (cgroupns and cgroup)
        words += ["--neighbour"] * neighbour
        words += ["--mount", mount] if mount else []
        words += ["--user", str(user)] if user is not None else []
        return words

    def start(self, *options, through=(), **situation):
        """`options` are sinit's; `through` is a command that starts it, with its words behind."""
        self.configure()
        words = [*self.cell(**situation), "--", *through, "/sbin/sinit", "-c",
                 f"{self.home}/etc", "-r", self.run, *options]
        if situation.get("user") is not None:
            self.guest.check(f"chown -R {situation['user']} {self.home}")
        # The first part is for a second start; the file with the exit status comes last.
        self.guest.check(f"cd {self.home}; rm -f pid code; "
                         f"({shlex.join(words)}; echo $? >code) >>log 2>&1 </dev/null &")
        self.guest.until(f"cat {self.home}/pid {self.home}/code 2>/dev/null | head -n 1 | grep .")
        return self

    def up(self, *options, **situation):
        """Started, and every service that can be ready is."""
        self.start(*options, **situation)
        self.until_state(ready=True)
        return self

    @property
    def pid(self):
        """As the guest sees it."""
        return int(self.guest.read(f"{self.home}/pid"))

    def signal(self, name="TERM"):
        self.guest.check(f"kill -{name} {self.pid}")

    def gone(self):
        return self.exists(f"{self.home}/code")

    def wait(self, limit=LIMIT):
        """Its exit code, once it has gone."""
        return int(self.guest.until(f"cat {self.home}/code 2>/dev/null | grep .", limit,
                                    "sinit has gone"))

    def stop(self, limit=LIMIT):
        self.signal()
        return self.wait(limit)

    def end(self):
        """Nothing is left of it, whatever the test did; and nothing of its cgroups."""
        self.guest.run(f"""cd {self.home}
            [ -s pid ] && [ ! -e code ] && kill -KILL $(cat pid)
            [ -d {self.top} ] || exit 0
            echo 1 >{self.top}/cgroup.kill
            until ! grep -q 'populated 1' {self.top}/cgroup.events; do usleep 20000; done
            find {self.top} -depth -type d -exec rmdir {{}} +""")

    # --- what it and its slices say

    def log(self):
        return self.guest.run(f"cat {self.home}/log").output

    def slice(self, name):
        return f"{self.own}/{name}.service"

    def until_no_slice(self, name):
        """It is removed in the moment after the one in which it is seen to be stopped."""
        until(lambda: not self.exists(self.slice(name)), f"{name} without a slice")

    def file(self, name, file):
        """A file of a service's slice, without the newline at its end."""
        return self.guest.read(f"{self.slice(name)}/{file}").rstrip("\n")

    def exists(self, path):
        return self.guest.run(f"test -e {path}").status == 0

    def warnings(self):
        return [line for line in self.log().splitlines() if "warning" in line]
