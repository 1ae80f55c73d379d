"""The edges of a diagram: what they look like, which of them say what flows, and how they are written for dot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from netspec.dataclass import dataclass
from netspec.emit.diagram.labels import font, hinted
from netspec.emit.diagram.palette import GREY, PALE, SKIP, TIE
from netspec.view.ties import Tie

STRAIGHT = 40
"""The weight of an edge that shall be straight, against 1 of another."""

Lines = list["str | Lines"]
"""Lines of DOT, some of which are not known yet when what stands around them is written."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """The start of a value's edges. ``label`` is written on the first of them."""

    node: str
    group: str
    label: str = ""
    training: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """The points by which an edge goes from the foot of a column to the head of the next: ``low``, then ``high``.

    What it says stands in the ``room`` of the column that it leaves.
    """

    low: str
    high: str
    room: Lines


@dataclass(frozen=True, slots=True, eq=False)
class Edge:
    """An edge to a node, in the spine or off it. A ``quiet`` one does not say what flows.

    What it says is a node of its own, in the dot group ``group`` and among the lines of ``room``.
    """

    anchor: Anchor
    node: str
    straight: bool
    room: Lines
    group: str = ""
    skip: bool = False
    quiet: bool = False
    training: bool = False
    turn: Turn | None = None


class Writing:
    """Writes edges. Of those that carry one value, one says its shape: the straight one, else the first.

    An edge may pass ``through`` an unseen node, which keeps its place between others. ``fresh`` gives a new node.
    """

    def __init__(self, through: Mapping[tuple[str, str], str], fresh: Callable[[], str]):
        self.through, self.fresh = through, fresh

    def lines(self, edges: Sequence[Edge]) -> Iterator[str]:
        """The edges, and in their rooms what they say. What goes aside comes last: dot begins with their order."""
        edges = sorted(edges, key=lambda edge: (edge.training, edge.skip))
        saying: dict[Anchor, Edge] = {}
        for edge in sorted(edges, key=lambda edge: not edge.straight):
            if edge.anchor.label and not edge.quiet:
                saying.setdefault(edge.anchor, edge)
        said = set()
        for edge in edges:
            label = edge.anchor.label if saying.get(edge.anchor) is edge else ""
            if (edge.node, label) in said:
                label = ""
            said.add((edge.node, label))
            yield from self.edge(edge, self.chip(edge, label) if label else "")

    def chip(self, edge: Edge, label: str) -> str:
        """The node that says what flows: an edge's own label would bend it."""
        node = self.fresh()
        group = f" group={edge.group}" if edge.group else ""
        frame = 'border="0" cellborder="0" cellspacing="0" cellpadding="1"'
        text = f"<table {frame}><tr><td>{font(label, GREY, 9)}</td></tr></table>"
        edge.room.append(f"  {node} [class=shape{group} label=<{text}>];")
        return node

    def edge(self, edge: Edge, chip: str) -> Iterator[str]:
        """An edge in as many parts as there are nodes on its way; a card is two ranks below the one before."""
        looks = f' color="{SKIP}" style=dashed penwidth=1.4' if edge.skip else " style=dashed" * edge.training
        start, between = edge.anchor.node, self.through.get((edge.anchor.node, edge.node))
        if between is not None:
            yield f"  {start} -> {between} [weight={STRAIGHT}{' minlen=2' if chip else ''}{looks} arrowhead=none];"
            start = between
        if chip:
            weight = STRAIGHT if edge.straight or edge.group == edge.anchor.group != "" else 1
            yield f"  {start} -> {chip} [weight={weight}{looks} arrowhead=none];"
            start = chip
        if edge.turn is not None:
            low, high = edge.turn.low, edge.turn.high
            yield f"  {{ rank=same; {start} -> {low} [arrowhead=none{looks}]; }}"
            yield f"  {high} -> {low} [weight={STRAIGHT} arrowhead=none{looks}];"
            yield f"  {{ rank=same; {high} -> {edge.node} [{looks.strip()}]; }}"
            return
        firm = edge.straight or (chip and edge.group != edge.anchor.group and edge.group)
        weight = STRAIGHT if firm else 0 if edge.skip else 2 if chip else 1  # what is said stands near the end
        apart = "" if chip or between is not None else " minlen=2"
        yield f"  {start} -> {edge.node} [weight={weight}{apart}{looks}];"


def tie(found: Tie) -> str:
    """The edge between two cards that have the same weights, the upper first. Nothing flows, so its ends are dots."""
    looks = f'style=dotted color="{TIE}" penwidth=1.5 dir=both arrowhead=dot arrowtail=dot arrowsize=.5'
    return f"  {found.node} -> {found.other} [{looks} weight=0 minlen=0 tooltip={hinted(found.hint)}];"


def point(node: str, group: str = "") -> str:
    """A node that an edge goes through, as wide as the edge."""
    return f'  {node} [shape=point width=.01 color="{PALE}"{f" group={group}" if group else ""}];'


def flat(lines: Lines) -> Iterator[str]:
    """All lines, in order."""
    for line in lines:
        if isinstance(line, str):
            yield line
        else:
            yield from flat(line)
