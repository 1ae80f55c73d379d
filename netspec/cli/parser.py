"""The parser of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import pairwise

from netspec.cli.commands import command_files, command_help, load_command
from netspec.cli.options import Formatter
from netspec.version import __version__

DESCRIPTION = "Write a neural network as YAML; get its shapes, PyTorch source, verified ONNX and a diagram."

EPILOG = """\
SPEC is a path to a YAML file, a folder with one spec, - for the standard input, or the name of a zoo entry or of one of
its variants (netspec list).

  netspec build lenet                      table, source, ONNX and diagram into build/lenet/
  netspec build my.yaml --set width=128    with another value for a parameter of the spec
  netspec shapes resnet50 --dim H=512      costs at another size of a symbolic dimension
  netspec check specs/*.yaml               every variant, with what it requires and expects
  netspec diff net.yaml                    what has changed since the last commit

Exit codes: 0 success, 1 an error in the spec, 2 incorrect usage, 3 a problem with the environment, 4 a bug in netspec.
"""


def make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser for these words: of the command that they name, or of none, which knows the names alone."""
    top = argparse.ArgumentParser("netspec", description=DESCRIPTION, epilog=EPILOG, formatter_class=Formatter)
    top.add_argument("--version", action="version", version=f"netspec {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    files = command_files()
    named = next((word for word in words if not word.startswith("-")), None)
    if named in files:
        load_command(named, files[named]).add(commands)
        return top
    for name, file in files.items():
        commands.add_parser(name, help=command_help(file), formatter_class=Formatter)
    return top


def with_values(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """Return the words with their value behind options that need none, where what follows them is none.

    argparse would take the spec in ``shapes --cached gpt2`` for the value of the option.
    """
    commands = next(each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    command = commands.choices.get(next((word for word in words if not word.startswith("-")), ""))
    optional = {} if command is None else {name: each for each in command._actions for name in each.option_strings}
    made = list(words)
    for at, (word, after) in enumerate(pairwise(words)):
        action = optional.get(word)
        if action is not None and action.nargs == "?" and not after.startswith("-") and not _is_value(action, after):
            made[at] = f"{word}={action.const}"
    return made


def _is_value(action: argparse.Action, text: str) -> bool:
    """Return whether a text can be the value of an option."""
    try:
        value = action.type(text) if callable(action.type) else text
    except ValueError:
        return False
    return action.choices is None or value in action.choices


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return the options in these words. Ends the process where they are none, with repairs for unknown options."""
    parser = make_parser(words)
    words = with_values(parser, words)
    options, unknown = parser.parse_known_args(words)
    if unknown:
        from netspec.cli.unknown_options import repairs  # for faults alone

        parser.error(f"unrecognized arguments: {' '.join(unknown)}{repairs(options, unknown, words)}")
    return options
