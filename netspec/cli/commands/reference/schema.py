"""``netspec schema``: print the JSON Schema for editors."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "schema",
        "Print the JSON Schema (draft 2020-12) of specs, for completion and documentation in editors. A spec refers "
        "to it in its first line: `# yaml-language-server: $schema=netspec.schema.json`.",
    )
    command.add_argument("-o", "--output", metavar="FILE", help="the file to write (default: print it)")


def run(options: Namespace) -> None:
    """Print or write the schema."""
    from pathlib import Path

    from netspec.files import write_text
    from netspec.schema import schema_text

    if options.output:
        write_text(Path(options.output), schema_text())
    else:
        print(schema_text(), end="")
