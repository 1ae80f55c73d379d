"""The ONNX file of a run that takes raw rows, held against the run's own predictions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.runtimes import ANY_FORM, OnnxForm
from netspec.graph import Graph
from netspec.recipes.data.table_column import TableColumn
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.between_casts import write_rounded
from netspec.runtime.onnx.export import exported, put_model, remove_model
from netspec.runtime.onnx.verify import precision_of, tolerance_in
from netspec.train.data.readers.tables.features import features_of, raw_values
from netspec.train.data.readers.tables.raw import RawTable
from netspec.train.predict.answers import Answer, Predictor
from netspec.train.predict.inputs import PredictInputs
from netspec.train.predict.raw_ends import RawEnds, channels_of, is_channels_last
from netspec.train.predict.raw_file import RawFile
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.report.onnx_metadata import metadata_of
from netspec.train.store.folder import RunFolder

TOLERANCE = 1e-3
"""The most that an answer may differ by, relative to the largest: of probabilities, a thousandth."""


class RawExport(NamedTuple):
    """A written file, how far its answers are from the run's, ``None`` if nothing was compared, and what stays outside
    it. ``rows`` is the number of random rows that were compared, ``tolerance`` what their answers may differ by.
    """

    path: Path
    difference: float | None
    rows: int
    notes: list[str]
    tolerance: float = TOLERANCE

    @property
    def agrees(self) -> bool:
        """Return whether the answers are the same."""
        return self.difference is None or self.difference <= self.tolerance


def export_raw(
    run: TrainedRun, graph: Graph, module: nn.Module, path: Path, form: OnnxForm = ANY_FORM, verify: bool = True
) -> RawExport:
    """Write a run's network with its preparation in front and its answers behind; ``graph`` and ``module`` are those of
    the run, changes of low rank merged.

    Where the answers for random rows are not those of ``netspec predict``, it is kept as ``<name>.rejected.onnx``.
    Raises ``UsageError`` for a step of ``prepare`` that has no form in ONNX.
    """
    ends = RawEnds(run, form)
    with exported(graph, module, path, properties(run), form, ends) as temporary:
        difference, rows = difference_as_rounded(run, temporary, ends, form) if verify else (None, 0)
        made = RawExport(path, difference, rows, ends.notes(), max(TOLERANCE, tolerance_in(precision_of(form))))
        rejected = path.with_suffix(f".rejected{path.suffix}")
        kept, other = (path, rejected) if made.agrees else (rejected, path)
        put_model(temporary, kept)
        remove_model(other)
    return made._replace(path=kept)


def properties(run: TrainedRun) -> dict[str, str]:
    """Return the metadata of a run's file: what its numbers mean, and how well it does by the run's own scores."""
    said = metadata_of(run.graph, run.folder, RunFolder(run.path))
    if run.other_weights is not None:
        return said
    result = run.folder.result()
    scores = result["scores"] if run.fold is None else result["folds"][run.fold]
    return {**said, "netspec.metrics": json.dumps(scores)}


def difference_as_rounded(run: TrainedRun, path: Path, ends: RawEnds, form: OnnxForm) -> tuple[float | None, int]:
    """Return ``difference_from`` of a file; one of 16 bits rounds as it says, even where onnxruntime would not."""
    if form.half is None:
        return difference_from(run, path, ends)
    with TemporaryDirectory() as folder:
        return difference_from(run, write_rounded(path, Path(folder) / "rounded.onnx"), ends)


def difference_from(run: TrainedRun, path: Path, ends: RawEnds) -> tuple[float | None, int]:
    """Return how far the answers of a file for random rows are from those of the run, and how many rows there were.

    Nothing is compared of a network that writes word by word.
    """
    predictor = Predictor(run, warn=_ignore)
    if predictor.shifted is not None:
        return None, 0
    file = RawFile(path, warn=_ignore)
    ours, theirs = random_rows(run, ends)
    count = len(next(iter(ours.values())))
    names = [*map(str, range(count))]
    wanted = predictor.judged(PredictInputs(names, ours))
    given = file.of_rows(PredictInputs(names, theirs), slice(count))
    return max(apart(*pair) for pair in zip(wanted, given)), count


def random_rows(run: TrainedRun, ends: RawEnds) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return random rows by column, as ``netspec predict`` reads them, and as the file takes them."""
    chance, meaning = np.random.default_rng(0), run.meaning()
    examples = example_inputs(run.graph, quick_sizes(run.graph)[-1])
    count = len(next(iter(examples.values())))
    ours: dict[str, Any] = {}
    theirs: dict[str, Any] = {}
    if meaning.table:
        table = RawTable(
            "random", {each.name: [*values_of(each, count, chance)] for each in meaning.table}, [0] * count
        )
        ours |= features_of(table, meaning.table).tensors
        theirs |= {each.name: raw_values(table, each) for each in meaning.table}
    for name, column in ends.bound.items():
        if column in ours:
            continue
        example, shape = examples[name], meaning.columns[column].shape
        known = example.shape[1:] if example.dim() == len(shape) + 1 else [8] * len(shape)
        sizes = [own if own is not None else size for own, size in zip(shape, known)]
        kind = next(each["kind"] for each in ends.raw.values() if each["column"] == column)
        if kind in ("image", "bytes"):
            rows = torch.from_numpy(chance.integers(0, 256, (count, *sizes), np.uint8))
            ours[column] = theirs[column] = rows
            if kind == "image":
                first = rows.permute(0, 3, 1, 2) if is_channels_last(meaning.columns[column]) else rows
                grey = channels_of(meaning.columns[column]) == 1
                theirs[column] = first[:, 0] if grey else first.permute(0, 2, 3, 1)
        elif example.is_floating_point():
            ours[column] = theirs[column] = torch.from_numpy(chance.normal(size=(count, *sizes)).astype(np.float32))
        else:
            ours[column] = theirs[column] = example
    return ours, theirs


def values_of(column: TableColumn, count: int, chance: np.random.Generator) -> Iterator[Any]:
    """Yield random values of a table's column, with gaps if these are filled, and words that no training row has."""
    for number in range(count):
        if column.fill is not None and number == count - 1:
            yield None
        elif column.kind in ("one_hot", "ids"):
            yield chance.choice([*column.words, "?"])
        elif column.kind == "date":
            yield (datetime(1999, 12, 31) + timedelta(seconds=int(chance.integers(0, 10**9)))).isoformat()
        elif column.kind == "truth":
            yield str(chance.integers(2))
        else:
            yield round(float(chance.normal()), 4)


def apart(ours: Answer, theirs: Answer) -> float:
    """Return how far two answers are from each other: the largest difference, relative to the largest number."""
    want, got = _numbers(ours, ours), _numbers(theirs, ours)
    if want.shape != got.shape:
        return float("inf")
    if ours.classes is not None:
        return float((want != got).mean())
    return float(np.abs(want - got).max(initial=0.0) / max(np.abs(want).max(initial=0.0), 1e-30))


def _numbers(answer: Answer, like: Answer) -> np.ndarray:
    shares: Mapping[str, float] = answer.probabilities or {}
    if like.probabilities is not None:
        return np.array([shares.get(name, np.nan) for name in like.probabilities])
    return np.array(answer.values if like.classes is None else answer.classes, np.float64)


def _ignore(text: str) -> None:
    """Tell nobody."""
