"""``netspec help``: what a word of the language means."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add the parser."""
    command = add_command(
        commands,
        "help",
        "Explain a word of a spec: a key, a structure, an op, a block, an argument, a data set, a loss, an optimizer, "
        "a function, a type or a diagnostic, with all its meanings; or a command. Without a word, list all words.",
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="a word, such as residual, adam or conv2d.padding")
    command.add_argument("--format", choices=["text", "json"], default="text", help="default: text")


def run(options: Namespace) -> int:
    """Explain a word, or a command as its own ``--help`` does; list all words."""
    from netspec.cli.commands import command_files
    from netspec.cli.output import draw
    from netspec.cli.parser import make_parser
    from netspec.diagnostics import UsageError
    from netspec.reference.registry import find
    from netspec.reference.show.page import Index, Page
    from netspec.reference.show.record import index_json, words_json

    if options.name is None:
        print(index_json()) if options.format == "json" else draw(Index())
        return 0
    is_command = options.name in command_files()
    try:
        words = find(options.name)
    except UsageError:
        if not is_command:
            raise
        make_parser([options.name, "--help"]).parse_args([options.name, "--help"])
    if options.format == "json":
        print(words_json(words))
        return 0
    draw(Page(words))
    if is_command:
        print(f"\n`netspec {options.name}` is a command, too: netspec {options.name} --help")
    return 0
