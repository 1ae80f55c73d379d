"""The texts of a diagram's cards, headers and tooltips, whatever they look like."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import PureWindowsPath
from typing import NamedTuple

from netspec.analysis.costs import Cost, Costs, scan_text
from netspec.analysis.unsaid import unsaid_notes
from netspec.dataclass import dataclass
from netspec.dims import Shape, Size, pretty, times_shape
from netspec.graph import Call, Graph, Level, Node, Step, Value
from netspec.ops import Op
from netspec.ops.math.arithmetic import Infix
from netspec.text.quantities import short
from netspec.view.folding import FOLLOWERS, Box, Card, Item
from netspec.view.lines import single_text

SIGNS = {"*": "×", "-": "−", "/": "÷"}
TERMS = 5


class Row(NamedTuple):
    """A line of a card: a text, a note at its right end, and the family that its part of the bar shows."""

    text: str
    note: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True)
class CardText:
    """The text of a card: a title, a detail beside it, a note at the title's right end, rows below.

    ``family`` is the op's, or ``input``, ``level``, ``block`` and ``group``. ``sums`` says that a row adds up the
    sizes of what comes in, so that the edges need not. ``mark`` is ``added``, ``removed`` or ``changed`` where two
    networks are compared.
    """

    family: str
    title: str
    detail: str = ""
    rows: tuple[Row, ...] = ()
    count: int = 1
    training: bool = False
    sums: bool = False
    note: str = ""
    mark: str = ""


def card_text_of(item: Item, costs: Costs) -> CardText:
    """The card_text of a card, or of an open level's header."""
    if isinstance(item, Box):
        return _header(item, costs)
    return {"op": _op, "single": _single, "level": _level, "rest": _rest}[item.kind](item, costs)


def port_text(name: str, kind: str, value: Value, training: bool = False) -> CardText:
    """The card_text of an input or output of the network; ``kind`` is which."""
    dtype = value.tensor.dtype
    marks = ["optional"] * value.optional + ["training only"] * training
    parts = [kind if name != kind else "", dtype if dtype != "float32" else "", *marks]
    detail = " · ".join(part for part in parts if part)
    return CardText("input", name, detail, (Row(times_shape(value.shape)),), training=training)


def _op(card: Card, costs: Costs) -> CardText:
    """An op with what follows it: ``conv 3×3``, its cost, ``+ batch norm + relu``."""
    nodes = [step for step in card.steps if isinstance(step, Node)]
    head, *tail = nodes
    title, detail = spelled(head.op)
    detail = f"= {head.shares}" if head.shares else detail
    if head.op.family in FOLLOWERS and tail:
        title, detail, tail = " + ".join(_follower(node.op) for node in nodes), "", []
    return _named_text(CardText(head.op.family, title, detail), card, costs, tail, sum_text(head))


def _single(card: Card, costs: Costs) -> CardText:
    """A block that is one op and its parameters, under its own name: ``transposed linear 768``."""
    call = card.steps[0]
    assert isinstance(call, Call), "a single card is a block's"
    op = next(step.op for step in call.body.steps if isinstance(step, Node) and step.inputs)
    shared = f"= {call.shares}" if call.shares else ""
    card_text = CardText(
        op.family, call.body.title.replace("_", " ") or spelled(op)[0], shared or single_text(call.body)
    )
    return _named_text(card_text, card, costs, [step for step in card.steps if isinstance(step, Node)])


def _named_text(card_text: CardText, card: Card, costs: Costs, tail: Sequence[Node], sums: str = "") -> CardText:
    """A card_text with its cost, how sizes add up, what follows on the card, and the name that the author gave."""
    rows = [Row(text) for text in (cost_text(_of(card.steps, card, costs), card.count), sums) if text]
    if tail:
        rows.append(Row("+ " + " + ".join(_follower(node.op) for node in tail), family=tail[0].op.family))
    if rows:
        rows[0] = rows[0]._replace(note=card.name)
    note = "" if rows or card.count > 1 else card.name
    return replace(card_text, rows=tuple(rows), count=card.count, training=card.training, sums=bool(sums), note=note)


def _level(card: Card, costs: Costs) -> CardText:
    """A closed level: ``layer3``, ``6 × bottleneck``, its cost."""
    calls = [step for step in card.steps if isinstance(step, Call)]
    shared = f"= {calls[0].shares}" if calls[0].shares else ""
    what = shared or contents(calls[0].body) if len(calls) == 1 else f"{len(calls)} × {contents(calls[0].body)}"
    cost = cost_text(_of(calls, card, costs), card.count)
    title, detail = _named(card.name, what)
    return CardText("level", title, detail, (Row(cost),) if cost else (), card.count, card.training)


def _rest(card: Card, costs: Costs) -> CardText:
    """A stretch that is left out."""
    cost = cost_text(_of(card.steps, card, costs))
    return CardText(
        "level", f"… {len(card.steps)} more steps", rows=(Row(cost),) if cost else (), training=card.training
    )


def _header(box: Box, costs: Costs) -> CardText:
    """The header of an open level."""
    texts = "training only" if box.training else "", cost_text(_of([box.call], box, costs), box.count)
    loop = box.level.loop
    title, detail = _named(box.name, box.level.title if loop is None else f"scan {scan_text(loop)}")
    family = "block" if box.level.kind == "block" else "group"
    return CardText(family, title, detail, tuple(Row(text) for text in texts if text), box.count, box.training)


def _of(steps: Iterable[Step], item: Item, costs: Costs) -> Iterator[Cost]:
    """Return the costs of an item's steps in one forward pass."""
    return (costs.of(step, item.executions) for step in steps)


def _named(name: str, what: str) -> tuple[str, str]:
    """A level's name, then what it is; where the name is a bare number, the other way round."""
    return (what, name) if what and name.replace("–", "").isdigit() else (name, what)


def contents(level: Level) -> str:
    """Return a level in a few words: its block, or its steps: ``5 × inception + max pool``."""
    if level.title:
        return level.title
    if level.loop is not None:
        return f"scan {scan_text(level.loop)}"
    kinds = Counter(step.body.title if isinstance(step, Call) else spelled(step.op)[0] for step in level.steps)
    if len(kinds) > 2 or "" in kinds:
        return f"{len(level.steps)} steps"
    return " + ".join(kind if count == 1 else f"{count} × {kind}" for kind, count in kinds.items())


def spelled(op: Op) -> tuple[str, str]:
    """An op's title and detail: ``conv 7×7`` and ``64, /2``."""
    name = re.sub(r"[123]d$", "", op.name).replace("_", " ")
    window, _, others = op.detail().partition(", ")
    return (f"{name} {window}", others) if re.fullmatch(r"\d+(×\d+)+", window) else (name, op.detail())


def _follower(op: Op) -> str:
    """An op that shares a card: ``relu``, ``dropout 0.5``."""
    name, detail = spelled(op)
    return f"{name} {detail}" if op.family in ("dropout", "shape") and detail else name


def sign_of(item: Item) -> str:
    """The sign in the circle of a merge; empty for what is drawn as a card."""
    if isinstance(item, Box) or len(item.steps) > 1 or item.count > 1:
        return ""
    op = item.steps[0].op if isinstance(item.steps[0], Node) else None
    return SIGNS.get(op.sign, op.sign) if isinstance(op, Infix) else ""


def sum_text(node: Node) -> str:
    """Return the sum of sizes along the dimension that a node joins: ``256 = 64 + 128 + 32 + 32``."""
    shapes = [value.shape for value in node.inputs]
    made = node.outputs[0].shape
    if not node.op.variadic or len(shapes) < 2 or any(len(shape) != len(made) for shape in shapes):
        return ""
    for axis, size in enumerate(made):
        if size != shapes[0][axis] and size == _total(shape[axis] for shape in shapes):
            terms = [pretty(shape[axis]) for shape in shapes]
            terms = terms if len(terms) <= TERMS else [*terms[: TERMS - 2], "…", terms[-1]]
            return f"{pretty(size)} = " + " + ".join(f"({term})" if " " in term else term for term in terms)
    return ""


def _total(sizes: Iterable[Size]) -> Size:
    total: Size = 0
    for size in sizes:
        total = total + size
    return total


def cost_text(costs: Iterable[Cost], count: int = 1) -> str:
    """Parameters and MACs in short: ``9.41k · 118M``; parameters alone where nothing is multiplied."""
    found = list(costs)
    params, macs = sum(cost.params for cost in found), sum(cost.macs for cost in found)
    if not params and not macs:
        return ""
    return (f"{short(params)} · {short(macs)}" if macs else short(params)) + (" each" if count > 1 else "")


def heading(graph: Graph, costs: Costs) -> tuple[str, ...]:
    """The lines above a diagram: its name, its cost, what goes in and comes out, how to read the cards."""
    total, aside = costs.of(graph.body), _training_only(graph.body, costs)
    params = f"{short(total.params - aside)} params" + (f" (+ {short(aside)} in training)" if aside else "")
    sizes = ", ".join(f"{name} = {size}" for name, size in graph.sizes.items())
    outputs = [output.value for output in graph.outputs.values() if not output.training]
    return (
        graph.name,
        f"{params} · {short(total.macs)} MACs" + (f" at {sizes}" if sizes else ""),
        f"{_shapes(value.shape for value in graph.inputs.values())} → {_shapes(value.shape for value in outputs)}",
        *unsaid_notes(graph),
        "on cards: parameters · MACs; on edges: shapes, where they change",
    )


def _training_only(level: Level, costs: Costs) -> int:
    """The parameters of what runs in training only."""
    total = 0
    for step in level.steps:
        if step.training:
            total += costs.of(step).params
        elif isinstance(step, Call):
            total += _training_only(step.body, costs)
    return total


def _shapes(shapes: Iterable[Shape]) -> str:
    return ", ".join(map(times_shape, shapes))


def change(value: Value, item: Item) -> str:
    """The shape to write where a value leaves an item: none where it is that of an input."""
    return "" if any(value.shape == read.shape for read in item.reads) else times_shape(value.shape)


def tip(item: Item) -> str:
    """Return the tooltip of an item: the path, the op, the shapes, and the line of the spec."""
    steps: Sequence[Step] = item.steps if isinstance(item, Card) else [item.call]
    ops = (f"{step.op.name} {step.op.detail()}" if isinstance(step, Node) else step.body.title for step in steps[:4])
    shapes = f"{_shapes(value.shape for value in item.reads)} → {_shapes(value.shape for value in item.makes)}"
    span = steps[0].span
    place = f"{PureWindowsPath(span.source.name).name}:{span.line}"
    return "\n".join(line.strip() for line in (item.path, *dict.fromkeys(ops), shapes, place) if line.strip())


def port_tip(name: str, value: Value) -> str:
    """Return the tooltip of an input or output."""
    return f"{name}: {value.tensor.dtype} {times_shape(value.shape)}"
