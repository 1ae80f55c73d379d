"""Tensors that are functions of sizes alone, worked out with numpy: positions, masks of what lies ahead."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from netspec.dims import Dim, evaluate
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

LARGEST = 2**25
"""The most elements that are worked out."""
ENDLESS = 2**31
"""A number from which on it stands for no end, or for what hides."""


class SizesOnly:
    """Works out tensors that depend on nothing but sizes; ``made`` has the steps by their outputs."""

    def __init__(self, made: Mapping[ForeignTensor, ForeignStep]):
        self.made = made
        self.known: dict[ForeignTensor, bool] = {}

    def holds(self, tensor: ForeignTensor) -> bool:
        """Return whether a tensor depends on sizes alone."""
        if tensor not in self.known:
            self.known[tensor] = self._holds(tensor)
        return self.known[tensor]

    def _holds(self, tensor: ForeignTensor) -> bool:
        if tensor.constant is not None and not tensor.key:
            return True
        step = self.made.get(tensor)
        if step is None or step.reading is None or step.op not in FUNCTIONS:
            return False
        return all(self.holds(each) for each in step.reading.inputs if each is not None and step.op not in FROM_SIZES)

    def chain(self, tensor: ForeignTensor) -> list[ForeignStep]:
        """Return the steps that such a tensor is made by."""
        found: dict[int, ForeignStep] = {}
        waiting = [tensor]
        while waiting:
            step = self.made.get(waiting.pop())
            if step is not None and step.reading is not None and id(step) not in found:
                found[id(step)] = step
                waiting += [each for each in step.reading.inputs if each is not None and step.op not in FROM_SIZES]
        return [*found.values()]

    def reach(self, tensor: ForeignTensor) -> int:
        """Return the largest integer among the numbers that such a tensor is made with, as of a window's width."""
        return int(max((number for number in self.numbers(tensor) if number < ENDLESS), default=0))

    def numbers(self, tensor: ForeignTensor) -> list[float]:
        """Return the numbers that such a tensor is made with, without their signs."""
        numbers: list[float] = []
        for step in self.chain(tensor):
            assert step.reading is not None
            ones = [each.constant.item() for each in step.reading.inputs
                    if each is not None and each.constant is not None and each.constant.size == 1]  # fmt: skip
            numbers += [abs(each) for each in (*ones, *_numbers([*step.reading.arguments.values()]))]
        return numbers

    def value(
        self, tensor: ForeignTensor, sizes: Mapping[str, int], given: Mapping[ForeignTensor, Any] | None = None
    ) -> Any:
        """Return the values of such a tensor at sizes, where others may be ``given``, or ``None`` where there are too
        many, or it depends on more.
        """
        try:
            return self._value(tensor, sizes, dict(given or {}))
        except (OverflowError, KeyError, ValueError, IndexError):
            return None

    def shape(self, tensor: ForeignTensor, sizes: Mapping[str, int]) -> tuple[int, ...] | None:
        """Return a tensor's shape at sizes."""
        try:
            return tuple(evaluate(size, sizes) for size in tensor.shape)
        except KeyError:
            return None

    def _value(self, tensor: ForeignTensor, sizes: Mapping[str, int], found: dict[ForeignTensor, Any]) -> Any:
        if tensor.constant is not None and not tensor.key:
            return tensor.constant
        if tensor not in found:
            step = self.made[tensor]
            assert step.reading is not None
            shape = tuple(evaluate(size, sizes) for size in tensor.shape)
            if np.prod(shape, dtype=float) > LARGEST:
                raise OverflowError
            read = [each for each in step.reading.inputs if each is not None and step.op not in FROM_SIZES]
            inputs = [self._value(each, sizes, found) for each in read]
            arguments = {name: _at(value, sizes) for name, value in step.reading.arguments.items()}
            with np.errstate(all="ignore"):  # what is not chosen of a logarithm of 0
                made = FUNCTIONS[step.op](inputs, arguments, shape)
                found[tensor] = np.asarray(made).astype(tensor.dtype).reshape(shape)
        return found[tensor]


def _numbers(value: Any) -> Iterator[float]:
    """The plain numbers among arguments."""
    if isinstance(value, (list, tuple)):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


def _at(value: Any, sizes: Mapping[str, int]) -> Any:
    if isinstance(value, Dim):
        return evaluate(value, sizes)
    return tuple(_at(each, sizes) for each in value) if isinstance(value, tuple) else value


Function = Callable[[list[Any], dict[str, Any], tuple[int, ...]], Any]


def _sliced(x: list[Any], said: dict[str, Any], shape: tuple[int, ...]) -> Any:
    places = [slice(None)] * x[0].ndim
    places[said["dim"]] = slice(said.get("start"), said.get("end"), said.get("step", 1))
    return x[0][tuple(places)]


def _compared(function: Callable[[Any, Any], Any]) -> Function:
    return lambda x, said, shape: function(x[0], x[1] if len(x) > 1 else said["value"])


def _of_all(function: Callable[[Any, Any], Any]) -> Function:
    def run(x: list[Any], said: dict[str, Any], shape: tuple[int, ...]) -> Any:
        made = x[0]
        for each in x[1:]:
            made = function(made, each)
        return made

    return run


FROM_SIZES: dict[str, Function] = {
    "arange": lambda x, said, shape: np.arange(said.get("start", 0), said["end"], said.get("step", 1)),
    "zeros": lambda x, said, shape: np.zeros(shape),
    "ones": lambda x, said, shape: np.ones(shape),
    "full": lambda x, said, shape: np.full(shape, float(said["fill_value"])),
    "linspace": lambda x, said, shape: np.linspace(said["start"], said["end"], shape[0]),
}
"""The ops that read of their inputs the sizes alone."""
RESHAPES = ("reshape", "unflatten", "flatten", "squeeze", "unsqueeze", "identity", "cast")
FUNCTIONS: dict[str, Function] = {
    **FROM_SIZES,
    **{name: lambda x, said, shape: x[0] for name in RESHAPES},
    "expand": lambda x, said, shape: np.broadcast_to(x[0], shape),
    "shift": lambda x, said, shape: x[0] + said["amount"],
    "scale": lambda x, said, shape: x[0] * said["factor"],
    "neg": lambda x, said, shape: -x[0],
    "abs": lambda x, said, shape: np.abs(x[0]),
    "reciprocal": lambda x, said, shape: 1 / x[0],
    "sqrt": lambda x, said, shape: np.sqrt(x[0]),
    "pow": lambda x, said, shape: x[0] ** said["exponent"],
    "log": lambda x, said, shape: np.log(x[0]),
    "divide": lambda x, said, shape: x[0] / x[1],
    "clamp": lambda x, said, shape: np.clip(x[0], said.get("min"), said.get("max")),
    "minimum": _of_all(np.minimum),
    "maximum": _of_all(np.maximum),
    "searchsorted": lambda x, said, shape: np.searchsorted(x[0], x[1], "right" if said.get("right") else "left"),
    "cos": lambda x, said, shape: np.cos(x[0]),
    "sin": lambda x, said, shape: np.sin(x[0]),
    "add": _of_all(np.add),
    "subtract": _of_all(np.subtract),
    "multiply": _of_all(np.multiply),
    "logical_and": _of_all(np.logical_and),
    "logical_or": _of_all(np.logical_or),
    "logical_not": lambda x, said, shape: ~x[0],
    "equal": _compared(np.equal),
    "not_equal": _compared(np.not_equal),
    "less": _compared(np.less),
    "less_equal": _compared(np.less_equal),
    "greater": _compared(np.greater),
    "greater_equal": _compared(np.greater_equal),
    "cumsum": lambda x, said, shape: np.cumsum(x[0], axis=said["dim"]),
    "slice": _sliced,
    "gather": lambda x, said, shape: np.take_along_axis(x[0], x[1], axis=said["dim"]),
    "take": lambda x, said, shape: np.take(x[0], x[1], axis=said["dim"]),
    "select": lambda x, said, shape: np.take(x[0], said["index"], axis=said["dim"]),
    "concat": lambda x, said, shape: np.concatenate(x, axis=said.get("dim", 1)),
    "stack": lambda x, said, shape: np.stack(x, axis=said.get("dim", 1)),
    "repeat_interleave": lambda x, said, shape: np.repeat(x[0], said["repeats"], axis=said["dim"]),
    "einsum": lambda x, said, shape: np.einsum(said["equation"], *x),
    "transpose": lambda x, said, shape: np.swapaxes(x[0], said["dim0"], said["dim1"]),
    "permute": lambda x, said, shape: np.transpose(x[0], said["dims"]),
    "matmul": lambda x, said, shape: x[0] @ x[1],
    "tril": lambda x, said, shape: np.tril(x[0], said.get("diagonal", 0)),
    "triu": lambda x, said, shape: np.triu(x[0], said.get("diagonal", 0)),
    "masked_fill": lambda x, said, shape: np.where(x[1], float(said["value"]), x[0]),
    "where": lambda x, said, shape: np.where(*x),
}
"""The ops that are worked out: of inputs, arguments and the output's shape."""
