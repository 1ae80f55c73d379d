"""The backward pass through a level: gradients come, what is kept goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from netspec.analysis.memory.running import LiveStorages, Move, Peak
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.dims import Size
from netspec.graph import Value


def gradients_of(values: Sequence[Value], placed: Sequence[PlacedTensor | None]) -> list[tuple[Value, Size]]:
    """Return the values that gradients flow to, each with the bytes of its gradient."""
    return [(value, each.size) for value, each in zip(values, placed) if each is not None and each.needs]


class LevelBackward:
    """The backward pass through a level, as ``peak`` bytes are there at most: what its steps keep, and all gradients.

    Of a level that keeps ``kept`` bytes, with gradients coming to the values ``ends`` from outside.
    """

    def __init__(self, kept: Size, number: Callable[[Size], int]):
        self.live = LiveStorages(number)
        self.live.grow(kept)
        self.gradients: dict[Value, Storage] = {}
        self.made: set[str] = set()

    def begin(self, moves: Sequence[Move], ends: Sequence[Value]) -> None:
        """Receive the gradients of the level's outputs."""
        sizes = {value: size for move in moves for value, size in move.outputs}
        for value in dict.fromkeys(ends):
            if value in sizes:
                self.gradients[value] = Storage(sizes[value])
                self.live.add(self.gradients[value])
        self.live.moment()

    def step(self, move: Move) -> None:
        """Go back through a step: through a level by what is known of it, else all its gradients are there at once."""
        live = self.live
        given = [self.gradients.pop(value) for value, _ in move.outputs if value in self.gradients]
        if not given:  # nothing that is judged depends on it
            live.shrink(move.kept)
            return
        if move.inside:  # by its own account, in which are the gradients that it is given and what it keeps
            self.let_go(given)
            live.shrink(move.kept)
            live.moment(move.besides)
        results = [(value, given[0] if size is None else Storage(size)) for value, size in move.inputs]
        for _, storage in results:
            live.add(storage)
        if not move.inside:
            live.moment(Peak(live.number(move.weights) + move.besides.number, (move.weights,), peaks=(move.besides,)))
            self.let_go(given)
            live.shrink(move.kept)
        if move.module not in self.made:  # else they are added to those of a later run
            self.made.add(move.module)
            live.grow(move.weights)
        for value, storage in results:
            if value in self.gradients:  # the sum takes the place of the first
                live.moment()
                live.drop(storage)
            else:
                self.gradients[value] = storage
        live.moment()

    def let_go(self, storages: Sequence[Storage]) -> None:
        """Drop gradients that have been passed on."""
        for storage in storages:
            self.live.drop(storage)


def backward_peak(moves: Sequence[Move], ends: Sequence[Value], kept: Size, number: Callable[[Size], int]) -> Peak:
    """Return the most that is there in the backward pass of a level, of the ``kept`` bytes and of gradients.

    ``ends`` are the values whose gradients come from outside.
    """
    walk = LevelBackward(kept, number)
    walk.begin(moves, ends)
    for move in reversed(moves):
        walk.step(move)
    return walk.live.peak
