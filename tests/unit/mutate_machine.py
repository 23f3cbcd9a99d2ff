#!/usr/bin/env python3
"""Would the machine's tests notice? Not part of `make test`.

    tests/unit/mutate_machine.py [FILE:LINE...]     all of FILES, or these lines

Applies one small fault at a time to the machine's files (a comparison turned, a statement
dropped, a case left out, a bit of an answer lost), builds the tests with it and runs
them. What no test notices is printed: it is either a gap in the tests or a fault that
changes nothing.
"""

import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
FILES = ["machine.c", "machine_life.c", "backoff.c"]  # of init/
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", f"-I{TOP}", "-O1", "-w"]
TESTS = ["test_machine_table", "test_machine", "test_machine_stop", "test_machine_restart",
         "test_machine_oom", "test_machine_walk"]

# (pattern, replacements): each match in a line of code, one at a time.
TURNS = [
    (r" < ", [" <= ", " >= "]),
    (r" > ", [" >= ", " <= "]),
    (r" <= ", [" < ", " > "]),
    (r" >= ", [" > ", " < "]),
    (r" == ", [" != "]),
    (r" != ", [" == "]),
    (r" && ", [" || "]),
    (r" \|\| ", [" && "]),
    (r" \+ ", [" - "]),
    (r" - ", [" + "]),
    (r" \* ", [" / "]),
    (r" / ", [" * "]),
    (r"\+\+", ["--"]),
    (r"--", ["++"]),
    (r"!(?=[\w(])", [""]),
    (r" = 0;", [" = 1;"]),
    (r" = 1;", [" = 0;"]),
    (r" \| ACT_\w+", [""]),
    (r"ACT_\w+ \| ", [""]),
    (r"if \(", ["if (0 && ", "if (1 || "]),
]
STATEMENT = re.compile(r"^\t+(?![\t]|return|case|break|if|else|for|while|switch|u?int|bool|enum|"
                       r"static|struct)[^\n]*;( /\*.*\*/)?$")
RETURN = re.compile(r"^(\t+return )(?!0;)[^?:]+;")
CASE = re.compile(r"^\tcase (STATE|CAUSE)_\w+:")


def leads_to_break(lines, number):
    """A label whose branch does nothing may as well not be there."""
    while CASE.match(lines[number]):
        number += 1
    return lines[number].strip() == "break;"


def mutants(lines):
    """(line number, the new line), none of which is a comment or a declaration."""
    comment = False
    for number, line in enumerate(lines, 1):
        code = line.split("/*")[0]
        inside, comment = comment, (comment or "/*" in line) and "*/" not in line.split("/*")[-1]
        if inside or not code.startswith("\t") or code.startswith("\tstatic"):
            continue
        for pattern, others in TURNS:
            for match in re.finditer(pattern, code):
                for other in others:
                    yield number, line[:match.start()] + other + line[match.end():]
        if STATEMENT.match(line):
            yield number, "\t;"
        if RETURN.match(line):
            yield number, RETURN.sub(r"\g<1>0;", line)
        if CASE.match(line) and not leads_to_break(lines, number - 1):
            yield number, ""


def compile_file(source, directory, **more):
    object_file = f"{directory}/{Path(source).stem}.o"
    return subprocess.run(["gcc", *FLAGS, "-c", "-o", object_file, source], **more).returncode == 0


def build_all(directory):
    for name in [*TESTS, "machine_script"]:
        compile_file(f"{TOP}/tests/unit/{name}.c", directory, check=True)
    for name in FILES:
        compile_file(f"{TOP}/init/{name}", directory, check=True)


def noticed(directory, file, number, new, lines):
    """By which test; "compiler" if it is no program; None if by none."""
    with tempfile.TemporaryDirectory(dir=directory) as own:
        Path(own, file).write_text("\n".join([*lines[:number - 1], new, *lines[number:]]))
        if not compile_file(f"{own}/{file}", own, stderr=subprocess.DEVNULL):
            return "compiler"
        objects = [f"{own if name == file else directory}/{Path(name).stem}.o" for name in FILES]
        for name in TESTS:
            subprocess.run(["gcc", "-o", f"{own}/{name}", f"{directory}/{name}.o",
                            f"{directory}/machine_script.o", *objects, "-lcmocka"], check=True)
            try:
                if subprocess.run([f"{own}/{name}"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL, timeout=20).returncode:
                    return name
            except subprocess.TimeoutExpired:
                return name
    return None


def main():
    wanted = set(sys.argv[1:])
    lines = {file: (TOP / "init" / file).read_text().split("\n") for file in FILES}
    todo = [(file, number, new) for file in FILES for number, new in mutants(lines[file])
            if not wanted or f"{file}:{number}" in wanted]
    by, survivors = {}, 0
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(os.cpu_count()) as pool:
        build_all(directory)
        if noticed(directory, FILES[0], 1, lines[FILES[0]][0], lines[FILES[0]]):
            sys.exit("the tests fail as it is")
        results = pool.map(lambda job: noticed(directory, *job, lines[job[0]]), todo)
        for (file, number, new), result in zip(todo, results):
            by[result] = by.get(result, 0) + 1
            if result is None:
                survivors += 1
                print(f"{file}:{number}: {lines[file][number - 1].strip()}\n"
                      f"    not noticed: {new.strip() or '(left out)'}", flush=True)
    print(f"{len(todo)} mutants, {survivors} not noticed;",
          ", ".join(f"{count} by {name}" for name, count in by.items() if name))
    sys.exit(bool(survivors))


main()
