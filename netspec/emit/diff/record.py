"""A difference as JSON: every row and every key, nothing folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from netspec.analysis.costs import Costs
from netspec.analysis.diff.changes import Change, Differences, Facet
from netspec.analysis.rows import LayerRow, layer_rows, record
from netspec.dims import plain_shape
from netspec.graph import Graph, Node
from netspec.text.quoting import json_text


def diff_json(diff: Differences) -> str:
    """Return the differences as plain values for JSON; of two values the first is the old one."""
    return json_text(_record(diff), indent=2, default=str)


def _record(diff: Differences) -> dict[str, Any]:
    old, new = diff.totals
    keys = diff.keys
    changes = list(_told(diff.changes))
    return {
        "equal": diff.is_empty,
        "old": _network(diff.old),
        "new": _network(diff.new),
        **{
            f"{title}s" if title != "init" else title: [entry._asdict() for entry in entries]
            for title, entries in diff.sections.items()
        },
        "rows": {
            "removed": [record(row) for row in _rows(diff.old, [each for each in changes if each.kind == "removed"])],
            "added": [record(row) for row in _rows(diff.new, [each for each in changes if each.kind == "added"])],
            "changed": [_change(each) for each in changes if each.kind in ("changed", "follows")],
        },
        "totals": {"params": [old.params, new.params], "macs": [old.macs, new.macs]},
        "keys": {
            "kept": keys.kept,
            "removed": {key: plain_shape(shape) for key, shape in keys.removed.items()},
            "added": {key: plain_shape(shape) for key, shape in keys.added.items()},
            "reshaped": {key: [plain_shape(old), plain_shape(new)] for key, old, new in keys.reshaped},
            "renamed": {old: new for old, new, _ in keys.renamed},
        },
    }


def _network(graph: Graph) -> dict[str, Any]:
    return {"model": graph.name, "spec": graph.spec, "sha256": graph.digest}


def _told(changes: Iterable[Change]) -> Iterator[Change]:
    """Every change of a layer, and of a level that differs by more than what is in it."""
    for change in changes:
        is_layer = isinstance(change.match.step, Node)
        if change.kind in ("added", "removed", "changed") or is_layer:
            yield change
        yield from _told(change.inner)


def _rows(graph: Graph, changes: Iterable[Change]) -> Iterator[LayerRow]:
    """The rows of whatever came or went as a whole."""
    paths = {change.path for change in changes}
    for row in layer_rows(graph, Costs(graph.sizes)) if paths else ():
        parts = row.path.split(".")
        if any(".".join(parts[:length]) in paths for length in range(1, len(parts) + 1)):
            yield row


def _change(change: Change) -> dict[str, Any]:
    """A row that differs. ``follows`` says that only its sizes do."""
    step = change.match.step
    renamed = {"was": change.old_path} if change.old_path != change.new_path else {}
    return {
        "path": change.path,
        **renamed,
        "op": step.op.name if isinstance(step, Node) else step.body.title,
        "follows": change.kind == "follows",
        "changes": {facet.name: _pair(facet) for facet in change.facets},
        "params": [change.old_cost.params, change.new_cost.params],
        "macs": [change.old_cost.macs, change.new_cost.macs],
    }


def _pair(facet: Facet) -> list[Any]:
    if facet.name == "output":
        return [[plain_shape(shape) for shape in shapes] for shapes in (facet.old, facet.new)]
    return [facet.old, facet.new]
