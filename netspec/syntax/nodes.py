"""The syntax tree: nodes with spans."""

from __future__ import annotations

from dataclasses import field
from typing import Union

from netspec.dataclass import dataclass
from netspec.diagnostics import Span

Scalar = Union[None, bool, int, float, str]


@dataclass(slots=True, eq=False)
class ScalarNode:
    """One value. ``text`` as written, escapes and folding done; ``value`` as YAML 1.2 reads it where it is ``plain``.

    A key's value is always its text. Nothing changes a node; it is not frozen for the reason that a span is not.
    """

    span: Span
    text: str
    value: Scalar
    plain: bool

    def within(self, start: int, end: int) -> Span:
        """The span of ``text[start:end]``; the node's own where the text is not written on one line as it stands."""
        span = self.span
        written = span.source.line(span.line)[span.column - 1 : span.end_column - 1]
        quote = 0 if self.plain else 1
        if span.line != span.end_line or written[quote : len(written) - quote] != self.text:
            return span
        return span.within(start + quote, end + quote)


@dataclass(frozen=True, slots=True, eq=False)
class ListNode:
    """A sequence, in block or flow style."""

    span: Span
    items: tuple[SyntaxNode, ...]


@dataclass(frozen=True, slots=True, eq=False)
class MapNode:
    """A mapping with its keys in order, each once; ``partial`` where an entry was refused and reported."""

    span: Span
    entries: tuple[tuple[ScalarNode, SyntaxNode], ...]
    partial: bool = False
    _found: dict[str, tuple[ScalarNode, SyntaxNode]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_found", {entry[0].text: entry for entry in self.entries})

    def get(self, key: str) -> SyntaxNode | None:
        """The value under a key."""
        return self._found[key][1] if key in self._found else None

    def key(self, key: str) -> ScalarNode | None:
        """The node of the key itself."""
        return self._found[key][0] if key in self._found else None

    def keys(self) -> tuple[str, ...]:
        return tuple(self._found)


SyntaxNode = Union[ScalarNode, ListNode, MapNode]
