"""``netspec compare``: several runs that differ in what is compared, side by side."""

from __future__ import annotations

import json
import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from netspec.cli.train import RUNS, aligned, finished, heading, warn
from netspec.diagnostics import TrainingFault, UsageError
from netspec.elaborate import Limits
from netspec.files import write_text
from netspec.graph import Graph
from netspec.pipeline import Loaded, compile_loaded, load_spec, read_value
from netspec.train.curves import draw_comparison
from netspec.train.folder import RunFolder
from netspec.train.history import History, read_history
from netspec.train.job import Job, first_setup
from netspec.train.kept import Asked
from netspec.train.measures import better_way
from netspec.train.setup import recipe_of

VARIANT = "variant"
OPEN, CLOSE, QUOTES = "[{(", "]})", "'\""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of the runs. ``label`` says in what it differs from the others; ``values`` are set on its spec."""

    label: str
    loaded: Loaded
    graph: Graph
    variant: str | None
    values: tuple[str, ...]


def compare(options: Namespace, limits: Limits) -> int:
    """Train every candidate, then show them in a table and a picture; gives the exit code."""
    candidates = candidates_of(options, limits)
    folder = RunFolder.new(RUNS / "compare").path
    outcomes: dict[str, Any] = {}
    for number, each in enumerate(candidates, 1):
        print(f"{each.label} ({number} of {len(candidates)})")
        run = RunFolder(folder / f"{number}-{slug(each.label)}")
        asked = Asked(each.loaded.source.name, each.variant, each.values)
        try:
            first = first_setup(each.graph)
            print(heading(each.graph, first, first.device))
            if not finished(Job(run, first, each.loaded, asked, warn)):
                return 130
        except TrainingFault as fault:
            warn(f"{each.label}: {fault}")
            outcomes[each.label] = {"folder": run.path.name, "fault": str(fault)}
            continue
        outcomes[each.label] = {"folder": run.path.name, **run.result()}
        print()
    write_text(folder / "compare.json", json.dumps(outcomes, indent=2, ensure_ascii=False) + "\n")
    histories = {label: history_of(folder / found["folder"]) for label, found in outcomes.items() if "scores" in found}
    if not histories:
        raise TrainingFault("none of the runs has come to its end")
    draw_comparison(histories, folder / "compare.png")
    print(table(outcomes, candidates[0].graph))
    print(f"\n{folder}/: compare.png, compare.json, and a folder for each run")
    return 0


def candidates_of(options: Namespace, limits: Limits) -> list[Candidate]:
    """Each spec with each combination of the values of ``--over``, all compiled before the first is trained.

    Raises ``UsageError`` where there is but one, ``SpecError`` where one is at fault.
    """
    axes = [axis(text) for text in options.over]
    made = []
    for spec in options.specs:
        loaded = load_spec(spec, limits.file)
        for chosen in product(*([(key, value) for value in values] for key, values in axes)):
            variant = next((value for key, value in chosen if key == VARIANT), None)
            values = (*options.set, *(f"{key}={value}" for key, value in chosen if key != VARIANT))
            pairs = [text.partition("=") for text in values]
            overrides = {key.strip(): read_value(key.strip(), value) for key, _, value in pairs}
            graph = compile_loaded(loaded, variant=variant, overrides=overrides, limits=limits)
            recipe_of(graph)
            names = [graph.name] if len(options.specs) > 1 else []
            said = [
                bare(value) if len(axes) == 1 else f"{key.rpartition('.')[2]} {bare(value)}" for key, value in chosen
            ]
            made.append(Candidate(", ".join([*names, *said]) or graph.name, loaded, graph, variant, values))
    if len(made) < 2:
        raise UsageError("there is but one run to compare: name several specs, or `--over train.optimizer=sgd,adam`")
    twice = [each.label for number, each in enumerate(made) if each.label in {other.label for other in made[:number]}]
    if twice:
        raise UsageError(f"`{twice[0]}` is to be compared with itself")
    return made


def axis(text: str) -> tuple[str, list[str]]:
    """What ``--over`` says: a key, and the values that it takes, which commas divide outside of brackets."""
    key, equals, values = text.partition("=")
    found = split(values)
    if not equals or not key.strip() or not all(found):
        raise UsageError(f"--over takes KEY=VALUE,VALUE,…, not `{text}`")
    return key.strip(), found


def split(text: str) -> list[str]:
    """The parts between commas that stand in no brackets and no quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote else quote
        elif letter in QUOTES:
            quote = letter
        elif letter in OPEN:
            depth += 1
        elif letter in CLOSE:
            depth -= 1
        elif letter == "," and depth == 0:
            parts.append("")
            continue
        parts[-1] += letter
    return [part.strip() for part in parts]


def bare(value: str) -> str:
    """A value without the braces around all of it."""
    return value[1:-1].strip() if value.startswith("{") and value.endswith("}") else value


def slug(label: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r"[^\w.]+", "-", label).strip("-")[:60]


def history_of(folder: Path) -> History:
    """How a run went; of a cross-validated one, its first fold."""
    first = folder / "fold-1"
    return read_history(RunFolder(first if first.is_dir() else folder))


def table(outcomes: Mapping[str, Any], graph: Graph) -> str:
    """A line each: the scores of the parts that did not train, the best epoch, and how long it took."""
    ended = {label: found for label, found in outcomes.items() if "scores" in found}
    parts = list(dict.fromkeys(part for found in ended.values() for part in found["scores"]))
    parts = [part for part in parts if part != "train"] or parts
    names = list(dict.fromkeys(name for found in ended.values() for part in parts for name in found["scores"][part]))
    best, measure = winner(ended, parts[0], graph)
    columns = [(part, name) for part in parts for name in names]
    heads = [("", ""), *((part if name == names[0] else "", name) for part, name in columns)]
    heads += [("best", "epoch"), ("", "time")]
    rows = []
    for label, found in outcomes.items():
        cells = [f"{label} *" if label == best else label]
        if "scores" not in found:
            rows.append([*cells, *["–"] * (len(columns) + 2)])
            continue
        scores = (found["scores"].get(part, {}).get(name) for part, name in columns)
        cells += ["" if score is None else f"{score:.4f}" for score in scores]
        rows.append([*cells, ", ".join(map(str, found["best_epoch"])), f"{found['seconds']:.1f} s"])
    note = f"\n\n* best by {parts[0]} {measure}" if len(ended) > 1 else ""
    return aligned([*zip(*heads), *rows]) + note


def winner(ended: Mapping[str, Any], part: str, graph: Graph) -> tuple[str, str]:
    """The best run by the first metric, or the loss, of the part that judges."""
    metrics = recipe_of(graph).metrics
    measure = metrics[0].label if metrics else "loss"
    if not all(measure in found["scores"].get(part, {}) for found in ended.values()):
        measure, metrics = "loss", ()
    way = better_way(metrics, measure)
    return max(ended, key=lambda label: way * ended[label]["scores"][part][measure]), measure
