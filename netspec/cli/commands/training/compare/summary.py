"""The summary of ``netspec compare``: the runs in a table, then the verdict on their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from netspec.cli.scores import aligned
from netspec.graph import Graph
from netspec.text.quoting import json_text
from netspec.train.optimize.metrics import better_way
from netspec.train.reading import recipe_of
from netspec.train.report.page import duration
from netspec.train.report.progress import score
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import MEANING, has_meaning

NARROWEST_LABEL = 20
Outcomes = Mapping[str, Mapping[str, Any]]


def summary(outcomes: Outcomes, graph: Graph, folders: Mapping[str, RunFolder], width: int) -> str:
    """The table, and below it what stands out, in lines that are not wider than they must be."""
    ended = {label: outcome for label, outcome in outcomes.items() if "scores" in outcome}
    parts = [table(outcomes, ended, graph, folders, width)] if ended else []
    faults = {label: outcome["fault"].partition(". ")[0] for label, outcome in outcomes.items() if "fault" in outcome}
    parts.append("\n".join(f"{label}: {fault}" for label, fault in faults.items()))
    verdicts = [f"{label}: {outcome['verdict']}" for label, outcome in outcomes.items() if outcome.get("verdict")]
    parts.append("\n".join(["before the first step", *(f"  {line}" for line in verdicts)]) if verdicts else "")
    return "\n\n".join(filter(None, parts))


def table(outcomes: Outcomes, ended: Outcomes, graph: Graph, folders: Mapping[str, RunFolder], width: int) -> str:
    """A line each: the scores of the parts that did not train, the best epoch, and how long it took."""
    parts = list(dict.fromkeys(part for outcome in ended.values() for part in outcome["scores"]))
    parts = [part for part in parts if part != "train"] or parts
    names = list(
        dict.fromkeys(name for outcome in ended.values() for part in parts for name in outcome["scores"].get(part, {}))
    )
    best, why = winner(ended, parts, graph, folders)
    measured = [(part, name) for part in parts for name in names]
    sizes = len({outcome["parameters"] for outcome in outcomes.values()}) > 1
    heads = [("", "parameters")] if sizes else []
    heads += [(part if name == names[0] else "", name) for part, name in measured]
    heads += [("best", "epoch"), ("", "time")]
    rows = {label: [f"{outcome['parameters']:,}"] if sizes else [] for label, outcome in outcomes.items()}
    for label, cells in rows.items():
        outcome = outcomes[label]
        if label not in ended:
            cells += ["–"] * (len(measured) + 2)
            continue
        values = (outcome["scores"].get(part, {}).get(name) for part, name in measured)
        cells += ["" if value is None else score(value) for value in values]
        cells += [", ".join(map(str, outcome["best_epoch"])), duration(outcome["seconds"])]
    numbers = sum(2 + max(map(len, column)) for column in zip(*zip(*heads), *rows.values()))
    lines = [["", *line] for line in zip(*heads)]
    for label, cells in rows.items():
        said = wrap(f"{label} *" if label == best else label, max(NARROWEST_LABEL, width - numbers))
        lines += [[said[0], *cells], *([f"  {rest}", *[""] * len(cells)] for rest in said[1:])]
    note = f"\n\n{'no best' if best is None else '* best'}{why}" if len(ended) > 1 else ""
    return aligned(lines) + note


def winner(
    ended: Outcomes, parts: Sequence[str], graph: Graph, folders: Mapping[str, RunFolder]
) -> tuple[str | None, str]:
    """The best run by the first metric, or the loss, of the part that judges, and by what it is; of equally good ones,
    by the loss. ``None`` where nothing says which is better, and why.
    """
    shared = [part for part in parts if all(part in found["scores"] for found in ended.values())]
    if not shared:
        return None, f": not all have scores of {' or '.join(parts)}"
    part = shared[0]
    metrics: Sequence[Any] = recipe_of(graph).metrics
    measure = metrics[0].label if metrics else "loss"
    if not all(measure in found["scores"][part] for found in ended.values()):
        measure, metrics = "loss", ()
    if why := incomparable([folders[label] for label in ended], part, measure):
        return None, why
    way = better_way(metrics, measure)

    def rank(label: str) -> tuple[float, float]:
        scores = ended[label]["scores"][part]
        return way * scores[measure], -scores["loss"]

    return max(ended, key=rank), f" by {part} {measure}"


def incomparable(folders: Sequence[RunFolder], part: str, measure: str) -> str:
    """Why a score of a part does not say which of some runs is better; empty where it does."""
    rows = [folder.read(MEANING).get("rows", {}) if has_meaning(folder) else {} for folder in folders]
    judged = [each.get(part, each.get("train", {})).get("sha256") for each in rows]
    if len({*judged}) > 1:
        return f": the rows of {part} are not the same"
    losses = {json_text(folder.facts()["recipe"]["loss"]) for folder in folders if measure == "loss"}
    return ": their losses are not the same" if len(losses) > 1 else ""
