"""The lines of a difference: the tree of changes, with what is the same in many places said once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from netspec.analysis.diff.changes import Change, Kind, shapes_text
from netspec.analysis.diff.words import facet_text
from netspec.dataclass import dataclass
from netspec.graph import Node
from netspec.view.cards import contents
from netspec.view.groups import span_of_names

MARKS: dict[Kind, str] = {"added": "+", "removed": "-", "changed": "~", "follows": "·", "inside": " "}
ROOM = 48
"""Lines of a screenful; a longer difference says only once what is alike in several levels."""
FOLLOWING = 3
"""So many steps in a row that have other sizes only share a line."""


@dataclass(slots=True)
class DiffLine:
    """One line, before it is fitted into columns.

    ``guides`` and ``count`` are as in the shape table. ``notes`` say what differs, ``shape`` what an added or removed
    step makes; ``params`` and ``macs`` are what there is more of than before.
    """

    kind: Kind
    name: str
    guides: tuple[bool, ...]
    count: int = 1
    what: str = ""
    detail: str = ""
    family: str = ""
    shape: str = ""
    notes: tuple[str, ...] = ()
    params: int = 0
    macs: int = 0
    level: bool = False

    @property
    def mark(self) -> str:
        """``+`` added, ``-`` removed, ``~`` changed, ``·`` other sizes only."""
        return MARKS[self.kind]

    def said(self, say: Callable[[str], str]) -> DiffLine:
        """The line with what it tells in other words."""
        notes = tuple(map(say, self.notes))
        return replace(self, name=say(self.name), detail=say(self.detail), shape=say(self.shape), notes=notes)


def diff_lines(changes: Sequence[Change]) -> list[DiffLine]:
    """The lines of all changes; where they are too many, levels that change like one above stay closed."""
    lines = list(_lines(changes, ()))
    return lines if len(lines) <= ROOM else list(_lines(changes, (), {}))


def _lines(
    changes: Sequence[Change], guides: tuple[bool, ...], told: dict[object, str] | None = None, nested: bool = False
) -> Iterator[DiffLine]:
    groups = list(_grouped(changes))
    for group in groups:
        here = (*guides, group is not groups[-1]) if nested else ()
        first = group[0]
        if first.kind == "follows" and len(group) > 1 and any(change.key != first.key for change in group):
            yield _following(group, here)
            continue
        line = _line(group, here)
        known = None
        if told is not None and first.inner:
            likeness = _likeness(first)
            known = told.get(likeness)
            told.setdefault(likeness, first.path)
        if known is not None:
            line.notes = (*line.notes, f"as in {known}")
        yield line
        if known is None and first.kind != "follows":
            yield from _lines(first.inner, here, told, nested=True)


def _grouped(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes by line: runs of equal ones, and runs of such as only follow from others."""
    runs: list[list[Change]] = []
    for change in changes:
        if runs and runs[-1][0].key == change.key:
            runs[-1].append(change)
        else:
            runs.append([change])
    held: list[list[Change]] = []
    for run in [*runs, []]:
        if run and run[0].kind == "follows":
            held.append(run)
            continue
        joined = [change for each in held for change in each]
        if len(held) >= FOLLOWING:
            yield joined
        else:
            yield from held
        held = []
        if run:
            yield run


def _line(group: Sequence[Change], guides: tuple[bool, ...]) -> DiffLine:
    change = group[0]
    step = change.match.step
    line = DiffLine(change.kind, names_text([each.match.step.name for each in group]), guides, len(group))
    line.params, line.macs = change.params, change.macs
    if isinstance(step, Node):
        line.what, line.detail, line.family = step.op.name, step.op.detail(), step.op.family
    else:
        line.level = True
        line.what = contents(step.body) if change.kind in ("added", "removed") or step.body.title else ""
    if change.kind in ("added", "removed"):
        line.shape = shapes_text([value.shape for value in step.outputs[:1]])
    elif change.kind != "inside":  # what a level makes follows from what is told inside
        line.notes = tuple(map(facet_text, change.facets))
    return line


def _following(group: Sequence[Change], guides: tuple[bool, ...]) -> DiffLine:
    """Steps in a row that have other sizes only."""
    names = [change.match.step.name for change in group]
    line = DiffLine("follows", f"{names[0]}…{names[-1]}", guides, what=f"{len(group)} steps")
    line.notes = ("in other sizes",)
    line.params, line.macs = sum(change.params for change in group), sum(change.macs for change in group)
    return line


def _likeness(change: Change) -> object:
    """Equal for levels that change alike, whatever their sizes."""
    step = change.match.step
    what = step.op.name if isinstance(step, Node) else step.body.title
    facets = tuple(facet.name for facet in change.facets if facet.name != "name")
    runs = [_likeness(each) for each in change.inner]
    return change.kind, what, facets, tuple(each for at, each in enumerate(runs) if at == 0 or runs[at - 1] != each)


def names_text(names: Sequence[str]) -> str:
    """``2–5``; what is not in a row apart by commas, many of them in short."""
    numbers = [int(name) if name.isdigit() else None for name in names]
    first = numbers[0]
    if len(names) == 1 or (first is not None and numbers == list(range(first, first + len(names)))):
        return span_of_names(names[0], names[-1])
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, {names[1]}, …, {names[-1]}"
