"""``netspec serve``: serve the explorer to a browser as you edit."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command, add_spec_arguments

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    command = add_command(
        commands,
        "serve",
        "Serve the explorer to browsers on this machine. The page reloads whenever the spec or a file that it imports"
        " is saved; an error is shown below the last valid page. Press Ctrl-C to stop.",
    )
    add_spec_arguments(command)
    command.add_argument("--port", type=int, metavar="N", help="the port to listen on (default: 4800, or a free one)")
    command.add_argument("--open", action="store_true", help="open the page in a browser")


def run(options: Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from netspec.cli.commands.network.serve.local import guard_port
    from netspec.cli.commands.network.serve.site import serve
    from netspec.cli.option_values import graph_of
    from netspec.pipeline import find_spec
    from netspec.syntax.files import read_source

    guard_port(options.port)
    spec, _ = find_spec(options.spec)
    if not spec.exists():
        read_source(spec)  # tells so at once, with the names of those that are there
    return serve(spec, lambda: graph_of(options), options.port, options.open)
