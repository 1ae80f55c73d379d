"""The table of ops by the foreign calls that they may be: it finds the op of a call, and proves it by shapes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from netspec.dims import Dim, InexactError, TooComplexError, UndecidedError, evaluate, pretty, symbols
from netspec.importer.program import ForeignProgram
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import PerDimension
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.tensors import ShapeError, Tensor
from netspec.ops.registry import OPS

COUNTER = "num_batches_tracked"
"""The buffer of a batch norm that nothing else has."""


class WrongReading(Exception):
    """A reading that does not do what the call does; the message says how that shows."""


class OpTable:
    """Reads the calls of a program: ATen's operators and ONNX's nodes, which have no names in common."""

    def __init__(self, program: ForeignProgram):
        self.program = program
        self.candidates: dict[str, list[type[Op]]] = defaultdict(list)
        for name in OPS:
            kind = OPS[name]
            for operator in (*kind.operators(), *kind.nodes()):
                self.candidates[operator].append(kind)

    def read(self, call: ForeignCall) -> tuple[str, OpReading]:
        """Return the op that a call is, and its reading. Raises ``WrongReading`` where none does what it does."""
        reasons: list[str] = []
        for kind in self.candidates.get(call.name, ()):
            reading = kind.from_onnx(call) if call.name in kind.nodes() else kind.from_aten(call)
            if reading is None or any(_missing(kind, reading)):
                continue
            try:
                return kind.name, self.proven(kind, reading)
            except WrongReading as wrong:
                reasons.append(f"as `{kind.name}`: {wrong}")
        if self._unknown(call):
            raise WrongReading("how many entries it gives depends on values; a mask over all of them does not")
        raise WrongReading("; ".join(reasons) or f"no op does what `{call.name}` does with these arguments")

    def _unknown(self, call: ForeignCall) -> frozenset[str]:
        """The symbols in the sizes of what a call gives that no input has."""
        return symbols(size for each in call.outputs if each is not None for size in each.shape) - {*self.program.sizes}

    def proven(self, kind: type[Op], reading: OpReading) -> OpReading:
        """Return a reading in its shortest form, all its tensors found. Raises ``WrongReading`` if the op gives others.

        The outputs take the shapes as the op writes them, where a foreign formula says the same otherwise.
        """
        try:
            op = kind(**_plain(kind, reading.arguments))
            inputs = tensors_at(reading.inputs)
            for left, right, why in op.requirements(*inputs):
                if differ(left, right):
                    raise WrongReading(why)
            made = op.infer(*inputs, *self._telling(op, inputs))
            state = self._state(op, inputs, reading.state)
        except ValidationError as wrong:
            raise WrongReading(_wrong_argument(wrong, reading.arguments)) from None
        except (ShapeError, InexactError, UndecidedError, TooComplexError, ArithmeticError) as wrong:
            raise WrongReading(str(wrong)) from None
        for foreign, tensor in zip(reading.outputs, made):
            if foreign is not None:
                self.agree(foreign, tensor)
        outputs = (*reading.outputs, *(None,) * (len(made) - len(reading.outputs)))
        arguments = {name: value for name, value in _said(op) if value != kind.model_fields[name].default}
        return OpReading(arguments, reading.inputs, state, outputs)

    def _telling(self, op: Op, inputs: Any) -> list[Tensor]:
        """The network's inputs, where the op must know sizes that its own may not tell."""
        if type(op).sizes_read is Op.sizes_read or not symbolic(tuple(op.sizes_read(*inputs))):
            return []
        return [*tensors_at(self.program.inputs.values())]

    def agree(self, foreign: ForeignTensor, tensor: Tensor) -> None:
        """Give a tensor of the program the sizes that its op infers. Raises ``WrongReading`` where they differ."""
        if foreign.dtype != tensor.dtype:
            raise WrongReading(f"it gives {tensor.dtype}, not {foreign.dtype}")
        if len(foreign.shape) != len(tensor.shape) or not all(map(self._equal, foreign.shape, tensor.shape)):
            raise WrongReading(f"it gives {list(tensor.shape)}, not {list(foreign.shape)}")
        foreign.shape = tensor.shape

    def _equal(self, left: Any, right: Any) -> bool:
        """Return whether two sizes are equal, at the sizes of the example where two formulas differ."""
        if left == right or differ(left, right):
            return bool(left == right)
        try:
            return evaluate(left, self.program.sizes) == evaluate(right, self.program.sizes)
        except KeyError:
            return True

    def _state(self, op: Op, inputs: Any, found: Mapping[str, ForeignTensor]) -> dict[str, ForeignTensor]:
        """The op's own tensors; those that a call does not name stand beside the others in the ``state_dict``."""
        wanted = {**op.parameters(*inputs), **op.buffers(*inputs)}
        homes = {each.key.removesuffix(name).removesuffix(".") for name, each in found.items()}
        state: dict[str, ForeignTensor] = {}
        for name, shape in wanted.items():
            beside = (self.program.state.get(f"{home}.{name}".removeprefix(".")) for home in homes)
            tensor = found.get(name) or next((each for each in beside if each is not None), None)
            if tensor is None and name == COUNTER:  # which a function of torch's does not take
                tensor = ForeignTensor((), "int64", found["running_mean"].key.removesuffix("running_mean") + COUNTER)
            if tensor is None:
                raise WrongReading(f"it has a tensor `{name}`, and the call has none")
            if tensor.shape != shape:
                raise WrongReading(f"its `{name}` is {list(shape)}, not {list(tensor.shape)}")
            state[name] = tensor
        if extra := found.keys() - wanted.keys():
            raise WrongReading(f"it has no tensor `{min(extra)}`")
        return state


def _wrong_argument(wrong: ValidationError, arguments: Mapping[str, Any]) -> str:
    """Return which argument an op does not take, and why."""
    first = wrong.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    value = arguments.get(name)
    if isinstance(value, Dim):
        return f"its `{name}` is {pretty(value)}, which must be a number: give its dimensions numbers"
    return f"its `{name}`: {first['msg']}" if name else str(first["msg"])


def _missing(kind: type[Op], reading: OpReading) -> Iterator[str]:
    """The inputs that an op needs, and that a reading has not."""
    for port, given in zip(kind.ports, reading.inputs):
        if given is None and port not in kind.optional:
            yield port


def tensors_at(values: Iterable[ForeignTensor | None]) -> tuple[Any, ...]:
    """Return the shapes and dtypes of foreign tensors, as an op takes them."""
    return tuple(None if each is None else Tensor(each.shape, each.dtype) for each in values)


def _plain(kind: type[Op], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments, with one number for all dimensions where they are equal."""
    made = {}
    for name, value in arguments.items():
        marks = kind.model_fields[name].metadata
        if isinstance(value, (list, tuple)) and any(isinstance(mark, PerDimension) for mark in marks):
            value = value[0] if len(value) > 0 and len(set(value)) == 1 else value
        made[name] = value
    return made


def _said(op: Op) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(op, name)) for name in type(op).model_fields)


def symbolic(sizes: Iterable[Any]) -> list[Dim]:
    """Return the sizes that are not known."""
    return [size for size in sizes if isinstance(size, Dim)]
