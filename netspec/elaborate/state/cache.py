"""The cache that the elaborations of one spec share: a variant finds what another has worked out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netspec import library
from netspec.elaborate.state.levels import Interned, hashable
from netspec.graph import Level, Requirement
from netspec.ops import Op, Tensor
from netspec.spec import BlockSpec, CallStep, Form, Spec
from netspec.syntax import ListNode, MapNode, ScalarNode

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Inferred = tuple[tuple[Tensor, ...], tuple[Requirement, ...]]
Expanded = tuple[Level, int, tuple[Requirement, ...]]


class ElaborationCache:
    """Ops, their results and the levels of blocks, each with what it required of the symbolic dimensions.

    Caches only successful results that do not depend on the caller: a block's level goes by the values of
    all that its text might name. Specs share too, through ``common``, but only ops and results that require nothing.
    """

    def __init__(self, common: ElaborationCache | None = None) -> None:
        self.interned = Interned()
        self.ops: dict[Any, Op] = {} if common is None else common.ops
        self.free: dict[tuple[Op, tuple[Tensor, ...]], tuple[Tensor, ...]] = {} if common is None else common.free
        self.inferred: dict[tuple[Op, tuple[Tensor, ...], bool], Inferred] = {}
        self.expanded: dict[Any, Expanded] = {}
        self._words: dict[Any, frozenset[str]] = {}
        self._inner: dict[Spec, ElaborationCache] = {}

    def of(self, spec: Spec) -> ElaborationCache:
        """Return the cache for a network that this one uses: its blocks are its own, all else is shared."""
        if spec not in self._inner:
            inner = self._inner[spec] = ElaborationCache(self)
            inner.interned, inner.inferred = self.interned, self.inferred
        return self._inner[spec]

    def context(self, key: Any, block: BlockSpec, blocks: Mapping[str, BlockSpec], globals: Mapping[str, Any]) -> Any:
        """The values of the parameters that a block's text, or that of any block it calls, might name."""
        if key not in self._words:
            self._words[key] = _all_words(block, blocks)
        words = self._words[key]
        return tuple((name, hashable(value)) for name, value in globals.items() if name in words)


def _all_words(block: BlockSpec, blocks: Mapping[str, BlockSpec]) -> frozenset[str]:
    """Every word in a block and in the blocks that it mentions; a ``$`` may mention any."""
    found: set[str] = set()
    waiting, seen = [block], {id(block)}
    while waiting:
        for text in _texts(waiting.pop()):
            words = WORD.findall(text)
            found.update(words)
            for name in blocks if text.startswith("$") else words:
                for mentioned in (blocks.get(name), library.find(name)):
                    if mentioned is not None and id(mentioned) not in seen:
                        seen.add(id(mentioned))
                        waiting.append(mentioned)
    return frozenset(found)


def _texts(item: Any) -> Iterator[str]:
    """Every text in a form, a step or a node."""
    match item:
        case ScalarNode():
            yield item.text
        case ListNode():
            yield from _each(item.items)
        case MapNode():
            yield from _each(part for entry in item.entries for part in entry)
        case CallStep():
            yield from _each((item.key, item.main, item.name, item.source, item.freeze, item.init))
            yield from _each(part for entry in item.arguments.values() for part in entry)
        case Form():
            yield from _each(vars(item).values())
        case Mapping():
            yield from item
            yield from _each(item.values())
        case tuple() | list():
            yield from _each(item)
        case str():
            yield item
        case _ if hasattr(item, "default"):  # a declared parameter
            yield from _each((item.default, item.spec))


def _each(items: Iterable[Any]) -> Iterator[str]:
    for item in items:
        yield from _texts(item)
