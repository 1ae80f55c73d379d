"""The report of an import: what it came to, how it was compared with the original, and what is to be done next."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from netspec.analysis.costs import Costs
from netspec.graph import Call, walk
from netspec.text.quantities import short, short_bytes

if TYPE_CHECKING:
    from netspec.importer.imported import ImportedSpec
    from netspec.importer.prove import Proof

LABELS = 10
"""The width of the column that says what a line is of."""


def import_report(spec: ImportedSpec, path: str | None, weights: str | None, width: int) -> str:
    """Return the report, in lines of at most ``width``; ``path`` and ``weights`` are the files that were written."""
    lines = [*_lines(spec, path, weights)]
    return "\n".join(_wrapped(label, text, width) for label, text in lines)


def _wrapped(label: str, text: str, width: int) -> str:
    first, *others = text.split("\n")
    whole = textwrap.TextWrapper(width, subsequent_indent=" " * LABELS, break_long_words=False, break_on_hyphens=False)
    return "\n".join([whole.fill(f"{label:<{LABELS}}{first}"), *(f"{' ' * LABELS}{line}" for line in others)])


def _lines(spec: ImportedSpec, path: str | None, weights: str | None) -> Iterator[tuple[str, str]]:
    yield "spec", f"{path or spec.name}: {_extent(spec)}"
    if weights is not None:
        yield "weights", f"{weights}: {short_bytes(Path(weights).stat().st_size)}"
    if spec.proof is not None:
        yield from _proof(spec.proof)
    if spec.left_open:
        yield "opaque", f"what follows has no counterpart and is shown, but cannot be built: {spec.left_open}"
    for note in spec.notes:
        yield "note", note
    if path is not None:
        yield "next", f"netspec {'shapes' if spec.left_open else 'build'} {shlex.quote(path)}"


def _extent(spec: ImportedSpec) -> str:
    """The length of the text, and the size of the network."""
    graph = spec.model.graph
    cost = Costs(graph.sizes).of(graph.body)
    levels = sum(isinstance(step, Call) for _, step, _ in walk(graph.body))
    parts = [_counted(spec.text.count("\n"), "line")]
    parts += [_counted(spec.block_count, "block")] if spec.block_count else []
    parts += [_counted(levels, "level")] if levels else []
    parts += [_counted(cost.params, "parameter")]
    return f"{', '.join(parts)}; {short(cost.macs)} MACs{at_sizes(graph.sizes)}"


def _proof(proof: Proof) -> Iterator[tuple[str, str]]:
    if proof.holds:
        yield "verified", f"it computes what the original does, {proof.text()}"
    elif proof.missing:
        few = ", ".join(proof.missing[:3]) + (" …" if len(proof.missing) > 3 else "")
        yield "differs", f"the original has no {few}, which the spec has"
    elif proof.trials:
        yield "differs", f"it does not compute what the original does: {proof.text()}"
        if proof.layer is not None:
            yield "first in", proof.layer.told()
    else:
        yield "unproven", "the original ran at no size that was tried, so nothing was compared"
    for refused in proof.refused:
        yield "not tried", refused


def at_sizes(sizes: Mapping[str, int]) -> str:
    """Return `` at N=1, H=64``, or nothing where there are no symbolic dimensions."""
    return f" at {', '.join(f'{name}={size}' for name, size in sizes.items())}" if sizes else ""


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"
