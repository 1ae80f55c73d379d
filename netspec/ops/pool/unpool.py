"""The undoing of max pooling: each value goes back to the place that it was found at."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar

from netspec.dims import Shape, Size, product
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import PerDimension, spell_window, spread
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.tensors import Bound, InputRange, ShapeError, Tensor, need_rank
from netspec.ops.core.window import LAYOUT


class MaxUnpool(Op):
    """Base of the undoing of max pooling: values at the places that ``indices`` name, as a max pool gives them; else 0.

    ``like`` has the size to make, as pooling does not tell which of several sizes it came from.
    """

    family = "pooling"
    main = "kernel_size"
    ports = ("input", "indices", "like")
    optional = ("like",)
    rank: ClassVar[int]

    kernel_size: Any
    stride: Any = None
    padding: Any = 0

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x, indices, like = inputs
        assert x is not None
        assert indices is not None
        need_rank(self.name, x.shape, self.rank + 2, layout=LAYOUT[self.rank])
        if "float" not in x.dtype or indices.dtype != "int64":
            text = f"{self.name} takes floating-point numbers and int64, but got {x.dtype} and {indices.dtype}"
            raise ShapeError(text)
        if len(indices.shape) != len(x.shape) or any(map(differ, indices.shape, x.shape)):
            raise ShapeError(f"{self.name} takes indices of the shape of its input")
        if like is not None:
            need_rank(self.name, like.shape, self.rank + 2, layout=LAYOUT[self.rank])
        spatial = self.plain(x.shape) if like is None else like.shape[2:]
        return (Tensor((*x.shape[:2], *spatial), x.dtype),)

    def plain(self, shape: Shape) -> tuple[Size, ...]:
        """The least spatial sizes that pool to those of the input."""
        return tuple((size - 1) * step - 2 * pad + kernel for size, (kernel, step, pad) in self.windows(shape))

    def windows(self, shape: Shape) -> Iterable[tuple[Size, tuple[int, int, int]]]:
        """Each spatial size of the input, with kernel, stride and padding."""
        stride = self.kernel_size if self.stride is None else self.stride
        return zip(shape[2:], zip(*(spread(value, self.rank) for value in (self.kernel_size, stride, self.padding))))

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        x, indices, _ = inputs
        assert x is not None
        assert indices is not None
        yield from ((left, right, f"{self.name} takes an index a value") for left, right in zip(x.shape, indices.shape))

    def bounds(self, *inputs: Tensor | None) -> Iterable[Bound]:
        x, _, like = inputs
        assert x is not None
        if like is None:
            return
        reason = f"{self.name} takes a `like` whose size is less than a stride off"
        for size, plain, (_, (_, step, _)) in zip(like.shape[2:], self.plain(x.shape), self.windows(x.shape)):
            yield Bound(size - plain + step, reason, least=1, most=2 * step - 1)

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(below=product(self.infer(*inputs)[0].shape[2:])) if port == "indices" else None

    def saved(self, run: OpRun) -> Saved:
        return Saved((1,) if run.needs[0] else ())

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        keywords = {name: value for name, value in self.changed().items() if name != "kernel_size"}
        named = [f"{name}={value!r}" for name, value in keywords.items()]
        like = [f"output_size={name}.size()[2:]" for name in arguments[2:]]
        return f"{self.functional}({', '.join([*arguments[:2], repr(self.kernel_size), *named, *like])})"

    def statements(self, forward: ForwardCall) -> list[str]:
        if forward.module is None:
            return super().statements(forward)
        like = [f"{name}.size()[2:]" for name in forward.present[2:]]
        return [forward.assign(f"{forward.module}({', '.join([*forward.present[:2], *like])})")]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        x, indices, like = inputs
        tensor = tensors[0]
        assert tensor is not None
        flat = builder.constant([0, 0, -1])
        sizes = self.sizes_made(builder, x, like, tensor)
        sizes = builder.op("Concat", builder.op("Shape", x, start=0, end=2), sizes, axis=0)
        empty = builder.op("Expand", builder.constant(0.0, tensor.dtype), sizes)
        flattened = [builder.op("Reshape", each, flat) for each in (empty, indices, x)]
        return builder.op("Reshape", builder.op("ScatterElements", *flattened, axis=2), sizes)

    def sizes_made(self, builder: OnnxBuilder, x: Any, like: Any, tensor: Tensor) -> Any:
        """The output's spatial sizes in ONNX."""
        if like is not None:
            return builder.op("Shape", like, start=2)
        steps, rests = zip(*((step, kernel - step - 2 * pad) for _, (kernel, step, pad) in self.windows(tensor.shape)))
        grown = builder.op("Mul", builder.op("Shape", x, start=2), builder.constant(list(steps)))
        return builder.op("Add", grown, builder.constant(list(rests)))

    def detail(self) -> str:
        return spell_window(self.kernel_size, self.rank)


class MaxUnpool1d(MaxUnpool):
    """1D max unpooling (``torch.nn.MaxUnpool1d``): (N, C, L) -> (N, C, L')."""

    name = "max_unpool1d"
    torch = "nn.MaxUnpool1d"
    functional = "F.max_unpool1d"
    rank = 1

    kernel_size: Annotated[Any, PerDimension(1, 1)]
    stride: Annotated[Any, PerDimension(1, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(1, 0)] = 0


class MaxUnpool2d(MaxUnpool):
    """2D max unpooling (``torch.nn.MaxUnpool2d``): (N, C, H, W) -> (N, C, H', W')."""

    name = "max_unpool2d"
    torch = "nn.MaxUnpool2d"
    functional = "F.max_unpool2d"
    rank = 2

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(2, 0)] = 0


class MaxUnpool3d(MaxUnpool):
    """3D max unpooling (``torch.nn.MaxUnpool3d``): (N, C, D, H, W) -> (N, C, D', H', W')."""

    name = "max_unpool3d"
    torch = "nn.MaxUnpool3d"
    functional = "F.max_unpool3d"
    rank = 3

    kernel_size: Annotated[Any, PerDimension(3, 1)]
    stride: Annotated[Any, PerDimension(3, 1, optional=True)] = None
    padding: Annotated[Any, PerDimension(3, 0)] = 0
