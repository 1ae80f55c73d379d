"""``netspec compare``: train several networks and compare them."""

from __future__ import annotations

import re
import shutil
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from netspec.cli.commands.training.compare.summary import summary
from netspec.cli.commands.training.train.texts import heading
from netspec.cli.commands.training.train.work import completed
from netspec.cli.output import warn
from netspec.dataclass import dataclass
from netspec.diagnostics import TrainingFault, UsageError
from netspec.elaborate import Limits
from netspec.files import write_text
from netspec.graph import Graph
from netspec.pipeline import Loaded, compile_loaded, load_spec, read_value
from netspec.sources.run_folders import RUNS
from netspec.text.quoting import json_text
from netspec.train.job import Job, first_setup
from netspec.train.reading import recipe_of
from netspec.train.report.activation_stats import LayerStats, stats_at_start, verdict
from netspec.train.report.comparison import Compared, draw_comparison
from netspec.train.stopping import stopped_code
from netspec.train.store.folder import RunFolder
from netspec.train.store.history import History, read_history
from netspec.train.store.metadata import Asked

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
    """Train every candidate, then show them in a table and a picture; gives the exit code.

    An interruption ends the comparison: what has come to its end until then is shown.
    """
    candidates = candidates_of(options, limits)
    for note in other_rates(candidates):
        warn(note)
    folder = RunFolder.new(RUNS / "compare").path
    outcomes: dict[str, dict[str, Any]] = {}
    layers: dict[str, list[LayerStats]] = {}
    stopped = False
    for number, each in enumerate(candidates, 1):
        print(f"{each.label} ({number} of {len(candidates)})")
        run = RunFolder(folder / f"{number}-{slug(each.label)}")
        asked = Asked(each.loaded.source.name, each.variant, (*each.loaded.values, *each.values))
        layers[each.label] = []
        outcomes[each.label] = {"folder": run.path.name, "parameters": each.graph.body.parameter_count}
        try:
            first = first_setup(each.graph)
            print(heading(each.graph, first))
            layers[each.label] = stats_at_start(first)
            stopped = not completed(Job(run, first, each.loaded, asked, warn))
            if stopped:
                break
            outcomes[each.label] |= run.result()
        except TrainingFault as fault:
            warn(f"{each.label}: {fault}")
            outcomes[each.label]["fault"] = str(fault)
        print()
    for label, found in layers.items():
        outcomes[label] |= {"verdict": verdict(found), "layers": [each.plain() for each in found]}
    write_text(folder / "compare.json", json_text(outcomes, indent=2) + "\n")
    folders = {label: RunFolder(folder / found["folder"]) for label, found in outcomes.items()}
    width = shutil.get_terminal_size((80, 24)).columns
    print("\n" * stopped + summary(outcomes, candidates[0].graph, folders, width))
    compared = {label: Compared(history_of(folder, found), layers[label]) for label, found in outcomes.items()}
    if all(each.history is None for each in compared.values()):
        if stopped:
            return stopped_code()
        raise TrainingFault("none of the runs has finished")
    draw_comparison(compared, folder / "compare.png")
    print(f"\n{folder}/: compare.png, compare.json, and a folder for each run")
    return stopped_code() if stopped else 0


def candidates_of(options: Namespace, limits: Limits) -> list[Candidate]:
    """Each spec with each combination of the values of ``--over``, all compiled before the first is trained.

    Raises ``UsageError`` where there is but one, ``SpecError`` where one is at fault.
    """
    axes = [axis(text) for text in options.over]
    candidates = []
    for spec in options.specs:
        loaded = load_spec(spec, limits.file)
        for chosen in product(*([(key, value) for value in values] for key, values in axes)):
            variant = next((value for key, value in chosen if key == VARIANT), None)
            values = (*options.set, *(f"{key}={value}" for key, value in chosen if key != VARIANT))
            pairs = [text.partition("=") for text in values]
            overrides = {key.strip(): read_value(key.strip(), value) for key, _, value in pairs}
            graph = compile_loaded(loaded, variant=variant, overrides=overrides, limits=limits)
            if recipe_of(graph).settings.devices not in ("auto", "cpu", "cuda", 1):
                raise UsageError("`compare` trains on one device: set `devices` to `auto`, `cpu` or `cuda`")
            names = [graph.name] if len(options.specs) > 1 else []
            settings = [told(key, value) for key, value in chosen]
            candidates.append(Candidate(", ".join([*names, *settings]) or graph.name, loaded, graph, variant, values))
    if len(candidates) < 2:
        raise UsageError("there is only one run to compare: name several specs, or `--over train.optimizer=sgd,adam`")
    twice = [
        each.label
        for number, each in enumerate(candidates)
        if each.label in {other.label for other in candidates[:number]}
    ]
    if twice:
        raise UsageError(f"`{twice[0]}` is compared with itself")
    return candidates


def other_rates(candidates: Sequence[Candidate]) -> Iterator[str]:
    """Yield a note for each optimizer that is named alone, and so has not the spec's learning rate but its default."""
    for each in candidates:
        values = dict(text.partition("=")[::2] for text in each.values)
        named = values.get("train.optimizer", "").strip()
        if not re.fullmatch(r"\w+", named) or "train.optimizer.lr" in values or each.loaded.spec.train is None:
            continue
        own = compile_loaded(each.loaded, variant=each.variant).recipe
        was = None if own is None else getattr(own.optimizer, "lr", None)
        now = getattr(recipe_of(each.graph).optimizer, "lr", None)
        if was is not None and now is not None and was != now:
            kept = f"`{{{named}: {was:g}}}` has that one"
            yield f"`{named}` alone has its default learning rate, {now:g}, not the spec's {was:g}: {kept}"


def axis(text: str) -> tuple[str, list[str]]:
    """Divide ``--over`` into a key and its values, which commas outside of brackets separate."""
    key, equals, values = text.partition("=")
    alternatives = split(values)
    if not equals or not key.strip() or not all(alternatives):
        raise UsageError(f"--over takes KEY=VALUE,VALUE,…, not `{text}`")
    return key.strip(), alternatives


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


def told(key: str, value: str) -> str:
    """A value in a label: a word stands for itself, a number needs its key. Braces around all of it are left out."""
    bare = value[1:-1].strip() if value.startswith("{") and value.endswith("}") else value
    is_word = re.match(r"[A-Za-z_]", bare) and bare not in ("true", "false", "null")
    return bare if is_word else f"{key.rpartition('.')[2]} {bare}"


def slug(label: str) -> str:
    """A label as the name of a folder."""
    return re.sub(r"[^\w.]+", "-", label).strip("-")[:60]


def history_of(folder: Path, outcome: Mapping[str, Any]) -> History | None:
    """Return the results of a run that came to its end; of a cross-validated one, its first fold."""
    if "scores" not in outcome:
        return None
    own = folder / outcome["folder"]
    first = own / "fold-1"
    return read_history(RunFolder(first if first.is_dir() else own))
