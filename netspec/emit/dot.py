"""A graph as a diagram: text for Graphviz' dot. ``render`` makes a picture of it.

Everything that comes from a spec is text: nodes have synthetic ids (``n0``), labels are escaped, and there are no
links. A node's or cluster's ``id`` is its path in the spec, so that an SVG can be addressed by it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from netspec.emit.costs import Costs
from netspec.emit.dot_faces import Face, change, face_of, heading, port_face, port_tip, sign_of, tip
from netspec.emit.dot_folding import Box, Card, Item, fold
from netspec.emit.dot_labels import (
    GREY,
    MARKS,
    MIST,
    PALE,
    card_label,
    card_width,
    escaped,
    header_label,
    heading_label,
    hinted,
    quoted,
)
from netspec.emit.dot_wiring import ENTRY, Wiring, wire
from netspec.graph import Graph, Level, Node, Value

FONT = "Arial"
SKIP = "#F59E0B"
CARRY = "#7C3AED"
STRAIGHT = 40


def dot_text(graph: Graph, *, depth: int | None = None) -> str:
    """The diagram of a graph. ``depth`` levels stand open, one in the other; by default, as many as a page holds."""
    return _Drawing(graph, fold(graph, depth)).text()


def half_of_pair(graph: Graph, items: tuple[Item, ...], marks: Mapping[Item | str, str], side: str) -> list[str]:
    """The lines of one of two diagrams in one picture, in a cluster under its own heading.

    ``marks`` says what is ``added``, ``removed`` or ``changed``: items, and inputs and outputs as ``input:NAME``.
    ``side`` keeps the two halves' ids apart.
    """
    drawing = _Drawing(graph, items, marks, side)
    title = heading_label(heading(graph, drawing.costs))
    head = f'  graph [id="{side}diagram" margin=12 labelloc=t labeljust=l style=invis label=<{title}>];'
    return [f"subgraph cluster_{side} {{", head, *drawing.body(), "}"]


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
    entries: dict[int, str]
    group: str
    anchors: dict[Value, _Anchor]
    columns: dict[int, str] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)


class _Drawing:
    """The lines of a diagram: nodes and clusters, then edges, then what keeps things in their rows and columns."""

    def __init__(
        self, graph: Graph, items: tuple[Item, ...], marks: Mapping[Item | str, str] | None = None, side: str = ""
    ):
        self.graph, self.items, self.marks, self.side = graph, items, marks or {}, side
        self.costs = Costs(graph.sizes)
        self.inputs = {
            name: self._marked(port_face(name, "input", value), f"input:{name}") for name, value in graph.inputs.items()
        }
        self.outputs = {
            name: self._marked(port_face(name, "output", output.value, output.training), f"output:{name}")
            for name, output in graph.outputs.items()
        }
        self.faces: dict[Item, Face] = {}
        self._face(items)
        self.width = card_width([*self.inputs.values(), *self.faces.values(), *self.outputs.values()])
        self.lines: list[str] = []
        self.edges: list[_Edge] = []
        self.rows: list[str] = []
        self.through: dict[tuple[str, str], str] = {}
        self._nodes = self._groups = -1

    def text(self) -> str:
        title = heading_label(heading(self.graph, self.costs))
        head = [
            "digraph network {",
            '  graph [id="diagram" rankdir=TB newrank=true nodesep=.2 ranksep=.22 pad=.25 bgcolor="white"',
            f'    fontname="{FONT}" labelloc=t labeljust=l tooltip={hinted(self.graph.name)} label=<{title}>];',
            f'  node [shape=plain fontname="{FONT}" fontsize=11];',
            f'  edge [fontname="{FONT}" fontsize=9 fontcolor="{GREY}" color="{PALE}" penwidth=1.2 arrowsize=.6];',
        ]
        return "\n".join([*head, *self.body(), "}", ""])

    def body(self) -> list[str]:
        """The lines of all nodes, clusters and edges."""
        self._network()
        return [*self.lines, *_written(self.edges, self.through), *self.rows]

    def _marked(self, face: Face, what: Item | str) -> Face:
        """A face with the mark of what it is the face of, where that has one."""
        return replace(face, mark=self.marks[what]) if what in self.marks else face

    def _id(self, path: str) -> str:
        """The id of what is at a path."""
        return quoted(f"{self.side}:{path}" if self.side else path)

    def _face(self, items: Iterable[Item]) -> None:
        for item in items:
            self.faces[item] = self._marked(face_of(item, self.costs), item)
            if isinstance(item, Box):
                self._face(item.items)

    def _network(self) -> None:
        """The network's inputs, its items and its outputs."""
        inputs, outputs = self.graph.inputs, self.graph.outputs
        wiring = wire(self.items, inputs.values(), [output.value for output in outputs.values()])
        place = _Place(wiring, {}, self._group(), {})
        place.columns[0] = place.group
        for number, (name, value) in enumerate(inputs.items()):
            column = wiring.entries[number]
            group = self._group() if column is None else self._column(place, column)
            node = self._card("input:" + name, self.inputs[name], group, port_tip(name, value), "  ")
            place.entries[ENTRY - 1 - number] = node
            place.anchors[value] = _Anchor(node, group)
        self._row(list(place.entries.values()))
        self._level(self.items, place, "  ")
        for name, output in outputs.items():
            anchor = place.anchors[output.value]
            node = self._card("output:" + name, self.outputs[name], anchor.group, port_tip(name, output.value), "  ")
            self.edges.append(_Edge(anchor, node, straight=True, skip=False, quiet=True, training=output.training))

    def _column(self, place: _Place, column: int) -> str:
        """The dot group of a column of items."""
        return place.columns.get(column) or place.columns.setdefault(column, self._group())

    def _level(self, items: Sequence[Item], place: _Place, indent: str) -> None:
        """Items and the edges to them; ``place.anchors`` learns what they make.

        What runs in training only is written last: dot begins with the order of clusters from left to right.
        """
        aside: list[str] = []
        for position, item in enumerate(items):
            start = len(self.lines)
            group = self._column(place, place.wiring.columns[position])
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
        """The edges to an item, one for each node that they come from."""
        node, group = place.nodes[position], place.groups[position]
        sources: dict[str, list[int]] = {}
        for number, value in enumerate(item.reads):
            sources.setdefault(place.anchors[value].node, []).append(number)
        ports = port_names(item) if len(sources) > 1 else ()
        for numbers in sources.values():
            anchors = [place.anchors[item.reads[number]] for number in numbers]
            labels = [ports[number] for number in numbers] if ports else [anchor.label for anchor in anchors]
            anchor = replace(anchors[0], label=", ".join(dict.fromkeys(label for label in labels if label)))
            around = any((position, item.reads[number]) in place.wiring.skips for number in numbers)
            skip = around or position in place.wiring.shortcuts
            straight = anchor.group == group and not around
            quiet = skip or self.faces[item].sums
            self.edges.append(_Edge(anchor, node, straight, skip, quiet, item.training or anchor.training))

    def _item(self, item: Item, group: str, indent: str) -> tuple[str, dict[Value, _Anchor]]:
        """Draw an item. Gives the node that edges go to, and the anchors of what it makes."""
        if isinstance(item, Box):
            return self._box(item, group, indent)
        if sign := sign_of(item):
            node = self._circle(item, sign, group, indent)
        else:
            node = self._card(item.path, self.faces[item], group, tip(item), indent)
        return node, {value: _Anchor(node, group, change(value, item), item.training) for value in item.makes}

    def _box(self, box: Box, group: str, indent: str) -> tuple[str, dict[Value, _Anchor]]:
        """An open level: a cluster with a header, which feeds what the level's inputs feed."""
        header, level = self._node(), box.level
        style = f'style="rounded,filled,{"dashed" if box.training else "solid"}" color="{MIST}" fillcolor="#F8FAFC"'
        label, hint = header_label(self.faces[box], self.width), hinted(tip(box))
        self.lines += [
            f"{indent}subgraph cluster_{header} {{",
            f'{indent}  graph [id={self._id(box.path)} {style} margin=10 label="" tooltip={hint}];',
            f"{indent}  {header} [id={self._id('header:' + box.path)} group={group} tooltip={hint} label=<{label}>];",
        ]
        names = level.input_names if len(set(box.reads)) > 1 else [""] * len(level.inputs)
        anchors = {value: _Anchor(header, group, name) for value, name in zip(level.inputs, names)}
        wiring = wire(box.items, level.inputs, level.outputs)
        entries = dict.fromkeys(range(ENTRY - len(anchors), ENTRY + 1), header)
        self._level(box.items, _Place(wiring, entries, group, anchors, {0: group}), indent + "  ")
        if level.loop is not None:
            self._carry(level, header, anchors)
        if wiring.skips:  # room for the bows of the edges that go around
            self._row([header, self._unseen(self._group(), indent + "  ", width=".2")])
        self.lines.append(f"{indent}}}")
        return header, {made: anchors[inner] for made, inner in zip(box.makes, level.outputs)}

    def _carry(self, level: Level, header: str, anchors: Mapping[Value, _Anchor]) -> None:
        """The edges by which a scan's states go into its next turn."""
        states = level.outputs[len(level.outputs) - level.loop.states :] if level.loop is not None else ()
        for name, value in zip(level.output_names[len(level.output_names) - len(states) :], states):
            style = f'style=dotted color="{CARRY}" fontcolor="{CARRY}" penwidth=1.5 constraint=false'
            if anchors[value].node != header:
                label = f"<\xa0next {escaped(name)}>"
                self.rows.append(f"  {anchors[value].node}:e -> {header}:e [{style} label={label}];")

    def _card(self, path: str, face: Face, group: str, tip: str, indent: str) -> str:
        node, label = self._node(), card_label(face, self.width)
        self.lines.append(f"{indent}{node} [id={self._id(path)} group={group} tooltip={hinted(tip)} label=<{label}>];")
        return node

    def _circle(self, card: Card, sign: str, group: str, indent: str) -> str:
        """The sign of a merge in a circle."""
        node = self._node()
        mark = self.faces[card].mark
        ground, ink = (MARKS[mark].ground, MARKS[mark].bar) if mark else ("#FFFFFF", "#475569")
        style = f'style=filled fillcolor="{ground}" color="{ink}" penwidth=1.4 fontcolor="{ink}" fontsize=13'
        self.lines.append(
            f"{indent}{node} [id={self._id(card.path)} group={group} tooltip={hinted(tip(card))}"
            f" shape=circle width=.3 height=.3 fixedsize=true {style} label=<<b>{escaped(sign)}</b>>];"
        )
        return node

    def _row(self, nodes: Sequence[str]) -> None:
        """Nodes side by side, in this order."""
        if len(nodes) > 1:
            self.rows.append(f"  {{ rank=same; {' -> '.join(nodes)} [style=invis]; }}")

    def _node(self) -> str:
        self._nodes += 1
        return f"{self.side}n{self._nodes}"

    def _group(self) -> str:
        self._groups += 1
        return f"{self.side}g{self._groups}"


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


def port_names(item: Item) -> Sequence[str]:
    """What an op calls its inputs, where it has several of different kinds: ``query``, ``key``, ``value``."""
    if isinstance(item, Box) or not isinstance(head := item.steps[0], Node) or head.op.variadic:
        return ()
    ports = head.ports or head.op.ports
    return ports if len(ports) >= len(item.reads) > 1 else ()
