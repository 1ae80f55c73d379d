"""The lines of a shape table: the tree of a graph, folded as far as its length asks for."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import replace
from enum import IntEnum
from itertools import islice
from typing import Literal

from netspec.analysis.costs import Costs, scan_text
from netspec.dataclass import dataclass
from netspec.dims import Shape, times_shape
from netspec.graph import ONCE, Call, ExecutionCount, Graph, Level, Node, Value
from netspec.view.expand import Expanding
from netspec.view.groups import Group, grouped, is_plain, is_single, likeness, sources_text, value_names


class Fold(IntEnum):
    """The degree to which steps share lines. Each degree adds to the one before; repeats share theirs in all."""

    REPEATS = 0
    SMALL_STEPS = 1  # unnamed activations and dropouts stand on the line of what they follow
    PLAIN_BLOCKS = 2  # a block of one layer with its norm and activation is one line
    LIKE_BLOCKS = 3  # a block built like one that stands above it in the same level stays closed


ROOM = {Fold.REPEATS: 48, Fold.SMALL_STEPS: 100, Fold.PLAIN_BLOCKS: 160}
"""The most lines that a table takes before it is folded further: a screenful of a terminal, two, three."""


@dataclass(frozen=True, slots=True)
class View:
    """The part of a network that is shown, and its order.

    ``fold`` is by default as little as there is room for. ``depth`` levels stand open, one in the other. The levels
    in ``expand`` stay open, by path, name or block, and so do those around them. ``sort`` puts single ops in a row,
    the heaviest first.
    """

    fold: Fold | None = None
    depth: int | None = None
    expand: tuple[str, ...] = ()
    sort: Literal["", "macs", "params"] = ""


@dataclass(slots=True)
class TableLine:
    """One line of the table, before it is fitted into columns.

    ``guides`` says for each level around it, from the outermost, whether that level goes on below. ``count``
    steps in a row look like this one; the numbers are of one. ``what`` is the op or the block, ``detail`` its
    telling arguments, ``sources`` what it reads unless that is the line above, ``then`` the ops folded into the
    line. ``more`` counts the outputs besides the one whose shape is shown. ``closed`` marks a block whose inside
    is left out, as it is built like one above. ``takes`` are the shapes of its inputs, ``row`` its line in the
    spec, ``paths`` those of the first step and of what is folded into its line, ``last`` that of the last.
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
    frozen: bool = False
    closed: bool = False
    takes: str = ""
    row: int = 0
    last: str = ""
    paths: tuple[str, ...] = ()


EVERYTHING = View(Fold.REPEATS)
FOLDED = View()


def table_lines(graph: Graph, costs: Costs, view: View = FOLDED) -> list[TableLine]:
    """The lines of the whole network, its inputs first; by default folded as little as there is room for."""
    tree = _Tree(graph, costs, view)
    if view.sort:
        return sorted_lines(tree.lines(Fold.REPEATS), view.sort)
    if view.fold is not None or view.depth is not None:
        return list(tree.lines(view.fold or Fold.REPEATS))
    for degree, room in ROOM.items():
        lines = list(islice(tree.lines(degree), room + 1))
        if len(lines) <= room:
            return lines
    return list(tree.lines(Fold.LIKE_BLOCKS))


def sorted_lines(lines: Iterable[TableLine], by: Literal["macs", "params"]) -> list[TableLine]:
    """Single ops by what all alike in a row take, the heaviest first; what takes nothing is left out."""
    ops = [line for line in lines if line.kind == "op" and getattr(line, by)]
    ops.sort(key=lambda line: -getattr(line, by) * line.count)
    for line in ops:
        line.name, line.guides, line.sources = line.path, (), ""
    return ops


@dataclass(frozen=True, slots=True)
class LinePlace:
    """The place of a line: the path before its name, its guides, whether what is around it is training only, how often
    that runs, where in the network the first of those that share the line is, and whether what is around is frozen.
    """

    prefix: str = ""
    guides: tuple[bool, ...] = ()
    training: bool = False
    executions: ExecutionCount = ONCE
    first: str = ""
    frozen: bool = False

    def inside(self, step: Call, executions: ExecutionCount, prefix: str) -> LinePlace:
        """The place of what is in a step that stands here."""
        training, frozen = self.training or step.training, self.frozen or step.frozen
        return LinePlace(prefix, self.guides, training, executions, f"{self.first}{step.name}.", frozen)


class _Tree:
    """Walks the graph and makes its lines; what is worked out for a level is kept for its other places."""

    def __init__(self, graph: Graph, costs: Costs, view: View):
        self.graph, self.costs, self.view = graph, costs, view
        self.file = graph.spec or graph.body.span.source.name
        self.fold = Fold.REPEATS
        self.asked = Expanding(view.expand)
        self.groups: dict[tuple[Level, bool], list[Group]] = {}
        self.shapes: dict[Shape, str] = {}
        self.likenesses: dict[Level, Hashable] = {}

    def lines(self, fold: Fold) -> Iterator[TableLine]:
        self.fold = fold
        for name, value in self.graph.inputs.items():
            dtype = value.tensor.dtype
            parts = "" if dtype == "float32" else dtype, "optional" if value.optional else ""
            detail = ", ".join(filter(None, parts))
            yield TableLine("input", name, name, what="input", detail=detail, shape=self.shape(value))
        yield from self.level(self.graph.body, LinePlace())

    def level(self, level: Level, place: LinePlace) -> Iterator[TableLine]:
        """The lines of a level's steps."""
        groups = self.grouped(level)
        names = value_names(level, groups)
        above = level.inputs[0] if len(level.inputs) == 1 else None
        opened: set[Hashable] = set()
        for group in groups:
            guides = (*place.guides, group is not groups[-1]) if place.prefix else ()
            sources = sources_text(group.steps[0], above, names)
            executions = place.executions.at(level, group.steps[0])
            here = replace(place, guides=guides, executions=executions)
            yield from self.group(group, group.name, sources, here, opened)
            above = group.last.outputs[0] if group.last.outputs else None

    def group(
        self, group: Group, name: str, sources: str, place: LinePlace, opened: set[Hashable]
    ) -> Iterator[TableLine]:
        """The line of a group, and those of what is in it. A nameless level around one group shares its line."""
        step = group.steps[0]
        wraps = isinstance(step, Call) and not step.body.title and step.body.loop is None and not step.shares
        if isinstance(step, Call) and wraps and len(group.steps) == 1:
            inside = self.grouped(step.body)
            if len(inside) == 1:
                executions = place.executions.inside(step.body).at(step.body, inside[0].steps[0])
                inner = place.inside(step, executions, place.prefix)
                yield from self.group(inside[0], f"{name}.{inside[0].name}", sources, inner, opened)
                return
        line = TableLine("op", name, place.prefix + name, place.guides, len(group.steps), sources=sources)
        line.params, line.macs = self.costs.of(step, place.executions)
        line.training = place.training or step.training
        line.frozen = (place.frozen or step.frozen) and line.params > 0
        line.last = place.first + group.last.name
        line.takes = ", ".join(self.shape(value) for value in dict.fromkeys(step.inputs))
        line.paths = tuple(place.first + each.name for each in (step, *group.then))
        line.row = step.span.line if step.span.source.name == self.file else 0
        if step.outputs:
            line.shape, line.more = self.shape(step.outputs[0]), len(step.outputs) - 1
        if isinstance(step, Node):
            say(line, [step, *group.then])
            yield line
        elif is_single(step.body) and not step.shares:
            node = next(each for each in step.body.steps if isinstance(each, Node) and each.inputs)
            line.what, line.detail, line.family = (
                step.body.title or node.op.name,
                single_text(step.body),
                node.op.family,
            )
            yield line
        elif self.fold >= Fold.PLAIN_BLOCKS and not step.shares and is_plain(step.body):
            say(line, [node for node in step.body.steps if isinstance(node, Node)])
            yield line
        else:
            line.kind = "level"
            line.what = step.body.title if step.body.title != name else ""
            if step.shares:
                line.what, line.detail = step.body.title or "share", f"= {step.shares}"
            elif step.body.loop is not None:
                line.what, line.detail = "scan", scan_text(step.body.loop)
            line.closed = not step.shares and self.stays_closed(step.body, line, opened)
            yield line
            if not line.closed and not step.shares and not self.is_deep(step.body, line):
                executions = place.executions.inside(step.body)
                yield from self.level(step.body, place.inside(step, executions, line.path + "."))

    def is_deep(self, level: Level, line: TableLine) -> bool:
        """Return whether what is inside a level lies deeper than is asked for."""
        if self.view.depth is None or line.path.count(".") + 1 <= self.view.depth:
            return False
        return not self.is_asked(level, line)

    def is_asked(self, level: Level, line: TableLine) -> bool:
        """Return whether a level is asked for by its path, its name or its block's, or something inside it is."""
        called = line.path, *line.paths, line.name, line.what
        return self.asked.asks(*called) or any(self.asked.looks_into(level, path) for path in (line.path, *line.paths))

    def stays_closed(self, level: Level, line: TableLine, opened: set[Hashable]) -> bool:
        """Return whether a block is built like one that has been opened in the same level."""
        if self.fold < Fold.LIKE_BLOCKS or not level.title or self.is_asked(level, line):
            return False
        key = likeness(level, self.likenesses)
        if key in opened:
            return True
        opened.add(key)
        return False

    def shape(self, value: Value) -> str:
        """The shape as text; each distinct one is spelled once."""
        found = self.shapes.get(value.shape)
        if found is None:
            found = self.shapes[value.shape] = times_shape(value.shape)
        return found

    def grouped(self, level: Level) -> list[Group]:
        """The level's steps by line; worked out once for each distinct level."""
        key = level, self.fold >= Fold.SMALL_STEPS
        found = self.groups.get(key)
        if found is None:
            found = self.groups[key] = list(grouped(*key))
        return found


def single_text(level: Level) -> str:
    """The block's first parameter, as an op's main argument would be said."""
    first = next(iter(level.arguments.values()), "")
    return str(first) if isinstance(first, int) and not isinstance(first, bool) else ""


def say(line: TableLine, nodes: list[Node]) -> None:
    """Put ops on a line: the first in full, the others after it."""
    op = nodes[0].op
    shared = f"= {nodes[0].shares}" if nodes[0].shares else ""
    line.what, line.detail, line.family = op.name, shared or op.detail(), op.family
    line.then = tuple(f"{node.op.name} {node.op.detail()}".rstrip() for node in nodes[1:])
