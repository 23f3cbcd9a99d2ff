"""Wrapper mode (`sinit -- COMMAND`), named after the cases from the field."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import contextmanager
from itertools import product
from pathlib import Path

import pytest
from harness import (LIMIT, NO_CONFIG, SINIT, UNSHARE, AS_ROOT, Terminal, Wrapper, alive, children,
                     command_name, helper, run, stat, status_line, until)

PYTHON = "/usr/bin/python3"
both = pytest.mark.parametrize("pid1", [True, False], ids=["pid1", "other"])


def repeat(count, code, *command, where="same", limit_ms=20000):
    """Runs the command COUNT times by wrapped.c; it must always end in time with `code`."""
    outside = [] if AS_ROOT or where == "same" else ["unshare", "--user", "--map-root-user"]
    done = subprocess.run([*outside, helper(), "repeat", str(count), str(limit_ms), str(code), where,
                           *command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert done.returncode == 0, done.stdout


@contextmanager
def busy():
    """Every CPU has something else to do."""
    load = [subprocess.Popen(["sh", "-c", "while :; do :; done"]) for _ in range(os.cpu_count())]
    try:
        yield
    finally:
        for process in load:
            process.kill()
            process.wait()


# --- reaping ----------------------------------------------------------------

@both
def test_P01_thousands_of_orphans_at_once(pid1):
    code, out, err = run([helper(), "orphans", "5000", "60000"], pid1=pid1)
    assert (code, err) == (0, "")
    assert int(out) < 60000


def test_P03_not_pid_1_adopts_orphans():
    script = "(sleep 1 & echo $!; exec >/dev/null) ; read x; exit 4"
    with Wrapper(["sh", "-c", script], stdin=subprocess.PIPE) as wrapper:
        orphan = int(wrapper.line())
        until(lambda: (stat(orphan) or [0, wrapper.pid])[1] == wrapper.pid, "adoption")
        until(lambda: stat(orphan) is None, "the orphan's end")  # no zombie either
        wrapper.process.stdin.write(b"\n")
        wrapper.process.stdin.flush()
        assert wrapper.end() == (4, "", "")


@pytest.mark.release_only  # ten thousand starts
def test_P06_main_dies_with_its_children():
    repeat(200, 3, SINIT, *NO_CONFIG, "--", helper(), "burst", "50", "3", where="new")


@pytest.mark.release_only  # thousands of starts, each with the sanitizers' own, take minutes
@pytest.mark.timeout(400)
@pytest.mark.parametrize("command,code", [("true", 0), ("/nonexistent", 127)])
def test_P08_command_that_dies_at_once(command, code):
    with busy():
        repeat(1000, code, SINIT, *NO_CONFIG, "--", command)


@both
def test_zombies_of_the_predecessor_are_reaped(pid1):
    """A shell that executes sinit leaves it its children, dead or alive."""
    script = f'true & sleep 0.1; exec {SINIT} -c /nonexistent -- sh -c "echo; read x"'
    words = [*(UNSHARE if pid1 else []), "sh", "-c", script]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        pid = children(process.pid)[0] if pid1 else process.pid
        until(lambda: len(children(pid)) == 1, "only the command is left")
        process.communicate(b"\n", timeout=LIMIT)
        assert process.returncode == 0


def test_ignored_SIGCHLD_loses_no_exit_code():
    """Whoever starts sinit may ignore SIGCHLD: then the kernel reaps, and waiting would fail.
    The command gets it ignored, as it was."""
    command = [PYTHON, "-c", "print(open('/proc/self/status').read()); exit(7)"]
    for how, bit in ((signal.SIG_IGN, 1), (signal.SIG_DFL, 0)):
        def before(how=how):
            signal.signal(signal.SIGCHLD, how)
        code, out, err = run(command, preexec_fn=before)
        assert (code, err) == (7, "")
        assert int(status_line(out, "SigIgn"), 16) >> (signal.SIGCHLD - 1) & 1 == bit


# A shell's words for an orphan; they go on when it has died and is no zombie either.
ORPHAN = "pid=$(sleep 0.05 >/dev/null 2>&1 & echo $!); while kill -0 $pid 2>/dev/null; do sleep 0.01; done"


@both
def test_warns_of_others_reaped_when_asked(pid1):
    command = ["sh", "-c", f"{ORPHAN}; exit 3"]
    assert run(command, pid1=pid1) == (3, "", "")
    code, out, err = run(command, ["-w"], pid1=pid1)
    assert (code, out) == (3, "")
    assert "Reaped zombie process with pid=" in err


# --- signals ----------------------------------------------------------------

@pytest.mark.parametrize("name", ["TERM", "INT", "HUP", "QUIT", "USR1"])
@both
def test_P09_signals_end_the_command(pid1, name):
    number = signal.Signals[f"SIG{name}"]
    with Wrapper(["sleep", "1000"], pid1=pid1) as wrapper:
        wrapper.child("sleep")
        wrapper.kill(number)
        assert wrapper.wait() == 128 + number


@both
def test_every_signal_is_forwarded(pid1):
    """All but those that cannot be caught, SIGCHLD, and what a terminal says to sinit's own
    group; 34 is SIGRTMIN for everybody but musl."""
    skipped = {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD, signal.SIGTTIN, signal.SIGTTOU,
               signal.SIGINT, 32, 33}
    with Wrapper([helper(), "signals"], pid1=pid1) as wrapper:
        assert wrapper.line() == "ready"
        for number in sorted(set(range(1, 65)) - skipped):
            wrapper.kill(number)
            assert wrapper.line() == str(number)
        for _ in range(2):
            wrapper.kill(signal.SIGTTIN)
            wrapper.kill(signal.SIGTTOU)
            wrapper.kill(signal.SIGINT)
            assert wrapper.line() == str(signal.SIGINT.value)
        assert wrapper.end() == (0, "", "")


def test_P14_rewrites():
    flags = ["--rewrite", "TERM:QUIT", "--rewrite=WINCH:0", "--rewrite", "37:USR2"]
    with Wrapper([helper(), "signals"], flags) as wrapper:
        assert wrapper.line() == "ready"
        for sent, seen in ((signal.SIGTERM, signal.SIGQUIT), (signal.SIGWINCH, None),
                           (signal.SIGHUP, signal.SIGHUP), (37, signal.SIGUSR2),
                           (signal.SIGQUIT, signal.SIGQUIT)):
            wrapper.kill(sent)
            if seen:
                assert wrapper.line() == str(int(seen))
        wrapper.kill(signal.SIGINT)
        wrapper.line()
        wrapper.kill(signal.SIGINT)
        assert wrapper.line() == "2"
        assert wrapper.end() == (0, "", "")


@pytest.mark.parametrize("group", [False, True], ids=["command", "group"])
def test_P15_signals_to_the_command_or_its_group(group):
    """The command ignores USR1 and waits for a process that does not."""
    script = ("import signal, subprocess, sys; signal.signal(signal.SIGUSR1, signal.SIG_IGN);"
              "signal.signal(signal.SIGUSR2, lambda *_: print('usr2', flush=True));"
              "p = subprocess.Popen(['sleep', '1000'], preexec_fn=lambda:"
              " signal.signal(signal.SIGUSR1, signal.SIG_DFL));"
              "print(p.pid, flush=True); sys.exit(p.wait() + 20)")
    with Wrapper([PYTHON, "-c", script], ["-g"] if group else []) as wrapper:
        sleeper = int(wrapper.line())
        until(lambda: command_name(sleeper) == "sleep")
        wrapper.kill(signal.SIGUSR1)
        if group:
            assert wrapper.wait() == 20 - signal.SIGUSR1
        else:
            wrapper.kill(signal.SIGUSR2)
            assert wrapper.line() == "usr2"  # which was sent later, so USR1 has come
            assert alive(sleeper)


def test_P17_the_command_gets_the_signal_state_that_sinit_was_given():
    blocked = {signal.SIGTTIN, signal.SIGTERM, signal.SIGRTMIN}
    ignored = {signal.SIGTTOU, signal.SIGINT, signal.SIGPIPE, signal.SIGCHLD}

    def before():
        for number in set(range(1, 65)) - {32, 33, signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN if number in ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def bits(numbers):
        return sum(1 << (number - 1) for number in numbers)

    # The C library keeps 32 and 33 for itself: whether they are ignored is our caller's doing.
    own = int(status_line(Path("/proc/self/status").read_text(), "SigIgn"), 16)
    hidden = own & bits({32, 33})
    code, out, err = run(["cat", "/proc/self/status"], preexec_fn=before, restore_signals=False)
    assert (code, err) == (0, "")
    assert int(status_line(out, "SigBlk"), 16) == bits(blocked)
    assert int(status_line(out, "SigIgn"), 16) == bits(ignored) | hidden
    assert int(status_line(out, "SigPnd"), 16) == 0


def test_parent_death_signal():
    """-p: sinit gets the signal when its parent dies, and forwards it."""
    script_ = ("import subprocess, sys; p = subprocess.Popen(sys.argv[1:]);"
               "print(p.pid, flush=True); p.wait()")
    command = [SINIT, *NO_CONFIG, "-p", "USR1", "--", "sleep", "1000"]
    with subprocess.Popen([PYTHON, "-c", script_, *command], stdout=subprocess.PIPE) as parent:
        sinit = int(parent.stdout.readline())
        until(lambda: [command_name(child) for child in children(sinit)] == ["sleep"])
        sleeper = children(sinit)[0]
        parent.kill()
        until(lambda: not alive(sleeper) and not alive(sinit), "the end of both")


# --- terminals --------------------------------------------------------------

def no_echo(fd, tostop=False):
    settings = termios.tcgetattr(fd)
    settings[3] &= ~termios.ECHO
    if tostop:
        settings[3] |= termios.TOSTOP
    termios.tcsetattr(fd, termios.TCSANOW, settings)


def in_terminal(pid1, *command, tostop=False, flags=()):
    words = [*(UNSHARE if pid1 else []), SINIT, *NO_CONFIG, *flags, "--", *command]
    return Terminal(words, lambda fd: no_echo(fd, tostop))


@both
def test_P10_command_is_in_the_foreground(pid1):
    with in_terminal(pid1, "sh", "-c", "echo hi; read x; echo got $x", tostop=True) as terminal:
        terminal.expect("hi\r\n")
        terminal.type("words\n")
        terminal.expect("got words\r\n")
        assert terminal.wait() == 0


def test_P10_messages_do_not_stop_sinit():
    """sinit is in the background of its terminal then, and tostop forbids that to write."""
    command = ["sh", "-c", f"{ORPHAN}; echo done"]
    with in_terminal(False, *command, tostop=True, flags=["-w"]) as terminal:
        terminal.expect("Reaped zombie process")
        terminal.expect("done")
        assert terminal.wait() == 0


def runs_in_front(terminal, name):
    """A process called so leads the terminal's foreground group and is not stopped."""
    leader = os.tcgetpgrp(terminal.fd)
    return command_name(leader) == name and (stat(leader) or "T")[0] != "T"


@both
def test_P11_job_control_of_a_shell(pid1):
    """Nothing waited for occurs in what is typed, as the shell echoes that."""
    job = "(exec sleep 1000)\n"
    with in_terminal(pid1, "bash", "--norc", "--noprofile", "-m") as terminal:
        def runs():
            until(lambda: runs_in_front(terminal, "sleep"), "the job in the foreground")
        terminal.type("echo flags=[$-]\n")
        match = terminal.expect(r"flags=\[([a-zA-Z]+)\]\r\n")
        assert "m" in match.group(1)
        terminal.type("PS1='rea''dy> '\n")
        terminal.expect("ready> ")
        terminal.type(job)
        runs()
        terminal.type("\x03")
        terminal.expect("ready> ")
        terminal.type("echo code=$?\n")
        terminal.expect("code=130\r\n")
        terminal.expect("ready> ")
        terminal.type(job)
        runs()
        terminal.type("\x1a")
        terminal.expect(r"Stopped[^\n]*exec sleep[^\n]*\n")
        terminal.expect("ready> ")
        terminal.type("fg\n")
        runs()
        terminal.type("\x03")
        terminal.expect("ready> ")
        terminal.type("exit 0\n")
        assert terminal.wait() == 0
        assert "job control" not in terminal.text


def test_terminal_is_given_back():
    """A script that goes on after sinit reads from the terminal again."""
    script = f"{SINIT} -c /nonexistent -- true; read x; echo got $x"
    with Terminal(["sh", "-c", script], no_echo) as terminal:
        terminal.type("words\n")
        terminal.expect("got words")
        assert terminal.wait() == 0


def test_a_background_job_takes_no_terminal():
    """`sinit -- cmd &` in a shell with job control: the foreground stays the shell's."""
    script = f"""set -m; {SINIT} -c /nonexistent -- sleep 1000 & echo begun; read x; echo got $x
                 kill %1; wait %1; echo code $?"""
    with Terminal(["bash", "-c", script], no_echo) as terminal:
        terminal.expect("begun")
        until(lambda: any(command_name(c) == "sleep" for s in children(terminal.pid)
                          for c in children(s)), "the background job")
        terminal.type("words\n")
        terminal.expect("got words")
        terminal.expect("code 143")
        assert terminal.wait() == 0


# --- exit codes -------------------------------------------------------------

def script(path, content, mode=0o755):
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


@both
def test_P18_command_that_cannot_be_executed(pid1, tmp_path):
    plain = script(tmp_path / "plain", b"#!/bin/sh\n", 0o644)
    for command, code, reason in (("nosuchcmd", 127, "not found in PATH"),
                                  ("./nosuchfile", 127, "no such file"),
                                  ("", 127, "empty word"),
                                  (f"{plain}/below", 127, "no such file"),
                                  ("/etc", 126, "is a directory"),
                                  (plain, 126, "chmod +x")):
        got, out, err = run([command], pid1=pid1)
        assert (got, out) == (code, ""), command
        assert err.startswith(f"sinit: {command}: ") and err.count("\n") == 1, err
        assert reason in err


@pytest.mark.skipif(not AS_ROOT, reason="mounts")
def test_P18_noexec_mount(tmp_path):
    command = ["unshare", "--mount", "sh", "-c",
               f"mount -t tmpfs -o noexec none {tmp_path} && cp /bin/true {tmp_path} &&"
               f" exec {SINIT} -c /nonexistent -- {tmp_path}/true"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 126
    assert "noexec" in done.stderr


def test_P18_search_in_PATH(tmp_path):
    """As execvp(3): goes on past what cannot be executed, and reports it if nothing else is
    there; an empty element is the current directory."""
    for name in ("first", "second", "here"):
        (tmp_path / name).mkdir()
    script(tmp_path / "first/tool", b"", 0o644)
    script(tmp_path / "second/tool", b"#!/bin/sh\necho second\n")
    script(tmp_path / "here/tool", b"#!/bin/sh\necho here\n")
    first, second, here = (str(tmp_path / name) for name in ("first", "second", "here"))

    def with_path(path):
        environment = {**os.environ, "PATH": path}
        return run(["tool"], env=environment, cwd=here)

    assert with_path(f"{first}:/nonexistent:{second}") == (0, "second\n", "")
    assert with_path(f"{second}:{first}") == (0, "second\n", "")
    for path in (f"{first}:", f":{first}", f"{first}::{second}"):
        assert with_path(path) == (0, "here\n", "")
    code, _, err = with_path(f"/nonexistent:{first}:{'x' * 5000}")
    assert code == 126 and f"{first}/tool" in err
    assert with_path("/nonexistent")[0] == 127
    assert with_path("")[1] == "here\n"


def test_default_path_without_PATH():
    environment = {key: value for key, value in os.environ.items() if key != "PATH"}
    assert run(["true"], env=environment) == (0, "", "")


@both
def test_P20_exit_codes(pid1):
    for code in (0, 1, 2, 32, 64, 127, 254, 255):
        assert run(["sh", "-c", f"exit {code}"], pid1=pid1) == (code, "", "")
    for name in ("TERM", "KILL", "SEGV", "ABRT", "HUP", "QUIT"):
        code, _, _ = run(["sh", "-c", f"ulimit -c 0; kill -{name} $$"], pid1=pid1)
        assert code == 128 + signal.Signals[f"SIG{name}"]


def test_remapped_exit_codes():
    flags = ["-e", "143", "-e3"]
    assert run(["sh", "-c", "kill -TERM $$"], flags)[0] == 0
    assert run(["sh", "-c", "exit 3"], flags)[0] == 0
    assert run(["sh", "-c", "exit 4"], flags)[0] == 4
    assert run(["/nonexistent"], ["-e127"])[0] == 0


def test_P72_scripts_that_cannot_start(tmp_path):
    machine = 183 if os.uname().machine != "aarch64" else 62
    elf = bytearray(open(helper(), "rb").read())
    elf[18:20] = machine.to_bytes(2, sys.byteorder)
    loader = bytearray(open(os.path.realpath("/bin/true"), "rb").read())
    at = loader.index(b"/ld-")
    loader[at:at + 4] = b"/no-"
    not_executable = script(tmp_path / "interpreter", b"", 0o644)
    for name, content, code, words in (
            ("no-line", b"echo hello\n", 126, "no interpreter line"),
            ("empty", b"", 126, "no interpreter line"),
            ("crlf", b"#!/bin/sh\r\necho\r\n", 127, 'names "/bin/sh\\r"'),
            ("missing", b"#! /no/such/thing -x\n", 127, '"/no/such/thing"'),
            ("refused", f"#!{not_executable}\n".encode(), 126, "look at that file's mode"),
            ("binary", b"\0\1\2\3" * 100, 126, "not a program"),
            ("other", bytes(elf), 126, "another machine"),
            ("loader", bytes(loader), 127, "its loader /lib")):
        path = script(tmp_path / name, content)
        got, out, err = run([path])
        assert (got, out) == (code, ""), (name, err)
        assert words in err and err.count("\n") == 1, (name, err)


# --- what the command leaves behind -----------------------------------------

@both
def test_P38_others_get_TERM_and_time(pid1, tmp_path):
    """The command ends 100 ms after TERM; another of its processes takes a second."""
    done, main_done = tmp_path / "done", tmp_path / "main"
    command = f"{helper()} late {done} 1000 & exec {helper()} late {main_done} 100 5"
    with Wrapper(["sh", "-c", command], pid1=pid1) as wrapper:
        wrapper.line(), wrapper.line()
        wrapper.kill(signal.SIGTERM)
        assert wrapper.wait() == 5
        assert main_done.exists() and done.exists()


@both
def test_P38_nobody_left_no_waiting(pid1):
    with Wrapper(["sh", "-c", "exit 6"], ["--grace", "1h"], pid1=pid1) as wrapper:
        assert wrapper.wait() == 6


@both
def test_P38_what_does_not_end_is_killed(pid1):
    """It says so, and passes the command's own code on."""
    stubborn = f"{PYTHON} -c 'import signal, os, time; signal.signal(15, signal.SIG_IGN);" \
               "signal.signal(1, signal.SIG_IGN); print(os.getpid(), flush=True); time.sleep(1000)'"
    script_ = f"{stubborn} & echo started; exec {helper()} late /dev/null 0 3"
    with Wrapper(["sh", "-c", script_], ["--grace=200ms"], pid1=pid1) as wrapper:
        lines = {wrapper.line() for _ in range(3)}
        assert "started" in lines
        others = [pid for pid in children(wrapper.child())]
        wrapper.kill(signal.SIGTERM)
        code, _, err = wrapper.end()
        assert code == 3
        assert "did not end within 200 ms of TERM and are killed" in err
        assert others
        until(lambda: not any(alive(pid) for pid in others), "the end of all")


def test_P38_children_of_what_is_killed_die_too():
    """Not PID 1: the processes below are found by their parents, orphans of the killed too."""
    inner = "trap '' TERM; sh -c \"trap '' TERM; echo \\$\\$; while :; do sleep 1; done\" & wait; wait"
    script_ = f"sh -c {shell_quote(inner)} & read x"
    with Wrapper(["sh", "-c", script_], ["--grace", "100ms"], stdin=subprocess.PIPE) as wrapper:
        deep = int(wrapper.line())
        wrapper.process.stdin.close()
        wrapper.process.stdin = None
        assert wrapper.wait() == 1
        until(lambda: not alive(deep), "its end")


def shell_quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


@both
def test_P38_grace_0_leaves_at_once(pid1):
    script_ = f"{helper()} late /dev/null 0 & read x; exit 2"
    with Wrapper(["sh", "-c", script_], ["--grace", "0"], pid1=pid1,
                 stdin=subprocess.PIPE) as wrapper:
        left = int(wrapper.line()) if not pid1 else None
        wrapper.process.stdin.close()
        wrapper.process.stdin = None
        assert wrapper.wait() == 2
        if left:
            assert alive(left)
            os.kill(left, signal.SIGKILL)


@both
def test_signals_during_the_grace_go_to_the_rest(pid1):
    """It ignores TERM; USR1 ends it."""
    rest = "import os, signal, time; signal.signal(15, lambda *_: print('term', flush=True));" \
           "print('up', flush=True)\nwhile True: time.sleep(1000)"
    script_ = f"{PYTHON} -c {shell_quote(rest)} & read x; exit 9"
    with Wrapper(["sh", "-c", script_], ["--grace", "1h"], pid1=pid1,
                 stdin=subprocess.PIPE) as wrapper:
        assert wrapper.line() == "up"
        wrapper.process.stdin.close()
        wrapper.process.stdin = None
        assert wrapper.line() == "term"
        wrapper.kill(signal.SIGUSR1)
        assert wrapper.wait() == 9


@pytest.mark.skipif(not AS_ROOT, reason="enters a namespace")
def test_P38_processes_that_joined_the_namespace_count(tmp_path):
    """docker exec: not our child, but it is told and waited for."""
    done = tmp_path / "done"
    with Wrapper(["sh", "-c", "echo; read x; exit 4"], ["--grace", "1h"], pid1=True,
                 stdin=subprocess.PIPE) as wrapper:
        wrapper.line()
        joined = subprocess.Popen(["nsenter", "--target", str(wrapper.pid), "--pid", "--mount",
                                   helper(), "late", str(done), "300"], stdout=subprocess.PIPE)
        joined.stdout.readline()
        wrapper.process.stdin.close()
        wrapper.process.stdin = None
        assert wrapper.wait() == 4
        assert done.exists()
        joined.communicate(timeout=LIMIT)


def test_P114_strangers_live():
    """Not PID 1, a forced end of everything below: nobody else is touched."""
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        command = "sh -c 'trap \"\" TERM; echo; while :; do sleep 1; done' & read x"
        with Wrapper(["sh", "-c", command], ["--grace", "50ms"], stdin=subprocess.PIPE) as wrapper:
            wrapper.line()
            wrapper.process.stdin.close()
            wrapper.process.stdin = None
            assert wrapper.wait() == 1
        assert stranger.poll() is None and alive(os.getpid())
    finally:
        stranger.kill()
        stranger.wait()


# --- descriptors, directory -------------------------------------------------

@pytest.mark.parametrize("closed", [set(c for c, on in enumerate(bits) if on)
                                    for bits in product((0, 1), repeat=3)], ids=str)
@both
def test_P106_descriptors_0_to_2_are_filled(pid1, closed, tmp_path):
    report = tmp_path / "report"
    words = " ".join([*(UNSHARE if pid1 else []), SINIT, *NO_CONFIG, "-vvw", "--", PYTHON, "-c"])
    look = (f"import os; open({str(report)!r}, 'w').write("
            "repr([os.readlink(f'/proc/self/fd/{n}') for n in range(3)]))")
    redirections = " ".join(f"{fd}>&-" for fd in closed)
    subprocess.run(["sh", "-c", f"{words} {shell_quote(look)} {redirections}"], check=True,
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    found = eval(report.read_text())
    for fd in range(3):
        assert (found[fd] == "/dev/null") == (fd in closed), found


@both
def test_P106_nobody_reads_the_messages(pid1):
    """stderr is a pipe without a reader: no SIGPIPE for sinit, none for the command."""
    read, write = os.pipe()
    os.close(read)
    with Wrapper([helper(), "signals"], ["-vvw"], pid1=pid1, stderr=write) as wrapper:
        os.close(write)
        assert wrapper.line() == "ready"
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGINT):
            wrapper.kill(number)
            assert wrapper.line() == str(number.value)
        assert wrapper.wait() == 0


def test_P106_messages_into_a_full_pipe_do_not_block():
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while True:
            os.write(write, b"x" * 4096)
    except BlockingIOError:
        os.set_blocking(write, True)
    with Wrapper([helper(), "signals"], ["-vvw"], stderr=write) as wrapper:
        assert wrapper.line() == "ready"
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGINT):
            wrapper.kill(number)
            assert wrapper.line() == str(number.value)
        assert wrapper.wait() == 0
    os.close(read)
    os.close(write)


@pytest.mark.release_only  # the sanitizers' start-up depends on the limit
def test_P118_no_loop_over_every_descriptor():
    """With the highest limit there may be: hardly any CPU time, and nothing but 0 to 2 open."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(hard, 1048576) if AS_ROOT else hard

    def before():
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
        except (ValueError, OSError):  # above what this machine's root may set
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    with Wrapper(["ls", "/proc/self/fd"], preexec_fn=before) as wrapper:
        code, out, err = wrapper.end()
    assert (code, err) == (0, "")
    assert out.split() == ["0", "1", "2", "3"]  # 3 is ls reading the directory
    before_cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    for _ in range(10):
        assert run(["true"], preexec_fn=before)[0] == 0
    after_cpu = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after_cpu.ru_stime + after_cpu.ru_utime - before_cpu.ru_stime - before_cpu.ru_utime
    assert used / 10 < 0.1  # a million close(2) take longer


@both
def test_P120_directories(pid1, tmp_path):
    with Wrapper(["sleep", "1000"], pid1=pid1, cwd=tmp_path) as wrapper:
        child = wrapper.child("sleep")
        assert os.readlink(f"/proc/{wrapper.pid}/cwd") == "/"
        # No descriptor of it either, and none for the command.
        for pid in (wrapper.pid, child):
            until(lambda: sorted(os.listdir(f"/proc/{pid}/fd")) == ["0", "1", "2"], "0 to 2")
        assert os.readlink(f"/proc/{child}/cwd") == str(tmp_path)
        wrapper.kill(signal.SIGTERM)
        assert wrapper.wait() == 143
    # Even the command's first look finds sinit in /.
    code, out, _ = run(["sh", "-c", "readlink /proc/$PPID/cwd"], pid1=pid1, cwd=tmp_path)
    assert (code, out) == (0, "/\n")
    tool = script(tmp_path / "tool", b"#!/bin/sh\npwd\n")
    assert run(["./tool"], pid1=pid1, cwd=tmp_path) == (0, f"{tmp_path}\n", "")
    os.unlink(tool)


# --- when it is no wrapper --------------------------------------------------

def test_configuration_makes_a_supervisor(tmp_path):
    """sinit.ini or any conf.d/*.ini; an empty conf.d or other files do not."""
    def code(command=("sh", "-c", "exit 11")):
        return subprocess.run([SINIT, "-c", tmp_path, "-r", tmp_path / "run", "--", *command],
                              stderr=subprocess.PIPE).returncode
    assert code() == 11
    (tmp_path / "conf.d").mkdir()
    for name in ("README", ".ini", "x.ini.dpkg-old", "ini"):
        (tmp_path / "conf.d" / name).write_text("[nonsense\n")
    assert code() == 11
    (tmp_path / "conf.d" / "a.ini").write_text("[nonsense\n")
    assert code() == 78
    shutil.rmtree(tmp_path / "conf.d")
    (tmp_path / "sinit.ini").write_text("[nonsense\n")
    assert code() == 78


def test_nothing_to_do():
    done = subprocess.run([SINIT, *NO_CONFIG], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 78
    assert "no COMMAND" in done.stderr and done.stderr.count("\n") == 1


def test_time_of_a_wrapped_command_is_counted():
    """times(2) of whoever waits for sinit include the command's."""
    def used():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime
    before = used()
    run([PYTHON, "-c", "import time\nwhile time.process_time() < 0.1: pass"])
    assert used() - before > 0.09


def test_start_is_quick():
    start = time.monotonic()
    assert run(["true"])[0] == 0
    assert time.monotonic() - start < LIMIT / 2
