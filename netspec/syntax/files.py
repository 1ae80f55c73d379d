"""From a path to a text: UTF-8, bounded, a regular file."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from netspec.dataclass import dataclass
from netspec.diagnostics import Diagnostic, Label, Source, Span, SpecError, UsageError, did_you_mean


@dataclass(frozen=True, slots=True)
class FileLimits:
    """Bounds on one file; ``expanded`` counts the nodes behind each alias again, ``imported`` the bytes of imports.

    ``depth`` is not raised: PyTorch itself gives up on modules nested a few hundred deep.
    """

    bytes: int = 4_000_000
    depth: int = 64
    nodes: int = 200_000
    expanded: int = 1_000_000
    imported: int = 16_000_000

    @staticmethod
    def of(megabytes: int) -> FileLimits:
        """The bounds for files of this size: all but the depth grow alike."""
        usual = FileLimits()
        factor = max(1, -(-megabytes * 1_000_000 // usual.bytes))
        return FileLimits(
            megabytes * 1_000_000, usual.depth, usual.nodes * factor, usual.expanded * factor, usual.imported * factor
        )


DEFAULT = FileLimits()
RAISE = "raise the limit with `--max-file-size`"


def read_source(path: Path, limits: FileLimits = DEFAULT) -> Source:
    """The text of a file: UTF-8, bounded, and a regular file; ``SpecError`` or, where it is missing, ``UsageError``."""
    return decode(str(path), _read_bytes(path, limits.bytes), limits)


STDIN = "<stdin>"
"""The name of what is read from the standard input."""


_read_to_its_end: list[object] = []


def read_stdin(limits: FileLimits = DEFAULT) -> Source:
    """The text of the standard input: UTF-8, and bounded; ``SpecError`` for another, ``UsageError`` the second time."""
    if sys.stdin is not None and _read_to_its_end[:] == [sys.stdin]:
        raise UsageError("the standard input has been read, and is empty now: `-` may stand for one spec alone")
    _read_to_its_end[:] = [sys.stdin]
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(limits.bytes + 1)
    return decode(STDIN, data, limits)


def decode(name: str, data: bytes, limits: FileLimits = DEFAULT) -> Source:
    """The text of a file's bytes; ``SpecError`` where they are too many, or not UTF-8."""
    if len(data) > limits.bytes:
        raise _bad_file(
            Source(name, ""), f"the file is larger than {limits.bytes:,} bytes", f"import its parts; {RAISE}"
        )
    try:
        return Source(name, data.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as found:
        wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        source = Source(name, data.decode("utf-16" if wide else "utf-8", "replace"))
        line, column = (1, 1) if wide else position(data[: found.start].decode("utf-8"), found.start)
        what = "the file is UTF-16" if wide else f"byte 0x{data[found.start]:02x} is not UTF-8"
        raise _bad_file(source, what, "save the file as UTF-8", line, column, "yaml-encoding") from None


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except FileNotFoundError:
        beside = [str(other) for other in sorted(path.parent.glob("*.y*ml"))] if path.parent.is_dir() else []
        hint = did_you_mean(str(path), beside)
        raise UsageError(f"no such file: {path}" + (f"; {hint}" if hint else "")) from None
    except OSError as found:
        if path.is_dir():
            raise _bad_file(Source(str(path), ""), "this is a folder", "name a YAML file") from None
        raise UsageError(f"cannot read {path}: {found.strerror}") from None
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        what = "this is a folder" if stat.S_ISDIR(mode) else "this is not a regular file"
        raise _bad_file(Source(str(path), ""), what, "name a YAML file")
    with os.fdopen(handle, "rb") as file:
        return file.read(most + 1)


def _bad_file(
    source: Source, message: str, help: str, line: int = 1, column: int = 1, id: str = "bad-file"
) -> SpecError:
    span = Span(source, line, column, line, column)
    return SpecError([Diagnostic(id, message, Label(span), help=help)])


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column of a character."""
    return text.count("\n", 0, index) + 1, len(text[:index]) - (text.rfind("\n", 0, index) + 1) + 1
