"""The division of the training rows: those that train, and those that are held back for validation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.recipes.losses import Loss
from netspec.recipes.recipe import Recipe
from netspec.train.data import Data
from netspec.train.data.batches import seeded

HELD_BACK = 0.1
FEWEST_TO_HOLD_BACK = 100
"""The fewest rows of which a tenth is held back for validation, if neither data nor recipe have rows for it."""
SOME = 3
"""Classes that a message names."""


@dataclass(frozen=True, slots=True)
class RowSplit:
    """Numbers of the training rows that train and that validate, int64, [n]; ``None`` if rows of their own validate."""

    train: Tensor
    validation: Tensor | None = None


def split_rows(recipe: Recipe, data: Data, targets: Mapping[str, str], fold: int | None = None) -> RowSplit:
    """Hold rows back for validation as the recipe says; the same ones for the same seed.

    If the rows have classes, an equal share of each is held back, and a class of one row trains. ``targets`` has the
    column of each output's target. Raises ``UsageError`` for more folds than rows.
    """
    count, settings = len(data.train), recipe.settings
    everything, classes = torch.arange(count), first_classes(recipe, data, targets)
    if fold is not None:
        assert settings.folds is not None
        if count < settings.folds:
            raise UsageError(f"{count} rows cannot be divided into {settings.folds} folds")
        order = torch.randperm(count, generator=seeded(settings.seed, "folds"))
        return _without(everything, _folds(order, settings.folds, classes)[fold])
    share = settings.validation
    if share is None and data.validation is None and count >= FEWEST_TO_HOLD_BACK:
        share = HELD_BACK
    if share is None:
        return RowSplit(everything)
    held = max(1, round(count * share))
    order = torch.randperm(count, generator=seeded(settings.seed, "validation"))
    return _without(everything, order[:held] if classes is None else _share_of_each(order, held, classes))


def first_classes(recipe: Recipe, data: Data, targets: Mapping[str, str]) -> Tensor | None:
    """Return the class of each training row, int64, [n], by the first loss that compares rows with classes."""
    by_loss = (classes_of(data, targets[name], loss) for name, loss in recipe.losses.items())
    return next((classes for classes in by_loss if classes is not None), None)


def classes_of(data: Data, name: str, loss: Loss) -> Tensor | None:
    """Return the class of each training row, int64, [n]; ``None`` if they have none, or must be read for it."""
    column = getattr(data.train, "column", None)
    values: Tensor | None = None if column is None else column(name)
    if values is None or values.dim() != 1 or loss.task == "numbers":
        return None
    return values.long() if loss.task == "classes" else (values > 0.5).long()


def lone_classes(recipe: Recipe, data: Data, targets: Mapping[str, str]) -> str | None:
    """Return a warning about classes of a single row; ``None`` if there are none."""
    for output, name in targets.items():
        loss = recipe.losses[output]
        classes = classes_of(data, name, loss)
        if classes is None:
            continue
        numbers, counts = torch.unique(classes, return_counts=True)
        lone = [int(each) for each in numbers[counts == 1] if int(each) != getattr(loss, "ignore_index", None)]
        if not lone:
            return None
        words = data.words.get(name)
        called = [f"`{words[each] if words else each}`" for each in lone[:SOME]]
        listed = ", ".join(called) + (f" and {len(lone) - SOME} more" if len(lone) > SOME else "")
        has = f"the class {listed} of `{name}` has" if len(lone) == 1 else f"the classes {listed} of `{name}` have"
        return f"{has} one row, which trains: no held-out row evaluates it"
    return None


@dataclass(frozen=True, slots=True)
class ClassSampler:
    """Draws the rows of an epoch, as many as there are, by their ``classes``, int64, [n].

    ``shares`` has the share of each class, up to a factor; it is divided among those that have rows.
    """

    classes: Tensor
    shares: Tensor
    seed: int

    def order(self, epoch: int) -> Tensor:
        """Return places in ``classes``, [n]: of each class all rows equally often, to one, in an order by chance."""
        generator = seeded(self.seed, "order", epoch)
        drawn = []
        for number, count in enumerate(self.counts().tolist()):
            rows = (self.classes == number).nonzero().flatten()
            turns = [torch.randperm(len(rows), generator=generator) for _ in range(-(-count // max(len(rows), 1)))]
            drawn += [rows[torch.cat(turns)[:count]]] if count else []
        places = torch.cat(drawn)
        return places[torch.randperm(len(places), generator=generator)]

    def counts(self) -> Tensor:
        """Return how many rows of each class an epoch has, int64, [classes]."""
        there = torch.bincount(self.classes, minlength=len(self.shares)) > 0
        shares = self.shares * there
        wanted = len(self.classes) * shares / shares.sum()
        counts = wanted.floor().long()
        more = (wanted - counts).argsort(descending=True, stable=True)[: len(self.classes) - int(counts.sum())]
        counts[more] += 1
        return counts


def class_sampler(recipe: Recipe, data: Data, targets: Mapping[str, str], rows: Tensor) -> ClassSampler:
    """Return what draws the training rows ``rows`` (int64, [n]) by their classes, as the recipe asks for.

    Raises ``ValueError`` if they have none that are known at once, or one that the recipe has no share of.
    """
    sample, classes = recipe.settings.sample, first_classes(recipe, data, targets)
    if classes is None:
        raise ValueError("`sample` needs rows with one class each, which are known before the rows are read")
    if int(classes.min()) < 0:
        raise ValueError(f"`sample` needs rows with one class each, but that of some is {int(classes.min())}")
    count = int(classes.max()) + 1
    if isinstance(sample, list) and len(sample) < count:
        raise ValueError(f"`sample` has {len(sample)} numbers, but the rows are of {count} classes")
    shares = torch.tensor(sample) if isinstance(sample, list) else torch.ones(count)
    return ClassSampler(classes[rows], shares.double(), recipe.settings.seed)


def _without(everything: Tensor, held: Tensor) -> RowSplit:
    if not len(held):
        return RowSplit(everything)
    trains = torch.ones(len(everything), dtype=torch.bool)
    trains[held] = False
    return RowSplit(everything[trains], held.sort().values)


def _folds(order: Tensor, count: int, classes: Tensor | None) -> list[Tensor]:
    """Return rows in ``count`` folds that differ by one row at most; each class is dealt out in turn, but for single
    rows.
    """
    if classes is None:
        return [*order.tensor_split(count)]
    numbers, counts = torch.unique(classes, return_counts=True)
    several = order[~torch.isin(classes[order], numbers[counts == 1])]
    by_class = several[classes[several].argsort(stable=True)]
    return [by_class[number::count] for number in range(count)]


def _share_of_each(order: Tensor, held: int, classes: Tensor) -> Tensor:
    """Return the first rows of each class in ``order``, ``held`` in all or as many as there are."""
    counts = torch.unique(classes, return_counts=True)[1]
    by_class = torch.split(order[classes[order].argsort(stable=True)], counts.tolist())
    return torch.cat([rows[:few] for rows, few in zip(by_class, _quotas(counts, held).tolist())])


def _quotas(counts: Tensor, held: int) -> Tensor:
    """Return how many rows of each class are held back: the same share of each, to one row.

    One row of each class stays, and one is held back if the class has two and enough are held for all.
    """
    most = counts - 1
    least = most.clamp(max=1) if held >= int((most > 0).sum()) else torch.zeros_like(most)
    wanted = counts * (held / int(counts.sum()))
    quotas = wanted.floor().long().clamp(least, most)
    while more := held - int(quotas.sum()):
        sign = 1 if more > 0 else -1
        free = quotas < most if more > 0 else quotas > least
        if not bool(free.any()):
            break
        missing = torch.where(free, sign * (wanted - quotas), -torch.inf)
        quotas[missing.topk(min(abs(more), int(free.sum()))).indices] += sign
    return quotas
