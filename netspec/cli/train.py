"""``netspec train``: a run from its recipe, shown while it goes on, and what it leaves."""

from __future__ import annotations

import shlex
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from netspec.dims import evaluate
from netspec.emit.memory import PRECISIONS, Memory
from netspec.graph import Graph
from netspec.pipeline import Loaded
from netspec.runtime.module import build_module
from netspec.runtime.verify import export_verified
from netspec.train.curves import draw_curves
from netspec.train.folder import RunFolder
from netspec.train.history import read_history
from netspec.train.kept import asked, write_meaning, write_states
from netspec.train.magnitudes import magnitude_table, magnitudes
from netspec.train.objective import Objective
from netspec.train.progress import shown
from netspec.train.report import write_report
from netspec.train.run import Result, Run
from netspec.train.setup import Setup, chosen_device, read_data, read_weights, recipe_of

RUNS = Path("runs")

Scores = Mapping[str, Mapping[str, float]]
"""Loss and metrics by the part of the data that they are of."""


def train(graph: Graph, loaded: Loaded, options: Namespace) -> int:
    """Train a network; gives the exit code."""
    parent = RUNS / graph.name
    resumed = RunFolder.find(options.resume, parent) if options.resume else None
    first = first_setup(graph)
    print(heading(graph, first, first.device))
    if options.dry_run:
        print(plan(graph, first))
        return 0
    folder = resumed or (RunFolder(Path(options.output)) if options.output else RunFolder.new(parent))
    if not train_into(folder, first, loaded, options):
        return 130
    print(f"\n{folder.path}/: {', '.join(sorted(each.name for each in folder.path.iterdir()))}")
    asked_of = folder.path / "fold-1" if first.recipe.settings.folds else folder.path
    print(f"  netspec evaluate {folder.path}\n  netspec predict {asked_of} FILE")
    return 0


def first_setup(graph: Graph) -> Setup:
    """The only setup of a network, or that of its first fold, its data read."""
    settings = recipe_of(graph).settings
    return Setup(graph, read_data(graph), chosen_device(settings.devices), 0 if settings.folds else None)


def train_into(folder: RunFolder, first: Setup, loaded: Loaded, options: Namespace) -> bool:
    """Train every fold, say how it ended, and leave all that a run leaves; false where it was interrupted."""
    graph, settings = first.graph, first.recipe.settings
    folds = [*range(settings.folds)] if settings.folds else [None]
    folder.path.mkdir(parents=True, exist_ok=True)
    if not folder.begun:  # what goes on is what was begun: another recipe is refused by its checkpoint
        said = asked(loaded, options.variant, options.set, folder.path)
        folder.begin(loaded.source.text, facts(graph) | {"asked": said})
    write_meaning(first.data, folder)
    results: list[Result] = []
    runs: list[RunFolder] = []
    for fold in folds:
        here = folder if fold is None else RunFolder(folder.path / f"fold-{fold + 1}")
        setup = first if fold == folds[0] else Setup(graph, first.data, first.device, fold)
        here.path.mkdir(exist_ok=True)
        write_states(setup.prepare, here.path)
        if fold is not None:
            print(f"\nfold {fold + 1} of {len(folds)}")
        steps = settings.steps or (settings.epochs or 0) * setup.train.steps(settings.batch)
        result = Run(setup, here, shown(steps), warn).go()
        if result.interrupted:
            print(f"\nstopped after step {result.state.step}, and saved; to go on:")
            print(f"  {going_on(options, folder)}")
            return False
        results.append(result)
        runs.append(here)
    finish(graph, folder, results, first.recipe.published)
    write_pictures(graph, folder, runs)
    return True


def going_on(options: Namespace, folder: RunFolder) -> str:
    """The command that goes on with a run: the same recipe, so the same options."""
    variant = ["--variant", options.variant] if options.variant else []
    values = [word for value in options.set for word in ("--set", value)]
    return shlex.join(["netspec", "train", options.spec, *variant, *values, "--resume", str(folder.path)])


def warn(text: str) -> None:
    print(f"netspec: {text}", file=sys.stderr)


def facts(graph: Graph) -> dict[str, Any]:
    """What a run is of."""
    return {
        "model": graph.name,
        "weights": graph.body.parameter_count,
        "spec": {"file": Path(graph.spec).name, "sha256": graph.digest},
        "parameters": dict(graph.parameters),
        "recipe": recipe_of(graph).plain(),
    }


def heading(graph: Graph, setup: Setup, device: torch.device) -> str:
    """Two lines: what is trained on what, and how."""
    recipe, settings = setup.recipe, setup.recipe.settings
    steps = setup.train.steps(settings.batch)
    rows = f"{len(setup.train):,} rows"
    rows += f", {len(setup.validation):,} to judge by" if setup.validation is not None else ""
    rows += f", {len(setup.test):,} for the test" if setup.test is not None else ""
    how = (
        f"{settings.epochs} epoch{'s' * (settings.epochs != 1)} of {steps} steps"
        if settings.epochs
        else f"{settings.steps} steps"
    )
    batch = f"batches of {settings.batch}" if settings.batch else "whole batches"
    return (
        f"{graph.name}: {graph.body.parameter_count:,} parameters · {recipe.data.detail()}: {rows}\n"
        f"{recipe.optimizer.detail()} · {', '.join(loss.detail() for loss in recipe.losses.values())} · {how}, {batch} "
        f"on {device}\n"
    )


def plan(graph: Graph, setup: Setup) -> str:
    """What a dry run tells: the first batch, how large activations and gradients are, and the memory of a step."""
    batch = next(iter(setup.train.shuffled(0, setup.recipe.settings.batch)))
    lines = ["first batch"]
    for name, tensor in zip(graph.inputs, batch.inputs):
        if tensor is not None:
            lines.append(f"  {name:<12} {described(tensor)}")
    lines += [f"  {setup.wiring.targets[name]:<12} {described(tensor)}" for name, tensor in batch.targets.items()]
    objective = Objective(setup.recipe.losses, setup.padding)
    lines += ["", magnitude_table(magnitudes(setup.model.train(), objective, batch))]
    lines += ["", f"memory of a step  about {step_memory(graph, setup, batch.rows):,} bytes"]
    return "\n".join(lines)


def step_memory(graph: Graph, setup: Setup, rows: int) -> int:
    """Bytes that a step takes at its peak: weights, gradients, the optimizer's state, and what backward needs."""
    recipe = setup.recipe
    part = -(-rows // recipe.settings.accumulate)
    sizes = {**graph.sizes, **dict.fromkeys(batch_symbols(graph), part)}
    memory = Memory(graph, sizes)
    peak = evaluate(memory.training_peak("sgd", recipe.settings.precision), sizes)
    state = recipe.optimizer.states * memory.trained * PRECISIONS[recipe.settings.precision]
    return int(peak + state)


def batch_symbols(graph: Graph) -> set[str]:
    """The symbolic dimension that holds the rows of a batch, where it is one."""
    firsts = [value.shape[0] for value in graph.inputs.values() if value.shape]
    return {name for size in firsts for name in getattr(size, "symbols", ())}


def described(tensor: torch.Tensor) -> str:
    """A tensor's shape, type and range."""
    shape = "×".join(map(str, tensor.shape)) or "()"
    return f"{shape} {str(tensor.dtype).removeprefix('torch.')}, {tensor.min().item():.4g} to {tensor.max().item():.4g}"


def finish(graph: Graph, folder: RunFolder, results: list[Result], published: Any) -> None:
    """Write how it ended, and say it."""
    found = [result.scores for result in results]
    scores = average(found)
    spread = over_folds(stdev, found) if len(results) > 1 else {}
    record = {
        "scores": scores,
        "folds": found if len(results) > 1 else [],
        "best_epoch": [result.state.best_epoch for result in results],
        "steps": [result.state.step for result in results],
        "seconds": round(sum(result.state.seconds for result in results), 3),
        "published": dict(published),
    }
    folder.finish(record)
    print()
    print(score_table(scores, spread, published))


def write_pictures(graph: Graph, folder: RunFolder, runs: list[RunFolder]) -> None:
    """Write ``model.onnx`` and ``curves.png`` of each fold, and the report of all."""
    published = folder.result()["published"]
    for each in runs:
        export_best(graph, each)
        draw_curves(read_history(each), each.path / "curves.png", published)
    write_report(folder, runs)


def export_best(graph: Graph, folder: RunFolder) -> None:
    """Write the best weights as ONNX; a file that does not agree with PyTorch is told, and called ``rejected``."""
    module = build_module(graph, "cpu")
    module.load_state_dict(read_weights(folder.best))
    path, parity = export_verified(graph, module, folder.path / "model.onnx")
    if not parity.agrees:
        warn(f"PyTorch and onnxruntime differ by {parity.worst:.1e} (max|Δ|/max|y|); the file is kept as {path}")


def average(scores: Sequence[Scores]) -> Scores:
    """The mean of each score over the folds."""
    return over_folds(mean, scores)


def over_folds(summary: Callable[[list[float]], float], scores: Sequence[Scores]) -> Scores:
    """One number for each score of several folds."""
    return {
        part: {name: summary([each[part][name] for each in scores]) for name in values}
        for part, values in scores[0].items()
    }


def score_table(scores: Any, spread: Any, published: Any) -> str:
    """The parts of the data, a line each, with a paper's numbers where there are."""
    names = list(dict.fromkeys(name for part in scores.values() for name in part))
    rows = [["", *names]]
    for part, values in scores.items():
        cells = [part]
        for name in names:
            text = f"{values[name]:.4f}" if name in values else ""
            if part in spread:
                text += f" ± {spread[part][name]:.4f}"
            cells.append(text)
        rows.append(cells)
    if published:
        rows.append(["published", *(f"{published[name]:g}" if name in published else "" for name in names)])
    return aligned(rows)


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Lines of cells, the first one to the left."""
    lines = [*rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if at == 0 else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths))
        ).rstrip()
        for line in lines
    )
