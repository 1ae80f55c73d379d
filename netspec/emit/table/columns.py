"""The columns of a shape table, and how they share the width."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from netspec.analysis.costs import Costs
from netspec.analysis.memory import Memory
from netspec.analysis.receptive_field import field_text, receptive_fields
from netspec.dataclass import dataclass
from netspec.dims import evaluate
from netspec.graph import Graph
from netspec.text.quantities import EXACT_BELOW, number, short_bytes, short_seconds
from netspec.view.lines import TableLine
from netspec.view.terminal import (
    DAGGER,
    DITTO,
    DOUBLE_DAGGER,
    GAP,
    Cell,
    Span,
    cell_width,
    clip,
    padded,
    shorten,
    shorten_shape,
)

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime


HEAD_LINES = 2
"""The lines above those of the layers: the titles, and a rule."""


@dataclass(frozen=True, slots=True)
class Extra:
    """A further column, where the terminal is wide enough for it."""

    title: str
    width: int
    text: Callable[[TableLine], str]
    left: bool = False

    def placed(self, text: str) -> str:
        text = shorten_shape(text, self.width)
        return text.ljust(self.width) if self.left else text.rjust(self.width)


def time_columns(times: StepTime, lines: Sequence[TableLine]) -> tuple[Extra, ...]:
    """The columns of the times of a forward pass and of a training step."""
    texts = {id(line): [*map(short_seconds, times.of(line.paths))] for line in lines}

    def column(title: str, number: int) -> Extra:
        width = max([len(title), *(len(pair[number]) for pair in texts.values())])
        return Extra(title, width, lambda line: texts[id(line)][number])

    return column("forward", 0), column("step", 1)


def fit_with_times(lines: Sequence[TableLine], width: int, times: StepTime) -> ColumnWidths:
    """The widest layout that has the times too; that without them where there is no room for them."""
    timed = time_columns(times, lines)
    room = sum(GAP + column.width for column in timed)
    layout = fit_columns(lines, width - room)
    return replace(layout, extras=timed) if layout.width + room <= width else fit_columns(lines, width)


def extra_columns(graph: Graph, costs: Costs, memory: Memory, lines: Sequence[TableLine]) -> list[Extra]:
    """The further columns, in the order in which room is given to them."""
    macs = costs.of(graph.body).macs
    bytes_kept = [sum(kept_bytes(graph, memory, path) for path in line.paths) for line in lines]
    texts = {id(line): short_bytes(count) if count else "" for line, count in zip(lines, bytes_kept)}
    kept = max([len("kept"), *map(len, texts.values())])

    def share(line: TableLine) -> str:
        part = 100 * line.macs / macs if macs else 0
        return "" if not part else f"{part:.0f}%" if part >= 9.95 else f"{part:.1f}%"

    reads = max([len("input"), *(len(line.takes) for line in lines)])
    rows = max([len("line"), *(len(str(line.row)) for line in lines)])
    fields = {path: field_text(found) for path, found in receptive_fields(graph).items()}
    field = max([0, *(max(len("field"), len(fields[line.last])) for line in lines if line.last in fields)])
    return [
        Extra("share", 5, share),
        *([Extra("field", field, lambda line: fields.get(line.last, ""))] if field else []),
        Extra("kept", kept, lambda line: texts[id(line)]),
        Extra("line", rows, lambda line: str(line.row or "")),
        Extra("input", min(reads, 32), lambda line: line.takes, left=True),
    ]


def kept_bytes(graph: Graph, memory: Memory, path: str) -> int:
    """Return the bytes that the step at a path keeps for the backward pass."""
    try:
        return evaluate(memory.kept(path), graph.sizes)
    except KeyError:  # nothing at all
        return 0


@dataclass(frozen=True, slots=True)
class ColumnWidths:
    """The width of each column. ``flow`` holds the output shape from its left and the parameters from its right."""

    name: int
    op: int
    flow: int
    macs: int
    short_params: bool
    short_macs: bool
    extras: tuple[Extra, ...] = ()

    @property
    def width(self) -> int:
        extras = sum(GAP + extra.width for extra in self.extras)
        return self.name + self.op + self.flow + self.macs + 3 * GAP + extras

    def draw(self, lines: Iterable[TableLine]) -> Iterable[Cell]:
        """The header, the lines and the rules around them."""
        head = self.row([("layer", "")], [("op", "")], ("output", ""), "params", "MACs")
        head += [(" " * GAP + extra.placed(extra.title), "") for extra in self.extras]
        yield [(text, "dim") for text, _ in head]
        yield [("─" * self.width, "dim")]
        above = ""
        for line in lines:
            yield self.line(line, above)
            above = line.shape
        yield [("─" * self.width, "dim")]

    def line(self, line: TableLine, above: str) -> Cell:
        params = number(line.params, self.short_params)
        shape = (DITTO, "dim") if line.shape == above and not line.more else (line.shape, "")
        row = self.row(
            name_cell(line, self.name), op_cell(line), shape, params, number(line.macs, self.short_macs), line.more
        )
        if line.kind != "op":
            row = [*row[:-4], *((text, style or "dim") for text, style in row[-4:])]
        return row + [(" " * GAP + extra.placed(extra.text(line)), "dim") for extra in self.extras]

    def row(self, name: Cell, op: Cell, shape: Span, params: str, macs: str, more: int = 0) -> Cell:
        extra = f" +{more}" if more else ""
        room = self.flow - len(params) - (GAP if params else 0) - len(extra)
        text = shorten_shape(shape[0], room) + extra
        numbers = " " * (self.flow - len(text) - len(params)) + params
        return [
            *padded(shorten(name, self.name), self.name + GAP),
            *padded(shorten(op, self.op), self.op + GAP),
            (text, shape[1]),
            (numbers, ""),
            (" " * (GAP + self.macs - len(macs)), ""),
            (macs, ""),
        ]


def fit_columns(lines: Sequence[TableLine], width: int) -> ColumnWidths:
    """The widest layout that is no wider than ``width``: first the ops give way, then the shapes, then the names."""
    name = max([len("layer"), *(cell_width(name_cell(line)) for line in lines)])
    op = max([len("op"), *(cell_width(op_cell(line)) for line in lines)])
    short_macs = any(line.macs >= EXACT_BELOW for line in lines)
    macs = max([len("MACs"), *(len(number(line.macs, short_macs)) for line in lines)])
    exact, short = (
        max([len("output  params"), *(flow_width(line, short) for line in lines)]) for short in (False, True)
    )
    telling = min(30, max([20, *(cell_width(op_cell(line, say_all=False)) for line in lines if line.sources)]))
    short_params = name + op + exact + macs + 3 * GAP - width > max(0, op - telling)
    flow = short if short_params else exact
    columns = {"name": name, "op": op, "flow": flow}
    for column, least in (
        ("op", telling),
        ("op", 20),
        ("flow", 26),
        ("name", 18),
        ("op", 16),
        ("flow", 18),
        ("name", 10),
        ("op", 6),
    ):
        over = sum(columns.values()) + macs + 3 * GAP - width
        columns[column] -= max(0, min(over, columns[column] - least))
    return ColumnWidths(columns["name"], columns["op"], columns["flow"], macs, short_params, short_macs)


def flow_width(line: TableLine, short: bool) -> int:
    params = number(line.params, short)
    return len(line.shape) + (len(f" +{line.more}") if line.more else 0) + (GAP + len(params) if params else 0)


def name_cell(line: TableLine, width: int = 1_000_000) -> Cell:
    """``│ ├ conv1 ×3 †``; the name alone gives way where there is no room."""
    tail = (f" ×{line.count}" if line.count > 1 else "") + marks(line)
    guides = "".join("│ " if more else "  " for more in line.guides[:-1])
    guides += "".join("├ " if more else "└ " for more in line.guides[-1:])
    room = max(1, width - len(guides) - len(tail))
    return [(guides, "dim"), (clip(line.name, room), "bold" if line.kind == "level" else ""), (tail, "")]


def marks(line: TableLine) -> str:
    """`` †`` for what runs in training only, `` ‡`` for what is frozen."""
    return (f" {DAGGER}" if line.training else "") + (f" {DOUBLE_DAGGER}" if line.frozen else "")


def op_cell(line: TableLine, say_all: bool = True) -> Cell:
    """``conv2d 3×3, 64 ← input · relu``; what is folded into the line only where all is to be said."""
    cell = [(line.what, line.family if line.kind == "op" else "dim")]
    if line.detail:
        cell.append((f" {line.detail}", "dim" if line.kind == "input" else ""))
    if line.sources:
        cell.append((f"{' ' if line.what else ''}{line.sources}", "dim"))
    if line.closed:
        cell.append((" …", "dim"))
    if say_all:
        cell.extend((f" · {op}", "dim") for op in line.then)
    return cell
