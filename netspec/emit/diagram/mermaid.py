"""The diagram as Mermaid text, which READMEs and wikis draw by themselves (``flowchart`` of mermaid.js.org)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from netspec.analysis.costs import Costs
from netspec.emit.diagram.page import Direction
from netspec.emit.diagram.palette import CLASSES, SKIP, TIE
from netspec.graph import Graph, Node, Value
from netspec.text.quoting import mermaid
from netspec.view.cards import CardText, card_text_of, change, port_text, sign_of
from netspec.view.folding import Box, Card, Item, fold
from netspec.view.ties import ties


def mermaid_text(
    graph: Graph, *, depth: int | None = None, expand: Sequence[str] = (), direction: Direction | None = None
) -> str:
    """The diagram of a graph, as ``dot_text`` has it; from top to bottom if no ``direction`` is given."""
    return _MermaidDrawing(graph).text(fold(graph, depth, expand), direction or "TB")


class _MermaidDrawing:
    """The nodes, the levels around them, then the edges; names are synthetic, and every text is escaped.

    ``anchors`` has the node that makes a value of the network, ``new`` the shapes that no edge has said yet, ``cards``
    the node that stands for what is at a path, ``lines`` the looks of the links that are not the usual ones.
    """

    def __init__(self, graph: Graph):
        self.graph, self.costs = graph, Costs(graph.sizes)
        self.count = 0
        self.edges: list[str] = []
        self.families: dict[str, list[str]] = {}
        self.anchors: dict[Value, str] = {}
        self.new: dict[Value, str] = {}
        self.cards: dict[str, str] = {}
        self.links = 0
        self.lines: dict[str, list[str]] = {}

    def text(self, items: Iterable[Item], direction: Direction) -> str:
        lines = [f"flowchart {direction}"]
        for name, value in self.graph.inputs.items():
            self.anchors[value] = node = self.node("input")
            lines.append(f"  {node}([{label(port_text(name, 'input', value))}])")
        lines += self.items(items, self.anchors, "", "  ")
        for name, output in self.graph.outputs.items():
            node = self.node("input")
            lines.append(f"  {node}([{label(port_text(name, 'output', output.value, output.training))}])")
            self.link(f"{self.anchors[output.value]} --> {node}")
        for tie in ties(self.graph, self.cards):
            self.link(f'{tie.node} -. "same weights" .- {tie.other}', TIE)
        for family, nodes in self.families.items():
            fill = CLASSES.get(family, "#F1F5F9")
            lines.append(f"  classDef {family} fill:{fill},stroke:#94A3B8,color:#0F172A")
            self.edges.append(f"  class {','.join(nodes)} {family}")
        for colour, links in self.lines.items():
            self.edges.append(f"  linkStyle {','.join(links)} stroke:{colour}")
        return "\n".join([*lines, *self.edges, ""])

    def items(self, items: Iterable[Item], anchors: dict[Value, str], prefix: str, indent: str) -> Iterator[str]:
        """The items of a level, in order; ``anchors`` knows which node makes a value."""
        for item in items:
            if isinstance(item, Box):
                yield from self.box(item, anchors, indent)
                continue
            card_text, sign = card_text_of(item, self.costs), sign_of(item)
            node = self.node("arithmetic" if sign else card_text.family)
            shape = f'(("{mermaid(sign)}"))' if sign else f"[{label(card_text)}]"
            yield f"{indent}{node}{shape}"
            self.feed(item, node, anchors)
            self.cards.update({path: node for path in (item.path, *(prefix + step.name for step in item.steps))})
            anchors.update(dict.fromkeys(item.makes, node))
            self.new.update((value, change(value, item)) for value in item.makes)

    def box(self, box: Box, anchors: dict[Value, str], indent: str) -> Iterator[str]:
        """An open level: a group with a title."""
        self.count += 1
        level = f"l{self.count}"
        yield f"{indent}subgraph {level}[{label(replace(card_text_of(box, self.costs), rows=()))}]"
        self.edges.append(f"  style {level} fill:#F8FAFC,stroke:#CBD5E1,color:#0F172A")
        inner = {own: anchors[value] for own, value in zip(box.level.inputs, box.reads)}
        self.new.update((own, self.new.pop(value, "")) for own, value in zip(box.level.inputs, box.reads))
        yield from self.items(box.items, inner, box.path + ".", indent + "  ")
        yield f"{indent}end"
        for made, own in zip(box.makes, box.level.outputs):
            anchors[made] = inner[own]
            self.new[made] = self.new.get(own, "")

    def feed(self, card: Card, node: str, anchors: Mapping[Value, str]) -> None:
        """The edges to a card; the shortcut of a residual is dotted, and a shape is said where it is new."""
        first = card.steps[0]
        merges = isinstance(first, Node) and first.structure == "residual"
        for at, value in enumerate(dict.fromkeys(card.reads)):
            skips = merges and at > 0
            said = self.new.pop(value, "")
            text = f'|"{mermaid(said)}"|' if said else ""
            self.link(f"{anchors[value]} {'-.->' if skips else '-->'}{text} {node}", SKIP if skips else "")

    def link(self, text: str, colour: str = "") -> None:
        """A link, of a colour of its own where that is given; links are numbered as they come."""
        self.edges.append("  " + text)
        if colour:
            self.lines.setdefault(colour, []).append(str(self.links))
        self.links += 1

    def node(self, family: str) -> str:
        self.count += 1
        name = f"n{self.count}"
        self.families.setdefault(family, []).append(name)
        return name


def label(card_text: CardText) -> str:
    """A card_text on one to three lines, quoted."""
    times = f" ×{card_text.count}" if card_text.count > 1 else ""
    head = f"<b>{mermaid(card_text.title + times)}</b>" + (f" {mermaid(card_text.detail)}" if card_text.detail else "")
    rows = [mermaid(row.text) for row in card_text.rows if row.text]
    return f'"{"<br/>".join([head, *rows])}"'
