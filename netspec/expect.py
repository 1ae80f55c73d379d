"""Checks a graph against the facts that its spec expects of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from netspec.diagnostics import Report, did_you_mean
from netspec.dims import Dim, evaluate, evaluate_shape, pretty_shape
from netspec.elaborate.values import Failed, Reader
from netspec.graph import Graph, Node, Tally
from netspec.ops.base import Op, Tensor
from netspec.spec import Expect, Spec, Written
from netspec.syntax import MapNode, ScalarNode

COUNT = re.compile(r"([0-9][0-9_]*(?:\.[0-9]+)?)\s*([KMGT])\Z")
UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def expectation(spec: Spec, variant: str | None) -> Expect | None:
    """What is expected of a variant, or of the spec's defaults."""
    return spec.expect if variant is None else spec.variants[variant].expect


def check_expectation(graph: Graph, expect: Expect | None, report: Report) -> None:
    """Report every expected fact that does not hold."""
    if expect is None:
        return
    reader = Reader(report)
    symbols = {name: Dim.symbol(name) for name in graph.sizes}
    env = {**graph.parameters, **symbols}
    macs = count_macs(graph) if expect.macs is not None else 0
    for written, found, what in (
        (expect.params, graph.body.parameter_count, "parameters"),
        (expect.macs, macs, "MACs"),
    ):
        if written is not None:
            _check_count(reader, written, found, f"{graph.name}: {what}", env)
    for name, node in (expect.outputs or {}).items():
        if name not in graph.outputs:
            help = did_you_mean(name, graph.outputs)
            reader.error("expectation-failed", f"{graph.name} has no output `{name}`", node.span, help=help)
            continue
        shape = graph.outputs[name].value.shape
        try:
            wanted = tuple(reader.items(node, env, "a shape"))
            if not all(isinstance(size, (int, Dim)) and not isinstance(size, bool) for size in wanted):
                help = "write numbers and the names of dimensions: `[N, 1000]`"
                raise reader.error("bad-value", "a shape is a list of sizes", node.span, help=help)
        except Failed:
            continue
        if wanted != shape:
            message = f"{graph.name}: the output `{name}` is {pretty_shape(shape)}, not {pretty_shape(wanted)}"
            reader.error("expectation-failed", message, node.span)


def count_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference pass at the graph's sizes.

    The same as ``graph.body.macs`` evaluated; counting with numbers from the start is many times faster.
    """
    known: dict[Tensor | None, Tensor | None] = {}

    def numbers(tensor: Any) -> Any:
        if tensor not in known:
            known[tensor] = None if tensor is None else replace(tensor, shape=evaluate_shape(tensor.shape, graph.sizes))
        return known[tensor]

    def of(node: Node) -> int:
        if type(node.op).macs is Op.macs:  # nothing is multiplied
            return 0
        outputs = [value.tensor for value in node.outputs]
        return evaluate(node.op.macs([*map(numbers, node.tensors)], [*map(numbers, outputs)]), graph.sizes)

    return sum(Tally(of, lambda loop: evaluate(loop.length, graph.sizes)).work(graph.body))


def _check_count(reader: Reader, written: Written, found: int, what: str, env: dict[str, Any]) -> None:
    try:
        if not isinstance(written, MapNode):
            wanted = _count(reader, written, env)
            if found != wanted:
                reader.error("expectation-failed", f"{what} are {found:,}, not {wanted:,}", written.span)
            return
        for key, node in written.entries:
            bound = _count(reader, node, env)
            if key.text not in ("min", "max"):
                help = "`{max: 12M}`, `{min: 1_000}`, or one number"
                raise reader.error("unknown-key", f"a bound has no key `{key.text}`", key.span, help=help)
            if found > bound if key.text == "max" else found < bound:
                side = "at most" if key.text == "max" else "at least"
                reader.error("expectation-failed", f"{what} are {found:,}, but must be {side} {bound:,}", node.span)
    except Failed:
        pass


def _count(reader: Reader, node: Written, env: dict[str, Any]) -> int:
    """A count, which may carry a unit: ``61_706``, ``12M``, ``1.8G``."""
    if isinstance(node, ScalarNode) and (unit := COUNT.match(node.text)):
        return round(float(unit[1].replace("_", "")) * UNITS[unit[2]])
    return reader.integer(node, env, "a count")
