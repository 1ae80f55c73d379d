"""Drawing a shape table for notebooks: HTML with its styles in place, which takes its colours from the page around."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from netspec.analysis.costs import Costs
from netspec.analysis.memory import Memory
from netspec.emit.table.columns import marks
from netspec.emit.table.footer import footer
from netspec.graph import Graph
from netspec.reference.sources.columns import meaning_of
from netspec.text.quantities import number, short_seconds
from netspec.text.quoting import html
from netspec.view.lines import TableLine, table_lines
from netspec.view.terminal import DITTO

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime

COLUMNS = (("layer", "left"), ("op", "left"), ("output", "left"), ("params", "right"), ("MACs", "right"))
TIME_COLUMNS = (("forward", "right"), ("step", "right"))
RULE = "1px solid rgba(128,128,128,.35)"
CELL = "padding:2px 14px 2px 0;border:0;background:none;white-space:nowrap;text-align:"
TABLE = "border-collapse:collapse;border:0;margin:.6em 0;color:inherit;font-size:90%;font-variant-numeric:tabular-nums"
FAINT = "opacity:.65"
WIDEST = 10_000


def table_html(graph: Graph, costs: Costs, memory: Memory, times: StepTime | None = None) -> str:
    """The table as HTML: a line each for layers, repeats folded as in the text, and the totals below."""
    lines = table_lines(graph, costs)
    columns = COLUMNS if times is None else COLUMNS + TIME_COLUMNS
    doc = graph.doc.strip().split("\n")[0]
    heading = f'<b style="font-size:115%">{html(graph.name)}</b> <span style="{FAINT}">{html(doc)}</span>'
    head = "".join(
        f'<th title="{html(meaning_of(title))}" style="{CELL}{side};font-weight:500;{FAINT}">{title}</th>'
        for title, side in columns
    )
    told = footer(graph, costs, memory, lines, WIDEST, times)
    below = "<br>".join(html("".join(text for text, _ in cell)) for cell in told)
    return (
        f'<div style="overflow-x:auto;line-height:1.4">{heading}'
        f'<table style="{TABLE}">'
        f'<thead><tr style="border-bottom:{RULE};background:none">{head}</tr></thead>'
        f'<tbody style="border-bottom:{RULE}">{"".join(_rows(lines, times))}</tbody></table>'
        f'<div style="font:85%/1.5 monospace;white-space:pre;{FAINT}">{below}</div></div>'
    )


def _rows(lines: list[TableLine], times: StepTime | None) -> Iterator[str]:
    above = ""
    for line in lines:
        same = line.shape == above and not line.more
        above = line.shape
        shape = _faint(DITTO) if same else html(line.shape + (f" +{line.more}" if line.more else ""))
        cells: tuple[str, ...] = (_name(line), _op(line), shape, number(line.params), number(line.macs))
        cells += () if times is None else tuple(map(short_seconds, times.of(line.paths)))
        styles = [f"{CELL}{side}" for _, side in COLUMNS + TIME_COLUMNS]
        styles[0] += f";padding-left:{1.2 * max(0, len(line.guides)):g}em"
        inner = "".join(f'<td style="{style}">{cell}</td>' for style, cell in zip(styles, cells))
        yield f'<tr style="background:none">{inner}</tr>'


def _name(line: TableLine) -> str:
    name = f"<b>{html(line.name)}</b>" if line.kind == "level" else html(line.name)
    times = f" ×{line.count}" if line.count > 1 else ""
    return f"<code style='background:none;color:inherit'>{name}</code>{times}{marks(line)}"


def _op(line: TableLine) -> str:
    then = "".join(f" · {op}" for op in line.then)
    text = " ".join(part for part in (line.what, line.detail) if part)
    return html(text) + _faint(f" {line.sources}{then}{' …' if line.closed else ''}".rstrip())


def _faint(text: str) -> str:
    return f'<span style="{FAINT}">{html(text)}</span>' if text else ""
