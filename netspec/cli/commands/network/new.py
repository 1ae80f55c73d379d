"""``netspec new``: write a commented spec to start from."""

from __future__ import annotations

import os
from argparse import Namespace

from netspec.cli.options import add_command
from netspec.starts import KINDS, start

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


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
    command.add_argument("-o", "--output", metavar="FILE", help="the same, as other commands name what they write")


def run(options: Namespace) -> None:
    """Write the file, unless there is one, and name the commands that come next."""
    from pathlib import Path
    from shlex import quote

    from netspec.diagnostics import UsageError
    from netspec.files import write_text
    from netspec.text.quoting import visible

    if options.file is not None and options.output is not None:
        raise UsageError(f"the file is named twice: {visible(options.file)} and -o {visible(options.output)}")
    path = Path(options.file or options.output or f"{options.kind}.yaml")
    if path.suffix not in (".yaml", ".yml"):
        raise UsageError(f"{visible(str(path))}: a spec is a .yaml file")
    if os.path.lexists(path):
        raise UsageError(f"{visible(str(path))} is there already, and stays as it is")
    name = path.stem if path.stem.isidentifier() and path.stem.isascii() else options.kind
    file = visible(quote(str(path)))
    write_text(path, start(options.kind, file, name))
    print(f"{visible(str(path))}  {KINDS[options.kind]}\n")
    print(f"  netspec shapes {file}\n  netspec train {file}")
