"""``netspec explorer``: write an interactive page of the network."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_cached_argument, add_command, add_spec_arguments, add_times_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "explorer",
        "Write a self-contained HTML page: the diagram, the shape table and the YAML side by side, with levels to "
        "expand and collapse, search, a heat map of costs, and sliders for the symbolic dimensions.",
    )
    add_spec_arguments(command)
    add_cached_argument(command)
    command.add_argument("-o", "--output", metavar="FILE", required=True, help="the file to write, such as net.html")
    add_times_argument(command)


def run(options: Namespace) -> None:
    """Write the page."""
    from netspec.cli.option_values import asked_graph, output_of, times_of
    from netspec.cli.output import say_written
    from netspec.emit.explorer import explorer_page
    from netspec.files import write_text

    graph, output = asked_graph(options), output_of(options)
    write_text(output, explorer_page(graph, times=times_of(graph, options.times)))
    say_written(output)
