"""The configuration as a running sinit and its services see it: what is refused and how,
what reaches argv and environ, byte for byte."""

import os
import subprocess

import pytest
from control_lab import SINIT, SLEEP, lab, until  # noqa: F401

# A command whose arguments can be read in /proc: they follow the script's name.
SHELL = "sh -c 'sleep 100000; :' name"


def check(lab):
    return subprocess.run([SINIT, "--check", "-c", lab.conf], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)


def refused(lab):
    """Starts it; it must end with 78. What it said."""
    lab.launch()
    assert lab.wait() == 78, lab.messages()
    return lab.messages()


def test_all_errors_and_nothing_started(lab):
    marker = lab.base / "started"
    lab.service("good", f"touch {marker}", "type = oneshot", "priority = 1")
    lab.write("one", "[service one]\ncomand = sleep 1\nrestart = sometimes\n")
    lab.write("two", "[service two]\ncommand = sleep 1\nrequires = nobody\n\n[servce x]\n")
    lab.write("six", "[service a]\ncommand = sleep 1\nrequires = b\n"
                     "[service b]\ncommand = sleep 1\nrequires = a\n")
    said = refused(lab)
    for part in ("one.ini:2: ", "one.ini:3: ", "two.ini:3: ", "two.ini:5: "):
        assert part in said, said
    assert "'command'" in said or "command" in said.split("one.ini:2: ")[1].split("\n")[0]
    assert "sometimes" in said and "nobody" in said
    assert "a -> b -> a" in said or "b -> a -> b" in said, said
    assert not marker.exists()
    assert not (lab.run / "control").exists()
    # --check says the same, and ends in the same way.
    checked = check(lab)
    assert checked.returncode == 78
    for line in said.splitlines():
        assert line in checked.stderr


@pytest.mark.parametrize("what, text, part", [
    ("nul", b"[service x]\ncommand = sleep 1\ndescription = a\0b\n", "x.ini:3: "),
    ("long_line", b"[service x]\ncommand = " + b"a" * 70000 + b"\n", "x.ini:2: "),
    ("long_name", b"[service " + b"n" * 64 + b"]\ncommand = sleep 1\n", "x.ini:1: "),
    ("duplicate", b"[service x]\ncommand = sleep 1\nnice = 1000\n", "x.ini:3: "),
    ("no_section", b"command = sleep 1\n", "x.ini:1: "),
    ("no_value", b"[service x]\ncommand\n", "x.ini:2: "),
    ("no_command", b"[service x]\nnice = 1\n", "x.ini:1: "),
    ("bad_limit", b"[service x]\ncommand = sleep 1\nlimit_nofile = many\n", "x.ini:3: "),
    ("unset", b"[service x]\ncommand = echo ${NOT_SET_ANYWHERE}\n", "x.ini:2: "),
])
def test_bad_input(lab, what, text, part):
    lab.service("good")
    lab.write("x", text)
    said = refused(lab)
    assert part in said, said


def test_unreadable_configuration(lab):
    lab.service("good")
    (lab.conf / "conf.d/dir.ini").mkdir()
    (lab.conf / "conf.d/loop.ini").symlink_to("loop.ini")
    said = refused(lab)
    assert "dir.ini: " in said and "loop.ini: " in said


def test_P56_cycles(lab):
    """a->b->c->a and a self-dependency are told by names and file; order alone is none.
    (The design has it that nothing at all is started then, d neither.)"""
    lab.write("ring", "".join(f"[service {a}]\ncommand = sleep 1\nrequires = {b}\n"
                              for a, b in ("ab", "bc", "ca")))
    lab.service("self", "sleep 1", "requires = self")
    lab.service("d", "sleep 1", "after = e")
    said = refused(lab)
    assert "a -> b -> c -> a" in said and "ring.ini:" in said, said
    assert "self.ini:3: " in said


# --- every key of the design's section 4

SUPPORTED = {
    "sinit": {"shutdown_timeout": "30s", "log_level": "info", "log_format": "text",
              "log_target": "stderr", "control_group": "root", "hostname": "h",
              "watchdog": "/dev/watchdog", "watchdog_timeout": "10s", "mounts": "no",
              "emergency": "/bin/sh", "critical_action": "alert"},
    "service x": {
        "description": "text", "enabled": "yes", "type": "simple", "priority": "50",
        "requires": "y", "wants": "y", "after": "y", "before": "z", "restart_with": "y",
        "wait_for": "/dev/sda1 eth0", "critical": "no", "user": "root", "group": "root", "groups": "root", "umask": "022",
        "nice": "1", "oom_score_adj": "1", "working_directory": "/", "environment": "A=b",
        "environment_file": "-/nonexistent", "clear_environment": "no", "stdin": "null",
        "tty": "/dev/tty", "restart": "always", "success_exit_codes": "0 3",
        "restart_delay": "1s", "backoff_multiplier": "2", "max_backoff": "60s",
        "backoff_jitter": "10%", "max_restarts": "unlimited", "restart_window": "10m",
        "min_uptime": "10s", "stop_signal": "TERM", "stop_timeout": "10s",
        "stop_command": "true", "kill_mode": "group", "reload_signal": "HUP",
        "reload_command": "true", "pre_start": "true", "post_stop": "true",
        "start_timeout": "60s", "log": "/var/log/x", "log_stderr": "prefix", "log_format": "json",
        "log_max_size": "1M", "log_keep": "3", "log_gzip": "yes", "log_user": "root",
        "memory_max": "64M", "memory_high": "60M",
        "memory_low": "6M", "memory_swap_max": "0", "cpu_max": "50%", "cpu_weight": "100",
        "pids_max": "10", "io_weight": "100", "io_max": "8:0 rbps=1M", "cpuset_cpus": "0",
        "memory_warn": "80%", "oom_policy": "stop",
        **{f"limit_{name}": "100" for name in
           "cpu fsize data stack core rss nproc nofile memlock as locks sigpending msgqueue "
           "nice rtprio rttime".split()}},
}
LATER = {
    "service x": {
        "type": "forking", "instances": "2", "pid_file": "/run/x", "listen": "8080",
        "no_new_privileges": "yes",
        "capabilities": "x", "read_only_paths": "/", "writable_paths": "/", "private_tmp": "yes",
        "seccomp": "x", "schedule": "every 5m"},
}
PROBE = {"check": "http://127.0.0.1:1/", "fallback": "file:/x", "interval": "1h", "timeout": "1s",
         "initial_delay": "1s", "failures": "1", "successes": "1", "max_age": "1s",
         "expect_status": "200", "expect_body": "x", "header": "A: b", "method": "HEAD"}
SUPPORTED |= {
    **{f"{kind} x": PROBE for kind in ("startup", "liveness", "readiness")},
    "net x": {"address": "192.0.2.5/24", "gateway": "192.0.2.1", "mtu": "1400", "up": "yes"},
    "syslog": {"listen": "yes", "socket": "/run/log", "forward": "udp://127.0.0.1:514",
               "log": "/var/log/messages", "log_format": "timestamps", "log_max_size": "max",
               "log_keep": "0", "log_gzip": "yes", "log_user": "root"},
    "http": {"listen": "127.0.0.1:80", "control": "yes", "token_file": "/x", "dashboard": "no"},
    "alert x": {"events": "*", "services": "x", "cooldown": "1m", "command": "true",
                "webhook": "http://x", "format": "ntfy", "file": "/x"},
}


def body(section, keys):
    return f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())


def test_every_key_is_known(lab):
    lab.sinit_ini("\n".join(f"{k} = {v}" for k, v in SUPPORTED["sinit"].items()))
    lab.service("x", SLEEP, *(f"{k} = {v}" for k, v in SUPPORTED["service x"].items()))
    lab.service("y")
    lab.service("z")
    lab.write("more", "".join(body(section, keys) for section, keys in SUPPORTED.items()
                              if section not in ("sinit", "service x")))
    checked = check(lab)
    assert checked.returncode == 0, checked.stderr


def test_notify_is_known(lab):
    lab.service("x", SLEEP, "type = notify")
    checked = check(lab)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("lines, said", [
    ("check = 127.0.0.1:80", "x.ini:4: check = 127.0.0.1:80: no such check; write one of http://"),
    ("check = tcp://x:65536", "x.ini:4: check = tcp://x:65536: the port is not from 1 to 65535"),
    ("check = /health", "x.ini:4: check = /health: no scheme; write one of http://"),
    ("check = process\ninterval = 1s\ntimeout = 2s", "x.ini:6: timeout = 2s: it is longer than"),
])
def test_bad_probes(lab, lines, said):
    lab.write("x", f"[service x]\ncommand = sleep 1\n[liveness x]\n{lines}\n")
    assert said in refused(lab)


@pytest.mark.parametrize("text, said", [
    ("[service x]\ncommand = sleep 1\nlog = /var/log/",
     "x.ini:3: log = /var/log/: it ends in /; write the path of a file"),
    ("[service x]\ncommand = sleep 1\nlog_max_size = 4G",
     "x.ini:3: log_max_size = 4G: expected a size such as 512K or 10M, at least 1 and less than 4G"),
    ("[syslog]\nforward = logs:514",
     "x.ini:2: forward = logs:514: expected udp://HOST[:PORT] or tcp://HOST[:PORT]"),
    ("[syslog]\nlog = null", "x.ini:1: [syslog]: it neither listens nor forwards; write listen"),
])
def test_bad_logs(lab, text, said):
    lab.service("good")
    lab.write("x", text + "\n")
    assert said in refused(lab)


def test_log_user_nobody_knows(lab):
    """A warning: a service without its own log's owner is still a service."""
    lab.service("x", SLEEP, "log_user = nobody-of-that-name")
    checked = check(lab)
    assert checked.returncode == 0
    assert "x.ini:3: log_user = nobody-of-that-name: no such user; the files stay" in checked.stderr


def test_probes_by_drop_in(lab):
    """A later file adds to a probe, its keys win, an empty one resets; none but that of the
    service says whose it is."""
    lab.write("a", "[liveness x]\ncheck = nonsense\ntimeout = 2h\nheader = A: b\n")
    lab.service("x")
    checked = check(lab)
    assert checked.returncode == 78 and "a.ini:2: check = nonsense" in checked.stderr
    lab.write("y", "[liveness x]\ncheck = process\ntimeout =\nheader =\n")
    checked = check(lab)
    assert checked.returncode == 0, checked.stderr
    lab.write("z", "[liveness xx]\ncheck = process\n")
    checked = check(lab)
    assert checked.returncode == 78
    assert "z.ini:1: [liveness xx]: no such service" in checked.stderr


def test_later_keys_are_refused_by_name(lab):
    """Each is known by name and told, never silently ignored."""
    lab.service("x")
    lab.write("y", "".join(body(section, keys) for section, keys in LATER.items()))
    checked = check(lab)
    assert checked.returncode == 78
    told = checked.stderr.splitlines()
    number = 0
    for section, keys in LATER.items():
        number += 1
        for key in keys:
            number += 1
            lines = [line for line in told if f"y.ini:{number}: " in line]
            wanted = f"{key}: not supported by this build"
            if key == "type":  # the key is there, this value of it is not
                wanted = f"{key} = {keys[key]}: not supported by this build"
            assert any(wanted in line for line in lines), (section, key, lines, told)


def test_later_keys_at_their_default(lab):
    lab.service("x", SLEEP, "instances = 1")
    checked = check(lab)
    assert checked.returncode == 0, checked.stderr


# --- bytes

def test_P68_special_characters(lab):
    outside = {"OUT": "%s %% %n $HOME ${PATH} # ; \\ = %2B", "PCT": "100%", "PATH": os.environ["PATH"]}
    inside = {"A": "%", "B": "%%", "C": "%s", "D": "%2B", "E": "$", "F": "$$", "G": "a#b",
              "H": "a;b", "I": "a=b=", "J": "${PATH}", "K": "end\\"}
    lines = [f"environment = {k}={v}" for k, v in inside.items()]
    lab.service("x", SHELL + r" % %% %s %2B $ $$ a#b ; #x a=b %n ${OUT} '${OUT} %%' end\ ".rstrip(),
                *lines)
    lab.start(env=outside)
    lab.ok("wait", "x")
    process = lab.process("x")
    assert process.argv()[4:] == [
        b"%", b"%", b"%s", b"%2B", b"$", b"$", b"a#b", b";", b"#x", b"a=b", b"x",
        outside["OUT"].encode(), b"${OUT} %%", b"end\\"]
    environ = process.environ()
    for name, value in {**outside, **inside}.items():
        assert environ[name.encode()] == value.encode(), name


def test_P69_quotes(lab):
    lab.write("x", "\n".join([
        "[service x]", "command = " + SHELL + """ 'one two' "three four" "a\\"b" '' "" it\\'s""",
        """environment = "V=5ny6{wo'\\"7n" 'W=two words' EMPTY=""", ""]))
    lab.start()
    lab.ok("wait", "x")
    process = lab.process("x")
    assert process.argv()[4:] == [b"one two", b"three four", b'a"b', b"", b"", b"it's"]
    environ = process.environ()
    assert environ[b"V"] == b"""5ny6{wo'"7n"""
    assert environ[b"W"] == b"two words"
    assert environ[b"EMPTY"] == b""


@pytest.mark.parametrize("value", ["echo 'open", 'echo "open', "echo ${open"])
def test_P69_unclosed(lab, value):
    lab.service("bad", value)
    said = refused(lab)
    assert "bad.ini:2: " in said and ("not closed" in said or "without }" in said), said


def test_P77_environment(lab):
    outside = {f"VAR_{i}": f"value {i}" for i in range(200)}
    outside |= {"LONG": "x" * 100_000, "LINES": "one\ntwo", "NONE": "", "PATH": os.environ["PATH"]}
    lab.service("plain")
    lab.service("own", SLEEP, "environment = VAR_7=mine NEW=1")
    lab.service("clear", SLEEP, "clear_environment = yes", "environment = ONLY=this")
    lab.start(env=outside)
    lab.ok("wait", "plain", "own", "clear")
    outside = {k.encode(): v.encode() for k, v in outside.items()}
    assert lab.process("plain").environ() == outside
    assert lab.process("own").environ() == {**outside, b"VAR_7": b"mine", b"NEW": b"1"}
    assert lab.process("clear").environ() == {b"ONLY": b"this"}


def test_environment_file(lab):
    first = lab.base / "first.env"
    first.write_text("# a comment\nONE=1\n\nTWO=\"two words\"\nTHREE='$x %s'\n")
    lab.service("x", SLEEP, f"environment_file = {first} -{lab.base}/missing",
                "environment = ONE=overridden")
    lab.start()
    lab.ok("wait", "x")
    environ = lab.process("x").environ()
    assert environ[b"ONE"] == b"overridden"
    assert environ[b"TWO"] == b"two words"
    assert environ[b"THREE"] == b"$x %s"


def test_missing_environment_file(lab):
    lab.service("x", SLEEP, "environment_file = /nonexistent/env")
    said = refused(lab)
    assert "x.ini:3: " in said and "/nonexistent/env" in said


def test_drop_ins_add_up(lab):
    """A later file of the same section adds to it, its keys win, an empty one resets."""
    lab.write("10-x", f"[service x]\ncommand = {SLEEP}\nnice = 3\nenvironment = A=1\n"
                      "working_directory = /tmp\n")
    lab.write("20-x", "[service x]\nnice = 4\nenvironment = B=2\nworking_directory =\n")
    lab.write("defaults", "[defaults]\numask = 027\nnice = 9\n")
    lab.start()
    lab.ok("wait", "x")
    process = lab.process("x")
    assert process.stat()[16] == "4"
    assert process.environ()[b"A"] == b"1" and process.environ()[b"B"] == b"2"
    assert os.readlink(process.path / "cwd") == "/"
    assert process.status("Umask") == "0027"
