"""Trainings that Python asks for, in its own process: one at a time, whichever thread asks."""

from __future__ import annotations

import json
import os
import re
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch

from netspec.diagnostics import UsageError
from netspec.graph import Graph
from netspec.pipeline import Origin
from netspec.sources.run_folders import RUNS
from netspec.text.quoting import visible
from netspec.train.beforehand import cautions
from netspec.train.job import Ending, Job, complete, first_setup, start
from netspec.train.reading import recipe_of
from netspec.train.report.loggers import guard_packages
from netspec.train.report.notebook import NotebookTable, in_notebook
from netspec.train.report.progress import Progress, Silent, shown
from netspec.train.setup import Setup
from netspec.train.start.memory import guard_memory
from netspec.train.start.resumption import Resumption
from netspec.train.store.claim import claimed
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import Asked

RecipeValue: TypeAlias = (
    "bool | int | float | str | os.PathLike[str] | Sequence[RecipeValue] | Mapping[str, RecipeValue] | None"
)
"""The value of a key under ``train``: as YAML has it, with paths."""

ONE_RUN = threading.Lock()
"""Runs draw from torch's own generator: each has it alone, and leaves it as it was."""

WORD = re.compile(r"[A-Za-z_][\w.]*\Z", re.ASCII)


def values_of(recipe: Mapping[str, RecipeValue]) -> list[str]:
    """Return a recipe's keys and values as on the command line: ``train.optimizer={"adam": 0.01}``.

    Raises ``UsageError`` for a value that a spec cannot hold.
    """
    return [f"train.{key}={written(key, value)}" for key, value in recipe.items()]


def written(key: str, value: RecipeValue) -> str:
    """Return a value as a spec writes it, in a line."""

    def plain(other: Any) -> object:
        if isinstance(other, os.PathLike):
            return os.fspath(other)
        if isinstance(other, Mapping):
            return dict(other)
        if isinstance(other, Sequence):
            return [*other]
        if hasattr(other, "item"):  # a number of NumPy's or PyTorch's
            return other.item()
        raise UsageError(f"`{visible(key)}` cannot be {type(other).__name__}: give what a spec holds, such as a number")

    if isinstance(value, str) and WORD.match(value):
        return value
    try:
        return json.dumps(value, default=plain, allow_nan=False)
    except ValueError:
        raise UsageError(f"`{visible(key)}` cannot hold a number that is not finite") from None


@dataclass(frozen=True, slots=True)
class Telling:
    """The way that a run tells of itself: ``show`` makes the report of its progress, ``say`` prints a line of it."""

    show: Callable[[int], Progress]
    say: Callable[[str], None]

    @staticmethod
    def of(progress: bool) -> Telling:
        """Return what suits where this is: a notebook, a terminal or a file; or, without ``progress``, nothing."""
        if not progress:
            return Telling(Silent, silent)
        return Telling(NotebookTable if in_notebook() else shown, print)

    def begin(self, setup: Setup) -> None:
        """Guard: there is memory for the first step. Tell what was made of the data, and what to look at."""
        if setup.data.notes:
            self.say(" · ".join(setup.data.notes))
        for caution in cautions(setup):
            warn(caution)
        guard_memory(setup.graph, setup)


def silent(text: str) -> None:
    """Print nothing."""


def warn(text: str) -> None:
    """Warn, as Python does."""
    warnings.warn(text, stacklevel=2)


def train_here(origin: Origin, recipe: Mapping[str, RecipeValue], output: Path | None, progress: bool) -> RunFolder:
    """Train a network from its start, into ``output`` or the next folder in ``runs/NAME``; return the run's folder.

    Raises ``UsageError`` where that has a run, and as ``netspec train`` does.
    """
    values = (*origin.loaded.values, *origin.values, *values_of(recipe))
    graph = Origin(origin.loaded, origin.variant).graph(values)
    guard_here(graph)
    if output is not None and RunFolder(output).begun:
        raise UsageError(f"{output} has a run: go on with it by netspec.run({str(output)!r}).resume(), or name another")
    telling = Telling.of(progress)
    with alone():
        first = first_setup(graph)
        telling.begin(first)
        guard_packages(first.recipe.settings.loggers)
        start(first)
        folder = RunFolder.new(RUNS / graph.name) if output is None else RunFolder(output)
        asked = Asked(origin.loaded.source.name, origin.variant, values)
        carried_out(Job(folder, first, origin.loaded, asked, warn, show=telling.show, say=telling.say))
    return folder


def resume_here(made: Resumption, changed_data: bool, progress: bool) -> None:
    """Go on with a run. Raises as ``netspec train --resume`` does."""
    folder, telling = made.folder, Telling.of(progress)
    guard_here(made.graph)
    with alone():
        if folder.ended and made.was is None:
            complete(folder, made.graph, warn)
            return
        first = first_setup(made.graph, begun=folder, changed_data=changed_data, extensions=made.extensions)
        if made.was is not None:
            telling.say(made.told_extension(first))
        telling.begin(first)
        start(first, folder)
        asked = Asked(made.graph.spec)
        carried_out(Job(folder, first, made.loaded, asked, warn, True, changed_data, telling.show, telling.say), made)


def carried_out(job: Job, made: Resumption | None = None) -> Ending:
    """Do a job in its folder, as the only one that writes there; of a run that goes on, its new length is noted."""
    with claimed(job.folder):
        if made is not None:
            made.record()
        return job.go()


@contextmanager
def alone() -> Iterator[None]:
    """Have no other thread train in the block; torch's own generators are left as they were."""
    with ONE_RUN, torch.random.fork_rng():
        yield


def guard_here(graph: Graph) -> None:
    """Guard: a network is trained by this process alone."""
    if recipe_of(graph).settings.devices not in ("auto", "cpu", "cuda", 1):
        raise UsageError("Python trains on one device: `netspec train` shares the work among several")
