"""``netspec diagram``: draw the architecture."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_cached_argument, add_command, add_expand_argument, add_spec_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(commands, "diagram", "Draw the network with Graphviz.")
    add_spec_arguments(command)
    add_cached_argument(command)
    command.add_argument("-o", "--output", metavar="FILE", required=True, help="a .svg, .png, .pdf, .dot or .mmd file")
    command.add_argument(
        "--depth", type=int, metavar="N", help="the number of levels to expand (default: as many as are readable)"
    )
    add_expand_argument(command)
    command.add_argument(
        "--direction",
        choices=["TB", "LR"],
        help="draw from top to bottom or from left to right (default: whichever fits a page best)",
    )


def run(options: Namespace) -> None:
    """Draw the network into a file."""
    from netspec.cli.option_values import asked_graph, output_of
    from netspec.cli.output import say_written
    from netspec.emit.diagram.write import write_diagram

    graph, output = asked_graph(options), output_of(options)
    write_diagram(graph, output, options.depth, options.expand, options.direction)
    say_written(output)
