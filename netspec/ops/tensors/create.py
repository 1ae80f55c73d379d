"""Tensors that no input brings: constants, counts; and growing one to the size of another."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size, ceil_div, pretty, pretty_shape, times_shape
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import Dtype, Extent, Nested, Sizes, lengths
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.sizes import find, size_scalar, size_vectors, spell_size
from netspec.ops.core.tensors import ShapeError, Tensor, guard_value


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
    aten_names = MappingProxyType({"implicit": None})
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


def on_device(arguments: Sequence[str]) -> str:
    """The argument that puts a new tensor where the first input is."""
    return f", device={arguments[0]}.device" if arguments else ""
