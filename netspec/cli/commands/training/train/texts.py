"""Texts of ``netspec train``: its heading, the plan of a dry run, and the commands for the finished run."""

from __future__ import annotations

from collections.abc import Collection

import torch

from netspec.graph import Graph
from netspec.recipes.binding import bind_inputs, prepared
from netspec.recipes.recipe import Recipe
from netspec.text.quantities import short_bytes
from netspec.text.quoting import shell, visible
from netspec.train.data import Meaning
from netspec.train.memory.fitting import told_plan
from netspec.train.memory.step import run_memory
from netspec.train.reading import recipe_of
from netspec.train.report.activation_stats import stats_at_start, stats_table
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import as_path, has_meaning, plugin_words, read_meaning


def heading(graph: Graph, setup: Setup) -> str:
    """Two lines, what is trained on what, and how; and what was chosen to fit its memory."""
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
    notes = "".join(f"{visible(note)}\n" for note in [" · ".join(setup.data.notes)] if note)
    told = f"{plan_text}\n" if (plan_text := told_plan(setup)) else ""
    batch = f"batches of {settings.batch}" if settings.batch else "whole batches"
    return (
        f"{graph.name}: {graph.body.parameter_count:,} parameters · {recipe.data.detail()}: {rows}\n"
        f"{steps_of(recipe)} · {', '.join(loss.detail() for loss in recipe.losses.values())} · {how}, {batch} "
        f"on {where}\n{notes}{told}"
    )


def steps_of(recipe: Recipe) -> str:
    """The optimizer, and what makes weights smaller beside the loss."""
    decay, told = recipe.weight_decay, recipe.optimizer.detail()
    return told if decay is None else f"{told}, weight decay {decay.detail().removeprefix(decay.name).strip()}"


def plan(graph: Graph, setup: Setup) -> str:
    """Return the text of a dry run: the first batch, the size of activations and gradients, the memory of a step."""
    settings = setup.recipe.settings
    batch = next(iter(setup.train.shuffled(0, settings.batch)))
    devices = settings.devices if isinstance(settings.devices, int) else 1
    lines = [f"first batch, shared by {devices} processes ({settings.strategy})" if devices > 1 else "first batch"]
    for name, tensor in zip(graph.inputs, batch.inputs):
        if tensor is not None:
            lines.append(f"  {name:<12} {described(tensor)}")
    lines += [f"  {setup.binding.targets[name]:<12} {described(tensor)}" for name, tensor in batch.targets.items()]
    lines += ["", stats_table(stats_at_start(setup))]
    each = " in each process" if devices > 1 else ""
    shapes = [None if tensor is None else tensor.shape for tensor in batch.inputs]
    memory = short_bytes(run_memory(graph, setup, shapes))
    lines += ["", f"memory of a step  about {memory}{each}"]
    return "\n".join(lines)


def described(tensor: torch.Tensor) -> str:
    """A tensor's shape, type and range."""
    shape = "×".join(map(str, tensor.shape)) or "()"
    return f"{shape} {str(tensor.dtype).removeprefix('torch.')}, {tensor.min().item():.4g} to {tensor.max().item():.4g}"


def what_next(folder: RunFolder, graph: Graph) -> str:
    """The files of a run that has ended, and the commands that put it to use."""
    asked_of = folder.path / "fold-1" if recipe_of(graph).settings.folds else folder.path
    meaning = read_meaning(folder) if has_meaning(folder) else None
    what = "a text" if meaning is not None and reads_text(graph, meaning) else "FILE"
    files = ", ".join(sorted(each.name for each in folder.path.iterdir() if not each.name.startswith(".")))
    evaluate = shell(["netspec", "evaluate", as_path(folder.path), *plugin_words()])
    ask = ["predict", as_path(asked_of), what]
    if meaning is not None and writes_text(graph, meaning):
        ask = ["generate", as_path(asked_of), "--prompt", what]
    return f"\n{folder.path}/: {files}\n  {evaluate}\n  {shell(['netspec', *ask, *plugin_words()])}"


def reads_text(graph: Graph, meaning: Meaning) -> bool:
    """Return whether a network is asked with a text, rather than with a file."""
    return any(column in meaning.words for column in columns_read(graph, meaning))


def writes_text(graph: Graph, meaning: Meaning) -> bool:
    """Return whether a network writes: it reads back the words that it has given so far."""
    read = {column for column in columns_read(graph, meaning) if column in meaning.words}
    return any(column.target and column.shifted in read for column in meaning.columns.values())


def columns_read(graph: Graph, meaning: Meaning) -> Collection[str]:
    """Return the columns of the data that a network reads."""
    recipe = recipe_of(graph)
    return bind_inputs(prepared(meaning.columns, recipe.prepare), graph.inputs, recipe.inputs).values()
