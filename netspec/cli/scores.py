"""Scores in a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from netspec.text.quoting import visible
from netspec.train.report.judged.judgement import Judgement
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


WIDEST = 100
"""Columns that a matrix of confusions may take; a wider one is told by its largest numbers."""

MOST_TOLD = 10
MOST_CLASSES = 40


def class_tables(judgement: Judgement) -> str:
    """Return the confusions of classes and the scores of each class as two tables."""
    error = judgement.calibration_error()
    lines = [_confusions(judgement), "", _by_class(judgement)]
    return "\n".join(lines) + (f"\n\ncalibration error {error:.4f}" if error is not None else "")


def class_record(judgement: Judgement) -> dict[str, Any]:
    """Return the same for programs: of ``confusion`` a row for each right class, and a column for each answer."""
    fields = ("precision", "recall", "f1", "support")
    return {
        "part": judgement.part,
        "names": [*judgement.classes],
        "confusion": [*map(list, judgement.confusion)],
        "scores": {name: dict(zip(fields, values)) for name, *values in judgement.scores()},
        "calibration_error": judgement.calibration_error(),
    }


def _confusions(judgement: Judgement) -> str:
    names = [visible(name) for name in judgement.classes]
    table = [["", *names], *([name, *map(str, row)] for name, row in zip(names, judgement.confusion))]
    width = sum(max(map(len, column)) + 2 for column in zip(*table)) if len(table) <= WIDEST else WIDEST + 1
    if width <= WIDEST:
        return f"{judgement.part}: right classes down, answers across\n{aligned(table)}"
    found = judgement.confusions()
    rows = [[f"{visible(each.wanted)} → {visible(each.said)}", str(each.rows), f"{each.share:.1%}"] for each in found]
    told = [["taken for", "rows", "of class"], *rows[:MOST_TOLD]]
    return f"{judgement.part}: the largest of {len(found)} confusions\n{aligned(told)}"


def _by_class(judgement: Judgement) -> str:
    found = judgement.scores()
    rows = [
        [visible(each.name), *("" if value is None else score(value) for value in each[1:4]), str(each.support)]
        for each in found
    ]
    if len(rows) > MOST_CLASSES:
        worst = sorted(range(len(rows)), key=lambda at: found[at].f1 or float(found[at].f1 is None))
        rows = [rows[at] for at in worst[:MOST_TOLD]]
    kind = f"the worst {MOST_TOLD} of {len(found)} classes" if len(rows) < len(found) else ""
    return aligned([[kind, "precision", "recall", "f1", "support"], *rows])


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
