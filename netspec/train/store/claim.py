"""Whose a run's folder is: of no files but a run's own, and of one process at a time."""

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

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.files import cannot_write
from netspec.train.store.folder import RunFolder

LOCK = ".lock"
"""The file that the process which writes a run's folder has locked. It also tells that the folder is a run's, until
there is a ``run.json``. The lock ends with its process, whatever ends that, and is none of the processes that it forks.
"""

TAKEN = (errno.EACCES, errno.EAGAIN)


@contextmanager
def claimed(folder: RunFolder) -> Iterator[None]:
    """Write into a folder as the only process that does, in the block.

    Raises ``UsageError`` where the folder holds something else than a run, ``EnvironmentFault`` where another process
    has it.
    """
    if not str(folder.path).isprintable() and "\udc80" <= max(str(folder.path)) <= "\udcff":
        raise UsageError("a run's folder needs a name in UTF-8, which what reads the weights takes alone")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        guard_own(folder)
        handle = _locked(folder.path)
    except OSError as found:
        raise cannot_write(folder.path, found) from None
    try:
        yield
    finally:
        if folder.begun or _only_file(folder.path):
            with suppress(OSError):
                (folder.path / LOCK).unlink(missing_ok=True)
        os.close(handle)
        folder.drop_empty()


def guard_own(folder: RunFolder) -> None:
    """Guard: a folder is empty or a run's, and its folders are its own."""
    path = folder.path
    names = [each.name for each in path.iterdir()]
    if names and not folder.begun and LOCK not in names:
        raise UsageError(f"{path} holds other files than a run's, which are left alone: name a new folder")
    for name in names:
        guard_inside(path / name)


def guard_inside(path: Path) -> None:
    """Guard: a folder of a run is no link that leads out of it."""
    if path.is_symlink() and path.is_dir() and path.parent.resolve() not in path.resolve().parents:
        raise UsageError(f"{path} is a link that leads out of the run: a run writes into its own folder alone")


def _locked(path: Path) -> int:
    """The handle of a folder's lock. Where the file system has no locks, the folder is taken without."""
    while True:
        handle = os.open(path / LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            if fcntl is not None:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as found:
            if found.errno in TAKEN:
                told = _owner(handle)
                os.close(handle)
                raise EnvironmentFault(
                    f"{path} is being trained{told}: wait until it ends, or name another folder"
                ) from None
        if _is_at(handle, path / LOCK):
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


def _only_file(path: Path) -> bool:
    return [each.name for each in path.iterdir()] == [LOCK]
