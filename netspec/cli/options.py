"""The options that several commands share. This module loads nothing but argparse."""

from __future__ import annotations

import os
import sys
from argparse import Action, ArgumentParser, HelpFormatter, Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from typing import TypeAlias

    Commands: TypeAlias = _SubParsersAction[ArgumentParser]
    """The commands of the command line, as argparse collects them."""


WEIGHTS = (
    "weights: a file (.safetensors, .pth, .onnx), the folder of a run or of Hugging Face's, torchvision:NAME, "
    "hf:OWNER/NAME, or as under `train.weights`: '{from: FILE, skip: fc.*}'"
)


class Formatter(HelpFormatter):
    """The layout of helps, which knows the terminal's width without ``shutil``.

    argparse makes one for every argument, and would import the archives of ``shutil`` to measure the terminal. What is
    written in lines of its own, as an epilog, stays as it is.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def _columns() -> int:
    """Return the terminal's width, as ``shutil.get_terminal_size`` does."""
    written = os.environ.get("COLUMNS", "")
    if written.isdecimal() and int(written):
        return int(written)
    try:
        return os.get_terminal_size(sys.__stdout__.fileno()).columns or 80  # type: ignore[union-attr]
    except (AttributeError, ValueError, OSError):  # no stream, a closed one, or no terminal
        return 80


def add_command(commands: Commands, name: str, description: str) -> ArgumentParser:
    """Add a command, with the options that every command has."""
    command = commands.add_parser(name, description=description, formatter_class=Formatter)
    command.add_argument(
        "--error-format",
        choices=["text", "json", "sarif", "github"],
        default="text",
        help="how to report errors: text on stderr, the others on stdout (default: text)",
    )
    command.add_argument(
        "--plugin",
        metavar="MODULE",
        action="append",
        default=[],
        help="a Python module that defines ops, data sets, losses, targets, …; may be repeated",
    )
    return command


def add_spec_arguments(command: ArgumentParser, required: bool = True, more: str = "") -> None:
    """Add a spec, its variant, and values for it."""
    help = f"a path, the name of a zoo entry or variant, or - for the standard input{more}"
    command.add_argument("spec", metavar="SPEC", nargs=None if required else "?", help=help)
    command.add_argument("--variant", metavar="NAME", help="a variant of the spec")
    add_value_arguments(command)
    add_limit_arguments(command)


def add_cached_argument(command: ArgumentParser) -> None:
    """Add the part of the cached form that is meant instead of the network."""
    command.add_argument(
        "--cached",
        nargs="?",
        const="step",
        choices=["step", "begin"],
        help="of a decoder the form that reads word by word: the step (default), which takes and gives what is kept of "
        "the words before, or what runs once before the first word",
    )


def add_run_arguments(command: ArgumentParser) -> None:
    """Add a trained run, and what runs its network."""
    command.add_argument(
        "run", metavar="RUN", help="a run's folder, such as runs/lenet/1; runs/lenet/last, or last of all"
    )
    command.add_argument(
        "--runtime", choices=["torch", "onnx"], default="torch", help="the runtime for the network (default: torch)"
    )
    command.add_argument(
        "--weights", metavar="FILE", help=f"other weights than the best ones of the run: {WEIGHTS.partition(': ')[2]}"
    )


class SetLora(Action):
    """``--lora VALUE`` as ``--set train.lora=VALUE``."""

    def __call__(self, parser: object, namespace: Namespace, value: object, option: str | None = None) -> None:
        namespace.set = [*namespace.set, f"train.lora={value}"]


def add_value_arguments(command: ArgumentParser) -> None:
    """Add values of parameters and sizes of dimensions."""
    command.add_argument(
        "--set", metavar="KEY=VALUE", action="append", default=[], help="set a parameter of the spec; may be repeated"
    )
    command.add_argument(
        "--lora",
        metavar="RANK",
        action=SetLora,
        dest="set",
        help="add changes of this rank to linear maps and convolutions, or as under `train.lora`: "
        "'{rank: 8, of: \"*.qkv\"}'",
    )
    command.add_argument(
        "--dim",
        metavar="NAME=SIZE",
        action="append",
        default=[],
        help="quote costs at this size of a symbolic dimension; may be repeated",
    )


def add_expand_argument(command: ArgumentParser) -> None:
    """Add the levels that are kept open."""
    command.add_argument(
        "--expand",
        metavar="NAME",
        action="append",
        default=[],
        help="keep this level expanded, given by path, name or block; may be repeated",
    )


def add_limit_arguments(command: ArgumentParser) -> None:
    """Add the bounds on a network and a file."""
    command.add_argument(
        "--max-layers", type=int, metavar="N", help="the largest number of layers in a network (default: 20000)"
    )
    command.add_argument("--max-file-size", type=int, metavar="MB", help="the largest size of a spec file (default: 4)")


def add_weights_argument(command: ArgumentParser) -> None:
    """Add the weights that a network is given."""
    command.add_argument("--weights", metavar="FILE", help=WEIGHTS)


def add_verify_argument(command: ArgumentParser) -> None:
    """Add ``--verify``."""
    command.add_argument(
        "--verify",
        choices=("none", "quick", "full"),
        default="quick",
        help="verify the ONNX file: not at all, at small sizes, or at the sizes of the table, too (default: quick)",
    )


def add_times_argument(command: ArgumentParser) -> None:
    """Add the file of a measured device."""
    command.add_argument(
        "--times",
        metavar="FILE",
        help="foretell how long each layer takes on the device that `netspec measure-device` wrote this file for",
    )


def add_device_argument(command: ArgumentParser) -> None:
    """Add where a network is verified."""
    command.add_argument(
        "--device", default="auto", help="the device to verify the network on: auto, cpu or cuda (default: auto)"
    )
