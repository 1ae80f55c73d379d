"""Sizes of the symbolic dimensions: those that costs are quoted at, and others to try a network with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice, product

from netspec.diagnostics import Report
from netspec.dims import evaluate
from netspec.elaborate.passes.draft import Draft
from netspec.elaborate.state.requirements import empty_dims, explain, holds, symbols_of
from netspec.graph import Graph, Requirement, Value, walk

COMMON = (64, 128, 224, 256, 512, 32, 16, 8, 1024, 299, 100, 2048, 4096)
"""Sizes to try for a dimension that the author gave none, most usual first."""

TELLING = 3
"""The least size inside a network at which all weights of the usual kernels count."""

LARGEST, LARGEST_BATCH, MOST_ATTEMPTS = 300, 65, 4096
"""The largest sizes that are tried if none of these will do, and the most combinations of several."""


def choose_sizes(
    inputs: Mapping[str, Value], declared: Mapping[str, int], requirements: Sequence[Requirement], report: Report
) -> dict[str, int]:
    """A size for every symbolic dimension. An author's are kept; a batch is 1; the rest are the first that fit.

    What only training requires does not bind them.
    """
    requirements = [requirement for requirement in requirements if not requirement.training]
    names = list(dict.fromkeys(name for value in inputs.values() for name in _ordered_symbols(value)))
    batch = {symbol for value in inputs.values() for symbol in _symbols(value.shape[:1])}
    free = [name for name in names if name not in declared]
    base = {name: declared[name] for name in names if name in declared}
    for attempt in chain(_usual(free, batch), _searched(free, batch, base, requirements)):
        if all(holds(requirement, {**base, **attempt}) for requirement in requirements):
            return {name: {**base, **attempt}[name] for name in names}
    sizes = {**base, **next(_usual(free, batch))}
    for requirement in requirements:
        if not holds(requirement, sizes):
            told = f"{requirement.reason}: {explain(requirement, sizes)}"
            at = ", ".join(f"{name} = {sizes[name]}" for name in sorted(symbols_of(requirement)))
            help = "none of the usual sizes fits; if another does, set it under `dims`"
            report.error("shape-mismatch", f"{told}, at {at}", requirement.span, help=help)
            break
    report.raise_if_any()
    return sizes


def set_sizes(draft: Draft) -> None:
    """Set ``sizes``. Raises ``SpecError`` where none is found that meets the requirements."""
    report = draft.reader.report
    draft.sizes = choose_sizes(draft.inputs, draft.declared, draft.requirements, report)


def first_that_fit(graph: Graph, fits: Callable[[Mapping[str, int]], bool]) -> dict[str, int] | None:
    """The graph's sizes if they fit, else the usual ones, the smallest first, that inference runs at and that do."""
    requirements = [requirement for requirement in graph.requirements if not requirement.training]
    batch = batch_dims(graph)
    names = [*graph.sizes]
    smaller = sorted((*_usual(names, batch),), key=lambda sizes: [*sizes.values()])
    for attempt in chain((dict(graph.sizes),), smaller, _searched(names, batch, {}, requirements)):
        if all(holds(requirement, attempt) for requirement in requirements) and fits(attempt):
            return attempt
    return None


def batch_dims(graph: Graph) -> frozenset[str]:
    """Return the symbolic dimensions that come first in an input: batches, as a rule."""
    return frozenset(symbol for value in graph.inputs.values() for symbol in _symbols(value.shape[:1]))


def only_batch(graph: Graph) -> bool:
    """Return whether no dimension but batches is symbolic, so that each run costs as much as the network does."""
    return graph.sizes.keys() <= batch_dims(graph)


def _usual(names: Sequence[str], batch: Collection[str]) -> Iterator[dict[str, int]]:
    """A batch of 1, and the same size for all other dimensions."""
    for size in COMMON:
        yield {name: 1 if name in batch else size for name in names}


def _searched(
    names: Sequence[str], batch: Collection[str], known: Mapping[str, int], requirements: Sequence[Requirement]
) -> Iterator[dict[str, int]]:
    """Of each dimension the sizes that it may have by itself: first the same for all but the batch, then any."""
    possible = {}
    for name in names:
        usual = range(1, LARGEST_BATCH) if name in batch else dict.fromkeys((*COMMON, *range(LARGEST, 0, -1)))
        possible[name] = _possible(name, known, usual, requirements)
        if not possible[name]:
            return
    first = {name: possible[name][0] for name in names}
    others = [set(sizes) for name, sizes in possible.items() if name not in batch]
    for size in COMMON if others else ():
        if all(size in sizes for sizes in others):
            yield {name: first[name] if name in batch else size for name in names}
    yield from _together(possible)


def _possible(
    name: str, known: Mapping[str, int], usual: Iterable[int], requirements: Sequence[Requirement]
) -> list[int]:
    """The usual sizes of a dimension at which holds what is required of it alone, or of it and known sizes."""
    alone = [each for each in requirements if name in symbols_of(each) and symbols_of(each) <= {name, *known}]
    usual = (0, *usual) if name in empty_dims(alone) else usual
    return [size for size in usual if all(holds(each, {**known, name: size}) for each in alone)]


def _together(possible: Mapping[str, Sequence[int]]) -> Iterator[dict[str, int]]:
    """Some thousand combinations of the first sizes of each dimension."""
    each = max(2, int(MOST_ATTEMPTS ** (1 / max(1, len(possible)))))
    for sizes in islice(product(*(sizes[:each] for sizes in possible.values())), MOST_ATTEMPTS):
        yield dict(zip(possible, sizes))


def other_sizes(
    graph: Graph, count: int, fits: Callable[[Mapping[str, int]], bool] = lambda sizes: True
) -> list[dict[str, int]]:
    """``count`` assignments that fit and that inference can run at, each dimension different in each where possible.

    The first is ``graph.sizes``; the others are smaller where they can be, to be cheap, and uneven, to be telling.
    """
    requirements = [requirement for requirement in graph.requirements if not requirement.training]
    found = [dict(graph.sizes)]
    _extend(found, count, filter(fits, _candidates(graph)), graph.sizes, requirements)
    if len(found) < count and graph.sizes:
        possible = _near(graph, requirements)
        varied = [name for name, sizes in possible.items() if len(sizes) >= count]
        _extend(found, count, filter(fits, _together(possible)), varied, requirements)
    return found


def _extend(
    found: list[dict[str, int]],
    count: int,
    attempts: Iterator[dict[str, int]],
    varied: Collection[str],
    requirements: Sequence[Requirement],
) -> None:
    """Add attempts that fit, up to ``count`` in all, each ``varied`` dimension different in each."""
    for attempt in attempts:
        if len(found) == count:
            return
        distinct = all(attempt[name] not in {sizes[name] for sizes in found} for name in varied)
        if distinct and attempt not in found and all(holds(requirement, attempt) for requirement in requirements):
            found.append(attempt)


def _near(graph: Graph, requirements: Sequence[Requirement]) -> dict[str, list[int]]:
    """Return the sizes that each dimension may have by itself, those near half of its present one first."""
    batch = batch_dims(graph)
    made = {}
    for name, size in graph.sizes.items():
        usual = sorted(range(1, max(LARGEST_BATCH, 2 * size)), key=lambda to: abs(2 * to - size))
        made[name] = _possible(name, {}, usual[: LARGEST_BATCH if name in batch else LARGEST], requirements)
    return made


def small_sizes(graph: Graph) -> dict[str, int]:
    """Sizes that inference can run at, as small as may be but above 1, and different from each other.

    A batch is 2; where the rest is fixed, and so may be large, it is 1.
    """
    requirements = [requirement for requirement in graph.requirements if not requirement.training]
    batch = batch_dims(graph)
    samples = 2 if graph.sizes.keys() - batch else 1
    for unit, least in product((1, 2, 4, 8, 16, 32, 64), range(2, 66)):
        attempt = {name: unit * (least + position) for position, name in enumerate(graph.sizes)}
        attempt.update(dict.fromkeys(batch, samples))
        if all(holds(requirement, attempt) for requirement in requirements):
            return attempt
    return other_sizes(graph, 2)[-1]


def quick_sizes(graph: Graph) -> list[dict[str, int]]:
    """Return three assignments, where there are as many, that inference can run at, cheap but telling.

    Uneven ones, primes where they will do, at which no size inside the network is below ``TELLING``, as of a 3×3 kernel
    on a single pixel eight weights count for nothing; the smallest of all, 1 where it will do; and ``small_sizes``. If
    only a batch is symbolic, so that each run costs as much as the network does, the smallest batch comes first.
    """
    requirements = [requirement for requirement in graph.requirements if not requirement.training]
    batch = batch_dims(graph)
    made = (value for _, step, training in walk(graph.body) if not training for value in step.outputs)
    inner = {size for value in made for size in value.shape}
    least = {size: min(TELLING, evaluate(size, graph.sizes)) for size in inner if not isinstance(size, int)}

    def possible(usual: Sequence[int], found: Sequence[Mapping[str, int]]) -> dict[str, list[int]]:
        """The sizes of each dimension that it has in no assignment yet."""
        fit = {name: _possible(name, {}, usual, requirements) for name in graph.sizes}
        return {
            name: [size for size in sizes if size not in {each[name] for each in found}] or [found[0][name]]
            for name, sizes in fit.items()
        }

    def is_telling(sizes: Mapping[str, int]) -> bool:
        return all(evaluate(size, sizes) >= few for size, few in least.items())

    found = [small_sizes(graph)]
    _extend(found, 2, _together(possible(range(1, LARGEST), found)), (), requirements)
    uneven = sorted(range(3, LARGEST), key=lambda size: not _is_prime(size))
    attempts = chain(_apart(possible(uneven, found), batch), _candidates(graph), (dict(graph.sizes),))
    _extend(found, 3, filter(is_telling, attempts), (), requirements)
    return found if only_batch(graph) else found[::-1]


def _apart(possible: Mapping[str, Sequence[int]], batch: Collection[str]) -> Iterator[dict[str, int]]:
    """The first size of each batch, and ever later ones of the other dimensions, all different where they can be.

    The fourth comes first: a recurrent network adds up what differs, and over five steps that may be too little.
    """
    most = max(map(len, possible.values()), default=0)
    for start in chain(range(3, most), range(min(3, most))):
        attempt: dict[str, int] = {}
        for name, sizes in possible.items():
            later = sizes if name in batch else [*sizes[start:], *sizes]
            attempt[name] = next((size for size in later if size not in attempt.values()), later[0])
        yield attempt


def _is_prime(number: int) -> bool:
    return number > 1 and all(number % divisor for divisor in range(2, int(number**0.5) + 1))


def _candidates(graph: Graph) -> Iterator[dict[str, int]]:
    sizes = graph.sizes
    batch = batch_dims(graph)
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
