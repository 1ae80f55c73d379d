"""Locks of folders that one process at a time writes into."""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ModuleNotFoundError:  # on Windows: two processes in one folder are not noticed there
    fcntl = None  # type: ignore[assignment]

from netspec.diagnostics import EnvironmentFault
from netspec.files import cannot_write, guard_folder

TAKEN = (errno.EACCES, errno.EAGAIN)


@contextmanager
def locked(folder: Path, name: str, done: str) -> Iterator[None]:
    """Hold the lock of a folder, which is made, during the block; ``name`` is that of the lock's file.

    Raises ``EnvironmentFault`` if another process holds it, or the folder cannot be written.
    """
    try:
        guard_folder(folder)
        folder.mkdir(parents=True, exist_ok=True)
        handle = lock(folder / name, done)
    except OSError as error:
        raise cannot_write(folder, error) from None
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / name).unlink(missing_ok=True)
        os.close(handle)


def lock(path: Path, done: str) -> int:
    """Return the handle of a folder's lock, to be closed at the end. On a file system without locks there is none.

    It ends with its process, whatever ends that, and forked processes do not inherit it. Raises ``EnvironmentFault`` if
    another process holds it (``done`` says what is being done to the folder), ``OSError`` if the folder cannot be
    written.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if fcntl is not None:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in TAKEN:
                told = _owner(handle)
                os.close(handle)
                raise EnvironmentFault(
                    f"{path.parent} is being {done}{told}: wait until it ends, or choose another folder"
                ) from None
        if _is_at(handle, path):
            _sign(handle)
            return handle
        os.close(handle)  # it was removed by the process that had it


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except OSError:
        return False


def _sign(handle: int) -> None:
    """Write who has the lock, for those who are refused."""
    said = {"process": os.getpid(), "machine": platform.node(), "since": time.strftime("%Y-%m-%d %H:%M:%S")}
    with suppress(OSError):
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(said).encode(), 0)


def _owner(handle: int) -> str:
    try:
        said = json.loads(os.pread(handle, 10_000, 0))
        return f" by process {said['process']} on {said['machine']}, since {said['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return " by another process"
