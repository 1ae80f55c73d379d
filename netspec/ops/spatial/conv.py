"""Convolutions in one, two and three dimensions."""

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Annotated, Any, ClassVar, Literal

from netspec.dims import Shape, Size, product
from netspec.ops.core.arguments import PerDimension, Positive, spell_window, spread
from netspec.ops.core.foreign import ForeignCall, OpReading, is_weight, own_tensors
from netspec.ops.core.parametrized import Parametrized
from netspec.ops.core.roles.behaviour import AccessWindow
from netspec.ops.core.roles.low_rank import LowRank
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Bound, ShapeError, Tensor, known, need_rank
from netspec.ops.core.window import LAYOUT, PADDING_MODES, enough_to_repeat, padded, slide


class Convolution(Parametrized):
    """Base of the convolutions; ``rank`` counts the spatial dimensions."""

    family = "convolution"
    main = "out_channels"
    rank: ClassVar[int]
    saved_for_backward = "input"
    autocast = "bfloat16"

    out_channels: Positive
    kernel_size: Any
    stride: Any = 1
    padding: Any = 0
    groups: Positive = 1
    bias: bool = True
    dilation: Any = 1

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        weight, reading = cls.weight_of(call), super().from_aten(call)
        if weight is None or reading is None or len(weight.shape) != cls.rank + 2:
            return None
        sizes = {"out_channels": cls.outputs_of(call, weight.shape), "kernel_size": weight.shape[2:]}
        return reading.saying(**sizes, bias="bias" in reading.state)

    @classmethod
    def outputs_of(cls, call: ForeignCall, weight: Shape) -> Size:
        """Return the number of output channels of a call with a weight of this shape."""
        return weight[0]

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"in_channels": self.channels(inputs[0].shape)}

    def channels(self, shape: Shape) -> int:
        """The number of input channels; guards the input's rank and the groups."""
        need_rank(self.name, shape, self.rank + 2, layout=LAYOUT[self.rank])
        channels = known(shape[1], f"the number of channels that {self.name} takes")
        for count, whose in ((channels, "input"), (self.out_channels, "output")):
            if count % self.groups:
                raise ShapeError(
                    f"{count} {whose} channels cannot be divided into {self.groups} groups", argument="groups"
                )
        return channels

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        weights = self.weights(*inputs)
        return {**weights, "bias": (self.out_channels,)} if self.bias else weights

    def kernel(self) -> tuple[int, ...]:
        return spread(self.kernel_size, self.rank)

    def detail(self) -> str:
        parts = [spell_window(self.kernel_size, self.rank), str(self.out_channels)]
        if set(spread(self.stride, self.rank)) != {1}:
            parts.append("/" + spell_window(self.stride, 1 if isinstance(self.stride, int) else self.rank))
        if self.groups > 1:
            parts.append(f"groups {self.groups}")
        return ", ".join(parts)

    @classmethod
    def onnx_window(cls, call: ForeignCall) -> dict[str, Any] | None:
        """The arguments that ONNX's Conv and ConvTranspose share; ``None`` for other than ``rank`` dimensions."""
        given = call.arguments
        if not is_weight(given.get("W"), cls.rank + 2) or given.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            return None
        ones = [1] * cls.rank
        return {
            "kernel_size": tuple(given["W"].shape[2:]),
            "stride": tuple(given.get("strides", ones)),
            "dilation": tuple(given.get("dilations", ones)),
            "groups": given.get("group", 1),
            "bias": "B" in given,
        }

    @classmethod
    def onnx_weights(cls, call: ForeignCall, arguments: dict[str, Any]) -> OpReading:
        """The reading of ONNX's Conv or ConvTranspose with these arguments."""
        state = own_tensors(weight=call.tensor("W"), bias=call.tensor("B"))
        return OpReading(arguments, (call.tensor("X"),), state, call.outputs)

    def attributes(self) -> dict[str, Any]:
        """The attributes that ONNX's Conv and ConvTranspose share."""
        return {
            "kernel_shape": list(self.kernel()),
            "strides": list(spread(self.stride, self.rank)),
            "dilations": list(spread(self.dilation, self.rank)),
            "group": self.groups,
        }


class ForwardConvolution(Convolution):
    """A convolution: each output is a weighted sum over a window of the input."""

    onnx_nodes = ("Conv",)

    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        window = cls.onnx_window(call)
        if window is None:
            return None
        pads = call.arguments.get("pads", [0] * (2 * cls.rank))
        before, after = pads[: cls.rank], pads[cls.rank :]
        if before != after:  # as TensorFlow pads for `same`, which torch does for stride 1 alone
            totals = [size * (kernel - 1) for size, kernel in zip(window["dilation"], window["kernel_size"])]
            if pads != [total // 2 for total in totals] + [total - total // 2 for total in totals]:
                return None
        padding = tuple(before) if before == after else "same"
        weight = call.arguments["W"]
        return cls.onnx_weights(call, {**window, "out_channels": weight.shape[0], "padding": padding})

    def output_shape(self, *shapes: Shape) -> Shape:
        self.channels(shapes[0])
        if self.padding == "same" and set(spread(self.stride, self.rank)) != {1}:
            raise ShapeError("padding `same` requires stride 1", argument="padding")
        windows = zip(
            shapes[0][2:], self.kernel(), spread(self.stride, self.rank), self.pads(), spread(self.dilation, self.rank)
        )
        spatial = (slide(size, kernel, stride, sum(pads), dilation) for size, kernel, stride, pads, dilation in windows)
        return (shapes[0][0], self.out_channels, *spatial)

    def bounds(self, *inputs: Tensor) -> Iterable[Bound]:
        for size, pads in zip(inputs[0].shape[2:], self.pads()):
            yield from enough_to_repeat(self.padding_mode, size, pads, "padding")

    def pads(self) -> list[tuple[int, int]]:
        """The padding before and after each spatial dimension."""
        if self.padding == "valid":
            return [(0, 0)] * self.rank
        if self.padding == "same":  # torch puts the odd one at the end
            totals = [
                dilation * (kernel - 1) for dilation, kernel in zip(spread(self.dilation, self.rank), self.kernel())
            ]
            return [(total // 2, total - total // 2) for total in totals]
        return [(padding, padding) for padding in spread(self.padding, self.rank)]

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        windows = zip(self.kernel(), spread(self.stride, rank), self.pads(), spread(self.dilation, rank))
        return tuple(
            AccessWindow(stride, -before, dilation * (kernel - 1) - before)
            for kernel, stride, (before, _), dilation in windows
        )

    def weight_shape(self, *inputs: Tensor) -> tuple[int, ...]:
        return (self.out_channels, self.channels(inputs[0].shape) // self.groups, *self.kernel())

    def low_rank(self, rank: int, *inputs: Tensor) -> LowRank | None:
        """A convolution with the same window to ``rank`` channels a group, then one of 1 that mixes them."""
        if self.is_worked_out:
            return None
        down = self.model_copy(update={"out_channels": rank * self.groups, "bias": False})
        up = type(self)(out_channels=self.out_channels, kernel_size=1, groups=self.groups, bias=False)
        outputs, *row = self.weight_shape(*inputs)
        return LowRank(down, up, min(outputs // self.groups, prod(row)))

    def change(self, down: Any, up: Any) -> Any:
        outputs, rank = up.shape[:2]
        rows = up.reshape(self.groups, -1, rank) @ down.reshape(self.groups, rank, -1)
        return rows.reshape(outputs, *down.shape[1:])

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].shape) * product(self.weight_shape(*inputs)[1:])

    def saved(self, run: OpRun) -> Saved:
        made, weight = self.padded(run.inputs[0]), self.weight_saved(run, whole=True)
        if made is None:
            return Saved((0,), made=weight)
        repeats = self.padding_mode in ("reflect", "replicate")  # which are ops that keep what they pad
        return Saved((0,) if repeats and run.needs[0] else (), made=(made, *weight))

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """On CPU oneDNN orders the input and the output's gradient by blocks of channels, in copies."""
        return (run.inputs[0], run.outputs[0]) if run.on_cpu and run.needs[0] else ()

    def padded(self, tensor: Tensor) -> Tensor | None:
        """The padded copy of the input that torch makes and keeps: for other than equal zeros on both sides."""
        pads = self.pads()
        if self.padding_mode == "zeros":
            pads = [(max(before - after, 0), max(after - before, 0)) for before, after in pads]
        if not any(map(any, pads)):
            return None
        spatial = [size + before + after for size, (before, after) in zip(tensor.shape[2:], pads)]
        return Tensor((*tensor.shape[:2], *spatial), tensor.dtype)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x = inputs[0]
        before, after = ([pair[side] for pair in self.pads()] for side in (0, 1))
        if self.padding_mode != "zeros":
            x = padded(builder, x, [0, 0, *before, 0, 0, *after], mode=PADDING_MODES[self.padding_mode])
            before = after = [0] * self.rank
        weights = self.onnx_weight(builder, tensors[0]), builder.parameter("bias")
        return builder.op("Conv", x, *weights, pads=[*before, *after], **self.attributes())


class Conv1d(ForwardConvolution):
    """1D convolution (``torch.nn.Conv1d``): (N, C, L) -> (N, out_channels, L')."""

    name = "conv1d"
    torch = "nn.Conv1d"
    rank = 1

    kernel_size: Annotated[Any, PerDimension(1, 1)]
    stride: Annotated[Any, PerDimension(1, 1)] = 1
    padding: Annotated[Any, PerDimension(1, 0, "same", "valid")] = 0
    dilation: Annotated[Any, PerDimension(1, 1)] = 1


class Conv2d(ForwardConvolution):
    """2D convolution (``torch.nn.Conv2d``): (N, C, H, W) -> (N, out_channels, H', W')."""

    name = "conv2d"
    torch = "nn.Conv2d"
    rank = 2

    kernel_size: Annotated[Any, PerDimension(2, 1)]
    stride: Annotated[Any, PerDimension(2, 1)] = 1
    padding: Annotated[Any, PerDimension(2, 0, "same", "valid")] = 0
    dilation: Annotated[Any, PerDimension(2, 1)] = 1


class Conv3d(ForwardConvolution):
    """3D convolution (``torch.nn.Conv3d``): (N, C, D, H, W) -> (N, out_channels, D', H', W')."""

    name = "conv3d"
    torch = "nn.Conv3d"
    rank = 3

    kernel_size: Annotated[Any, PerDimension(3, 1)]
    stride: Annotated[Any, PerDimension(3, 1)] = 1
    padding: Annotated[Any, PerDimension(3, 0, "same", "valid")] = 0
    dilation: Annotated[Any, PerDimension(3, 1)] = 1
