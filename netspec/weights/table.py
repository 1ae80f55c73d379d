"""The match of weights with a network as a table: a line for what goes alike, level by level."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from netspec.text.quoting import visible
from netspec.weights.keys import SpecTensor
from netspec.weights.report import WeightsReport

GAP = "  "
OWN = "the spec's"
"""The outcome for a buffer that no source needs to hold."""


class WeightsRow(NamedTuple):
    """A line: the key of the spec, its shape, what becomes of it, and the key of the source."""

    key: str
    shape: str
    outcome: str
    origin: str


def weights_table(report: WeightsReport, full: bool = False) -> str:
    """Return the table; with ``full``, every tensor has a line of its own."""
    rows = [_row(report, tensor) for tensor in report.found.tensors.values()]
    rows = rows if full else [*_folded([row for row in rows if row.outcome != OWN])]
    rows = [WeightsRow("key", "shape", "", f"in {report.told}"), *rows]
    rows += _left_over(report.found.unused, full)
    widths = [max(len(row[at]) for row in rows) for at in range(3)]
    lines = (GAP.join([*(text.ljust(width) for text, width in zip(row, widths)), row.origin]) for row in rows)
    return "\n".join(visible(line.rstrip()) for line in lines)


def _row(report: WeightsReport, tensor: SpecTensor) -> WeightsRow:
    found, key = report.found, tensor.key
    shape = _shape(tensor.shape)
    if key in found.taken:
        return WeightsRow(key, shape, "taken", found.taken[key])
    if key in found.tied:
        return WeightsRow(key, shape, "tied to", found.tied[key])
    if key in found.skipped:
        held = found.skipped[key]
        return WeightsRow(key, shape, "skipped", "" if held in (None, tensor.shape) else _shape(held or ()))
    if key in found.reshaped:
        return WeightsRow(key, shape, "differs", _shape(found.reshaped[key]))
    return WeightsRow(key, shape, "missing" if tensor.needed else OWN, "")


def _shape(shape: Sequence[object]) -> str:
    return "×".join(map(str, shape)) or "()"


def _folded(rows: Sequence[WeightsRow]) -> Iterator[WeightsRow]:
    """The rows, with one in place of those of one level that follow each other and have the same said of them."""
    for (level, outcome, before), alike in groupby(rows, _likeness):
        found = [*alike]
        if len(found) == 1 or before is None:
            yield from found
        else:
            origin = f"{before}{level}.*" if outcome == "taken" else ""
            yield WeightsRow(f"{level}.*", f"{len(found)} tensors", outcome, origin)


def _likeness(row: WeightsRow) -> tuple[str, str, str | None]:
    """The level of a row, what becomes of it, and what its key has in front in the source; ``None`` for another key."""
    level = row.key.partition(".")[0]
    if not row.origin:
        return level, row.outcome, ""
    own = row.outcome == "taken" and row.origin.endswith(row.key)
    return level, row.outcome, row.origin.removesuffix(row.key) if own else None


def _left_over(keys: Sequence[str], full: bool) -> Iterator[WeightsRow]:
    """A row for each level of the source of which tensors are left over."""
    levels = [(key, [key]) for key in keys] if full else _by_level(keys)
    for level, inside in levels:
        size, name = ("", inside[0]) if len(inside) == 1 else (f"{len(inside)} tensors", f"{level}.*")
        yield WeightsRow("", size, "left over", name)


def _by_level(keys: Sequence[str]) -> list[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(key.partition(".")[0], []).append(key)
    return [*found.items()]
