"""Terminals, which obey some of the text that they are sent: what a command prints is shown, whoever wrote it."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout

from netspec.text.quoting import visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TextIO


class Showing:
    """A stream that shows control characters instead of sending them; line feeds and tabs are text."""

    def __init__(self, stream: TextIO):
        self.bare = stream

    def write(self, text: str) -> int:
        self.bare.write(visible(text, keep="\n\t"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.bare, name)


@contextmanager
def showing() -> Iterator[None]:
    """Have stdout and stderr show all that is printed."""
    with ExitStack() as stack:
        streams: list[tuple[Any, Any]] = [(redirect_stdout, sys.stdout), (redirect_stderr, sys.stderr)]
        for redirect, stream in streams:
            if stream is not None:
                stack.enter_context(redirect(Showing(stream)))
        yield


def bare(stream: TextIO) -> TextIO:
    """The stream itself, for colours and bars of our own: foreign text on its way there is made ``visible`` first."""
    return stream.bare if isinstance(stream, Showing) else stream


def takes_colours(stream: TextIO) -> bool:
    """Return whether a stream is to have ANSI colours: a terminal, unless the environment has it otherwise.

    ``NO_COLOR`` (https://no-color.org) leaves them out, and ``FORCE_COLOR`` has them anywhere.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return stream.isatty() and os.environ.get("TERM") != "dumb"
