"""The lines of a shape table: the tree of a graph, with repeats collapsed and small steps folded."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

from netspec.dims import Shape, times_shape
from netspec.emit.costs import Cost, Costs
from netspec.graph import Call, Graph, Level, Node, Step, Value

SCREENFUL = 48
FOLDED = ("activation", "dropout")


@dataclass(slots=True)
class Line:
    """One line of the table, before it is fitted into columns.

    ``guides`` says for each level around it, from the outermost, whether that level goes on below. ``count``
    steps in a row look like this one; the numbers are of one. ``what`` is the op or the block, ``detail`` its
    telling arguments, ``sources`` what it reads unless that is the line above, ``then`` the ops folded into the
    line. ``more`` counts the outputs besides the one whose shape is shown.
    """

    kind: Literal["input", "level", "op"]
    name: str
    path: str
    guides: tuple[bool, ...] = ()
    count: int = 1
    what: str = ""
    detail: str = ""
    family: str = ""
    sources: str = ""
    then: tuple[str, ...] = ()
    shape: str = ""
    more: int = 0
    params: int = 0
    macs: int = 0
    training: bool = False


@dataclass(slots=True)
class Item:
    """Steps that share a line: a run of equal ones, or one with what is folded into it."""

    steps: list[Step]
    then: list[Node] = field(default_factory=list)

    @property
    def last(self) -> Step:
        return self.then[-1] if self.then else self.steps[-1]

    @property
    def name(self) -> str:
        return span_of_names(self.steps[0].name, self.steps[-1].name)


def table_lines(graph: Graph, costs: Costs, fold: bool | None = None) -> list[Line]:
    """The lines of the whole network, its inputs first.

    ``fold`` puts unnamed activations and dropouts on the line of what they follow; by default only in a table
    that would be longer than a screenful.
    """
    if fold is None:
        start = islice(_Lines(costs, fold=False).network(graph), SCREENFUL + 1)
        fold = len(list(start)) > SCREENFUL
    return list(_Lines(costs, fold).network(graph))


class _Lines:
    def __init__(self, costs: Costs, fold: bool):
        self.costs, self.fold = costs, fold
        self.items: dict[Level, list[Item]] = {}
        self.shapes: dict[Shape, str] = {}

    def network(self, graph: Graph) -> Iterator[Line]:
        for name, value in graph.inputs.items():
            yield Line("input", name, name, what="input", detail=dtype_text(value), shape=self.shape(value))
        yield from self.level(graph.body, "", (), False)

    def level(self, level: Level, prefix: str, guides: tuple[bool, ...], training: bool) -> Iterator[Line]:
        """The lines of a level's steps."""
        items = self.grouped(level)
        names = value_names(level, items)
        above = level.inputs[0] if len(level.inputs) == 1 else None
        for item in items:
            more = item is not items[-1]
            sources = sources_text(item.steps[0], above, names)
            yield from self.item(item, item.name, prefix, sources, (*guides, more) if prefix else (), training)
            above = item.last.outputs[0] if item.last.outputs else None

    def item(
        self, item: Item, name: str, prefix: str, sources: str, guides: tuple[bool, ...], training: bool
    ) -> Iterator[Line]:
        """The line of an item, and those of what is in it. A nameless level around one thing shares its line."""
        step, path = item.steps[0], prefix + name
        training = training or step.training
        if isinstance(step, Call) and not step.body.title and len(item.steps) == 1:
            inner = self.grouped(step.body)
            if len(inner) == 1:
                yield from self.item(inner[0], f"{name}.{inner[0].name}", prefix, sources, guides, training)
                return
        cost = self.costs.of(step)
        line = Line("level", name, path, guides, len(item.steps), sources=sources, training=training)
        line.params, line.macs = cost
        if step.outputs:
            line.shape, line.more = self.shape(step.outputs[0]), len(step.outputs) - 1
        if isinstance(step, Node):
            line.kind, line.what, line.detail, line.family = "op", step.op.name, step.op.detail(), step.op.family
            line.then = tuple(" ".join(filter(None, (node.op.name, node.op.detail()))) for node in item.then)
            yield line
            return
        line.what = step.body.title if step.body.title != name else ""
        yield line
        yield from self.level(step.body, path + ".", guides, training)

    def shape(self, value: Value) -> str:
        """The shape as text; each distinct one is spelled once."""
        found = self.shapes.get(value.shape)
        if found is None:
            found = self.shapes[value.shape] = times_shape(value.shape)
        return found

    def grouped(self, level: Level) -> list[Item]:
        """The level's steps by line; worked out once for each distinct level."""
        found = self.items.get(level)
        if found is None:
            found = self.items[level] = list(self._grouped(level))
        return found

    def _grouped(self, level: Level) -> Iterator[Item]:
        current: Item | None = None
        for step in level.steps:
            if current is None:
                current = Item([step])
            elif not current.then and is_repeat(current.last, step):
                current.steps.append(step)
            elif self.fold and len(current.steps) == 1 and self.is_folded(current.last, step, level):
                assert isinstance(step, Node)
                current.then.append(step)
            else:
                yield current
                current = Item([step])
        if current is not None:
            yield current

    def is_folded(self, before: Step, step: Step, level: Level) -> bool:
        """Whether a step says so little that it goes on the line of the op before it, which it alone reads."""
        return (
            isinstance(before, Node)
            and isinstance(step, Node)
            and not step.named
            and step.op.family in FOLDED
            and step.inputs == before.outputs
            and step.training == before.training
            and len(step.outputs) == 1
            and step.outputs[0].shape == step.inputs[0].shape
            and level.uses[step.inputs[0]] == 1
            and self.costs.of(step) == Cost(0, 0)
        )


def is_repeat(before: Step, step: Step) -> bool:
    """Whether a step does again what the one before it did, to what that one made."""
    if before.training != step.training:
        return False
    if isinstance(before, Call):
        equal = isinstance(step, Call) and before.body is step.body
    else:
        equal = isinstance(step, Node) and before.op == step.op and before.tensors == step.tensors
    made = before.outputs
    return (
        equal
        and any(value in made for value in step.inputs)
        and all(value is old or value in made for value, old in zip(step.inputs, before.inputs))
    )


def value_names(level: Level, items: Sequence[Item]) -> Mapping[Value, str]:
    """What each value is called where a line says that it reads it."""
    names = dict(zip(level.inputs, level.input_names))
    for item in items:
        for step in item.steps:
            names.update(zip(step.outputs, output_names(step)))
        for node in item.then:
            names.update((value, item.name) for value in node.outputs)
    return names


def output_names(step: Step) -> Iterator[str]:
    """``conv1``; for a step with several outputs ``encoder``, ``encoder.h_n``, …"""
    yield step.name
    if isinstance(step, Call):
        yield from (f"{step.name}.{port}" for port in step.body.output_names[1:])
    else:
        yield from (f"{step.name}.{position}" for position in range(1, len(step.outputs)))


def sources_text(step: Step, above: Value | None, names: Mapping[Value, str]) -> str:
    """``← query, key``: what a step reads; empty where it is only what the line above made.

    Of a residual, which adds the shortcut to what its body made, only the shortcut is said: ``add input``.
    """
    if isinstance(step, Node) and step.structure == "residual":
        return ", ".join(names[value] for value in step.inputs[1:])
    if all(value is above for value in step.inputs):
        return ""
    return "← " + ", ".join(shorten_ranges(list(dict.fromkeys(names[value] for value in step.inputs))))


_NUMBERED = re.compile(r"(.*?)(\d+)")


def shorten_ranges(names: Sequence[str]) -> Iterator[str]:
    """``branch1, branch2, branch3`` as ``branch1–3``."""
    start = 0
    for end in range(1, len(names) + 1):
        if end < len(names) and _follows(names[end - 1], names[end]):
            continue
        if end - start > 2:
            yield span_of_names(names[start], names[end - 1])
        else:
            yield from names[start:end]
        start = end


def _follows(name: str, next: str) -> bool:
    first, second = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(next)
    return bool(first and second and first[1] == second[1] and int(second[2]) == int(first[2]) + 1)


def span_of_names(first: str, last: str) -> str:
    """``layer0`` to ``layer5`` as ``layer0–5``."""
    if first == last:
        return first
    one, other = _NUMBERED.fullmatch(first), _NUMBERED.fullmatch(last)
    return f"{first}–{other[2]}" if one and other and one[1] == other[1] else f"{first}…{last}"


def dtype_text(value: Value) -> str:
    """The type of an input's numbers, where it is not the usual one."""
    return "" if value.tensor.dtype == "float32" else value.tensor.dtype
