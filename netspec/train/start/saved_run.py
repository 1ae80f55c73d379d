"""A run in its folder, as Python users hold it: its scores, its network, and what can be asked of it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import stdev
from typing import TYPE_CHECKING, Literal

from torch import nn

from netspec.diagnostics import UsageError
from netspec.pipeline import Origin
from netspec.sources.run_folders import is_run, named_run
from netspec.text.quoting import html
from netspec.train.job import Scores, average, over_folds
from netspec.train.predict.answers import Answer, Predictor
from netspec.train.predict.given import GivenRows, answers_for
from netspec.train.predict.trained_run import TrainedRun
from netspec.train.predict.unfinished import guard_ended
from netspec.train.report.curves import curves_svg
from netspec.train.report.page import COLOURS
from netspec.train.report.progress import score
from netspec.train.start.here import RecipeValue, resume_here, values_of, written
from netspec.train.start.resumption import resumption
from netspec.train.store.folder import RunFolder
from netspec.train.store.history import History, read_history
from netspec.train.store.metadata import begun_as, reloaded

if TYPE_CHECKING:
    from netspec.model import Model

Runtime = Literal["torch", "onnx"]


class SavedRun:
    """A run in its folder, ``path``. What it knows is read from there whenever it is asked for.

    ``name`` is that of its network. Of a cross-validated run, ``evaluate`` and ``scores`` give the mean over its folds;
    the rest is that of one fold, ``netspec.run("runs/net/1/fold-2")``.
    """

    def __init__(self, path: Path):
        self.path = path
        is_fold = path.name.startswith("fold-") and is_run(path.parent)
        self._folder = RunFolder(path.parent if is_fold else path)
        self.name: str = self._folder.facts()["model"]

    def __repr__(self) -> str:
        state = "" if self.finished else ", not finished"
        return f"<netspec.SavedRun {self.path}: {self.name}{state}>"

    def _repr_html_(self) -> str:
        """Return the scores and the curves, which notebooks show."""
        parts = [f"<p>{html(repr(self)[1:-1])}</p>"]
        if self.finished:
            names = [*dict.fromkeys(name for part in self.scores.values() for name in part)]
            rows = [["", *names]]
            rows += [[part, *(score(each[name]) for name in names)] for part, each in self.scores.items()]
            lines = (f"<tr>{''.join(f'<td>{html(cell)}</td>' for cell in row)}</tr>" for row in rows)
            parts.append(f"<table>{''.join(lines)}</table>")
        history = read_history(RunFolder(self.path))
        body = "\n".join([*parts, *([curves_svg(history)] if history.epochs else [])])
        return f'<div style="{COLOURS}; background: var(--paper); color: var(--ink)">{body}</div>'

    @property
    def finished(self) -> bool:
        """True where it has come to its end, rather than been stopped."""
        return self._folder.ended

    @property
    def scores(self) -> Scores:
        """Loss and metrics of its best weights by the part of the data. Raises ``UsageError`` if it has not ended."""
        guard_ended(self._folder)
        result = self._folder.result()
        found: Scores = result["scores"] if self.path == self._folder.path else result["folds"][self._fold]
        return found

    @property
    def _fold(self) -> int:
        return int(self.path.name.removeprefix("fold-")) - 1

    @property
    def best_epoch(self) -> int:
        """The epoch of the best weights, from 1 on. Raises ``UsageError`` if it has not ended."""
        guard_ended(self._folder)
        found: list[int] = self._folder.result()["best_epoch"]
        return found[0 if self.path == self._folder.path else self._fold]

    @property
    def history(self) -> History:
        """The loss of each step, and the scores, the learning rate and the time of each epoch, as far as it has come.

        ``history.steps`` has pairs of a step and its loss, ``history.curve("validation", "loss")`` pairs of the step
        that an epoch ended with and the score.
        """
        return read_history(RunFolder(self.path))

    @property
    def model(self) -> Model:
        """Its network, as ``netspec.load`` gives it, with the variant, the values and the recipe of the run."""
        from netspec.model import Model

        own = begun_as(self._folder)
        origin = Origin(reloaded(self._folder), own.variant, own.values)
        return Model(origin.graph(), origin)

    def module(self, runtime: Runtime = "torch") -> nn.Module:
        """Return the network with its best weights, on the CPU and in evaluation mode: as PyTorch, or as its ONNX file.

        Of a run that has not ended they are the best so far. Raises ``UsageError`` if no epoch has ended.
        """
        return TrainedRun.find_one(str(self.path), _warn).module(runtime)

    def evaluate(
        self, data: str | Mapping[str, RecipeValue] | None = None, runtime: Runtime = "torch", views: int = 0
    ) -> Scores:
        """Return loss and metrics by the part of the run's data, or of other ``data``, written as under ``train.data``.

        ``{"csv": "new.csv"}`` has the columns of the run's own table. With ``views`` each row is judged by so many
        augmented views, too. Raises ``UsageError`` if no epoch has ended, ``SpecError`` for data that do not fit.
        """
        text = data if data is None or isinstance(data, str) else written("data", data)
        found = []
        for each in TrainedRun.find(str(self.path), text, _warn):
            setup, parts = each.evaluated(runtime, _warn, views)
            found.append({name: setup.evaluate(batches) for name, batches in parts.items()})
        return average(found)

    @property
    def spread(self) -> Scores:
        """The standard deviation of its scores over its folds; empty for a run that was not cross-validated."""
        guard_ended(self._folder)
        folds = self._folder.result()["folds"]
        return over_folds(stdev, folds) if folds and self.path == self._folder.path else {}

    def predict(self, rows: GivenRows, runtime: Runtime = "torch", keep: Sequence[str] = ()) -> list[Answer]:
        """Return the answer for each row: the probabilities of classes, numbers, or a text.

        ``rows`` are a file, a folder or a text, as for ``netspec predict``; or a tensor or an array, [n, …], such by
        the names of columns, a picture of Pillow's, or a table: a list of mappings, columns as lists, a data frame.
        Columns of a table in ``keep`` are copied. Raises ``UsageError`` for rows that the network does not read.
        """
        predictor = Predictor(TrainedRun.find_one(str(self.path), _warn), runtime, keep, _warn)
        return [*answers_for(predictor, rows)]

    def resume(
        self,
        recipe: Mapping[str, RecipeValue] | None = None,
        *,
        stretch_schedule: bool = False,
        changed_data: bool = False,
        progress: bool = True,
        **keys: RecipeValue,
    ) -> SavedRun:
        """Go on with the run, as it was begun, bit for bit; more ``epochs`` or ``steps`` make it longer.

        The schedule of a longer run is done after the epochs that it was planned for, and its last learning rate stays,
        unless ``stretch_schedule`` plans it for all of them. Raises as ``netspec train --resume``: ``TrainingFault``
        for other values than it was begun with, or other data without ``changed_data``.
        """
        values = values_of({**(recipe or {}), **keys})
        resume_here(resumption(self._folder, values, stretch_schedule), changed_data, progress)
        return self


def saved_run(run: str | Path) -> SavedRun:
    """Return a run: its folder, ``last`` of all, ``runs/NAME/last``, or a fold of one.

    Raises ``UsageError`` if there is no such run.
    """
    path = named_run(str(run))
    if not (is_run(path) or (path.name.startswith("fold-") and path.is_dir() and is_run(path.parent))):
        raise UsageError(f"there is no run in {path}: `netspec train` makes one, such as runs/lenet/1")
    return SavedRun(path)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)
