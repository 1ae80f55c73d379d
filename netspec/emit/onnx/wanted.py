"""The opset that a network is written in: the lowest in which it loses nothing, or the one that was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from netspec.diagnostics import EnvironmentFault
from netspec.emit.onnx.versions import NEWEST, USUAL, OnnxForm
from netspec.graph import Graph, Node, walk


def usual_opset(graph: Graph) -> int:
    """Return the lowest opset that has all that a network's ops need, and says none of them worse than a later one."""
    wanted = [USUAL]
    for _, step, _ in walk(graph.body):
        if isinstance(step, Node) and not step.training:
            given = step.arranged([value.tensor for value in step.inputs])
            wanted += [step.op.onnx_opset(*given), step.op.onnx_better]
    return min(max(wanted), NEWEST)


def guard_opset(late: Mapping[tuple[int, str], str], nodes: Mapping[str, Node], form: OnnxForm) -> None:
    """Raise ``EnvironmentFault`` if a network's ops, or nodes of theirs, need a later opset than was asked for."""
    if form.opset is None and all(opset <= NEWEST for opset, _ in late):
        return
    lines = [
        f"{nodes[path].span.place}: `{nodes[path].op.name}` needs opset {opset}"
        for opset, path in late
        if path in nodes
    ]
    needed = max(opset for opset, _ in late)
    found = "\n".join(dict.fromkeys(lines))
    if needed > NEWEST:
        beyond = f"the network needs a later opset than {NEWEST}, the newest that netspec writes"
        raise EnvironmentFault(f"{beyond}:\n{found}")
    raise EnvironmentFault(
        f"opset {form.opset} does not have all that the network needs:\n{found}\nwrite `--opset {needed}`"
    )
