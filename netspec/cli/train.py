"""``netspec train``: a run from its recipe, shown while it goes on, and what it leaves."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch

from netspec.analysis.memory import PRECISIONS, Memory
from netspec.diagnostics import SpecError, UsageError
from netspec.dims import evaluate
from netspec.elaborate.training.data_sizes import solved
from netspec.graph import Graph
from netspec.pipeline import Loaded
from netspec.recipes.binding import bind_inputs, prepared
from netspec.runtime.machine import need_memory
from netspec.text.quoting import shell
from netspec.train.beforehand import cautions
from netspec.train.data import Meaning
from netspec.train.job import Job, complete, first_setup, guard_same, summary_of
from netspec.train.report.activation_stats import magnitude_table, magnitudes_at_start
from netspec.train.report.progress import score
from netspec.train.setup import Setup, read_data, recipe_of
from netspec.train.stopping import stopped_code
from netspec.train.store.claim import LOCK, claimed
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import (
    Asked,
    as_path,
    changes_of_data,
    going_on,
    has_meaning,
    plugin_words,
    read_meaning,
)
from netspec.train.world import AlreadyTold, World, is_worker, joined
from netspec.view.numbers import short_bytes

RUNS = Path("runs")


def train(graph: Graph, loaded: Loaded, options: Namespace) -> int:
    """Train a network; gives the exit code."""
    asked = Asked(options.spec, options.variant, tuple(options.set))
    devices = recipe_of(graph).settings.devices
    several = devices not in ("auto", "cpu", "cuda", 1) or options.nodes is not None or options.restarts
    if several and not options.dry_run and not is_worker():
        from netspec.train.distributed.launch import Launch

        team = Launch(devices, options.nodes, options.rendezvous, options.restarts)
        folder = folder_of(graph, options)  # chosen here, as a process that starts again must find it
        words = ["train", *asked.words(), *how(options), "--output", str(folder.path)]
        try:
            return team.run(words, going_on(asked, folder))
        finally:
            folder.drop_empty()
    try:
        with joined() as world:
            return work(graph, loaded, asked, options, world)
    except AlreadyTold as fault:
        return fault.exit_code


def how(options: Namespace) -> list[str]:
    """The options that change nothing of what is trained, as every process needs them."""
    given = {name: getattr(options, name) for name in ("error_format", "max_layers", "max_file_size")}
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in given.items() if value is not None]
    return [*(["--changed-data"] if options.changed_data else []), *(word for pair in pairs for word in pair)]


def folder_of(graph: Graph, options: Namespace) -> RunFolder:
    """Where the run goes, or goes on."""
    parent = RUNS / graph.name
    if options.resume:
        return RunFolder.find(options.resume, parent)
    if options.output:
        return RunFolder(Path(options.output))
    if options.nodes is not None or is_worker():
        raise UsageError("machines that train together need one folder that all of them see: name it with --output")
    return RunFolder.new(parent)


def work(graph: Graph, loaded: Loaded, asked: Asked, options: Namespace, world: World) -> int:
    """What one process of a world does; gives the exit code."""
    begun = begun_folder(graph, options)
    tell = warn if world.is_first else silent
    if begun is not None:
        guard_same(begun, graph)
        if begun.ended and not options.dry_run:
            return left_as_it_is(begun, graph, world, tell)
    first = first_setup(graph, world, begun, options.changed_data)
    print(heading(graph, first), flush=True)
    for note in cautions(first):
        tell(note)
    if options.dry_run:
        print(plan(graph, first))
        return 0
    guard_memory(graph, first)
    folder = begun or folder_of(graph, options)
    with claimed(folder) if world.is_first else nullcontext():
        if not finished(Job(folder, first, loaded, asked, tell, begun is not None, options.changed_data)):
            return stopped_code()
    print(what_next(folder, graph))
    return 0


def begun_folder(graph: Graph, options: Namespace) -> RunFolder | None:
    """The folder of a run that is to go on; ``None`` where a new one is begun."""
    folder = folder_of(graph, options) if options.resume or options.output else None
    return folder if folder is not None and folder.begun else None


def left_as_it_is(folder: RunFolder, graph: Graph, world: World, tell: Callable[[str], None]) -> int:
    """Tell how a run ended that has nothing left to do; of its files, those that are missing are made."""
    print(f"{folder.path} has been trained to its end; for more epochs, start a new run")
    try:
        if has_meaning(folder):
            for change in changes_of_data(read_data(graph, read_meaning(folder)), folder):
                tell(f"the data are others than it was trained on: {change}")
    except SpecError as fault:
        tell(f"the data are others than it was trained on: {fault.diagnostics[0].message}")
    if world.is_first:  # a lock is that of a process which still ends the run, or was killed at it
        with claimed(folder) if (folder.path / LOCK).exists() else nullcontext():
            complete(folder, graph, tell)
    scores, spread = summary_of(folder.result())
    print(f"\n{score_table(scores, spread, recipe_of(graph).published)}\n{what_next(folder, graph)}")
    return 0


def what_next(folder: RunFolder, graph: Graph) -> str:
    """The files of a run that has ended, and the commands that put it to use."""
    asked_of = folder.path / "fold-1" if recipe_of(graph).settings.folds else folder.path
    what = "a text" if has_meaning(folder) and reads_text(graph, read_meaning(folder)) else "FILE"
    files = ", ".join(sorted(each.name for each in folder.path.iterdir() if not each.name.startswith(".")))
    evaluate = shell(["netspec", "evaluate", as_path(folder.path), *plugin_words()])
    predict = shell(["netspec", "predict", as_path(asked_of), what, *plugin_words()])
    return f"\n{folder.path}/: {files}\n  {evaluate}\n  {predict}"


def reads_text(graph: Graph, meaning: Meaning) -> bool:
    """Return whether a network is asked with a text, rather than with a file."""
    recipe = recipe_of(graph)
    columns = prepared(meaning.columns, recipe.prepare)
    return any(column in meaning.words for column in bind_inputs(columns, graph.inputs, recipe.inputs).values())


def finished(job: Job) -> bool:
    """Do a job and print how it ended; false where it was interrupted."""
    ending = job.go()
    if ending.stopped_after is not None:
        command = going_on(job.asked, job.folder)
        print(f"\nstopped after step {ending.stopped_after}, and saved; to go on:\n  {command}")
        return False
    print()
    print(score_table(ending.scores, ending.spread, job.first.recipe.published))
    return True


def warn(text: str) -> None:
    print(f"netspec: {text}", file=sys.stderr)


def silent(text: str) -> None:
    """What others say already."""


def heading(graph: Graph, setup: Setup) -> str:
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
    world, device = setup.world, setup.device
    where = str(device) if world.size == 1 else f"{world.size} × {device.type} ({settings.strategy})"
    batch = f"batches of {settings.batch}" if settings.batch else "whole batches"
    return (
        f"{graph.name}: {graph.body.parameter_count:,} parameters · {recipe.data.detail()}: {rows}\n"
        f"{recipe.optimizer.detail()} · {', '.join(loss.detail() for loss in recipe.losses.values())} · {how}, {batch} "
        f"on {where}\n"
    )


def plan(graph: Graph, setup: Setup) -> str:
    """What a dry run tells: the first batch, how large activations and gradients are, and the memory of a step."""
    settings = setup.recipe.settings
    batch = next(iter(setup.train.shuffled(0, settings.batch)))
    devices = settings.devices if isinstance(settings.devices, int) else 1
    lines = [f"first batch, shared by {devices} processes ({settings.strategy})" if devices > 1 else "first batch"]
    for name, tensor in zip(graph.inputs, batch.inputs):
        if tensor is not None:
            lines.append(f"  {name:<12} {described(tensor)}")
    lines += [f"  {setup.wiring.targets[name]:<12} {described(tensor)}" for name, tensor in batch.targets.items()]
    lines += ["", magnitude_table(magnitudes_at_start(setup))]
    each = " in each process" if devices > 1 else ""
    shapes = [None if tensor is None else tensor.shape for tensor in batch.inputs]
    memory = short_bytes(step_memory(graph, setup, shapes, -(-batch.rows // devices)))
    lines += ["", f"memory of a step  about {memory}{each}"]
    return "\n".join(lines)


def guard_memory(graph: Graph, setup: Setup) -> None:
    """Guard: a step fits in the memory that is left. Raises ``EnvironmentFault``."""
    settings = setup.recipe.settings
    devices = settings.devices if isinstance(settings.devices, int) else 1
    rows = min(settings.batch or len(setup.train), len(setup.train))
    columns = [None if column is None else setup.columns[column] for column in setup.wiring.inputs]
    shapes = [None if column is None else (None, *column.shape) for column in columns]
    needed = step_memory(graph, setup, shapes, -(-rows // devices))
    help = "a smaller `train.batch`, a larger `train.accumulate` or a smaller network takes less"
    need_memory(needed, f"a step with {rows} rows", help, setup.device)


def step_memory(graph: Graph, setup: Setup, shapes: Sequence[Sequence[int | None] | None], rows: int) -> int:
    """Bytes that a step on inputs of these shapes takes at its peak, of which this process has so many ``rows``.

    That is weights, gradients, the state of the optimizer that will run, and what backward needs.
    """
    recipe = setup.recipe
    part = -(-rows // recipe.settings.accumulate)
    sizes = dict(graph.sizes)
    for value, shape in zip(graph.inputs.values(), shapes):
        for size, have in zip(value.shape, shape or ()):
            symbol, number = solved(size, have)
            if symbol is not None and number is not None:
                sizes[symbol] = number
    sizes.update(dict.fromkeys(batch_symbols(graph), part))
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


def score_table(scores: Any, spread: Any, published: Any) -> str:
    """The parts of the data, a line each, with a paper's numbers where there are."""
    names = list(dict.fromkeys(name for part in scores.values() for name in part))
    rows = [["", *names]]
    for part, values in scores.items():
        cells = [part]
        for name in names:
            text = score(values[name]) if name in values else ""
            if part in spread:
                text += f" ± {score(spread[part][name])}"
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
