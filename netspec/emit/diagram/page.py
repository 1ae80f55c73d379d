"""The layout of a diagram on a page: from top to bottom, in columns where it is long, or from left to right.

dot is asked once, so sizes are estimated: those of cards are known, and those of levels follow from what they hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from netspec.dataclass import dataclass
from netspec.graph import Graph, Value
from netspec.view.cards import CardText, change, sign_of
from netspec.view.folding import Box, Item
from netspec.view.wiring import wire

Direction = Literal["TB", "LR"]

PAGE = 559, 806
"""The room on an A4 page with margins of a quarter of an inch, in points."""

READABLE = 0.75
"""The smallest scale of a picture: below it, small print is smaller than that of a newspaper."""

COLUMNS = 4
SHORTEST = 0.15
"""The length of a column worth a turn, as a part of the longest."""

GAIN = 1.06
"""The factor by which a picture has to get larger to justify more than one column, which is harder to follow."""

HEADING, GAP, SAID, BESIDE, FRAME, TURN = 96, 13, 12, 14, 20, 40


class PageLayout(NamedTuple):
    """The direction in which values flow, and the items of the network that each begin a new column."""

    direction: Direction
    cuts: tuple[int, ...] = ()


class ItemSpan(NamedTuple):
    """The room of an item: from where to where along the flow, and across it, in points."""

    start: float
    end: float
    across: float


def scale(width: float, height: float) -> float:
    """Return the scale at which a picture fits a page, upright or turned; at most 1."""
    short, long = PAGE
    return min(1.0, max(min(short / width, long / height), min(long / width, short / height)))


def page_layout(graph: Graph, items: Sequence[Item], card_texts: Mapping[Item, CardText], width: int) -> PageLayout:
    """The layout that fits a page best; ``width`` is that of cards, in points."""
    found, measure = PageLayout("TB"), _Measure(graph, items, card_texts, width, "TB")
    best = measure.scale()
    if best >= READABLE:
        return found
    needed = best * GAIN
    for cuts in measure.cuttings():
        if measure.scale(cuts) > max(best, needed):
            found, best = PageLayout("TB", cuts), measure.scale(cuts)
    if _Measure(graph, items, card_texts, width, "LR").scale() > max(best * GAIN, needed):
        return PageLayout("LR")
    return found


def breadth_of(
    graph: Graph, items: Sequence[Item], card_texts: Mapping[Item, CardText], width: int, layout: PageLayout
) -> float:
    """About how wide a picture is, in points."""
    return _Measure(graph, items, card_texts, width, layout.direction).size(layout.cuts)[0]


@dataclass
class _Measure:
    """Estimates how large a network is drawn in a direction."""

    graph: Graph
    items: Sequence[Item]
    card_texts: Mapping[Item, CardText]
    width: int
    direction: Direction

    def __post_init__(self) -> None:
        self.spans = self.level(self.items)

    def scale(self, cuts: Sequence[int] = ()) -> float:
        """Return the scale at which the picture, cut into columns, fits a page."""
        return scale(*self.size(cuts))

    def size(self, cuts: Sequence[int] = ()) -> tuple[float, float]:
        """Width and height of the picture, cut into columns."""
        columns = self.columns(cuts)
        card = self.card(2, self.width)
        along = max(_length(column) for column in columns) + 2 * (card[0] + GAP)
        inputs = (card[1] + BESIDE) * len(self.graph.inputs)
        across = sum(_breadth(column) for column in columns) + TURN * len(cuts)
        return self.turned(along, max(across, inputs))

    def columns(self, cuts: Sequence[int]) -> list[Sequence[ItemSpan]]:
        """The spans of each column."""
        return [self.spans[start:end] for start, end in pairwise([0, *cuts, len(self.items)])]

    def turned(self, along: float, across: float) -> tuple[float, float]:
        """Width and height of the picture, its heading included."""
        return (across, along + HEADING) if self.direction == "TB" else (along, across + HEADING)

    def cuttings(self) -> Iterator[tuple[int, ...]]:
        """Return the places to cut the network into columns that are about equally long."""
        fits = list(self.places())
        total = _length(self.spans)
        for count in range(2, COLUMNS + 1):
            aims = [total * part / count for part in range(1, count)]
            cuts = {min(fits, key=lambda place: abs(self.spans[place].start - aim)) for aim in aims} if fits else set()
            columns = [_length(column) for column in self.columns(sorted(cuts))]
            if len(columns) == count and min(columns) >= SHORTEST * max(columns):
                yield tuple(sorted(cuts))

    def places(self) -> Iterator[int]:
        """The items before which a single edge joins all that is above with all that is below.

        What stands side by side is not cut apart: it may be joined by no edge, as a parameter and what is beside it.
        """
        inputs = set(self.graph.inputs.values())
        body = self.graph.body
        rows = [(max(fork, 0), max(row)) for fork, row in wire(self.items, body.inputs, body.outputs).rows.items()]
        above = set(inputs)
        for place, item in enumerate(self.items):
            below = self.items[place:]
            crossing = [each for each in below if not above.isdisjoint(each.reads)]
            alone = crossing == [item] and len(set(item.reads)) == 1 and above.isdisjoint(self.late(place))
            apart = any(first < place <= last for first, last in rows)
            if place and alone and not apart and not item.training and item.reads[0] not in inputs:
                yield place
            above.update(item.makes)

    def late(self, place: int) -> set[Value]:
        """Return the network's outputs that are made before a place at which columns may be cut."""
        made = {value for item in self.items[:place] for value in item.makes}
        return {output.value for output in self.graph.outputs.values() if not output.training} & made

    def level(self, items: Sequence[Item]) -> list[ItemSpan]:
        """The spans of a level's items."""
        ends: dict[Value, float] = {}
        spans = []
        for item in items:
            start = max((ends.get(value, 0.0) for value in item.reads), default=0.0)
            along, across = self.item(item)
            spans.append(ItemSpan(start, start + along, across))
            for value in item.makes:
                ends[value] = start + along + GAP + self.said(value, item)
        return spans

    def said(self, value: Value, item: Item) -> float:
        """Return the room that the shape on an edge takes along it, in points."""
        text = change(value, item)
        return 0.0 if not text else SAID if self.direction == "TB" else 4.5 * len(text)

    def item(self, item: Item) -> tuple[float, float]:
        """Return the length and the breadth of an item."""
        card_text = self.card_texts[item]
        along, across = self.card(len(card_text.rows), self.width)
        if not isinstance(item, Box):
            return (22.0, 22.0) if sign_of(item) else (along, across)
        spans = self.level(item.items)
        level = item.level
        bow = FRAME if wire(item.items, level.inputs, level.outputs).skips else 0
        return along + GAP + _length(spans) + FRAME, max(across, _breadth(spans)) + FRAME + bow

    def card(self, rows: int, width: float) -> tuple[float, float]:
        """Return the length and the breadth of a card."""
        sides = 21.0 + 12 * rows, width + 16.0
        return sides if self.direction == "TB" else (sides[1], sides[0])


def _length(spans: Sequence[ItemSpan]) -> float:
    return max((span.end for span in spans), default=0.0) - min((span.start for span in spans), default=0.0)


def _breadth(spans: Iterable[ItemSpan]) -> float:
    """The most that is side by side."""
    events = sorted(
        event for span in spans for event in ((span.start, span.across + BESIDE), (span.end, -span.across - BESIDE))
    )
    most = now = 0.0
    for _, change_of in events:
        now += change_of
        most = max(most, now)
    return most
