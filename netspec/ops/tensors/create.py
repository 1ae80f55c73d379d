"""Tensors that no input brings: learned ones, constants, counts; and growing one to the size of another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Dim, Shape, Size, pretty, pretty_shape, times_shape
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import INTEGER, Argument, Dtype, Extent, Listed, Nested, is_integer, lengths
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import ShapeError, Tensor

PARAMETER = "nn.Parameter({})"
"""The text around a tensor that is learned."""


class Parameter(Op):
    """A learned tensor by itself, 0 at first (``torch.nn.Parameter``): no input -> shape."""

    name = "parameter"
    family = "linear"
    torch = "nn.Parameter"
    main = "shape"
    ports = ()
    saved_for_backward = "nothing"

    shape: Annotated[Any, Listed("a list of sizes", lambda value: is_integer(value) and value > 0, INTEGER)]

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return (Tensor(self.shape),)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"": self.shape}

    def module(self, *inputs: Tensor) -> Constructor:
        return Constructor("torch.zeros", {"shape": self.shape}, {}, wrap=PARAMETER)

    def statements(self, forward: ForwardCall) -> list[str]:
        return [f"{forward.targets[0]} = {forward.module}"]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.parameter("")

    def detail(self) -> str:
        return times_shape(self.shape)


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
        return (Tensor(lengths(self.value), self.dtype),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        return f"torch.tensor({self.value}, dtype=torch.{self.dtype}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        return builder.constant(self.value, self.dtype)

    def detail(self) -> str:
        return times_shape(lengths(self.value)) if isinstance(self.value, tuple) else str(self.value)


class Arange(Op):
    """The integers from 0 to end − 1 (``torch.arange``); ``like`` has a symbolic end: -> (end), int64."""

    name = "arange"
    family = "shape"
    main = "end"
    ports = ("like",)
    optional = ("like",)
    any_dtype = True
    saved_for_backward = "nothing"

    end: Annotated[Any, Extent()]

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        find("arange", self.end, inputs)
        return (Tensor((self.end,), "int64"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        return f"torch.arange({spell_size('arange', self.end, arguments, inputs)}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        return count_up(builder, size_vector(builder, "arange", self.end, inputs, tensors))

    def detail(self) -> str:
        return pretty(self.end)


class Sizes(Argument):
    """A list of sizes, each a positive integer or a symbolic one."""

    def read(self, value: Any) -> Any:
        items = value if isinstance(value, (list, tuple)) else (value,)
        if items and all(isinstance(item, Dim) or (is_integer(item) and item > 0) for item in items):
            return tuple(items)
        raise ValueError("a list of sizes")

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["array", "integer", "string"], "items": {"type": ["integer", "string"]}}


class Filled(Op):
    """Base of tensors of one number: `like` has their symbolic sizes, and lends its device and its precision."""

    family = "shape"
    main = "size"
    ports = ("like",)
    optional = ("like",)
    any_dtype = True
    number: ClassVar[int]
    saved_for_backward = "nothing"

    size: Annotated[Any, Sizes()]

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        for size in self.size:
            find(self.name, size, inputs)
        like = inputs[0]
        return (Tensor(self.size, like.dtype if like is not None and "float" in like.dtype else "float32"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        sizes = ", ".join(spell_size(self.name, size, arguments, inputs) for size in self.size)
        like = inputs[0]
        if like is not None and "float" in like.dtype:
            return f"{arguments[0]}.new_{self.name}({sizes})"
        return f"torch.{self.name}({sizes}{on_device(arguments)})"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        made = builder.constant(self.number, self.infer(*tensors)[0].dtype)
        sizes = [size_vector(builder, self.name, size, inputs, tensors) for size in self.size]
        return builder.op("Expand", made, builder.op("Concat", *sizes, axis=0) if len(sizes) > 1 else sizes[0])

    def detail(self) -> str:
        return times_shape(self.size)


class Zeros(Filled):
    """A tensor of zeros (``torch.zeros``); ``like`` has its symbolic sizes: -> size."""

    name = "zeros"
    number = 0


class Ones(Filled):
    """A tensor of ones (``torch.ones``); ``like`` has its symbolic sizes: -> size."""

    name = "ones"
    number = 1


class Growth(Argument):
    """A list of sizes, each an integer, -1 to keep the input's, or a symbolic one."""

    def read(self, value: Any) -> Any:
        if isinstance(value, (list, tuple)) and all(
            isinstance(item, Dim) or (is_integer(item) and (item > 0 or item == -1)) for item in value
        ):
            return tuple(value)
        raise ValueError("a list of sizes, where -1 keeps the input's")

    def json_schema(self) -> dict[str, Any]:
        return {"type": "array", "items": {"type": ["integer", "string"]}}


class Expand(Op):
    """Repeats dimensions of size 1 (``Tensor.expand``); ``like`` has symbolic sizes: (1, A) by [N, -1] -> (N, A)."""

    name = "expand"
    family = "shape"
    main = "shape"
    ports = ("input", "like")
    optional = ("like",)
    any_dtype = True
    saved_for_backward = "nothing"

    shape: Annotated[Any, Growth()]

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
            if wanted != -1 and wanted != have:
                find("expand", wanted, inputs)
            sizes.append(have if wanted == -1 else wanted)
        return tuple(sizes)

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
        if all(isinstance(size, int) for size in self.shape):
            return builder.op("Expand", inputs[0], builder.constant([abs(size) for size in self.shape]))
        sizes = [
            builder.constant([1]) if size == -1 else size_vector(builder, "expand", size, inputs, tensors)
            for size in self.shape
        ]
        return builder.op("Expand", inputs[0], builder.op("Concat", *sizes, axis=0) if len(sizes) > 1 else sizes[0])

    def detail(self) -> str:
        return "→ " + "×".join(map(str, self.shape))


def find(name: str, size: Size, inputs: Sequence[Tensor | None]) -> tuple[int, int] | None:
    """The input and the dimension of it that has a symbolic size; ``None`` for a known one."""
    if isinstance(size, int):
        return None
    for place, tensor in enumerate(inputs):
        if tensor is not None and size in tensor.shape:
            return place, tensor.shape.index(size)
    repair = f"give it a tensor that has this size: `{name}: {{…, like: x}}`"
    raise ShapeError(f"{name} has no input with a dimension of size {pretty(size)}", help=repair)


def spell_size(name: str, size: Size, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
    """A size in PyTorch: ``8``, ``x.size(1)``."""
    found = find(name, size, inputs)
    return str(size) if found is None else f"{arguments[found[0]]}.size({found[1]})"


def size_vector(
    builder: OnnxBuilder, name: str, size: Size, inputs: Sequence[Any], tensors: Sequence[Tensor | None]
) -> Any:
    """A size in ONNX, as a vector of one element."""
    found = find(name, size, tensors)
    if found is None:
        return builder.constant([size])
    return builder.op("Shape", inputs[found[0]], start=found[1], end=found[1] + 1)


def count_up(builder: OnnxBuilder, size: Any) -> Any:
    """0, 1, 2, … in ONNX, as many as ``size`` (a vector of one element) says."""
    end = builder.op("Squeeze", size, builder.constant([0]))
    return builder.op("Range", builder.constant(0), end, builder.constant(1))


def on_device(arguments: Sequence[str]) -> str:
    """The argument that puts a new tensor where the first input is."""
    return f", device={arguments[0]}.device" if arguments else ""
