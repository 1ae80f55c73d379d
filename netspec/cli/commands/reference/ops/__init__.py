"""``netspec ops``: list the ops and library blocks, or describe one; or tell what stands for torch's callables."""

from __future__ import annotations

import sys
from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands, "ops", "List the ops and the library's blocks, or describe one: its arguments, defaults and shapes."
    )
    command.add_argument("name", metavar="NAME", nargs="?", help="an op or a block, such as conv2d")
    command.add_argument(
        "--torch", action="store_true", help="list torch's layers, functions and methods with what says each in a spec"
    )


def run(options: Namespace) -> None:
    """Print them all, or one in detail."""
    if options.torch:
        from netspec.reference.coverage.table import find_rows, show_table, torch_table

        rows = torch_table()
        print(find_rows(rows, options.name) if options.name else show_table(rows).rstrip())
        return
    from netspec.cli.commands.reference.ops.vocabulary import column, describe_op, list_ops
    from netspec.cli.output import fitted

    print(describe_op(options.name) if options.name else fitted(list_ops(), sys.stdout, indent=column()))
