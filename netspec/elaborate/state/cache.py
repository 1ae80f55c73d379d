"""The cache that the elaborations of one spec share: a variant finds what another has worked out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from netspec import library
from netspec.elaborate.reading.keys import hashable
from netspec.elaborate.reading.words import WORD, texts_in
from netspec.elaborate.state.alike import Rate, rate_of
from netspec.elaborate.state.calls import BlockCall, OpCall, block_call, op_call
from netspec.elaborate.state.levels import Interned
from netspec.graph import Level, Requirement
from netspec.ops import Op, Tensor
from netspec.spec import BlockSpec, CallStep, Spec, Step, Written, block_meant

Inferred = tuple[tuple[Tensor, ...], tuple[Requirement, ...]]
Expanded = tuple[Level, int, tuple[Requirement, ...]]


class BlockArguments(NamedTuple):
    """The values of a block's parameters in a call; ``key`` is equal where they are.

    ``nodes`` are those that the call gives, ``texts`` names the ones that hold a text rather than an expression.
    """

    values: Mapping[str, Any]
    key: Any
    nodes: Mapping[str, Written]
    texts: frozenset[str]


class ElaborationCache:
    """Ops, their results and the levels of blocks, each with what it required of the symbolic dimensions, and what the
    calls of both are given.

    Caches only successful results that do not depend on the caller: a block's level, and what is read from a call, go
    by the values of all that their texts might name. Specs share too, through ``common``, but only ops and results.
    """

    def __init__(self, common: ElaborationCache | None = None) -> None:
        self.interned = Interned()
        self.ops: dict[Any, Op] = {} if common is None else common.ops
        self.inferred: dict[Any, Inferred] = {} if common is None else common.inferred
        self.read_ops: dict[Any, Op] = {}
        self.read_blocks: dict[Any, BlockArguments] = {}
        self.expanded: dict[Any, Expanded] = {}
        self.values: dict[Any, Any] = {}  # what the readers remember
        self.named: set[Spec] = set()  # specs whose names are all right
        self.alike: dict[Any, Expanded] = {}
        self._op_calls: dict[tuple[CallStep, type[Op]], OpCall] = {}
        self._block_calls: dict[tuple[CallStep, BlockSpec], BlockCall] = {}
        self._read_shape: dict[Step, bool] = {}
        self.formal: dict[BlockSpec, Mapping[str, bool]] = {}
        self._rates: dict[BlockSpec, Rate | None] = {}
        self._words: dict[Any, frozenset[str]] = {}
        self._inner: dict[Spec, ElaborationCache] = {}

    def of(self, spec: Spec) -> ElaborationCache:
        """Return the cache for a network that this one uses: its blocks are its own, all else is shared."""
        if spec not in self._inner:
            inner = self._inner[spec] = ElaborationCache(self)
            inner.interned = self.interned
        return self._inner[spec]

    def op_call(self, step: CallStep, kind: type[Op]) -> OpCall:
        """Return what a step gives to the op that it runs."""
        if (step, kind) not in self._op_calls:
            self._op_calls[step, kind] = op_call(step, kind)
        return self._op_calls[step, kind]

    def block_call(self, step: CallStep, block: BlockSpec) -> BlockCall:
        """Return what a step gives to the block that it runs."""
        if (step, block) not in self._block_calls:
            self._block_calls[step, block] = block_call(step, block)
        return self._block_calls[step, block]

    def reads_shape(self, step: Step) -> bool:
        """Return whether a text in a step might name ``shape``."""
        if step not in self._read_shape:
            self._read_shape[step] = any("shape" in text for text in texts_in(step))
        return self._read_shape[step]

    def rate(self, block: BlockSpec) -> Rate | None:
        """Return the parameter of a block that changes no shape in it, if it has one."""
        if block not in self._rates:
            self._rates[block] = rate_of(block)
        return self._rates[block]

    def context(self, key: Any, block: BlockSpec, blocks: Mapping[str, BlockSpec], globals: Mapping[str, Any]) -> Any:
        """The values of the parameters that a block's text, or that of any block it calls, might name."""
        if key not in self._words:
            self._words[key] = _all_words(key[0], block, blocks)
        words = self._words[key]
        return tuple((name, hashable(value)) for name, value in globals.items() if name in words)


def is_closed(block: BlockSpec) -> bool:
    """Return whether a block sees none of the spec's parameters, as it stands in another file."""
    return block.is_imported or library.owns(block.span.source)


def _all_words(name: str, block: BlockSpec, blocks: Mapping[str, BlockSpec]) -> frozenset[str]:
    """Every word in a block and in the blocks that it mentions, of those that see the parameters of the spec.

    A ``$`` may mention any.
    """
    found: set[str] = set()
    waiting, seen = [(name, block)], {id(block)}
    while waiting:
        around, current = waiting.pop()
        for text, words in _library_texts(current) if library.owns(current.span.source) else _texts(current):
            if not is_closed(current):
                found.update(words)
            named = (*words, text) if "." in text else words  # a block with a prefix
            for word in blocks if text.startswith("$") else named:
                for name in {word, block_meant(blocks, word, around) or word}:
                    for mentioned in (blocks.get(name), library.find(name)):
                        if mentioned is not None and id(mentioned) not in seen:
                            seen.add(id(mentioned))
                            waiting.append((name, mentioned))
    return frozenset(found)


def _texts(block: BlockSpec) -> list[tuple[str, list[str]]]:
    """Every text in a block, and the words in it."""
    return [(text, WORD.findall(text)) for text in texts_in(block)]


_library_texts = cache(_texts)
