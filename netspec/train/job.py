"""A whole training: every fold of a recipe into its folder, and what is left at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from netspec.diagnostics import EnvironmentFault, TrainingFault
from netspec.graph import Graph
from netspec.pipeline import Loaded
from netspec.runtime.module import build_module
from netspec.runtime.verify import export_verified
from netspec.train.checkpoints import digest_of
from netspec.train.curves import draw_curves
from netspec.train.folder import RunFolder, environment
from netspec.train.history import read_history
from netspec.train.kept import Asked, begun_as, going_on, write_meaning, write_sources, write_states
from netspec.train.progress import shown
from netspec.train.report import plain, write_report
from netspec.train.run import Result, Run
from netspec.train.setup import FREE, Setup, chosen_device, read_data, read_weights, recipe_of
from netspec.train.world import ALONE, World

Scores = Mapping[str, Mapping[str, float]]
"""Loss and metrics by the part of the data that they are of."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a training ended. ``spread`` is the standard deviation over folds, ``stopped_after`` the step of an
    interruption, which leaves no scores."""

    scores: Scores = field(default_factory=dict)
    spread: Scores = field(default_factory=dict)
    stopped_after: int | None = None


def first_setup(graph: Graph, world: World = ALONE) -> Setup:
    """The only setup of a network, or that of its first fold, its data read."""
    settings = recipe_of(graph).settings
    fold = 0 if settings.folds else None
    return Setup(graph, read_data(graph), chosen_device(settings.devices), fold, world=world)


@dataclass(frozen=True, slots=True)
class Job:
    """A training of a network into a folder. ``first`` is its only setup, or that of its first fold.

    Every process of its world does the same job; the first one alone writes.
    """

    folder: RunFolder
    first: Setup
    loaded: Loaded
    asked: Asked
    warn: Callable[[str], None]

    def go(self) -> Ending:
        """Train every fold, and leave all that a run leaves; what was begun in the folder goes on."""
        recipe = self.first.recipe
        self._begin()
        results: list[Result] = []
        runs: list[RunFolder] = []
        folds = [*range(recipe.settings.folds)] if recipe.settings.folds else [None]
        for fold in folds:
            if fold is not None:
                print(f"\nfold {fold + 1} of {len(folds)}")
            runs.append(self.folder if fold is None else RunFolder(self.folder.path / f"fold-{fold + 1}"))
            results.append(self._train(fold, runs[-1]))
            if results[-1].interrupted:
                return Ending(stopped_after=results[-1].state.step)
        found = [result.scores for result in results]
        if self.first.world.is_first:
            files = {}
            for each in runs:
                path = self._export(each)
                files[path.relative_to(self.folder.path).as_posix()] = digest_of(path)
                draw_curves(read_history(each), each.path / "curves.png", recipe.published)
            self.folder.finish(record(results, average(found), recipe.published) | {"files": files})
            write_report(self.folder, runs)
        return Ending(average(found), over_folds(stdev, found) if len(found) > 1 else {})

    def _begin(self) -> None:
        """Write what the run starts from. What goes on is what was begun: its checkpoint refuses another recipe."""
        if not self.first.world.is_first:
            return
        self.folder.path.mkdir(parents=True, exist_ok=True)
        if not self.folder.begun:
            said = write_sources(self.loaded, self.asked, self.folder.path)
            self.folder.begin(self.loaded.source.text, facts(self.first.graph) | {"asked": said})
        else:
            self._guard_environment()
        write_meaning(self.first.data, self.folder)

    def _guard_environment(self) -> None:
        """See that ``environment.json`` can be read, as the report does at the end; else write the present one."""
        try:
            self.folder.environment()
        except EnvironmentFault as found:
            self.warn(f"{found}; the present one is written in its place")
            self.folder.write("environment.json", environment())

    def _train(self, fold: int | None, folder: RunFolder) -> Result:
        first = self.first
        setup = first if fold == first.fold else Setup(first.graph, first.data, first.device, fold, world=first.world)
        settings = first.recipe.settings
        if first.world.is_first:
            folder.path.mkdir(exist_ok=True)
            write_states(setup.prepare, folder.path)
        first.world.wait()
        steps = settings.steps or (settings.epochs or 0) * setup.train.steps(settings.batch)
        return Run(setup, folder, shown(steps), self.warn).go()

    def _export(self, folder: RunFolder) -> Path:
        """Write the best weights as ONNX; a file that does not agree with PyTorch is told, and called ``rejected``."""
        graph = self.first.graph
        module = build_module(graph, "cpu")
        module.load_state_dict(read_weights(folder.best))
        path, parity = export_verified(graph, module, folder.path / "model.onnx")
        if not parity.agrees:
            self.warn(
                f"PyTorch and onnxruntime differ by {parity.worst:.1e} (max|Δ|/max|y|); the file is kept as {path}"
            )
        return path


def facts(graph: Graph) -> dict[str, Any]:
    """What a run is of."""
    return {
        "model": graph.name,
        "weights": graph.body.parameter_count,
        "spec": {"file": graph.file, "sha256": graph.digest},
        "parameters": dict(graph.parameters),
        "recipe": recipe_of(graph).plain(),
    }


def guard_same(folder: RunFolder, graph: Graph) -> None:
    """Guard: a run goes on as it began. The fault tells what is other than it was."""
    was, now = folder.facts(), json.loads(json.dumps(facts(graph)))
    if was["model"] != now["model"]:
        raise TrainingFault(f"{folder.path} is a run of {was['model']}, not of {now['model']}")
    changed = []
    for part in ("parameters", "recipe"):
        keys = [key for key in {**was[part], **now[part]} if key not in FREE]
        pairs = {key: (plain(was[part].get(key)), plain(now[part].get(key))) for key in keys}
        changed += [f"`{key}` is {before}, not {after}" for key, (before, after) in pairs.items() if before != after]
    if was["spec"]["sha256"] != now["spec"]["sha256"]:
        changed.insert(0, f"its spec is another (`netspec diff {folder.path}/spec.yaml {graph.spec}`)")
    if not changed:
        return
    help = "start a new run"
    if not folder.ended and was["spec"]["sha256"] == now["spec"]["sha256"]:
        help = f"to go on with it:\n  {going_on(begun_as(folder), folder)}"
    raise TrainingFault(f"{folder.path} was begun otherwise: {', '.join(changed)}; {help}")


def record(results: Sequence[Result], scores: Scores, published: Mapping[str, float]) -> dict[str, Any]:
    """How a training ended, as ``result.json`` has it."""
    return {
        "scores": scores,
        "folds": [result.scores for result in results] if len(results) > 1 else [],
        "best_epoch": [result.state.best_epoch for result in results],
        "steps": [result.state.step for result in results],
        "seconds": round(sum(result.state.seconds for result in results), 3),
        "published": dict(published),
    }


def average(scores: Sequence[Scores]) -> Scores:
    """The mean of each score over the folds."""
    return over_folds(mean, scores)


def over_folds(summary: Callable[[list[float]], float], scores: Sequence[Scores]) -> Scores:
    """One number for each score of several folds."""
    return {
        part: {name: summary([each[part][name] for each in scores]) for name in values}
        for part, values in scores[0].items()
    }
