"""``netspec ops``: list the ops and library blocks, or describe one."""

from __future__ import annotations

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


def run(options: Namespace) -> None:
    """Print them all, or one in detail."""
    from netspec.cli.commands.reference.ops.vocabulary import describe_op, list_ops

    print(describe_op(options.name) if options.name else list_ops())
