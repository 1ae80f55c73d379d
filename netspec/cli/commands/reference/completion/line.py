"""The candidates for the end of a line of words, by the parser of its command."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from netspec.cli.commands import command_files, command_help, command_parser
from netspec.cli.commands.reference.completion.values import ValuePlace, values

MOST_TOLD = 60
"""Letters of an option's help beside it."""


class WordCandidate(NamedTuple):
    """A whole word that may stand in the place of the last one, and what it is."""

    text: str
    told: str = ""


class LineParts(NamedTuple):
    """The words of a command's line as far as they go: positionals, and an option that still takes values."""

    positionals: list[str]
    option: argparse.Action | None
    taken: int
    """The number of values that the option has."""


def candidates(before: Sequence[str], current: str) -> list[WordCandidate]:
    """Return what may stand in the place of ``current``, behind the words before it, netspec's own name left out."""
    files = command_files()
    name = next((word for word in before if not word.startswith("-")), None)
    if name is None:
        found: Iterable[WordCandidate] = [
            *(WordCandidate(each, command_help(file)) for each, file in files.items()),
            WordCandidate("--help", "show the help"),
            WordCandidate("--version", "show the version"),
        ]
        found = [each for each in found if each.text.startswith("-") == current.startswith("-")]
    elif name in files:
        found = _of_command(name, [*before][[*before].index(name) + 1 :], current)
    else:
        found = ()
    return [each for each in dict.fromkeys(found) if each.text.startswith(current)]


def _of_command(name: str, words: Sequence[str], current: str) -> Iterator[WordCandidate]:
    parser = command_parser(name)
    parts = _read(parser, words)
    if parts.option is not None and not current.startswith("-"):
        yield from _values(parts.option, name, parts, current)
        if parts.option.nargs != "?":
            return
    if current.startswith("--") and "=" in current:
        written, _, value = current.partition("=")
        option = _options(parser).get(written)
        if option is not None and option.nargs != 0:
            for each in _values(option, name, parts, value):
                yield WordCandidate(f"{written}={each.text}", each.told)
        return
    positional = _positional(parser, len(parts.positionals))
    if current.startswith("-") or (positional is None and parts.option is None):
        yield from (WordCandidate(text, _told(option)) for text, option in _shown_options(parser))
    elif positional is not None:
        yield from _values(positional, name, parts, current)


def _read(parser: argparse.ArgumentParser, words: Sequence[str]) -> LineParts:
    """Go through the words as argparse does, without a fault where they are none of the command's."""
    options = _options(parser)
    parts = LineParts([], None, 0)
    for word in words:
        if word.startswith("-") and len(word) > 1:
            option = options.get(word.partition("=")[0])
            is_open = option is not None and option.nargs != 0 and "=" not in word
            parts = LineParts(parts.positionals, option if is_open else None, 0)
        elif parts.option is not None:
            taken = parts.taken + 1
            parts = LineParts(parts.positionals, parts.option if taken < _most(parts.option) else None, taken)
        else:
            parts.positionals.append(word)
    return parts


def _most(action: argparse.Action) -> float:
    """Return the number of values that an option or a positional takes at most."""
    if isinstance(action.nargs, int):
        return action.nargs
    return 1 if action.nargs in (None, "?") else float("inf")


def _options(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    return {text: action for action in parser._actions for text in action.option_strings}


def _shown_options(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.Action]]:
    """Yield each option by its longest name, those that the help shows."""
    for action in parser._actions:
        if action.option_strings and action.help != argparse.SUPPRESS:
            yield max(action.option_strings, key=len), action


def _positional(parser: argparse.ArgumentParser, number: int) -> argparse.Action | None:
    """Return what the next positional is, behind a number of them."""
    for action in parser._actions:
        if not action.option_strings:
            if number < _most(action):
                return action
            number -= int(_most(action))
    return None


def _values(action: argparse.Action, command: str, parts: LineParts, current: str) -> Iterator[WordCandidate]:
    if action.choices is not None:
        yield from (WordCandidate(str(choice)) for choice in action.choices)
        return
    metavar = action.metavar[parts.taken] if isinstance(action.metavar, tuple) else action.metavar
    place = ValuePlace(command, action.option_strings[-1:], metavar or "", parts.positionals, current)
    yield from (WordCandidate(*each) for each in values(place))


def _told(action: argparse.Action) -> str:
    """Return an option's help as far as a line has room for it."""
    text = " ".join((action.help or "").split()).partition(";")[0]
    return text if len(text) <= MOST_TOLD else f"{text[: MOST_TOLD - 1].rsplit(' ', 1)[0]}…"
