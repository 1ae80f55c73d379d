"""Repairs for options that a command does not have."""

from __future__ import annotations

import argparse
import re
from argparse import Namespace
from collections.abc import Iterator, Sequence

from netspec.cli.commands import command_files, load_command
from netspec.diagnostics import NetspecError, typo_of
from netspec.elaborate.messages.recipe_keys import BARE, known_path, path_in_recipe
from netspec.pipeline import load_spec
from netspec.spec import Spec
from netspec.text.quoting import shell

OPTIONS = {
    "checkpoint": "--weights",
    "gpu": "--devices",
    "gpus": "--devices",
    "nproc_per_node": "--devices",
    "num_gpus": "--devices",
    "out": "--output",
    "out_dir": "--output",
    "output_dir": "--output",
    "param": "--set",
}
"""Options of other tools, with netspec's."""

IN_RECIPES = ("train", "compare")
"""The commands whose settings stand in the recipe."""


def repairs(options: Namespace, unknown: Sequence[str], words: Sequence[str]) -> str:
    """Return a line with a repair for each option that the command does not have; none where none is known."""
    found = [repair for option, value in options_in(unknown, words) if (repair := repaired(options, option, value))]
    return "".join(f"\n  help: {repair}" for repair in dict.fromkeys(found))


def options_in(unknown: Sequence[str], words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the unknown options among all words, each with the value that follows it."""
    for at, word in enumerate(words):
        if word not in unknown or not word.startswith("--"):
            continue
        option, equals, value = word.partition("=")
        after = words[at + 1] if at + 1 < len(words) and not words[at + 1].startswith("--") else None
        yield option, value if equals else after


def repaired(options: Namespace, option: str, value: str | None) -> str | None:
    """Return what to write in place of an option, or ``None``."""
    known = options_of(options.command)
    name = option.removeprefix("--")
    spec = spec_of(options) if "--set" in known else None
    if spec is not None and (key := name.replace("-", "_")) in spec.params:
        return f"write `--set {key}={word(value)}`"
    if spec is not None and "--dim" in known and name in sizes_of(spec):
        return f"write `--dim {name}={word(value)}`"
    in_recipe = "--set" in known and options.command in IN_RECIPES
    if in_recipe and (path := known_path(name)) is not None:
        return f"write `--set {path}={word(BARE.get(name, value))}`"
    near = OPTIONS.get(name.replace("-", "_"))
    if near in known or (near := typo_of(option, known)) is not None:
        return f"did you mean `{near}`?"
    if in_recipe and (path := path_in_recipe(name)) is not None:
        return f"did you mean `--set {path}={word(value)}`?"
    return None


def word(value: str | None) -> str:
    """Return a value as part of a word of a command line."""
    return "VALUE" if value is None else shell([value])


def options_of(command: str) -> list[str]:
    """Return the options of a command."""
    commands = argparse.ArgumentParser().add_subparsers()
    load_command(command, command_files()[command]).add(commands)
    return [*dict.fromkeys(re.findall(r"--[a-z][a-z-]+", commands.choices[command].format_help()))]


def spec_of(options: Namespace) -> Spec | None:
    """Return the spec that the command is for, if it is named and can be read."""
    target = getattr(options, "spec", None)
    if target in (None, "-"):
        return None
    try:
        return load_spec(target).spec
    except NetspecError:
        return None


def sizes_of(spec: Spec) -> set[str]:
    """Return the names of the symbolic dimensions that a spec lists."""
    return {*spec.dims}
