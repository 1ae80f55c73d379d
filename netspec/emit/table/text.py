"""A shape table as text: its title, its columns, and a footer with the exact totals."""

from __future__ import annotations

from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING, NamedTuple

from netspec.analysis.costs import Costs
from netspec.analysis.memory import Memory
from netspec.emit.table.columns import HEAD_LINES, extra_columns, fit_columns, fit_with_times
from netspec.emit.table.footer import footer
from netspec.graph import Graph
from netspec.text.quoting import visible
from netspec.view.lines import FOLDED, TableLine, View, table_lines
from netspec.view.terminal import (
    GAP,
    NARROWEST,
    PLAIN_SIGNS,
    PLAIN_WORDS,
    Cell,
    clip,
    paint,
    trimmed,
)

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime

PLAIN = 80  # columns; in no more, the table keeps to what matters most


def table_text(
    graph: Graph,
    costs: Costs,
    memory: Memory,
    width: int,
    colour: bool,
    view: View = FOLDED,
    ascii: bool = False,
    times: StepTime | None = None,
) -> str:
    """The table in at most ``width`` columns (never below 48); with ``times``, two of them have these."""
    drawn = drawn_lines(graph, costs, memory, width, view, ascii, times)
    text = "\n".join(paint(each.cell, colour) for each in drawn)
    return text.translate(PLAIN_SIGNS) if ascii else text


class DrawnLine(NamedTuple):
    """A line of the table as its spans, and the line of the spec that it comes from; 0 where it comes from none."""

    cell: Cell
    row: int


def drawn_lines(
    graph: Graph,
    costs: Costs,
    memory: Memory,
    width: int,
    view: View = FOLDED,
    ascii: bool = False,
    times: StepTime | None = None,
) -> list[DrawnLine]:
    """The same, line by line."""
    width = max(width, NARROWEST)
    lines = table_lines(graph, costs, view)
    if ascii:
        lines = [in_ascii(line) for line in lines]
    layout = fit_columns(lines, width) if times is None else fit_with_times(lines, width, times)
    extras = extra_columns(graph, costs, memory, lines) if width > PLAIN else ()
    for extra in extras:
        if layout.width + GAP + extra.width <= width:
            layout = replace(layout, extras=(*layout.extras, extra))
    above, drawn = [*title(graph, width), []], [*layout.draw(lines)]
    start = len(above) + HEAD_LINES
    out = [*above, *drawn, *footer(graph, costs, memory, lines, width, times)]
    rows = {start + number: line.row for number, line in enumerate(lines)}
    return [DrawnLine(trimmed(cell), rows.get(number, 0)) for number, cell in enumerate(out)]


def in_ascii(line: TableLine) -> TableLine:
    """The line with words for the signs that ASCII has no single character for, before it is fitted."""
    texts = {name: getattr(line, name).translate(PLAIN_WORDS) for name in ("detail", "sources", "shape", "takes")}
    return replace(line, **texts, then=tuple(text.translate(PLAIN_WORDS) for text in line.then))


def title(graph: Graph, width: int) -> list[Cell]:
    """The network's name and the first line of what it says about itself, below where both do not fit in one."""
    doc = visible(graph.doc.strip().split("\n")[0])
    if len(graph.name) + GAP + len(doc) <= width:
        return [[(graph.name, "bold"), (" " * GAP + doc, "dim")]]
    return [
        [(clip(graph.name, width), "bold")],
        *([(line, "dim")] for line in wrap(doc, width, max_lines=2, placeholder=" …")),
    ]
