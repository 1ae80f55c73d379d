"""The training of a network: what ``train:`` says, read with the parameters' values and held against the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from netspec.diagnostics import Span, clipped, did_you_mean
from netspec.dims import pretty
from netspec.elaborate.reading.scope import Scope, listed
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.elaborate.training.augmenting import check_augmented, check_sample, check_transforms
from netspec.elaborate.training.data_sizes import check_sizes, known, misfit
from netspec.elaborate.training.ingredients import IngredientReader
from netspec.graph import NetworkOutput, Requirement, Value
from netspec.recipes import Column, ingredients
from netspec.recipes.binding import Unbound, bind_inputs, bind_target, prepared
from netspec.recipes.losses import Loss
from netspec.recipes.metrics import Accuracy, Metric
from netspec.recipes.recipe import Recipe
from netspec.recipes.settings import (
    AUTOCAST,
    PARTS,
    EarlyStopping,
    LastEpochsMean,
    MovingAverage,
    ParameterGroup,
    Settings,
    WeightDecay,
)
from netspec.spec import TrainSpec, Written
from netspec.spec.reading import mapping_entries, read_form
from netspec.syntax import MapNode


def read_recipe(
    node: Written,
    reader: Reader,
    env: Scope,
    inputs: Mapping[str, Value],
    outputs: Mapping[str, NetworkOutput],
    requirements: Sequence[Requirement],
) -> Recipe | None:
    """The recipe under ``train:``. ``None`` where it is at fault; everything that is has been reported."""
    form = read_form(TrainSpec, node, reader.report, "`train`")
    if form is None or not isinstance(node, MapNode):
        return None
    before = reader.report.count
    recipe = _Recipes(reader, env, form, node).recipe(outputs)
    if recipe is None or reader.report.count > before:
        return None
    check_transforms(recipe, outputs, reader)
    check_sample(recipe, outputs, reader)
    columns = recipe.data.columns()
    if columns is not None:
        check_columns(recipe, columns, inputs, outputs, requirements, reader)
    return recipe if reader.report.count == before else None


GROUPS = "a mapping from patterns of parameters to what is theirs"


class _Recipes:
    """One ``train:`` being read."""

    def __init__(self, reader: Reader, env: Scope, form: TrainSpec, node: MapNode):
        self.reader, self.env, self.form, self.node = reader, env, form, node
        self.ingredients = IngredientReader(reader, env)
        self.failed = False

    def recipe(self, outputs: Mapping[str, NetworkOutput]) -> Recipe | None:
        form, ingredients = self.form, self.ingredients
        data = self.attempt(lambda: ingredients.one("data", form.data))
        losses = self.losses(form.loss, outputs)
        optimizer = self.attempt(lambda: ingredients.one("optimizer", form.optimizer))
        schedule = self.attempt(lambda: form.schedule and ingredients.one("schedule", form.schedule))
        parts = self.parts()
        groups = self.groups()
        entries = {key.text: (key, value) for key, value in self.node.entries if key.text in Settings.model_fields}
        settings = self.attempt(lambda: ingredients.made(Settings, entries, None, self.form.span))
        published = self.published()
        metrics = ingredients.several("metric", form.metrics)
        prepare, augment = (ingredients.several("transform", each) for each in (form.prepare, form.augment))
        if self.failed or data is None or optimizer is None or settings is None:
            return None
        self.guard_pairs(settings, optimizer)
        self.guard_alike(optimizer)
        self.guard_average(settings, parts)
        if optimizer.usual_decay:
            parts.setdefault(WeightDecay.name, WeightDecay(value=optimizer.usual_decay))
        if not metrics:
            names = dict.fromkeys(name for loss in losses.values() for name in loss.metrics)
            metrics = tuple(_ingredient("metric", name) for name in names)
        self.guard_metrics(metrics, losses, outputs)
        self.guard_watched(metrics, parts.get(EarlyStopping.name))
        return Recipe(
            data=data,
            losses=losses,
            optimizer=optimizer,
            settings=settings,
            inputs=form.inputs,
            prepare=prepare,
            augment=augment,
            metrics=metrics,
            schedule=schedule,
            groups=groups,
            published=published,
            weights=form.weights,
            spans=self.spans(),
            **parts,
        )

    def spans(self) -> dict[str, Span]:
        """Return the span of each key of ``train:``, and each argument of the data: ``data.length``."""
        found = {"train": self.form.span}
        for key, value in self.node.entries:
            found[key.text] = value.span
            if key.text == "data" and isinstance(value, MapNode) and len(value.entries) == 1:
                inside = value.entries[0][1]
                entries = inside.entries if isinstance(inside, MapNode) else ()
                found |= {f"data.{argument.text}": each.span for argument, each in entries}
            if key.text == "lora" and isinstance(value, MapNode):
                found |= {f"lora.{argument.text}": each.span for argument, each in value.entries}
            if key.text == "groups" and isinstance(value, MapNode):
                found |= {f"groups.{pattern.text}": pattern.span for pattern, _ in value.entries}
        return found

    def attempt(self, read: Any) -> Any:
        try:
            return read()
        except AlreadyReported:
            self.failed = True
            return None

    def part(self, kind: Any, node: Written | None) -> Any:
        """Settings that are a mapping of their own, or their main number alone."""
        return None if node is None else self.attempt(lambda: self.ingredients.settings(kind, node, node.span))

    def parts(self) -> dict[str, Any]:
        """The settings that have keys of their own, those that are given."""
        given = {name: self.part(kind, getattr(self.form, name)) for name, kind in PARTS.items()}
        return {name: part for name, part in given.items() if part is not None}

    def groups(self) -> dict[str, ParameterGroup]:
        """The groups of parameters by their patterns."""
        if self.form.groups is None:
            return {}
        entries = mapping_entries(self.form.groups, self.reader.report, GROUPS, "write `groups: {head.*: {lr: 0.01}}`")
        self.failed = self.failed or not isinstance(self.form.groups, MapNode)
        made = {key.text: self.part(ParameterGroup, value) for key, value in entries}
        return {pattern: group for pattern, group in made.items() if group is not None}

    def losses(self, node: Written, outputs: Mapping[str, NetworkOutput]) -> dict[str, Loss]:
        """The loss of each output: a lone one is for the only output, or the first one that is always there."""
        if not self.by_output(node, outputs):
            loss = self.attempt(lambda: self.ingredients.one("loss", node))
            main = next((name for name, output in outputs.items() if not output.training), next(iter(outputs)))
            return {} if loss is None else {main: loss}
        made = {}
        assert isinstance(node, MapNode)
        for key, value in node.entries:
            if key.text not in outputs:
                help = did_you_mean(key.text, outputs) or f"its outputs are {listed([*outputs])}"
                message = f"the network has no output `{clipped(key.text)}`"
                self.reader.error("unknown-reference", message, key.span, help=help)
                self.failed = True
                continue
            loss = self.attempt(partial(self.ingredients.one, "loss", value))
            if loss is not None:
                made[key.text] = loss
        return made

    def by_output(self, node: Written, outputs: Mapping[str, NetworkOutput]) -> bool:
        """Return whether a loss is written for each output, rather than as one loss with its arguments."""
        if not isinstance(node, MapNode):
            return False
        keys = node.keys()
        return len(keys) != 1 or keys[0] in outputs or keys[0] not in ingredients("loss")

    def published(self) -> dict[str, float]:
        typed, env = self.reader.typed, self.env
        given = self.form.published.items()
        read = {name: self.attempt(partial(typed, node, env, "float", f"`{name}`")) for name, node in given}
        return {name: value for name, value in read.items() if value is not None}

    def guard_metrics(
        self, metrics: Sequence[Metric], losses: Mapping[str, Loss], outputs: Mapping[str, NetworkOutput]
    ) -> None:
        """Guard: what is measured is something that the first judged output says."""
        form = self.form
        if form.metrics is None or not losses:
            return
        output, loss = next(iter(losses.items()))
        classes = class_count(outputs[output].value)
        for metric in metrics:
            if not loss.compares:
                message = f"`{metric.name}` compares with a target, but `{loss.name}` reads none"
                self.reader.error("bad-value", message, form.metrics.span, help="leave `metrics` out")
            elif loss.task not in metric.tasks:
                fitting = [name for name, kind in ingredients("metric").items() if loss.task in kind.tasks]  # type: ignore[attr-defined]
                message = f"`{metric.name}` does not fit the loss `{loss.name}`"
                self.reader.error(
                    "bad-value", message, form.metrics.span, help=f"metrics that do are {listed(fitting)}"
                )
            elif isinstance(metric, Accuracy) and loss.task == "classes" and classes and metric.top_k > classes:
                message = f"`accuracy` considers the {metric.top_k} best scores, but `{output}` has only {classes}"
                self.reader.error("bad-value", message, form.metrics.span, help=f"use at most {classes - 1}")

    def guard_watched(self, metrics: Sequence[Metric], early: EarlyStopping | None) -> None:
        """Guard: what early stopping watches is measured."""
        labels = ["loss", *(metric.label for metric in metrics)]
        if early is not None and early.metric not in labels:
            assert self.form.early_stopping is not None
            message = f"`early_stopping` watches `{clipped(early.metric)}`, but the run measures {listed(labels)}"
            help = f"`metrics: [{early.metric}]`" if early.metric in ingredients("metric") else None
            self.reader.error("bad-value", message, self.form.early_stopping.span, help=help)

    def guard_alike(self, optimizer: Any) -> None:
        """Guard: parameters differ in nothing where the optimizer treats all alike."""
        for name in ("groups", "layer_decay"):
            node: Written | None = getattr(self.form, name)
            if optimizer.closure and node is not None:
                message = f"`{optimizer.name}` evaluates the loss several times per step, for all parameters alike"
                self.reader.error("bad-value", message, node.span, help=f"leave `{name}` out")

    def guard_average(self, settings: Settings, parts: Mapping[str, Any]) -> None:
        """Guard: weights are averaged in one way, and over epochs that there are."""
        average = parts.get(LastEpochsMean.name)
        if average is None:
            return
        assert self.form.average is not None
        span = self.form.average.span
        if MovingAverage.name in parts:
            message = "`average` and `ema` both say which mean of the weights is kept"
            self.reader.error("bad-value", message, span, help="leave one of them out")
        if settings.epochs is not None and settings.epochs < average.epochs:
            message = f"`average` is over the last {average.epochs} epochs, but the run has {settings.epochs}"
            self.reader.error("bad-value", message, span, help=f"at most `average: {settings.epochs}`")

    def guard_pairs(self, settings: Settings, optimizer: Any) -> None:
        """Guard: the run ends, and its parts go together."""
        form, span = self.form, self.form.span
        if settings.epochs is None and settings.steps is None:
            self.reader.error("missing-key", "`train` needs `epochs` or `steps`", span, help="write `epochs: 10`")
        if settings.epochs is not None and settings.steps is not None:
            assert form.steps is not None
            help = "leave one of them out"
            self.reader.error(
                "bad-value", "`epochs` and `steps` both say how long to train", form.steps.span, help=help
            )
        if optimizer.closure and settings.accumulate > 1:
            assert form.accumulate is not None
            message = f"`{optimizer.name}` evaluates the loss several times per step, which `accumulate` cannot split"
            self.reader.error("bad-value", message, form.accumulate.span, help="leave `accumulate` out")
        if optimizer.closure and settings.precision in AUTOCAST:
            assert form.precision is not None
            message = f"`{optimizer.name}` needs exact gradients, which `{settings.precision}` does not give"
            self.reader.error("bad-value", message, form.precision.span, help="write `precision: float32`")
        if optimizer.closure and isinstance(settings.devices, int) and settings.devices > 1:
            assert form.devices is not None
            message = f"`{optimizer.name}` evaluates the loss several times per step, which only works on one device"
            self.reader.error("bad-value", message, form.devices.span, help="leave `devices` out")
        if settings.batch is not None and settings.batch % settings.accumulate:
            assert form.accumulate is not None
            message = f"a batch of {settings.batch} cannot be split into {settings.accumulate} equal parts"
            self.reader.error("bad-value", message, form.accumulate.span)
        if optimizer.closure and settings.clip is not None:
            assert form.clip is not None
            message = f"`{optimizer.name}` computes its steps from exact gradients, which `clip` would change"
            self.reader.error("bad-value", message, form.clip.span, help="leave `clip` out")
        if settings.folds is not None and settings.validation is not None:
            assert form.validation is not None
            message = "with `folds`, each part is used for validation in turn, so there is no separate validation part"
            self.reader.error("bad-value", message, form.validation.span, help="leave `validation` out")


def class_count(value: Value) -> int | None:
    """Return the number of classes that an output has scores for, if it is known."""
    shape = value.shape
    size = shape[1 if len(shape) > 3 else -1] if shape else None
    return size if isinstance(size, int) else None


def _ingredient(kind: Any, name: str) -> Any:
    return ingredients(kind)[name]()


def check_columns(
    recipe: Recipe,
    columns: Mapping[str, Column],
    inputs: Mapping[str, Value],
    outputs: Mapping[str, NetworkOutput],
    requirements: Sequence[Requirement],
    reader: Reader,
) -> None:
    """Report what of the data does not fit the network: inputs without a column, other shapes, other classes."""
    before = reader.report.count
    span = recipe.spans["data"]
    try:
        columns = prepared(columns, recipe.prepare)
    except ValueError as found:
        reader.error("data-mismatch", str(found), recipe.spans["prepare"])
        return
    try:
        bound = bind_inputs(columns, inputs, recipe.inputs)
    except Unbound as found:
        reader.error("data-mismatch", str(found), recipe.spans.get("inputs", span), help=found.help)
        return
    for name, column in bound.items():
        if (why := misfit(inputs[name], columns[column])) is not None:
            help = shape_help(name, inputs[name], columns[column])
            reader.error(
                "data-mismatch", f"the column `{column}` of `{recipe.data.name}` {why} `{name}`", span, help=help
            )
    sizes: Mapping[str, int] = {}
    if reader.report.count == before:
        sizes = check_sizes(recipe, columns, bound, inputs, requirements, reader)
    check_augmented(recipe, columns, bound, inputs, requirements, reader)
    sizes = sizes if reader.report.count == before else {}
    if recipe.settings.group_by_length:
        guard_lengths(recipe, columns, {name: (inputs[name], column) for name, column in bound.items()}, reader)
    rows = [inputs[name].shape[0] for name in bound if inputs[name].shape]
    for name, loss in recipe.losses.items():
        place = recipe.spans["loss"]
        try:
            target = bind_target(columns, loss, [*bound.values()])
        except Unbound as found:
            reader.error("data-mismatch", str(found), place, help=found.help)
            continue
        scaled = [each.name for each in recipe.prepare if each.for_targets and each.takes(columns[target])]
        if scaled and loss.task == "binary":
            message = f"`{scaled[0]}` is for losses that compare numbers, and `{loss.name}` takes 0 and 1"
            reader.error("data-mismatch", message, recipe.spans["prepare"], help="leave it out")
        value = outputs[name].value
        if rows and value.shape[:1] and value.shape[0] not in rows:
            message = f"the output `{name}` has {pretty(value.shape[0])} rows, but the data have {pretty(rows[0])}"
            reader.error("data-mismatch", message, place, help="the first dimension of an output is the batch's")
            continue
        why = loss.misfit(known(value.tensor, sizes), columns[target])
        if why is not None:
            help = classes_help(recipe, loss, columns[target])
            reader.error("data-mismatch", f"{why} (output `{name}`, column `{target}`)", place, help=help)


def guard_lengths(
    recipe: Recipe, columns: Mapping[str, Column], bound: Mapping[str, tuple[Value, str]], reader: Reader
) -> None:
    """Guard: there are sequences to be grouped by their lengths, and the network takes any length of them."""
    span, padded = recipe.spans["group_by_length"], []
    for name, (value, column) in bound.items():
        if columns[column].padding is None:
            continue
        padded.append(column)
        if isinstance(value.shape[1], int):
            message = f"`group_by_length` makes batches of varying length, but `{name}` has length {value.shape[1]}"
            reader.error("data-mismatch", message, span, help="give the input a symbolic length, or leave it out")
    if not padded:
        message = f"`group_by_length` is for sequences with padding, but no column of `{recipe.data.name}` has any"
        reader.error("data-mismatch", message, span, help="leave it out")


def shape_help(name: str, value: Value, column: Column) -> str | None:
    """A repair where rows have another number of features, or images another size or channels, or these last."""
    wanted, found = value.shape[1:], column.shape
    if len(wanted) == len(found) == 1 and found != wanted and found[0] is not None:
        return f"write `{name}: [{pretty(value.shape[0])}, {found[0]}]` under `inputs`"
    if len(wanted) == 3 and len(found) == 2 and wanted[0] == 1:
        return "store the images with their channel, [n, 1, H, W], as `images[:, None]` does in NumPy"
    if len(wanted) != 3 or len(found) != 3:
        return None
    repairs, last, note = [], [], ""
    if wanted[2] in (1, 3, 4) and wanted[0] not in (1, 3, 4):
        last.append("{permute: [1, 2, 0]}")  # after what takes images by their height and width
        wanted = (wanted[2], *wanted[:2])
    channels = {wanted[0]} if isinstance(wanted[0], int) else {1, 3, 4}
    if found[0] not in channels and found[2] in channels | {1, 3}:
        repairs.append("{permute: [2, 0, 1]}")
        note = "" if last else "; an image is [channels, height, width]"
        found = (found[2], *found[:2])
    if all(isinstance(size, int) for size in wanted[1:]) and found[1:] != wanted[1:]:
        repairs.append(f"{{resize: [{wanted[1]}, {wanted[2]}]}}")
    if found[0] == 1 and isinstance(wanted[0], int) and wanted[0] > 1:
        repairs.append(f"{{channels: {wanted[0]}}}")
    repairs += last
    return f"`prepare: [{', '.join(repairs)}]`{note}" if repairs else None


def classes_help(recipe: Recipe, loss: Loss, column: Column) -> str | None:
    """Return the repair of a target that has more words than the network, or is read as a number, as in a table."""
    if loss.per_class and column.shifted is not None and column.classes is not None:
        return (
            f"the embedding and the last layer need {column.classes} rows, one for each word or character of the data"
        )
    if not loss.per_class or column.dtype != "float32" or not hasattr(recipe.data, "classes"):
        return None
    return f"words, yes and no, or whole numbers are classes by `{recipe.data.name}: {{…, classes: true}}`"
