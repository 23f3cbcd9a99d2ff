"""Roots whose init is sinit itself, from the kernel's hand-over on: the small system of
conf.d/board, and smaller ones for one question each."""

import importlib.machinery
import importlib.util

from machines import NATIVE, TOP, program
from sinit_lab import Watched
from trees import Program, agent_service, base, configuration, modprobe_files

RUN = "/run/sinit"


def board_tool():
    """.ci/board as a module; as a file it has no name that import would take."""
    loader = importlib.machinery.SourceFileLoader("board_tool", str(TOP / ".ci/board"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("board_tool", loader))
    loader.exec_module(module)
    return module


def board(arch=NATIVE, modules=()):
    """What make board makes, and an agent. `modules`: those that /etc/modules lists."""
    tree = board_tool().board(arch)
    tree["bin/agent"] = Program(program("agent", arch).read_bytes())
    tree["etc/sinit/conf.d/agent.ini"] = agent_service(arch, needs="modules")
    if modules:
        tree["etc/modules"] += "".join(f"{name}\n" for name in modules).encode()
        tree.update(modprobe_files(modules, arch))
    return tree


def bare(files, arch=NATIVE, **more):
    """A root of sinit, busybox and this configuration; with an agent."""
    return {**base(arch), **configuration({
        "sinit.ini": "[sinit]\n", "conf.d/agent.ini": agent_service(arch), **files}), **more}


def watched(guest):
    """sinit's own view; for all guests of this file it is PID 1."""
    return Watched(guest, RUN)
