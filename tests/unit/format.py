#!/usr/bin/env python3
"""The C files are as clang-format makes them: .clang-format, version 14, since versions differ.

Prints an `ok` or `not ok` line for each directory, with the files that `make format` would change;
exit 1 if there are any. Without clang-format-14 it is skipped."""

import shutil
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
TOOL = "clang-format-14"


def main():
    if not shutil.which(TOOL):
        print(f"ok 1 - all # SKIP {TOOL} is not here")
        return
    failed = False
    directories = sorted({path.parent for path in TOP.glob("[a-z]*/**/*.[ch]")
                          if path.relative_to(TOP).parts[0] != "build"})
    for number, directory in enumerate(directories, 1):
        done = subprocess.run([TOOL, "--dry-run", "-Werror", *sorted(directory.glob("*.[ch]"))],
                              capture_output=True, text=True)
        failed |= done.returncode != 0
        print("not ok" if done.returncode else "ok", number, "-", directory.relative_to(TOP),
              flush=True)
        print(done.stderr, end="", file=sys.stderr)
    sys.exit(failed)


main()
