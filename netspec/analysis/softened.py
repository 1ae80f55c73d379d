"""Outputs that a loss takes for scores, and that are probabilities already."""

from __future__ import annotations

from collections.abc import Iterator

from netspec.diagnostics import Span
from netspec.graph import Call, Graph, Level, Node, Value

TWICE = {
    "cross_entropy": {"softmax": "leave it out: `netspec predict` gives probabilities all the same"},
    "focal": {"softmax": "leave it out: `netspec predict` gives probabilities all the same"},
    "nll": {"softmax": "`log_softmax` in its place, or the loss `cross_entropy` without either"},
    "binary_cross_entropy": {"sigmoid": "leave it out: `netspec predict` gives probabilities all the same"},
    "binary_focal": {"sigmoid": "leave it out: `netspec predict` gives probabilities all the same"},
}
"""Ops that must not stand right before a loss, with the repair: the loss does the same itself, or takes a logarithm."""


def softened_outputs(graph: Graph) -> Iterator[tuple[Span, str, str]]:
    """Yield the place, a sentence and the repair for each output that is made a probability before its loss does so."""
    recipe = graph.recipe
    for name, loss in {} if recipe is None else recipe.losses.items():
        last = maker_of(graph.body, graph.outputs[name].value)
        repair = None if last is None else TWICE.get(loss.name, {}).get(last.op.name)
        if last is not None and repair is not None:
            takes = "logarithms of probabilities" if loss.name == "nll" else "scores, of which it makes probabilities"
            yield last.span, f"`{loss.name}` takes {takes}, and `{last.op.name}` makes `{name}` probabilities", repair


def maker_of(level: Level, value: Value) -> Node | None:
    """Return the op that makes a value, in whatever level; ``None`` for an input."""
    for step in reversed(level.steps):
        if value not in step.outputs:
            continue
        if not isinstance(step, Call):
            return step
        return maker_of(step.body, step.body.outputs[[*step.outputs].index(value)])
    return None
