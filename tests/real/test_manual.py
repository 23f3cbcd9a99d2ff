"""The manual pages say what the programs say of themselves, and are well-formed."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
SINIT = Path(os.environ.get("SINIT") or TOP / "build/sinit").resolve()
SINITCTL = Path(os.environ.get("SINITCTL") or TOP / "build/sinitctl").resolve()
PAGES = ("sinit.8", "sinitctl.1", "sinit.conf.5")


@pytest.fixture(scope="module")
def pages():
    build = os.environ.get("B") or "build"
    subprocess.run(["make", "-s", f"B={build}", "man"], cwd=TOP, check=True)
    return {name: TOP / build / "man" / name for name in PAGES}


def plain(path):
    """What the page's source says, without the marks of man(7)."""
    text = re.sub(r"\\f[RBIP]", "", path.read_text()).replace("\\-", "-").replace("\\&", "")
    return re.sub(r'^\.([BI]R?) (.*)$', lambda m: m[2].replace('"', ""), text, flags=re.M)


def said(*words):
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def test_keys(pages):
    text = plain(pages["sinit.conf.5"])
    parts = re.split(r"^;?(\[.*\])$", said(SINIT, "--print-defaults"), flags=re.M)
    count = 0
    for header, body in zip(parts[1::2], parts[2::2]):
        section = re.search(rf"^\.SS [^\n]*{re.escape(header)}\n(.*?)^\.S[SH]", text, re.M | re.S)
        assert section, f"{header} is not in the page"
        for key, preset in re.findall(r"^;([a-z_]+) =(.*)$", body, re.M):
            entry = re.search(rf"^\.TP\n{key}\n(.*?)(^\.TP|\Z)", section[1], re.M | re.S)
            assert entry, f"{header} {key} is not in the page"
            assert preset.strip() in entry[1], f"{header} {key}: not its default {preset}"
            count += 1
    assert count > 100


def test_keys_of_later_versions(pages):
    """They are named, and no key of the table is missing: this counts its rows."""
    text = plain(pages["sinit.conf.5"])
    table = (TOP / "init/schema.def").read_text()
    rows = re.findall(r"^LATER\(\w+, (\w+),", table, re.M)
    rows += re.findall(r"^(?:KEY|LIMIT)\(\w+, (\w+),", table, re.M)
    rows += re.findall(r"^KEY_NAMED\(\w+, \w+, (\w+),", table, re.M)
    assert len(rows) == len(re.findall(r"^(?:LATER|KEY|LIMIT|KEY_NAMED)\(", table, re.M))
    for key in rows:
        assert re.search(rf"^{key}[,.]?$", text, re.M), f"{key} is not in the page"


def test_options(pages):
    text = plain(pages["sinit.8"])
    options = re.findall(r"^  +(?:-\w, )?--([a-z-]+)", said(SINIT, "-h"), re.M)
    assert len(options) > 10
    for option in options:
        assert re.search(rf"^(-\w *, +)?--{option}\b", text, re.M), f"--{option} is not in the page"


def test_verbs(pages):
    text = plain(pages["sinitctl.1"])
    help_text = said(SINITCTL, "help")
    verbs = re.findall(r"^  ([a-z]+) ", help_text.split("\noptions:")[0], re.M)
    assert len(verbs) > 15
    for verb in verbs:
        assert re.search(rf"^\.TP\n{verb}\b", text, re.M), f"{verb} is not in the page"
    for verb in re.search(r"not supported by this build: (.*)", help_text)[1].split():
        assert re.search(rf"^{verb}[,.]$", text, re.M), f"{verb} is not in the page"
    for option in re.findall(r"--([a-z-]+)", help_text.split("\noptions:")[1]):
        assert re.search(rf"^(-\w, )?--{option}\b", text, re.M), f"--{option} is not in the page"


def test_facts(pages):
    """What users get wrong is said: P37 timeouts, P43 what is counted, P73 when a file counts,
    P86 inherited output."""
    conf, ctl, init = (re.sub(r"\s+", " ", plain(pages[name]))
                       for name in ("sinit.conf.5", "sinitctl.1", "sinit.8"))
    for key, preset in (("stop_timeout", "10s"), ("shutdown_timeout", "30s"),
                        ("start_timeout", "60s")):
        assert re.search(rf"{key} (?:(?!\.TP).)*default {preset}", conf), key
    assert "stop_timeout (10s if not set)" in init
    assert "shutdown_timeout (30s if not set)" in init
    assert "max_restarts counts are automatic restarts" in conf
    assert "restart uses the configuration as it was read last" in ctl
    assert "/dev/stderr by path opens that file anew" in conf.replace(" .I ", " ")


def test_no_marks_left(pages):
    for path in pages.values():
        assert not re.search(r"@[A-Z_]+@", path.read_text()), path


@pytest.mark.parametrize("name", PAGES)
def test_well_formed(pages, name):
    """As far as a formatter is installed; man pages are no part of what must be."""
    checks = {"groff": ["-man", "-Tutf8", "-ww"], "mandoc": ["-T", "lint", "-W", "warning"]}
    for program, words in checks.items():
        if shutil.which(program):
            done = subprocess.run([program, *words, pages[name]], capture_output=True, text=True)
            assert not done.stderr, done.stderr
            if program == "mandoc":
                assert not done.stdout, done.stdout
