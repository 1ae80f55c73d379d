"""Checks a graph against the facts that its spec expects of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Report, clipped, did_you_mean
from netspec.dims import Dim, evaluate, evaluate_shape, pretty_shape
from netspec.elaborate.reading.locals import with_locals
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.graph import CostSum, Graph, Node, parameter_count, visits
from netspec.ops import Op, Tensor
from netspec.spec import Spec, Written
from netspec.syntax import MapNode, ScalarNode
from netspec.text.quantities import UNITS, quantity

BYTES = 4
"""Of a weight, as float32."""
WITH_UNIT = re.compile(r"[0-9][0-9_.]*\s*[A-Za-zµ]+\Z")
"""A number with a word behind it."""
TOLD = 5
LEAST = 0.001
"""The number of the heaviest layers that are named if a budget is exceeded, and the share below which none is."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something countable of a network: how much it is, in words what, and how to count it layer by layer.

    ``of_bytes`` says that it is counted in bytes.
    """

    found: int
    what: str
    layers: Callable[[], Mapping[Node, Layers]]
    of_bytes: bool = False


@dataclass(slots=True)
class Layers:
    """Layers that are one and the same, as in iterations of a ``repeat``: the first one's path, and their weight."""

    path: str
    count: int = 0
    weight: int = 0


def check_expectation(spec: Spec, variant: str | None, graph: Graph, report: Report) -> None:
    """Report every fact that the spec expects of a variant, or of its defaults, and that does not hold."""
    expect = spec.expect if variant is None else spec.variants[variant].expect
    if expect is None:
        return
    reader = Reader(report)

    @cache
    def env() -> Scope:  # most facts are plain numbers
        symbols = {name: Dim.symbol(name) for name in graph.sizes}
        return with_locals(reader, spec.let, Scope({**graph.parameters, **symbols}))

    params = graph.body.parameter_count
    macs = count_macs(graph) if expect.macs is not None else 0
    for written, fact in (
        (expect.params, Fact(params, "parameters are {:,}", lambda: parameter_layers(graph))),
        (
            expect.weights,
            Fact(params * BYTES, "weights as float32 are {:,} bytes", lambda: parameter_layers(graph, BYTES), True),
        ),
        (expect.macs, Fact(macs, "MACs are {:,}", lambda: mac_layers(graph))),
    ):
        if written is not None:
            _check_count(reader, written, fact, graph.name, env)
    for name, node in (expect.outputs or {}).items():
        if name not in graph.outputs:
            help = did_you_mean(name, graph.outputs)
            reader.error("expectation-failed", f"{graph.name}: there is no output `{name}`", node.span, help=help)
            continue
        shape = graph.outputs[name].value.shape
        try:
            wanted = tuple(reader.items(node, env(), "a shape"))
            if not all(isinstance(size, (int, Dim)) and not isinstance(size, bool) for size in wanted):
                help = "write numbers and the names of dimensions: `[N, 1000]`"
                raise reader.error("bad-value", "a shape must be a list of sizes", node.span, help=help)
        except AlreadyReported:
            continue
        if wanted != shape:
            message = f"{graph.name}: the output `{name}` is {pretty_shape(shape)}, not {pretty_shape(wanted)}"
            reader.error("expectation-failed", message, node.span)


def count_macs(graph: Graph) -> int:
    """Multiply-accumulates of one inference pass at the graph's sizes.

    The same as ``graph.body.macs`` evaluated; counting with numbers from the start is many times faster.
    """
    return sum(CostSum(_counting(graph), lambda loop: evaluate(loop.length, graph.sizes)).work(graph.body))


def _counting(graph: Graph) -> Callable[[Node], int]:
    """The function that gives a node's multiply-accumulates for one run."""
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

    return of


def parameter_layers(graph: Graph, each: int = 1) -> dict[Node, Layers]:
    """Return the learned numbers of each layer, times ``each``."""
    found: dict[Node, Layers] = {}
    for path, step, _, _, shared, _ in visits(graph.body):
        if isinstance(step, Node) and not shared:
            _add(found, path, step, each * parameter_count(step))
    return found


def mac_layers(graph: Graph) -> dict[Node, Layers]:
    """Return the multiply-accumulates of each layer in one inference pass."""
    of = _counting(graph)
    found: dict[Node, Layers] = {}
    for path, step, training, executions, *_ in visits(graph.body):
        if isinstance(step, Node) and not training:
            _add(found, path, step, of(step) * evaluate(executions.run, graph.sizes))
    return found


def _add(found: dict[Node, Layers], path: str, node: Node, weight: int) -> None:
    layers = found.setdefault(node, Layers(path))
    layers.count += 1
    layers.weight += weight


def _heaviest(fact: Fact) -> tuple[str, ...]:
    """The layers that weigh most, one a line, with their share of the whole."""
    layers = sorted(fact.layers().items(), key=lambda found: -found[1].weight)[:TOLD]
    return tuple(
        f"{each.weight / fact.found:5.1%} in {each.path}"
        + (f" and {each.count - 1} like it" if each.count > 1 else "")
        + f" ({f'{node.op.name} {node.op.detail()}'.strip()}): {each.weight:,}"
        for node, each in layers
        if each.weight / fact.found >= LEAST
    )


def _check_count(reader: Reader, written: Written, fact: Fact, name: str, env: Callable[[], Scope]) -> None:
    found, are = fact.found, f"{name}: {fact.what.format(fact.found)}"
    try:
        if not isinstance(written, MapNode):
            wanted = _count(reader, written, env, fact.of_bytes)
            if found != wanted:
                reader.error("expectation-failed", f"{are}, not {wanted:,}", written.span)
            return
        for key, node in written.entries:
            bound = _count(reader, node, env, fact.of_bytes)
            if key.text not in ("min", "max"):
                help = "write `{max: 12M}`, `{min: 1_000}`, or one number"
                raise reader.error("unknown-key", f"a bound has no key `{key.text}`", key.span, help=help)
            if key.text == "max" and found > bound:
                over = f"{are}, but must be at most {bound:,}"
                reader.error("expectation-failed", over, node.span, notes=_heaviest(fact))
            elif key.text == "min" and found < bound:
                reader.error("expectation-failed", f"{are}, but must be at least {bound:,}", node.span)
    except AlreadyReported:
        pass


def _count(reader: Reader, node: Written, env: Callable[[], Scope], of_bytes: bool) -> int:
    """A count, which may carry a unit: ``61_706``, ``12M``, ``1.8 G``; of bytes ``50MB``, ``48 MiB``."""
    if isinstance(node, ScalarNode):
        found = quantity(node.text, of_bytes)
        if found is not None:
            return found
        if not of_bytes and quantity(node.text, of_bytes=True) is not None:
            help = f"write `{node.text.strip().removesuffix('bytes').removesuffix('B').strip()}`; `weights` is in bytes"
            raise reader.error("bad-value", "a count has no unit of bytes", node.span, help=help)
        if WITH_UNIT.match(node.text):
            units = f"the units of bytes are {UNITS}" if of_bytes else "the units of a count are k, M, G and T"
            raise reader.error("bad-value", f"`{clipped(node.text)}` has an unknown unit", node.span, help=units)
    return reader.integer(node, env(), "bytes" if of_bytes else "a count")
