"""``netspec lsp``: the language server for editors."""

from __future__ import annotations

from argparse import Namespace

from netspec.cli.options import add_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from netspec.cli.options import Commands


def add(commands: Commands) -> None:
    """Add its parser."""
    add_command(
        commands,
        "lsp",
        "Speak the language server protocol over stdin and stdout: an editor starts this. Diagnostics while typing, "
        "completion, hover, definitions, and the inferred shape at the end of each step's line. examples/editors.md "
        "tells how to set it up; it needs `pip install 'netspec[lsp]'`.",
    )


def run(options: Namespace) -> None:
    """Serve until the editor ends it."""
    from netspec.diagnostics import EnvironmentFault

    try:
        from netspec.lsp.server import serve
    except ModuleNotFoundError as found:
        if (found.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise EnvironmentFault("the language server needs pygls: `pip install 'netspec[lsp]'`") from None
    serve()
