"""What services say, in every form that it can have, and what that costs."""

import json
import os
import random
import re
import subprocess
from datetime import datetime, timezone

import pytest
from harness import Terminal, alive, descendants
from log_lab import (LIMIT, PIECE, SINIT, SINITCTL, STAMP, check, checked, complete, lab,  # noqa: F401
                     lines_in, lines_of, numbers, prefixed, until)

ONCE = "restart = never"


def output_of(lab, data, *lines, name="x", others=()):
    """Runs a service that writes these bytes, and others, to their ends; sinit's standard output."""
    source = lab.base / f"{name}.data"
    source.write_bytes(data)
    lab.service(name, f"cat {source}", ONCE, *lines)
    pipe = lab.piped()
    lab.finished(name, *others)
    assert lab.shutdown() == 0
    return pipe.end()


def objects(path):
    """Of a file in JSON: every line is one, in UTF-8, and ends."""
    found = []
    for line in lines_of(path):
        assert line.endswith(b"\n") and len(line) <= 4096, line
        found.append(json.loads(line.decode("utf-8")))
    return found


def joined(found):
    """Messages with the pieces of each put together."""
    lines, begin = [], ""
    for entry in found:
        begin += entry["message"]
        if not entry.get("partial"):
            lines.append(begin)
            begin = ""
    assert begin == ""
    return lines


# --- lines

LONG = ("before\n" + "".join(f"{i:07}," for i in range(625_001)) + "\nafter\nlast, without an end")
PIECES = 5_000_008 // PIECE + 1


def test_P80_five_megabytes_without_newline_raw(lab):
    file = lab.logs / "x"
    output_of(lab, LONG.encode(), f"log = {file}", "log_max_size = max")
    assert file.read_bytes() == LONG.encode()


def test_P80_five_megabytes_without_newline_by_prefix(lab):
    lines = prefixed(output_of(lab, LONG.encode(), "log = prefix"), "x")
    assert lines[0] == b"before\n" and lines[-2:] == [b"after\n", b"last, without an end\n"]
    pieces = lines[1:-2]
    assert [len(piece) - 1 for piece in pieces] == [PIECE] * (PIECES - 1) + [8]
    assert b"".join(piece[:-1] for piece in pieces).decode() == LONG.split("\n")[1]


def test_P80_five_megabytes_without_newline_with_timestamps(lab):
    file = lab.logs / "x"
    output_of(lab, LONG.encode(), f"log = {file}", "log_format = timestamps", "log_max_size = max")
    lines = lines_of(file)
    assert all(STAMP.match(line) and line.endswith(b"\n") for line in lines)
    texts = [line[28:-1] for line in lines]
    assert texts[0] == b"before" and texts[-2:] == [b"after", b"last, without an end"]
    assert max(map(len, texts)) == PIECE and len(texts) == PIECES + 3
    assert b"".join(texts[1:-2]).decode() == LONG.split("\n")[1]


def test_P80_five_megabytes_without_newline_as_json(lab):
    file = lab.logs / "x"
    output_of(lab, LONG.encode(), f"log = {file}", "log_format = json", "log_max_size = max")
    found = objects(file)
    assert joined(found) == LONG.split("\n")
    assert len([e for e in found if "partial" not in e]) == 4
    assert all(e["partial"] is True for e in found[1:-3])


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 2 * PIECE + 1])
def test_pieces_of_a_line(lab, size):
    """As many as are needed: none that is empty, but for an empty line. In one write and in many."""
    data = b"a\n" + b"x" * size + b"\nb\n"
    lab.service("slow", f"sh -c 'dd if={lab.base}/fast.data bs=777 status=none'", ONCE, "log = prefix")
    out = output_of(lab, data, "log = prefix", name="fast", others=["slow"])
    lengths = [PIECE] * (size // PIECE) + ([size % PIECE] if size % PIECE or not size else [])
    for name in ("fast", "slow"):
        lines = prefixed(out, name)
        assert lines[0] == b"a\n" and lines[-1] == b"b\n"
        assert [len(line) - 1 for line in lines[1:-1]] == lengths


@pytest.mark.parametrize("form", ["raw", "timestamps", "json"])
def test_last_line_without_newline(lab, form):
    """It ends when something follows, also in a raw file, which has the bytes and nothing else."""
    file = lab.logs / "x"
    lab.unended("x", "one\\ntwo", f"log = {file}", f"log_format = {form}")
    lab.piped()
    lab.let_end("x", "two")
    lab.until_has(file, "two")
    lab.ok("start", "--no-wait", "x")
    lab.let_end("x", "two", 2)
    lab.until_has(file, "two", 2)
    assert lab.shutdown() == 0
    if form == "raw":
        assert file.read_bytes() == b"one\ntwo\none\ntwo"
    elif form == "json":
        assert [e["message"] for e in objects(file)] == ["one", "two"] * 2
    else:
        assert [STAMP.sub(b"", line) for line in lines_of(file)] == [b"one\n", b"two\n"] * 2


def test_prompt_without_newline_is_not_lost_on_the_way(lab):
    """What has no end yet is written with its end, and once."""
    file = lab.logs / "x"
    go = lab.base / "go"
    lab.service("x", f"sh -c 'printf abc; until [ -e {go} ]; do sleep 0.01; done; echo def'", ONCE,
                f"log = {file}", "log_format = timestamps")
    lab.piped()
    until(lambda: "abc" in lab.ctl("logs", "x").out, "the ring has what was said")
    go.touch()
    lab.until_has(file, "def")
    assert lab.shutdown() == 0
    assert re.sub(STAMP, b"", file.read_bytes()) in (b"abcdef\n", b"abc\ndef\n")


# --- P84: bytes that are no text

NOISE = random.Random(84).randbytes(300_000)
NASTY = (b"nul \0 in it\n\xff\xfe\x80 not UTF-8 \xc3\n\xed\xa0\x80 half of a pair\n\x1b[31mred\x1b[0m\n"
         b"\r10 %\r50 %\r100 %\n\xc3\xa9t\xc3\xa9 \xf0\x9f\x90\xa7\n\"quoted\" \\ \t\b\x7f\n\xe2\x80\xa8\n")


def test_P84_bytes_that_are_not_text_raw(lab):
    file = lab.logs / "x"
    output_of(lab, NOISE + b"\n" + NASTY, f"log = {file}", "log_max_size = max")
    assert file.read_bytes() == NOISE + b"\n" + NASTY


def test_P84_bytes_that_are_not_text_by_prefix(lab):
    """The bytes as they are, for all else could be wrong; but the lines stay lines."""
    lines = prefixed(output_of(lab, NASTY, "log = prefix"), "x")
    assert b"".join(lines) == NASTY


def test_P84_bytes_that_are_not_text_as_json(lab):
    file = lab.logs / "x"
    output_of(lab, NASTY + NOISE, f"log = {file}", "log_format = json", "log_max_size = max")
    found = joined(objects(file))
    sources = (NASTY + NOISE).removesuffix(b"\n").split(b"\n")
    assert len(found) == len(sources)
    for text, source in zip(found, sources):
        try:
            assert text == source.decode()
        except UnicodeDecodeError:
            assert len(text) >= len(source.decode(errors="ignore"))
    assert "not UTF-8" in found[1] and "half of a pair" in found[2]


def test_P84_bytes_that_are_not_text_in_what_sinit_tells(lab):
    source = lab.base / "nasty"
    source.write_bytes(NASTY)
    lab.service("x", f"sh -c 'cat {source} >&2; exit 3'", ONCE, f"log = {lab.logs}/x")
    lab.http()
    lab.piped()
    lab.finished("x")

    def end():
        raw = subprocess.run([SINITCTL, "-r", str(lab.run), "--json", "events", "x"],
                             stdout=subprocess.PIPE, timeout=LIMIT, check=True).stdout
        assert not set(raw) & (set(range(32)) - {10})
        return [e for e in map(json.loads, lines_in(raw)) if e["event"] == "exit" and "stderr" in e]
    assert any("été 🐧" in line for line in until(end, "its last lines")[0]["stderr"])
    assert lab.metrics() and lab.status("x")["last_exit"]["code"] == 3
    assert lab.ctl("logs", "x").code == 0


# --- streams and forms

NAMES = [a + b for a in "ab" for b in "abcde"]


def test_ten_services_by_prefix_are_never_mixed(lab):
    """Each writes torn lines as fast as it can."""
    for name in NAMES:
        lab.numbered(name, "log = prefix", lines=20_000, chunk="1-70")
    pipe = lab.piped(checker={})
    lab.finished(*NAMES)
    assert lab.shutdown() == 0
    complete(pipe.end(), {f"{name} | ": 20_000 for name in NAMES})


def test_stdout_and_stderr_in_one_file_keep_their_order(lab):
    file = lab.logs / "x"
    lab.service("x", "sh -c 'i=0; while [ $i -lt 2000 ]; do echo $i; echo $((i + 1)) >&2; i=$((i + 2)); done'",
                ONCE, f"log = {file}")
    lab.piped()
    lab.finished("x")
    assert lab.shutdown() == 0
    assert file.read_text().split() == [str(i) for i in range(2000)]


BOTH = "'{0} write --mark out: --lines {1} & {0} write --mark err: --lines {1} --fd 2; wait'"


@pytest.mark.parametrize("out, err", [("file", "file"), ("prefix", "file"), ("file", "prefix"),
                                      ("null", "file"), ("file", "null"), ("file", "inherit"),
                                      ("inherit", "file"), ("null", "prefix")])
def test_stdout_and_stderr_apart(lab, out, err):
    def target(what, name):
        return lab.logs / name if what == "file" else what
    lab.service("x", "sh -c " + BOTH.format(numbers(), 5000), ONCE, f"log = {target(out, 'out')}",
                f"log_stderr = {target(err, 'err')}")
    pipe = lab.piped()
    lab.finished("x")
    assert lab.shutdown() == 0
    stdout = pipe.end()
    for what, name in ((out, "out"), (err, "err")):
        file = lab.logs / name
        if what == "file":
            checked(check(file), 5000, key=f"{name}:")
        elif what == "prefix":
            checked(check(stdout), 5000, key=f"x | {name}:")
        elif what == "inherit":  # raw, on sinit's own of the same number
            said = [line for line in lines_in(stdout if name == "out" else lab.log.read_bytes())
                    if line.startswith(f"{name}:".encode())]
            checked(check(b"".join(said)), 5000, key=f"{name}:")
    if "prefix" not in (out, err) and out != "inherit":
        assert stdout == b""


def test_timestamps(lab):
    """Of the time at which the lines came, in UTC, also in another zone."""
    file = lab.logs / "x"
    lab.numbered("x", f"log = {file}", "log_format = timestamps", "log_max_size = max",
                 lines=100_000, chunk="1-300")
    before = datetime.now(timezone.utc)
    lab.piped(env={**os.environ, "TZ": "Asia/Kathmandu"})
    lab.finished("x")
    assert lab.shutdown() == 0
    checked(check(file, stamps=True), 100_000)
    lines = lines_of(file)
    times = [datetime.fromisoformat(line[:27].decode().replace("Z", "+00:00"))
             for line in (lines[0], lines[-1])]
    assert before <= times[0] <= times[1] <= datetime.now(timezone.utc)


def test_json(lab):
    """Complete, and the stream is named only where there are two."""
    for name, more in (("one", []), ("two", [f"log_stderr = {lab.logs}/two.err"])):
        lab.service(name, "sh -c " + BOTH.format(numbers(), 3000), ONCE, f"log = {lab.logs}/{name}",
                    "log_format = json", "log_max_size = max", *more)
    before = datetime.now(timezone.utc)
    lab.piped()
    lab.finished("one", "two")
    assert lab.shutdown() == 0
    one = objects(lab.logs / "one")
    for stream, mark in (("stdout", "out:"), ("stderr", "err:")):
        two = objects(lab.logs / ("two" if stream == "stdout" else "two.err"))
        for found, service in ((one, "one"), (two, "two")):
            own = [e for e in found if e["message"].startswith(mark)]
            assert len(own) == 3000
            assert all(e["service"] == service for e in own)
            assert all(e.get("stream") == (stream if service == "two" else None) for e in own)
            assert [int(e["message"][4:14]) for e in own] == list(range(3000))
            assert all(before <= datetime.fromisoformat(e["time"].replace("Z", "+00:00")) for e in own[:9])
    assert len(one) == 6000


def in_a_terminal(lab):
    return Terminal(["unshare", *([] if os.geteuid() == 0 else ["--map-root-user"]), "--pid", "--fork",
                     "--mount-proc", "--kill-child=KILL", "--", SINIT, "-c", str(lab.conf), "-r",
                     str(lab.run)])


def test_colours_only_on_a_terminal(lab):
    lab.service("x", "sh -c 'echo hello; exec sleep 100000'", "log = prefix")
    with in_a_terminal(lab) as terminal:
        line = terminal.expect(r"(.*)hello")[1]
        assert re.sub(r"\x1b\[[\d;]*m", "", line).endswith("x | ") and "\x1b[" in line
        killed = descendants(terminal.pid)
    until(lambda: not any(map(alive, killed)), "the run directory is nobody's")
    pipe = lab.piped()
    until(lambda: b"hello" in pipe.data, "the line")
    assert bytes(pipe.data) == b"x | hello\n"


def test_nothing_moves_the_cursor_of_a_terminal(lab):
    """Nor does it by the one character that stands for ESC [, as UTF-8 has it; letters stay."""
    lab.script("say", b"#!/bin/sh\nprintf 'a \\033[2J b \\302\\2332J c \\302\\205 d \\302\\251\\303\\233 end\\n'\n"
               b"exec sleep 100000\n")
    lab.service("x", f"{lab.base}/say", "log = prefix")
    with in_a_terminal(lab) as terminal:
        assert terminal.expect(r"a (.*) end")[1] == "?[2J b ??2J c ?? d \u00a9\u00db"
