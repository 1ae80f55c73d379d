"""Bags of embeddings: the rows that a bag of integers names, as one."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from netspec.dims import Shape, Size, product
from netspec.ops.core.arguments import Positive
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import viewed
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder, as_number
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.sizes import count_up
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor, need_rank


class EmbeddingBag(Op):
    """Sum, mean or maximum of the learned rows of each bag (``torch.nn.EmbeddingBag``): (N, B) of int64 -> (N, D).

    With ``offsets`` (N) the bags of an input (L) begin there, and may be empty. ``per_sample_weights`` weigh the rows
    of a sum.
    """

    name = "embedding_bag"
    onnx_exact = True
    family = "sequence"
    torch = "nn.EmbeddingBag"
    main = "embedding_dim"
    ports = ("input", "offsets", "per_sample_weights")
    optional = ("offsets", "per_sample_weights")
    covers = ("F.embedding_bag",)
    without = ("max_norm", "norm_type", "scale_grad_by_freq", "sparse")
    any_dtype = True

    num_embeddings: Positive
    embedding_dim: Positive
    mode: Literal["sum", "mean", "max"] = "mean"
    include_last_offset: bool = False
    padding_idx: int | None = None

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        weight, said = call.tensor("weight"), call.arguments
        if weight is None or not weight.key:
            return None
        modes = {"mode": ("sum", "mean", "max")[said.get("mode", 0)]}
        kept = {name: said[name] for name in ("include_last_offset", "padding_idx") if said.get(name) is not None}
        sizes = {"num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1]}
        inputs = (call.tensor("indices"), call.tensor("offsets"), call.tensor("per_sample_weights"))
        return OpReading({**sizes, **modes, **kept}, inputs, {"weight": weight}, call.outputs[:1])

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        x, offsets, weights = inputs
        assert x is not None
        if x.dtype != "int64" or (offsets is not None and offsets.dtype != "int64"):
            raise ShapeError(f"{self.name} takes int64, but got {x.dtype if offsets is None else offsets.dtype}")
        if self.padding_idx is not None and not -self.num_embeddings <= self.padding_idx < self.num_embeddings:
            text = f"padding_idx {self.padding_idx} is not one of the {self.num_embeddings} rows"
            raise ShapeError(text, argument="padding_idx")
        if weights is not None and (self.mode != "sum" or "float" not in weights.dtype):
            raise ShapeError(f"{self.name} takes weights, which are real, for the mode `sum` only", argument="mode")
        if offsets is None:
            need_rank(self.name, x.shape, 2, layout="[N, B], or [L] with offsets")
            return (Tensor((x.shape[0], self.embedding_dim)),)
        need_rank(self.name, x.shape, 1, layout="[L] with offsets")
        need_rank(self.name, offsets.shape, 1, layout="offsets [N]")
        return (Tensor((offsets.shape[0] - int(self.include_last_offset), self.embedding_dim)),)

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        x, _, weights = inputs
        if x is None or weights is None:
            return
        if len(x.shape) != len(weights.shape):
            raise ShapeError(f"{self.name} takes a weight for each integer")
        yield from (
            (left, right, f"{self.name} takes a weight for each integer") for left, right in zip(x.shape, weights.shape)
        )

    def parameters(self, *inputs: Tensor | None) -> Mapping[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        if port == "offsets" and inputs[0] is not None:
            return InputRange(below=inputs[0].shape[0] + 1, first=0, ordered=True)
        return InputRange(below=self.num_embeddings) if port == "input" else None

    def module(self, *inputs: Tensor | None) -> Constructor:
        keywords = self.changed()
        return Constructor(
            self.torch, {name: keywords.pop(name) for name in ("num_embeddings", "embedding_dim")}, keywords
        )

    def statements(self, forward: ForwardCall) -> list[str]:
        x, offsets, weights = forward.arguments
        named = [] if weights is None else [f"per_sample_weights={weights}"]
        given = [str(x), *([] if offsets is None else [offsets]), *named]
        return [forward.assign(f"{forward.module}({', '.join(given)})")]

    def saved(self, run: OpRun) -> Saved:
        """The integers and weights, in a row; where each bag begins; the bag of each integer, but for a plain sum; the
        bags' sizes; which of them gave the maximum.
        """
        x, offsets, weights = run.inputs
        row = None if weights is None else viewed(weights.shape, run.strides[2], (product(weights.shape),))
        bags = Tensor((run.outputs[0].shape[0],), "int64")
        plain = self.mode == "sum" and self.padding_idx is None and (row is None or row.strides is None)
        bag_of_each = Tensor((0,) if plain else (product(x.shape) + 1,), "int64")  # and one behind the last
        sizes = bags if offsets is None else Tensor(offsets.shape, "int64")
        made = [bag_of_each, sizes, Tensor(run.outputs[0].shape, "int64") if self.mode == "max" else bags]
        made += [bags] if offsets is None else []
        in_a_row = [run.strides[0] is None, run.strides[1] is None, row is not None]
        given = [(at, tensor, in_a_row[at]) for at, tensor in enumerate(run.inputs) if tensor is not None]
        made += [tensor for _, tensor, whole in given if not whole]
        return Saved(tuple(at for at, _, whole in given if whole), made=tuple(made))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        x, offsets, weights = inputs
        rows = builder.op("Gather", builder.parameter("weight"), x)
        if weights is not None:
            rows = builder.op("Mul", rows, builder.op("Unsqueeze", weights, builder.constant([-1])))
        counts = self.belongs(builder, x, offsets)
        if self.mode == "max":
            return self.largest(builder, rows, counts, offsets is not None)
        size = weigh = as_number(builder, counts, "float32")
        if offsets is None:
            weigh = builder.op("Unsqueeze", weigh, builder.constant([1]))
            total = builder.op("Squeeze", builder.op("MatMul", weigh, rows), builder.constant([1]))
        else:
            total = builder.op("MatMul", weigh, rows)
        if self.mode == "sum":
            return total
        size = builder.op("ReduceSum", size, builder.constant([-1]), keepdims=1)
        return builder.op("Div", total, builder.op("Max", size, builder.constant(1.0, "float32")))

    def belongs(self, builder: OnnxBuilder, x: Any, offsets: Any) -> Any:
        """Return whether an integer (column) counts in a bag (row)."""
        padding = builder.constant(-1 if self.padding_idx is None else self.padding_idx % self.num_embeddings)
        present = builder.op("Not", builder.op("Equal", x, padding))
        if offsets is None:
            return present
        length = builder.op("Shape", x)
        if self.include_last_offset:
            begins = builder.op("Slice", offsets, builder.constant([0]), builder.constant([-1]))
            ends = builder.op("Slice", offsets, builder.constant([1]), builder.constant([2**63 - 1]))
        else:
            begins = offsets
            later = builder.op("Slice", offsets, builder.constant([1]), builder.constant([2**63 - 1]))
            ends = builder.op("Concat", later, length, axis=0)
        begins, ends = (builder.op("Unsqueeze", each, builder.constant([1])) for each in (begins, ends))
        places = count_up(builder, length)
        inside = builder.op("And", builder.op("GreaterOrEqual", places, begins), builder.op("Less", places, ends))
        return builder.op("And", inside, present)

    def largest(self, builder: OnnxBuilder, rows: Any, counts: Any, apart: bool) -> Any:
        """The maximum of each bag's rows, 0 where it has none; ``apart``: the rows have no dimension of bags."""
        if apart:
            rows = builder.op("Unsqueeze", rows, builder.constant([0]))
        shown = builder.op("Unsqueeze", counts, builder.constant([2]))
        kept = builder.op("Where", shown, rows, builder.constant(float("-inf"), "float32"))
        most = builder.op("ReduceMax", kept, builder.constant([1]), keepdims=0)
        some = builder.op("ReduceMax", builder.cast(counts, "int32"), builder.constant([1]), keepdims=1)
        return builder.op("Where", builder.cast(some, "bool"), most, builder.constant(0.0, "float32"))

    def detail(self) -> str:
        return f"{self.num_embeddings} × {self.embedding_dim}, {self.mode}"
