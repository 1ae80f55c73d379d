"""The reporting of errors: as text on stderr, or on stdout in a format for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from netspec.cli.output import warn
from netspec.diagnostics import Diagnostic, NetspecError, SpecError
from netspec.diagnostics.base import Unchecked, counted
from netspec.diagnostics.text import Layout, render_all
from netspec.text.streams import bare, takes_colours
from netspec.version import __version__


def tell(diagnostics: Sequence[Diagnostic], more: int, format: str, failures: Sequence[Unchecked] = ()) -> None:
    """Every fault in one of the formats, and what could not be looked at; text ends with their number."""
    if format != "text":
        from netspec.diagnostics.formats import render_as

        text = render_as(format, diagnostics, more, __version__, failures)
        if text:
            print(text)
        return
    if diagnostics:
        tell_each(diagnostics, more)
        tell_count(len(diagnostics), more)


def tell_each(diagnostics: Sequence[Diagnostic], more: int = 0) -> None:
    """Print diagnostics as text on stderr, as its terminal shows them best."""
    layout = Layout(width(), sys.stderr.isatty(), takes_colours(sys.stderr))
    print(f"{render_all(diagnostics, more, layout)}\n", file=bare(sys.stderr))


def tell_count(told: int, more: int, warnings: int = 0) -> None:
    errors, counts = told + more, []
    if errors:
        counts.append(f"{counted(errors, more)} error{'s' * (errors > 1)}")
    if warnings:
        counts.append(f"{warnings} warning{'s' * (warnings > 1)}")
    print(" and ".join(counts), file=sys.stderr)


def tell_error(found: NetspecError, format: str) -> None:
    """An error that ends a command."""
    if isinstance(found, SpecError):
        tell(found.diagnostics, found.more, format)
    elif format == "text":
        warn(str(found))
    else:
        tell((), 0, format, [Unchecked(str(found))])


def width(stream: TextIO | None = None) -> int:
    """Of the terminal that a stream (default: stderr) leads to, 120 at most."""
    if not (stream or sys.stderr).isatty():
        return 120
    from shutil import get_terminal_size

    return max(60, min(get_terminal_size((120, 24)).columns, 120))
