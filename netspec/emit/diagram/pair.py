"""A difference as a picture: both diagrams side by side, added green, removed red, changed amber."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from netspec.analysis.diff.changes import Change, Differences, labels
from netspec.emit.diagram.dot import FONT, SPACING, half_of_pair
from netspec.emit.diagram.labels import font, hinted
from netspec.emit.diagram.palette import GREY, INK, MARKS, PALE
from netspec.graph import Graph, Level
from netspec.view.folding import Box, Card, Item, fold

LEGEND = {"removed": "removed", "added": "added", "changed": "changed, or changes within"}


def diff_dot(diff: Differences, *, depth: int | None = None) -> str:
    """The text for dot. ``depth`` levels stand open, one in the other; by default, as many as a page holds."""
    names = labels(diff.old, diff.new)
    title = f"{names[0]} → {names[1]}"
    head = [
        "digraph difference {",
        f'  graph [id="diagram" rankdir=TB {SPACING} bgcolor="white"',
        f'    fontname="{FONT}" labelloc=t labeljust=l tooltip={hinted(title)} label=<{_legend(title)}>];',
        f'  node [shape=plain fontname="{FONT}" fontsize=11];',
        f'  edge [fontname="{FONT}" fontsize=9 fontcolor="{GREY}" color="{PALE}" penwidth=1.2 arrowsize=.6];',
    ]
    halves = [
        line for graph, side in ((diff.old, "old"), (diff.new, "new")) for line in _half(diff, graph, side, depth)
    ]
    return "\n".join([*head, *halves, "}", ""])


def _half(diff: Differences, graph: Graph, side: str, depth: int | None) -> list[str]:
    items = fold(graph, depth)
    marks: dict[Item | str, str] = {}
    for kind in ("input", "output"):
        for name, old, new in diff.sections[kind]:
            marks[f"{kind}:{name}"] = "added" if old is None else "removed" if new is None else "changed"
    marks.update(_Marks(diff.changes, side).of(items, graph.body))
    return half_of_pair(graph, items, marks, side)


class _Marks:
    """The marks of one side's items: ``old`` or ``new``."""

    def __init__(self, changes: Iterable[Change], side: str):
        self.side = side
        self.found = dict(self._by_path(changes))

    def path(self, change: Change) -> str:
        """Return the path of a change on this side; empty if this side has none of it."""
        return change.old_path if self.side == "old" else change.new_path

    def _by_path(self, changes: Iterable[Change]) -> Iterator[tuple[str, Change]]:
        for change in changes:
            if self.path(change):
                yield self.path(change), change
            yield from self._by_path(change.inner)

    def of(self, items: Sequence[Item], level: Level, prefix: str = "", within: str = "") -> Iterator[tuple[Item, str]]:
        """The marks of a level's items; ``within`` is that of a level around them which came or went as a whole."""
        names = [step.name for step in level.steps]
        starts = [names.index(_first(item, prefix, names)) for item in items]
        for item, start, end in zip(items, starts, [*starts[1:], len(names)]):
            mark = within or self.mark(item, [prefix + name for name in names[start:end]])
            if mark:
                yield item, mark
            if isinstance(item, Box):
                whole = mark if mark in ("added", "removed") else ""
                yield from self.of(item.items, item.level, item.path + ".", whole)

    def mark(self, item: Item, paths: Sequence[str]) -> str:
        """The mark of an item that stands for the steps at some paths; an open level's changes show inside it."""
        changes = [self.found.get(path) for path in paths]
        kinds = {_kind(change) for change in changes}
        kind = kinds.pop() if len(kinds) == 1 else "changed"
        if kind != "inside":
            return kind
        is_told = isinstance(item, Box) and not any(self.is_beside(change, item.path) for change in changes if change)
        return "" if is_told else "changed"

    def is_beside(self, change: Change, shown: str) -> bool:
        """Return whether something differs in a level that is not in the part of it which is shown."""
        path = self.path(change)
        if path == shown or path.startswith(shown + "."):
            return False
        if path and shown.startswith(path + "."):
            return any(self.is_beside(each, shown) for each in change.inner)
        return _kind(change) != ""


def _first(item: Item, prefix: str, names: Sequence[str]) -> str:
    """The name of the first step of a level that an item stands for."""
    if isinstance(item, Card) and item.kind == "rest":
        return item.steps[0].name
    path = f"{item.path[len(prefix) :]}."
    return max((name for name in names if path.startswith(f"{name}.")), key=len)


def _kind(change: Change | None) -> str:
    """Return the mark of a step that differs; what only follows from other changes has none."""
    return "" if change is None or change.kind == "follows" else change.kind


def _legend(title: str) -> str:
    """The title above both diagrams, and what the colours mean."""
    cells = "".join(
        f'<td width="12" height="12" border="1" bgcolor="{MARKS[mark].ground}" color="{MARKS[mark].border}"></td>'
        f'<td align="left">{font(text, GREY, 10)}\xa0\xa0</td>'
        for mark, text in LEGEND.items()
    )
    colours = f'<table border="0" cellborder="0" cellspacing="2" cellpadding="1"><tr>{cells}</tr></table>'
    rows = (
        f'<tr><td align="left">{font(title, INK, 18, 200, bold=True)}</td></tr><tr><td align="left">{colours}</td></tr>'
    )
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="1">{rows}</table>'
