"""Repairs for branches that do not fit: which step changed the shape, which branch differs, how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from netspec.diagnostics import Label, Span
from netspec.dims import Shape, pretty_shape
from netspec.graph import Call, Node, Value
from netspec.ops.core.arguments import spread
from netspec.spec import CallStep, Step, Written, nested

VERBS = {"add": "add", "multiply": "multiply", "maximum": "compare", "concat": "concatenate"}
WIDTHS = frozenset({"out_channels", "out_features", "width", "groups"})


def residual_message(merge: str, result: Value, shortcut: Value) -> str:
    """``residual cannot add [N, 64, 56, 56] and [N, 128, 28, 28]``."""
    return f"residual cannot {VERBS[merge]} {pretty_shape(result.shape)} and {pretty_shape(shortcut.shape)}"


def changing_steps(steps: Iterable[Node | Call]) -> tuple[Label, ...]:
    """Labels for the steps whose result has another shape than what they read."""
    labels = []
    for step in steps:
        if not step.inputs:
            continue
        taken, given = step.inputs[0].shape, step.outputs[0].shape
        if taken != given:
            labels.append(Label(step.span, f"{pretty_shape(taken)} becomes {pretty_shape(given)}"))
    return tuple(labels[-2:])


def last_step(steps: Sequence[Node | Call], what: str) -> tuple[Label, ...]:
    """A label for what a body gives."""
    return (Label(steps[-1].span, f"{what} gives {pretty_shape(steps[-1].outputs[0].shape)}"),) if steps else ()


def changing_arguments(step: Step, labels: Iterable[Label], before: Shape, after: Shape) -> list[Written]:
    """The arguments, of the calls in a residual that these labels stand at, that can have changed the shape so."""
    spans = [label.span for label in labels]
    calls = [call for call in nested(step) if isinstance(call, CallStep) and call.span in spans]
    widths, windows = before[1:2] != after[1:2], before[2:] != after[2:]
    nodes = [call.main for call in calls if call.main is not None and widths]
    for call in calls:
        nodes += [node for name, (_, node) in call.arguments.items() if (widths if name in WIDTHS else windows)]
    return nodes


def branch_labels(spans: Mapping[str, Span], results: Mapping[str, Value], dim: Any) -> tuple[Label, ...]:
    """Return a label with the shape of each branch; where most agree, it marks the one that differs."""

    def fitting(shape: Shape) -> Shape:
        return (*shape[:dim], *shape[dim:][1:]) if isinstance(dim, int) and 0 <= dim < len(shape) else shape

    shapes = {name: fitting(value.shape) for name, value in results.items()}
    common = max(shapes.values(), key=[*shapes.values()].count)
    odd = [name for name, shape in shapes.items() if shape != common]
    tells = len(results) > 2 and len(odd) < len(results) / 2
    return tuple(
        Label(spans[name], f"gives {pretty_shape(value.shape)}" + ", unlike the others" * (tells and name in odd))
        for name, value in results.items()
    )


def padding_help(steps: Iterable[Node | Call]) -> str | None:
    """The padding with which a window that moves by 1 keeps the size, for the first step that lacks it."""
    for node in _nodes(steps):
        kernel, padding = getattr(node.op, "kernel_size", None), getattr(node.op, "padding", None)
        stride, dilation = getattr(node.op, "stride", None), getattr(node.op, "dilation", 1)
        rank = len(node.inputs[0].shape) - 2 if node.inputs else 0
        if kernel is None or isinstance(padding, str) or padding is None or rank < 1:
            continue
        if set(spread(kernel if stride is None else stride, rank)) != {1}:
            continue
        reaches = [step * (size - 1) for size, step in zip(spread(kernel, rank), spread(dilation, rank))]
        wanted = [reach // 2 for reach in reaches]
        if any(reach % 2 for reach in reaches) or wanted == [*spread(padding, rank)]:
            continue
        text = str(wanted[0]) if len(set(wanted)) == 1 else str(wanted)
        size = "×".join(map(str, node.inputs[0].shape[2:]))
        return f"`padding: {text}` in the `{node.op.name}` of line {node.span.line} keeps {size}"
    return None


def _nodes(steps: Iterable[Node | Call]) -> Iterator[Node]:
    for step in steps:
        if isinstance(step, Node):
            yield step
        else:
            yield from _nodes(step.body.steps)


def projection_help(prev: Value, result: Value) -> str:
    """The projection that would make a residual fit: a strided 1×1 convolution, or a linear layer."""
    before, after = prev.shape, result.shape
    if len(before) == len(after) and 3 <= len(after) <= 5:
        for stride in range(1, 9):
            if all((size - 1) // stride + 1 == made for size, made in zip(before[2:], after[2:])):
                step = f", stride: {stride}" if stride > 1 else ""
                conv = f"conv{len(after) - 2}d: {{out_channels: {after[1]}, kernel_size: 1{step}}}"
                return f"add a projection to the residual: `projection: [{{{conv}}}]`"
    if len(before) == len(after) > 1 and before[:-1] == after[:-1]:
        return f"add a projection to the residual: `projection: [{{linear: {after[-1]}}}]`"
    return "add a `projection` that gives the same shape as the residual's body"
