"""Runs that have ended, side by side: what differs in their specs and recipes, and how they ended."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from netspec.analysis.diff import Differences
from netspec.cli.commands.training.compare.candidates import history_of
from netspec.cli.commands.training.compare.summary import summary, winner
from netspec.cli.output import warn
from netspec.cli.scores import aligned
from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError
from netspec.graph import Graph
from netspec.recipes.base import Ingredient
from netspec.recipes.recipe import Recipe
from netspec.recipes.weights import WeightsSource
from netspec.sources.run_folders import RUNS, is_run, named_run, no_such_run
from netspec.text.quoting import markdown
from netspec.train.predict.unfinished import outcome_so_far
from netspec.train.reading import recipe_of
from netspec.train.report.comparison import Compared, draw_comparison
from netspec.train.report.page import duration, plain
from netspec.train.report.progress import score
from netspec.train.setup import FREE
from netspec.train.start.resumption import edits
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import MEANING, has_meaning, rebuild

NONE = "–"
WIDEST = 80
"""Columns of a table that no terminal shows."""
MOST_NAMED = 3
"""Layers that are named where networks differ."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has ended, with its network and recipe."""

    folder: RunFolder
    graph: Graph

    @property
    def recipe(self) -> Recipe:
        """Its recipe, in which a run that was extended is as long as it is."""
        return recipe_of(self.graph)

    def outcome(self) -> dict[str, Any]:
        """Return how it ended, or how far it has come, as ``compare.json`` has it."""
        return {
            "folder": str(self.folder.path),
            "parameters": self.graph.body.parameter_count,
            **(self.folder.result() if self.folder.ended else outcome_so_far(self.folder, warn)),
        }


def compare_finished(options: Namespace) -> None:
    """Print runs that have ended side by side; draw their losses where a file is named."""
    runs = finished_runs(options.specs)
    outcomes = {label: run.outcome() for label, run in runs.items()}
    rows = differences(runs)
    graph, folders = next(iter(runs.values())).graph, {label: run.folder for label, run in runs.items()}
    if options.format == "json":
        by_run = {key: dict(zip(runs, values)) for key, values in rows.items()}
        print(json.dumps({"runs": outcomes, "differences": by_run}, indent=2))
    elif options.format == "md":
        print(f"{in_markdown(['', *runs], rows.items())}\n\n{scores_in_markdown(outcomes, graph, folders)}")
    else:
        width = shutil.get_terminal_size((WIDEST, 24)).columns if sys.stdout.isatty() else WIDEST
        told = table_of(rows, [*runs], width) if rows else "specs and recipes are the same"
        print(f"{told}\n\n{summary(outcomes, graph, folders, width)}")
    if options.output is not None:
        histories = {label: Compared(history_of(Path(), each)) for label, each in outcomes.items()}
        draw_comparison(histories, Path(options.output))


def finished_runs(texts: Sequence[str]) -> dict[str, Finished]:
    """Return the runs that the words of a command line name, by labels. Raises ``UsageError`` for one that is none, or
    has not ended, or is named twice.
    """
    paths = [named_run(text) for text in texts]
    for path in paths:
        if not is_run(path):
            told = f"there is no run in {path}: specs are trained and compared, or runs"
            raise UsageError(no_such_run(str(path)) or told)
    if len(paths) < 2:
        raise UsageError("there is only one run to compare: name another")
    labels = [label_of(path) for path in paths]
    for path, after in pairwise(sorted(paths, key=lambda each: each.resolve())):
        if path.resolve() == after.resolve():
            raise UsageError(f"{path} is compared with itself")
    return {
        label: Finished(RunFolder(path), rebuild(RunFolder(path))) for label, path in zip(labels, paths, strict=True)
    }


def label_of(path: Path) -> str:
    """Return what a run is called: its folder, without that of all runs."""
    name = str(path.relative_to(RUNS) if path.is_relative_to(RUNS) else path)
    return name if RunFolder(path).ended else f"{name}, not finished"


def differences(runs: Mapping[str, Finished]) -> dict[str, list[str]]:
    """Return what differs, by the key of the spec that sets it: a text for each run."""
    made = [*runs.values()]
    return {**of_networks(made), **of_parameters(made), **of_recipes(made), **of_rows(made)}


def of_networks(runs: Sequence[Finished]) -> dict[str, list[str]]:
    """Return the layers in which networks differ from the first one."""
    cells = [""]
    for run in runs[1:]:
        layers = [each.path for each in edits(Differences(runs[0].graph, run.graph).changes)]
        more = f", {len(layers) - MOST_NAMED} more" if len(layers) > MOST_NAMED else ""
        cells.append(f"{', '.join(layers[:MOST_NAMED])}{more}" if layers else NONE)
    return {"other layers": cells} if any(cell not in ("", NONE) for cell in cells) else {}


def of_parameters(runs: Sequence[Finished]) -> dict[str, list[str]]:
    """Return the parameters of the specs that differ."""
    values = [run.folder.facts()["parameters"] for run in runs]
    return _differing({key: [plain(each[key]) if key in each else NONE for each in values] for key in _keys(values)})


def of_recipes(runs: Sequence[Finished]) -> dict[str, list[str]]:
    """Return the keys of the recipes that differ; of the same optimizer the arguments, of several the whole."""
    recipes, rows = [run.recipe for run in runs], {}
    values = [recipe.plain() for recipe in recipes]
    for key in _keys(values):
        found = [each[key] for each in values]
        if key in FREE or all(each == found[0] for each in found):
            continue
        inside = [_only(each) if key != "loss" else _only(_only(each)) for each in found]
        names = {name for name, _ in inside}
        if None in names or len(names) > 1:
            rows[key] = [said(recipe, key) for recipe in recipes]
            continue
        arguments = [each for _, each in inside]
        rows |= {f"{key}.{name}": [plain(each.get(name)) for each in arguments] for name in _keys(arguments)}
    return _differing(rows)


def of_rows(runs: Sequence[Finished]) -> dict[str, list[str]]:
    """Return the numbers of rows where data are not the same, with a mark of their digests where the numbers are."""
    found = [run.folder.read(MEANING).get("rows", {}) if has_meaning(run.folder) else {} for run in runs]
    counts = [{part: f"{each['rows']:,}" for part, each in rows.items()} for rows in found]
    rows = {f"rows of {part}": [each.get(part, NONE) for each in counts] for part in _keys(counts)}
    for part in _keys(found):
        digests = [each.get(part, {}).get("sha256", NONE) for each in found]
        cells = rows[f"rows of {part}"]
        rows[f"rows of {part}"] = [f"{cell} ({digest[:6]})" for cell, digest in zip(cells, digests)]
    return _differing(rows)


def said(recipe: Recipe, key: str) -> str:
    """Return a key of a recipe in words, as the heading of a run has them."""
    value = getattr(recipe, "losses" if key == "loss" else key, None)
    value = getattr(recipe.settings, key, None) if value is None else value
    if isinstance(value, WeightsSource):
        return plain({key: each for key, each in value.plain().items() if each})
    each = [*value.values()] if isinstance(value, Mapping) else [*value] if isinstance(value, tuple) else [value]
    ingredients = [one for one in each if isinstance(one, Ingredient)]
    if ingredients:
        return ", ".join(one.detail() for one in ingredients)
    return NONE if value is None or value in ((), {}) else plain(value)


def table_of(rows: Mapping[str, Sequence[str]], labels: Sequence[str], width: int) -> str:
    """Return a line for each key and a column for each run; where that is too wide, a paragraph for each key."""
    told = aligned([["", *labels], *([key, *cells] for key, cells in rows.items())])
    if max(map(len, told.splitlines())) <= width:
        return told
    room = max(map(len, labels))
    return "\n".join(
        "\n".join([key, *(f"  {label:<{room}}  {cell}" for label, cell in zip(labels, cells))])
        for key, cells in rows.items()
    )


def in_markdown(heads: Sequence[str], rows: Any) -> str:
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(map(markdown, heads))} |", f"| :-- |{' --: |' * (len(heads) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(markdown, [key, *cells]))} |" for key, cells in rows)])


def scores_in_markdown(
    outcomes: Mapping[str, Mapping[str, Any]], graph: Graph, folders: Mapping[str, RunFolder]
) -> str:
    """Return how the runs ended as a table in Markdown, the best one in bold."""
    parts = _keys([each["scores"] for each in outcomes.values()])
    parts = [part for part in parts if part != "train"] or parts
    names = _keys([each["scores"][part] for each in outcomes.values() for part in parts if part in each["scores"]])
    measured = [(part, name) for part in parts for name in names]
    best, _ = winner(outcomes, parts, graph, folders)
    rows = []
    for label, each in outcomes.items():
        values = [each["scores"].get(part, {}).get(name) for part, name in measured]
        cells = [f"{each['parameters']:,}", *("" if value is None else score(value) for value in values)]
        cells += [", ".join(map(str, each["best_epoch"])), duration(each["seconds"])]
        rows.append((label, [f"**{cell}**" if label == best and cell else cell for cell in cells]))
    return in_markdown(["", "parameters", *(" ".join(each) for each in measured), "best epoch", "time"], rows)


def _only(value: Any) -> tuple[str | None, Any]:
    """Return the only key of a mapping and what it holds; of a pair with a mapping, of that one."""
    inside = value[1] if isinstance(value, tuple) else value
    if isinstance(inside, Mapping) and len(inside) == 1:
        ((name, held),) = inside.items()
        if isinstance(held, Mapping):
            return name, held
    return None, None


def _keys(values: Sequence[Mapping[str, Any]]) -> list[str]:
    return [*dict.fromkeys(key for each in values for key in each)]


def _differing(rows: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {key: cells for key, cells in rows.items() if len({*cells}) > 1}
