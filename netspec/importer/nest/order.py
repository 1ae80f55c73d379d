"""The order of the steps of each group: what is read comes first, and a group stays together wherever it can."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence

from netspec.importer.nest.groups import Item, PlacedStep, StepGroup


def put_in_order(group: StepGroup, numbers: Mapping[int, int]) -> None:
    """Order a group's children, and theirs; ``numbers`` has the place of each step in the program, by identity.

    Groups that read each other in turn, as two lists of modules that are called alternately, are taken apart: their
    children stand in their place, by a name with dots.
    """
    while True:
        reads = _reads(group.children)
        knots = [knot for knot in _cycles(reads) if len(knot) > 1]
        if not knots:
            break
        _take_apart(group, {at for knot in knots for at in knot})
    group.children = _sorted(group.children, reads, numbers)
    for child in group.children:
        if isinstance(child, StepGroup):
            put_in_order(child, numbers)


def leaves_of(item: Item) -> Iterator[PlacedStep]:
    """Yield the steps of a group, or the step itself."""
    if isinstance(item, PlacedStep):
        yield item
    else:
        yield from item.leaves()


def _reads(children: Sequence[Item]) -> list[set[int]]:
    """Return the numbers of the children that each child reads."""
    maker: dict[int, int] = {}
    for at, child in enumerate(children):
        for leaf in leaves_of(child):
            assert leaf.step.reading is not None
            maker |= {id(tensor): at for tensor in leaf.step.reading.outputs if tensor is not None}
    reads: list[set[int]] = []
    for child in children:
        inputs = (
            tensor for leaf in leaves_of(child) for tensor in (leaf.step.reading.inputs if leaf.step.reading else ())
        )
        reads.append({maker[id(tensor)] for tensor in inputs if tensor is not None and id(tensor) in maker})
    return [each - {at} for at, each in enumerate(reads)]


def _take_apart(group: StepGroup, knot: set[int]) -> None:
    """Replace the groups of a knot that are no module's call, or else all of them, by their children."""
    parts = [at for at in knot if isinstance(group.children[at], StepGroup)]
    parts = [at for at in parts if getattr(group.children[at], "loop", None) is None] or parts  # a scan stays whole
    parts = [at for at in parts if getattr(group.children[at], "call", None) is None] or parts
    children: list[Item] = []
    for at, child in enumerate(group.children):
        if at not in parts or isinstance(child, PlacedStep):
            children.append(child)
            continue
        for inner in child.children:
            if inner.name or inner.keyed:
                inner.name = f"{child.name}.{inner.name}" if inner.name else ""
            if isinstance(inner, PlacedStep):
                inner.keys = {name: f"{child.name}.{key}" for name, key in inner.keys.items()}
            children.append(inner)
    group.children = children


def _sorted(children: Sequence[Item], reads: Sequence[set[int]], numbers: Mapping[int, int]) -> list[Item]:
    """Return the children in an order that they can run in, which is the program's where that can be."""
    place = [min(numbers[id(leaf.step)] for leaf in leaves_of(child)) for child in children]
    waiting = [len(each) for each in reads]
    readers: list[list[int]] = [[] for _ in children]
    for at, each in enumerate(reads):
        for other in each:
            readers[other].append(at)
    ready = [(place[at], at) for at, count in enumerate(waiting) if count == 0]
    heapq.heapify(ready)
    ordered: list[Item] = []
    while ready:
        _, at = heapq.heappop(ready)
        ordered.append(children[at])
        for reader in readers[at]:
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heapq.heappush(ready, (place[reader], reader))
    return ordered


def _cycles(reads: Sequence[set[int]]) -> list[list[int]]:
    """Return the strongly connected parts (Tarjan 1972), without recursion."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    on_stack: set[int] = set()
    parts: list[list[int]] = []
    for root in range(len(reads)):
        if root in index:
            continue
        work = [(root, iter(sorted(reads[root])))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            at, rest = work[-1]
            following = next((other for other in rest if other not in index or other in on_stack), None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[at])
                if low[at] == index[at]:
                    cut = stack.index(at)
                    parts.append(stack[cut:])
                    on_stack -= set(stack[cut:])
                    del stack[cut:]
            elif following in index:
                low[at] = min(low[at], index[following])
            else:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(sorted(reads[following]))))
    return parts
