"""Batches: the rows of an epoch in their order, prepared and augmented, as the network and its losses take them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.base import Transform
from netspec.train.data import Rows, TensorRows
from netspec.train.data.prefetch import prefetch
from netspec.train.data.transfer import copied_ahead
from netspec.train.names import resolve
from netspec.train.world import SINGLE_PROCESS, World

AT_ONCE = 2**30
"""Bytes that prepared rows may take in memory; if they take more, each batch is prepared by itself."""
POOL = 50
"""Batches whose rows are sorted by length together: enough for equal lengths, few enough for randomness."""


class Batch(NamedTuple):
    """One batch: ``inputs`` in the order of the network's, ``targets`` by output, [rows, …] each.

    ``rows`` is the number of rows in this process and ``whole`` that in all of them. A process without rows of its own
    gets one that does not count, and ``rows`` is 0.
    """

    inputs: tuple[Tensor | None, ...]
    targets: Mapping[str, Tensor]
    rows: int
    whole: int


def seeded(*parts: object) -> torch.Generator:
    """Return a generator whose numbers depend on ``parts`` alone: a seed, an epoch, a purpose."""
    digest = hashlib.sha256(":".join(map(str, parts)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


@dataclass(frozen=True, slots=True)
class ColumnBinding:
    """The columns of the network's inputs, ``None`` for one that the data lack, and of the outputs that have a loss."""

    inputs: tuple[str | None, ...]
    targets: Mapping[str, str]

    @property
    def columns(self) -> set[str]:
        """Return the names of all columns that are used."""
        return {name for name in self.inputs if name is not None} | {*self.targets.values()}


class Mixes(Protocol):
    """Mixes the rows of a batch, the one before its first included."""

    def mixed(self, batch: Batch, epoch: int, number: int) -> Batch:
        """Return the batch of that number in an epoch with each row mixed with the one before it."""


@dataclass(frozen=True, slots=True)
class Chances:
    """The random numbers of an epoch, from its batch ``first`` on: for each augmentation those of every place."""

    epoch: int
    first: int
    draws: Sequence[Tensor]


class Batches:
    """Batches of some rows of a data set. ``subset`` has the numbers of those rows, int64, [n]; all by default.

    ``padding`` maps columns of sequences to the number that pads them, for batches of rows of like length, cut to the
    longest. Each process of ``world`` gets its share of every batch, and as many batches as the others. Rows that are
    not in memory are prefetched by ``workers`` processes. ``drop_last`` leaves out the last batch of an epoch unless it
    is full. Augmentations of colours, and those before them, come before what takes images out of 0 to 1; ``mixer``
    comes last. ``sampled`` gives the places of an epoch's rows in the subset, else all of them by chance; ``views`` is
    the number of augmented views that a row is judged by besides.
    """

    def __init__(
        self,
        rows: Rows,
        columns: Mapping[str, Column],
        binding: ColumnBinding,
        device: torch.device,
        prepare: Sequence[Prepared] = (),
        augment: Sequence[tuple[Transform, tuple[str, ...]]] = (),
        subset: Tensor | None = None,
        seed: int = 0,
        padding: Mapping[str, int] | None = None,
        world: World = SINGLE_PROCESS,
        workers: int = 0,
        drop_last: bool = False,
        mixer: Mixes | None = None,
        sampled: Callable[[int], Tensor] | None = None,
        views: int = 0,
    ):
        self.world, self.workers, self.drop_last = world, workers, drop_last
        self.mixer, self.sampled, self.views = mixer, sampled or self._permuted, views
        self.columns, self.binding, self.device, self.seed = columns, binding, device, seed
        self.augment = tuple(augment)
        self._early = max((at + 1 for at, (each, _) in enumerate(augment) if each.of_colours), default=0)
        rescaling = (at for at, each in enumerate(prepare) if self._early and each.transform.rescales)
        first = next(rescaling, len(prepare))
        self.prepare, self.rescale = tuple(prepare[:first]), tuple(prepare[first:])
        self.subset = torch.arange(len(rows)) if subset is None else subset
        self.rows, self.padding, self.lengths = rows, padding or {}, torch.empty(0)
        self.place = device if isinstance(rows, TensorRows) else torch.device("cpu")  # where numbers of rows are used
        self.ready = False  # whether the rows are prepared once and for all, but for what rescales them
        if isinstance(rows, TensorRows):
            needed = {name: tensor for name, tensor in rows.tensors.items() if name in binding.columns}
            self.rows = TensorRows(needed).to(device)
            if 4 * sum(tensor.numel() for tensor in needed.values()) <= AT_ONCE:
                self.rows, self.ready = TensorRows(self._prepared(dict(self.rows.tensors))), True
            filled = [(needed[name] != pad).sum(1) for name, pad in self.padding.items()]
            self.lengths = torch.stack(filled).sum(0) if filled else self.lengths

    def __len__(self) -> int:
        return len(self.subset)

    def steps(self, batch: int | None) -> int:
        """Return the number of batches of ``batch`` rows in an epoch, all rows being one batch if that is ``None``."""
        size = batch or len(self)
        return len(self) // size if self.drop_last else -(-len(self) // size)

    def shuffled(self, epoch: int, batch: int | None, skip: int = 0, alone: bool = False) -> Iterator[Batch]:
        """Yield the batches of an epoch but for the first ``skip``, in an order that seed and epoch decide.

        With ``alone`` they are whole, as if there were no other process.
        """
        order = self.subset[self.sampled(epoch)]
        draws = self._draws(len(order), epoch)
        places: Sequence[Tensor] = torch.split(torch.arange(len(order)), batch or len(order))
        if len(self.lengths) and batch is not None:
            places = self._by_length(order, batch, epoch)
        if self.drop_last and batch is not None:
            places = [each for each in places if len(each) == batch]
        yield from self._batches(order, places[skip:], Chances(epoch, skip, draws), SINGLE_PROCESS if alone else None)

    def _draws(self, count: int, *purpose: object) -> list[Tensor]:
        """Return the random numbers of each augmentation for so many places, which seed and purpose decide."""
        generators = [seeded(self.seed, each.name, number, *purpose) for number, (each, _) in enumerate(self.augment)]
        return [
            torch.rand(count, each.draws, generator=generator).to("cpu" if each.apart else self.place)
            for (each, _), generator in zip(self.augment, generators)
        ]

    def _permuted(self, epoch: int) -> Tensor:
        return torch.randperm(len(self), generator=seeded(self.seed, "order", epoch))

    def in_order(self, batch: int) -> Iterator[Batch]:
        """Yield all rows in their own order."""
        yield from self._batches(self.subset, torch.split(torch.arange(len(self)), batch))

    def numbered(self, batch: int) -> Iterator[tuple[Tensor, Batch]]:
        """Yield all rows in their own order, with the numbers of this process's own, int64, [rows]."""
        for index, each in zip(torch.split(self.subset, batch), self.in_order(batch)):
            yield index[self.world.part(len(index))], each

    def judged(self, batch: int) -> Iterator[list[Batch]]:
        """Yield all rows as they are judged: each batch as it is, and its views after it."""
        views = [Chances(0, 0, self._draws(len(self), "view", number)) for number in range(self.views)]
        yield from map(list, zip(self.every(batch), *(self.every(batch, chances) for chances in views)))

    def every(self, batch: int, chances: Chances | None = None) -> Iterator[Batch]:
        """Yield all rows, augmented by ``chances``, in the fastest order: by length, if batches are cut to it."""
        order = self.lengths[self.subset].argsort(stable=True) if len(self.lengths) else torch.arange(len(self))
        # Of too few rows for all processes each has all: what is measured of none has no value.
        world = self.world if len(self) >= self.world.size else SINGLE_PROCESS
        yield from self._batches(self.subset, torch.split(order, batch), chances, world)

    def take(self, index: Tensor) -> Batch:
        """Return the rows of ``index`` (int64, [n]), which counts the rows of the subset."""
        index = self.subset[index]
        (placed,) = self._placed([index])
        return self._batch(self._take_rows(placed), (), len(index), len(index))

    def _by_length(self, order: Tensor, batch: int, epoch: int) -> Sequence[Tensor]:
        """Return the places of an epoch in batches of like length, the batches shuffled again."""
        lengths = self.lengths[order]
        pools = torch.split(torch.arange(len(order)), POOL * batch)
        batches = torch.split(torch.cat([pool[lengths[pool].argsort(stable=True)] for pool in pools]), batch)
        chance = torch.randperm(len(batches), generator=seeded(self.seed, "batches", epoch))
        return [batches[number] for number in chance]

    def _trimmed(self, batch: Batch) -> Batch:
        """Return a batch without the positions at the end that are padding in all of its rows."""
        inputs, targets = zip(self.binding.inputs, batch.inputs), self.binding.targets.items()
        return batch._replace(
            inputs=tuple(trimmed(tensor, self.padding.get(name or "")) for name, tensor in inputs),
            targets={output: trimmed(batch.targets[output], self.padding.get(name)) for output, name in targets},
        )

    def _batches(
        self, order: Tensor, places: Sequence[Tensor], chances: Chances | None = None, world: World | None = None
    ) -> Iterator[Batch]:
        """Yield this process's share of the batches; ``places`` are those of their rows' numbers in ``order``."""
        wholes = counts = [each.shape[0] for each in places]
        world, mixer = world or self.world, None if chances is None else self.mixer
        shares = places
        if world.size > 1:
            parts = [batch[world.part(whole)] for batch, whole in zip(places, wholes)]
            counts = [each.shape[0] for each in parts]
            shares = [part if count else batch[:1] for batch, part, count in zip(places, parts, counts)]
        if mixer is not None:
            shares = [with_one_before(share, batch) for share, batch in zip(shares, places)]
        rows = order[torch.cat([*shares])] if shares else order
        batches = self._placed(torch.split(rows, [each.shape[0] for each in shares]))
        draws = self._drawn(shares, chances)
        for at, (tensors, drawn, count, whole) in enumerate(zip(self._read(batches), draws, counts, wholes)):
            made = self._batch(tensors, drawn, count, whole)
            if mixer is not None and chances is not None:
                made = without_first(mixer.mixed(made, chances.epoch, chances.first + at))
            yield self._trimmed(made) if self.padding else made

    def _drawn(self, places: Sequence[Tensor], chances: Chances | None) -> Iterator[list[Tensor]]:
        """Yield the random numbers of each batch: for each augmentation those of its places."""
        if chances is None or not chances.draws:
            yield from repeat([], len(places))
            return
        for here, there in zip(places, self._placed(places)):
            yield [draws[here if draws.device.type == "cpu" else there] for draws in chances.draws]

    def _placed(self, batches: Sequence[Tensor]) -> Sequence[Tensor]:
        """Return the numbers of rows on the device of those; all at once, as each copy would wait for it."""
        if self.place.type == "cpu" or not batches:
            return batches
        return torch.split(torch.cat([*batches]).to(self.place), [each.shape[0] for each in batches])

    def _read(self, batches: Sequence[Tensor]) -> Iterator[dict[str, Tensor]]:
        """Return the rows of each batch, on the device."""
        if isinstance(self.rows, TensorRows) or self.workers == 0:
            return map(self.rows.take if isinstance(self.rows, TensorRows) else self._take_rows, batches)
        on_gpu = self.device.type == "cuda"
        rows = prefetch(self.rows, batches, self.workers, pinned=on_gpu)
        return copied_ahead(rows, self.device) if on_gpu else map(self._moved, rows)

    def _take_rows(self, index: Tensor) -> dict[str, Tensor]:
        """Return rows by their numbers, on the device."""
        if isinstance(self.rows, TensorRows):
            return self.rows.take(index)
        return self._moved(self.rows.take(index))

    def _moved(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: tensor.to(self.device, non_blocking=True) for name, tensor in tensors.items()}

    def _batch(self, tensors: dict[str, Tensor], draws: Sequence[Tensor], count: int, whole: int) -> Batch:
        """Return rows as the network takes them: prepared, and augmented by the random numbers of each row."""
        tensors = tensors if self.ready else self._prepared(tensors)
        tensors = self._augmented(tensors, draws, slice(0, self._early))
        tensors = in_single(transformed(tensors, self.rescale)) if self.rescale else tensors
        tensors = self._augmented(tensors, draws, slice(self._early, None))
        inputs = tuple(None if name is None else tensors[name] for name in self.binding.inputs)
        return Batch(inputs, {output: tensors[name] for output, name in self.binding.targets.items()}, count, whole)

    def _augmented(self, tensors: dict[str, Tensor], draws: Sequence[Tensor], part: slice) -> dict[str, Tensor]:
        """Return rows changed by some of the augmentations, if there are random numbers for it."""
        for (transform, names), drawn in zip(self.augment[part], draws[part]):
            change = resolve(transform.torch)
            numbers = (drawn if transform.apart else drawn.to(self.device),) if transform.draws else ()
            tensors |= {name: change(transform, tensors[name], *numbers) for name in names}
        return tensors

    def _prepared(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return rows as numbers from 0 to 1 where they are bytes, and transformed, but for what rescales them."""
        tensors = transformed(numbers_of(tensors, self.columns), self.prepare)
        return tensors if self.rescale else in_single(tensors)


def transformed(tensors: dict[str, Tensor], transforms: Sequence[Prepared]) -> dict[str, Tensor]:
    """Return rows with their transforms applied."""
    for transform in transforms:
        tensors |= {name: change(tensors[name]) for name, change in transform.changes.items() if name in tensors}
    return tensors


def in_single(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return rows with numbers of double precision in single precision."""
    return {name: tensor.float() if tensor.dtype == torch.float64 else tensor for name, tensor in tensors.items()}


def with_one_before(share: Tensor, batch: Tensor) -> Tensor:
    """Return a part of a batch, the places of its rows, with the one before it; the last is before the first."""
    return torch.cat([batch[(batch == share[0]).nonzero()[0] - 1], share])


def without_first(batch: Batch) -> Batch:
    """Return a batch without its first row."""
    inputs = tuple(None if each is None else each[1:] for each in batch.inputs)
    return batch._replace(inputs=inputs, targets={name: each[1:] for name, each in batch.targets.items()})


def split(batch: Batch, count: int) -> list[Batch]:
    """Return a batch in ``count`` parts, whose sizes differ by one row at most."""
    if count == 1:
        return [batch]
    places = torch.arange(batch.rows).tensor_split(count)
    return [part_of(batch, slice(int(each[0]), int(each[-1]) + 1)) for each in places]


def part_of(batch: Batch, part: slice) -> Batch:
    """Return some rows of a batch."""
    inputs = tuple(None if tensor is None else tensor[part] for tensor in batch.inputs)
    rows = part.stop - part.start
    return Batch(inputs, {name: tensor[part] for name, tensor in batch.targets.items()}, rows, batch.whole)


def trimmed(rows: Any, padding: int | None) -> Any:
    """Return sequences, [n, T, …], without the positions at the end that are padding in all rows; others unchanged."""
    if rows is None or padding is None:
        return rows
    places = (rows != padding).any(0).nonzero()
    return rows[:, : int(places.max()) + 1 if len(places) else 1]


def numbers_of(rows: Mapping[str, Tensor], columns: Mapping[str, Column]) -> dict[str, Tensor]:
    """Return columns with bytes that stand for real numbers as float32 from 0 to 1."""
    return {
        name: tensor.to(torch.float32).div_(255)
        if tensor.dtype == torch.uint8 and columns[name].dtype.startswith("float")
        else tensor
        for name, tensor in rows.items()
    }


@dataclass(frozen=True, slots=True)
class Prepared:
    """A transform with the function for each column that it applies to, and the states that it has learned of them."""

    transform: Transform
    changes: Mapping[str, Any]
    states: Mapping[str, Tensor]


def own_scale(prepare: Sequence[Prepared], column: str) -> Callable[[Tensor], Tensor] | None:
    """Return the function that takes a target's numbers, and predictions of them, back to the scale of the data;
    ``None`` if they are in it.
    """
    found = [each.states[column] for each in prepare if each.transform.for_targets and column in each.states]

    def undone(rows: Tensor) -> Tensor:
        for state in reversed(found):
            mean, std = state.to(rows.device, rows.dtype)
            rows = rows * std + mean
        return rows

    return undone if found else None


def prepare_transforms(
    transforms: Sequence[Transform],
    columns: Mapping[str, Column],
    rows: Rows,
    subset: Tensor,
    known: Sequence[Mapping[str, Tensor]] | None = None,
) -> list[Prepared]:
    """Return the transforms of a recipe, fitted to the rows of ``subset``, or with the states that are ``known``."""
    ready: list[Prepared] = []
    shapes = dict(columns)
    for number, transform in enumerate(transforms):
        names = [name for name, column in shapes.items() if transform.takes(column)]
        shapes |= {name: transform.infer(shapes[name]) for name in names}
        function = resolve(transform.torch)
        if not transform.fits:
            ready.append(Prepared(transform, dict.fromkeys(names, partial(function, transform)), {}))
            continue
        if known is not None:
            states = known[number]
        else:
            tensors = numbers_of(rows.take(sample(rows, subset, columns)), columns)
            for each in ready:
                tensors |= {name: change(tensors[name]) for name, change in each.changes.items()}
            states = {name: function.fit(transform, tensors[name]) for name in names}
        changes = {name: partial(_with_state, function, transform, states[name]) for name in names}
        ready.append(Prepared(transform, changes, states))
    return ready


def sample(rows: Rows, subset: Tensor, columns: Mapping[str, Column]) -> Tensor:
    """Return the numbers of the rows that a transform is fitted to: all, or a random share of those on disk."""
    if isinstance(rows, TensorRows):
        return subset
    each = sum(4 * math.prod(size or 1 for size in column.shape) for column in columns.values())
    order = torch.randperm(len(subset), generator=seeded("sample", len(subset)))
    return subset[order[: max(1, AT_ONCE // max(each, 1))]]


def _with_state(function: Any, transform: Transform, state: Tensor, rows: Tensor) -> Tensor:
    changed: Tensor = function(transform, rows, state.to(rows.device))
    return changed
