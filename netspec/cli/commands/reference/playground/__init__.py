"""``netspec playground``: write specs in a browser and see what they make, as you type."""

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
        "playground",
        "Serve the playground to browsers on this machine: an editor with the table, the diagram, the PyTorch source, "
        "the explorer and a comparison beside it, which follow as you type. netspec itself runs in the browser. The "
        "page is laid out on first use, from packages that are fetched from npm and PyPI and kept; from then on it "
        "needs no network. Press Ctrl-C to stop.",
    )
    command.add_argument(
        "--build", metavar="FOLDER", help="lay out the page in a folder, to be put on any host, and serve nothing"
    )
    command.add_argument("--port", type=int, metavar="N", help="the port to listen on (default: 4900, or a free one)")
    command.add_argument("--open", action="store_true", help="open the page in a browser")


def run(options: Namespace) -> int:
    """Lay out the page where it is not there yet, and serve it until Ctrl-C."""
    from pathlib import Path

    from netspec.cli.commands.network.serve.local import guard_port
    from netspec.cli.commands.reference.playground.site import serve
    from netspec.cli.output import warn
    from netspec.playground.build import build, built

    guard_port(options.port)
    if options.build is not None:
        build(Path(options.build), warn)
        print(Path(options.build) / "index.html")
        return 0
    return serve(built(warn), options.port, options.open)
