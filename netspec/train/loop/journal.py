"""The losses and scores of a run on their way into ``metrics.jsonl``."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from netspec.train.errors import too_large
from netspec.train.report.loggers import Loggers, values_of
from netspec.train.store.folder import RunFolder
from netspec.train.world import World

FLUSH_EVERY = 1.0
"""Seconds between two writes of the steps' losses."""


class Journal:
    """Appends a line for each step and each epoch, and keeps a digest of all that the run has written.

    Every process of ``world`` has a journal; that of the first alone writes, and reports to ``loggers``, by their
    names. Raises ``EnvironmentFault`` if one of these cannot be opened.
    """

    def __init__(self, folder: RunFolder, world: World, loggers: Sequence[str], warn: Callable[[str], None]):
        self.folder, self.world = folder, world
        self.loggers = Loggers(loggers if world.is_first else (), folder, warn)
        self._pending: list[str | tuple[int, float]] = []  # lines, and steps that are written as lines later, at once
        self._sha256 = hashlib.sha256()
        self._flushed = time.perf_counter()

    def add_step(self, step: int, loss: float) -> None:
        """Record the loss of a step. Raises ``EnvironmentFault`` if the file cannot be written."""
        self._pending.append((step, loss))
        if time.perf_counter() - self._flushed >= FLUSH_EVERY:
            self.flush()

    def add_epoch(self, record: Mapping[str, Any]) -> None:
        """Record an epoch: ``{"epoch", "step", "train", "validation", "lr", "seconds"}``."""
        self._pending.append(json.dumps(record) + "\n")
        self.loggers.add(record["step"], values_of(record))

    def flush(self) -> None:
        """Write the lines that are pending. Raises ``EnvironmentFault`` if the file cannot be written."""
        if self.world.is_first:
            lines = "".join(each if isinstance(each, str) else line_of(*each) for each in self._pending).encode()
            with too_large(self.folder.metrics):
                self.folder.append_metrics(lines)
            self._sha256.update(lines)
        self._pending, self._flushed = [], time.perf_counter()

    def digest(self) -> str:
        """Return the SHA-256 of all lines that have been written."""
        return self._sha256.hexdigest()

    def resume(self, step: int, digest: str | None) -> str | None:
        """Cut the file back to ``step``; return a warning if its lines are not those that the run has written.

        ``digest`` is the one of the checkpoint, absent in those of older versions. Only the first process calls this.
        """
        path = self.folder.metrics
        damaged = self.folder.cut_metrics(step)
        self._sha256.update(path.read_bytes() if path.is_file() else b"")
        if damaged:
            return f"{path} is damaged: {damaged} of its lines are left out"
        if digest is not None and digest != self.digest():
            return f"{path} is damaged: it has other numbers than when the run wrote it"
        return None


def line_of(step: int, loss: float) -> str:
    """Return the line of a step, with all digits of its loss."""
    return f'{{"step": {step}, "loss": {loss!r}}}\n'
