"""Log files: rotation, names, owners, and files that others move, delete or cut."""

import os
import pwd
import signal
import stat
import subprocess
import threading
import tty

import pytest
from log_lab import (LINE, check, checked, complete, descriptors, family, lab, lines_of,  # noqa: F401
                     needs_root, numbers, until, whole)

SMALL = 65536
ONCE = "restart = never"


def all_written(lab, *names):
    lab.finished(*names)
    assert lab.shutdown() == 0


# --- rotation

@pytest.mark.parametrize("form, line", [("raw", LINE), ("timestamps", LINE + 28)])
def test_rotation_at_the_end_of_a_line(lab, form, line):
    """As full as they may be, nothing lost between them."""
    file = lab.logs / "x"
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 1000", f"log_format = {form}",
                 lines=100_000, chunk="1-9000")
    lab.piped()
    all_written(lab, "x")
    files = family(file)
    assert len(files) == -(-100_000 // (SMALL // line))
    sizes = {p.stat().st_size for p in files[:-1]}
    # Of a raw line the beginning may have been written before anybody knew how long it is.
    assert SMALL // line * line == min(sizes) and max(sizes) <= SMALL + (line if form == "raw" else 0)
    checked(check(*files, stamps=form == "timestamps"), 100_000)
    for old in files:  # each by itself
        assert check(old, stamps=form == "timestamps")["unterminated"] == 0


def test_line_longer_than_the_file(lab):
    """The file ends with the line, however long it is."""
    file = lab.logs / "x"
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 1000", lines=10, bytes=100_000)
    lab.piped()
    all_written(lab, "x")
    assert len(family(file)) == 10
    checked(check(*family(file), bytes=100_000), 10)


def test_keep(lab):
    file = lab.logs / "x"
    (lab.logs / "x.note").write_text("somebody else's")
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 3", lines=100_000, chunk="1-9000")
    lab.piped()
    all_written(lab, "x")
    assert sorted(p.name for p in lab.logs.iterdir()) == ["x", "x.1", "x.2", "x.3", "x.note"]
    own = whole(check(*family(file)))
    assert own["missing"] == 0 and own["next"] == 100_000


def test_keep_nothing(lab):
    file = lab.logs / "x"
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 0", lines=100_000, chunk="1-9000")
    lab.piped()
    all_written(lab, "x")
    assert [p.name for p in lab.logs.iterdir()] == ["x"] and file.stat().st_size <= SMALL
    own = whole(check(file))
    assert own["missing"] == 0 and own["next"] == 100_000


def test_fewer_files_kept_after_a_reload(lab):
    """Those that nobody would ever delete are deleted."""
    file, gate = lab.logs / "x", lab.gate(limit=50_000)
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 9", lines=100_000, gate=gate.path)
    lab.piped()
    until(lambda: len(family(file)) == 10, "nine old files")
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 2", lines=100_000, gate=gate.path)
    lab.ok("reload")
    gate.limit = 0
    all_written(lab, "x")
    assert len(family(file)) == 3
    own = whole(check(*family(file)))
    assert own["missing"] == 0 and own["next"] == 100_000


def test_old_files_compressed(lab):
    """By gzip(1) readable; nothing else is left."""
    file = lab.logs / "x"
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 1000", "log_gzip = yes",
                 lines=100_000, chunk="1-9000")
    lab.piped()
    lab.finished("x")
    lab.until_packed(file, 31)
    assert lab.shutdown() == 0
    old = family(file)[:-1]
    assert [p.name for p in old] == [f"x.{i}.gz" for i in range(len(old), 0, -1)]
    subprocess.run(["gzip", "-t", *old], check=True)
    checked(check(*family(file)), 100_000)
    assert set(lab.logs.iterdir()) == set(family(file))
    assert max(p.stat().st_size for p in old) < SMALL // 2


def test_old_files_compressed_after_a_reload(lab):
    """Both kinds side by side, and the oldest goes, of whatever kind it is."""
    file, gate = lab.logs / "x", lab.gate(limit=30_000)
    keys = [f"log = {file}", "log_max_size = 64K", "log_keep = 5"]
    lab.numbered("x", *keys, lines=60_000, gate=gate.path)
    lab.piped()
    lab.until_has(file, "0000029999")
    lab.numbered("x", *keys, "log_gzip = yes", lines=60_000, gate=gate.path)
    lab.ok("reload")
    gate.limit = 35_000
    lab.until_has(file, "0000034999")
    gate.limit = 0
    lab.until_has(file, "0000059999")
    until(lambda: [p.suffix for p in family(file)] == [".gz"] * 5 + [""], "the old ones")
    assert lab.shutdown() == 0
    own = whole(check(*family(file)))
    assert own["missing"] == 0 and own["next"] == 60_000


def test_thousand_rotations(lab):
    """Nobody keeps a file open."""
    file, gate = lab.logs / "x", lab.gate(limit=1000)
    lab.numbered("x", f"log = {file}", "log_max_size = 4K", lines=210_000, gate=gate.path, stay=True)
    lab.piped()
    lab.until_has(file, "0000000999")
    before = until(lambda: descriptors(lab.logger, lab.sinit), "they sleep")
    gate.limit = 0
    lab.until_has(file, "0000209999")
    until(lambda: descriptors(lab.logger, lab.sinit) == before, "they have what they had")
    assert lab.shutdown() == 0
    own = whole(check(*family(file)))
    assert own["missing"] == 0 and own["next"] == 210_000 and len(family(file)) == 6


def test_old_file_that_cannot_be_made(lab):
    """A directory is in the way: told once, and not a line lost."""
    file = lab.logs / "x"
    (lab.logs / "x.1" / "y").mkdir(parents=True)
    lab.numbered("x", f"log = {file}", "log_max_size = 64K", "log_keep = 1", lines=50_000)
    lab.piped()
    lab.finished("x")
    assert len(lab.until_said(str(file))) < 5
    assert lab.shutdown() == 0
    own = whole(check(file))
    assert own["next"] == 50_000 and own["missing"] == 0


# --- P78: what is no regular file is never rotated

def read_all(fd, into):
    try:
        while part := os.read(fd, 65536):
            into += part
    except OSError:  # EIO: nobody has the terminal open any more
        pass


@pytest.mark.parametrize("target", ["prefix", "/dev/stdout", "/proc/self/fd/1"])
def test_P78_stdout_is_a_pipe(lab, target):
    lab.numbered("x", f"log = {target}", "log_max_size = 4K", lines=20_000, chunk="1-500")
    pipe = lab.piped()
    all_written(lab, "x")
    checked(check(pipe.end()), 20_000, key="x | " if target == "prefix" else "")
    assert "x.1" not in lab.messages() and not list(lab.logs.iterdir())


def test_P78_stdout_is_a_file(lab):
    """It is sinit's, and whoever gave it to sinit rotates it."""
    lab.numbered("x", "log = prefix", "log_max_size = 4K", lines=20_000, chunk="1-500")
    lab.start()
    all_written(lab, "x")
    checked(check(lab.output()), 20_000, key="x | ")
    assert not (lab.base / "out.1").exists()


def test_P78_fifo(lab):
    fifo, data = lab.logs / "fifo", bytearray()
    os.mkfifo(fifo)
    fd = os.open(fifo, os.O_RDWR)
    lab.numbered("x", f"log = {fifo}", "log_max_size = 4K", lines=20_000, chunk="1-500")
    threading.Thread(target=read_all, args=(fd, data), daemon=True).start()
    lab.piped()
    until(lambda: len(data) == 20_000 * LINE, "all of it")
    assert lab.shutdown() == 0
    assert stat.S_ISFIFO(fifo.stat().st_mode) and family(fifo) == [fifo]
    checked(check(bytes(data)), 20_000)


def test_P78_terminal(lab):
    data = bytearray()
    master, slave = os.openpty()
    tty.setraw(slave)
    lab.numbered("x", f"log = {os.ttyname(slave)}", "log_max_size = 4K", lines=20_000, chunk="1-500")
    threading.Thread(target=read_all, args=(master, data), daemon=True).start()
    lab.piped()
    until(lambda: len(data) == 20_000 * LINE, "all of it")
    assert lab.shutdown() == 0
    os.close(slave)
    checked(check(bytes(data)), 20_000)


# --- whose files

@needs_root
def test_symbolic_link(lab):
    """Of root it is followed, of another user in a directory that all may write to it is not."""
    place, victim, own = lab.base / "open", lab.base / "victim", lab.base / "own"
    place.mkdir()
    place.chmod(0o1777)
    victim.write_text("precious\n")
    (place / "bad").symlink_to(victim)
    os.lchown(place / "bad", 1000, 1000)
    (place / "good").symlink_to(own)
    lab.numbered("bad", f"log = {place}/bad")
    lab.numbered("good", f"log = {place}/good")
    lab.piped()
    lab.finished("bad", "good")
    lab.until_said(f"{place}/bad")
    assert lab.shutdown() == 0
    assert victim.read_text() == "precious\n" and victim.stat().st_uid == 0
    checked(check(own), 1000)
    assert (place / "good").is_symlink()


@needs_root
@pytest.mark.parametrize("umask", ["000", "077"])
def test_log_user(lab, umask):
    """New files are its, old ones with them; nobody else reads them."""
    daemon = pwd.getpwnam("daemon")
    keys = ["log_max_size = 64K", "log_keep = 2", "log_gzip = yes"]
    lab.numbered("x", f"log = {lab.logs}/x", "log_user = daemon", *keys, lines=10_000)
    lab.numbered("y", f"log = {lab.logs}/y", *keys, lines=10_000)
    lab.piped(after=["sh", "-c", f'umask {umask}; exec "$@"', "sh"])
    lab.finished("x", "y")
    until(lambda: len([p for p in lab.logs.iterdir() if p.suffix == ".gz"]) == 4, "the old ones")
    assert lab.shutdown() == 0
    for name, uid, gid in (("x", daemon.pw_uid, daemon.pw_gid), ("y", 0, 0)):
        for file in family(lab.logs / name):
            found = file.stat()
            assert (found.st_uid, found.st_gid) == (uid, gid), file
            assert stat.S_IMODE(found.st_mode) == 0o640, file


# --- files that others touch

@pytest.mark.parametrize("how", ["moved", "deleted"])
@pytest.mark.parametrize("asked", ["USR1", "rotate", "nothing"])
def test_file_that_goes_away(lab, how, asked):
    """Under load: all is in the old file and the new one together."""
    file, other, gate = lab.logs / "x", lab.logs / "x.moved", lab.gate()
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 3000 --gate {gate.path}", ONCE,
                f"log = {file}")
    lab.piped()
    until(lambda: gate.count > 1000 and file.exists(), "it writes, and so does the logger")
    old = os.open(file, os.O_RDONLY)
    if how == "moved":
        file.rename(other)
    else:
        file.unlink()
    if asked == "USR1":
        lab.sinit.kill(signal.SIGUSR1)
    elif asked == "rotate":
        lab.ok("rotate")
    until(file.exists, "there is a new file")
    until(lambda: file.stat().st_size > 10_000, "it is written to")
    assert lab.shutdown() == 0
    with os.fdopen(old, "rb") as first:
        checked(check(first.read() + file.read_bytes()), gate.count)


def test_file_that_is_cut(lab):
    """As copytruncate of logrotate does: it goes on at its beginning."""
    file, gate = lab.logs / "x", lab.gate()
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 3000 --gate {gate.path}", ONCE,
                f"log = {file}", "log_format = timestamps")
    lab.piped()
    until(lambda: gate.count > 1000, "it writes")
    lab.until_size(file, LINE + 28)
    os.truncate(file, 0)
    until(lambda: 10_000 < file.stat().st_size < 500 * (LINE + 28) or gate.count > 3000, "it goes on")
    assert lab.shutdown() == 0
    data = file.read_bytes()
    assert b"\0" not in data
    own = whole(check(data, stamps=True))
    assert own["first"] > 0 and own["missing"] == 0 and own["next"] == gate.count


def test_existing_file_is_added_to(lab):
    file = lab.logs / "x"
    file.write_bytes(b"from before\n")
    lab.numbered("x", f"log = {file}")
    lab.piped()
    all_written(lab, "x")
    assert lines_of(file)[0] == b"from before\n"
    checked(check(b"".join(lines_of(file)[1:])), 1000)


def test_directory_that_is_not_there(lab):
    """It is made."""
    file = lab.logs / "one" / "two" / "x"
    lab.numbered("x", f"log = {file}")
    lab.piped()
    all_written(lab, "x")
    checked(check(file), 1000)


def test_directory_that_comes_later(lab):
    """Told once; with the directory lines come again, and the service was never held up for long."""
    file, gate = lab.logs / "later" / "x", lab.gate()
    file.parent.write_text("no directory")
    lab.service("x", f"{numbers()} write --lines 1000000000 --rate 1000 --gate {gate.path}", ONCE,
                f"log = {file}")
    lab.http()
    lab.piped()
    warned = lab.until_said(str(file))
    until(lambda: lab.dropped("x") > 1000, "lines are lost")
    file.parent.unlink()
    file.parent.mkdir()
    until(lambda: file.exists() and file.stat().st_size > 10_000, "it is written to")
    assert len(warned) == 1
    lab.until_said("can be written again")  # all that was lost is told by now
    lab.ok("stop", "x")
    lost = lab.dropped("x")
    assert lab.shutdown() == 0
    own = whole(check(file))
    assert own["missing"] == 0 and own["next"] == gate.count == own["lines"] + lost


@pytest.mark.parametrize("form", ["raw", "timestamps"])
def test_two_services_into_one_file(lab, form):
    """Lines of each whole and in order, also where one writes to it by both of its streams."""
    file = lab.logs / "x"
    keys = [f"log = {file}", "log_max_size = 64K", "log_keep = 1000", f"log_format = {form}"]
    for name in "ab":
        lab.numbered(name, *keys, mark=f"{name}:", lines=50_000, chunk="1-500")
    lab.numbered("c", *keys, f"log_stderr = {file}", mark="c:", lines=50_000, chunk="1-500", fd=2)
    lab.piped()
    all_written(lab, "a", "b", "c")
    complete(check(*family(file), stamps=form == "timestamps"), {f"{n}:": 50_000 for n in "abc"})
