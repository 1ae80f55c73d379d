"""The progress of a run: a live line on a terminal, a line for each epoch elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from netspec.text.streams import bare

SHOWN_EVERY = 0.1
LARGE = 1e6
ROOM = 80


class Progress(Protocol):
    """The interface by which a run reports its progress."""

    def resumed(self, done: int) -> None:
        """Report that the run is resumed after ``done`` steps."""

    def step(self, done: int, loss: float) -> None:
        """Report a step and its loss."""

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Report an epoch and its scores."""

    def close(self) -> None:
        """Clear what is only shown during the run."""


class Plain:
    """Prints a line for each epoch, under a heading."""

    def __init__(self, steps: int):
        self.widths: dict[str, int] = {}

    def resumed(self, done: int) -> None:
        print(f"going on after step {done:,}\n", flush=True)

    def step(self, done: int, loss: float) -> None:
        pass

    def epoch(self, record: Mapping[str, Any]) -> None:
        cells = epoch_cells(record)
        if not self.widths:
            columns = headings([*cells])
            self.widths = {name: max(_least(name), *map(len, words)) for name, words in columns.items()}
            for row in zip(*columns.values()):
                print(self.line(dict(zip(cells, row))).rstrip())
        print(self.line(cells), flush=True)

    def line(self, cells: Mapping[str, str]) -> str:
        """Return cells by their columns as a line."""
        return "  ".join(f"{cells.get(name, ''):>{width}}" for name, width in self.widths.items())

    def close(self) -> None:
        pass


class Silent:
    """Shows nothing."""

    def __init__(self, steps: int): ...

    def resumed(self, done: int) -> None: ...

    def step(self, done: int, loss: float) -> None: ...

    def epoch(self, record: Mapping[str, Any]) -> None: ...

    def close(self) -> None: ...


class Live(Plain):
    """Prints the same lines, and below them a bar with loss, rate and the time that is left."""

    def __init__(self, steps: int):
        super().__init__(steps)
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.bar = Bar(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}"),
            TextColumn("{task.fields[rate]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=Console(file=bare(sys.stdout)),
            transient=True,
            auto_refresh=False,
        )
        self.task = self.bar.add_task("", total=steps, loss="–", rate="")
        self.bar.start()
        self.shown = self.began = time.perf_counter()
        self.first: int | None = None

    def step(self, done: int, loss: float) -> None:
        now = time.perf_counter()
        if self.first is None:
            self.first, self.began = done, now
        if now - self.shown >= SHOWN_EVERY:
            self.shown = now
            rate = (done - self.first) / max(now - self.began, 1e-9)
            self.bar.update(self.task, completed=done, loss=f"{loss:.4g}", rate=f"{rate:,.0f} steps/s")
            self.bar.refresh()

    def close(self) -> None:
        self.bar.stop()


def shown(steps: int) -> Progress:
    """Return the progress report that suits the standard output."""
    return Live(steps) if sys.stdout.isatty() else Plain(steps)


def epoch_cells(record: Mapping[str, Any]) -> dict[str, str]:
    """Return an epoch's record as the cells of a line."""
    cells = {"epoch": str(record["epoch"])}
    for part in ("train", "validation"):
        cells |= {f"{part} {name}": score(value) for name, value in record.get(part, {}).items()}
    return cells | {"lr": f"{record['lr']:.3g}", "time": f"{record['seconds']:.1f} s"}


def score(value: float) -> str:
    """Return a loss or a metric as text, with four decimals, or with its power of ten above a million."""
    return f"{value:.4f}" if abs(value) < LARGE else f"{value:.3e}"


def headings(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return the words above each column, from top to bottom: in two rows where one would be wider than a terminal."""
    if len("  ".join(name.rjust(_least(name)) for name in names)) <= ROOM:
        return {name: (name,) for name in names}
    cut = {name: name.partition(" ") for name in names}
    return {name: (part, rest) if rest else ("", part) for name, (part, _, rest) in cut.items()}


def _least(name: str) -> int:
    """The least width of a column: that of its numbers."""
    return 5 if name == "epoch" else 8
