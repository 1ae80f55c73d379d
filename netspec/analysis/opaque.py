"""The steps that stand for what nothing can build."""

from __future__ import annotations

from netspec.diagnostics import Diagnostic, Label, Span
from netspec.graph import Graph, Node, levels_in
from netspec.ops.opaque import Opaque


def opaque_steps(graph: Graph) -> dict[Span, str]:
    """Return the places of the ``opaque`` steps of a graph, with what each stands for."""
    return {
        step.span: step.op.of
        for level in levels_in(graph.body)
        for step in level.steps
        if isinstance(step, Node) and isinstance(step.op, Opaque)
    }


def unbuildable(span: Span, of: str, severity: str = "error") -> Diagnostic:
    """Return what is to be told of such a step."""
    help = "write in its place the steps that do it, or an op of your own: `docs/guides/ops_of_your_own.md`"
    message = f"nothing can build this step: it stands for {of}"
    return Diagnostic("opaque-step", message, Label(span), help=help, severity=severity)
