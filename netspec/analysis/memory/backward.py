"""The backward pass through a level, and through a scan: gradients come, what is kept goes."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence

from netspec.analysis.memory.running import NONE, LiveStorages, Move, Peak
from netspec.analysis.memory.storage import PlacedTensor, Storage
from netspec.analysis.scan_schedule import ScanSchedule
from netspec.dims import Size, total
from netspec.graph import Value


def gradients_of(values: Sequence[Value], placed: Sequence[PlacedTensor | None]) -> list[tuple[Value, Size]]:
    """Return the values that gradients flow to, each with the bytes of its gradient."""
    return [(value, each.size) for value, each in zip(values, placed) if each is not None and each.needs]


class LevelBackward:
    """The backward pass through a level, as ``peak`` bytes are there at most: what its steps keep, and all gradients.

    Of a level that keeps ``kept`` bytes. ``adding``: the gradients of its parameters are there, from a later run.
    """

    def __init__(self, kept: Size, number: Callable[[Size], int], adding: bool):
        self.live = LiveStorages(number)
        self.live.grow(kept)
        self.gradients: dict[Hashable, Storage] = {}
        self.adding, self.made = adding, set[str]()

    def through(self, moves: Sequence[Move], ends: Sequence[Value]) -> None:
        """Go back through the steps of a level, with gradients coming to the values ``ends`` from outside."""
        self.receive_of(dict(output for move in moves for output in move.outputs), ends)
        for move in reversed(moves):
            self.step(move)

    def receive(self, gradients: Iterable[tuple[Hashable, Size]]) -> None:
        """Receive the gradients of values, each of so many bytes."""
        for value, size in gradients:
            self.gradients[value] = Storage(size)
            self.live.add(self.gradients[value])
        self.live.moment()

    def receive_of(self, sizes: Mapping[Value, Size] | Mapping[Hashable, Size], ends: Iterable[Value]) -> None:
        """Receive the gradients of those of the values ``ends`` that have ``sizes``."""
        self.receive((value, sizes[value]) for value in dict.fromkeys(ends) if value in sizes)

    def take(self, values: Iterable[Value]) -> dict[Value, Storage]:
        """Take the gradients of values out of those that the steps meet."""
        return {value: self.gradients.pop(value) for value in values if value in self.gradients}

    def step(self, move: Move) -> None:
        """Go back through a step: through a level by what is known of it, else all its gradients are there at once."""
        live = self.live
        given = [self.gradients.pop(value) for value, _ in move.outputs if value in self.gradients]
        if not given:  # nothing that is judged depends on it
            live.shrink(move.kept)
            return
        made = self.adding or move.module in self.made
        behind = move.adding if made else move.behind
        if not move.inside:
            live.moment(move.besides)
        self.let_go(given)
        live.shrink(move.kept)
        if move.inside:
            live.moment(behind)
        results = [(value, given[0] if size is None else Storage(size)) for value, size in move.inputs]
        for _, storage in results:
            live.add(storage)
        if not made:  # else they are added to those of a later run
            self.made.add(move.module)
            live.grow(move.weights)
        if behind is not NONE and not move.inside:
            live.moment(behind)
        for value, storage in results:
            first = self.gradients.setdefault(value, storage)
            if first is not storage:  # the sum takes the place of the first, or of the other if that is a view
                live.moment()
                if first.size == 0:
                    self.gradients[value] = storage
                else:
                    live.drop(storage)
        live.moment()

    def let_go(self, storages: Iterable[Storage]) -> None:
        """Drop gradients that have been passed on."""
        for storage in storages:
            self.live.drop(storage)


GoBack = Callable[[LevelBackward], None]
"""A way back through a level."""


def backward_peak(go_back: GoBack, kept: Size, number: Callable[[Size], int], adding: bool = False) -> Peak:
    """Return the most that is there in the backward pass of a level, of the ``kept`` bytes and of gradients."""
    walk = LevelBackward(kept, number, adding)
    go_back(walk)
    return walk.live.peak


class ScanBackward:
    """The backward pass through a scan of ``rest`` iterations behind the first.

    Its moves are those ``ahead`` of the loop, of the ``first`` iteration, of one that stands for all ``later`` ones,
    and ``behind`` the loop. ``whole`` has the bytes of the gradients that are there for all iterations at once: of what
    each reads a part of, and of what each leaves. ``copies`` are the gradients of copies of weights that the iterations
    share, and nothing around the scan. ``pieces`` are the gradients of what an iteration reads a part of: they are
    there until the first iteration's is.
    """

    def __init__(
        self,
        schedule: ScanSchedule,
        rest: Size,
        whole: Mapping[Value, Size],
        copies: Sequence[Size],
        ahead: Sequence[Move],
        first: Sequence[Move],
        later: Sequence[Move],
        behind: Sequence[Move],
    ):
        self.schedule, self.rest, self.whole, self.copies = schedule, rest, whole, copies
        self.ahead, self.first, self.later, self.behind = ahead, first, later, behind
        self.pieces: dict[Value, list[Storage]] = {}

    def run(self, walk: LevelBackward) -> None:
        """Go back through the scan."""
        walk.receive_of(self.whole, self.schedule.collected)
        for move in reversed(self.behind):
            walk.step(move)
        left, read = walk.take(self.schedule.kept), walk.take(self.schedule.whole)
        walk.receive_of(dict(output for move in self.later for output in move.outputs), self.schedule.following)
        self.loop(walk, left)
        walk.let_go(left.values())
        self.join(walk, read)
        for move in reversed(self.ahead):
            walk.step(move)

    def loop(self, walk: LevelBackward, left: Iterable[Value]) -> None:
        """Go back through the iterations, of which each gets a part of the gradients of what they have ``left``."""
        live = walk.live
        rest = live.number(self.rest)
        for _ in range(min(rest, 2)):  # in the second, gradients of weights are added for the first time
            self.iteration(walk, self.later, left)
            self.carry(walk)
        if rest > 2:
            live.shrink((self.rest - 2) * total(move.kept for move in self.later))
            for storages in self.pieces.values():
                storages.append(Storage((self.rest - 2) * storages[-1].size))
                live.add(storages[-1])
        self.iteration(walk, self.first, left)
        for size in self.copies:  # in float32, each beside its own
            live.moment(Peak(live.number(2 * size), (2 * size,)))
            live.grow(size)

    def iteration(self, walk: LevelBackward, moves: Sequence[Move], left: Iterable[Value]) -> None:
        """Go back through an iteration."""
        for value in left:
            walk.gradients.setdefault(value, Storage(0))  # a view
        for move in reversed(moves):
            walk.step(move)
        for value, storage in walk.take(self.schedule.cut).items():
            self.pieces.setdefault(value, []).append(storage)

    def carry(self, walk: LevelBackward) -> None:
        """Hand the gradients of an iteration's states to the iteration before, which makes them."""
        carried = [walk.gradients.pop(value, None) for value in self.schedule.states]
        for value, storage in zip(self.schedule.following, carried):
            if storage is not None and walk.gradients.setdefault(value, storage) is not storage:
                walk.live.drop(storage)

    def join(self, walk: LevelBackward, read: Mapping[Value, Storage]) -> None:
        """Make one gradient of the pieces of each sequence; some are ``read`` as a whole, too."""
        for value, storages in self.pieces.items():
            walk.receive([(value, self.whole[value])])
            walk.let_go(storages)
        self.pieces.clear()
        for value, storage in read.items():
            if walk.gradients.setdefault(value, storage) is not storage:
                walk.live.drop(storage)
