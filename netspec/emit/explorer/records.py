"""The records of the explorer's page: every distinct node, tensor, size and text is written once, and has a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from netspec.diagnostics import Source, Span
from netspec.dims import Size, times_shape
from netspec.emit.explorer.formulas import formula
from netspec.graph import Graph, Level, Node, Value, parameter_count, visits
from netspec.ops import Tensor
from netspec.view.cards import change, spelled, sum_text
from netspec.view.folding import Item
from netspec.view.wiring import ENTRY, Wiring, port_names


def texts_of(graph: Graph) -> list[Source]:
    """Return the texts that a network is written in: the spec's own first, those of the files that it takes from, and
    those of other blocks.
    """
    texts = [*graph.texts, graph.body.span.source, *(visit.step.span.source for visit in visits(graph.body))]
    return list({id(text): text for text in texts}.values())


class Records:
    """Numbers what it meets, and collects one record for each."""

    def __init__(self) -> None:
        self.sizes: list[Any] = []
        self.tensors: list[Any] = []
        self.nodes: list[Any] = []
        self.levels: list[Any] = []
        self.sources: list[Source] = []
        self._size_numbers: dict[Size, int] = {}
        self._tensor_numbers: dict[Tensor, int] = {}
        self._node_numbers: dict[Node, int] = {}
        self._level_numbers: dict[Level, int] = {}
        self._source_numbers: dict[int, int] = {}

    def size(self, size: Size) -> int:
        if size not in self._size_numbers:
            self._size_numbers[size] = len(self.sizes)
            self.sizes.append(formula(size))
        return self._size_numbers[size]

    def tensor(self, tensor: Tensor) -> int:
        if tensor not in self._tensor_numbers:
            self._tensor_numbers[tensor] = len(self.tensors)
            sizes = [self.size(size) for size in tensor.shape]
            self.tensors.append({"text": times_shape(tensor.shape), "dtype": tensor.dtype, "sizes": sizes})
        return self._tensor_numbers[tensor]

    def place(self, span: Span) -> list[int]:
        """The number of a span's text, and its line there."""
        return [self.place_of(span.source), span.line]

    def place_of(self, source: Source) -> int:
        """The number of a text."""
        if id(source) not in self._source_numbers:
            self._source_numbers[id(source)] = len(self.sources)
            self.sources.append(source)
        return self._source_numbers[id(source)]

    def node(self, node: Node) -> int:
        if node not in self._node_numbers:
            title, detail = spelled(node.op)
            self._node_numbers[node] = len(self.nodes)
            self.nodes.append(
                without_empty(
                    name=node.name,
                    op=node.op.name,
                    arguments=node.op.detail(),
                    title=title,
                    detail=detail,
                    family=node.op.family,
                    reads=[self.tensor(value.tensor) for value in node.inputs],
                    makes=[self.tensor(value.tensor) for value in node.outputs],
                    params=parameter_count(node),
                    macs=self.size(node.macs),
                    at=self.place(node.span),
                    sum=sum_text(node),
                    shares=node.shares,
                )
            )
        return self._node_numbers[node]

    def edges(
        self,
        item: Item,
        position: int,
        items: Sequence[Item],
        wiring: Wiring,
        makers: Mapping[Value, int],
        names: Mapping[Value, str],
        shift: int,
    ) -> Iterator[list[Any]]:
        """One for each item that this one reads from: where it comes from, whether it goes around, its tensor where
        that is new, and its name."""
        found: dict[int, list[int]] = {}
        for number, value in enumerate(item.reads):
            found.setdefault(makers[value] if shift else max(makers[value], ENTRY), []).append(number)
        ports = port_names(item) if len(found) > 1 else ()
        for maker, numbers in found.items():
            value = item.reads[numbers[0]]
            around = any((position, item.reads[number]) in wiring.skips for number in numbers)
            new = maker > ENTRY and change(value, items[maker]) != ""
            labels = [ports[number] if ports else names.get(item.reads[number], "") for number in numbers]
            skip = around or position in wiring.shortcuts
            label = ", ".join(dict.fromkeys(text for text in labels if text))
            yield [shifted(maker, shift), int(skip), self.tensor(value.tensor) if new else -1, label]


def without_empty(**record: Any) -> dict[str, Any]:
    """A record without what is empty, but with a level's items; truth is 1."""
    kept = {key: value for key, value in record.items() if value not in (None, "", 0, [], {})}
    empty: dict[str, Any] = {"macs": 0, "tensor": 0, "level": 0, "items": []}
    return {key: 1 if value is True else value for key, value in kept.items()} | {
        key: value for key, value in empty.items() if key in record and key not in kept
    }


def shifted(position: int, shift: int) -> int:
    """A position among items of which ``shift`` inputs are the first ones."""
    if position > ENTRY:
        return position + shift
    return ENTRY - 1 - position if position < ENTRY and shift else ENTRY


def rows_of(wiring: Wiring, shift: int) -> dict[int, list[int]]:
    """Return the items that start side by side at each fork; the entry and the inputs are one row."""
    rows: dict[int, list[int]] = {}
    for fork, row in wiring.rows.items():
        rows.setdefault(shifted(fork, shift), []).extend(position + shift for position in row)
    return rows


def makers_of(items: Sequence[Item], inputs: Sequence[Value]) -> dict[Value, int]:
    makers = {value: ENTRY - 1 - place for place, value in enumerate(inputs)}
    return makers | {value: position for position, item in enumerate(items) for value in item.makes}


def carried_by(level: Level, makers: Mapping[Value, int]) -> Iterator[list[Any]]:
    """Return the items that make the states of a scan's next iteration, with the states' names."""
    states = 0 if level.loop is None else level.loop.states
    for name, value in list(zip(level.output_names, level.outputs))[len(level.outputs) - states :]:
        if makers[value] > ENTRY:
            yield [makers[value], name]
