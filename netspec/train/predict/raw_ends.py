"""A trained run's network between raw rows and answers, in one ONNX graph: what ``export --with-prepare`` writes.

In front of the network stand the steps of ``prepare`` as they were fitted, behind it what makes answers of scores. An
image is bytes as they come, [N, height, width, 3], or [N, height, width] where the network reads grey ones, of any
size. Each column of a table is an input, [N]: numbers as float64 (NaN for a gap), words as texts, times as seconds
since 1970. Any other column is an input in the shape of its rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from netspec.diagnostics import UsageError
from netspec.dims import plain_shape
from netspec.emit.onnx.builder import DTYPES, GraphBuilder
from netspec.emit.onnx.parts import OnnxValue
from netspec.emit.onnx.runtimes import ANY_FORM, OnnxForm
from netspec.graph import Graph
from netspec.recipes.base import Column
from netspec.recipes.binding import bind_inputs, bind_target, prepared
from netspec.recipes.data.base import Transform
from netspec.recipes.losses import Loss
from netspec.recipes.transforms import resized
from netspec.train.data.readers.tables.features import FEATURES
from netspec.train.data.readers.tables.raw import MISSING
from netspec.train.predict.answers import file_settings
from netspec.train.predict.trained_run import TrainedRun

RESIZES = 18
"""The first opset that has a resize as Pillow's."""


class RowsInHand(NamedTuple):
    """RowsInHand of a column while they are prepared, and their dtype."""

    value: OnnxValue
    dtype: str


class RawEnds:
    """The nodes around a run's network. ``raw`` says what each input of the file is, and ``answers`` each output, once
    both are written.
    """

    def __init__(self, run: TrainedRun, form: OnnxForm = ANY_FORM):
        self.graph: Graph = run.graph
        self.recipe, self.meaning, self.states = run.recipe, run.meaning(), run.states()
        columns = prepared(self.meaning.columns, self.recipe.prepare)
        self.bound = bind_inputs(columns, self.graph.inputs, self.recipe.inputs)
        newest = form.opset or (RESIZES if form.runtime is None else form.runtime.opset)
        self.resizes = newest >= RESIZES
        self.raw: dict[str, dict[str, Any]] = {}
        self.answers: dict[str, dict[str, Any]] = {}
        self.taken: dict[str, str] = {}
        self._guard_forms()

    def metadata(self) -> dict[str, str]:
        """Return the property that says what the file takes and gives, once it is written."""
        said = {"inputs": self.raw, "answers": self.answers, "settings": file_settings(self.recipe.data)}
        return {"netspec.raw": json.dumps(said, ensure_ascii=False)}

    def notes(self) -> list[str]:
        """Return what stays outside the file, with the way round."""
        notes = []
        for name, column in self.bound.items():
            if column in self.meaning.words and column not in {each.name for each in self.meaning.table}:
                where = "their places in the file's `netspec.data`, under `words`"
                notes.append(f"`{name}` stays numbers of words, as ONNX does not split texts: give {where}")
        if any(self.meaning.columns[each["target"]].shifted for each in self.answers.values()):
            notes.append("the network writes word by word: the file gives the likeliest word after each, once")
        if not self.resizes and any(each["kind"] == "image" for each in self.raw.values()):
            notes.append(f"images are not resized, which needs opset {RESIZES}: give them in the training images' size")
        return notes

    def _guard_forms(self) -> None:
        """Guard: every step of ``prepare`` has a form in ONNX."""
        for transform in self.recipe.prepare:
            if not transform.for_targets and type(transform).onnx is Transform.onnx:
                told = f"`{transform.name}` has no form in ONNX, so it cannot stand in the file"
                help = "give its class a method `onnx`, or export without --with-prepare and prepare rows as it does"
                raise UsageError(f"{told}: {help}")

    # In front of the network

    def before(self, builder: GraphBuilder) -> tuple[Sequence[OnnxValue], Mapping[str, OnnxValue]]:
        """Write the inputs, and the steps of ``prepare``."""
        self.raw, self.answers = {}, {}
        given: list[OnnxValue] = []
        self.taken = {name: builder.claim(name) for name in self._results()}
        rows = self._table(builder, given)
        for name, column in self.bound.items():
            if column not in rows:
                rows[column] = self._column(builder, name, self.meaning.columns[column], given)
        rows = self._prepared(builder, rows)
        values = {}
        for name, column in self.bound.items():
            builder.begin(f"prepare.{name}")
            value, dtype = rows[column]
            wanted = self.graph.inputs[name].tensor.dtype
            values[name] = value if dtype == wanted else builder.cast(value, wanted)
        return given, values

    def _table(self, builder: GraphBuilder, given: list[OnnxValue]) -> dict[str, RowsInHand]:
        """Write the columns of a table that the network reads."""
        batch = plain_shape(next(iter(self.graph.inputs.values())).shape)[:1]
        side_by_side, rows = [], {}
        for each in self.meaning.table:
            if (each.name if each.kind == "ids" else FEATURES) not in self.bound.values():
                continue
            value = builder.input(each.name, batch, each.raw)
            given.append(value)
            self.raw[value.name] = {"kind": "table", "column": each.name, "of": each.kind, "dtype": each.raw}
            builder.begin(f"prepare.{each.name}")
            made = each.onnx(builder, value, sorted(MISSING))
            if each.kind == "ids":
                rows[each.name] = RowsInHand(made, "int64")
            else:
                side_by_side.append(made)
        if side_by_side:
            builder.begin(f"prepare.{FEATURES}")
            rows[FEATURES] = RowsInHand(builder.op("Concat", *side_by_side, axis=1), "float64")
        return rows

    def _column(self, builder: GraphBuilder, name: str, column: Column, given: list[OnnxValue]) -> RowsInHand:
        """Write a column that is an input of its own."""
        key = self.bound[name]
        batch, *sizes = plain_shape(self.graph.inputs[name].shape)
        if len(sizes) != len(column.shape):
            sizes = [f"{name}_{at}" for at in range(len(column.shape))]
        shape = [batch, *(own if own is not None else size for own, size in zip(column.shape, sizes))]
        in_bytes = key in self.meaning.bytes and column.dtype == "float32"
        if in_bytes and len(column.shape) == 3 and channels_of(column) in (1, 3):
            return self._image(builder, name, column, batch, given)
        value = builder.input(name, shape, "uint8" if in_bytes else column.dtype)
        given.append(value)
        self.raw[value.name] = {"kind": "bytes" if in_bytes else "rows", "column": key}
        builder.begin(f"prepare.{name}")
        return self._from_bytes(builder, value) if in_bytes else RowsInHand(value, column.dtype)

    def _image(
        self, builder: GraphBuilder, name: str, column: Column, batch: int | str, given: list[OnnxValue]
    ) -> RowsInHand:
        """Write an image as it comes, in the size of the training images then."""
        last = is_channels_last(column)
        channels = channels_of(column)
        height, width = column.shape[:2] if last else column.shape[1:]
        free = self.resizes or height is None or width is None
        sizes: list[int | str] = ["height", "width"] if free else [height or 0, width or 0]
        value = builder.input(name, [batch, *sizes, *([3] if channels == 3 else [])], "uint8")
        given.append(value)
        self.raw[value.name] = {"kind": "image", "column": self.bound[name], "grey": channels == 1}
        builder.begin(f"prepare.{name}")
        if channels == 1:
            rows = builder.op("Unsqueeze", value, builder.constant([1]))
        else:
            rows = builder.op("Transpose", value, perm=[0, 3, 1, 2])
        if height is not None and width is not None and self.resizes:
            rows = resized(builder, rows, (height, width))
        if last:
            rows = builder.op("Transpose", rows, perm=[0, 2, 3, 1])
        return self._from_bytes(builder, rows)

    def _from_bytes(self, builder: GraphBuilder, rows: OnnxValue) -> RowsInHand:
        """Write bytes as numbers from 0 to 1."""
        numbers = builder.cast(rows, "float32")
        return RowsInHand(builder.op("Div", numbers, builder.constant(255.0, "float32")), "float32")

    def _prepared(self, builder: GraphBuilder, rows: dict[str, RowsInHand]) -> dict[str, RowsInHand]:
        """Write the steps of ``prepare`` for the columns that they take."""
        columns = dict(self.meaning.columns)
        for transform, states in zip(self.recipe.prepare, self.states):
            names = [name for name, column in columns.items() if transform.takes(column)]
            columns |= {name: transform.infer(columns[name]) for name in names}
            for name in names:
                if name in rows:
                    builder.begin(f"prepare.{transform.name}")
                    state = states[name].tolist() if name in states else None
                    value, dtype = rows[name]
                    rows[name] = RowsInHand(transform.onnx(builder, value, dtype, state), dtype)
        return rows

    # Behind the network

    def _results(self) -> list[str]:
        """The names of the outputs that answers may have."""
        kinds = ("label", "probabilities", "values", "classes")
        several = len(self.recipe.losses) > 1
        return [f"{name}.{kind}" if several else kind for name in self.recipe.losses for kind in kinds]

    def behind(self, builder: GraphBuilder, outputs: Mapping[str, OnnxValue]) -> Sequence[OnnxValue]:
        """Write the answers of the outputs that have a loss; others stay as they are."""
        results = []
        for name, value in outputs.items():
            if name in self.recipe.losses:
                results += self._answer(builder, name, value, self.recipe.losses[name])
            else:
                results.append(value)
        return results

    def _answer(self, builder: GraphBuilder, name: str, scores: OnnxValue, loss: Loss) -> list[OnnxValue]:
        shape = self.graph.outputs[name].value.tensor.shape
        target = bind_target(self.meaning.columns, loss, [*self.bound.values()])
        batch = plain_shape(shape)[:1]
        builder.begin(f"answer.{name}")

        def result(kind: str, value: OnnxValue, dtype: str, sizes: Sequence[int | str]) -> OnnxValue:
            given = f"{name}.{kind}" if len(self.recipe.losses) > 1 else kind
            value.name, value.shape = self.taken[given], sizes
            value.kind = DTYPES[dtype]
            words = [*self.meaning.words.get(target, ())]
            self.answers[value.name] = {"of": name, "kind": kind, "target": target, "classes": words}
            return value

        def label(probabilities: OnnxValue) -> OnnxValue:
            return result("label", builder.op("ArgMax", probabilities, axis=1, keepdims=0), "int64", batch)

        one = len(shape) == 1 or all(size == 1 for size in shape[1:])
        if loss.task == "numbers":
            return [result("values", self._own_scale(builder, scores, target), "float32", plain_shape(shape))]
        if loss.task == "binary" and not one:
            yes = builder.op("Greater", scores, builder.constant(0.0, "float32"))
            return [result("classes", builder.cast(yes, "int64"), "int64", plain_shape(shape))]
        if loss.task == "binary":
            upright = builder.op("Reshape", scores, builder.constant([-1, 1]))
            if not loss.odds:
                above = builder.op("Greater", builder.op("Reshape", scores, builder.constant([-1])), _zero(builder))
                same = builder.op("Identity", scores)
                return [
                    result("label", builder.cast(above, "int64"), "int64", batch),
                    result("values", same, "float32", plain_shape(shape)),
                ]
            yes = builder.op("Sigmoid", upright)
            no = builder.op("Sub", builder.constant(1.0, "float32"), yes)
            both = builder.op("Concat", no, yes, axis=1)
            return [label(both), result("probabilities", both, "float32", [*batch, 2])]
        if len(shape) > 2:
            axis = 1 if len(shape) > 3 else -1
            best = builder.op("ArgMax", scores, axis=axis, keepdims=0)
            sizes = plain_shape(shape)
            del sizes[axis]
            return [result("classes", best, "int64", sizes)]
        shares = builder.op("Softmax", scores, axis=1)
        return [label(shares), result("probabilities", shares, "float32", plain_shape(shape))]

    def _own_scale(self, builder: GraphBuilder, scores: OnnxValue, target: str) -> OnnxValue:
        """The numbers of an output in the scale of the data."""
        value = scores
        learned = [states for each, states in zip(self.recipe.prepare, self.states) if each.for_targets]
        for states in reversed(learned):
            if target in states:
                mean, std = states[target].float().tolist()
                wide = builder.op("Mul", value, builder.constant(std, "float32"))
                value = builder.op("Add", wide, builder.constant(mean, "float32"))
        return value if value is not scores else builder.op("Identity", scores)


def channels_of(column: Column) -> int | None:
    """Return the number of channels of images, whose rows have them first or last."""
    return column.shape[2] if is_channels_last(column) else column.shape[0]


def is_channels_last(column: Column) -> bool:
    """Return whether rows are images whose channels come last."""
    return column.shape[0] not in (1, 3) and column.shape[2] in (1, 3)


def _zero(builder: GraphBuilder) -> OnnxValue:
    return builder.constant(0.0, "float32")
