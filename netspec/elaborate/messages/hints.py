"""Guesses at what an author meant, looked up only when something is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.diagnostics import Span
from netspec.spec import BlockSpec, Step, nested


def find_named(
    name: str, network: Sequence[Step], blocks: Mapping[str, BlockSpec], current: str | None
) -> tuple[Span, str | None] | None:
    """Return the place of a step of this name, and the block it stands in; in the current block before others."""
    bodies: list[tuple[str | None, Sequence[Step]]] = [(None, network)]
    bodies += [(key, block.body) for key, block in blocks.items()]
    for key, body in sorted(bodies, key=lambda each: each[0] != current):
        for top in body:
            for step in nested(top):
                written = getattr(step, "name", None)
                if written is not None and written.text == name:
                    return written.span, key
    return None


def elsewhere_help(name: str, span: Span, block: str | None, current: str | None, read: Span) -> str:
    """Why a step that exists cannot be read, and what to do."""
    if block == current and span.source is read.source and span.order > read.order:
        return f"`{name}` is defined later, at line {span.line}: a step can only read what comes before it"
    if block != current:
        if block is None:
            return f"a block cannot see names outside it: add `{name}` to its `inputs`"
        return f"`{name}` is inside the block `{block}`: add it to the block's `outputs`"
    reach = "a path leads into a named group or loop, and a scan gives what it collects"
    return f"`{name}` is inside another step, at line {span.line}: {reach}"
