"""The lines of one text that two of its variants differ by: their entries, and the defaults that they leave as such."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from netspec.diagnostics import Report, Source
from netspec.syntax import MapNode, SyntaxNode, parse


def with_variants(
    lines: Iterable[Sequence[Any]], text: Source, names: tuple[str, str], changed: Collection[str]
) -> Iterator[list[Any]]:
    """Yield the lines of a text that two networks share, those of the old one's values as removed, and those of the new
    one's as added.

    ``names`` are their variants', or the spec's where one has its defaults; ``changed`` are the parameters that differ.
    Where neither is a variant of the text, or both stand on one line, its lines stay as they are.
    """
    root = parse(text, Report())
    variants, params = (root.get(key) if isinstance(root, MapNode) else None for key in ("variants", "params"))
    old: set[int] = set()
    new: set[int] = set()
    if isinstance(variants, MapNode) and any(variants.key(name) for name in names):
        old, new = (_lines(variants, [name]) | _lines(params, _unset(variants, name, changed)) for name in names)
    if old <= new or new <= old:  # those of one stand on the lines of the other
        old = new
    for was, now, line in lines:
        yield [0 if was in new - old else was, 0 if now in old - new else now, line]


def _unset(variants: MapNode, name: str, changed: Collection[str]) -> Collection[str]:
    """Return the changed parameters that a variant leaves at their defaults."""
    own = variants.get(name)
    return [each for each in changed if not isinstance(own, MapNode) or own.key(each) is None]


def _lines(node: SyntaxNode | None, keys: Collection[str]) -> set[int]:
    """Return the numbers of the lines that some entries of a mapping are written in."""
    entries = [each for each in node.entries if each[0].text in keys] if isinstance(node, MapNode) else []
    return {
        number
        for key, value in entries
        for number in range(key.span.line, value.span.end_line + (value.span.end_column > 1))
    }
