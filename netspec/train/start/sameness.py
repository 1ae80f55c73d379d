"""The settings in which two runs differ, or a run and a spec."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from typing import Any

from netspec.diagnostics import TrainingFault
from netspec.graph import Graph
from netspec.text.quoting import shell
from netspec.train.job import facts
from netspec.train.report.page import plain
from netspec.train.setup import FREE
from netspec.train.store.folder import RunFolder
from netspec.train.store.metadata import as_path, going_on


def facts_of(graph: Graph) -> dict[str, Any]:
    """Return what ``run.json`` would say of a graph, in the values that it can hold."""
    made: dict[str, Any] = json.loads(json.dumps(facts(graph)))
    return made


def differing(
    was: Mapping[str, Any], now: Mapping[str, Any], free: Collection[str] = FREE
) -> dict[str, tuple[str, str]]:
    """Return the parameters and keys of the recipe that differ between two ``run.json``, both values in words."""
    found: dict[str, tuple[str, str]] = {}
    for part in ("parameters", "recipe"):
        keys = [key for key in {**was[part], **now[part]} if key not in free]
        pairs = {key: (plain(was[part].get(key)), plain(now[part].get(key))) for key in keys}
        found |= {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    return found


def guard_same(folder: RunFolder, graph: Graph, free: Collection[str] = FREE) -> None:
    """Guard: a run goes on with its own spec and recipe. Raises ``TrainingFault`` with the differences."""
    was, now = folder.facts(), facts_of(graph)
    if was["model"] != now["model"]:
        raise TrainingFault(f"{folder.path} is a run of {was['model']}, not of {now['model']}")
    pairs = differing(was, now, free).items()
    changed = [f"`{key}` is {before}, not {after}" for key, (before, after) in pairs]
    if was["spec"]["sha256"] != now["spec"]["sha256"]:
        words = ["diff", as_path(folder.path / "spec.yaml"), as_path(graph.spec)]
        changed.insert(0, f"its spec is another (`{shell(words)}`)")
    if not changed:
        return
    help = "start a new run" if folder.ended else f"to resume it as it was begun:\n  {going_on(folder)}"
    raise TrainingFault(f"{folder.path} was begun otherwise: {', '.join(changed)}; {help}")
