"""The summary of ``netspec compare``: the runs in a table, then the verdict on their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from netspec.cli.scores import aligned
from netspec.graph import Graph
from netspec.train.optimize.metrics import better_way
from netspec.train.reading import recipe_of
from netspec.train.report.page import duration
from netspec.train.report.progress import score

NARROWEST_LABEL = 20
Outcomes = Mapping[str, Mapping[str, Any]]


def summary(outcomes: Outcomes, graph: Graph, width: int) -> str:
    """The table, and below it what stands out, in lines that are not wider than they must be."""
    ended = {label: outcome for label, outcome in outcomes.items() if "scores" in outcome}
    parts = [table(outcomes, ended, graph, width)] if ended else []
    faults = {label: outcome["fault"].partition(". ")[0] for label, outcome in outcomes.items() if "fault" in outcome}
    parts.append("\n".join(f"{label}: {fault}" for label, fault in faults.items()))
    verdicts = [f"{label}: {outcome['verdict']}" for label, outcome in outcomes.items() if outcome.get("verdict")]
    parts.append("\n".join(["before the first step", *(f"  {line}" for line in verdicts)]) if verdicts else "")
    return "\n\n".join(filter(None, parts))


def table(outcomes: Outcomes, ended: Outcomes, graph: Graph, width: int) -> str:
    """A line each: the scores of the parts that did not train, the best epoch, and how long it took."""
    parts = list(dict.fromkeys(part for outcome in ended.values() for part in outcome["scores"]))
    parts = [part for part in parts if part != "train"] or parts
    names = list(
        dict.fromkeys(name for outcome in ended.values() for part in parts for name in outcome["scores"][part])
    )
    best, measure = winner(ended, parts[0], graph)
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
    note = f"\n\n* best by {parts[0]} {measure}" if len(ended) > 1 else ""
    return aligned(lines) + note


def winner(ended: Outcomes, part: str, graph: Graph) -> tuple[str, str]:
    """The best run by the first metric, or the loss, of the part that judges; of equally good ones, by the loss."""
    metrics: Sequence[Any] = recipe_of(graph).metrics
    measure = metrics[0].label if metrics else "loss"
    if not all(measure in found["scores"].get(part, {}) for found in ended.values()):
        measure, metrics = "loss", ()
    way = better_way(metrics, measure)

    def rank(label: str) -> tuple[float, float]:
        scores = ended[label]["scores"][part]
        return way * scores[measure], -scores["loss"]

    return max(ended, key=rank), measure
