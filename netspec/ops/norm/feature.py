"""Normalisation of each sample: over its last dimensions or one of them, or over groups of channels."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.arguments import OneOrMany, Positive
from netspec.ops.core.averages import centred
from netspec.ops.core.foreign import ForeignCall, OpReading, exactly, own_tensors
from netspec.ops.core.layout import OutputLayout, shortened, strides_of
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, axis_of, known
from netspec.ops.norm.affine import affine, filled, learned, scale_and_shift

EPSILONS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23, "float64": 2.0**-52}


class TrailingNorm(Op):
    """Base of normalisation over the last dimensions; without ``normalized_shape`` it takes the very last.

    With ``dim`` it takes that one: the module, which knows the last only, is run on the input with ``dim`` moved there.
    """

    family = "norm"
    aten_names = MappingProxyType({"cudnn_enable": None})
    main = "normalized_shape"
    autocast = "float32"

    normalized_shape: Annotated[Any, OneOrMany(1, optional=True)] = None
    eps: float | None
    elementwise_affine: bool = True
    dim: int | None = None

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        if reading is None:
            return None
        affine = "weight" in reading.state
        sizes = None if len(call.arguments["normalized_shape"]) == 1 else call.arguments["normalized_shape"]
        bias = reading.arguments.get("bias") if affine else None
        return reading.saying(normalized_shape=sizes, elementwise_affine=affine, bias=bias)

    def axis(self, rank: int) -> int | None:
        """The dimension to normalise, counted from 0, where it must be moved to the end; ``None`` where it need not."""
        if self.dim is None:
            return None
        axis = axis_of(self.dim, rank)
        return None if axis == rank - 1 else axis

    def is_batched_over_leading_dims(self, rank: int) -> bool:
        return self.axis(rank) is None

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return (PLACE,) * rank if self.dim == 1 else None

    def normalized(self, shape: Shape) -> tuple[int, ...]:
        """The sizes that are normalised over."""
        if self.dim is not None and self.normalized_shape is not None:
            raise ShapeError(f"{self.name} takes normalized_shape or dim, not both", argument="dim")
        if self.normalized_shape is None:
            if not shape:
                raise ShapeError(f"{self.name} takes at least one dimension, but its input is a scalar")
            axis = len(shape) - 1 if self.dim is None else axis_of(self.dim, len(shape))
            which = "the last dimension" if self.dim is None else f"dim {self.dim}"
            return (known(shape[axis], f"{which} that {self.name} takes"),)
        sizes = self.normalized_shape
        return sizes if isinstance(sizes, tuple) else (sizes,)

    def outer(self, shape: Shape) -> Shape:
        """The sizes of the dimensions that are not normalised."""
        axis = self.axis(len(shape))
        sizes = self.normalized(shape)
        return shape[: -len(sizes)] if axis is None else (*shape[:axis], *shape[axis + 1 :])

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        if self.dim is not None:
            return
        sizes = self.normalized(inputs[0].shape)
        for size, wanted in zip(inputs[0].shape[-len(sizes) :], sizes):
            yield size, wanted, f"{self.name} normalises over {wanted}"

    def output_shape(self, *shapes: Shape) -> Shape:
        sizes = self.normalized(shapes[0])
        found = shapes[0][-len(sizes) :]
        if self.dim is not None:
            return shapes[0]
        if len(found) < len(sizes) or any(isinstance(size, int) and size != to for size, to in zip(found, sizes)):
            text = f"{self.name} normalises over {pretty_shape(sizes)}, but its input is {pretty_shape(shapes[0])}"
            raise ShapeError(text, argument="normalized_shape")
        return shapes[0]

    def module(self, *inputs: Tensor) -> Constructor:
        sizes = self.normalized(inputs[0].shape)
        keywords = {name: value for name, value in self.changed().items() if name not in ("normalized_shape", "dim")}
        return Constructor(f"{self.torch}", {"normalized_shape": sizes if len(sizes) > 1 else sizes[0]}, keywords)

    def statements(self, forward: ForwardCall) -> list[str]:
        axis = self.axis(len(forward.inputs[0].shape))
        if axis is None:
            return super().statements(forward)
        return [forward.assign(f"{forward.module}({forward.arguments[0]}.movedim({axis}, -1)).movedim(-1, {axis})")]

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        """The module's result is contiguous, with the dimension at the end."""
        shape = run.inputs[0].shape
        axis = self.axis(len(shape))
        if axis is None:
            return super().output_layout(run)
        strides = list(strides_of((*self.outer(shape), shape[axis]), None))
        strides.insert(axis, strides.pop())
        return (OutputLayout(None, shortened(shape, tuple(strides))),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        rank = len(tensors[0].shape)
        axis = self.axis(rank)
        if axis is None:
            return self.onnx_trailing(builder, inputs[0], tensors[0])
        there = [*range(axis), *range(axis + 1, rank), axis]
        back = [*range(axis), rank - 1, *range(axis, rank - 1)]
        moved = builder.op("Transpose", inputs[0], perm=there)
        return builder.op("Transpose", self.onnx_trailing(builder, moved, tensors[0]), perm=back)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        x, given = call.tensor("X"), call.arguments
        scale, shift = call.tensor("Scale") or call.tensor("scale"), call.tensor("B")
        if x is None or scale is None or any(output is not None for output in call.outputs[1:]):
            return None
        count = len(x.shape) - given.get("axis", -1) % len(x.shape)
        sizes = x.shape[len(x.shape) - count :]
        if scale.shape != sizes:
            return None
        arguments = {"eps": exactly(given.get("epsilon", 1e-5)), **({} if count == 1 else {"normalized_shape": sizes})}
        if "bias" in cls.model_fields:
            arguments["bias"] = shift is not None
        return OpReading(arguments, (x,), own_tensors(weight=scale, bias=shift), call.outputs[:1])

    def onnx_trailing(self, builder: OnnxBuilder, x: Any, tensor: Tensor) -> Any:
        """The nodes that normalise the last dimensions; ``tensor`` is the op's input."""
        raise AssertionError("each kind of normalisation writes its own")

    def detail(self) -> str:
        return super().detail() if self.dim is None else f"dim {self.dim}"


class LayerNorm(TrailingNorm):
    """Layer normalisation over the last dimensions, or one ``dim`` (``torch.nn.LayerNorm``): any shape, kept."""

    name = "layer_norm"
    torch = "nn.LayerNorm"
    onnx_nodes = ("LayerNormalization",)
    onnx_better = 17  # one node: TensorRT, for one, computes it in float32 where the rest is in half precision

    eps: float = 1e-5
    bias: bool = True

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return learned(self.normalized(inputs[0].shape), self.elementwise_affine, self.bias)

    def saved(self, run: OpRun) -> Saved:
        means = Tensor(self.outer(run.inputs[0].shape))
        return Saved((0,), made=(means, means))  # and 1/deviation

    def onnx_trailing(self, builder: OnnxBuilder, x: Any, tensor: Tensor) -> Any:
        sizes = self.normalized(tensor.shape)
        if not builder.has("LayerNormalization"):
            axes = range(len(tensor.shape) - len(sizes), len(tensor.shape))
            made = over_root(builder, centred(builder, x, axes), axes, self.eps, tensor.dtype)
            return affine(builder, made)
        scale, shift = scale_and_shift(builder, sizes, tensor.dtype)
        return builder.op("LayerNormalization", x, scale, shift, axis=-len(sizes), epsilon=self.eps)


def over_root(builder: OnnxBuilder, x: Any, axes: Iterable[int], eps: float, dtype: str) -> Any:
    """Return the value divided by the root of its mean square over some dimensions."""
    squares = builder.op("Pow", x, builder.constant(2.0, dtype))
    mean = builder.op("ReduceMean", squares, builder.constant([*axes]), keepdims=1)
    return builder.op("Div", x, builder.op("Sqrt", builder.op("Add", mean, builder.constant(eps, dtype))))


class RMSNorm(TrailingNorm):
    """Divides by the root mean square of the last dimensions, or of ``dim`` (``torch.nn.RMSNorm``): any shape, kept."""

    name = "rms_norm"
    onnx_lacks = ("float64",)
    torch = "nn.RMSNorm"
    onnx_nodes = ("RMSNormalization",)

    eps: float | None = None

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return learned(self.normalized(inputs[0].shape), self.elementwise_affine, False)

    def saved(self, run: OpRun) -> Saved:
        x = run.inputs[0]
        scales = Tensor(self.outer(x.shape), x.dtype)
        return Saved((0,), made=(scales, x) if self.elementwise_affine and run.learns else (scales,))

    def onnx_trailing(self, builder: OnnxBuilder, x: Any, tensor: Tensor) -> Any:
        sizes, dtype = self.normalized(tensor.shape), tensor.dtype
        if not builder.has("RMSNormalization"):
            axes = range(len(tensor.shape) - len(sizes), len(tensor.shape))
            made = over_root(builder, x, axes, EPSILONS[dtype] if self.eps is None else self.eps, dtype)
            return affine(builder, made)
        scale, _ = scale_and_shift(builder, sizes, dtype)
        eps = EPSILONS[dtype] if self.eps is None else self.eps
        return builder.op("RMSNormalization", x, scale, axis=-len(sizes), epsilon=eps)


class GroupNorm(Op):
    """Normalisation over groups of channels (``torch.nn.GroupNorm``): (N, C, …), kept."""

    name = "group_norm"
    onnx_lacks = ("float64",)
    family = "norm"
    torch = "nn.GroupNorm"
    onnx_nodes = ("GroupNormalization",)
    main = "num_groups"
    aten_names = MappingProxyType({"cudnn_enabled": None})
    autocast = "float32"

    num_groups: Positive
    eps: float = 1e-5
    affine: bool = True
    bias: bool = True

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        return reading and reading.saying(affine="weight" in reading.state)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        state = own_tensors(weight=call.tensor("scale"), bias=call.tensor("bias"))
        arguments = {"num_groups": call.arguments["num_groups"], "eps": exactly(call.arguments.get("epsilon", 1e-5))}
        return OpReading(arguments, (call.tensor("X"),), state, call.outputs)

    def channels(self, shape: Shape) -> int:
        """The number of channels; guards that they divide into the groups."""
        if len(shape) < 2:
            raise ShapeError(f"group_norm takes [N, C, …], but its input is {pretty_shape(shape)}")
        channels = known(shape[1], "the number of channels that group_norm takes")
        if channels % self.num_groups:
            found = f"{channels} channels cannot be divided into {self.num_groups} groups"
            raise ShapeError(found, argument="num_groups")
        return channels

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        return shapes[0]

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        batch, channels, *spatial = inputs[0].shape
        values = product((batch, channels // self.num_groups, *spatial))
        yield Bound(values, "group_norm takes more than one value per group", least=2, argument="num_groups")

    def module(self, *inputs: Tensor) -> Constructor:
        sizes = {"num_groups": self.num_groups, "num_channels": self.channels(inputs[0].shape)}
        keywords = {name: value for name, value in self.changed().items() if name != "num_groups"}
        return Constructor(self.torch, sizes, keywords)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return learned((self.channels(inputs[0].shape),), self.affine, self.bias)

    def saved(self, run: OpRun) -> Saved:
        x = run.inputs[0]
        means = (Tensor((x.shape[0], self.num_groups)),) * 2  # and 1/deviation
        return Saved((0,), made=means) if run.strides[0] is None else Saved(made=(x, *means))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        """As an instance norm of the groups: onnxruntime's GroupNormalization takes E[x²] − E[x]² for the variance, and
        so is far off where the mean is large.
        """
        x, (tensor,) = inputs[0], tensors
        rank, channels = len(tensor.shape), self.channels(tensor.shape)
        split = builder.constant([self.num_groups, channels // self.num_groups])
        parts = (builder.op("Shape", x, start=0, end=1), split, builder.op("Shape", x, start=2))
        result = builder.op("Reshape", x, builder.op("Concat", *parts, axis=0))
        ones, zeros = (builder.constant(filled((self.num_groups,), value), tensor.dtype) for value in (1.0, 0.0))
        result = centred(builder, result, range(2, rank + 1))
        result = builder.op("InstanceNormalization", result, ones, zeros, epsilon=self.eps)
        result = builder.op("Reshape", result, builder.op("Shape", x))
        places = builder.constant(list(range(1, rank - 1)))
        for name, op_type in (("weight", "Mul"), ("bias", "Add")):
            each = builder.parameter(name)
            if each is not None:
                each = each if rank == 2 else builder.op("Unsqueeze", each, places)
                result = builder.op(op_type, result, each)
        return result

    def detail(self) -> str:
        return f"{self.num_groups} groups"
