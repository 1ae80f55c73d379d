"""Sizes of the symbolic dimensions: those that costs are quoted at, and others to try a network with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product

from netspec.diagnostics import Report
from netspec.elaborate.requirements import explain, holds, symbols_of
from netspec.graph import Graph, Requirement, Value

COMMON = (64, 128, 224, 256, 512, 32, 16, 8, 1024, 299, 100, 2048, 4096, 1)
"""Sizes to try for a dimension that the author gave none, most usual first."""


def choose_sizes(
    inputs: Mapping[str, Value], declared: Mapping[str, int], requirements: Sequence[Requirement], report: Report
) -> dict[str, int]:
    """A size for every symbolic dimension. An author's are kept; a batch is 1; the rest are the first that fit.

    What only training requires does not bind them.
    """
    requirements = [requirement for requirement in requirements if not requirement.training]
    names = list(dict.fromkeys(name for value in inputs.values() for name in _ordered_symbols(value)))
    batch = {symbol for value in inputs.values() for symbol in _symbols(value.shape[:1])}
    free = [name for name in names if name not in declared and name not in batch]
    base = {name: declared.get(name, 1) for name in names}
    tries = [dict(zip(free, (size,) * len(free))) for size in COMMON]
    tries += [dict(zip(free, sizes)) for sizes in product(COMMON[:8], repeat=len(free))] if 1 < len(free) <= 3 else []
    for attempt in tries:
        if all(holds(requirement, {**base, **attempt}) for requirement in requirements):
            return {**base, **attempt}
    sizes = {**base, **tries[0]}
    for requirement in requirements:
        if not holds(requirement, sizes):
            told = f"{requirement.reason}: {explain(requirement, sizes)}"
            at = ", ".join(f"{name} = {sizes[name]}" for name in sorted(symbols_of(requirement)))
            help = "none of the usual sizes fits; if another does, give it under `dims`"
            report.error("shape-mismatch", f"{told}, at {at}", requirement.span, help=help)
            break
    report.raise_if_any()
    return sizes


def other_sizes(graph: Graph, count: int) -> list[dict[str, int]]:
    """``count`` assignments that inference can run at, each dimension different in each where that is possible.

    The first is ``graph.sizes``; the others are smaller where they can be, to be cheap, and uneven, to be telling.
    """
    requirements = [requirement for requirement in graph.requirements if not requirement.training]
    found = [dict(graph.sizes)]
    for attempt in _candidates(graph):
        if len(found) == count:
            break
        distinct = all(attempt[name] not in {sizes[name] for sizes in found} for name in attempt)
        if distinct and all(holds(requirement, attempt) for requirement in requirements):
            found.append(attempt)
    return found


def small_sizes(graph: Graph) -> dict[str, int]:
    """Sizes that inference can run at, as small as may be but above 1, and different from each other.

    A batch is 2; where the rest is fixed, and so may be large, it is 1.
    """
    requirements = [requirement for requirement in graph.requirements if not requirement.training]
    batch = {symbol for value in graph.inputs.values() for symbol in _symbols(value.shape[:1])}
    samples = 2 if graph.sizes.keys() - batch else 1
    for unit, least in product((1, 2, 4, 8, 16, 32, 64), range(2, 66)):
        attempt = {name: unit * (least + position) for position, name in enumerate(graph.sizes)}
        attempt.update(dict.fromkeys(batch, samples))
        if all(holds(requirement, attempt) for requirement in requirements):
            return attempt
    return other_sizes(graph, 2)[-1]


def _candidates(graph: Graph) -> Iterator[dict[str, int]]:
    sizes = graph.sizes
    batch = {symbol for value in graph.inputs.values() for symbol in _symbols(value.shape[:1])}
    spatial = [name for name in sizes if name not in batch]
    for unit in (1, 2, 4, 8, 16, 32, 64):  # networks that halve and join again take multiples of a power of two
        for step in range(4 * max((sizes[name] // unit for name in spatial), default=4)):
            attempt = {}
            for position, name in enumerate(sizes):
                if name in batch:
                    attempt[name] = sizes[name] + 1 + step % 7
                else:  # from about half downwards, then from the size itself upwards; dimensions out of step
                    size = sizes[name] // unit
                    down = size // 2 + 1 - step + position
                    attempt[name] = unit * (down if down >= 1 else size - down + 1)
            yield attempt


def _symbols(shape: Sequence[object]) -> set[str]:
    return set().union(*(getattr(size, "symbols", frozenset()) for size in shape))


def _ordered_symbols(value: Value) -> list[str]:
    return [name for size in value.shape for name in sorted(getattr(size, "symbols", ()))]
