"""One class a supervisor: it writes a configuration, says how to start, ask and stop.

A new peer needs: `name`, `programs`, `write`, `command`; and, where it has them,
`status_one`, `status_all`, `dependencies = True`, `logs = True`. Everything else
has a default. Register the class in SUPERVISORS at the end.
"""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path

ROTATE = 16777215  # log rotation size where logs are tested; 20 files are kept


@dataclass
class Service:
    name: str
    argv: list                # complete command
    mode: str = "sleep"       # sleep, ready (newline on descriptor 3) or oneshot
    after: list = field(default_factory=list)  # names it needs up before it


class Supervisor:
    name = ""
    programs = ()             # all must be found, else the peer is skipped
    most = 100000             # services it can hold
    asks = 100000             # services it can list without failing
    dependencies = False      # takes part in the chain benchmark
    logs = False              # takes part in the log benchmark
    defaults = ""             # its restart delay as shipped, for the report

    def __init__(self, find, helpers):
        self.find, self.helpers = find, helpers

    def write(self, d, services, defaults=False, logs=None):
        """Writes the configuration into the empty directory d. With `defaults`
        the restart delay is left as shipped, else it is the smallest allowed.
        With `logs` (a directory) standard output is logged there, in files of
        each service's name or in directories of that name."""
        raise NotImplementedError

    def command(self, d):
        raise NotImplementedError

    def env(self, d):
        return {}

    def started(self, d, env):
        """Anything more to run after the command; returns when t=0 (ns), or None."""

    def stop(self, pid):
        os.kill(pid, signal.SIGTERM)

    def status_one(self, d, name):
        return None

    def status_all(self, d, names):
        return None


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)


def words(argv):
    return " ".join(argv)


def service_directories(d, services, helpers, log_run=None):
    """DIR/NAME/run, the form s6, runit and nitro share. `run` is a link to the
    service itself where that does, so that no shell is measured. `log_run` is
    the logger's script, given the service's name."""
    for service in services:
        home = d / service.name
        home.mkdir(parents=True)
        if service.argv[0] == helpers["svc"] and not log_run and service.mode == "sleep":
            (home / "run").symlink_to(helpers["svc"])
        else:
            script(home / "run", f"#!/bin/sh\nexec {words(service.argv)}\n")
        if log_run:
            (home / "log").mkdir()
            script(home / "log" / "run", log_run(service.name))


class Floor(Supervisor):
    """No supervisor: the helper that only starts and stops. The lower limit."""
    name = "floor"

    def write(self, d, services, defaults=False, logs=None):
        if not all(s.mode == "sleep" for s in services) or logs:
            raise NotImplementedError
        self.count = len(services)

    def command(self, d):
        return [self.helpers["floor"], "spawn", str(self.count), self.helpers["svc"],
                "sleep", os.path.join(d.parent, "fifo")]


class S6(Supervisor):
    name = "s6"
    programs = ("s6-svscan", "s6-supervise", "s6-svstat")
    logs = True
    defaults = "1 s after every death; with readiness, 1 s after ready"
    stamp = ""

    def write(self, d, services, defaults=False, logs=None):
        def run(name):
            return f"#!/bin/sh\nexec s6-log {self.stamp} n20 s{ROTATE} {logs}/{name}\n"
        service_directories(d / "scan", services, self.helpers, run if logs else None)

    def command(self, d):
        return [self.find("s6-svscan"), "-c", "4000", str(d / "scan")]

    def status_one(self, d, name):
        return [self.find("s6-svstat"), str(d / "scan" / name)]

    def status_all(self, d, names):
        return ["/bin/sh", "-c", f"for s in {d}/scan/*; do {self.find('s6-svstat')} $s; done"]


class S6Stamped(S6):
    name = "s6 (timestamps)"
    stamp = "t"


class Runit(Supervisor):
    name = "runit"
    programs = ("runsvdir", "runsv", "sv")
    most = 1000
    logs = True
    defaults = "none after 1 s of life, else 1 s, fixed"
    stamp = ""

    def write(self, d, services, defaults=False, logs=None):
        def run(name):
            (logs / name).mkdir()
            (logs / name / "config").write_text(f"s{ROTATE}\nn20\n")
            return f"#!/bin/sh\nexec svlogd {self.stamp} {logs}/{name}\n"
        service_directories(d / "scan", services, self.helpers, run if logs else None)
        # runsvdir waits a second if the directory changed in this very second
        past = time.time() - 10
        os.utime(d / "scan", (past, past))

    def command(self, d):
        return [self.find("runsvdir"), str(d / "scan")]

    def stop(self, pid):
        os.kill(pid, signal.SIGHUP)  # its "stop everything"; SIGTERM leaves runsv running

    def status_one(self, d, name):
        return [self.find("sv"), "status", str(d / "scan" / name)]

    def status_all(self, d, names):
        return [self.find("sv"), "status"] + [str(d / "scan" / name) for name in names]


class RunitStamped(Runit):
    name = "runit (timestamps)"
    stamp = "-tt"


class Supervisord(Supervisor):
    name = "supervisord"
    programs = ("supervisord", "supervisorctl")
    logs = True
    defaults = "up to 1 s (its loop's tick); 1, 2, 3 s more if it lived under 1 s"

    def write(self, d, services, defaults=False, logs=None):
        text = [f"""[supervisord]
nodaemon=true
user=root
logfile=/dev/null
logfile_maxbytes=0
pidfile={d}/pid
minfds={max(1024, 5 * len(services) + 64)}
minprocs={max(200, 2 * len(services))}
[unix_http_server]
file={d}/sock
[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{d}/sock
"""]
        for service in services:
            text.append(f"[program:{service.name}]\ncommand={words(service.argv)}\n"
                        "autorestart=true\nstderr_logfile=NONE\n")
            text.append(f"stdout_logfile={logs}/{service.name}\nstdout_logfile_maxbytes={ROTATE}\n"
                        "stdout_logfile_backups=20\n" if logs else "stdout_logfile=NONE\n")
            if not defaults:
                text.append("startsecs=0\nstartretries=1000000\n")
        (d / "conf").write_text("".join(text))

    def command(self, d):
        return [self.find("supervisord"), "-c", str(d / "conf")]

    def status_one(self, d, name):
        return [self.find("supervisorctl"), "-c", str(d / "conf"), "status", name]

    def status_all(self, d, names):
        return [self.find("supervisorctl"), "-c", str(d / "conf"), "status"]


class Dinit(Supervisor):
    name = "dinit"
    programs = ("dinit", "dinitctl")
    dependencies = True
    logs = True  # the service writes to the file itself: no copy, no rotation
    defaults = "0.2 s between two starts, at most 3 in 10 s"

    def write(self, d, services, defaults=False, logs=None):
        (d / "conf").mkdir()
        for service in services:
            lines = [f"type = {'scripted' if service.mode == 'oneshot' else 'process'}",
                     f"command = {words(service.argv)}"]
            if service.mode == "ready":
                lines.append("ready-notification = pipefd:3")
            if service.mode != "oneshot":
                lines.append("restart = true")
                if not defaults:
                    lines += ["restart-delay = 0", "restart-limit-count = 0",
                              "smooth-recovery = true"]
            if logs:
                lines.append(f"logfile = {logs}/{service.name}")
            lines += [f"depends-on = {other}" for other in service.after]
            (d / "conf" / service.name).write_text("\n".join(lines) + "\n")
        boot = ["type = internal"] + [f"waits-for = {s.name}" for s in services]
        (d / "conf" / "boot").write_text("\n".join(boot) + "\n")

    def command(self, d):
        return [self.find("dinit"), "-q", "-d", str(d / "conf"), "-p", str(d / "sock"), "boot"]

    def _ctl(self, d, *args):
        return [self.find("dinitctl"), "-p", str(d / "sock"), *args]

    def status_one(self, d, name):
        return self._ctl(d, "status", name)

    def status_all(self, d, names):
        return self._ctl(d, "list")


class Nitro(Supervisor):
    name = "nitro"
    programs = ("nitro", "nitroctl")
    most = int(os.environ.get("BENCH_NITRO_MAXSV", "500")) - 2  # MAXSV, a build constant
    asks = 100  # its list overruns a 4 KiB buffer with some more, and nitro dies of SIGSEGV
    defaults = "1 s if it lived under 1 s, fixed"

    def write(self, d, services, defaults=False, logs=None):
        service_directories(d / "scan", services, self.helpers)

    def env(self, d):
        return {"NITRO_SOCK": str(d / "sock")}

    def command(self, d):
        return [self.find("nitro"), str(d / "scan")]

    def status_one(self, d, name):
        return [self.find("nitroctl"), "list", name]

    def status_all(self, d, names):
        return [self.find("nitroctl"), "list"]


class S6rc(Supervisor):
    """s6-rc over s6-svscan, for dependencies; compiling the database is not timed."""
    name = "s6-rc"
    programs = ("s6-svscan", "s6-rc", "s6-rc-init", "s6-rc-compile")
    dependencies = True
    chain_only = True

    def write(self, d, services, defaults=False, logs=None):
        (d / "scan").mkdir()
        for service in services:
            home = d / "src" / service.name
            home.mkdir(parents=True)
            oneshot = service.mode == "oneshot"
            (home / "type").write_text("oneshot\n" if oneshot else "longrun\n")
            if oneshot:
                (home / "up").write_text(words(service.argv) + "\n")
            else:
                script(home / "run", f"#!/bin/sh\nexec {words(service.argv)}\n")
                if service.mode == "ready":
                    (home / "notification-fd").write_text("3\n")
            (home / "dependencies").write_text("".join(f"{o}\n" for o in service.after))
        bundle = d / "src" / "all"
        bundle.mkdir()
        (bundle / "type").write_text("bundle\n")
        (bundle / "contents").write_text("".join(f"{s.name}\n" for s in services))
        if os.system(f"{self.find('s6-rc-compile')} {d}/db {d}/src"):
            raise OSError("s6-rc-compile failed")

    def command(self, d):
        return [self.find("s6-svscan"), "-c", "4000", str(d / "scan")]

    def started(self, d, env):
        from measure import spawn
        time.sleep(0.3)
        begin = time.monotonic_ns()
        rc, init = self.find("s6-rc"), self.find("s6-rc-init")
        spawn(["/bin/sh", "-c", f"{init} -c {d}/db -l {d}/live {d}/scan && "
               f"exec {rc} -l {d}/live -u change all"], env, stderr=str(d / "rc.err"))
        return begin


class Sinit(Supervisor):
    name = "sinit"
    programs = ("sinit", "sinitctl")
    dependencies = True
    logs = True
    defaults = "1 s, doubling up to 60 s; at most 10 in 10 min"
    format = "raw"

    def write(self, d, services, defaults=False, logs=None):
        (d / "conf.d").mkdir()
        (d / "sinit.ini").write_text(f"[sinit]\nstate_dir = {d}/state\n")
        text = []
        for service in services:
            text.append(f"[service {service.name}]\ncommand = {words(service.argv)}\n")
            if service.mode == "oneshot":
                text.append("type = oneshot\n")
            elif service.mode == "ready":
                text.append("type = notify\n")
            elif not defaults:
                text.append("restart = always\nrestart_delay = 0\n")
            if service.after:
                text.append(f"requires = {words(service.after)}\n")
            if logs:
                text.append(f"log = {logs}/{service.name}\nlog_format = {self.format}\n"
                            f"log_max_size = {ROTATE}\nlog_keep = 20\n")
        (d / "conf.d" / "services.ini").write_text("".join(text))

    def command(self, d):
        return [self.find("sinit"), "-c", str(d), "-r", str(d / "run")]

    def status_one(self, d, name):
        return [self.find("sinitctl"), "-r", str(d / "run"), "status", name]

    def status_all(self, d, names):
        return [self.find("sinitctl"), "-r", str(d / "run"), "status"]

    def status_json(self, d):
        return [self.find("sinitctl"), "-r", str(d / "run"), "--json", "status"]


class SinitStamped(Sinit):
    name = "sinit (timestamps)"
    format = "timestamps"


class SinitJson(Sinit):
    name = "sinit (JSON)"
    format = "json"


SUPERVISORS = [Floor, Sinit, S6, Runit, Supervisord, Dinit, Nitro]
CHAINS = [Sinit, Dinit, S6rc]
LOGS = [Sinit, SinitStamped, SinitJson, S6, S6Stamped, Runit, RunitStamped, Supervisord, Dinit]
CROWDS = [Sinit, S6, Runit]
