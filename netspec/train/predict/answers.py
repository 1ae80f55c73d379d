"""Predictions of a trained network for new rows: classes with their probabilities, numbers, or a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.recipes.binding import bind_inputs, bind_target, prepared
from netspec.recipes.data.base import DataSet
from netspec.train.data import TensorRows
from netspec.train.data.batches import Batch, Batches, ColumnBinding, own_scale, prepare_transforms
from netspec.train.data.meaning import by_character
from netspec.train.predict.inputs import InputReader, PredictInputs
from netspec.train.predict.trained_run import TrainedRun

BATCH = 256
FILE_SETTINGS = ("level", "separator", "encoding", "decimal", "thousands", "na_values", "background")
"""The keys of a data set that say how its files are written."""
BEGIN, END = "<bos>", "<eos>"

Numbers: TypeAlias = "float | list[Numbers]"
"""A number, or lists of numbers in lists."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The prediction for one row, which ``input`` names.

    It has ``probabilities`` of the classes, the likeliest first; or ``values``, numbers, and the ``label`` of the class
    that they decide for, if they do; or ``classes``, one for each position; or a ``text``. ``targets`` has the
    names of the numbers that ``values`` are predictions of, and ``kept`` values of the row's table that are copied.
    """

    input: str
    probabilities: Mapping[str, float] | None = None
    values: Numbers | None = None
    classes: Numbers | None = None
    text: str | None = None
    label: str | None = None
    targets: Sequence[str] = ()
    kept: Mapping[str, object] = field(default_factory=dict)

    @property
    def likeliest(self) -> str | None:
        """The class: the likeliest one, or the one that numbers decide for; ``None`` where there are no classes."""
        return self.label if self.probabilities is None else next(iter(self.probabilities))

    def plain(self) -> dict[str, Any]:
        """Return the parts that there are, by name, as JSON takes them."""
        parts: dict[str, Any] = {"input": self.input, **({"kept": dict(self.kept)} if self.kept else {})}
        if self.probabilities is not None:
            parts |= {"class": next(iter(self.probabilities)), "probabilities": dict(self.probabilities)}
        others = {"class": self.label, "values": self.values, "classes": self.classes, "text": self.text}
        return parts | {name: value for name, value in others.items() if value is not None}


class Predictor:
    """Answers for new rows, by a trained run. ``runtime`` is ``torch`` or ``onnx``; both run on the CPU. Of tables, the
    columns in ``keep`` are copied, and ``warn`` is called with what no training row has.
    """

    def __init__(
        self, run: TrainedRun, runtime: str = "torch", keep: Sequence[str] = (), warn: Callable[[str], None] = print
    ):
        recipe, graph, meaning = run.recipe, run.graph, run.meaning()
        self.module = run.module(runtime)
        self.columns, self.words = meaning.columns, meaning.words
        self.main, self.loss = next(iter(recipe.losses.items()))
        self.bound = bind_inputs(prepared(self.columns, recipe.prepare), graph.inputs, recipe.inputs)
        self.target = bind_target(self.columns, self.loss, [*self.bound.values()])
        self.targets = meaning.names.get(self.target, (self.target,))
        self.optional = {column for name, column in self.bound.items() if graph.inputs[name].optional}
        self.inputs = [self.bound.get(name) for name in graph.inputs]
        self.values = [*graph.inputs.values()]
        self.shifted = self.columns[self.target].shifted
        self.shifted = self.shifted if self.shifted in self.inputs else None
        self.prepare = prepare_transforms(recipe.prepare, self.columns, TensorRows({}), torch.empty(0), run.states())
        self.own_scale = own_scale(self.prepare, self.target)
        read = list(dict.fromkeys(name for name in self.inputs if name is not None))
        texts = [name for name in read if name in self.words]
        self.text = next((name for name in texts if name != self.shifted), next(iter(texts), None))
        self.reader = InputReader(meaning, read, self.text, keep, warn, file_settings(recipe.data))

    def answers(self, argument: str) -> Iterator[Answer]:
        """Yield the answer for each row of a file, or for a text. Raises ``UsageError`` for inputs of another kind."""
        for inputs in self.reader.read_argument(argument):
            yield from self.answers_of(inputs)

    def answers_of(self, inputs: PredictInputs) -> Iterator[Answer]:
        """Yield the answer for each row of what has been read."""
        self.guard_length(inputs)
        if self.shifted is None:
            yield from self.judged(inputs)
        elif self.text is None or inputs.rows[self.text].shape[0] != 1:
            raise UsageError("a network that writes takes one text at a time")
        elif self.text == self.shifted:
            yield Answer(inputs.names[0], text=self.spelled(self.continued(inputs.rows[self.text])))
        else:
            yield Answer(inputs.names[0], text=self.spelled(self.translated(inputs.rows)))

    def guard_length(self, inputs: PredictInputs) -> None:
        """Guard: a text has the length of the network's input, if that is fixed."""
        for value, column in zip(self.values, self.inputs):
            size = value.shape[1] if column is not None and column == self.text else None
            if isinstance(size, int) and inputs.rows[column or ""].shape[1] != size:
                length = inputs.rows[column or ""].shape[1]
                raise UsageError(f"`{inputs.names[0][:40]}` is {length} long, but the network reads {size} at a time")

    def output(self, rows: Mapping[str, Tensor]) -> Iterator[Tensor]:
        """Yield the first judged output, [n, …], of raw rows, a batch at a time."""
        for batch in self.batches(rows).in_order(BATCH):
            yield self.run(batch)

    def batches(self, rows: Mapping[str, Tensor]) -> Batches:
        """Return raw rows in batches, prepared as the network takes them."""
        inputs = tuple(name if name in rows else None for name in self.inputs)
        return Batches(TensorRows(rows), self.columns, ColumnBinding(inputs, {}), torch.device("cpu"), self.prepare)

    def run(self, batch: Batch) -> Tensor:
        """Return the first judged output for a batch, float32, [n, …]."""
        with torch.inference_mode():
            outputs = self.module(*batch.inputs)
        output: Tensor = outputs[self.main] if isinstance(outputs, dict) else outputs
        return output.float()

    # Rows that are judged

    def judged(self, inputs: PredictInputs) -> Iterator[Answer]:
        """Yield the answer for each row of a network that does not write its target."""
        rows = (row for output in self.output(inputs.rows) for row in output)
        for number, (name, row) in enumerate(zip(inputs.names, rows)):
            kept = {column: values[number] for column, values in inputs.kept.items()}
            yield replace(self.answer(name, row), kept=kept)

    def answer(self, name: str, row: Tensor) -> Answer:
        """Return the answer that the output of one row, […], stands for."""
        if self.loss.task == "numbers":
            row = row if self.own_scale is None else self.own_scale(row[None])
            return Answer(name, values=digits(row.squeeze()), targets=self.targets)
        if self.loss.task == "binary":
            yes = torch.sigmoid(row.flatten())
            if len(yes) > 1:
                return Answer(name, classes=(yes > 0.5).long().view(row.shape).tolist())
            if not self.loss.odds:
                return Answer(name, values=digits(row.squeeze()), label=self.names(2)[int(row.item() > 0)])
            return self.likeliest(name, torch.cat([1 - yes, yes]))
        if row.dim() > 1:
            return Answer(name, classes=row.argmax(0 if row.dim() > 2 else -1).tolist())
        return self.likeliest(name, row.softmax(-1))

    def likeliest(self, name: str, probabilities: Tensor) -> Answer:
        """Return an answer with the probabilities of the classes, [classes], the likeliest first."""
        return likeliest(name, probabilities, self.names(len(probabilities)))

    def names(self, count: int) -> Sequence[str]:
        """Return the names of ``count`` classes: the numbers of those that the data have no names for."""
        return class_names(self.words.get(self.target, ()), count)

    # Texts that are written

    def continued(self, words: Tensor) -> Tensor:
        """Return the likeliest next words of a text, [1, T] -> [1, T'], as many as a training row has."""
        assert self.text is not None
        length = self.columns[self.text].shape[0] or words.shape[1]
        for _ in range(length):
            (scores,) = self.output({self.text: words[:, -length:]})
            words = torch.cat([words, self._chosen(scores[:, -1])[:, None]], 1)
        return words[:, -length:]

    def translated(self, rows: Mapping[str, Tensor]) -> Tensor:
        """Return the likeliest words for a source text, [1, T]: each is chosen with those before it read back."""
        assert self.shifted is not None
        column, words = self.columns[self.shifted], self.words[self.shifted]
        size, begin = column.shape[0] or 2 * rows[self.text or ""].shape[1], words.index(BEGIN)
        written = torch.full((1, size), column.padding or 0)
        written[:, 0] = begin
        for position in range(size):
            (scores,) = self.output({**rows, self.shifted: written})
            word = self._chosen(scores[:, position])
            if position + 1 == size or words[int(word)] == END:
                break
            written[:, position + 1] = word
        return written[:, 1 : position + 1]

    def _chosen(self, scores: Tensor) -> Tensor:
        """Return the likeliest words, [n, …] -> [n]; a network may score more numbers than there are words."""
        return scores[:, : len(self.words[self.target])].argmax(-1)

    def spelled(self, numbers: Tensor) -> str:
        """Return the text of words by their numbers, [1, T]."""
        words = self.words[self.target]
        return ("" if by_character(words) else " ").join(words[number] for number in numbers[0].tolist())


def file_settings(data_set: DataSet) -> dict[str, Any]:
    """Return the keys of a data set that say how its files are written, as JSON takes them."""
    return {name: getattr(data_set, name) for name in FILE_SETTINGS if hasattr(data_set, name)}


def class_names(words: Sequence[str], count: int) -> Sequence[str]:
    """Return the names of ``count`` classes: the numbers of those that have no names."""
    return [*words, *map(str, range(len(words), count))]


def likeliest(name: str, probabilities: Tensor, words: Sequence[str]) -> Answer:
    """Return an answer with the probabilities of the classes, [classes], the likeliest first."""
    order = probabilities.argsort(descending=True, stable=True)
    return Answer(name, dict(zip((words[number] for number in order.tolist()), digits(probabilities[order]))))


def digits(values: Tensor) -> Any:
    """Return numbers, […], as a list of them, those of single precision with no more digits than tell them apart."""
    if values.dtype != torch.float32:
        return values.tolist()
    return values.numpy().astype(str).astype(float).tolist()
