"""The opset that a network is written in: the lowest in which it loses nothing, or the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from netspec.diagnostics import EnvironmentFault
from netspec.emit.onnx.notes import OpNote
from netspec.emit.onnx.precision.half import BFLOAT16_OPSET
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.emit.onnx.versions import NEWEST, USUAL, ir_of
from netspec.graph import Graph, Node, walk


def wanted_opset(graph: Graph, form: OnnxForm) -> int:
    """Return the opset that is asked for, or the lowest that has all that a network's ops need, and says none of them
    worse than a later one; at most that of the runtime.
    """
    guard_bfloat16(form)
    if form.opset is not None:
        return form.opset
    wanted = [BFLOAT16_OPSET if form.half is not None and form.half.dtype == "bfloat16" else USUAL]
    for _, step, _ in walk(graph.body):
        if isinstance(step, Node) and not step.training:
            given = step.arranged([value.tensor for value in step.inputs])
            wanted += [step.op.onnx_opset(*given), step.op.onnx_best_opset()]
    return min(max(wanted), NEWEST if form.runtime is None else form.runtime.opset)


def guard_bfloat16(form: OnnxForm) -> None:
    """Raise ``EnvironmentFault`` where bfloat16 is asked for in an opset, or for a runtime, that lacks it."""
    if form.half is None or form.half.dtype != "bfloat16":
        return
    if form.opset is not None and form.opset < BFLOAT16_OPSET:
        raise EnvironmentFault(
            f"opset {form.opset} has no convolutions in bfloat16: write `--opset {BFLOAT16_OPSET}`, or float16"
        )
    if form.runtime is not None and form.runtime.opset < BFLOAT16_OPSET:
        raise EnvironmentFault(
            f"{form.runtime.name} reads opset {form.runtime.opset}, and bfloat16 needs {BFLOAT16_OPSET}: write the "
            "file for a later version, or in float16"
        )


def wanted_ir(opset: int, form: OnnxForm) -> int:
    """Return the format that is asked for, or the first that has the opset; at most that of the runtime."""
    return form.ir or min(ir_of(opset), ir_of(NEWEST) if form.runtime is None else form.runtime.ir)


def guard_opset(late: Mapping[tuple[int, str], str], nodes: Mapping[str, Node], form: OnnxForm) -> None:
    """Raise ``EnvironmentFault`` if a network's ops, or nodes of theirs, need a later opset than was asked for."""
    needed, runtime = max(opset for opset, _ in late), form.runtime
    newest = form.opset or (NEWEST if runtime is None else runtime.opset)
    if form.opset is None and needed <= newest:
        return
    lines = [
        f"{nodes[path].span.place}: `{nodes[path].op.name}` needs opset {opset}"
        if path in nodes
        else f"`{path}` needs opset {opset}"
        for opset, path in late
    ]
    found = "\n".join(dict.fromkeys(lines))
    if needed > NEWEST:
        raise EnvironmentFault(f"the network needs a later opset than {NEWEST}, the newest that is written:\n{found}")
    if runtime is not None and needed > runtime.opset:
        reads = f"{runtime.name} reads opset {runtime.opset}, which does not have all that the network needs"
        raise EnvironmentFault(f"{reads}:\n{found}\nwrite the file for a later version")
    raise EnvironmentFault(
        f"opset {newest} does not have all that the network needs:\n{found}\nwrite `--opset {needed}`"
    )


def guard_nodes(notes: Iterable[OpNote], nodes: Mapping[str, Node], form: OnnxForm) -> None:
    """Raise ``EnvironmentFault`` where a runtime lacks nodes of the ops, with their lines and the ways round."""
    runtime = form.runtime
    if runtime is None:
        return
    lines: list[str] = []
    for note in notes:
        for node in note.nodes:
            lack = runtime.lacks.get(node.op_type)
            if lack is not None and lack.when(node):
                written = nodes.get(note.path)
                place = f"{written.span.place}: " if written is not None else ""
                lines.append(f"{place}`{note.op.name}` is {node.op_type} in ONNX: {lack.way}")
    if lines:
        told = "\n".join(dict.fromkeys(lines))
        raise EnvironmentFault(f"{runtime.name} does not run all that the network does:\n{told}")
