"""Checks before the first step of a run, when rows, batches and targets are known."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import torch
from torch import Tensor

from netspec.analysis.softened import softened_outputs
from netspec.diagnostics import EnvironmentFault, TrainingFault
from netspec.dims import Dim, evaluate
from netspec.graph import Node, visits
from netspec.ops.norm.batch import BatchNorm
from netspec.recipes.recipe import Recipe
from netspec.runtime.onnx.session import loaded_runtime
from netspec.train.data import TensorRows
from netspec.train.data.batches import Batches
from netspec.train.data.division import lone_classes
from netspec.train.data.meaning import extent
from netspec.train.optimize.metrics import nothing_counts
from netspec.train.setup import Setup

USED_LAST = ("matplotlib",)
"""Packages that only the pictures of a run that has ended need."""


def guard_start(setup: Setup) -> None:
    """Guard: every step has enough rows for the network to learn from, some target of every part counts, and the files
    of the end can be written.

    Raises ``TrainingFault``; ``EnvironmentFault`` or ``ModuleNotFoundError`` if a package is too old or missing.
    """
    if setup.world.is_first:
        guard_packages()
        guard_torchvision(setup.recipe)
    guard_colours(setup)
    if setup.recipe.settings.sample is not None:
        _ = setup.sampler  # raises if the rows have no classes
    guard_targets(setup)
    guard_statistics(setup)


def guard_packages() -> None:
    """Guard: the packages that are first used at the end of a run are installed."""
    loaded_runtime()
    for name in USED_LAST:
        if find_spec(name) is None:
            raise ModuleNotFoundError(f"No module named '{name}'", name=name)


def guard_torchvision(recipe: Recipe) -> None:
    """Guard: torchvision is installed if a transform needs it."""
    needy = [each for each in (*recipe.prepare, *recipe.augment) if each.apart]
    if needy and find_spec("torchvision") is None:
        line = recipe.spans["augment"].line
        help = "`pip install 'netspec[data]'` brings it"
        raise EnvironmentFault(f"`{needy[0].name}` (line {line}) needs torchvision, which is not installed: {help}")


def guard_colours(setup: Setup) -> None:
    """Guard: images whose colours are varied are from 0 to 1."""
    for transform, names in setup.train.augment:
        for name in names if transform.of_colours else ():
            tensor = getattr(setup.data.train, "tensors", {}).get(name)
            if tensor is None or not tensor.is_floating_point():
                continue
            low, high = extent(tensor)
            if low < 0 or high > 1:
                line = setup.recipe.spans["augment"].line
                raise TrainingFault(
                    f"`{transform.name}` (line {line}) takes images from 0 to 1, but `{name}` has numbers from {low:g} "
                    f"to {high:g}: bring them to that range, or leave it out"
                )


def cautions(setup: Setup) -> list[str]:
    """Return warnings about the run, a sentence each."""
    warnings = [*setup.data.cautions, *filter(None, [caution_of_classes(setup), caution_of_warmup(setup)])]
    warnings += [
        f"{message} (line {span.line}): {help.partition(': `netspec')[0]}"
        for span, message, help in softened_outputs(setup.graph)
    ]
    return warnings + [each for name in sorted(setup.binding.columns) if (each := caution_of_digits(setup, name))]


def caution_of_classes(setup: Setup) -> str | None:
    """Warn of classes of a single row, which no held-back row judges."""
    held_back = len(setup.train) < len(setup.data.train)
    return lone_classes(setup.recipe, setup.data, setup.binding.targets) if held_back else None


def caution_of_warmup(setup: Setup) -> str | None:
    """Warn of a warm-up that is longer than the run."""
    recipe, steps = setup.recipe, setup.steps
    usual = 0 if recipe.schedule is None else recipe.schedule.warmup
    longest = max((usual, *(group.warmup or 0 for group in recipe.groups.values())))
    if not longest or longest < steps:
        return None
    return f"the warm-up of {longest:,} steps never ends: the run has {steps:,}, and its rate stays below `lr`"


def caution_of_digits(setup: Setup, name: str) -> str | None:
    """Warn of a column whose different numbers are equal in float32."""
    tensor, column = getattr(setup.data.train, "tensors", {}).get(name), setup.data.columns[name]
    if tensor is None or tensor.dtype != torch.float64 or not merges(tensor):
        return None
    if any(each.fits and each.takes(column) for each in setup.recipe.prepare):
        return None
    help = f"`prepare: standardize{'_targets' * column.target}` helps"
    return f"`{name}` has numbers so large that float32 cannot distinguish them: {help}"


def merges(numbers: Tensor) -> bool:
    """Return whether different numbers of a feature, along the last dimension, are equal in float32."""
    features = numbers.reshape(len(numbers), -1).unbind(1) if numbers.dim() < 3 else [numbers.flatten()]
    return any(len(torch.unique(each)) > len(torch.unique(each.float())) for each in features)


def guard_targets(setup: Setup) -> None:
    """Guard: some target of each part of the data counts. Rows on disk are checked when they are evaluated."""
    objective = setup.evaluator.objective
    for part, batches in setup.parts.items():
        for output in objective.terms if part == "train" else (objective.main,):
            ignored = objective.terms[output].ignored
            if ignored is None or not isinstance(batches.rows, TensorRows):
                continue
            targets = batches.rows.tensors[setup.binding.targets[output]]
            if not (targets[batches.subset.to(targets.device)] != ignored).any():
                raise TrainingFault(nothing_counts(PARTS[part], output, ignored))


PARTS = {"train": "to train on", "validation": "to judge by", "test": "for the test"}


def guard_statistics(setup: Setup) -> None:
    """Guard: no batch norm sees a single number of each channel, whose variance is not defined."""
    rows = least_rows(setup)
    for path, norm in batch_norms(setup):
        numbers = samples(setup, norm, rows)
        if numbers is None or numbers > 1:
            continue
        raise TrainingFault(
            f"the batch norm `{path}` (line {norm.span.line}) cannot learn from a single row, which is what a step "
            f"has for it: {rows_told(setup)}. {repair(setup, norm)}"
        )


def batch_norms(setup: Setup) -> Iterator[tuple[str, Node]]:
    """Yield the batch norms of the network with their paths."""
    for path, step, *_ in visits(setup.graph.body):
        if isinstance(step, Node) and isinstance(step.op, BatchNorm):
            yield path, step


def samples(setup: Setup, norm: Node, rows: int) -> int | None:
    """Return how many numbers of each channel a batch norm sees in a step of ``rows`` rows; ``None`` if that is
    unknown.
    """
    sizes: dict[str, int] = {}
    for name, column in zip(setup.graph.inputs, setup.binding.inputs):
        known = (rows, *setup.columns[column].shape) if column is not None else ()
        for size, own in zip(setup.graph.inputs[name].shape, known):
            if not isinstance(size, int) and len(size.symbols) == 1 and own is not None:
                sizes[next(iter(size.symbols))] = own
    tensor = norm.tensors[0]
    assert isinstance(norm.op, BatchNorm)
    count = norm.op.samples(tensor.shape)
    if isinstance(count, Dim):
        return evaluate(count, sizes) if count.symbols <= sizes.keys() else None
    return count if isinstance(count, int) else None


def least_rows(setup: Setup, parts: int | None = None) -> int:
    """Return the fewest rows that the network is given at once, in any process and any part of a batch."""
    sizes = batch_sizes(setup, setup.train, setup.recipe.settings.batch)
    return min(rows_at_once(setup, size, parts) for size in sizes)


def batch_sizes(setup: Setup, batches: Batches, batch: int | None) -> set[int]:
    """Return the sizes of the batches, in rows, that the run reaches."""
    full, steps = min(batch or len(batches), len(batches)), batches.steps(batch)
    last = min(full, len(batches) - (steps - 1) * full)
    reached = setup.steps >= steps or setup.recipe.settings.group_by_length
    return {full, last} if reached else {full}


def rows_at_once(setup: Setup, size: int, parts: int | None = None) -> int:
    """Return the fewest rows of a batch of ``size`` rows that the network is given at once, of so many ``parts``
    (default: as the recipe says).
    """
    settings = setup.recipe.settings
    devices = settings.devices if isinstance(settings.devices, int) else setup.world.size
    own = max(1, size // devices)
    return max(1, own // min(parts or settings.accumulate, own))


def rows_told(setup: Setup) -> str:
    """Explain where a single row comes from."""
    count, batch = len(setup.train), setup.recipe.settings.batch or len(setup.train)
    last = count - (setup.train.steps(batch) - 1) * batch
    if rows_at_once(setup, min(batch, count)) == 1:
        return f"a batch of {min(batch, count)} leaves no more for each device and part"
    return f"{count:,} rows in batches of {batch} leave {last} for the last one"


def repair(setup: Setup, norm: Node) -> str:
    """Return a proposal for another batch, with which no step has a single row."""
    settings = setup.recipe.settings
    batch = settings.batch or len(setup.train)
    for step in range(1, batch + 1):
        for other in (batch + step * settings.accumulate, batch - step * settings.accumulate):
            if other < 2:
                continue
            rows = min(rows_at_once(setup, size) for size in batch_sizes(setup, setup.train, other))
            numbers = samples(setup, norm, rows)
            if numbers is not None and numbers > 1:
                drop = ", or `drop_last: true`" if "drop_last" in type(settings).model_fields else ""
                return f"Write `batch: {other}`{drop}"
    return "Train with more rows, or fewer devices and parts (`accumulate`)"
