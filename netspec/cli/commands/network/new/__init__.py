"""``netspec new``: write a commented spec to start from."""

from __future__ import annotations

import os
from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands

KINDS = {
    "image": "a residual network for images",
    "table": "a network for a table of numbers",
    "text": "a decoder that learns to continue a text",
    "cell": "a recurrent cell of your own, over a sequence",
}
"""The kinds of specs to start from, each in a file beside this one, in which FILE and NAME stand for the new file's."""


def add(commands: Commands) -> None:
    """Add its parser."""
    kinds = "; ".join(f"`{kind}`, {doc}" for kind, doc in KINDS.items())
    command = add_command(
        commands,
        "new",
        f"Write a commented spec to start from, which trains as it stands: {kinds}.",
    )
    command.add_argument("kind", metavar="KIND", choices=[*KINDS], help=", ".join(KINDS))
    command.add_argument("file", metavar="FILE", nargs="?", help="the file to write (default: KIND.yaml)")


def run(options: Namespace) -> None:
    """Write the file, unless there is one, and name the commands that come next."""
    from pathlib import Path
    from shlex import quote

    from netspec.diagnostics import UsageError
    from netspec.files import write_text
    from netspec.text.quoting import visible

    path = Path(options.file or f"{options.kind}.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{visible(str(path))}: a spec is a .yaml file")
    if os.path.lexists(path):
        raise UsageError(f"{visible(str(path))} is there already, and stays as it is")
    name = path.stem if path.stem.isidentifier() and path.stem.isascii() else options.kind
    start = Path(__file__).with_name(f"{options.kind}.yaml").read_text("utf-8")
    file = visible(quote(str(path)))
    write_text(path, start.replace("FILE", file).replace("NAME", name))
    print(f"{visible(str(path))}  {KINDS[options.kind]}\n")
    print(f"  netspec shapes {file}\n  netspec train {file}")
