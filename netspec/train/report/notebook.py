"""The progress of a run in a notebook: one table of its epochs, which is updated in place."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from netspec.text.quoting import html
from netspec.train.report.progress import epoch_cells

UPDATED_EVERY = 0.5
MOST_EPOCHS = 50
"""Epochs that are shown, the last ones."""


class NotebookTable:
    """A table of epochs, and below it a bar with the loss and the steps a second, while the run goes on."""

    def __init__(self, steps: int):
        from IPython.display import HTML, display

        self.steps, self.done, self.loss = steps, 0, ""
        self.records: list[Mapping[str, Any]] = []
        self._html = HTML
        self._handle = display(HTML(self.table()), display_id=True)
        self._shown = self._began = time.perf_counter()
        self._first: int | None = None

    def resumed(self, done: int) -> None:
        self.done = done
        self._update(force=True)

    def step(self, done: int, loss: float) -> None:
        if self._first is None:
            self._first, self._began = done, time.perf_counter()
        self.done, self.loss = done, f"loss {loss:.4g}"
        self._update()

    def epoch(self, record: Mapping[str, Any]) -> None:
        self.records.append(record)
        self._update(force=True)

    def close(self) -> None:
        self.loss = ""
        self._update(force=True, bar=False)

    def _update(self, force: bool = False, bar: bool = True) -> None:
        now = time.perf_counter()
        if force or now - self._shown >= UPDATED_EVERY:
            self._shown = now
            self._handle.update(self._html(self.table() + (self.bar(now) if bar else "")))

    def table(self) -> str:
        """Return the epochs as HTML."""
        if not self.records:
            return ""
        heads = [*epoch_cells(self.records[0])]
        rows = [[*epoch_cells(record).values()] for record in self.records[-MOST_EPOCHS:]]
        lines = [_row("th", heads), *(_row("td", cells) for cells in rows)]
        hidden = len(self.records) - len(rows)
        before = f"<p>{hidden:,} epochs before these</p>" if hidden else ""
        return f"{before}<table>{''.join(lines)}</table>"

    def bar(self, now: float) -> str:
        """Return the bar as HTML."""
        rate = (self.done - (self._first or self.done)) / max(now - self._began, 1e-9)
        words = [f"step {self.done:,} of {self.steps:,}", self.loss, f"{rate:,.0f} steps/s" if rate else ""]
        return f'<progress value="{self.done}" max="{self.steps}"></progress> {" · ".join(filter(None, words))}'


def _row(tag: str, cells: list[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html(cell)}</{tag}>' for cell in cells)}</tr>"


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")
