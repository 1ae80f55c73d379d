"""A trained run, loaded again: its network with the best weights, and the meaning of its data."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from netspec.diagnostics import UsageError
from netspec.graph import Graph
from netspec.pipeline import read_value
from netspec.recipes import ingredients
from netspec.recipes.recipe import Recipe
from netspec.runtime.module import build_module
from netspec.sources.run_folders import named_run, no_such_run, runs_in
from netspec.syntax import MapNode
from netspec.train.data import Meaning
from netspec.train.data.batches import Batches
from netspec.train.faults import layer_without_precision
from netspec.train.optimize.class_weights import read_loss_weights
from netspec.train.predict.onnx_module import OnnxModule
from netspec.train.predict.unfinished import usable_parts
from netspec.train.reading import read_data, recipe_of
from netspec.train.setup import Setup
from netspec.train.store.checkpoints import digest_of
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import changes_of_data, read_meaning, read_states, rebuild
from netspec.weights.files.safetensors import damaged, read_weights


class TrainedRun:
    """A run, read from its folder alone, with its best weights, or those so far. ``other`` are data that it was not
    trained on, as in a spec.

    ``fold`` is the fold of a cross-validated run, whose weights, transforms and files are in ``path``.
    ``other_weights`` fills its network with others than these.
    """

    def __init__(self, folder: RunFolder, path: Path, fold: int | None = None, other: str | None = None):
        self.folder, self.path, self.fold, self.other = folder, path, fold, other
        self.graph: Graph = rebuild(folder, other_data(folder, other) if other is not None else ())
        self.recipe: Recipe = recipe_of(self.graph)
        self.other_weights: Callable[[nn.Module], None] | None = None

    @staticmethod
    def find(run: str, other: str | None = None, warn: Callable[[str], None] = print) -> list[TrainedRun]:
        """Return the run of a folder, ``last`` of all or ``runs/NAME/last``; of a cross-validated run one a fold.

        ``warn`` is called for one that has not ended. Raises ``UsageError`` if there is no such run, or no epoch of it
        has ended.
        """
        path = named_run(run)
        above, name = RunFolder(path.parent), path.name
        if name.startswith("fold-") and name[5:].isdecimal() and above.begun:
            guard_fold(above, path)
            usable_parts(above, [path], warn)
            return [TrainedRun(above, path, int(name[5:]) - 1, other)]
        folder = RunFolder(path)
        if not folder.begun:
            itself = f"there is no run in {run} itself: name one, as {run}/last" if runs_in(path) else None
            none = f"there is no run in {run}: `netspec train` makes one, such as runs/lenet/1"
            raise UsageError(itself or no_such_run(run) or none)
        folds = sorted((each for each in path.glob("fold-*") if each.name[5:].isdecimal()), key=_number)
        found = usable_parts(folder, folds or [path], warn)
        return [TrainedRun(folder, each, _number(each) - 1 if folds else None, other) for each in found]

    @staticmethod
    def find_one(run: str, warn: Callable[[str], None] = print) -> TrainedRun:
        """Return the run of a folder. Raises ``UsageError`` as ``find``, and if it has a network for each fold."""
        runs = TrainedRun.find(run, warn=warn)
        if len(runs) > 1:
            raise UsageError(f"{run} has a network for each fold: choose one, such as {run}/fold-1")
        return runs[0]

    def states(self) -> list[dict[str, Tensor]]:
        """Return the states that the transforms have learned from the training rows, by transform and column."""
        return read_states(self.recipe.prepare, self.path)

    def meaning(self) -> Meaning:
        """Return the meaning of its data. Raises ``EnvironmentFault`` if the file is damaged."""
        return read_meaning(self.folder)

    def module(self, runtime: str) -> nn.Module:
        """Return the network with the best weights, or the other ones, on the CPU: as PyTorch, or as its ONNX file."""
        if self.other_weights is not None and runtime == "onnx":
            raise UsageError("--weights are put into PyTorch's network, and the ONNX file has its own: leave one out")
        if runtime == "onnx" and not self.folder.ended:
            raise UsageError(f"{self.folder.path} has no ONNX file before its end: leave --runtime onnx out")
        if runtime == "onnx":
            self._guard_whole(self.path / "model.onnx")
            return OnnxModule(self.path / "model.onnx").eval()
        module, path = build_module(self.graph, "cpu"), self.path / "best.safetensors"
        if self.other_weights is not None:
            self.other_weights(module)
            return module.eval()
        try:
            module.load_state_dict(read_weights(path))
        except RuntimeError:
            raise UsageError(f"{path} holds the weights of another network than {self.folder.path}/run.json") from None
        return module.eval()

    def _guard_whole(self, path: Path) -> None:
        """Guard: a file, if it exists, is as the run has written it."""
        digests = self.folder.result().get("files", {})
        digest = digests.get(path.relative_to(self.folder.path).as_posix())
        if digest is not None and path.is_file() and digest_of(path) != digest:
            raise damaged(path)

    def scores(self, runtime: str, warn: Callable[[str], None] = print) -> dict[str, dict[str, float]]:
        """Return loss and metrics by the part of the data.

        Other data are not split: all of their rows are scored. ``warn`` is called if the run's own data have changed.
        """
        setup, parts = self.evaluated(runtime, warn)
        return {name: setup.evaluate(batches) for name, batches in parts.items()}

    def evaluated(
        self, runtime: str, warn: Callable[[str], None] = print, views: int = 0
    ) -> tuple[Setup, Mapping[str, Batches]]:
        """Return the setup that the run is evaluated by, and the batches of each part of its data, or of other data.

        With ``views`` each row is judged by so many augmented views of it, too. Raises ``UsageError`` if the recipe has
        none to offer.
        """
        data = read_data(self.graph, self.meaning())
        for change in changes_of_data(data, self.folder) if self.other is None else ():
            warn(f"the data differ from those it was trained on: {change}; what judges may be rows that it has learned")
        for told in (*data.notes, *data.cautions) if self.other is not None else ():
            warn(told)
        fold = self.fold if self.other is None else None
        weights = read_loss_weights(self.path)
        setup = Setup(self.graph, data, torch.device("cpu"), fold, self.states(), loss_weights=weights)
        setup.model = self.module(runtime)
        if runtime == "torch" and (layer := layer_without_precision(setup)) is not None:
            precision = self.recipe.settings.precision
            warn(f"{layer} does not work in `{precision}` on the CPU: the scores are those of float32")
            setup.precise = True
        if views:
            self._guard_views(setup)
        if self.other is None:
            return setup, setup.varied_parts(views) if views else setup.parts
        parts = {"rows": data.train, "validation": data.validation, "test": data.test}
        if data.validation is not None or data.test is not None:
            parts = {"train": data.train, **parts}
            del parts["rows"]
        return setup, {name: setup.varied(rows, None, views) for name, rows in parts.items() if rows is not None}

    def _guard_views(self, setup: Setup) -> None:
        """Guard: the recipe augments rows, and what is said of one does not depend on where things are in it."""
        if not setup.augmentations:
            help = "`augment: [horizontal_flip]` would"
            raise UsageError(f"the recipe of {self.folder.path} augments no single rows to judge views of: {help}")
        for output, column in setup.binding.targets.items():
            if self.recipe.losses[output].compares and len(setup.columns[column].shape) > 1:
                raise UsageError(f"a view of a row has things elsewhere, but `{column}` is for the places of a row")


def other_data(folder: RunFolder, text: str) -> list[str]:
    """Return other data as values to set; keys that give rows a meaning are as in training, unless they are named."""
    ((name, trained),) = folder.facts()["recipe"]["data"].items()
    kind = ingredients("data").get(name)
    if (kind is None or kind.main == "path") and _is_path(text):
        text = f"{{{name}: {json.dumps(text)}}}"
    elif _is_path(text):
        what, example = ("folder", "images") if os.path.isdir(text) else ("file", "csv")
        help = f"name its kind, `{example}: {text}`"
        raise UsageError(f"{text} is a {what}, and {folder.path} was trained on `{name}`: {help}")
    node = read_value("train.data", text)
    if kind is None or not isinstance(node, MapNode) or node.keys() != (name,):
        return [f"train.data={text}"]
    inside = node.entries[0][1]
    named = inside.keys() if isinstance(inside, MapNode) else [kind.main]
    unnamed = [key for key in getattr(kind, "meaning", ()) if key not in named and trained.get(key) is not None]
    return [f"train.data={text}", *(f"train.data.{key}={json.dumps(trained[key])}" for key in unnamed)]


def _is_path(text: str) -> bool:
    """Return whether other data are a path alone. Raises ``UsageError`` for one where nothing is."""
    if text in ingredients("data"):
        return False
    looks_like = re.fullmatch(r"[\w./~-]+\.\w+", text) is not None
    if looks_like and not os.path.exists(text):
        raise UsageError(f"there is no file {text}: --data takes a path, or data as under `train.data`, 'csv: new.csv'")
    return looks_like or os.path.isdir(text)


def _number(fold: Path) -> int:
    return int(fold.name[5:])


def guard_fold(folder: RunFolder, path: Path) -> None:
    """Guard: a run has this fold."""
    if not path.is_dir():
        folds = folder.facts()["recipe"]["folds"]
        has = f"it has fold-1 to fold-{folds}" if folds else "it was not cross-validated"
        raise UsageError(f"there is no {path.name} in {folder.path}: {has}")
