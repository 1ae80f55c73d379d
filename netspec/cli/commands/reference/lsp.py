"""``netspec lsp``: run the language server for editors."""

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
        "Run the language server over stdin and stdout, to be started by an editor. It offers diagnostics while "
        "typing, completion, hover, go to definition, and the inferred shape at the end of each step's line. "
        "docs/editors/index.md explains how to set it up; it requires `pip install 'netspec[lsp]'`.",
    )


def run(options: Namespace) -> None:
    """Serve until the editor ends it."""
    from netspec.diagnostics import EnvironmentFault

    try:
        from netspec.lsp.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("pygls", "lsprotocol"):
            raise
        raise EnvironmentFault("the language server needs pygls: `pip install 'netspec[lsp]'`") from None
    serve()
