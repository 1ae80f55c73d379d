"""How faults are told: as text on stderr, or on stdout in a format for programs."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from collections.abc import Sequence

from netspec import __version__
from netspec.diagnostics import Diagnostic, NetspecError, SpecError
from netspec.diagnostics.base import counted
from netspec.diagnostics.text import render_all


def tell(diagnostics: Sequence[Diagnostic], more: int, format: str) -> None:
    """Every fault in one of the formats; text ends with their number."""
    if format != "text":
        from netspec.diagnostics.formats import render_as

        told = render_as(format, diagnostics, more, version=__version__)
        if told:
            print(told)
        return
    if diagnostics:
        print(f"{render_all(diagnostics, more, width())}\n", file=sys.stderr)
        tell_count(len(diagnostics), more)


def tell_count(told: int, more: int) -> None:
    count = told + more
    print(f"{counted(count, more)} error{'s' * (count > 1)}", file=sys.stderr)


def tell_error(found: NetspecError, format: str) -> None:
    """An error that ends a command."""
    if isinstance(found, SpecError):
        tell(found.diagnostics, found.more, format)
    elif format == "json":
        print(json.dumps([{"id": None, "severity": "error", "message": str(found), "file": None}], indent=2))
    elif format == "github":
        print(f"::error title=netspec::{str(found).replace('%', '%25').replace(chr(10), '%0A')}")
    else:
        print(f"netspec: {found}", file=sys.stderr)


def machine_fault(found: BaseException) -> str | None:
    """What to say where the machine could not give what was asked of it; ``None`` of any other exception.

    Libraries tell it in exceptions of many kinds, some of which have no name but in their text.
    """
    if isinstance(found, RecursionError):
        return "it is nested deeper than Python's stack allows; nest it less deep"
    text = str(found)
    if isinstance(found, MemoryError) or (isinstance(found, OSError) and found.errno == errno.ENOMEM):
        return f"the memory of this machine does not suffice{detail_of(text)}; a smaller network or sizes take less"
    kind = f"{type(found).__module__}.{type(found).__name__}"
    if kind.startswith(LIBRARIES) and any(word in text for word in NO_MEMORY):
        return f"the memory of this machine does not suffice{detail_of(text)}; a smaller network or sizes take less"
    if kind.startswith(LIBRARIES) and any(word in text for word in TOO_LARGE):
        return f"a file of this format holds at most 2 GB{detail_of(text)}; a smaller network fits"
    return None


LIBRARIES = ("builtins.RuntimeError", "builtins.ValueError", "torch.", "onnx", "google.", "numpy")
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "Failed to allocate",
    "Cannot allocate memory",
    "Unable to allocate",
    "bad allocation",
    "array is too big",
    "Maximum allowed dimension exceeded",
    "Storage size calculation overflowed",
    "numel: integer multiplication overflow",
)
TOO_LARGE = ("exceeds maximum protobuf size", "exceeded maximum protobuf size", "larger than 2GB", "2GB limit")


def detail_of(text: str) -> str:
    """The first line of a library's own words, in brackets."""
    lines = text.strip().splitlines()
    return f" ({lines[0][:160]})" if lines else ""


def width() -> int:
    """Of the terminal, 120 at most."""
    return max(60, min(shutil.get_terminal_size((120, 24)).columns, 120)) if sys.stderr.isatty() else 120
