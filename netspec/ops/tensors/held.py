"""Tensors that the network holds: learned ones, and those that are kept with them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, pretty_shape, product, times_shape
from netspec.ops.core.arguments import INTEGER, Dtype, Listed, Nested, is_integer, lengths
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import ShapeError, Tensor, guard_value

PARAMETER = "nn.Parameter({})"
"""The text around a tensor that is learned."""
BUFFER = "nn.Buffer({})"
"""The text around a tensor that is kept with the weights without being learned."""
FLEETING = "nn.Buffer({}, persistent=False)"
"""The same of one that the ``state_dict`` leaves out."""
MOST_NUMBERS = 2**28
"""A buffer holds no more: each is memory as soon as the module is made."""


def is_size(value: Any) -> bool:
    """Return whether a learned tensor, or a kept one, may have this size."""
    return is_integer(value) and value > 0


class TorchDtype(str):
    """The name of a dtype that source writes as ``torch.int64``."""

    def __repr__(self) -> str:
        return f"torch.{self}"


class Verbatim(str):
    """An expression that source writes as it is."""

    def __repr__(self) -> str:
        return str(self)


class Held(Op):
    """Base of the tensors that the network holds: zeros of a ``shape``, a ``value``, or a value repeated to a shape."""

    torch: ClassVar[str | None]
    ports = ()
    saved_for_backward = "nothing"

    shape: Annotated[Any, Listed("a list of sizes", is_size, INTEGER, least=0)] = None
    value: Annotated[Any, Nested()] = None

    def size(self) -> Shape:
        """Return the sizes of the tensor. Raises ``ShapeError`` where there are none, or the value does not fit."""
        if self.shape is None and self.value is None:
            help = "write `value: [0, 1, 2]`, or `shape: [3]` for zeros"
            raise ShapeError(f"{self.name} takes a shape or a value", argument="value", help=help)
        if self.shape is None:
            return lengths(self.value)
        have = lengths(self.value)
        ends = self.shape[len(self.shape) - len(have) :]
        if len(have) > len(self.shape) or any(count not in (1, size) for count, size in zip(have, ends)):
            text = f"a value of {pretty_shape(have)} cannot be repeated to {pretty_shape(self.shape)}"
            raise ShapeError(f"{self.name}: {text}", argument="value")
        return tuple(self.shape)

    def made(self, value: Any, dtype: Mapping[str, Any], wrap: str) -> Constructor:
        """Return the call that makes the tensor, of this value."""
        if value is None:
            return Constructor("torch.zeros", {"shape": self.shape}, dtype, wrap)
        if self.shape is None or lengths(value) == self.shape:
            return Constructor("torch.tensor", {"value": value}, dtype, wrap)
        if not isinstance(value, tuple):
            return Constructor("torch.full", {"shape": self.shape, "value": value}, dtype, wrap)
        have = lengths(value)
        have = (1,) * (len(self.shape) - len(have)) + have
        counts = tuple(size if count == 1 else 1 for count, size in zip(have, self.shape))
        named = "".join(f", {name}={each!r}" for name, each in dtype.items())
        return Constructor(
            "torch.tile", {"value": Verbatim(f"torch.tensor({value}{named})"), "shape": counts}, {}, wrap
        )

    def statements(self, forward: ForwardCall) -> list[str]:
        return [f"{forward.targets[0]} = {forward.module}"]

    def detail(self) -> str:
        return times_shape(self.size())


class Parameter(Held):
    """A learned tensor by itself (``torch.nn.Parameter``), 0 at first, or of a given value: no input -> shape.

    With a value and a ``shape``, the value is repeated to it, as torch broadcasts.
    """

    name = "parameter"
    family = "linear"
    torch = "nn.Parameter"
    main = "shape"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(self.size()),)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"": self.size()}

    def module(self, *inputs: Tensor) -> Constructor:
        return self.made(None if self.value is None else as_floats(self.value), {}, PARAMETER)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.parameter("")


class Buffer(Held):
    """A tensor kept with the weights but not learned (``torch.nn.Buffer``): no input -> shape.

    It holds ``value``, or zeros of a ``shape``, or with both the value repeated to the shape, as torch broadcasts. Its
    key in the ``state_dict`` is the step's name.
    """

    name = "buffer"
    family = "shape"
    torch = "nn.Buffer"
    main = "value"
    any_dtype = True

    dtype: Dtype = "float32"
    persistent: bool = True

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        size = self.size()
        count = product(size)
        if isinstance(count, int) and count > MOST_NUMBERS:
            raise ShapeError(f"a buffer holds at most {MOST_NUMBERS:,} numbers", argument="shape")
        if self.value is not None:
            guard_value("buffer", self.value, self.dtype)
        return (Tensor(size, self.dtype),)

    def buffers(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"": self.size()} if self.persistent else {}

    def module(self, *inputs: Tensor) -> Constructor:
        zeros = self.value is None and self.dtype == "float32"
        dtype = {} if zeros else {"dtype": TorchDtype(self.dtype)}
        return self.made(self.value, dtype, BUFFER if self.persistent else FLEETING)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        if self.persistent:
            return builder.parameter("")
        made = builder.constant(0 if self.value is None else self.value, self.dtype)
        return made if self.shape is None else builder.op("Expand", made, builder.constant(list(self.shape)))


def as_floats(value: Any) -> Any:
    """Return a number, or nested ones, as real numbers: what is learned is no integer."""
    return tuple(map(as_floats, value)) if isinstance(value, tuple) else float(value)
