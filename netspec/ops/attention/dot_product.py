"""Scaled dot-product attention: each query averages the values by its products with the keys."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.attention.products import attention_weights, only_seeing, repeated_heads, scaled, seen
from netspec.ops.core.agreement import broadcast, differ, one_dtype, repeated
from netspec.ops.core.arguments import Probability
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import NEW, OutputLayout, like, viewed
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved, precise
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor, known, need_rank


class ScaledDotProductAttention(Op):
    """softmax(scale · Q·Kᵀ)·V (``F.scaled_dot_product_attention``): (…, L, E), (…, S, E), (…, S, V) -> (…, L, V).

    In front stand the batch and the heads, (N, H), or N alone, nothing, or more. ``attn_mask`` (…, L, S) is true where
    a query may look, or is added to the products. ``is_causal`` lets query i look at the first i + 1 keys only. With
    ``enable_gqa`` keys and values have fewer heads, each for a group of queries. ``scale`` is 1/√E where not given.
    """

    name = "scaled_dot_product_attention"
    family = "sequence"
    functional = "F.scaled_dot_product_attention"
    ports = ("query", "key", "value", "attn_mask")
    optional = ("attn_mask",)
    autocast = "bfloat16"

    dropout_p: Probability = 0.0
    is_causal: bool = False
    scale: float | None = None
    enable_gqa: bool = False

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Return the reading, without a scale that is the default."""
        query, reading = call.tensor("query"), super().from_aten(call)
        if reading is None or query is None or not isinstance(query.shape[-1], int):
            return reading
        usual = math.isclose(reading.arguments.get("scale") or 0, query.shape[-1] ** -0.5, rel_tol=1e-6)
        return reading.saying(scale=None) if usual else reading

    def may_be_none(self, port: str) -> bool:
        return not self.is_causal

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(first=1) if port == "attn_mask" else None

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        query, key, value, mask = self.shapes(inputs)
        yield query[-1], key[-1], "attention multiplies queries and keys, which must have the same length"
        yield key[-2], value[-2], "attention takes as many values as keys"
        heads = -3 if self.enable_gqa else -2
        yield from ((left, right, "attention takes one batch") for left, right in zip(query[:heads], key[:heads]))
        yield from ((left, right, "attention takes one batch") for left, right in zip(key[:-2], value[:-2]))
        if mask is not None:
            yield from repeated(self.name, [(*query[:-1], key[-2]), mask])

    def shapes(self, inputs: Sequence[Tensor | None]) -> tuple[Shape, Shape, Shape, Shape | None]:
        """The shapes of query, key, value and mask; guards the ranks."""
        query, key, value, mask = (None if tensor is None else tensor.shape for tensor in inputs)
        assert query is not None
        assert key is not None
        assert value is not None
        if len(query) < 2:
            need_rank(self.name, query, 2, layout="[N, H, L, E]")
        if len(key) != len(query) or len(value) != len(query):
            found = f"{pretty_shape(query)}, {pretty_shape(key)} and {pretty_shape(value)}"
            raise ShapeError(f"{self.name} takes inputs with the same number of dimensions, but got {found}")
        return query, key, value, mask

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        query, key, value, mask = self.shapes(inputs)
        one_dtype(self.name, [tensor for tensor in inputs[:3] if tensor is not None])
        assert inputs[0] is not None
        if "float" not in inputs[0].dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {inputs[0].dtype}")
        if differ(query[-1], key[-1]) or differ(key[-2], value[-2]):
            found = f"{pretty_shape(query)}, {pretty_shape(key)} and {pretty_shape(value)}"
            raise ShapeError(f"{self.name} takes [N, H, L, E], [N, H, S, E] and [N, H, S, V], but got {found}")
        batch, others = (shape[: -3 if self.enable_gqa else -2] for shape in (query, key))
        if any(map(differ, batch, others)) or any(map(differ, key[:-2], value[:-2])):
            found = f"{pretty_shape(query)}, {pretty_shape(key)} and {pretty_shape(value)}"
            raise ShapeError(f"{self.name} takes equal sizes before the last two, but got {found}")
        if self.enable_gqa:
            self.guard_groups(query, key)
        if mask is not None:
            self.guard_mask(inputs[3], (*query[:-1], key[-2]), inputs[0].dtype)
        return (Tensor((*query[:-1], value[-1]), inputs[0].dtype),)

    def guard_groups(self, query: Shape, key: Shape) -> None:
        if len(query) < 4:
            need_rank(self.name, query, 4, layout="[N, H, L, E] for grouped queries")
        heads, groups = (known(shape[-3], f"the number of heads that {self.name} takes") for shape in (query, key))
        if heads % groups:
            raise ShapeError(f"{heads} heads of queries cannot be divided into {groups} groups", argument="enable_gqa")

    def guard_mask(self, mask: Tensor | None, scores: Shape, dtype: str) -> None:
        assert mask is not None
        if mask.dtype not in ("bool", dtype):
            raise ShapeError(f"{self.name} takes a mask of booleans or {dtype}, but got {mask.dtype}")
        if len(mask.shape) > len(scores) or any(map(differ, broadcast(self.name, scores, mask.shape), scores)):
            raise ShapeError(f"{self.name} takes a mask for {pretty_shape(scores)}, but got {pretty_shape(mask.shape)}")

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        query, key, value, _ = self.shapes(inputs)
        return product(query[:-1]) * key[-2] * (query[-1] + value[-1])

    def statements(self, forward: ForwardCall) -> list[str]:
        """One call. PyTorch takes a mask or is_causal, not both: with both, what lies ahead is masked before it."""
        query, key, value, given = forward.arguments
        if given is None or not self.is_causal:
            return [forward.assign(self.call(forward.present, forward.inputs))]
        mask, (tensor,) = forward.fresh("mask"), forward.inputs[3:]
        assert tensor is not None
        size = f"{query}.size(-2), {key}.size(-2)"
        if tensor.dtype == "bool":
            joined = f"{given} & torch.ones({size}, dtype=torch.bool, device={query}.device).tril()"
        else:
            joined = f"{given} + torch.full(({size}), -torch.inf, device={query}.device).triu(1)"
        line = f"{mask} = {joined}"
        return [line, forward.assign(self.call([str(query), str(key), str(value), mask], forward.inputs))]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        keywords = self.changed()
        dropout = keywords.pop("dropout_p", None)
        if arguments[3:]:
            keywords.pop("is_causal", None)
        named = [f"attn_mask={mask}" for mask in arguments[3:]]
        named += [] if dropout is None else [f"dropout_p={dropout} if self.training else 0.0"]
        named += [f"{name}={value}" for name, value in keywords.items()]
        return f"{self.functional}({', '.join([*arguments[:3], *named])})"

    def is_fused(self, run: OpRun) -> bool:
        """Return whether torch has one kernel: for four dimensions, values as wide as queries, rows without gaps; on
        CPU only without dropout.
        """
        if run.on_cpu and run.training and self.dropout_p:
            return False
        query, value = run.inputs[0].shape, run.inputs[2].shape
        if len(query) != 4 or query[-1] != value[-1]:
            return False
        return all(strides is None or strides[-1] == 1 for strides in run.strides[:3])

    def saved(self, run: OpRun) -> Saved:
        """The fused kernel keeps what it is given, its result, and a logarithm for each query."""
        query, key, _, mask = run.inputs
        if not self.is_fused(run):
            return self.saved_by_steps(run, self.scores(run))
        scores = (*query.shape[:-1], key.shape[-2])
        tensors = [Tensor(query.shape[:-1])]
        if mask is None:
            return Saved((0, 1, 2), (0,), tuple(tensors))
        if self.is_causal:
            tensors.append(Tensor(broadcast(self.name, mask.shape, scores[-2:]), query.dtype))
        elif mask.dtype == "bool":
            tensors.append(Tensor(mask.shape, query.dtype))
        return Saved((0, 1, 2) if len(tensors) > 1 else (0, 1, 2, 3), (0,), tuple(tensors))

    def saved_by_steps(self, run: OpRun, weights: Tensor) -> Saved:
        """Return what products and a softmax save: queries and keys scaled, the weights, the values."""
        query, key, value, _ = run.inputs
        batch, dtype = query.shape[:-2], precise(query.dtype)
        queries, keys, values = (Tensor((*batch, *tensor.shape[-2:]), dtype) for tensor in (query, key, value))
        asked, answered, _, masked = run.needs
        made = [weights, *([queries] if answered else []), *([keys] if asked else [])]
        made += [weights if run.on_cpu else Tensor(weights.shape, "bool"), weights] if self.dropout_p else []
        if not (asked or answered or masked):
            return Saved(made=tuple(made))
        repeated = dtype != value.dtype or (self.enable_gqa and key.shape[-3] != query.shape[-3])
        rows = (product(batch), *value.shape[-2:])
        if repeated or (len(batch) > 1 and viewed(value.shape, run.strides[2], rows) is None):
            return Saved(made=(*made, values))
        return Saved((2,), made=tuple(made))

    def forward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the scores, and again as they are masked."""
        return () if self.is_fused(run) else (self.scores(run),) * (2 if self.is_causal or run.inputs[3] else 1)

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the gradients of the weights, and of the scores behind them."""
        return () if self.is_fused(run) else (self.scores(run),) * 2

    def scores(self, run: OpRun) -> Tensor:
        """The tensor of a score for each query and key, in float32 where no kernel does it all."""
        query, key = run.inputs[:2]
        return Tensor((*query.shape[:-1], key.shape[-2]), precise(query.dtype))

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        """The fused kernel's result lies as the queries do."""
        return (
            (OutputLayout(None, like(run.outputs[0].shape, [(run.inputs[0].shape, run.strides[0])])),)
            if self.is_fused(run)
            else (NEW,)
        )

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        if not builder.has("Attention"):
            return self.products_onnx(builder, inputs, tensors)
        query, key, _, mask = self.shapes(tensors)
        *values, given = inputs
        missing = list(range(4 - len(query)))
        if len(query) == 3:  # of the batch, so that each sample has one head
            missing = [1]
        leading = builder.op("Shape", values[0], start=0, end=-3) if len(query) > 4 else None
        if mask is not None:
            given = self.mask_onnx(builder, inputs, mask, (query, key), leading)
        if missing:
            values = [builder.op("Unsqueeze", x, builder.constant(missing)) for x in values]
        elif leading is not None:
            values = [one_batch(builder, x) for x in values]
        attributes: dict[str, Any] = {"is_causal": 1} if self.is_causal else {}
        attributes |= {} if self.scale is None else {"scale": self.scale}
        result = builder.op("Attention", *values, given, **attributes)
        if leading is not None:
            sizes = builder.op("Concat", leading, builder.op("Shape", result, start=1), axis=0)
            return builder.op("Reshape", result, sizes)
        return builder.op("Squeeze", result, builder.constant(missing)) if missing else result

    def products_onnx(self, builder: OnnxBuilder, inputs: Sequence[Any], tensors: Sequence[Tensor | None]) -> Any:
        """The nodes of opsets without one for attention, which take any number of dimensions."""
        (query, key, value, mask), (first, others, _, masked) = inputs, tensors
        assert first is not None
        assert others is not None
        rank = len(first.shape)
        query = scaled(builder, query, first.shape[-1], self.scale, first)
        if self.enable_gqa and first.shape[-3] != others.shape[-3]:
            heads, groups = known(first.shape[-3], "heads"), known(others.shape[-3], "heads")
            key, value = (repeated_heads(builder, x, rank, heads, heads // groups) for x in (key, value))
        causal = (first.shape[-2], others.shape[-2]) if self.is_causal else None
        truth = masked is not None and masked.dtype == "bool"
        if truth and causal:
            mask, causal = builder.op("And", mask, seen(builder, query, key, causal)), None
        weights = attention_weights(builder, query, key, rank, mask, first.dtype, causal, truth)
        result = builder.op("MatMul", weights, value)
        return only_seeing(builder, result, mask, first.dtype) if truth else result

    def mask_onnx(
        self, builder: OnnxBuilder, inputs: Sequence[Any], mask: Shape, shapes: tuple[Shape, Shape], leading: Any
    ) -> Any:
        """The mask for queries and keys of four dimensions; ``leading`` are the sizes that the batch is made of."""
        given, (query, key) = inputs[3], shapes
        sizes = (1,) * (len(query) - len(mask)) + mask
        if len(mask) < 2 or any(have != want for have, want in zip(sizes[-2:], (query[-2], key[-2]))):
            ends = [builder.op("Shape", x, start=-2, end=-1) for x in inputs[:2]]
            given = builder.op("Expand", given, builder.op("Concat", *ends, axis=0))
        if len(query) == 3 and len(mask) == 3:
            return builder.op("Unsqueeze", given, builder.constant([1]))
        if leading is not None and len(mask) > 3:
            whole = builder.op("Concat", leading, builder.constant([1, 1, 1]), axis=0)
            return one_batch(builder, builder.op("Expand", given, whole))
        return given

    def detail(self) -> str:
        return "causal" if self.is_causal else ""


def one_batch(builder: OnnxBuilder, x: Any) -> Any:
    """The value with all dimensions before the last three as one."""
    sizes = builder.op("Concat", builder.constant([-1]), builder.op("Shape", x, start=-3), axis=0)
    return builder.op("Reshape", x, sizes)
