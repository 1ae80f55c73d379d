"""Tensors that no input brings: learned ones, constants, counts; and growing one to the size of another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size, ceil_div, pretty, pretty_shape, product, times_shape
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import INTEGER, Dtype, Extent, Listed, Nested, Sizes, is_integer, lengths
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.sizes import find, size_scalar, size_vectors, spell_size
from netspec.ops.core.tensors import ShapeError, Tensor

PARAMETER = "nn.Parameter({})"
"""The text around a tensor that is learned."""
BUFFER = "nn.Buffer({})"
"""The text around a tensor that is kept with the weights without being learned."""
FLEETING = "nn.Buffer({}, persistent=False)"
"""The same of one that the ``state_dict`` leaves out."""
MOST_NUMBERS = 2**28
"""A buffer holds no more: each is memory as soon as the module is made."""
WHOLE = {"int32": range(-(2**31), 2**31), "int64": range(-(2**63), 2**63)}
"""The least and the largest integer of each dtype."""


def is_size(value: Any) -> bool:
    """Return whether a learned tensor, or a kept one, may have this size."""
    return is_integer(value) and value > 0


class TorchDtype(str):
    """The name of a dtype that source writes as ``torch.int64``."""

    def __repr__(self) -> str:
        return f"torch.{self}"


class Written(str):
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
        return Constructor("torch.tile", {"value": Written(f"torch.tensor({value}{named})"), "shape": counts}, {}, wrap)

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


class Constant(Op):
    """A fixed tensor, on the device of ``like``: -> the shape of value."""

    name = "constant"
    family = "shape"
    main = "value"
    ports = ("like",)
    optional = ("like",)
    any_dtype = True
    saved_for_backward = "nothing"

    value: Annotated[Any, Nested()]
    dtype: Dtype = "float32"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        guard_value("constant", self.value, self.dtype)
        return (Tensor(lengths(self.value), self.dtype),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        return f"torch.tensor({self.value}, dtype=torch.{self.dtype}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        return builder.constant(self.value, self.dtype)

    def detail(self) -> str:
        return times_shape(lengths(self.value)) if isinstance(self.value, tuple) else str(self.value)


class Arange(Op):
    """The integers from start on that come before end (``torch.arange``): -> (⌈(end − start)/step⌉), int64.

    ``like`` lends its device, and has the symbolic sizes among them.
    """

    name = "arange"
    family = "shape"
    main = "end"
    ports = ("like",)
    optional = ("like",)
    takes_empty = True
    any_dtype = True
    saved_for_backward = "nothing"

    onnx_nodes = ("Range",)

    start: Annotated[Any, Extent(None)] = 0
    end: Annotated[Any, Extent(None)]
    step: int = 1

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        numbers = {"start": "start", "limit": "end", "delta": "step"}
        arguments = {name: call.arguments[given] for given, name in numbers.items()}
        if any(isinstance(value, ForeignTensor) for value in arguments.values()):
            return None
        return OpReading(arguments, (call.tensor("like"),), {}, call.outputs)

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield from (self.start, self.end)

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        if self.step == 0:
            raise ShapeError("arange takes a step that is not 0", argument="step")
        for size in self.sizes_read():
            find("arange", size, inputs)
        apart = self.end - self.start if self.step > 0 else self.start - self.end
        return (Tensor((ceil_div(apart, abs(self.step)),), "int64"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        start, end = (spell_size("arange", size, arguments, inputs) for size in self.sizes_read())
        numbers = [end] if (self.start, self.step) == (0, 1) else [start, end, *[str(self.step)] * (self.step != 1)]
        return f"torch.arange({', '.join(numbers)}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        start, end = (size_scalar(builder, "arange", size, inputs, tensors) for size in self.sizes_read())
        return builder.op("Range", start, end, builder.constant(self.step))

    def detail(self) -> str:
        if self.step != 1:
            return f"{pretty(self.start)} to {pretty(self.end)} by {self.step}"
        return f"{pretty(self.start)} to {pretty(self.end)}" if self.start != 0 else pretty(self.end)


class Filled(Op):
    """Base of tensors of one number: `like` has their symbolic sizes, and lends its device and its dtype."""

    family = "shape"
    main = "size"
    ports = ("like",)
    optional = ("like",)
    takes_empty = True
    any_dtype = True
    saved_for_backward = "nothing"

    size: Annotated[Any, Sizes(alone=True)]
    dtype: Dtype | None = None

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield from self.size

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        for size in self.size:
            find(self.name, size, inputs)
        like = "float32" if inputs[0] is None else inputs[0].dtype
        return (Tensor(self.size, like if self.dtype is None else self.dtype),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        made = builder.constant(self.filled_with(), self.infer(*tensors)[0].dtype)
        return builder.op("Expand", made, size_vectors(builder, self.name, self.size, inputs, tensors))

    def filled_with(self) -> float:
        """Return the number that every element is."""
        raise AssertionError("each kind has its own")

    def detail(self) -> str:
        return times_shape(self.size)


class FilledByName(Filled):
    """Base of tensors whose name says the number."""

    number: ClassVar[int]
    onnx_nodes = ("ConstantOfShape",)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        sizes, value = call.arguments["input"], call.arguments.get("value")
        number, dtype = (0.0, "float32") if value is None else (float(value.reshape(-1)[0]), str(value.dtype))
        if not isinstance(sizes, list) or number != cls.number:
            return None
        return OpReading({"size": tuple(sizes), "dtype": dtype}, (call.tensor("like"),), {}, call.outputs)

    def filled_with(self) -> float:
        return self.number

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        sizes = ", ".join(spell_size(self.name, size, arguments, inputs) for size in self.size)
        if self.dtype is None and arguments:
            return f"{arguments[0]}.new_{self.name}({sizes})"
        dtype = self.infer(*inputs)[0].dtype
        typed = "" if dtype == "float32" else f", dtype=torch.{dtype}"
        return f"torch.{self.name}({sizes}{typed}{on_device(arguments)})"


class Zeros(FilledByName):
    """A tensor of zeros (``torch.zeros``); ``like`` has its symbolic sizes, and its dtype: -> size."""

    name = "zeros"
    number = 0


class Ones(FilledByName):
    """A tensor of ones (``torch.ones``); ``like`` has its symbolic sizes, and its dtype: -> size."""

    name = "ones"
    number = 1


class Expand(Op):
    """Repeats dimensions of size 1 (``Tensor.expand``); ``like`` has symbolic sizes: (1, A) by [N, -1] -> (N, A)."""

    name = "expand"
    family = "shape"
    main = "shape"
    ports = ("input", "like")
    optional = ("like",)
    takes_empty = True
    any_dtype = True
    saved_for_backward = "nothing"

    onnx_nodes = ("Expand",)

    shape: Annotated[Any, Sizes(1, "where -1 keeps the input's", empty=True)]

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, wanted = call.tensor("input"), call.arguments.get("shape")
        if x is None or not isinstance(wanted, list):
            return None
        rank = max(len(x.shape), len(wanted))
        have, want = ((1,) * (rank - len(sizes)) + tuple(sizes) for sizes in (x.shape, wanted))
        new = rank - len(x.shape)  # a 1 keeps a size, and -1 is that for dimensions that there are
        shape = tuple(-1 if at >= new and to in (1, of) else to for at, (of, to) in enumerate(zip(have, want)))
        return OpReading({"shape": shape}, (x, call.tensor("like")), {}, call.outputs)

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        source = inputs[0]
        assert source is not None
        return (Tensor(self.made(source.shape, inputs), source.dtype),)

    def made(self, source: Shape, inputs: Sequence[Tensor | None]) -> Shape:
        added = len(self.shape) - len(source)
        found = f"expand cannot make {pretty_shape(self.shape)} of {pretty_shape(source)}"
        if added < 0:
            raise ShapeError(found, argument="shape")
        sizes: list[Size] = []
        for wanted, have in zip(self.shape, (1,) * added + source):
            new = len(sizes) < added
            if (new and wanted == -1) or (wanted != -1 and have != 1 and differ(have, wanted)):
                raise ShapeError(found, argument="shape")
            if wanted != have:
                find("expand", wanted, inputs)
            sizes.append(have if wanted == -1 else wanted)
        return tuple(sizes)

    def sizes_read(self, *inputs: Tensor | None) -> Iterable[Size]:
        yield from self.shape

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        assert inputs[0] is not None
        source = inputs[0].shape
        for wanted, have in zip(reversed(self.shape), reversed(source)):
            if wanted != -1 and have != 1:
                yield have, wanted, "expand repeats dimensions of size 1 only"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        sizes = (spell_size("expand", size, arguments, inputs) for size in self.shape)
        return f"{arguments[0]}.expand({', '.join(sizes)})"

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        source = run.inputs[0].shape
        added = len(run.outputs[0].shape) - len(source)
        steps = zip((1,) * added + source, (0,) * added + strides_of(source, run.strides[0]), run.outputs[0].shape)
        strides = tuple(0 if have == 1 and made != 1 else step for have, step, made in steps)
        return (OutputLayout(0, shortened(run.outputs[0].shape, strides)),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        sizes = [abs(size) if isinstance(size, int) else size for size in self.shape]
        return builder.op("Expand", inputs[0], size_vectors(builder, "expand", sizes, inputs, tensors))

    def detail(self) -> str:
        return "→ " + times_shape(self.shape)


def as_floats(value: Any) -> Any:
    """Return a number, or nested ones, as real numbers: what is learned is no integer."""
    return tuple(map(as_floats, value)) if isinstance(value, tuple) else float(value)


def count_up(builder: OnnxBuilder, size: Any) -> Any:
    """0, 1, 2, … in ONNX, as many as ``size`` (a vector of one element) says."""
    end = builder.op("Squeeze", size, builder.constant([0]))
    return builder.op("Range", builder.constant(0), end, builder.constant(1))


def on_device(arguments: Sequence[str]) -> str:
    """The argument that puts a new tensor where the first input is."""
    return f", device={arguments[0]}.device" if arguments else ""


def guard_value(name: str, value: Any, dtype: str) -> None:
    """Guard: integers of this dtype can hold the numbers, nested to any depth."""
    if isinstance(value, tuple):
        for item in value:
            guard_value(name, item, dtype)
    elif dtype in WHOLE and not isinstance(value, bool) and not (value == int(value) and int(value) in WHOLE[dtype]):
        raise ShapeError(f"{name}: {value} cannot be {dtype}", argument="value")
