"""The texts of two networks, file by file, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from netspec.analysis.constraints import file_name
from netspec.diagnostics import Source

MOST_LINES = 5000
"""Lines of a text up to which the middles of two are compared line by line, which may take their product in time."""


def paired_texts(old: Sequence[Source], new: Sequence[Source]) -> list[dict[str, Any]]:
    """Return a record for each file: its name, its places among ``old`` and ``new``, and its lines.

    The first of both are the specs, which come first. They belong together whatever they are called, unless one of them
    extends the other; other files do by their names. A line is ``[number before, number now, text]`` with 0 where it is
    not.
    """
    names = [file_name(source) for source in old], [file_name(source) for source in new]
    extends = names[0][0] in names[1][1:] or names[1][0] in names[0][1:]
    partners: dict[int, int] = {} if extends else {0: 0}
    for at, name in enumerate(names[0]):
        found = next((to for to in range(len(new)) if names[1][to] == name and to not in partners.values()), None)
        if at not in partners and found is not None:
            partners[at] = found
    records = [_record(old[at], at, new[to], to) for at, to in partners.items()]
    records += [_record(source, at, None, None) for at, source in enumerate(old) if at not in partners]
    records += [_record(None, None, source, at) for at, source in enumerate(new) if at not in partners.values()]
    return sorted(records, key=lambda each: (each["new"] != 0, each["old"] != 0))


def _record(old: Source | None, was: int | None, new: Source | None, now: int | None) -> dict[str, Any]:
    names = list(dict.fromkeys(file_name(source) for source in (old, new) if source is not None))
    lines = [[] if source is None else _lines(source.text) for source in (old, new)]
    return {"name": " → ".join(names), "old": was, "new": now, "lines": list(_compared(*lines))}


def _lines(text: str) -> list[str]:
    lines = text.replace("\r\n", "\n").split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _compared(old: Sequence[str], new: Sequence[str]) -> Iterator[list[Any]]:
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    end = 0
    while end < min(len(old), len(new)) - start and old[-1 - end] == new[-1 - end]:
        end += 1
    yield from ([at + 1, at + 1, old[at]] for at in range(start))
    inside = old[start : len(old) - end], new[start : len(new) - end]
    yield from _middle(*inside, start)
    yield from ([len(old) - at, len(new) - at, old[-at]] for at in range(end, 0, -1))


def _middle(old: Sequence[str], new: Sequence[str], start: int) -> Iterator[list[Any]]:
    compares = len(old) <= MOST_LINES and len(new) <= MOST_LINES
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks() if compares else ()
    was = now = 0
    for at, to, length in (*blocks, (len(old), len(new), 0)):
        yield from ([start + number + 1, 0, old[number]] for number in range(was, at))
        yield from ([0, start + number + 1, new[number]] for number in range(now, to))
        yield from ([start + at + k + 1, start + to + k + 1, old[at + k]] for k in range(length))
        was, now = at + length, to + length
