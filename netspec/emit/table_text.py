"""Drawing a shape table as text: columns that share the width, and a footer with the exact totals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap

from netspec.dims import evaluate, times_shape
from netspec.emit.costs import Costs, cost_formula
from netspec.emit.fields import field_text, receptive_fields
from netspec.emit.memory import Memory
from netspec.emit.table_lines import FOLDED, Line, View, table_lines
from netspec.graph import Graph, Node, walk

NARROWEST = 48
PLAIN = 80  # columns; in no more, the table keeps to what matters most
EXACT_BELOW = 1_000_000
GAP = 2
DITTO = "″"
DAGGER = "†"
FLOW = "in → out"

Span = tuple[str, str]  # a text and its style
Cell = list[Span]

STYLES = {
    "": "",
    "dim": "2",
    "bold": "1",
    "convolution": "34",
    "linear": "35",
    "norm": "36",
    "activation": "33",
    "dropout": "33",
    "pooling": "32",
    "sequence": "94",
    "shape": "",
    "arithmetic": "",
    "added": "32",
    "removed": "31",
    "changed": "33",
}


def table_text(graph: Graph, costs: Costs, width: int, colour: bool, view: View = FOLDED, ascii: bool = False) -> str:
    """The table in at most ``width`` columns (never below 48)."""
    width = max(width, NARROWEST)
    lines = table_lines(graph, costs, view)
    if ascii:
        lines = [in_ascii(line) for line in lines]
    memory = Memory(graph)
    layout = fit_columns(lines, width)
    extras = extra_columns(graph, costs, memory, lines) if width > PLAIN else ()
    for extra in extras:
        if layout.width + GAP + extra.width <= width:
            layout = replace(layout, extras=(*layout.extras, extra))
    out = [*title(graph, width), [], *layout.draw(lines), *footer(graph, costs, memory, lines, width)]
    text = "\n".join(paint(trimmed(cell), colour) for cell in out)
    return text.translate(PLAIN_SIGNS) if ascii else text


WORDS = {"⌈": "ceil(", "⌉": ")", "⌊": "floor(", "⌋": ")", "←": "<-", "→": "->", "↔": "<->"}
PLAIN_WORDS = {ord(sign): word for sign, word in WORDS.items()} | {
    ord(digit): f"^{number}" for number, digit in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")
}
PLAIN_SIGNS = PLAIN_WORDS | {
    ord(sign): plain
    for sign, plain in zip("×″·─│├└…†−–≥", ["x", '"', "*", "-", "|", "|", "`", "~", "+", "-", "-", ">"])
}


def in_ascii(line: Line) -> Line:
    """The line with words for the signs that ASCII has no single character for, before it is fitted."""
    texts = {name: getattr(line, name).translate(PLAIN_WORDS) for name in ("detail", "sources", "shape", "takes")}
    return replace(line, **texts, then=tuple(text.translate(PLAIN_WORDS) for text in line.then))


def title(graph: Graph, width: int) -> list[Cell]:
    """The network's name and the first line of what it says about itself, below where both do not fit in one."""
    doc = graph.doc.strip().split("\n")[0]
    if len(graph.name) + GAP + len(doc) <= width:
        return [[(graph.name, "bold"), (" " * GAP + doc, "dim")]]
    return [
        [(clip(graph.name, width), "bold")],
        *([(line, "dim")] for line in wrap(doc, width, max_lines=2, placeholder=" …")),
    ]


@dataclass(frozen=True, slots=True)
class Extra:
    """A further column, where the terminal is wide enough for it."""

    title: str
    width: int
    text: Callable[[Line], str]
    left: bool = False

    def placed(self, text: str) -> str:
        text = shorten_shape(text, self.width)
        return text.ljust(self.width) if self.left else text.rjust(self.width)


def extra_columns(graph: Graph, costs: Costs, memory: Memory, lines: Sequence[Line]) -> list[Extra]:
    """The further columns, in the order in which room is given to them."""
    macs = costs.of(graph.body).macs
    bytes_kept = [sum(kept_bytes(graph, memory, path) for path in line.paths) for line in lines]
    texts = {id(line): short_bytes(count) if count else "" for line, count in zip(lines, bytes_kept)}
    kept = max([len("kept"), *map(len, texts.values())])

    def share(line: Line) -> str:
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


@dataclass(frozen=True, slots=True)
class Layout:
    """How wide each column is. ``flow`` holds the output shape from its left and the parameters from its right."""

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

    def draw(self, lines: Iterable[Line]) -> Iterable[Cell]:
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

    def line(self, line: Line, above: str) -> Cell:
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


def fit_columns(lines: Sequence[Line], width: int) -> Layout:
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
    return Layout(columns["name"], columns["op"], columns["flow"], macs, short_params, short_macs)


def flow_width(line: Line, short: bool) -> int:
    params = number(line.params, short)
    return len(line.shape) + (len(f" +{line.more}") if line.more else 0) + (GAP + len(params) if params else 0)


def name_cell(line: Line, width: int = 1_000_000) -> Cell:
    """``│ ├ conv1 ×3 †``; the name alone gives way where there is no room."""
    tail = (f" ×{line.count}" if line.count > 1 else "") + (f" {DAGGER}" if line.training else "")
    guides = "".join("│ " if more else "  " for more in line.guides[:-1])
    guides += "".join("├ " if more else "└ " for more in line.guides[-1:])
    room = max(1, width - len(guides) - len(tail))
    return [(guides, "dim"), (clip(line.name, room), "bold" if line.kind == "level" else ""), (tail, "")]


def op_cell(line: Line, say_all: bool = True) -> Cell:
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


def footer(graph: Graph, costs: Costs, memory: Memory, lines: Sequence[Line], width: int) -> list[Cell]:
    """The exact totals, what flows in and out, and what the signs in the table mean."""
    params, macs = costs.of(graph.body)
    aside = sum(costs.of(step).params for _, step, only in walk(graph.body) if only and isinstance(step, Node))
    sizes = ", ".join(f"{symbol}={size}" for symbol, size in graph.sizes.items())
    outputs = [
        f"{name} {times_shape(output.value.shape)}" + (f" {DAGGER}" if output.training else "")
        for name, output in graph.outputs.items()
    ]
    inputs = [f"{name} {times_shape(value.shape)}" for name, value in graph.inputs.items()]
    told, fixed = cost_formula(graph.body.macs, graph)
    given = ", ".join(f"{symbol}={size}" for symbol, size in fixed.items())
    ties = [f"tied: {key} = {target}" for key, target in tied_parameters(graph)]
    entries = [
        ("parameters", [f"{params:,}", bytes_text(4 * params), *([f"{aside:,} in training only"] if aside else [])]),
        ("", ties[:MOST_TIES] + ([f"and {len(ties) - MOST_TIES} more"] if len(ties) > MOST_TIES else [])),
        *memory_entries(graph, memory),
        ("MACs", [f"{macs:,}", f"{2 * macs:,} FLOPs (2 a MAC)", *([f"at {sizes}"] if sizes else [])]),
        ("", [f"= {told}" + (f" at {given}" if given else "")] if told else []),
        (FLOW, [*joined(inputs, ","), *joined(["→ " + outputs[0], *outputs[1:]] if outputs else [], ",")]),
    ]
    out = [cell for label, parts in entries for cell in wrapped(label, parts, "" if label == FLOW else " ·", width)]
    notes = []
    if any(line.count > 1 for line in lines):
        notes.append("×N  N alike in a row, each fed by the one before; the numbers are of one")
    if any(line.closed for line in lines):
        notes.append("…   built like the one opened above it, in other sizes")
    if any(line.training for line in lines):
        notes.append(f"{DAGGER}   in training only, left out of the MACs")
    return out + [[(clip(note, width), "dim")] for note in notes]


def kept_bytes(graph: Graph, memory: Memory, path: str) -> int:
    """What the step at a path keeps for the backward pass."""
    try:
        return evaluate(memory.kept(path), graph.sizes)
    except KeyError:  # nothing at all
        return 0


def memory_entries(graph: Graph, memory: Memory) -> list[tuple[str, list[str]]]:
    """The peaks of memory, in inference and in a training step."""
    training = memory.training_peak("adam", "float32")
    infers, trains = (evaluate(peak, graph.sizes) for peak in (memory.inference_peak, training))
    told, fixed = cost_formula(training, graph)
    given = ", ".join(f"{symbol}={size}" for symbol, size in fixed.items())
    formula = f"= {told} bytes" + (f" at {given}" if given else "")
    return [
        ("memory", [f"{short_bytes(infers)} in inference", f"{short_bytes(trains)} in training (adam, float32)"]),
        ("", [formula] if told else []),
    ]


def short_bytes(count: int) -> str:
    """``46.8 MB``; megabytes are 10⁶ bytes."""
    for limit, unit in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= limit:
            return f"{count / limit:.3g} {unit}" if count < 100 * limit else f"{count / limit:,.0f} {unit}"
    return f"{count} B"


MOST_TIES = 4


def tied_parameters(graph: Graph) -> Iterable[tuple[str, str]]:
    """The keys of parameters that are another's, with that one's."""
    for path, step, _ in walk(graph.body):
        if isinstance(step, Node):
            yield from ((f"{path}.{name}", target) for name, target in step.ties)


def joined(parts: Sequence[str], mark: str) -> list[str]:
    return [part + mark for part in parts[:-1]] + list(parts[-1:])


def wrapped(label: str, parts: Sequence[str], mark: str, width: int) -> Iterable[Cell]:
    """``label  part · part``, going on below the first part where the line is full."""
    margin = len("parameters") + GAP
    rows: list[str] = []
    for part in parts:
        if rows and margin + len(rows[-1]) + len(mark) + 1 + len(part) <= width:
            rows[-1] += f"{mark} {part}"
        else:
            rows.append(part)
    for position, row in enumerate(rows):
        yield [(("" if position else label).ljust(margin), "dim"), (clip(row, width - margin), "")]


def bytes_text(count: int) -> str:
    """The size of the weights: megabytes are 10⁶ bytes."""
    if count < 100_000:
        return f"{count:,} bytes as float32"
    if count >= 10**10:
        return f"{count / 1e9:,.1f} GB as float32 (GB = 10⁹ bytes)"
    return f"{count / 1e6:,.{1 if count >= 10_000_000 else 2}f} MB as float32 (MB = 10⁶ bytes)"


def number(value: int, short: bool = False) -> str:
    """``9,408``, or in short ``9.4k``; nothing for zero."""
    if not value:
        return ""
    if not short or value < 1000:
        return f"{value:,}"
    scaled = [(value / 1000**power, unit) for power, unit in enumerate("kMGTPE", 1)]
    return next((f"{size:.1f}{unit}" for size, unit in scaled if round(size, 1) < 1000), f"{value:.1e}")


def clip(text: str, width: int) -> str:
    """At most ``width`` characters, with … for what is left out."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"[:width]


def shorten_shape(text: str, width: int) -> str:
    """A shape in at most ``width`` characters, cut between sizes where that keeps most of it."""
    if len(text) <= width:
        return text
    cut = text.rfind("×", 0, width) + 1
    return text[:cut] + "…" if cut > width // 2 else clip(text, width)


def shorten(cell: Cell, width: int) -> Cell:
    """The cell in at most ``width`` characters."""
    if cell_width(cell) <= width:
        return cell
    out: Cell = []
    for text, style in cell:
        if len(text) >= width:
            return [*out, (clip(text + "…", width), style)]
        out.append((text, style))
        width -= len(text)
    return out


def padded(cell: Cell, width: int) -> Cell:
    return [*cell, (" " * (width - cell_width(cell)), "")]


def cell_width(cell: Cell) -> int:
    return sum(len(text) for text, _ in cell)


def trimmed(cell: Cell) -> Cell:
    """The cell without blanks at its end."""
    while cell and not cell[-1][0].strip():
        cell = cell[:-1]
    return [*cell[:-1], (cell[-1][0].rstrip(), cell[-1][1])] if cell else []


def paint(cell: Cell, colour: bool) -> str:
    """The text of a line, with ANSI escapes where colour is wanted."""
    if not colour:
        return "".join(text for text, _ in cell)
    return "".join(
        f"\x1b[{STYLES[style]}m{text}\x1b[0m" if STYLES.get(style) and text.strip() else text for text, style in cell
    )
