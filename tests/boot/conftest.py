"""The guest that all tests of a file share, and its console where one of them fails."""

import re

import pytest
from lab import Guest
from sinit_lab import Sinit

TAIL = 60  # lines

guests = []


def life(instance):
    """A generator: the guest, booted; then its end, which is to be a good one."""
    guests.append(instance)
    try:
        yield instance.boot()
        instance.poweroff()
        assert "Kernel panic" not in instance.console()
        assert "reboot: Power down" in instance.console()
    finally:
        instance.end()


@pytest.fixture(scope="session")
def guest(request, tmp_path_factory):
    """The one below whose PID 1 tests start what they like."""
    module = request.node.items[0].module  # of the session, which is one file of tests
    yield from life(Guest(tmp_path_factory.mktemp("guest"), more=getattr(module, "PROGRAMS", ()),
                          counted=getattr(module, "COUNTED", False)))


@pytest.fixture(scope="module")
def machine(request, tmp_path_factory):
    """One whose PID 1 is sinit, with the module's FILES as its configuration."""
    yield from life(Guest(tmp_path_factory.mktemp("machine"), boots=request.module.FILES))


@pytest.fixture
def new(tmp_path):
    """new(...): a guest of the test's own, booted, see Guest. However it ends, it is gone then."""
    made = []

    def boot(**words):
        where = tmp_path / f"guest{len(made)}"
        where.mkdir()
        made.append(Guest(where, **words))
        guests.append(made[-1])
        return made[-1].boot()

    yield boot
    for instance in made:
        instance.end()
        guests.remove(instance)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    report = (yield).get_result()
    if report.failed:
        for instance in guests:
            lines = instance.console().splitlines()[-TAIL:]
            report.sections.append(("console of the guest", "\n".join(lines)))


@pytest.fixture
def sinit(guest, request):
    instance = Sinit(guest, re.sub(r"\W+", "-", request.node.name))
    try:
        yield instance
    finally:
        instance.end()


@pytest.fixture
def second(guest, request):
    """Another one beside the first."""
    instance = Sinit(guest, re.sub(r"\W+", "-", request.node.name) + "-2")
    try:
        yield instance
    finally:
        instance.end()
