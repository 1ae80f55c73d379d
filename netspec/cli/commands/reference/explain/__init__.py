"""``netspec explain``: explain a diagnostic."""

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
        commands,
        "explain",
        "Explain a diagnostic by its id: what it means, why it is an error, and a wrong and a right spec. Without an "
        "id, list all diagnostics.",
    )
    command.add_argument("id", metavar="ID", nargs="?", help="an id, such as shape-mismatch")


def run(options: Namespace) -> None:
    """Print every id, or what one means."""
    from netspec.cli.commands.reference.explain.catalogue import COLUMN, explain_id, list_ids
    from netspec.cli.output import fitted

    print(explain_id(options.id) if options.id else fitted(list_ids(), sys.stdout, indent=COLUMN))
