"""The commands: a module each, or a package where a command is more than its options, in rooms of related ones.

A command's module has the command's name, with _ for -, and two functions: ``add(commands)`` adds the parser,
``run(options)`` does the work and gives an exit code or nothing. Its first line is its help, after two colons;
``netspec --help`` reads this line alone, and a command loads no module but its own.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser
from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import Protocol

    from netspec.cli.options import Commands

    class Command(Protocol):
        """The module of a command."""

        def add(self, commands: Commands) -> None:
            """Add the command's parser."""

        def run(self, options: Namespace) -> int | None:
            """Run the command; give the exit code, or nothing for 0."""


ROOMS = ("network", "training", "reference")
ORDER = (
    *(
        "new",
        "build",
        "check",
        "shapes",
        "source",
        "export",
        "weights",
        "diagram",
        "emit",
        "diff",
        "explorer",
        "serve",
        "measure-device",
    ),
    *("train", "evaluate", "predict", "generate", "compare"),
    *("list", "help", "ops", "explain", "schema", "lsp", "playground", "completion", "doctor"),
)
"""The order in which ``netspec --help`` names commands; any other follows, by room."""


def command_files() -> dict[str, str]:
    """Return the file of each command's module by the command's name, in the order of ``netspec --help``."""
    files = {}
    for room in ROOMS:
        folder = os.path.join(os.path.dirname(__file__), room)
        for entry in sorted(os.listdir(folder)):
            name, kind = os.path.splitext(entry)
            if name.isidentifier() and not name.startswith("_"):
                files[name.replace("_", "-")] = os.path.join(
                    folder, entry if kind else os.path.join(entry, "__init__.py")
                )
    return {name: files[name] for name in (*ORDER, *files) if name in files}


def command_help(file: str) -> str:
    """Return the line of ``netspec --help`` that a command's file begins with."""
    with open(file, encoding="utf-8") as text:
        return text.readline().partition(":")[2].strip(' ."\n')


def load_command(name: str, file: str) -> Command:
    """Import the module of a command."""
    parts = os.path.relpath(file, os.path.dirname(__file__)).split(os.sep)
    module: Command = import_module(f"{__name__}.{parts[0]}.{name.replace('-', '_')}")
    return module


def command_parser(name: str) -> ArgumentParser:
    """Return the parser of one command, as its ``--help`` shows it."""
    from netspec.cli.options import Formatter

    commands = ArgumentParser("netspec", formatter_class=Formatter).add_subparsers()
    load_command(name, command_files()[name]).add(commands)
    return commands.choices[name]
