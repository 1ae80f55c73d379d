"""The pages of the command line, from the parser itself."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from unittest.mock import patch

from netspec.cli.commands import command_files, command_help
from netspec.cli.options import Formatter
from netspec.cli.parser import EPILOG, make_parser
from sitemaker.page import Page, fence, link, terms

FOLDER = "reference/commands"
SHARED = ("-h",)


def command_pages() -> Iterator[Page]:
    """Give the list of the commands, and a page for each."""
    files = command_files()
    index = f"{FOLDER}/index.md"
    lines = [
        f"- {link(index, f'{FOLDER}/{name}.md', f'`netspec {name}`')} – {command_help(file)}"
        for name, file in files.items()
    ]
    spec, _, rest = EPILOG.partition("\n\n")
    examples, _, codes = rest.rpartition("\n\n")
    text = [
        *lines,
        "",
        "## SPEC",
        "",
        _escaped(spec),
        "",
        fence(_dedent(examples), "sh"),
        "## Exit codes",
        "",
        _escaped(codes),
    ]
    yield Page(index, "Command line", "\n".join(text))
    for name in files:
        yield _page(name, command_help(files[name]))


def _page(name: str, summary: str) -> Page:
    command = parser_of(name)
    with patch.dict(os.environ, COLUMNS="92"):
        usage = command.format_usage()
    parts = [_escaped(command.description or summary), "", fence(usage.removeprefix("usage: "), "text")]
    for group in command._action_groups:
        actions = [
            each
            for each in group._group_actions
            if each.help != argparse.SUPPRESS and each.option_strings != ["-h", "--help"]
        ]
        if actions:
            parts += [f"## {(group.title or 'options').capitalize()}", ""]
            parts += [_escaped(group.description) + "\n"] if group.description else []
            parts += [terms(_option(command, each) for each in actions)]
    parts += [fence(_dedent(command.epilog), "text")] if command.epilog else []
    return Page(f"{FOLDER}/{name}.md", f"netspec {name}", "\n".join(parts), summary=summary)


def parser_of(name: str) -> argparse.ArgumentParser:
    """Return the parser of a command."""
    top = make_parser([name])
    subparsers = next(each for each in top._actions if isinstance(each, argparse._SubParsersAction))
    found = subparsers.choices[name]
    assert isinstance(found, argparse.ArgumentParser)
    return found


def _option(command: argparse.ArgumentParser, action: argparse.Action) -> tuple[str, str, str]:
    """An option's name, what it takes, and its help."""
    formatter = Formatter(command.prog)
    value = ""
    if action.nargs != 0:
        default = action.dest.upper() if action.option_strings else action.dest
        value = formatter._format_args(action, default)
    name = ", ".join(action.option_strings) or str(value)
    taken = f"`{value}`" if action.option_strings and value else ""
    text = formatter._expand_help(action) if action.help else ""
    return name, taken, _escaped(text[:1].upper() + text[1:])


def _escaped(text: str) -> str:
    """A help as Markdown: what would be marks or elements stands as it is."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else re.sub(r"([<>*_\[\]{}|\\])", r"\\\1", part) for part in parts)


def _dedent(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip("\n").split("\n"))
