"""Embeddings: a learned row for each integer; and the integer itself, one-hot."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from netspec.dims import Shape
from netspec.ops.core.arguments import Positive
from netspec.ops.core.foreign import ForeignCall, OpReading, is_weight
from netspec.ops.core.op import Op
from netspec.ops.core.roles.low_rank import LowRank
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor, need_integers


class Embedding(Op):
    """A learned row for each integer (``torch.nn.Embedding``): (…) of int64 -> (…, embedding_dim)."""

    name = "embedding"
    family = "sequence"
    torch = "nn.Embedding"
    main = "embedding_dim"
    without = ("max_norm", "norm_type", "scale_grad_by_freq", "sparse")
    aten_names = MappingProxyType({"indices": "input", "scale_grad_by_freq": None, "sparse": None})
    any_dtype = True
    batched_over_leading_dims = True
    saved_for_backward = "input"
    onnx_nodes = ("Gather",)

    num_embeddings: Positive
    embedding_dim: Positive
    padding_idx: int | None = None

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        weight, reading = call.tensor("weight"), super().from_aten(call)
        if reading is None or weight is None:
            return None
        return reading.saying(num_embeddings=weight.shape[0], embedding_dim=weight.shape[1])

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        weight, index = call.tensor("data"), call.tensor("indices")
        learned = weight is not None and is_weight(weight, 2) and weight.dtype == "float32"
        if not learned or weight is None or index is None or is_weight(index) or call.arguments.get("axis", 0):
            return None
        arguments = dict(zip(("num_embeddings", "embedding_dim"), weight.shape))
        return OpReading(arguments, (index,), {"weight": weight}, call.outputs)

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_integers(self.name, inputs[0])
        if self.padding_idx is not None and not -self.num_embeddings <= self.padding_idx < self.num_embeddings:
            text = f"padding_idx {self.padding_idx} is not one of the {self.num_embeddings} rows"
            raise ShapeError(text, argument="padding_idx")
        return (Tensor((*inputs[0].shape, self.embedding_dim)),)

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def low_rank(self, rank: int, *inputs: Tensor) -> LowRank | None:
        from netspec.ops.linear.linear import Linear  # most embeddings are not changed so

        down, up = self.model_copy(update={"embedding_dim": rank}), Linear(out_features=self.embedding_dim, bias=False)
        return LowRank(down, up, min(self.num_embeddings, self.embedding_dim), zeros="down")

    def change(self, down: Any, up: Any) -> Any:
        return down @ up.transpose(0, 1)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        return InputRange(below=self.num_embeddings)

    def module(self, *inputs: Tensor) -> Constructor:
        sizes = {"num_embeddings": self.num_embeddings, "embedding_dim": self.embedding_dim}
        keywords = {} if self.padding_idx is None else {"padding_idx": self.padding_idx}
        return Constructor(self.torch, sizes, keywords)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("Gather", builder.parameter("weight"), inputs[0])

    def detail(self) -> str:
        return f"{self.num_embeddings} × {self.embedding_dim}"


class OneHot(Op):
    """1 at the place that each integer names, else 0 (``F.one_hot``): (…) of int64 -> (…, num_classes)."""

    name = "one_hot"
    family = "shape"
    functional = "F.one_hot"
    main = "num_classes"
    any_dtype = True
    saved_for_backward = "nothing"

    num_classes: Positive

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        need_integers(self.name, inputs[0], "int64")
        return (Tensor((*inputs[0].shape, self.num_classes), "int64"),)

    def input_range(self, port: str, *inputs: Tensor) -> InputRange | None:
        return InputRange(below=self.num_classes)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op("OneHot", inputs[0], builder.constant(self.num_classes), builder.constant([0, 1]))
