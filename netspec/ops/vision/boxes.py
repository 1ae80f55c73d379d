"""The choice among boxes that overlap."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

from pydantic import Field

from netspec.dims import Size, pretty_shape
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import Positive
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.tensors import HALVES, InputRange, ShapeError, Tensor

NONE = -1
"""The index that stands where no box is left."""


class NonMaximumSuppression(Op):
    """Indices of the best boxes that overlap no better one (``torchvision.ops.nms``): (A, 4), (A) -> (max_output).

    Boxes are x₀, y₀, x₁, y₁. The best come first; a shape cannot depend on values, so where fewer are left, -1 stands
    for the rest. (N, A, 4) and (N, A) give (N, max_output). With ``idxs``, integers as long as the scores, boxes
    suppress those of the same number alone (``torchvision.ops.batched_nms``).
    """

    name = "nms"
    onnx_exact = True
    family = "shape"
    main = "iou_threshold"
    imports = ("torchvision.ops",)
    ports = ("boxes", "scores", "idxs")
    optional = ("idxs",)
    torch_lacks = HALVES
    onnx_lacks = ("float64",)
    saved_for_backward = "nothing"

    iou_threshold: Annotated[float, Field(ge=0, le=1)]
    max_output: Positive

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        boxes, scores, idxs = inputs
        assert boxes is not None
        assert scores is not None
        one_dtype(self.name, (boxes, scores))
        super().infer(boxes)
        shape = boxes.shape
        if len(shape) not in (2, 3) or differ(shape[-1], 4):
            raise ShapeError(f"nms takes boxes [A, 4] or [N, A, 4], but got {pretty_shape(shape)}")
        for port, tensor in (("scores", scores), ("idxs", idxs)):
            wrong = tensor is not None and (
                len(tensor.shape) != len(shape) - 1 or any(map(differ, tensor.shape, shape[:-1]))
            )
            if tensor is not None and wrong:
                found = f"{pretty_shape(shape[:-1])} for these boxes, but got {pretty_shape(tensor.shape)}"
                raise ShapeError(f"nms takes {port} {found}")
        if idxs is not None and idxs.dtype != "int64":
            raise ShapeError(f"nms takes idxs of int64, but got {idxs.dtype}")
        return (Tensor((*shape[:-2], self.max_output), "int64"),)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        boxes = inputs[0]
        assert boxes is not None
        if not boxes.shape:
            return
        yield boxes.shape[-1], 4, "nms takes four numbers for each box"
        for tensor in inputs[1:]:
            for left, right in zip(boxes.shape[:-1], () if tensor is None else tensor.shape):
                yield left, right, "nms takes a score, and a number in idxs, for each box"

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(below=3) if port == "idxs" else None

    def statements(self, forward: ForwardCall) -> list[str]:
        given = [f"{argument}.detach()" if at < 2 else argument for at, argument in enumerate(forward.present)]
        function = "torchvision.ops.nms" if forward.arguments[2] is None else "torchvision.ops.batched_nms"
        most, kept = self.max_output, forward.fresh("kept")
        filled = f"F.pad({kept}, (0, {most} - len({kept})), value={NONE})"
        if len(forward.inputs[0].shape) == 2:
            call = f"{function}({', '.join(given)}, {self.iou_threshold!r})"
            return [f"{kept} = {call}[:{most}]", forward.assign(filled)]
        names = [forward.fresh(name) for name in ("box", "score", "idx")[: len(given)]]
        call = f"{function}({', '.join(names)}, {self.iou_threshold!r})"
        every = forward.fresh("every")
        return [
            f"{every} = [{call}[:{most}] for {', '.join(names)} in zip({', '.join(given)})]",
            forward.assign(f"torch.stack([{filled} for {kept} in {every}])"),
        ]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        assert tensors[0] is not None
        single = len(tensors[0].shape) == 2
        first = builder.constant([0])
        boxes, scores, idxs = (builder.op("Unsqueeze", x, first) if single and x is not None else x for x in inputs)
        chosen = self.chosen(builder, self.proper(builder, boxes, idxs), scores)
        batch = builder.op("Shape", boxes, start=0, end=1)
        sample, box = (builder.op("Gather", chosen, builder.constant(at), axis=1) for at in (0, 2))
        places = self.places(builder, sample, batch)
        most = builder.constant([self.max_output])
        empty = builder.op("Expand", builder.constant(NONE), builder.op("Concat", batch, most, axis=0))
        made = builder.op("ScatterND", empty, places, box)
        return builder.op("Squeeze", made, first) if single else made

    def proper(self, builder: OnnxBuilder, boxes: Any, idxs: Any) -> Any:
        """The boxes, those with swapped corners without area, as torch sees them; and each number's apart."""
        start, end = builder.op("Split", boxes, outputs=2, axis=2, num_outputs=2)
        boxes = builder.op("Concat", start, builder.op("Max", start, end), axis=2)
        if idxs is None:
            return boxes
        beyond = builder.op("Add", builder.op("ReduceMax", end, keepdims=0), builder.constant(1.0, "float32"))
        apart = builder.op("Mul", builder.cast(idxs, "float32"), beyond)
        return builder.op("Add", boxes, builder.op("Unsqueeze", apart, builder.constant([2])))

    def chosen(self, builder: OnnxBuilder, boxes: Any, scores: Any) -> Any:
        """Rows of the sample's number, 0, and the box's index, in the order of the samples and of the scores."""
        scores = builder.op("Unsqueeze", scores, builder.constant([1]))
        most = builder.constant([self.max_output])
        return builder.op("NonMaxSuppression", boxes, scores, most, builder.constant([self.iou_threshold], "float32"))

    def places(self, builder: OnnxBuilder, sample: Any, batch: Any) -> Any:
        """The place of each box: the sample's number, and how many boxes of the sample come before."""
        zero, one, behind = builder.constant(0), builder.constant(1), builder.constant([1])
        samples = builder.op("Range", zero, builder.op("Squeeze", batch, builder.constant([0])), one)
        own = builder.op("Equal", sample, builder.op("Unsqueeze", samples, behind))
        counts = builder.op("ReduceSum", builder.cast(own, "int64"), behind, keepdims=0)
        starts = builder.op("CumSum", counts, zero, exclusive=1)
        count = builder.op("Squeeze", builder.op("Shape", sample), builder.constant([0]))
        rank = builder.op("Sub", builder.op("Range", zero, count, one), builder.op("Gather", starts, sample, axis=0))
        return builder.op("Concat", *(builder.op("Unsqueeze", x, behind) for x in (sample, rank)), axis=1)

    def detail(self) -> str:
        return f"IoU {self.iou_threshold:.6g}, {self.max_output}"
