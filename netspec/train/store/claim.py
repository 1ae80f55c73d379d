"""Claims of a run's folder: it holds no files but a run's, and one process writes at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from netspec.diagnostics import UsageError
from netspec.files import cannot_write
from netspec.locks import lock
from netspec.train.store.folder import RunFolder

LOCK = ".lock"
"""The file that the process which writes a run's folder has locked. It also tells that the folder is a run's, until
there is a ``run.json``.
"""


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
        handle = lock(folder.path / LOCK, "trained")
    except OSError as error:
        raise cannot_write(folder.path, error) from None
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


def _only_file(path: Path) -> bool:
    return [each.name for each in path.iterdir()] == [LOCK]
