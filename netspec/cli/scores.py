"""Scores in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netspec.train.report.progress import score


def score_table(scores: Any, spread: Any, published: Any) -> str:
    """The parts of the data, a line each, with a paper's numbers where there are."""
    names = list(dict.fromkeys(name for part in scores.values() for name in part))
    rows = [["", *names]]
    for part, values in scores.items():
        cells = [part]
        for name in names:
            text = score(values[name]) if name in values else ""
            if part in spread:
                text += f" ± {score(spread[part][name])}"
            cells.append(text)
        rows.append(cells)
    if published:
        rows.append(["published", *(f"{published[name]:g}" if name in published else "" for name in names)])
    return aligned(rows)


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Lines of cells, the first one to the left."""
    lines = [*rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )
