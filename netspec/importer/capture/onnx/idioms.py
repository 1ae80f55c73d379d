"""Ops that exporters write as several nodes: SiLU, GELU, layer norm, and means over an image.

Only the last step of an idiom is changed; those before it are left out as what nothing reads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Any

from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor, OpReading

CLOSE = 1e-5
Idiom = Callable[["Makers", ForeignStep], "tuple[str, OpReading] | None"]


class Makers:
    """The steps of a program by what they make."""

    def __init__(self) -> None:
        self.steps: dict[Any, ForeignStep] = {}

    def add(self, step: ForeignStep) -> None:
        """Enter a step."""
        if step.reading is not None and step.reading.outputs[:1] != (None,):
            self.steps.update(dict.fromkeys(step.reading.outputs[:1], step))

    def reading(self, tensor: Any, op: str) -> OpReading | None:
        """Return the reading of the step that makes a tensor, if it is this op."""
        step = self.steps.get(tensor)
        return step.reading if step is not None and step.op == op else None

    def source(self, tensor: Any, op: str, **arguments: Any) -> Any:
        """Return what an op with one input made a tensor of, if it is this op with these arguments."""
        reading = self.reading(tensor, op)
        if reading is None or any(not _close(reading.arguments.get(name), value) for name, value in arguments.items()):
            return None
        return reading.inputs[0]

    def pair(self, tensor: Any, op: str) -> tuple[Any, ...]:
        """Return what an op with two inputs made a tensor of, if it is this op; else nothing."""
        reading = self.reading(tensor, op)
        return reading.inputs if reading is not None and len(reading.inputs) == 2 else ()

    def factors(self, tensor: Any, depth: int = 3) -> tuple[float, list[Any]]:
        """Return the number and the tensors that a tensor is the product of."""
        scaled, pair = self.reading(tensor, "scale"), self.pair(tensor, "multiply")
        if scaled is not None and depth:
            number, tensors = self.factors(scaled.inputs[0], depth - 1)
            return number * float(scaled.arguments["factor"]), tensors
        if not pair or not depth:
            return 1.0, [tensor]
        parts = [self.factors(each, depth - 1) for each in pair]
        return math.prod(number for number, _ in parts), [each for _, tensors in parts for each in tensors]


def say_idioms(program: ForeignProgram, said: Collection[ForeignStep] = ()) -> None:
    """Say the last steps of idioms as the ops that these are; those that are ``said`` stay as they are."""
    makers = Makers()
    for step in program.steps:
        for idiom in () if step in said else IDIOMS.get(step.op, ()):
            found = idiom(makers, step)
            if found is not None:
                step.op, step.reading = found
                break
        makers.add(step)


def _silu(makers: Makers, step: ForeignStep) -> tuple[str, OpReading] | None:
    """x · sigmoid(x)."""
    assert step.reading is not None
    for x, gate in _both_ways(step.reading.inputs):
        if x is not None and makers.source(gate, "sigmoid") is x:
            return "silu", OpReading({}, (x,), {}, step.reading.outputs)
    return None


def _gelu(makers: Makers, step: ForeignStep) -> tuple[str, OpReading] | None:
    """½ · x · (1 + erf(x / √2))."""
    assert step.reading is not None
    before = step.reading.inputs
    number = float(step.reading.arguments.get("factor", 1.0))
    tensors: list[Any] = []
    for each in before:
        times, parts = makers.factors(each)
        number, tensors = number * times, tensors + parts
    if len(tensors) != 2 or not _close(number, 0.5):
        return None
    for x, bell in _both_ways(tensors):
        inner = makers.source(makers.source(bell, "shift", amount=1.0), "erf")
        if x is not None and makers.source(inner, "scale", factor=math.sqrt(0.5)) is x:
            return "gelu", OpReading({}, (x,), {}, step.reading.outputs)
    return None


def _layer_norm(makers: Makers, step: ForeignStep) -> tuple[str, OpReading] | None:
    """(x − mean) / √(variance + eps) · weight + bias, along the last dimension."""
    assert step.reading is not None
    for scaled, bias in _both_ways(step.reading.inputs):
        for normal, weight in _both_ways(makers.pair(scaled, "multiply")):
            if not (_is_row(weight) and _is_row(bias)) or weight.shape != bias.shape:
                continue
            centred, deviation = makers.pair(normal, "divide") or (None, None)
            x, mean = makers.pair(centred, "subtract") or (None, None)
            shifted = makers.reading(makers.source(deviation, "sqrt"), "shift")
            if x is None or shifted is None or not _is_mean(makers, mean, x):
                continue
            squares = makers.reading(shifted.inputs[0], "reduce_mean")
            squared = squares.inputs[0] if squares is not None and _is_last(squares, x) else None
            power = makers.source(squared, "pow", exponent=2.0)
            if power is centred or makers.pair(squared, "multiply") == (centred, centred):
                arguments = {"eps": shifted.arguments["amount"]}
                return "layer_norm", OpReading(arguments, (x,), {"weight": weight, "bias": bias}, step.reading.outputs)
    return None


def _pooled(makers: Makers, step: ForeignStep) -> tuple[str, OpReading] | None:
    """A mean over an image in a module for adaptive pooling."""
    assert step.reading is not None
    reading = step.reading
    (x,) = reading.inputs
    kind = step.scopes[-1].class_name if step.scopes else ""
    dims = reading.arguments.get("dim")
    over = sorted(dim % 4 for dim in dims) if isinstance(dims, tuple) else []
    wanted = kind == "AdaptiveAvgPool2d" and x is not None and len(x.shape) == 4
    if not wanted or over != [2, 3] or not reading.arguments.get("keepdim"):
        return None
    return "adaptive_avg_pool2d", OpReading({"output_size": 1}, (x,), {}, reading.outputs)


def _both_ways(pair: Iterable[Any]) -> list[tuple[Any, Any]]:
    values = [*pair]
    return [(values[0], values[1]), (values[1], values[0])] if len(values) == 2 else []


def _is_row(tensor: Any) -> bool:
    return isinstance(tensor, ForeignTensor) and tensor.constant is not None and len(tensor.shape) == 1


def _is_mean(makers: Makers, tensor: Any, x: ForeignTensor) -> bool:
    reading = makers.reading(tensor, "reduce_mean")
    return reading is not None and reading.inputs[0] is x and _is_last(reading, x)


def _is_last(reading: OpReading, x: ForeignTensor) -> bool:
    """Return whether a mean is that along the last dimension, which it keeps."""
    dim = reading.arguments.get("dim")
    one = dim[0] if isinstance(dim, tuple) and len(dim) == 1 else dim
    return one in (-1, len(x.shape) - 1) and bool(reading.arguments.get("keepdim"))


def _close(value: Any, wanted: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value - wanted) < CLOSE


IDIOMS: dict[str, tuple[Idiom, ...]] = {
    "multiply": (_silu, _gelu),
    "scale": (_gelu,),
    "add": (_layer_norm,),
    "reduce_mean": (_pooled,),
}
"""The idioms by the op of their last step."""
