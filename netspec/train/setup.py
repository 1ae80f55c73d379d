"""A recipe as it is carried out on this machine: the network, its data, and its evaluator."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property, partial
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from netspec.analysis.step_plan import StepPlan
from netspec.diagnostics import Report, SpecError
from netspec.elaborate.reading.values import Reader
from netspec.elaborate.training.recipe import class_count
from netspec.graph import Graph
from netspec.graph.recomputed import with_recomputed
from netspec.recipes import Column
from netspec.recipes.binding import bind_inputs, bind_target, prepared
from netspec.recipes.data import Mixing, Transform
from netspec.recipes.settings import AUTOCAST
from netspec.runtime.compile import compile_module, compile_regions
from netspec.runtime.module import build_module, checked_device
from netspec.train.data import Data, Rows
from netspec.train.data.batches import Batches, ColumnBinding, own_scale, prepare_transforms
from netspec.train.data.division import ClassSampler, class_sampler, split_rows
from netspec.train.data.mixing import Mixer
from netspec.train.data.prefetch import chosen_workers
from netspec.train.distributed.strategies import Strategy
from netspec.train.optimize.batch_norms import hold_statistics
from netspec.train.optimize.class_weights import balanced, known_weights
from netspec.train.optimize.metrics import Evaluator
from netspec.train.optimize.objective import Objective
from netspec.train.reading import recipe_of
from netspec.train.store.length import Extensions, RunLength
from netspec.train.world import SINGLE_PROCESS, World, is_worker, local_rank
from netspec.weights.files.safetensors import EPOCH, TIED, write_tensors
from netspec.weights.load import LoadedWeights, load_weights

FREE = frozenset({"devices", "strategy", "workers", "checkpoint", "loggers", "published"})
"""Keys that a run may go on with other values of: they do not change what it learns."""


class Setup:
    """The network on its device, and the batches of its data. ``fold`` is the part that validates, in cross-validation.

    ``source`` are the weights that the network starts from, if from outside; ``None`` for a run that goes on, which has
    its own. ``loaded`` says what of them was matched, once the network is built.

    ``states`` is what the transforms of a trained run have learned, ``loss_weights`` the weights of its losses by
    output; else both are learned from the training rows. ``precise`` has it compute in float32 where the recipe has
    autocast. Raises ``SpecError`` or ``UsageError`` for data that do not
    fit.
    """

    def __init__(
        self,
        graph: Graph,
        data: Data,
        device: torch.device,
        fold: int | None = None,
        states: list[dict[str, Tensor]] | None = None,
        world: World = SINGLE_PROCESS,
        loss_weights: Mapping[str, Tensor] | None = None,
    ):
        self.fold, self.world = fold, world
        self.loaded: LoadedWeights | None = None
        self.graph, self.recipe, self.data, self.device = graph, recipe_of(graph), data, device
        recipe, settings = self.recipe, self.recipe.settings
        self.source = recipe.weights
        self.columns = prepared(data.columns, recipe.prepare)
        bound = bind_inputs(self.columns, graph.inputs, recipe.inputs)
        read = [*bound.values()]
        targets = {name: bind_target(self.columns, loss, read) for name, loss in recipe.losses.items()}
        self.binding = ColumnBinding(tuple(bound.get(name) for name in graph.inputs), targets)
        self.padding = {name: self.columns[column].padding for name, column in targets.items()}
        self.guard_classes(targets)
        self.guard_numbers(bound)
        parts = split_rows(recipe, data, targets, fold)
        self.losses = {
            name: balanced(
                known_weights(loss, loss_weights or {}, name), data, targets[name], parts.train, self.classes(name)
            )
            for name, loss in recipe.losses.items()
        }
        self.prepare = prepare_transforms(recipe.prepare, data.columns, data.train, parts.train, states)
        self.train = self._training_batches(parts.train)
        self.guard_full_batch()
        self._held_back = data.validation if parts.validation is None else data.train
        self.validation = None if parts.validation is None else self.batches(data.train, parts.validation)
        if fold is None and parts.validation is None and data.validation is not None:
            self.validation = self.batches(data.validation)
        self.test = None if data.test is None or fold is not None else self.batches(data.test)
        main = next(iter(recipe.losses))
        column = self.columns[targets[main]]
        self.watched = recipe.metrics[0].label if recipe.metrics else "loss"
        self.evaluator = Evaluator(
            recipe.metrics,
            Objective(self.losses, self.padding),
            recipe.losses,
            column,
            self.classes(main),
            self._read_back(column, bound),
            fixed=all(isinstance(size, int) for size in graph.outputs[main].value.shape[1:]),
            own_scale=own_scale(self.prepare, targets[main]),
        )
        self._asked = {key: value for key, value in recipe.plain().items() if key not in FREE}
        self.extensions = Extensions()
        self.precise = False
        self._batch = settings.batch
        self.plan: StepPlan | None = None

    def fingerprint(self, length: RunLength | None = None) -> str:
        """Return the digest of all that the run learns by; of another length, if one is given."""
        asked = self._asked if length is None else {**self._asked, **length.plain()}
        text = json.dumps([self.graph.digest, self.graph.parameters, asked, self.fold], default=str, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def follow(self, plan: StepPlan) -> None:
        """Take the steps as a plan says, before the network is built; rows are judged in parts as large."""
        self.plan, self.graph = plan, with_recomputed(self.graph, plan.recompute)
        settings = self.recipe.settings.model_copy(update={"accumulate": plan.accumulate})
        self.recipe = replace(self.recipe, settings=settings)
        self._batch = -(-(settings.batch or len(self.train)) // plan.accumulate)

    def _training_batches(self, subset: Tensor) -> Batches:
        """Return the batches that train, which are varied and mixed as the recipe says."""
        recipe = self.recipe
        mixing = [each for each in recipe.augment if isinstance(each, Mixing)]
        by_class = [name for name, loss in recipe.losses.items() if loss.task == "classes"]
        classes = {name: count for name in by_class if (count := self.classes(name)) is not None}
        fixed = [name for name, loss in recipe.losses.items() if not loss.compares]
        mixer = Mixer(mixing, classes, fixed, recipe.settings.seed) if mixing else None
        sampled = None if recipe.settings.sample is None else lambda epoch: self.sampler.order(epoch)
        drop_last = recipe.settings.drop_last
        return self.batches(
            self.data.train, subset, augment=self.augmentations, mixer=mixer, drop_last=drop_last, sampled=sampled
        )

    @property
    def augmentations(self) -> list[tuple[Transform, tuple[str, ...]]]:
        """The augmentations of single rows, each with the columns that it is for."""
        return [
            (transform, tuple(name for name, column in self.columns.items() if transform.takes(column)))
            for transform in self.recipe.augment
            if not isinstance(transform, Mixing)
        ]

    def varied(self, rows: Rows, subset: Tensor | None, views: int) -> Batches:
        """Return the batches of some rows, which are judged by so many augmented views of them, too."""
        return self.batches(rows, subset, augment=self.augmentations, views=views)

    def varied_parts(self, views: int) -> dict[str, Batches]:
        """Return the batches of the parts that there are, which are judged by augmented views, too."""
        rows = {"train": self.data.train, "validation": self._held_back, "test": self.data.test}
        parts = {name: (rows[name], batches.subset) for name, batches in self.parts.items()}
        return {name: self.varied(each, subset, views) for name, (each, subset) in parts.items() if each is not None}

    @cached_property
    def sampler(self) -> ClassSampler:
        """The sampler of the classes of an epoch, where the recipe asks for one."""
        try:
            return class_sampler(self.recipe, self.data, self.binding.targets, self.train.subset)
        except ValueError as found:
            self._refuse(str(found), "sample")

    def batches(self, rows: Rows, subset: Tensor | None = None, **varied: Any) -> Batches:
        """Return the batches of some rows, prepared as those that train; ``varied`` says how those differ."""
        settings, binding = self.recipe.settings, self.binding
        padding = {name: pad for name in binding.columns if (pad := self.columns[name].padding) is not None}
        return Batches(
            rows,
            self.data.columns,
            binding,
            self.device,
            self.prepare,
            subset=subset,
            seed=settings.seed,
            padding=padding if settings.group_by_length else {},
            world=self.world,
            workers=chosen_workers(settings.workers, self.world.size),
            **varied,
        )

    @property
    def steps(self) -> int:
        """Return the number of steps of the run."""
        return self.steps_in(RunLength.of_settings(self.recipe.settings))

    def steps_in(self, length: RunLength) -> int:
        """Return the number of steps that a length means."""
        return length.total(self.train.steps(self.recipe.settings.batch))

    @cached_property
    def model(self) -> nn.Module:
        """The network, built when it is first asked for: readers of the data alone need not wait for it."""
        settings = self.recipe.settings
        dtype = torch.bfloat16 if settings.precision == "bfloat16" else None
        model = build_module(self.graph, self.device, dtype, settings.seed)
        if self.source is not None:
            here = self.recipe.folder_of("weights", self.graph.spec)
            self.loaded = load_weights(model, self.graph, self.source, here)
        if dtype is not None:
            change_inputs(model, partial(Tensor.to, dtype=dtype))
        hold_statistics(model, self.recipe.batch_norm)
        if settings.channels_last:
            put_channels_last(model)
        if settings.compile == "whole":
            compile_module(model)
        elif settings.compile == "regional":
            compile_regions(model)
        torch.manual_seed(settings.seed + self.world.rank)  # dropout differs from process to process
        return model

    def classes(self, output: str) -> int | None:
        """Return the number of classes that an output has scores for, if it is known."""
        return class_count(self.graph.outputs[output].value)

    def one_number(self, output: str) -> bool:
        """Return whether an output is a single number for each row."""
        return all(size == 1 for size in self.graph.outputs[output].value.shape[1:])

    def rows_of(self, part: str) -> Rows:
        """Return the rows that a part of the data is taken from, as they are before they are prepared."""
        found = {"validation": self._held_back, "test": self.data.test}.get(part)
        return self.data.train if found is None else found

    def _read_back(self, column: Column, bound: Mapping[str, str]) -> int | None:
        """Return the number of the input that holds the target's words, shifted by one; ``None`` if there is none."""
        if column.shifted is None:
            return None
        places = [at for at, name in enumerate(self.graph.inputs) if bound.get(name) == column.shifted]
        return places[0] if places else None

    def guard_full_batch(self) -> None:
        """Guard: there is a batch to learn from."""
        if self.train.steps(self.recipe.settings.batch):
            return
        report, rows = Report(), len(self.train)
        message = f"`drop_last` leaves nothing to train on: {rows} rows make no batch of {self.recipe.settings.batch}"
        Reader(report).error("data-mismatch", message, self.recipe.spans["drop_last"], help="a smaller `batch`")
        raise SpecError(report.diagnostics)

    def guard_classes(self, targets: Mapping[str, str]) -> None:
        """Guard: a target's numbers are classes that its output has a score for."""
        for name, column in targets.items():
            rows, classes = self.data.train, self.classes(name)
            tensor = getattr(rows, "tensors", {}).get(column)
            if tensor is None or self.recipe.losses[name].task != "classes" or classes is None:
                continue
            ignored = getattr(self.recipe.losses[name], "ignore_index", None)
            tensor = tensor if ignored is None else tensor[tensor != ignored]
            if not tensor.numel():
                continue
            low, high = int(tensor.min()), int(tensor.max())
            if low < 0 or high >= classes:
                wrong = high if high >= classes else low
                self._refuse(f"the column `{column}` holds {wrong}, but the output has scores for 0 to {classes - 1}")

    def _refuse(self, message: str, key: str = "data") -> NoReturn:
        """Raise ``SpecError`` at the line of a key of the recipe."""
        report = Report()
        Reader(report).error("data-mismatch", message, self.recipe.spans[key])
        raise SpecError(report.diagnostics)

    def guard_numbers(self, bound: Mapping[str, str]) -> None:
        """Guard: whole numbers that the network reads are below its bound, as that of an embedding."""
        tensors = getattr(self.data.train, "tensors", {})
        for name, column in bound.items():
            input_range, tensor = self.graph.input_ranges.get(name), tensors.get(column)
            below = input_range.below if input_range is not None else None
            if isinstance(below, int) and tensor is not None and tensor.numel() and int(tensor.max()) >= below:
                largest = int(tensor.max())
                self._refuse(f"the column `{column}` holds {largest}, but the input `{name}` takes 0 to {below - 1}")

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context that sets the precision of the network."""
        low = None if self.precise else AUTOCAST.get(self.recipe.settings.precision)
        return NOTHING if low is None else torch.autocast(self.device.type, getattr(torch, low))

    def evaluate(self, batches: Batches) -> dict[str, float]:
        """Return loss and metrics over the rows of ``batches``."""
        return self.evaluator.evaluate(self.model, batches, self._batch, self.autocast())

    @property
    def parts(self) -> dict[str, Batches]:
        """Return the batches of the parts that there are, by name."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: batches for name, batches in parts.items() if batches is not None}

    def scores(self) -> dict[str, dict[str, float]]:
        """Return loss and metrics of every part of the data."""
        return {name: self.evaluate(batches) for name, batches in self.parts.items()}

    def write_weights(self, weights: Mapping[str, Tensor], path: Path, strategy: Strategy, epoch: int) -> None:
        """Write the weights of an epoch as safetensors, by all keys of the state dict: tied ones once for each of their
        names, as a strict ``load_state_dict`` of the file asks for. Every process calls this.
        """
        tensors: dict[str, Tensor] = {}
        seen: dict[int, str] = {}
        aliases: dict[str, str] = {}
        for name, tensor in named_tensors(self.model):
            if id(tensor) in seen:
                aliases[name] = seen[id(tensor)]
                tensors[name] = tensors[aliases[name]].clone()  # safetensors refuses what shares memory
                continue
            seen[id(tensor)] = name
            tensors[name] = strategy.full_tensor(weights[name].detach()).cpu()
        if not self.world.is_first:
            return
        write_tensors(tensors, path, {TIED: json.dumps(aliases), EPOCH: str(epoch)})


NOTHING = nullcontext()


def named_tensors(model: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Yield the tensors of a state dict, as the very objects: tied parameters are one."""
    state = model.state_dict()
    for name, tensor in chain(
        model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False)
    ):
        if name in state:
            yield name, tensor


def put_channels_last(model: nn.Module) -> None:
    """Give images and the weights of 2d convolutions the memory format channels_last, which their outputs then have
    too.
    """
    for parameter in model.parameters():
        parameter.data = channels_last(parameter.data)
    change_inputs(model, channels_last)


def channels_last(tensor: Tensor) -> Tensor:
    """Return a tensor [N, C, H, W] with its channels last in memory; others unchanged."""
    return tensor.contiguous(memory_format=torch.channels_last) if tensor.dim() == 4 else tensor


def change_inputs(model: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
    """Have a network apply ``change`` to its inputs of real numbers."""

    def changed(_: nn.Module, inputs: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        return tuple(each if each is None or not each.is_floating_point() else change(each) for each in inputs)

    model.register_forward_pre_hook(changed)


def chosen_device(devices: str | int) -> torch.device:
    """Return the device of this process."""
    device = checked_device("auto" if isinstance(devices, int) else devices)
    return torch.device("cuda", local_rank()) if device.type == "cuda" and is_worker() else device
