"""The random seed: never the same twice, never counted twice, never lost for nothing.

The kernel is this machine's; a seed more in its pool changes nothing."""

import os
import subprocess

import pytest
from harness import AS_ROOT, LIMIT
from mount_lab import Tree, mounter

pytestmark = pytest.mark.skipif(not AS_ROOT, reason="adds to the kernel's entropy, and so needs root")

READY, EARLY = b"sinit1R\n", b"sinit1E\n"
WRITTEN = ["fsync", "fsync"]  # the file, and its directory
USED = ["fsync", "add 40 256 gone", "reseed"]  # off the disk before it counts


def call(what, directory, **env):
    done = subprocess.run([mounter(), what, directory], capture_output=True, text=True, check=True,
                          timeout=LIMIT, env={**os.environ, **env})
    return done.stdout.splitlines()[:-1]


@pytest.fixture
def state(tmp_path):
    return tmp_path / "a/state"


@pytest.fixture
def seed(state):
    return state / "random-seed"


def test_the_first_boot(state, seed):
    assert call("restore", state) == WRITTEN
    assert seed.read_bytes().startswith(READY) and len(seed.read_bytes()) == 40
    assert seed.stat().st_mode & 0o777 == 0o600
    assert list(state.iterdir()) == [seed]


def test_each_boot_and_each_end_has_another_one(state, seed):
    seen = set()
    for what, said in [("restore", WRITTEN), ("save", WRITTEN), ("restore", USED + WRITTEN),
                       ("restore", USED + WRITTEN), ("save", WRITTEN), ("save", WRITTEN)]:
        assert call(what, state) == said
        seen.add(seed.read_bytes())
    assert len(seen) == 6


def test_what_was_made_too_early_does_not_count(state, seed):
    assert call("save", state, EARLY="1") == WRITTEN
    assert seed.read_bytes().startswith(EARLY) and seed.read_bytes()[8:] != bytes(32)
    assert call("restore", state) == ["fsync", "add 40 0 gone", "reseed", *WRITTEN]
    assert seed.read_bytes().startswith(READY)


@pytest.mark.parametrize("content, said", [
    (b"x" * 512, "add 512 0 gone"),
    (b"y" * 600, "add 512 0 gone"),
    (READY + b"z" * 31, "add 39 0 gone"),
    (READY + b"z" * 504, "add 512 256 gone"),
    (b"", "add 0 0 gone")])
def test_files_of_others(state, seed, content, said):
    state.mkdir(parents=True)
    seed.touch(0o600)
    seed.write_bytes(content)
    assert call("restore", state) == ["fsync", said, "reseed", *WRITTEN]
    assert len(seed.read_bytes()) == 40


@pytest.mark.parametrize("spoil", [lambda seed: seed.chmod(0o640), lambda seed: os.chown(seed, 1, 0)])
def test_one_that_others_could_see_or_write_does_not_count(state, seed, spoil):
    call("save", state)
    spoil(seed)
    assert call("restore", state) == ["fsync", "add 40 0 gone", "reseed", *WRITTEN]
    assert seed.stat().st_mode & 0o777 == 0o600 and seed.stat().st_uid == 0


def test_a_link_is_not_followed(state, seed, tmp_path):
    state.mkdir(parents=True)
    other = tmp_path / "other"
    other.write_bytes(READY + b"o" * 32)
    seed.symlink_to(other)
    assert call("restore", state) == [
        f"warning: {seed}: the random seed cannot be read: Too many levels of symbolic links", *WRITTEN]
    assert not seed.is_symlink() and other.read_bytes() == READY + b"o" * 32


def test_what_an_interrupted_save_left(state, seed):
    call("save", state)
    (state / "random-seed.new").symlink_to(seed)
    assert call("save", state) == WRITTEN
    assert list(state.iterdir()) == [seed] and not seed.is_symlink()


def test_a_read_only_directory(tmp_path):
    """Used again and again, so never counted; one line."""
    tree = Tree(tmp_path)
    try:
        tree.sh("cp -a /dev/urandom dev/; mkdir state")
        tree.run("save", "/state")
        tree.sh("mount --bind state state; mount -o remount,bind,ro state; cp -a state/random-seed before")
        for _ in range(2):
            assert tree.run("restore", "/state") == ["add 40 0 there", "reseed", (
                "info: /state/random-seed: the random seed cannot be removed, so it is used without "
                "being counted: Read-only file system")]
        assert tree.run("save", "/state") == [
            "info: /state/random-seed: the random seed cannot be saved: Read-only file system"]
        tree.sh("cmp state/random-seed before")
        tree.sh("mount -o remount,ro .")
        for path in ("/empty/state", "/mounter/state"):
            said, = tree.run("restore", path)
            assert f"{path}/random-seed: no random seed is kept: " in said
    finally:
        tree.close()


def test_a_full_disk(tmp_path):
    """The old one stays whole."""
    tree = Tree(tmp_path)
    try:
        tree.sh("cp -a /dev/urandom dev/; mkdir state; mount -t tmpfs -o size=8k s state")
        tree.run("save", "/state")
        tree.sh("cp state/random-seed before; head -c 4096 /dev/zero >state/fill")
        assert tree.run("save", "/state") == [
            "warning: /state/random-seed: the random seed cannot be saved: No space left on device"]
        tree.sh("cmp state/random-seed before; test $(ls state | wc -l) = 2")
    finally:
        tree.close()


def test_without_a_random_device(tmp_path):
    tree = Tree(tmp_path)
    try:
        tree.run("save", "/state")
        assert tree.run("restore", "/state") == [
            "fsync", "warning: /state/random-seed: the kernel does not take the random seed: "
            "No such file or directory", *WRITTEN]
    finally:
        tree.close()
