"""A whole training: every fold of a recipe into its folder, and the files that are written at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any, TypedDict

from torch import Tensor

from netspec.diagnostics import EnvironmentFault, TrainingFault
from netspec.graph import Graph
from netspec.pipeline import Loaded
from netspec.runtime.module import build_module, merged
from netspec.runtime.onnx.verify import export_verified
from netspec.train.beforehand import guard_start
from netspec.train.loop.last_epochs import remove_epochs
from netspec.train.memory.fitting import fit_memory, plan_record
from netspec.train.optimize.class_weights import has_loss_weights, read_loss_weights, write_loss_weights
from netspec.train.reading import read_data, recipe_of
from netspec.train.report.curves import draw_curves
from netspec.train.report.judged.judgement import write_judgement
from netspec.train.report.onnx_metadata import metadata_of
from netspec.train.report.page import write_report
from netspec.train.report.progress import Progress, shown
from netspec.train.run import Result, Run
from netspec.train.setup import Setup, chosen_device
from netspec.train.store.adapter import write_adapter
from netspec.train.store.checkpoints import digest_of
from netspec.train.store.folder import RunFolder, environment
from netspec.train.store.history import read_history
from netspec.train.store.length import NEVER_EXTENDED, Extensions
from netspec.train.store.metadata import (
    Asked,
    guard_same_data,
    has_meaning,
    has_states,
    read_meaning,
    read_states,
    write_meaning,
    write_rows,
    write_sources,
    write_states,
)
from netspec.train.world import SINGLE_PROCESS, World
from netspec.weights.files.safetensors import read_weights
from netspec.weights.load import LoadedWeights

Scores = Mapping[str, Mapping[str, float]]
"""Loss and metrics by the part of the data that they are of."""


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a training: the mean ``scores`` over folds, and their standard deviation as ``spread``.

    After an interruption there are no scores, and ``stopped_after`` is the step.
    """

    scores: Scores = field(default_factory=dict)
    spread: Scores = field(default_factory=dict)
    stopped_after: int | None = None


def first_setup(
    graph: Graph,
    world: World = SINGLE_PROCESS,
    begun: RunFolder | None = None,
    changed_data: bool = False,
    extensions: Extensions = NEVER_EXTENDED,
) -> Setup:
    """Return the only setup of a network, or that of its first fold, with its data.

    A run in the folder ``begun`` is resumed by the meaning of its data, and with the same rows unless ``changed_data``
    allows others; ``extensions`` are those of its length. Raises ``TrainingFault`` if it is known before the first step
    that the run cannot reach its end.
    """
    settings = recipe_of(graph).settings
    fold = 0 if settings.folds else None
    known = read_meaning(begun) if begun is not None and has_meaning(begun) else None
    data = read_data(graph, known)
    if begun is not None and known is not None and not changed_data:
        guard_same_data(data, begun)
    learned = NOTHING if begun is None else learned_in(graph, folder_of_fold(begun, fold))
    setup = Setup(graph, data, chosen_device(settings.devices), fold, world=world, **learned)
    setup.extensions = extensions
    if begun is not None and has_checkpoints(folder_of_fold(begun, fold)):
        setup.source = None
    fit_memory(setup, None if begun is None else begun.facts().get("step_plan"))
    guard_start(setup)
    return setup


def has_checkpoints(folder: RunFolder) -> bool:
    """Return whether a run, or a fold, has saved its weights."""
    return any(folder.checkpoints.glob("step-*"))


def start(setup: Setup, begun: RunFolder | None = None) -> LoadedWeights | None:
    """Build the network of a run that starts from weights from outside; return what was matched.

    Raises ``UsageError`` where they do not fit, ``TrainingFault`` where the run was begun with others.
    """
    if setup.source is None:
        return None
    _ = setup.model
    loaded = setup.loaded
    was = None if begun is None else begun.facts().get("started_from")
    if was is not None and loaded is not None and was["sha256"] != loaded.record["sha256"]:
        raise TrainingFault(f"{begun and begun.path} was begun with other weights than {setup.source.origin} holds now")
    return loaded


def folder_of_fold(folder: RunFolder, fold: int | None) -> RunFolder:
    """Return the folder of a fold; that of the run if it is not cross-validated."""
    return folder if fold is None else RunFolder(folder.path / f"fold-{fold + 1}")


class Learned(TypedDict):
    """The state of transforms and losses that a run has learned from its rows, as arguments of ``Setup``."""

    states: list[dict[str, Tensor]] | None
    loss_weights: dict[str, Tensor]


NOTHING: Learned = {"states": None, "loss_weights": {}}


def learned_in(graph: Graph, folder: RunFolder) -> Learned:
    """Return what the transforms and losses of a run have learned, if they have; it is never learned anew."""
    states = read_states(recipe_of(graph).prepare, folder.path) if has_states(folder.path) else None
    return {"states": states, "loss_weights": read_loss_weights(folder.path)}


@dataclass(frozen=True, slots=True)
class Job:
    """A training of a network into a folder. ``first`` is its only setup, or that of its first fold; ``goes_on`` says
    that the folder has a run already, ``changed_data`` that its data may be others.

    Every process of its world does the same job; the first one alone writes.
    """

    folder: RunFolder
    first: Setup
    loaded: Loaded
    asked: Asked
    warn: Callable[[str], None]
    goes_on: bool = False
    changed_data: bool = False
    show: Callable[[int], Progress] = shown
    say: Callable[[str], None] = print

    def go(self) -> Ending:
        """Train every fold, and write all files of a run; a run that the folder has is resumed."""
        recipe = self.first.recipe
        self._begin()
        results: list[Result] = []
        folds = [*range(recipe.settings.folds)] if recipe.settings.folds else [None]
        for fold in folds:
            if fold is not None:
                self.say(f"\nfold {fold + 1} of {len(folds)}")
            results.append(self._train(fold, folder_of_fold(self.folder, fold)))
            if results[-1].interrupted:
                return Ending(stopped_after=results[-1].state.step)
        scores = [result.scores for result in results]
        if self.first.world.is_first:
            files = write_models(self.folder, self.first.graph, self.warn)
            self.folder.finish(record(results, average(scores), recipe.published) | {"files": files})
            write_pictures(self.folder, self.first.graph)
            for each in runs_of(self.folder, self.first.graph):
                remove_epochs(each)
        return Ending(average(scores), over_folds(stdev, scores) if len(scores) > 1 else {})

    def _begin(self) -> None:
        """Write the files that the run starts from. Those of a resumed run stay, as its checkpoint refuses other
        recipes.
        """
        if not self.first.world.is_first:
            return
        self.folder.path.mkdir(parents=True, exist_ok=True)
        if not self.goes_on or not has_meaning(self.folder):
            write_meaning(self.first.data, self.folder)
        elif self.changed_data:
            write_rows(self.first.data, self.folder)
        if not self.folder.begun:
            asked = write_sources(self.loaded, self.asked, self.folder.path)
            start(self.first)
            loaded = self.first.loaded
            started = {} if loaded is None else {"started_from": dict(loaded.record)}
            self.folder.begin(
                self.loaded.source.text, facts(self.first.graph) | {"asked": asked} | started | plan_record(self.first)
            )
        else:
            self._guard_environment()

    def _guard_environment(self) -> None:
        """See that ``environment.json``, which the report needs, can be read; else write the present one."""
        try:
            self.folder.environment()
        except EnvironmentFault as error:
            self.warn(f"{error}; the present one is written in its place")
            self.folder.write("environment.json", environment())

    def _train(self, fold: int | None, folder: RunFolder) -> Result:
        first = self.first
        setup = first
        if fold != first.fold:
            learned = learned_in(first.graph, folder) if self.goes_on else NOTHING
            setup = Setup(first.graph, first.data, first.device, fold, world=first.world, **learned)
            setup.extensions = first.extensions
            if has_checkpoints(folder):
                setup.source = None
            if first.plan is not None:
                setup.follow(first.plan)
            guard_start(setup)
        if first.world.is_first:
            folder.path.mkdir(exist_ok=True)
            if not self.goes_on or not has_states(folder.path):
                write_states(setup.prepare, folder.path)
            if not self.goes_on or not has_loss_weights(folder.path):
                write_loss_weights(setup.losses, setup.recipe.losses, folder.path)
        first.world.wait()
        result = Run(setup, folder, self.show(setup.steps), self.warn).go()
        if first.world.is_first:
            write_judgement(result.judgement, folder)
        return result


def facts(graph: Graph) -> dict[str, Any]:
    """Return the contents of ``run.json``: model, weights, spec, parameters, recipe."""
    return {
        "model": graph.name,
        "weights": graph.body.parameter_count,
        "spec": {"file": graph.file, "sha256": graph.digest},
        "parameters": dict(graph.parameters),
        "recipe": recipe_of(graph).plain(),
    }


def complete(folder: RunFolder, graph: Graph, warn: Callable[[str], None]) -> None:
    """Write the missing files of a run that has ended; those that exist stay as they are."""
    result = folder.result()
    known = result.get("files", {})
    files = write_models(folder, graph, warn, missing_only=True)
    if any(known.get(name) != digest for name, digest in files.items()):
        folder.finish({**result, "files": {**known, **files}})
    write_pictures(folder, graph, missing_only=True)


def write_models(
    folder: RunFolder, graph: Graph, warn: Callable[[str], None], missing_only: bool = False
) -> dict[str, str]:
    """Write the best weights of every fold as ONNX; return the digests of the files by their names in the run."""
    digests = {}
    for each in runs_of(folder, graph):
        there = any((each.path / name).is_file() for name in ("model.onnx", "model.rejected.onnx"))
        if not (missing_only and there):
            path = export(graph, each, metadata_of(graph, folder, each), warn)
            digests[path.relative_to(folder.path).as_posix()] = digest_of(path)
        if graph.changes and not (missing_only and (each.path / "adapter").is_dir()):
            for path in write_adapter(graph, read_weights(each.best), each.path / "adapter"):
                digests[path.relative_to(folder.path).as_posix()] = digest_of(path)
    return digests


def write_pictures(folder: RunFolder, graph: Graph, missing_only: bool = False) -> None:
    """Draw the curves of every fold, and write the report."""
    runs = runs_of(folder, graph)
    for each in runs:
        if not (missing_only and (each.path / "curves.png").is_file()):
            draw_curves(read_history(each), each.path / "curves.png", recipe_of(graph).published)
    if not (missing_only and (folder.path / "report.html").is_file()):
        write_report(folder, runs)


def runs_of(folder: RunFolder, graph: Graph) -> list[RunFolder]:
    """Return the folders of a run's folds; the run's own if it is not cross-validated."""
    folds = recipe_of(graph).settings.folds
    return [folder_of_fold(folder, fold) for fold in (range(folds) if folds else [None])]


def export(graph: Graph, folder: RunFolder, metadata: Mapping[str, str], warn: Callable[[str], None]) -> Path:
    """Write the best weights as ONNX and return the path; warn of a file that differs from PyTorch."""
    module = build_module(graph, "cpu")
    module.load_state_dict(read_weights(folder.best))
    graph, module = merged(graph, module)
    path, parity = export_verified(graph, module, folder.path / "model.onnx", metadata)
    if not parity.agrees and not parity.compared:
        warn(f"the ONNX file could not be verified, as both sides give no finite number; it is kept as {path}")
    elif not parity.agrees:
        warn(f"PyTorch and onnxruntime differ by {parity.worst:.1e} (max|Δ|/max|y|); the file is kept as {path}")
    return path


def record(results: Sequence[Result], scores: Scores, published: Mapping[str, float]) -> dict[str, Any]:
    """Return the contents of ``result.json``."""
    return {
        "scores": scores,
        "folds": [result.scores for result in results] if len(results) > 1 else [],
        "best_epoch": [result.state.best_epoch for result in results],
        "steps": [result.state.step for result in results],
        "seconds": round(sum(result.state.seconds for result in results), 3),
        "published": dict(published),
    }


def summary_of(result: Mapping[str, Any]) -> tuple[Scores, Scores]:
    """Return the scores in ``result.json``, and their spread over folds."""
    folds = result["folds"]
    return result["scores"], over_folds(stdev, folds) if folds else {}


def average(scores: Sequence[Scores]) -> Scores:
    """Return the mean of each score over the folds."""
    return over_folds(mean, scores)


def over_folds(summary: Callable[[list[float]], float], scores: Sequence[Scores]) -> Scores:
    """Return one number for each score of several folds, by the function ``summary``."""
    return {
        part: {
            name: summary([each[part][name] for each in scores])
            for name in values
            if all(name in each[part] for each in scores)
        }
        for part, values in scores[0].items()
    }
