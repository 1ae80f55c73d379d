"""Writing files so that a reader finds the old one or the new one, never a torn one.

A file is written under a temporary name, which says who writes it: what a process leaves that was killed is removed by
the next one that writes into the same folder.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from netspec.diagnostics import EnvironmentFault

TEMPORARY = re.compile(r"\.netspec-(?P<machine>[0-9a-f]{8})-(?P<process>\d+)-[a-z0-9_]+(\.\w+)*$")
LONGEST = 40
"""Letters of a file's own name that its temporary one begins with: a name has 255 bytes at most."""

ABANDONED = 24 * 3600.0
"""Seconds after which a temporary file of another machine, whose processes are not known here, belongs to nobody."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` that replaces it when the block ends without an error.

    Raises ``EnvironmentFault`` if the disk or its permissions forbid it.
    """
    with temporary_beside(path) as temporary:
        yield temporary
        put(temporary, path)


@contextmanager
def temporary_beside(path: Path) -> Iterator[Path]:
    """Yield an empty file in the folder of ``path``, which is made, and remove it at the end unless it has been moved.

    Raises ``EnvironmentFault`` if it cannot be written, in the block too.
    """
    try:
        temporary = _made(path)
    except OSError as error:
        raise cannot_write(path, error) from None
    try:
        yield temporary
    except OSError as error:
        raise cannot_write(path, error) from None
    finally:
        temporary.unlink(missing_ok=True)


def temporary_folder(path: Path) -> Path:
    """Make an empty folder beside ``path``, to be filled and then renamed to it. Raises ``OSError``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent.absolute())
    return Path(tempfile.mkdtemp(prefix=temporary_name(path.name), dir=path.parent))


def put(temporary: Path, path: Path) -> None:
    """Move a file to ``path``; a device or a pipe is given the file's contents. Raises ``OSError``."""
    if is_stream(path):
        _pour(temporary, path)
        return
    with temporary.open("rb+") as written:
        os.fsync(written.fileno())
    temporary.chmod(0o666 & ~_umask())
    os.replace(temporary, path)


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all. Surrogates, which stand for bytes of names, are written as those."""
    with replacing(path) as temporary:
        temporary.write_bytes(text.encode("utf-8", "surrogateescape"))


def cannot_write(path: Path, error: OSError) -> EnvironmentFault:
    """Return an error of the system as an ``EnvironmentFault``."""
    return EnvironmentFault(f"cannot write {path}: {error.strerror or error}")


def is_stream(path: Path) -> bool:
    """Return whether a path is a device or a pipe, such as /dev/null, which nothing can replace."""
    if path.parent == Path("/dev") or Path("/proc") in path.parents:
        return path.exists()
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def temporary_name(name: str) -> str:
    """Return the beginning of the temporary name of a file or a folder."""
    return f".{name[:LONGEST]}.netspec-{_machine()}-{os.getpid()}-"


def guard_folder(folder: Path) -> None:
    """Guard: a path that exists is a folder. Raises ``NotADirectoryError``."""
    if os.path.lexists(folder) and not folder.is_dir():
        raise NotADirectoryError(0, f"{folder} is not a folder")


def _made(path: Path) -> Path:
    if path.is_dir():
        raise IsADirectoryError(0, "it is a folder")
    folder = Path(tempfile.gettempdir()) if is_stream(path) else path.parent
    guard_folder(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _sweep(folder.absolute())
    suffix = path.suffix if len(path.suffix) <= 8 else ""
    handle, name = tempfile.mkstemp(prefix=temporary_name(path.name), suffix=suffix, dir=folder)
    os.close(handle)
    return Path(name)


def _pour(temporary: Path, path: Path) -> None:
    # A pipe that nobody reads is an error of the system's then, and not a wait for ever.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "wb") as stream, temporary.open("rb") as source:
        os.set_blocking(handle, True)
        shutil.copyfileobj(source, stream)


@cache
def _sweep(folder: Path) -> None:
    """Remove the temporary files in a folder that no process writes any more: looked for once by a process."""
    with suppress(OSError):
        for entry in os.scandir(folder):
            if is_abandoned(entry):
                with suppress(OSError):
                    remove(Path(entry.path))


def is_abandoned(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a temporary file of a process that is gone."""
    match = TEMPORARY.search(entry.name)
    if match is None or not entry.name.startswith(".") or entry.is_symlink():
        return False
    if match["machine"] == _machine() and hasattr(os, "fork"):
        return not _is_alive(int(match["process"]))
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED


def remove(path: Path) -> None:
    """Remove a file or a folder, if it exists; of a link, the link alone."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _machine() -> str:
    return f"{zlib.crc32(platform.node().encode()):08x}"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
