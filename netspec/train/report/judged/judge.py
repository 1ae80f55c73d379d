"""Judges a trained network: every row of a part of its data, in one pass."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from netspec.train.data.batches import Batch, Batches
from netspec.train.optimize.metrics import EVALUATION_BATCH, YES, scores_of_places
from netspec.train.report.judged.judgement import Bin, Judgement, Mistake
from netspec.train.report.judged.rows import shown_rows
from netspec.train.setup import Setup
from netspec.train.world import World

BINS = 15
MOST_CLASSES = 1000
MOST_MISTAKES = 24
MOST_PAIRS = 1000
NO_AND_YES = ("no", "yes")


def judge(setup: Setup, part: str, batches: Batches) -> Judgement | None:
    """Return the judgement of a setup's network on a part of its data; ``None`` where there are neither classes of
    rows nor a number for each. Every process calls this.
    """
    tally = tally_of(setup)
    if tally is None:
        return None
    model = setup.model.eval()
    with torch.inference_mode():
        for numbers, batch in batches.numbered(EVALUATION_BATCH):
            with setup.autocast():
                outputs = model(*batch.inputs)
            if batch.rows:
                output = outputs[setup.evaluator.objective.main] if isinstance(outputs, dict) else outputs
                tally.add(output.float(), batch, numbers)
    tally.gather(setup.world)
    judged = tally.judgement(part)
    rows = shown_rows(setup, setup.rows_of(part), [each.row for each in judged.mistakes])
    files = files_of(setup, part)
    mistakes = [
        replace(each, shown=shown, file=files[each.row] if files else None)
        for each, shown in zip(judged.mistakes, rows)
    ]
    return replace(judged, mistakes=mistakes)


def files_of(setup: Setup, part: str) -> Sequence[str]:
    """Return the files of the rows that a part of the data is taken from; none where they have none of their own."""
    rows = setup.rows_of(part)
    return next((files for name, files in setup.data.files.items() if getattr(setup.data, name) is rows), ())


def judged_part(parts: Collection[str]) -> str:
    """Return the part that tells most of a network: the test, else the validation, else what there is."""
    return next((name for name in ("test", "validation") if name in parts), [*parts][-1])


class Tally(ABC):
    """Base of what is counted of a network's answers. ``worst`` are mistakes, the largest ones of each batch."""

    def __init__(self, output: str):
        self.output = output
        self.rows = 0
        self.worst: list[Mistake] = []

    @abstractmethod
    def add(self, output: Tensor, batch: Batch, numbers: Tensor) -> None:
        """Count a batch, whose rows have these ``numbers`` in their part of the data."""

    @abstractmethod
    def gather(self, world: World) -> None:
        """Take in what all processes have counted."""

    @abstractmethod
    def judgement(self, part: str) -> Judgement:
        """Return what has been counted."""

    def _gather_worst(self, world: World) -> None:
        self.rows = sum(world.gathered(self.rows))
        found = [each for one in world.gathered(self.worst) for each in one]
        self.worst = sorted(found, key=lambda each: (-each.size, each.row))[:MOST_MISTAKES]


class ClassTally(Tally):
    """Counts answers of classes. ``odds``: their scores become probabilities."""

    def __init__(self, output: str, classes: list[str], ignored: int | None, binary: bool, odds: bool):
        super().__init__(output)
        self.classes, self.ignored, self.binary, self.odds = classes, ignored, binary, odds
        self.confusion = torch.zeros(len(classes), len(classes), dtype=torch.int64)
        self.bins = torch.zeros(3, BINS, dtype=torch.float64)  # numbers, probabilities, right ones

    def add(self, output: Tensor, batch: Batch, numbers: Tensor) -> None:
        target = batch.targets[self.output]
        if self.binary:
            score = output.flatten().double()
            logs, wanted = torch.stack([logsigmoid(-score), logsigmoid(score)], 1), (target.flatten() >= YES).long()
        else:
            scores, wanted = scores_of_places(output, target)
            logs = scores.double().log_softmax(1)
        one_each = len(wanted) == len(numbers)
        numbers = numbers.to(logs.device) if one_each else numbers.new_zeros(len(wanted)).to(logs.device)
        if self.ignored is not None:
            counts = wanted != self.ignored
            logs, wanted, numbers = logs[counts], wanted[counts], numbers[counts]
        best, said = logs.max(1)
        right = said == wanted
        self.rows += len(wanted)
        size = len(self.classes)
        self.confusion += torch.bincount(wanted * size + said, minlength=size**2).cpu().view(size, size)
        if self.odds:
            edges = torch.linspace(0, 1, BINS + 1, dtype=torch.float64, device=logs.device)
            place = (torch.bucketize(best.exp(), edges, right=True) - 1).clamp(max=BINS - 1)
            for row, values in enumerate((torch.ones_like(best), best.exp(), right.double())):
                self.bins[row] += torch.bincount(place, values, BINS).cpu()
        if one_each:
            self._add_worst(logs[~right], wanted[~right], said[~right], numbers[~right])

    def _add_worst(self, logs: Tensor, wanted: Tensor, said: Tensor, numbers: Tensor) -> None:
        of_wanted, best = (logs.gather(1, each[:, None]).flatten() for each in (wanted, said))
        size = best - of_wanted  # the log of how much surer it is of the wrong answer
        order = size.argsort(descending=True, stable=True)[:MOST_MISTAKES]
        columns = zip(*(each[order].tolist() for each in (numbers, wanted, said, size, best.exp(), of_wanted.exp())))
        for row, right, answer, far, sure, of_right in columns:
            shares = (sure, of_right) if self.odds else (None, None)
            self.worst.append(Mistake(row, self.classes[right], self.classes[answer], far, *shares))

    def gather(self, world: World) -> None:
        self._gather_worst(world)
        self.confusion = torch.stack(world.gathered(self.confusion)).sum(0)
        self.bins = torch.stack(world.gathered(self.bins)).sum(0)

    def judgement(self, part: str) -> Judgement:
        bins = [Bin(int(count), sure, int(right)) for count, sure, right in self.bins.T.tolist()]
        bins = bins if self.odds else []
        return Judgement(part, self.rows, self.classes, self.confusion.tolist(), bins, mistakes=self.worst)


class NumberTally(Tally):
    """Counts answers that are one number for each row, in the scale of the data."""

    def __init__(self, output: str, own_scale: Callable[[Tensor], Tensor] | None):
        super().__init__(output)
        self.own_scale = own_scale
        self.found: list[tuple[int, float, float]] = []

    def add(self, output: Tensor, batch: Batch, numbers: Tensor) -> None:
        wanted, said = batch.targets[self.output].flatten().double(), output.flatten().double()
        if self.own_scale is not None:
            wanted, said = self.own_scale(wanted), self.own_scale(said)
        self.rows += len(wanted)
        self.found += zip(numbers.tolist(), wanted.tolist(), said.tolist())
        size = (wanted - said).abs()
        order = size.argsort(descending=True, stable=True)[:MOST_MISTAKES]
        for row, right, answer, far in zip(
            *(each[order].tolist() for each in (numbers.to(size.device), wanted, said, size))
        ):
            self.worst.append(Mistake(row, f"{right:.6g}", f"{answer:.6g}", far))

    def gather(self, world: World) -> None:
        self._gather_worst(world)
        self.found = sorted(each for one in world.gathered(self.found) for each in one)

    def judgement(self, part: str) -> Judgement:
        every = -(-len(self.found) // MOST_PAIRS) or 1
        pairs = [(wanted, said) for _, wanted, said in self.found[::every]]
        return Judgement(part, self.rows, pairs=pairs, mistakes=self.worst)


def tally_of(setup: Setup) -> Tally | None:
    """Return what is to be counted of a setup's first judged output."""
    output, loss = next(iter(setup.recipe.losses.items()))
    name = setup.binding.targets[output]
    column, words = setup.columns[name], setup.data.words.get(name, ())
    if not loss.compares:
        return None
    if loss.task == "numbers":
        scale = setup.evaluator.own_scale
        return NumberTally(output, scale) if setup.one_number(output) and column.classes is None else None
    if loss.task == "binary":
        named = [*words] if len(words) == len(NO_AND_YES) else [*NO_AND_YES]
        return ClassTally(output, named, None, True, loss.odds) if setup.one_number(output) else None
    count = setup.classes(output)
    if column.shifted is not None or count is None or count > MOST_CLASSES:
        return None
    classes = [*words, *map(str, range(len(words), count))]
    return ClassTally(output, classes, setup.evaluator.ignored, False, True)
