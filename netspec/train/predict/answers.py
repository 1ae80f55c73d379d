"""What a trained network says of new rows: classes with their probabilities, numbers, or a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from netspec.diagnostics import UsageError
from netspec.recipes.binding import bind_inputs, bind_target, prepared
from netspec.train.data import TensorRows
from netspec.train.data.batches import Batch, Batches, ColumnBinding, prepare_transforms
from netspec.train.predict.inputs import Given, GivenReader, by_character
from netspec.train.predict.trained_run import TrainedRun

BATCH = 256
SAID = ("level", "separator", "decimal")
"""What a data set says of how its files are written."""
BEGIN, END = "<bos>", "<eos>"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is said of one row.

    There are ``probabilities`` of the classes, the likeliest first; or ``values``, numbers, and the ``label`` of the
    class that they speak for, where they do; or ``classes``, one for each place; or a ``text``.
    """

    of: str
    probabilities: Mapping[str, float] | None = None
    values: Any = None
    classes: Any = None
    text: str | None = None
    label: str | None = None

    def plain(self) -> dict[str, Any]:
        """The same for JSON."""
        found: dict[str, Any] = {"of": self.of}
        if self.probabilities is not None:
            found |= {"class": next(iter(self.probabilities)), "probabilities": dict(self.probabilities)}
        others = {"class": self.label, "values": self.values, "classes": self.classes, "text": self.text}
        return found | {name: value for name, value in others.items() if value is not None}


class Predictor:
    """A trained run, asked about new rows. ``runtime`` is ``torch`` or ``onnx``; both say the same, on the CPU."""

    def __init__(self, run: TrainedRun, runtime: str = "torch"):
        recipe, graph, meaning = run.recipe, run.graph, run.meaning()
        self.module = run.module(runtime)
        self.columns, self.words = meaning.columns, meaning.words
        self.main, self.loss = next(iter(recipe.losses.items()))
        self.bound = bind_inputs(prepared(self.columns, recipe.prepare), graph.inputs, recipe.inputs)
        self.target = bind_target(self.columns, self.loss, [*self.bound.values()])
        self.optional = {column for name, column in self.bound.items() if graph.inputs[name].optional}
        self.inputs = [self.bound.get(name) for name in graph.inputs]
        self.values = [*graph.inputs.values()]
        self.shifted = self.columns[self.target].shifted
        self.shifted = self.shifted if self.shifted in self.inputs else None
        self.prepare = prepare_transforms(recipe.prepare, self.columns, TensorRows({}), torch.empty(0), run.states())
        read = list(dict.fromkeys(name for name in self.inputs if name is not None))
        texts = [name for name in read if name in self.words]
        self.text = next((name for name in texts if name != self.shifted), next(iter(texts), None))
        said = {name: getattr(recipe.data, name) for name in SAID if hasattr(recipe.data, name)}
        self.reader = GivenReader(meaning, read, self.text, **said)

    def answers(self, given: str) -> Iterator[Answer]:
        """What it says of each row of a file, or of a text. Raises ``UsageError`` where it cannot take them."""
        for each in self.reader.all(given):
            self.guard_length(each)
            if self.shifted is None:
                yield from self.judged(each)
            elif self.text is None or each.rows[self.text].shape[0] != 1:
                raise UsageError("a network that writes takes one text at a time")
            elif self.text == self.shifted:
                yield Answer(each.names[0], text=self.spelled(self.continued(each.rows[self.text])))
            else:
                yield Answer(each.names[0], text=self.spelled(self.translated(each.rows)))

    def guard_length(self, given: Given) -> None:
        """Guard: a text is as long as the network takes it, where it takes but one length."""
        for value, column in zip(self.values, self.inputs):
            size = value.shape[1] if column is not None and column == self.text else None
            if isinstance(size, int) and given.rows[column or ""].shape[1] != size:
                length = given.rows[column or ""].shape[1]
                raise UsageError(f"`{given.names[0][:40]}` is {length} long, but the network reads {size} at a time")

    def output(self, rows: Mapping[str, Tensor]) -> Iterator[Tensor]:
        """The judged output for rows as they are given, a batch at a time, [n, …]."""
        inputs = tuple(name if name in rows else None for name in self.inputs)
        batches = Batches(TensorRows(rows), self.columns, ColumnBinding(inputs, {}), torch.device("cpu"), self.prepare)
        for batch in batches.in_order(BATCH):
            yield self.ran(batch)

    def ran(self, batch: Batch) -> Tensor:
        with torch.inference_mode():
            made = self.module(*batch.inputs)
        found: Tensor = made[self.main] if isinstance(made, dict) else made
        return found.float()

    # What is judged

    def judged(self, given: Given) -> Iterator[Answer]:
        names = iter(given.names)
        for output in self.output(given.rows):
            for row in output:
                yield self.answer(next(names), row)

    def answer(self, name: str, row: Tensor) -> Answer:
        """What the output of one row means."""
        if self.loss.task == "numbers":
            return Answer(name, values=row.squeeze().tolist())
        if self.loss.task == "binary":
            yes = torch.sigmoid(row.flatten())
            if len(yes) > 1:
                return Answer(name, classes=(yes > 0.5).long().view(row.shape).tolist())
            if not self.loss.odds:
                return Answer(name, values=row.item(), label=self.names(2)[int(row.item() > 0)])
            return self.likeliest(name, torch.cat([1 - yes, yes]))
        if row.dim() > 1:
            return Answer(name, classes=row.argmax(0 if row.dim() > 2 else -1).tolist())
        return self.likeliest(name, row.softmax(-1))

    def likeliest(self, name: str, shares: Tensor) -> Answer:
        words = self.names(len(shares))
        order = shares.argsort(descending=True, stable=True).tolist()
        return Answer(name, {words[place]: float(shares[place]) for place in order})

    def names(self, count: int) -> Sequence[str]:
        """What the classes are called: those that have no name, as the data have none of them, by their numbers."""
        words = self.words.get(self.target, ())
        return [*words, *map(str, range(len(words), count))]

    # What is written

    def continued(self, words: Tensor) -> Tensor:
        """The likeliest next words of a text, [1, T] -> [1, T']: as many as a training row has, one at a time."""
        assert self.text is not None
        length = self.columns[self.text].shape[0] or words.shape[1]
        for _ in range(length):
            (scores,) = self.output({self.text: words[:, -length:]})
            words = torch.cat([words, scores[:, -1].argmax(-1)[:, None]], 1)
        return words[:, -length:]

    def translated(self, rows: Mapping[str, Tensor]) -> Tensor:
        """What the network writes of a text, the likeliest word at each place, as it reads back its own, [1, T]."""
        assert self.shifted is not None
        column, words = self.columns[self.shifted], self.words[self.shifted]
        size, begin = column.shape[0] or 2 * rows[self.text or ""].shape[1], words.index(BEGIN)
        written = torch.full((1, size), column.padding or 0)
        written[:, 0] = begin
        for place in range(size):
            (scores,) = self.output({**rows, self.shifted: written})
            found = scores[:, place].argmax(-1)
            if place + 1 == size or words[int(found)] == END:
                break
            written[:, place + 1] = found
        return written[:, 1 : place + 1]

    def spelled(self, numbers: Tensor) -> str:
        words = self.words[self.target]
        return ("" if by_character(words) else " ").join(words[number] for number in numbers[0].tolist())
