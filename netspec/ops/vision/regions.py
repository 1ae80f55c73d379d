"""Pooling of regions of an image, a number of boxes for each."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field

from netspec.dims import Dim, Shape, Size, pretty_shape
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import PerDimension, spell_window, spread
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, ShapeError, Tensor, need_rank


class RegionPooling(Op):
    """Base of what makes an image of equal size of each box: x₀, y₀, x₁, y₁, times ``spatial_scale``."""

    family = "pooling"
    main = "output_size"
    ports = ("input", "boxes")
    torch_lacks = HALVES
    onnx_lacks = ("float64",)
    autocast = "float32"

    output_size: Annotated[Any, PerDimension(2, 1)]
    spatial_scale: Annotated[float, Field(gt=0)] = 1.0

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        return super().infer(*inputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        image, boxes = shapes
        need_rank(self.name, image, 4, layout="[N, C, H, W]")
        if len(boxes) != 3 or differ(boxes[0], image[0]) or differ(boxes[2], 4):
            wanted = pretty_shape((image[0], Dim.symbol("K"), 4))
            raise ShapeError(f"{self.name} takes boxes {wanted} for this input, but got {pretty_shape(boxes)}")
        return (boxes[0] * boxes[1], image[1], *spread(self.output_size, 2))

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        image, boxes = (tensor.shape for tensor in inputs)
        if len(image) == 4 and len(boxes) == 3:
            yield boxes[0], image[0], f"{self.name} takes boxes for each sample"
            yield boxes[2], 4, f"{self.name} takes four numbers for each box"

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor]) -> str:
        keywords = self.changed()
        size = keywords.pop("output_size")
        named = [f"{name}={value!r}" for name, value in keywords.items()]
        return f"{self.functional}({', '.join([arguments[0], f'{arguments[1]}.unbind()', repr(size), *named])})"

    def rows(self, run: OpRun) -> Tensor:
        """The boxes as torchvision keeps them: each behind the number of its sample."""
        boxes = run.inputs[1]
        return Tensor((boxes.shape[0] * boxes.shape[1], 5), boxes.dtype)

    def samples(self, builder: OnnxBuilder, boxes: Any) -> Any:
        """The number of each box's sample, in ONNX."""
        count = builder.op("Squeeze", builder.op("Shape", boxes, start=0, end=1), builder.constant([0]))
        each = builder.op("Range", builder.constant(0), count, builder.constant(1))
        each = builder.op("Unsqueeze", each, builder.constant([1]))
        return builder.op("Expand", each, builder.op("Shape", boxes, start=0, end=2))

    def detail(self) -> str:
        return spell_window(self.output_size)


class RoiAlign(RegionPooling):
    """Means of points within each box (``torchvision.ops.roi_align``): (N, C, H, W), (N, K, 4) -> (N·K, C, h, w)."""

    name = "roi_align"
    functional = "torchvision.ops.roi_align"
    onnx_since = 16

    sampling_ratio: int = -1
    aligned: bool = False

    def saved(self, run: OpRun) -> Saved:
        return Saved(made=(self.rows(run),))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, boxes = inputs
        height, width = spread(self.output_size, 2)
        return builder.op(
            "RoiAlign",
            x,
            builder.op("Reshape", boxes, builder.constant([-1, 4])),
            builder.op("Reshape", self.samples(builder, boxes), builder.constant([-1])),
            output_height=height,
            output_width=width,
            spatial_scale=self.spatial_scale,
            sampling_ratio=max(self.sampling_ratio, 0),
            coordinate_transformation_mode="half_pixel" if self.aligned else "output_half_pixel",
        )


class RoiPool(RegionPooling):
    """Maxima of parts of each box (``torchvision.ops.roi_pool``): (N, C, H, W), (N, K, 4) -> (N·K, C, h, w)."""

    name = "roi_pool"
    functional = "torchvision.ops.roi_pool"

    def saved(self, run: OpRun) -> Saved:
        return Saved(made=(self.rows(run), Tensor(run.outputs[0].shape, "int32")))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, boxes = inputs
        samples = builder.cast(self.samples(builder, boxes), "float32")
        samples = builder.op("Unsqueeze", samples, builder.constant([2]))
        rows = builder.op("Concat", samples, boxes, axis=2)
        rows = builder.op("Reshape", rows, builder.constant([-1, 5]))
        size = list(spread(self.output_size, 2))
        return builder.op("MaxRoiPool", x, rows, pooled_shape=size, spatial_scale=self.spatial_scale)
