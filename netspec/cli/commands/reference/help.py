"""``netspec help``: explain a word of the language."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.commands import command_files, command_parser
from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    command = add_command(
        commands,
        "help",
        "Explain a word of a spec in all its meanings: a key, a structure, an op, a block, an argument, a data set, a"
        " loss, an optimizer, a function, a type or a diagnostic; or a command. Without a word, list all words.",
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="a word, such as residual, adam or conv2d.padding")
    command.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(options: Namespace) -> int:
    """Explain a word, or a command as its own ``--help`` does; list all words."""
    from netspec.cli.output import draw
    from netspec.diagnostics import UsageError
    from netspec.reference.registry import find
    from netspec.reference.show.page import Page, WordList
    from netspec.reference.show.record import index_json, words_json

    if options.name is None:
        print(index_json()) if options.format == "json" else draw(WordList())
        return 0
    file = command_files().get(options.name)
    try:
        words = find(options.name)
    except UsageError:
        if file is None:
            raise
        command_parser(options.name).print_help()
        return 0
    if options.format == "json":
        print(words_json(words))
        return 0
    draw(Page(words))
    if file is not None:
        print(f"\n`netspec {options.name}` is a command, too: netspec {options.name} --help")
    return 0
