"""Printing for commands: tables, lines on stderr, and the progress of long steps."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from netspec.text.streams import bare, takes_colours
from netspec.text.wrapping import wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

PAGES = (".html", ".htm")
"""Endings of the names of pages."""


def draw(table: Any, ascii: bool = False, **how: Any) -> None:
    """Print a text as wide as the terminal, coloured on a terminal only; in ASCII where its encoding lacks a sign."""
    how |= {"width": _width(), "colour": takes_colours(sys.stdout)}
    drawn: str = table.text(ascii=ascii, **how)
    try:
        drawn.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        drawn = table.text(ascii=True, **how)
    print(drawn.rstrip("\n"), file=bare(sys.stdout), flush=True)


def say(text: str) -> None:
    """Print a text; in ASCII where the encoding of stdout lacks a sign."""
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        from netspec.view.terminal import PLAIN_SIGNS

        text = text.translate(PLAIN_SIGNS)
    print(text, flush=True)


def say_written(path: Path) -> None:
    """Print that a file has been written, and how a page is looked at; nothing of a stream, which may be this one."""
    from netspec.files import is_stream
    from netspec.text.quoting import visible

    if is_stream(path):
        return
    then = ": open it in a browser" if path.suffix.lower() in PAGES else ""
    say(f"wrote {visible(str(path))}{then}")


def _width() -> int:
    """Return the width of the terminal, or that which COLUMNS says, from 80 to 160; 80 where there is neither."""
    if not (sys.stdout.isatty() or os.environ.get("COLUMNS")):
        return 80
    from shutil import get_terminal_size

    return max(80, min(get_terminal_size((80, 24)).columns, 160))


def warn(text: str) -> None:
    """Print a line on stderr, as netspec's."""
    print(fitted(f"netspec: {text}", sys.stderr), file=sys.stderr)


def fitted(text: str, stream: TextIO, indent: int = 2) -> str:
    """Return a text with lines as wide as the terminal that a stream leads to, broken between words.

    What goes on below is indented by ``indent`` columns, beside what its line begins with.
    """
    if not stream.isatty():
        return text
    from shutil import get_terminal_size

    return wrapped(text, max(40, get_terminal_size((80, 24)).columns), indent)


def silent(text: str) -> None:
    """Print nothing: another process says it already."""


@contextmanager
def status(doing: str) -> Iterator[Callable[[str], None]]:
    """Show what is being done, on a terminal only, while it is done; gives a function that shows something else."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(file=bare(sys.stderr)).status(f"{doing} …") as shown:
        yield lambda text: shown.update(f"{escape(text)} …")
