"""Normalisation across neighbouring channels."""

from collections.abc import Sequence
from typing import Any

from netspec.dims import Shape
from netspec.ops.core.arguments import Positive
from netspec.ops.core.op import Op
from netspec.ops.core.roles.behaviour import PLACE, AccessWindow
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import HALVES, Tensor, need_rank


class LocalResponseNorm(Op):
    """Divides by (k + alpha · mean x² of ``size`` channels)^beta (``torch.nn.LocalResponseNorm``): (N, C, …), kept."""

    name = "local_response_norm"
    onnx_exact = True
    onnx_nodes = ("LRN",)
    onnx_names = {"bias": "k"}
    onnx_lacks = ("float64",)
    torch_lacks = HALVES
    family = "norm"
    torch = "nn.LocalResponseNorm"
    functional = "F.local_response_norm"
    main = "size"
    elementwise = True

    size: Positive
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def access_windows(self, rank: int) -> tuple[AccessWindow, ...] | None:
        return (PLACE,) * rank

    def output_shape(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) < 3:
            need_rank(self.name, shapes[0], 3, layout="[N, C, …] of at least three dimensions")
        return shapes[0]

    def saved(self, run: OpRun) -> Saved:
        x = run.inputs[0]
        batch, channels, *spatial = x.shape
        squares = Tensor((batch, channels + self.size - 1, *spatial), x.dtype)
        return Saved((0,), made=(squares, x, x))  # padded; their mean · alpha + k; that to the power of beta

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        squares = builder.op("Reshape", builder.op("Mul", inputs[0], inputs[0]), builder.constant([0, 0, -1]))
        squares = builder.op("Unsqueeze", squares, builder.constant([1]))
        pads = [self.size // 2, 0, (self.size - 1) // 2, 0]
        mean = builder.op("AveragePool", squares, kernel_shape=[self.size, 1], pads=pads, count_include_pad=1)
        mean = builder.op("Reshape", mean, builder.op("Shape", inputs[0]))
        alpha, beta, k = (builder.constant(value, tensors[0].dtype) for value in (self.alpha, self.beta, self.k))
        return builder.op(
            "Div", inputs[0], builder.op("Pow", builder.op("Add", builder.op("Mul", mean, alpha), k), beta)
        )
