"""The judgement of a trained network on some rows, in plain numbers: what it says of which class, and how surely."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from netspec.train.store.folder import RunFolder

JUDGEMENT = "judgement.json"


class ClassScores(NamedTuple):
    """Precision, recall and their harmonic mean for one class, each ``None`` where it is 0/0, and its rows."""

    name: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class Confusion(NamedTuple):
    """The number of ``rows`` of class ``wanted`` that the network takes for ``said``, and their share of that class."""

    wanted: str
    said: str
    rows: int
    share: float


@dataclass(frozen=True, slots=True)
class Bin:
    """The answers whose probabilities are in one of fifteen equal intervals: their number, the sum of these
    probabilities, and how many are right.
    """

    count: int
    confidence: float
    right: int


@dataclass(frozen=True, slots=True)
class Mistake:
    """A row that the network gets wrong. ``row`` is its index among those that its part is taken from, from 0 on, and
    ``file`` its own file, if it has one. ``sure`` is the probability of what it says, ``of_wanted`` that of the right
    answer, ``None`` where scores are no probabilities; ``size`` orders mistakes. ``shown`` is the row for a page:
    ``picture``, a data URI, ``text`` or ``features``.
    """

    row: int
    wanted: str
    said: str
    size: float
    sure: float | None = None
    of_wanted: float | None = None
    shown: Mapping[str, Any] | None = None
    file: str | None = None

    @property
    def place(self) -> str:
        """Return what people find the row by: its file, or its number from 1 on."""
        return self.file or f"row {self.row + 1:,}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Answers of a network on the ``part`` of the data, of ``rows`` rows or positions.

    Of classes: ``confusion`` has a row for each right class and a column for each answer, ``bins`` are empty where
    scores are no probabilities. Of numbers: ``pairs`` are right ones with the network's, of evenly spaced rows.
    """

    part: str
    rows: int
    classes: Sequence[str] = ()
    confusion: Sequence[Sequence[int]] = ()
    bins: Sequence[Bin] = ()
    pairs: Sequence[tuple[float, float]] = ()
    mistakes: Sequence[Mistake] = ()

    def scores(self) -> list[ClassScores]:
        """Return the scores of every class, in the order of the classes."""
        found = []
        for at, name in enumerate(self.classes):
            right, wanted = self.confusion[at][at], sum(self.confusion[at])
            said = sum(row[at] for row in self.confusion)
            f1 = _over(2 * right, wanted + said)
            found.append(ClassScores(name, _over(right, said), _over(right, wanted), f1, wanted))
        return found

    def confusions(self) -> list[Confusion]:
        """Return the pairs of classes that are taken for one another, the most frequent ones first."""
        found = [
            Confusion(self.classes[wanted], self.classes[said], count, count / sum(row))
            for wanted, row in enumerate(self.confusion)
            for said, count in enumerate(row)
            if count and wanted != said
        ]
        return sorted(found, key=lambda each: -each.rows)

    def calibration_error(self) -> float | None:
        """Return the expected calibration error: |share that is right − mean probability|, averaged over the answers
        (Guo et al. 2017); ``None`` where scores are no probabilities.
        """
        total = sum(each.count for each in self.bins)
        return sum(abs(each.right - each.confidence) for each in self.bins) / total if total else None

    def plain(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return asdict(self)

    @staticmethod
    def of_plain(content: Mapping[str, Any]) -> Judgement:
        """Return the judgement that ``plain`` has written."""
        bins = [Bin(**each) for each in content["bins"]]
        mistakes = [Mistake(**each) for each in content["mistakes"]]
        pairs = [(wanted, said) for wanted, said in content["pairs"]]
        return Judgement(**{**content, "bins": bins, "mistakes": mistakes, "pairs": pairs})


def _over(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def together(judgements: Sequence[Judgement], most: int) -> Judgement | None:
    """Return one judgement of all folds of a run: their sums, and the ``most`` worst of their mistakes."""
    if not judgements:
        return None
    first = judgements[0]
    mistakes = sorted((each for one in judgements for each in one.mistakes), key=lambda each: -each.size)
    bins = [
        Bin(sum(each.count for each in same), sum(each.confidence for each in same), sum(each.right for each in same))
        for same in zip(*(one.bins for one in judgements))
    ]
    return Judgement(
        first.part,
        sum(one.rows for one in judgements),
        first.classes,
        [[*map(sum, zip(*rows))] for rows in zip(*(one.confusion for one in judgements))],
        bins,
        [pair for one in judgements for pair in one.pairs],
        mistakes[:most],
    )


def write_judgement(judgement: Judgement | None, folder: RunFolder) -> None:
    """Write ``judgement.json``, if there is something to judge."""
    if judgement is not None:
        folder.write(JUDGEMENT, judgement.plain())


def read_judgements(folders: Sequence[RunFolder]) -> Iterator[Judgement]:
    """Yield the judgements of a run's folds; none of runs that have none. Raises ``EnvironmentFault`` if one is
    damaged.
    """
    for folder in folders:
        if (folder.path / JUDGEMENT).is_file():
            yield Judgement.of_plain(folder.read(JUDGEMENT))
