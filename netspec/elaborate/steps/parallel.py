"""Branches that all read the same value: ``parallel``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.inner import branch_level, grouped
from netspec.elaborate.building.merge import merge
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.elaborate.messages.repairs import branch_labels, padding_help
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import UNKNOWN, Ports
from netspec.graph import Value
from netspec.spec.reading import Integer, choice
from netspec.spec.steps import Branches, GroupStructure

MERGES = ("concat", "add", "multiply", "mean", "maximum", "stack")


class Parallel(GroupStructure):
    """Branches that all read the same value."""

    known_as = "parallel"
    examples = {
        "branches": "write `branches: {left: [relu], right: [sigmoid]}`",
        "merge": "write `merge: concat`, or add, multiply, mean, maximum, stack, none",
    }
    branches: Branches
    """named branches, each a list of steps; all read the same value"""
    merge: Annotated[str, choice(*MERGES, "none")]
    """how the branches are joined; `none` leaves them apart"""
    dim: Integer | None = None
    """the dimension of `concat` and `stack`"""
    usage = (
        """\
network:
  - parallel:
      name: two_ways
      branches: {left: [linear: 8], right: [linear: 8, relu]}
      merge: concat
      dim: 1
      from: x
      freeze: false
      init: orthogonal
      recompute: true""",
    )

    def bound_names(self) -> Iterable[str]:
        """Return the names of the branches."""
        return self.branches


@elaborates(Parallel)
def elaborate(
    context: Context, frame: Frame, step: Parallel, prev: Value | None, default_name: str | None
) -> Value | None:
    """Elaborate the branches, and the node that joins them."""
    return grouped(context, frame, step, prev, lambda inner, value: branches(context, inner, step, value))


def branches(context: Context, frame: Frame, step: Parallel, prev: Value) -> Value | Ports | None:
    results: dict[str, Value] = {}
    spans: dict[str, Span] = {}
    failed = False
    first = len(frame.builder.steps)
    for name, (span, body) in step.branches.items():
        result = branch_level(context, frame, "branch", name, span, body, prev) if body else prev
        if result is UNKNOWN:
            failed = True
            frame.builder.names[name] = UNKNOWN
            continue
        results[name] = required(context, previous(context, result, span), span, "a branch")
        frame.builder.names.setdefault(name, results[name])
        spans[name] = span
    if failed:
        raise AlreadyReported
    if step.merge == "none":
        return Ports(results, None)
    if len(results) < 2:
        help = "write the steps of a single branch directly in the body"
        raise context.reader.error("missing-input", "`parallel` needs at least two branches", step.span, help=help)
    arguments: dict[str, Any] = {}
    if step.dim is not None:
        if step.merge not in ("concat", "stack"):
            help = "only `concat` and `stack` have one; remove it, or use one of them"
            raise context.reader.error(
                "unknown-argument", f"merge `{step.merge}` has no `dim`", step.dim.span, help=help
            )
        arguments["dim"] = context.reader.value(step.dim, frame.env)
    branches = branch_labels(spans, results, arguments.get("dim", 1) if step.merge == "concat" else None)
    repair = padding_help(frame.builder.steps[first:])
    if not isinstance(arguments.get("dim", 0), int) and step.dim is not None:
        raise context.reader.misvalued(
            step.dim, frame.env, f"`dim` of `{step.merge}` must be an integer", arguments["dim"]
        )
    return merge(
        context, frame, step.merge, arguments, list(results.values()), step.span, "parallel", branches, None, repair
    )
