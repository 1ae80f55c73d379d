"""A graph as a diagram: text for Graphviz' dot. ``render`` makes a picture of it.

Everything that comes from a spec is text: nodes have synthetic ids (``n0``), labels are escaped, and there are no
links. A node's or cluster's ``id`` is its path in the spec, so that an SVG can be addressed by it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from itertools import pairwise

from netspec.analysis.costs import Costs
from netspec.dataclass import dataclass
from netspec.emit.diagram.edges import STRAIGHT, Anchor, Edge, Lines, Turn, Writing, flat, point, tie
from netspec.emit.diagram.labels import card_label, card_width, escaped, header_label, hinted, quoted
from netspec.emit.diagram.legend import heading_label
from netspec.emit.diagram.page import Direction, PageLayout, breadth_of, page_layout
from netspec.emit.diagram.palette import CARRY, GREY, MARKS, MIST, PALE
from netspec.graph import Graph, Level, Value
from netspec.view.cards import CardText, card_text_of, change, heading, port_text, port_tip, sign_of, tip
from netspec.view.folding import Box, Card, Item, fold
from netspec.view.ties import ties
from netspec.view.wiring import ENTRY, Wiring, port_names, wire

FONT = "Arial"
SPACING = "newrank=true nodesep=.2 ranksep=.09 pad=.2"
"""Half of what is between two cards: what is said on an edge stands in between."""


def dot_text(
    graph: Graph, *, depth: int | None = None, expand: Sequence[str] = (), direction: Direction | None = None
) -> str:
    """The diagram of a graph. ``depth`` levels stand open, one in the other; by default, as many as a page holds.

    The levels in ``expand`` stand open as well, by their path, name or block. Values flow in ``direction``: ``TB``,
    from top to bottom, or ``LR``, from left to right; by default, what fits a page best, in columns if need be.
    """
    return _DotDrawing(graph, fold(graph, depth, expand)).text(direction)


def half_of_pair(graph: Graph, items: tuple[Item, ...], marks: Mapping[Item | str, str], side: str) -> list[str]:
    """The lines of one of two diagrams in one picture, in a cluster under its own heading.

    ``marks`` says what is ``added``, ``removed`` or ``changed``: items, and inputs and outputs as ``input:NAME``.
    ``side`` keeps the two halves' ids apart.
    """
    drawing = _DotDrawing(graph, items, marks, side)
    body = drawing.body(PageLayout("TB"))
    margin = f'id="{side}diagram" margin=12 labelloc=t labeljust=l style=invis'
    return [f"subgraph cluster_{side} {{", f"  graph [{margin} label=<{drawing.title()}>];", *body, "}"]


@dataclass(slots=True)
class _Place:
    """A level being drawn: its items, their dot nodes and groups, and the anchors of its values.

    ``made`` has the position of the item that makes a value, ``latest`` that of the last item in a group. What edges
    say is added to ``room``.
    """

    wiring: Wiring
    entries: dict[int, str]
    group: str
    anchors: dict[Value, Anchor]
    room: Lines
    prefix: str = ""
    columns: dict[int, str] = field(default_factory=dict)
    nodes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    made: dict[Value, int] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)
    turns: dict[int, Turn] = field(default_factory=dict)


class _DotDrawing:
    """The lines of a diagram: nodes and clusters, then edges, then what keeps things in their rows and columns."""

    def __init__(
        self, graph: Graph, items: tuple[Item, ...], marks: Mapping[Item | str, str] | None = None, side: str = ""
    ):
        self.graph, self.items, self.marks, self.side = graph, items, marks or {}, side
        self.costs = Costs(graph.sizes)
        self.inputs = {
            name: self._marked(port_text(name, "input", value), f"input:{name}") for name, value in graph.inputs.items()
        }
        self.outputs = {
            name: self._marked(port_text(name, "output", output.value, output.training), f"output:{name}")
            for name, output in graph.outputs.items()
        }
        self.card_texts: dict[Item, CardText] = {}
        self._card_text(items)
        self.width = card_width([*self.inputs.values(), *self.card_texts.values(), *self.outputs.values()])
        self.lines: Lines = []
        self.edges: list[Edge] = []
        self.rows: list[str] = []
        self.through: dict[tuple[str, str], str] = {}
        self.cards: dict[str, str] = {}
        self.kinds: set[str] = set()
        self.layout = PageLayout("TB")
        self._nodes = self._groups = -1

    def text(self, direction: Direction | None) -> str:
        page = page_layout(self.graph, self.items, self.card_texts, self.width)
        body = self.body(PageLayout(direction) if direction else page)
        head = [
            "digraph network {",
            f'  graph [id="diagram" rankdir={self.layout.direction} {SPACING}',
            f'    bgcolor="white" fontname="{FONT}" labelloc=t labeljust=l tooltip={hinted(self.graph.name)}',
            f"    label=<{self.title()}>];",
            f'  node [shape=plain fontname="{FONT}" fontsize=11];',
            f'  edge [fontname="{FONT}" fontsize=9 fontcolor="{GREY}" color="{PALE}" penwidth=1.2 arrowsize=.6];',
        ]
        return "\n".join([*head, *body, "}", ""])

    def body(self, layout: PageLayout) -> list[str]:
        """The lines of all nodes, clusters and edges."""
        self.layout = layout
        self._network()
        edges = list(Writing(self.through, self._node).lines(self.edges))
        return [*flat(self.lines), *edges, *self._ties(), *self.rows]

    def title(self) -> str:
        """The heading, with a legend of what has been drawn."""
        kinds = self.kinds | {kind for edge in self.edges for kind in ("skip", "training") if getattr(edge, kind)}
        cards = [text for item, text in self.card_texts.items() if isinstance(item, Box) or not sign_of(item)]
        room = max(260.0, breadth_of(self.graph, self.items, self.card_texts, self.width, self.layout) - 60)
        return heading_label(heading(self.graph, self.costs), cards, kinds, room)

    def _ties(self) -> Iterator[str]:
        """An edge between any two cards that have the same weights."""
        for found in ties(self.graph, self.cards):
            self.kinds.add("tie")
            yield tie(found)

    def _marked(self, card_text: CardText, what: Item | str) -> CardText:
        """A card_text with the mark of what it is the card_text of, where that has one."""
        return replace(card_text, mark=self.marks[what]) if what in self.marks else card_text

    def _id(self, path: str) -> str:
        """The id of what is at a path."""
        return quoted(f"{self.side}:{path}" if self.side else path)

    def _card_text(self, items: Iterable[Item]) -> None:
        for item in items:
            self.card_texts[item] = self._marked(card_text_of(item, self.costs), item)
            if isinstance(item, Box):
                self._card_text(item.items)

    def _network(self) -> None:
        """The network's inputs, its items and its outputs, in one column or several."""
        inputs, outputs = self.graph.inputs, self.graph.outputs
        wiring = wire(self.items, inputs.values(), [output.value for output in outputs.values()])
        columns: list[Lines] = [[] for _ in range(len(self.layout.cuts) + 1)]
        self.lines = columns[0]
        place = _Place(wiring, {}, self._group(), {}, columns[0])
        place.columns[0] = place.group
        for number, (name, value) in enumerate(inputs.items()):
            column = wiring.entries[number]
            group = self._group() if column is None else self._column(place, column)
            node = self._card("input:" + name, self.inputs[name], group, port_tip(name, value), "  ")
            place.entries[ENTRY - 1 - number] = node
            place.anchors[value] = Anchor(node, group)
        self._row(list(place.entries.values()))
        head = list(place.entries.values())[-1:]
        bounds = [0, *self.layout.cuts, len(self.items)]
        for before, lines, (start, end) in zip([columns[0], *columns], columns, pairwise(bounds)):
            self.lines = place.room = lines
            if start:
                place.columns.clear()
                place.turns[start] = Turn(self._node(), self._node(), before)
            self._stretch(range(start, end), self.items, place, "  ")
            if start:
                self._row([*head, place.turns[start].high])
                head = [place.nodes[start]]
        for name, output in outputs.items():
            anchor = place.anchors[output.value]
            self.lines = columns[bisect_right(self.layout.cuts, place.made.get(output.value, ENTRY))]
            node = self._card("output:" + name, self.outputs[name], anchor.group, port_tip(name, output.value), "  ")
            straight = place.latest.get(anchor.group, ENTRY) == place.made.get(output.value, ENTRY)
            self.edges.append(Edge(anchor, node, straight, self.lines, quiet=True, training=output.training))
        self.lines = [columns[0]]
        if place.turns:
            turns = [None, *place.turns.values()]
            self.lines = [line for turn, column in zip(turns, columns) for line in _columned(turn, column)]

    def _column(self, place: _Place, column: int) -> str:
        """The dot group of a column of items."""
        return place.columns.get(column) or place.columns.setdefault(column, self._group())

    def _level(self, items: Sequence[Item], place: _Place, indent: str) -> None:
        """Items and the edges to them; ``place.anchors`` learns what they make."""
        self._stretch(range(len(items)), items, place, indent)

    def _stretch(self, positions: range, items: Sequence[Item], place: _Place, indent: str) -> None:
        """Items of a level in a row. What runs in training only is written last: dot begins with the order of
        clusters from left to right."""
        aside: Lines = []
        for position in positions:
            item, start = items[position], len(self.lines)
            group = self._column(place, place.wiring.columns[position])
            entry, made = self._item(item, group, place.prefix, indent)
            place.nodes.append(entry)
            place.groups.append(group)
            self._feed(item, position, place)
            place.anchors.update(made)
            place.made.update(dict.fromkeys(made, position))
            place.latest[group] = position
            if item.training:
                aside += self.lines[start:]
                del self.lines[start:]
        for fork, row in place.wiring.rows.items():
            if fork in positions or (fork <= ENTRY and not positions.start):
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
                self.lines[-1] = indent + point(middle, group)
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
            above = place.made.get(item.reads[numbers[0]], ENTRY)
            straight = anchor.group == group and not around and above == place.latest.get(group, ENTRY)
            turn = place.turns.get(position)
            edge = Edge(
                anchor,
                node,
                straight,
                turn.room if turn else place.room,
                group=anchor.group if turn else _group_between(anchor, group, place, straight, bool(ports)),
                skip=skip,
                quiet=skip or self.card_texts[item].sums,
                training=item.training or anchor.training,
                turn=turn,
            )
            self.edges.append(edge)

    def _item(self, item: Item, group: str, prefix: str, indent: str) -> tuple[str, dict[Value, Anchor]]:
        """Draw an item. Gives the node that edges go to, and the anchors of what it makes."""
        if isinstance(item, Box):
            return self._box(item, group, indent)
        if sign := sign_of(item):
            node = self._circle(item, sign, group, indent)
        else:
            node = self._card(item.path, self.card_texts[item], group, tip(item), indent)
        self.cards.update({path: node for path in (item.path, *(prefix + step.name for step in item.steps))})
        return node, {value: Anchor(node, group, change(value, item), item.training) for value in item.makes}

    def _box(self, box: Box, group: str, indent: str) -> tuple[str, dict[Value, Anchor]]:
        """An open level: a cluster with a header, which feeds what the level's inputs feed."""
        header, level = self._node(), box.level
        style = f'style="rounded,filled,{"dashed" if box.training else "solid"}" color="{MIST}" fillcolor="#F8FAFC"'
        label, hint = header_label(self.card_texts[box], self.width), hinted(tip(box))
        self.lines += [
            f"{indent}subgraph cluster_{header} {{",
            f'{indent}  graph [id={self._id(box.path)} {style} margin=10 label="" tooltip={hint}];',
            f"{indent}  {header} [id={self._id('header:' + box.path)} group={group} tooltip={hint} label=<{label}>];",
        ]
        names = level.input_names if len(set(box.reads)) > 1 else [""] * len(level.inputs)
        anchors = {value: Anchor(header, group, name) for value, name in zip(level.inputs, names)}
        wiring = wire(box.items, level.inputs, level.outputs)
        entries = dict.fromkeys(range(ENTRY - len(anchors), ENTRY + 1), header)
        room: Lines = []
        self.lines.append(room)
        place = _Place(wiring, entries, group, anchors, room, box.path + ".", {0: group})
        self._level(box.items, place, indent + "  ")
        if level.loop is not None:
            self._carry(level, header, anchors)
        if wiring.skips:  # room for the bows of the edges that go around
            self._row([header, self._unseen(self._group(), indent + "  ", width=".45")])
        self.lines.append(f"{indent}}}")
        return header, {made: anchors[inner] for made, inner in zip(box.makes, level.outputs)}

    def _carry(self, level: Level, header: str, anchors: Mapping[Value, Anchor]) -> None:
        """The edges by which a scan's states go into its next iteration."""
        states = level.outputs[len(level.outputs) - level.loop.states :] if level.loop is not None else ()
        side = self._side()
        for name, value in zip(level.output_names[len(level.output_names) - len(states) :], states):
            style = f'style=dotted color="{CARRY}" fontcolor="{CARRY}" penwidth=1.5 constraint=false'
            if anchors[value].node != header:
                self.kinds.add("carry")
                label = f"taillabel=<next {escaped(name)}> labeldistance=3.2 labelangle=20"
                self.rows.append(f"  {anchors[value].node}:{side} -> {header}:{side} [{style} {label}];")

    def _side(self) -> str:
        """The side of a node that edges against the flow go along."""
        return "e" if self.layout.direction == "TB" else "s"

    def _card(self, path: str, card_text: CardText, group: str, tip: str, indent: str) -> str:
        node, label = self._node(), card_label(card_text, self.width)
        self.lines.append(f"{indent}{node} [id={self._id(path)} group={group} tooltip={hinted(tip)} label=<{label}>];")
        return node

    def _circle(self, card: Card, sign: str, group: str, indent: str) -> str:
        """The sign of a merge in a circle."""
        node = self._node()
        mark = self.card_texts[card].mark
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


def _group_between(anchor: Anchor, group: str, place: _Place, straight: bool, is_port: bool) -> str:
    """The dot group of what an edge says: an input's name stands under what feeds it, a shape above what reads it."""
    if straight:
        return group
    said = anchor.group if is_port else group
    return "" if anchor.group == group or said == place.group else said


def _columned(turn: Turn | None, lines: Lines) -> Iterator[str | Lines]:
    """A column of the network, in an unseen cluster that keeps it together, and before it the way up to it."""
    name, frame = turn.high if turn else "first", '    graph [id="" style=invis margin=0 label=""];'
    if turn:
        points = [point(node, turn.high) for node in (turn.high, turn.low)]
        yield from (f"  subgraph cluster_way_{name} {{", frame, *points, "  }")
    yield from (f"  subgraph cluster_column_{name} {{", frame, lines, "  }")
