"""``netspec source``: print the PyTorch source."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_cached_argument, add_command, add_spec_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(commands, "source", "Print the network as standalone PyTorch source.")
    add_spec_arguments(command)
    add_cached_argument(command)


def run(options: Namespace) -> None:
    """Print the source."""
    from netspec.cli.option_values import asked_graph
    from netspec.emit.source import emit_source

    print(emit_source(asked_graph(options)).text, end="")
