"""The keys of a difference in few lines: whole levels as ``layer1.2.*``, and numbers that run on as ``{2–5}``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from netspec.analysis.diff.changes import Change
from netspec.analysis.diff.keys import Keys, Reshaped
from netspec.dataclass import dataclass
from netspec.dims import Shape, pretty_shape

MOST_NUMBERS = 8
NEAR = 8
"""So far back is looked for a line that a key fits into."""
_PIECES = re.compile(r"[0-9]+|[^0-9]+")


@dataclass(frozen=True, slots=True)
class KeyLine:
    """Keys that share a line: what became of them, their name or names, how many they are, their shapes in words."""

    kind: str
    names: tuple[str, ...]
    count: int
    shape: str = ""

    @property
    def text(self) -> str:
        """``features.{3,6}.* → features.{4,8}.*``."""
        return " → ".join(self.names)

    @property
    def aside(self) -> str:
        """Return the number of keys, and their shape."""
        parts = [f"{self.count} keys" if self.count > 1 else "", self.shape]
        return ", ".join(filter(None, parts))


def key_lines(keys: Keys, changes: Iterable[Change]) -> list[KeyLine]:
    """The lines for all keys that are not what they were."""
    owners = set(_owners(changes))
    return [
        *_folded("removed", _owned(keys.removed, owners)),
        *_folded("added", _owned(keys.added, owners)),
        *_folded("changed", _reshaped(keys.reshaped)),
        *_folded("renamed", _renamed((old, new) for old, new, _ in keys.renamed)),
    ]


_Entry = tuple[tuple[str, ...], int, str]


def _owners(changes: Iterable[Change]) -> Iterator[str]:
    """The paths of all steps that came or went as a whole."""
    for change in changes:
        if change.kind in ("added", "removed"):
            yield change.path
        yield from _owners(change.inner)


def _owned(keys: dict[str, Shape], owners: set[str]) -> Iterator[_Entry]:
    """Keys, those of one step that came or went as one entry."""
    counts: dict[str, int] = {}
    alone: dict[str, str] = {}
    for key, shape in keys.items():
        parts = key.split(".")
        paths = (".".join(parts[:length]) for length in range(1, len(parts)))
        owner = next((path for path in paths if path in owners), None)
        name = key if owner is None else f"{owner}.*"
        counts[name] = counts.get(name, 0) + 1
        if owner is None:
            alone[name] = pretty_shape(shape)
    return (((name,), count, alone.get(name, "")) for name, count in counts.items())


def _reshaped(keys: Iterable[Reshaped]) -> Iterator[_Entry]:
    """Reshaped keys, those of one step that change alike as one entry: ``bn1.{weight,bias}``."""
    alike: dict[tuple[str, str], list[str]] = {}
    for key, old, new in keys:
        step, _, name = key.rpartition(".")
        alike.setdefault((step, f"{pretty_shape(old)} → {pretty_shape(new)}"), []).append(name)
    for (step, shapes), names in alike.items():
        told = names[0] if len(names) == 1 else f"{{{','.join(names)}}}"
        yield (f"{step}.{told}" if step else told,), len(names), shapes


def _renamed(pairs: Iterable[tuple[str, str]]) -> Iterator[_Entry]:
    """Renames, those that change the same part of a path as one entry."""
    counts: dict[tuple[str, str], int] = {}
    for old, new in pairs:
        before, after = old.split("."), new.split(".")
        while len(before) > 1 and len(after) > 1 and before[-1] == after[-1]:
            before.pop()
            after.pop()
        tail = ".*" if ".".join(before) != old else ""
        names = ".".join(before) + tail, ".".join(after) + tail
        counts[names] = counts.get(names, 0) + 1
    return ((names, count, "") for names, count in counts.items())


def _folded(kind: str, entries: Iterable[_Entry]) -> Iterator[KeyLine]:
    """Entries that differ in one number of each name, as one line."""
    groups: list[list[_Entry]] = []
    for entry in entries:
        group = next((group for group in reversed(groups[-NEAR:]) if _joins(group, entry)), None)
        if group is None:
            groups.append([entry])
        else:
            group.append(entry)
    return (_joined(kind, group) for group in groups)


def _joins(group: Sequence[_Entry], entry: _Entry) -> bool:
    names, _, shape = group[0]
    if shape != entry[2] or (len(names) > 1 and len(group) == MOST_NUMBERS):
        return False
    return all(_place([*(each[0][at] for each in group), entry[0][at]]) is not None for at in range(len(names)))


def _place(names: Sequence[str]) -> int | None:
    """Return the piece of the names that is the number that differs; -1 for none, ``None`` where more than it differs.

    That is the last part which is a mere number, as an iteration's is, else the last number in the name.
    """
    pieces = [_PIECES.findall(name) for name in names]
    if any(len(each) != len(pieces[0]) for each in pieces):
        return None
    places = [at for at, values in enumerate(zip(*pieces)) if len(set(values)) > 1]
    if not places:
        return -1
    numbers = [at for at, piece in enumerate(pieces[0]) if piece.isdigit()]
    wanted = [at for at in numbers if _is_part(pieces[0], at)] or numbers
    if places != wanted[-1:] or not all(each[places[0]].isdigit() for each in pieces):
        return None
    return places[0]


def _is_part(pieces: Sequence[str], at: int) -> bool:
    """Return whether a piece is all there is between two dots."""
    before, after = "".join(pieces[:at]), "".join(pieces[at + 1 :])
    return before[-1:] in ("", ".") and after[:1] in ("", ".")


def _joined(kind: str, entries: Sequence[_Entry]) -> KeyLine:
    names = tuple(_name([names[at] for names, _, _ in entries]) for at in range(len(entries[0][0])))
    return KeyLine(kind, names, sum(count for _, count, _ in entries), entries[0][2])


def _name(names: Sequence[str]) -> str:
    place = _place(names)
    if place is None or place < 0:
        return names[0]
    pieces = [_PIECES.findall(name) for name in names]
    numbers = _numbers([int(each[place]) for each in pieces])
    return "".join([*pieces[0][:place], "{", numbers, "}", *pieces[0][place + 1 :]])


def _numbers(numbers: Sequence[int]) -> str:
    """``2–5``, ``1,5,9``, ``1,5,9,…,26``."""
    if list(numbers) == list(range(numbers[0], numbers[0] + len(numbers))):
        return f"{numbers[0]}–{numbers[-1]}"
    if len(numbers) > MOST_NUMBERS:
        return f"{numbers[0]},{numbers[1]},{numbers[2]},…,{numbers[-1]}"
    return ",".join(map(str, numbers))
