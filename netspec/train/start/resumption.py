"""A run that goes on: its own spec and settings, what is set on top, and what has become of its spec's file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from netspec.analysis.diff import Differences
from netspec.analysis.diff.changes import Change
from netspec.diagnostics import SpecError, TrainingFault, UsageError
from netspec.elaborate import Limits
from netspec.graph import Graph
from netspec.pipeline import Loaded, load_spec
from netspec.recipes.schedules import Length
from netspec.sources.run_folders import RUNS, last_run
from netspec.text.quoting import shell
from netspec.train.predict.unfinished import resumed_by
from netspec.train.reading import recipe_of
from netspec.train.setup import FREE, Setup
from netspec.train.start.sameness import differing, facts_of, guard_same
from netspec.train.store.checkpoints import Checkpoints, last_saved_step
from netspec.train.store.folder import RunFolder
from netspec.train.store.history import read_history
from netspec.train.store.length import KEYS, Extensions, RunLength
from netspec.train.store.metadata import as_path, begun_as, cannot_go_on, compiled, plugin_words, reloaded

MOST_NAMED = 3
"""Layers that a line names."""


@dataclass(frozen=True, slots=True)
class Resumption:
    """A run that goes on. ``values`` are set on top of its own; ``was`` is its length so far, where they change it.

    ``notes`` has lines that tell of it: as what it was begun, and what has become of its spec's file.
    """

    folder: RunFolder
    loaded: Loaded
    graph: Graph
    values: tuple[str, ...]
    extensions: Extensions
    was: RunLength | None
    notes: tuple[str, ...]

    def words(self, stretch: bool) -> list[str]:
        """Return the request as words of a command line, for the processes that do it together."""
        values = [word for value in self.values for word in ("--set", value)]
        stretched = ["--stretch-schedule"] if stretch else []
        return ["--resume", as_path(self.folder.path), *values, *stretched, *plugin_words()]

    def record(self) -> None:
        """Note in the run's folder that it has another length now, and has not ended; nothing where it has not."""
        if self.was is None:
            return
        found = self.folder.facts()
        asked = {**found["asked"], "set": [*found["asked"]["set"], *self.values]}
        (self.folder.path / "result.json").unlink(missing_ok=True)  # first: a run without it goes on either way
        changed = {"recipe": recipe_of(self.graph).plain(), "asked": asked, **self.extensions.plain()}
        self.folder.write("run.json", {**found, **changed})

    def told_extension(self, setup: Setup) -> str:
        """Return what becomes of the schedule, in a sentence or two. ``setup`` has the run's data."""
        assert self.was is not None
        settings, schedule = setup.recipe.settings, setup.recipe.schedule
        now, planned = RunLength.of_settings(settings), self.extensions.planned
        changed = "extended" if now.extends(self.was) else "shortened"
        told = f"{self.folder.path} is {changed} from {self.was} to {now}"
        if schedule is None:
            return f"{told}; the learning rate stays as it is"
        epoch = setup.train.steps(settings.batch)
        length = Length(setup.steps_in(planned or now), epoch)
        if not schedule.leads_to_end(length):
            return f"{told}; its schedule, {schedule.name}, goes on as before"
        if planned is not None and now.shortens(planned):
            rest = f"`--stretch-schedule` plans it for {now} instead"
            return f"{told}. Its schedule, {schedule.name}, was planned for {planned}, and ends before its end; {rest}"
        if now.shortens(self.was):
            return f"{told}, and its schedule, {schedule.name}, with it"
        rate = getattr(setup.recipe.optimizer, "lr", 1.0)
        done = setup.steps_in(self.was)
        if planned is None:
            start, end = (f"{schedule.rate(rate, step, length):.3g}" for step in (done, length.steps - 1))
            return f"{told}, and its schedule, {schedule.name}, with it: the learning rate goes on at {start}, to {end}"
        last = f"{schedule.rate(rate, length.steps - 1, length):.3g}"
        return (
            f"{told}. Its schedule, {schedule.name}, was planned for {planned}: what comes after them goes on at its "
            f"last learning rate, {last}; `--stretch-schedule` plans it for {now} instead"
        )


def resumption(
    folder: RunFolder, values: Sequence[str] = (), stretch: bool = False, limits: Limits | None = None
) -> Resumption:
    """Return how a run goes on with ``values`` set on top of its own, as on the command line: ``train.epochs=20``.

    More epochs, or steps, extend it, fewer shorten one that has not ended; ``stretch`` plans its schedule for all of
    them. Raises ``TrainingFault`` for values that it was not begun with, ``UsageError`` if its files have been changed.
    """
    facts = folder.facts()
    loaded = reloaded(folder)
    graph = compiled(loaded, folder, values, limits)
    was, now = RunLength.of(facts["recipe"]), RunLength.of_settings(recipe_of(graph).settings)
    changes, extensions = now.extends(was) or now.shortens(was), Extensions.of(facts)
    guard_same(folder, graph, {*FREE, *KEYS} if changes else FREE)
    if changes:
        guard_average(folder, graph, was, now)
        guard_shortest(folder, graph, was, now)
        if not Checkpoints(folder.checkpoints).some_whole():  # told before the run is noted as one that goes on
            raise cannot_go_on(folder)
        extensions = extensions.further(was, stretch)
    elif stretch and (extensions.planned is not None or not extensions.earlier):
        raise UsageError("--stretch-schedule is for a run that becomes longer: add `--set train.epochs=N`")
    notes = (told,) if (told := begun_with(folder, values)) else ()
    return Resumption(folder, loaded, graph, tuple(values), extensions, was if changes else None, notes)


def begun_with(folder: RunFolder, values: Sequence[str]) -> str:
    """Return a line with what a run was begun with and still has, besides ``values``; empty for nothing."""
    own, taken = begun_as(folder), {text.partition("=")[0].strip() for text in values}
    held = {text.partition("=")[0].strip(): text for text in own.values}
    words = ["--variant", own.variant] if own.variant else []
    words += [word for key, text in held.items() if key not in taken for word in ("--set", text)]
    return f"{folder.path} goes on as it was begun, with {shell(words)}" if words else ""


def guard_average(folder: RunFolder, graph: Graph, was: RunLength, now: RunLength) -> None:
    """Guard: the epochs whose weights are averaged at the end come after those whose weights are gone."""
    average, records = recipe_of(graph).average, read_history(folder).epochs
    if average is None or not folder.ended:
        return
    a_epoch = records[0]["step"] if records else 1
    more = (now.epochs or 0) - (was.epochs or 0) + ((now.steps or 0) - (was.steps or 0)) // a_epoch
    if more < average.epochs:
        raise TrainingFault(
            f"the weights of the last {average.epochs} epochs are averaged, and those of epochs before the end of "
            f"{folder.path} are gone: extend it by {average.epochs} epochs at least"
        )


def guard_shortest(folder: RunFolder, graph: Graph, was: RunLength, now: RunLength) -> None:
    """Guard: a run that becomes shorter has not ended, nor gone farther than it is to go."""
    if now.extends(was):
        return
    if folder.ended:
        help = f"`netspec train SPEC --set train.{KEYS[now.epochs is None]}=…` starts a shorter one"
        raise TrainingFault(f"{folder.path} has ended after {was}, and cannot become shorter: {help}")
    recipe = recipe_of(graph)
    if recipe.average is not None or recipe.settings.folds:
        why = "averages the weights of its last epochs" if recipe.average is not None else "is cross-validated"
        raise TrainingFault(f"{folder.path} {why}, and cannot become shorter{resumed_by(folder)}")
    done, records = last_saved_step(folder.checkpoints), read_history(folder).epochs
    a_epoch = records[0]["step"] if records else max(done, 1)
    least = -(-done // a_epoch) if now.steps is None else done
    if (now.epochs or now.steps or 0) < least:
        raise TrainingFault(
            f"{folder.path} has taken {done:,} steps already: the fewest {KEYS[now.epochs is None]} that it can have "
            f"are {least:,}"
        )


def named_folder(run: str, spec: Loaded | None, variant: str | None) -> RunFolder:
    """Return the folder of a run by its path, its number or ``last``: of a spec's runs, or of all if none is given.

    Raises ``UsageError`` where there is none, ``TrainingFault`` where it is the run of another spec.
    """
    if spec is None:
        return RunFolder.find(run, RUNS)
    chosen = variant or spec.variant
    parents = [RUNS / name for name in ([chosen] if chosen else [spec.spec.name, *spec.spec.variants])]
    folder = RunFolder(last_run(*parents)) if run == "last" else RunFolder.find(run, parents[0])
    was, own = folder.facts(), reloaded(folder)
    if own.spec.name != spec.spec.name or (chosen is not None and was["model"] != chosen):
        raise TrainingFault(f"{folder.path} is a run of {was['model']}, not of {chosen or spec.spec.name}")
    return folder


def changes_of_spec(made: Resumption, spec: Loaded | None, limits: Limits | None = None) -> str | None:
    """Return what has changed in a run's spec since it was begun, and that the run has its own; ``None`` for nothing.

    The spec is the file that the run was begun with, unless another is named. Where that is gone, nothing is told.
    """
    own = begun_as(made.folder)
    copy = made.folder.path / "spec.yaml"
    told = f"since {made.folder.path} was begun; it goes on with its own copy, {copy}"
    try:
        loaded = spec or load_spec(own.spec)
    except UsageError:
        return None
    except SpecError:
        return f"{own.spec} has changed, and is at fault, {told}"
    if loaded.digest == made.loaded.digest:
        return None
    try:
        graph = compiled(loaded, made.folder, made.values, limits)
    except (SpecError, UsageError):
        return f"{loaded.source.name} has changed, and is at fault, {told}"
    pairs = differing(facts_of(made.graph), facts_of(graph)).items()
    changes = [f"`{key}` is {after}, not {before}" for key, (before, after) in pairs]
    layers = [each.path for each in edits(Differences(made.graph, graph).changes)]
    if layers:
        more = f" and {len(layers) - MOST_NAMED} more" if len(layers) > MOST_NAMED else ""
        changes.insert(0, f"layers {', '.join(layers[:MOST_NAMED])}{more}" if len(layers) > 1 else f"layer {layers[0]}")
    if not changes:
        return None
    words = ["netspec", "diff", as_path(copy), as_path(Path(loaded.source.name))]
    shown = f" (`{shell(words)}`)" if layers else ""  # it shows networks, and none of what differs in recipes alone
    return f"{loaded.source.name} has changed ({'; '.join(changes)}) {told}{shown}"


def edits(changes: Sequence[Change]) -> Iterator[Change]:
    """Yield the steps that came, went or were changed, rather than follow from such."""
    for change in changes:
        if change.kind in ("added", "removed", "changed"):
            yield change
        else:
            yield from edits(change.inner)
