"""``netspec show``: print a spec as one file of its own."""

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
        "show",
        "Print a spec as one file that needs no other: with the blocks that it imports, the networks that it uses, and "
        "the spec that it extends, changed as it says.",
    )
    command.add_argument("spec", metavar="SPEC", help="a spec file, or the name of a zoo entry or variant")


def run(options: Namespace) -> None:
    """Print the spec."""
    from netspec.pipeline import show_spec

    print(show_spec(options.spec), end="")
