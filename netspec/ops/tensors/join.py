"""Ops that join several tensors into one."""

from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

from netspec.dims import Shape, Size, pretty_shape, total
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.layout import OutputLayout
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor, axis_of
from netspec.ops.tensors.reshape import Rearrangement


class Join(Rearrangement):
    """Base of the ops that join several tensors along a dimension."""

    variadic = True
    main = "dim"

    dim: int = 1

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return f"{self.functional}(({', '.join(arguments)}{',' * (len(arguments) == 1)}), dim={self.dim})"

    def detail(self) -> str:
        return f"dim {self.dim}"


class Concat(Join):
    """Joins tensors along an existing dimension (``torch.cat``): (N, A, …), (N, B, …) -> (N, A + B, …)."""

    name = "concat"
    skips_absent = True
    functional = "torch.cat"
    aten = ("concatenate",)
    aten_defaults = MappingProxyType({"dim": 0})
    onnx_nodes = ("Concat",)
    onnx_names = {"axis": "dim"}

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return 1 - rank <= self.dim < 0

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        return arguments[0] if len(arguments) == 1 else super().call(arguments, inputs)

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        alone = len(run.inputs) == 1  # then it is passed on
        return (OutputLayout(0, run.strides[0]),) if alone else super().output_layout(run)

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return (PLACE,) * rank if self.dim in (1, -1 - rank) else ()

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        rank = same_rank(self.name, [tensor.shape for tensor in inputs])
        joined = axis_of(self.dim, rank)
        for tensor in inputs[1:]:
            for axis in range(rank):
                if axis != joined:
                    why = f"concat along dim {self.dim} needs equal sizes in dim {axis}"
                    yield inputs[0].shape[axis], tensor.shape[axis], why

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, same_rank(self.name, shapes))
        rests = [(*shape[:axis], *shape[axis + 1 :]) for shape in shapes]
        for shape, rest in zip(shapes, rests):
            if any(differ(left, right) for left, right in zip(rests[0], rest)):
                found = f"{pretty_shape(shapes[0])} and {pretty_shape(shape)}"
                raise ShapeError(f"concat along dim {self.dim} needs equal sizes elsewhere: {found}", argument="dim")
        return (*shapes[0][:axis], total(shape[axis] for shape in shapes), *shapes[0][axis + 1 :])

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Concat", *inputs, axis=axis_of(self.dim, len(tensors[0].shape)))


class Coalesce(Op):
    """The input where it is given, else ``default``, which is like it: any shape.

    For an input that the caller may leave out.
    """

    name = "coalesce"
    family = "shape"
    ports = ("input", "default")
    optional = ("input",)
    takes_empty = True
    any_dtype = True
    saved_for_backward = "nothing"

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        given, default = inputs
        assert default is not None
        if given is not None:
            for left, right in zip(given.shape, default.shape):
                yield left, right, "coalesce takes a default of the input's shape"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given, default = inputs
        assert default is not None
        if given is not None:
            one_dtype(self.name, (given, default))
            if len(given.shape) != len(default.shape) or any(map(differ, given.shape, default.shape)):
                found = f"{pretty_shape(given.shape)} and {pretty_shape(default.shape)}"
                raise ShapeError(f"coalesce takes a default of the input's shape, but got {found}")
        return (default,)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        return arguments[0]

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(1, run.strides[1]) if run.inputs[0] is None else OutputLayout(0, run.strides[0]),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        return inputs[1] if inputs[0] is None else inputs[0]


class Stack(Join):
    """Joins tensors of one shape along a new dimension (``torch.stack``): n of (N, …) -> (N, n, …)."""

    name = "stack"
    functional = "torch.stack"
    aten_defaults = MappingProxyType({"dim": 0})

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        rank = same_rank(self.name, [tensor.shape for tensor in inputs])
        for tensor in inputs[1:]:
            for axis in range(rank):
                yield inputs[0].shape[axis], tensor.shape[axis], f"stack needs equal sizes in dim {axis}"

    def output_shape(self, *shapes: Shape) -> Shape:
        axis = axis_of(self.dim, same_rank(self.name, shapes) + 1)
        for shape in shapes:
            if any(differ(left, right) for left, right in zip(shapes[0], shape)):
                raise ShapeError(f"stack needs equal shapes: {pretty_shape(shapes[0])} and {pretty_shape(shape)}")
        return (*shapes[0][:axis], len(shapes), *shapes[0][axis:])

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        axis = axis_of(self.dim, len(tensors[0].shape) + 1)
        raised = [builder.op("Unsqueeze", x, builder.constant([axis])) for x in inputs]
        return builder.op("Concat", *raised, axis=axis)


def same_rank(name: str, shapes: Sequence[Shape]) -> int:
    """The number of dimensions that all the shapes have."""
    for shape in shapes:
        if len(shape) != len(shapes[0]):
            found = f"{pretty_shape(shapes[0])} and {pretty_shape(shape)}"
            raise ShapeError(f"{name} takes inputs with the same number of dimensions, but got {found}")
    return len(shapes[0])
