"""``netspec train``: a run from its recipe, shown while it goes on, and what it leaves."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import torch

from netspec.diagnostics import UsageError
from netspec.dims import evaluate
from netspec.emit.memory import PRECISIONS, Memory
from netspec.emit.table_footer import short_bytes
from netspec.graph import Graph
from netspec.pipeline import Loaded
from netspec.train.beforehand import cautions
from netspec.train.folder import RunFolder
from netspec.train.job import Job, first_setup, guard_same
from netspec.train.kept import Asked, going_on, plugin_words
from netspec.train.magnitudes import magnitude_table, magnitudes_at_start
from netspec.train.progress import score
from netspec.train.setup import Setup, recipe_of
from netspec.train.world import AlreadyTold, World, is_worker, joined

RUNS = Path("runs")


def train(graph: Graph, loaded: Loaded, options: Namespace) -> int:
    """Train a network; gives the exit code."""
    asked = Asked(options.spec, options.variant, tuple(options.set))
    devices = recipe_of(graph).settings.devices
    several = devices not in ("auto", "cpu", "cuda", 1) or options.nodes is not None or options.restarts
    if several and not options.dry_run and not is_worker():
        from netspec.train.launch import Launch

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
    return [word for pair in pairs for word in pair]


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
    first = first_setup(graph, world)
    print(heading(graph, first))
    for caution in cautions(first) if world.is_first else ():
        warn(caution)
    if options.dry_run:
        print(plan(graph, first))
        return 0
    folder = folder_of(graph, options)
    if folder.begun:
        guard_same(folder, graph)
    if folder.ended:
        print(f"{folder.path} has been trained to its end; for more epochs, start a new run")
    if not finished(Job(folder, first, loaded, asked, warn if world.is_first else silent)):
        return 130
    print(f"\n{folder.path}/: {', '.join(sorted(each.name for each in folder.path.iterdir()))}")
    asked_of = folder.path / "fold-1" if first.recipe.settings.folds else folder.path
    what = "'a text'" if reads_text(first) else "FILE"
    more = "".join(f" {word}" for word in plugin_words())
    print(f"  netspec evaluate {folder.path}{more}\n  netspec predict {asked_of} {what}{more}")
    return 0


def reads_text(setup: Setup) -> bool:
    """Whether a network is asked with a text, rather than with a file."""
    return any(column in setup.data.words for column in setup.wiring.inputs)


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
    memory = short_bytes(step_memory(graph, setup, -(-batch.rows // devices)))
    lines += ["", f"memory of a step  about {memory}{each}"]
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
