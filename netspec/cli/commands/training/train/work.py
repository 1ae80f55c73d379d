"""``netspec train``: train a network on its data."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from netspec.cli.commands.training.train.texts import heading, plan, what_next
from netspec.cli.given_weights import tell_loaded
from netspec.cli.output import fitted, silent, warn
from netspec.cli.scores import score_table
from netspec.diagnostics import SpecError, UsageError
from netspec.graph import Graph
from netspec.pipeline import Loaded
from netspec.sources.run_folders import RUNS
from netspec.text.quoting import shell
from netspec.train.beforehand import cautions
from netspec.train.job import Job, complete, first_setup, start, summary_of
from netspec.train.loop.rate_search import search
from netspec.train.reading import read_data, recipe_of
from netspec.train.report.loggers import guard_packages
from netspec.train.report.rates import rounded, told, write_rate_page
from netspec.train.setup import Setup
from netspec.train.start.memory import guard_memory
from netspec.train.start.resumption import Resumption
from netspec.train.start.sameness import guard_same
from netspec.train.stopping import stopped_code
from netspec.train.store.claim import LOCK, claimed
from netspec.train.store.folder import RunFolder
from netspec.train.store.length import Extensions
from netspec.train.store.metadata import Asked, as_path, changes_of_data, going_on, has_meaning, read_meaning
from netspec.train.world import ReportedElsewhere, World, is_worker, joined

FEWEST = 20
"""The fewest steps of a search for a learning rate."""


def train(graph: Graph, loaded: Loaded, options: Namespace, goes_on: Resumption | None = None) -> int:
    """Train a network, or go on with a run; gives the exit code."""
    asked = Asked(options.spec, options.variant, (*loaded.values, *options.set))
    devices = recipe_of(graph).settings.devices
    several = devices not in ("auto", "cpu", "cuda", 1) or options.nnodes is not None or options.max_restarts
    if several and not options.dry_run and options.find_lr is None and not is_worker():
        return as_team(graph, asked, options, goes_on)
    try:
        with joined() as world:
            return work(graph, loaded, asked, options, world, goes_on)
    except ReportedElsewhere as fault:
        return fault.exit_code


def as_team(graph: Graph, asked: Asked, options: Namespace, goes_on: Resumption | None) -> int:
    """Train in several processes; gives the exit code."""
    from netspec.train.distributed.launch import Launch

    team = Launch(recipe_of(graph).settings.devices, options.nnodes, options.rdzv_endpoint, options.max_restarts)
    if goes_on is not None:
        words = ["train", *goes_on.words(options.stretch_schedule), *how(options)]
        return team.run(words, going_on(goes_on.folder))
    if options.spec == "-":
        raise UsageError("several processes cannot read one standard input: save the spec in a file")
    folder = folder_of(graph, options)  # chosen here, as a process that starts again must find it
    try:
        return team.run(["train", *asked.words(), *how(options), "--output", str(folder.path)], going_on(folder))
    finally:
        folder.drop_empty()


def how(options: Namespace) -> list[str]:
    """The options that change nothing of what is trained, as every process needs them."""
    given = {name: getattr(options, name) for name in ("error_format", "max_layers", "max_file_size")}
    pairs = [(f"--{name.replace('_', '-')}", str(value)) for name, value in given.items() if value is not None]
    return [*(["--changed-data"] if options.changed_data else []), *(word for pair in pairs for word in pair)]


def folder_of(graph: Graph, options: Namespace) -> RunFolder:
    """Return the folder of a run that is begun."""
    if options.output:
        return RunFolder(Path(options.output))
    if options.nnodes is not None or is_worker():
        raise UsageError("machines that train together need a shared folder: give it with --output")
    return RunFolder.new(RUNS / graph.name)


def work(
    graph: Graph, loaded: Loaded, asked: Asked, options: Namespace, world: World, goes_on: Resumption | None = None
) -> int:
    """Train in one process of a world; gives the exit code."""
    begun = begun_folder(graph, options) if goes_on is None else goes_on.folder
    extended = goes_on is not None and goes_on.was is not None
    tell = warn if world.is_first else silent
    if begun is not None and begun.ended and not extended and not options.dry_run:
        return left_as_it_is(begun, graph, world, tell)
    extensions = Extensions.of({} if begun is None else begun.facts()) if goes_on is None else goes_on.extensions
    first = first_setup(graph, world, begun, options.changed_data, extensions)
    graph = first.graph  # with what is recomputed to fit the memory
    print(fitted(heading(graph, first), sys.stdout), flush=True)
    if goes_on is not None and goes_on.was is not None:
        print(fitted(f"{goes_on.told_extension(first)}\n", sys.stdout), flush=True)
    for note in cautions(first):
        tell(note)
    if options.dry_run:
        print(plan(graph, first))
        return 0
    guard_memory(graph, first)
    if options.find_lr is not None:
        print(rate_found(first, options))
        return 0
    if world.is_first:
        guard_packages(first.recipe.settings.loggers)  # before there is a folder
    weights = start(first, begun)
    if weights is not None and world.is_first:
        tell_loaded(weights, print)
    folder = begun or folder_of(graph, options)
    with claimed(folder) if world.is_first else nullcontext():
        if goes_on is not None and world.is_first:
            goes_on.record()
        if not completed(Job(folder, first, loaded, asked, tell, begun is not None, options.changed_data)):
            return stopped_code()
    print(fitted(what_next(folder, graph), sys.stdout))
    return 0


def rate_found(setup: Setup, options: Namespace) -> str:
    """Search for a learning rate and write the page of its losses; gives the text that tells of it.

    Raises ``UsageError`` for options that do not go together.
    """
    if options.find_lr < FEWEST:
        raise UsageError(f"--find-lr takes at least {FEWEST} steps: fewer show no curve")
    curve, name = search(setup, options.find_lr), setup.graph.name
    path = (Path(options.output) if options.output else RUNS / name) / "learning_rate.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    recipe = setup.recipe
    how = f"{recipe.optimizer.name}, {recipe.data.detail()}, batches of {recipe.settings.batch or 'all rows'}"
    write_rate_page(curve, name, how, path)
    lines = [told(curve), f"  {path}"]
    if (suggested := curve.suggested()) is not None:
        rate = f"train.optimizer.lr={rounded(suggested)}"
        words = ["train", *Asked(options.spec, options.variant, (*options.set, rate)).words()]
        lines.append(f"  {shell(['netspec', *words])}")
    return "\n".join(lines)


def begun_folder(graph: Graph, options: Namespace) -> RunFolder | None:
    """Return the run that ``-o`` names, which must be this one; ``None`` where a new one is begun."""
    if not options.output or not RunFolder(Path(options.output)).begun:
        return None
    folder = RunFolder(Path(options.output))
    guard_same(folder, graph)
    return folder


def left_as_it_is(folder: RunFolder, graph: Graph, world: World, tell: Callable[[str], None]) -> int:
    """Tell how a run ended that has nothing left to do; of its files, those that are missing are made."""
    more = shell(["netspec", "train", "--resume", as_path(folder.path), "--set", "train.epochs=N"])
    print(f"{folder.path} is already finished; for more epochs:\n  {more}")
    try:
        if has_meaning(folder):
            for change in changes_of_data(read_data(graph, read_meaning(folder)), folder):
                tell(f"the data differ from those it was trained on: {change}")
    except SpecError as fault:
        tell(f"the data differ from those it was trained on: {fault.diagnostics[0].message}")
    if world.is_first:  # a lock is that of a process which still ends the run, or was killed at it
        with claimed(folder) if (folder.path / LOCK).exists() else nullcontext():
            complete(folder, graph, tell)
    scores, spread = summary_of(folder.result())
    print(f"\n{score_table(scores, spread, recipe_of(graph).published)}\n{what_next(folder, graph)}")
    return 0


def completed(job: Job) -> bool:
    """Do a job and print how it ended; false where it was interrupted."""
    ending = job.go()
    if ending.stopped_after is not None:
        print(f"\nstopped after step {ending.stopped_after}, and saved; to resume:\n  {going_on(job.folder)}")
        return False
    print()
    print(score_table(ending.scores, ending.spread, job.first.recipe.published))
    return True
