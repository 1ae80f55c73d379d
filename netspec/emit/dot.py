"""A graph as a diagram: text for Graphviz' dot. ``render`` makes a picture of it.

Everything that comes from a spec is text: nodes have synthetic ids (``n0``), labels are escaped, and there are no
links. A node's or cluster's ``id`` is its path in the spec, so that an SVG can be addressed by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netspec.dims import times_shape
from netspec.emit.costs import Costs
from netspec.emit.dot_cards import (
    GREY,
    INK,
    PALE,
    Face,
    Row,
    card_label,
    card_width,
    escaped,
    font,
    header_face,
    header_label,
    level_face,
    op_face,
    place_of,
    rest_face,
    short,
)
from netspec.emit.dot_folding import Box, Card, Item, fold
from netspec.emit.dot_wiring import ENTRY, Wiring, wire
from netspec.graph import Call, Graph, Node, Step, Value, walk
from netspec.ops.arithmetic import Infix

FONT = "Arial"
SKIP = "#F59E0B"
STRAIGHT = 40
SIGNS = {"*": "×", "-": "−", "/": "÷"}


def dot_text(graph: Graph, *, depth: int | None = None) -> str:
    """The diagram of a graph. ``depth`` levels stand open, one in the other; by default, as many as a page holds."""
    return _Drawing(graph, fold(graph, depth)).text()


@dataclass(frozen=True, slots=True)
class _Anchor:
    """Where the edges of a value start. ``label`` is said on the first of them."""

    node: str
    group: str
    label: str = ""
    training: bool = False


@dataclass(frozen=True, slots=True)
class _Edge:
    """An edge to a node, in the spine or off it. A ``quiet`` one does not say what flows."""

    anchor: _Anchor
    node: str
    straight: bool
    skip: bool
    quiet: bool
    training: bool


@dataclass(slots=True)
class _Place:
    """A level being drawn: its items, their dot nodes and groups, and the anchors of its values."""

    wiring: Wiring
    entries: Mapping[int, str]
    group: str
    anchors: dict[Value, _Anchor]
    columns: dict[int, str]
    nodes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


class _Drawing:
    def __init__(self, graph: Graph, items: tuple[Item, ...]):
        self.graph, self.items = graph, items
        self.costs = Costs(graph.sizes)
        self.faces: dict[Item, Face] = {}
        self._face_all(items)
        self.width = card_width([*self.faces.values(), *self._io_faces().values()])
        self.lines: list[str] = []
        self.edges: list[_Edge] = []
        self.rows: list[str] = []
        self.through: dict[tuple[str, str], str] = {}
        self._nodes = self._groups = -1

    def text(self) -> str:
        name = quoted(self.graph.name)
        head = [
            f"digraph {name} {{",
            '  graph [id="diagram" rankdir=TB newrank=true nodesep=.2 ranksep=.22 pad=.25 bgcolor="white"',
            f'    fontname="{FONT}" labelloc=t labeljust=l tooltip={name} label=<{self._heading()}>];',
            f'  node [shape=plain fontname="{FONT}" fontsize=11];',
            f'  edge [fontname="{FONT}" fontsize=9 fontcolor="{GREY}" color="{PALE}" penwidth=1.2 arrowsize=.6];',
        ]
        self._network()
        return "\n".join([*head, *self.lines, *_written(self.edges, self.through), *self.rows, "}", ""])

    def _face_all(self, items: Iterable[Item]) -> None:
        for item in items:
            if isinstance(item, Box):
                self.faces[item] = header_face(item, self.costs)
                self._face_all(item.items)
            else:
                make = {"op": op_face, "level": level_face, "rest": rest_face}[item.kind]
                self.faces[item] = make(item, self.costs)

    def _io_faces(self) -> dict[str, Face]:
        faces = {}
        for name, value in self.graph.inputs.items():
            faces["input:" + name] = _io_face(name, "input", value)
        for name, output in self.graph.outputs.items():
            faces["output:" + name] = _io_face(name, "output", output.value, output.training)
        return faces

    def _heading(self) -> str:
        """Name, costs, and what goes in and comes out."""
        graph = self.graph
        total = self.costs.of(graph.body)
        aside = sum(self.costs.of(step).params for step in _training_only(graph))
        params = f"{short(total.params - aside, 2)} params"
        if aside:
            params += f" (+ {short(aside, 2)} in training)"
        shapes = " → ".join(
            ", ".join(times_shape(value.shape) for value in values)
            for values in (
                graph.inputs.values(),
                [output.value for output in graph.outputs.values() if not output.training],
            )
        )
        sizes = ", ".join(f"{name} = {size}" for name, size in graph.sizes.items())
        rows = [font(graph.name, INK, 16, bold=True)]
        rows.append(font(f"{params} · {short(total.macs, 2)} MACs" + (f" at {sizes}" if sizes else ""), GREY, 10, 200))
        rows.append(font(shapes, GREY, 10, 200))
        rows.append(font("on cards: parameters · MACs; on edges: shapes, where they change", PALE, 8, 200))
        cells = "".join(f'<tr><td align="left">{row}</td></tr>' for row in rows)
        return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{cells}</table>'

    def _network(self) -> None:
        """The network's inputs, its items and its outputs."""
        graph, faces = self.graph, self._io_faces()
        wiring = wire(self.items, graph.inputs.values(), [output.value for output in graph.outputs.values()])
        group = self._group()
        anchors: dict[Value, _Anchor] = {}
        columns: dict[int, str] = {0: group}
        names = []
        for (name, value), column in zip(graph.inputs.items(), wiring.entries):
            if column is None or (own := columns.get(column)) is None:
                own = self._group()
            if column is not None:
                columns[column] = own
            names.append(self._card(f"input:{name}", faces["input:" + name], own, _io_tip(name, value), "  "))
            anchors[value] = _Anchor(names[-1], own)
        self._row(names)
        place = _Place(wiring, {ENTRY - 1 - number: node for number, node in enumerate(names)}, group, anchors, columns)
        self._level(self.items, place, "  ")
        for name, output in graph.outputs.items():
            anchor = anchors[output.value]
            node = self._card(
                f"output:{name}", faces["output:" + name], anchor.group, _io_tip(name, output.value), "  "
            )
            self.edges.append(_Edge(anchor, node, straight=True, skip=False, quiet=True, training=output.training))

    def _level(self, items: Sequence[Item], place: _Place, indent: str) -> None:
        """Items and the edges to them; ``place.anchors`` learns what they make.

        What runs in training only is written last: dot begins with the order of clusters from left to right.
        """
        aside: list[str] = []
        for position, item in enumerate(items):
            start = len(self.lines)
            column = place.wiring.columns[position]
            group = place.columns.get(column) or place.columns.setdefault(column, self._group())
            entry, made = self._item(item, group, indent)
            place.nodes.append(entry)
            place.groups.append(group)
            self._feed(item, position, place)
            place.anchors.update(made)
            if item.training:
                aside += self.lines[start:]
                del self.lines[start:]
        for fork, row in place.wiring.rows.items():
            self._spread(fork, row, items, place, indent)
        self.lines += aside

    def _spread(self, fork: int, row: Sequence[int], items: Sequence[Item], place: _Place, indent: str) -> None:
        """Put what starts at a fork side by side, in order, with the spine in the middle or where it goes on.

        dot keeps an order only among nodes of one cluster, so an unseen node beside the fork stands for each item.
        """
        group = place.groups[fork] if fork > ENTRY else place.group
        straight = next((position for position in row if place.groups[position] == group), None)
        half = row.index(straight) if straight is not None else sum(not items[at].training for at in row) // 2
        if fork <= ENTRY:
            middle = place.entries.get(fork, "")
        elif isinstance(items[fork], Card):
            middle = place.nodes[fork]
        else:
            middle, above = self._unseen(group, indent), place.anchors[items[fork].makes[0]].node
            if straight is None:
                self._lead(above, middle)
            else:
                self.lines[-1] = f'{indent}{middle} [shape=point width=.01 color="{PALE}" group={group}];'
                self.through[above, place.nodes[straight]] = middle
        if not middle:
            return
        stand_ins = []
        for position in row:
            if position != straight:
                stand_ins.append(self._unseen(place.groups[position], indent))
                self._lead(stand_ins[-1], place.nodes[position])
        self._row([*stand_ins[:half], middle, *stand_ins[half:]])
        self.rows.append(f"  {{ rank=same; {'; '.join(place.nodes[position] for position in row)}; }}")
        if fork in place.wiring.gaps:
            self._lead(middle, place.nodes[place.wiring.gaps[fork]])

    def _lead(self, node: str, other: str) -> None:
        """Keep a node above another, and in line with it."""
        self.rows.append(f"  {node} -> {other} [style=invis weight={STRAIGHT}];")

    def _unseen(self, group: str, indent: str, width: str = ".01") -> str:
        node = self._node()
        size = f"shape=box width={width} height=.01 fixedsize=true"
        self.lines.append(f'{indent}{node} [style=invis {size} group={group} label=""];')
        return node

    def _feed(self, item: Item, position: int, place: _Place) -> None:
        """The edges to an item, one for each place they come from."""
        node, group = place.nodes[position], place.groups[position]
        sums = any("=" in row.text for row in self.faces[item].rows)
        sources: dict[str, list[Value]] = {}
        for value in item.reads:
            sources.setdefault(place.anchors[value].node, []).append(value)
        for values in sources.values():
            labels = dict.fromkeys(place.anchors[value].label for value in values)
            anchor = replace(place.anchors[values[0]], label=", ".join(label for label in labels if label))
            around = any((position, value) in place.wiring.skips for value in values)
            skip = around or position in place.wiring.shortcuts
            straight = anchor.group == group and not around
            self.edges.append(_Edge(anchor, node, straight, skip, skip or sums, item.training or anchor.training))

    def _item(self, item: Item, group: str, indent: str) -> tuple[str, dict[Value, _Anchor]]:
        """Draw an item. Gives the node that edges go to, and the anchors of what it makes."""
        face = self.faces[item]
        if isinstance(item, Box):
            return self._box(item, face, group, indent)
        sign = _sign(item)
        if sign:
            node = self._circle(item, sign, group, indent)
        else:
            node = self._card(item.path, face, group, _tip(item.path, item.steps, item), indent)
        return node, {value: _Anchor(node, group, _changed(value, item), item.training) for value in item.makes}

    def _box(self, box: Box, face: Face, group: str, indent: str) -> tuple[str, dict[Value, _Anchor]]:
        """An open level: a cluster with a header, which feeds what the level's inputs feed."""
        header = self._node()
        border = "dashed" if box.training else "solid"
        tip = quoted(_tip(box.path, [box.step] if box.step else [], box))
        self.lines += [
            f"{indent}subgraph cluster_{header} {{",
            f'{indent}  graph [id={quoted(box.path)} style="rounded,filled,{border}" color="#CBD5E1" fillcolor="#F8FAFC"'
            f' penwidth=1 margin=10 peripheries={2 if box.count > 1 else 1} label="" tooltip={tip}];',
            f"{indent}  {header} [id={quoted('header:' + box.path)} group={group} tooltip={tip}"
            f" label=<{header_label(face, self.width)}>];",
        ]
        names = dict(zip(box.level.inputs, box.level.input_names))
        several = len(set(box.reads)) > 1
        anchors = {value: _Anchor(header, group, names[value] if several else "") for value in box.level.inputs}
        wiring = wire(box.items, box.level.inputs, box.level.outputs)
        entries = dict.fromkeys(range(ENTRY - len(anchors), ENTRY + 1), header)
        place = _Place(wiring, entries, group, anchors, {0: group})
        self._level(box.items, place, indent + "  ")
        if place.wiring.skips:
            room = self._unseen(self._group(), indent + "  ", width=".2")
            self._row([header, room])
        self.lines.append(f"{indent}}}")
        return header, {made: anchors[inner] for made, inner in zip(box.makes, box.level.outputs)}

    def _card(self, path: str, face: Face, group: str, tip: str, indent: str) -> str:
        node = self._node()
        self.lines.append(
            f"{indent}{node} [id={quoted(path)} group={group} tooltip={quoted(tip)} label=<{card_label(face, self.width)}>];"
        )
        return node

    def _circle(self, card: Card, sign: str, group: str, indent: str) -> str:
        node = self._node()
        self.lines.append(
            f"{indent}{node} [id={quoted(card.path)} group={group} tooltip={quoted(_tip(card.path, card.steps, card))}"
            f' shape=circle width=.3 height=.3 fixedsize=true style=filled fillcolor="#FFFFFF" color="#475569"'
            f' penwidth=1.4 fontcolor="#475569" fontsize=13 label=<<b>{sign}</b>>];'
        )
        return node

    def _row(self, nodes: Sequence[str]) -> None:
        """Nodes side by side, in this order."""
        if len(nodes) > 1:
            self.rows.append(f"  {{ rank=same; {' -> '.join(nodes)} [style=invis]; }}")

    def _node(self) -> str:
        self._nodes += 1
        return f"n{self._nodes}"

    def _group(self) -> str:
        self._groups += 1
        return f"g{self._groups}"


def _written(edges: Sequence[_Edge], through: Mapping[tuple[str, str], str]) -> Iterator[str]:
    """The edges as text. Of those that carry one value, one says its shape: the straight one, else the first.

    An edge may pass ``through`` an unseen node, which keeps its place between others. What goes aside comes last:
    dot begins with the order of a node's edges from left to right.
    """
    edges = sorted(edges, key=lambda edge: (edge.training, edge.skip))
    saying: dict[_Anchor, _Edge] = {}
    for edge in sorted(edges, key=lambda edge: not edge.straight):
        if edge.anchor.label and not edge.quiet:
            saying.setdefault(edge.anchor, edge)
    said = set()
    for edge in edges:
        if edge.skip:
            attributes = f'color="{SKIP}" style=dashed penwidth=1.4 weight={STRAIGHT if edge.straight else 0}'
        else:
            attributes = f"weight={STRAIGHT if edge.straight else 1}" + (" style=dashed" if edge.training else "")
        label = edge.anchor.label
        if saying.get(edge.anchor) is edge and (edge.node, label) not in said:
            said.add((edge.node, label))
            attributes += f" label=<\xa0{escaped(label)}>"
        between = through.get((edge.anchor.node, edge.node))
        if between is None:
            yield f"  {edge.anchor.node} -> {edge.node} [{attributes}];"
        else:
            yield f"  {edge.anchor.node} -> {between} [{attributes} arrowhead=none];"
            yield f"  {between} -> {edge.node} [weight={STRAIGHT}];"


def quoted(text: str) -> str:
    """Text as an attribute of dot, in which nothing has a meaning of its own; lines stay lines."""
    lines = (escaped(line, 2000).replace("\\", "\\\\") for line in text.split("\n"))
    return '"' + "\\n".join(lines) + '"'


def _io_face(name: str, kind: str, value: Value, training: bool = False) -> Face:
    parts = [kind if name != kind else "", value.tensor.dtype if value.tensor.dtype != "float32" else ""]
    detail = " · ".join(part for part in [*parts, "training only" if training else ""] if part)
    return Face("input", name, detail, (Row(times_shape(value.shape)),), 1, training)


def _io_tip(name: str, value: Value) -> str:
    return f"{name}: {value.tensor.dtype} {times_shape(value.shape)}"


def _tip(path: str, steps: Sequence[Step], item: Item) -> str:
    """What hovering says: the path, the op, the shapes and the line in the spec."""
    parts = [path]
    for step in steps[:3]:
        if isinstance(step, Node):
            parts.append(f"{step.op.name} {step.op.detail()}".strip())
        elif step.body.title:
            parts.append(step.body.title)
    reads = ", ".join(times_shape(value.shape) for value in item.reads)
    makes = ", ".join(times_shape(value.shape) for value in item.makes)
    parts.append(f"{reads} → {makes}")
    if steps:
        parts.append(place_of(steps[0]))
    return "\n".join(parts)


def _changed(value: Value, item: Item) -> str:
    """The shape to write where a value leaves an item: none where it is that of an input."""
    return "" if any(value.shape == read.shape for read in item.reads) else times_shape(value.shape)


def _sign(card: Card) -> str:
    """The sign in the circle of a merge; empty for what is drawn as a card."""
    head = card.steps[0]
    if len(card.steps) == 1 and card.count == 1 and isinstance(head, Node) and isinstance(head.op, Infix):
        return SIGNS.get(head.op.sign, head.op.sign)
    return ""


def _training_only(graph: Graph) -> Iterable[Step]:
    """The outermost steps that run in training only."""
    inside: set[str] = set()
    for path, step, training in walk(graph.body):
        if training and path.rpartition(".")[0] not in inside:
            yield step
        if training and isinstance(step, Call):
            inside.add(path)
