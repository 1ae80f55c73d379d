"""Attention by distance: the biases of ALiBi, and for learned ones the buckets of T5 and the places of Swin."""

import math
from collections.abc import Sequence
from typing import Annotated, Any

from netspec.dims import Shape
from netspec.ops.core.arguments import INTEGER, Listed, Positive, is_integer
from netspec.ops.core.op import Op
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.sizes import count_up
from netspec.ops.core.tensors import ShapeError, Tensor, need_rank


class Distances(Op):
    """Base of what follows from the distance of each key from each query, of which the last ones are at one place."""

    family = "sequence"
    ports = ("query", "key")
    optional = ("key",)
    any_dtype = True
    saved_for_backward = "nothing"

    def lengths(self, inputs: Sequence[Tensor | None]) -> Shape:
        """The number of queries and that of keys."""
        shapes = [tensor.shape for tensor in inputs if tensor is not None]
        for shape in shapes:
            if len(shape) < 2:
                need_rank(self.name, shape, 2, layout="at least two dimensions")
        return shapes[0][-2], shapes[-1][-2]

    def distance(self, arguments: Sequence[str]) -> str:
        """The distances (L, S) in PyTorch: the key's place less the query's."""
        first, last = arguments[0], arguments[-1]
        begin = "" if first == last else f"{last}.size(-2) - {first}.size(-2), "
        queries = f"torch.arange({begin}{last}.size(-2), device={first}.device).unsqueeze(1)"
        return f"torch.arange({last}.size(-2), device={first}.device) - {queries}"

    def distance_onnx(self, builder: OnnxBuilder, inputs: Sequence[Any]) -> Any:
        """The distances in ONNX."""
        given = [x for x in inputs if x is not None]
        queries, keys = (builder.op("Shape", x, start=-2, end=-1) for x in (given[0], given[-1]))
        places = count_up(builder, queries)
        if len(given) > 1:
            places = builder.op("Add", places, builder.op("Sub", keys, queries))
        return builder.op("Sub", count_up(builder, keys), builder.op("Unsqueeze", places, builder.constant([1])))


class Alibi(Distances):
    """The bias that ALiBi adds to scores, −slope · distance (Press et al. 2022): -> (num_heads, L, S).

    It is a mask for ``scaled_dot_product_attention``. The slopes of 8 heads are 1/2, 1/4, … 1/256.
    """

    name = "alibi"
    main = "num_heads"

    num_heads: Positive

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        query = inputs[0]
        assert query is not None
        dtype = query.dtype if "float" in query.dtype else "float32"
        return (Tensor((self.num_heads, *self.lengths(inputs)), dtype),)

    def slopes(self) -> list[float]:
        """The slope of each head; where their number is no power of 2, those between come last."""
        whole = 2 ** math.floor(math.log2(self.num_heads))
        first = [2 ** (-8 * (at + 1) / whole) for at in range(whole)]
        between = [2 ** (-8 * (2 * at + 1) / (2 * whole)) for at in range(self.num_heads - whole)]
        return first + between

    def statements(self, forward: ForwardCall) -> list[str]:
        slopes = forward.fresh("slopes")
        first, tensor = forward.present[0], forward.inputs[0]
        dtype = f"{first}.dtype" if "float" in tensor.dtype else "torch.float32"
        made = f"torch.tensor({self.slopes()}, dtype={dtype}, device={first}.device)"
        return [
            f"{slopes} = {made}",
            forward.assign(f"({self.distance(forward.present)}).abs() * -{slopes}.view(-1, 1, 1)"),
        ]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        dtype = self.infer(*tensors)[0].dtype
        slopes = builder.constant([[[-slope]] for slope in self.slopes()], dtype)
        return builder.op("Mul", builder.cast(builder.op("Abs", self.distance_onnx(builder, inputs)), dtype), slopes)


class RelativePositionBuckets(Distances):
    """The bucket of each distance as T5 has them (Raffel et al. 2020), an index of learned biases: -> (L, S), int64.

    Half the buckets are for one distance each, the others grow up to ``max_distance``. With ``bidirectional`` keys
    ahead have buckets of their own; without, all are in that of distance 0.
    """

    name = "relative_position_buckets"
    main = "num_buckets"

    num_buckets: Positive = 32
    max_distance: Positive = 128
    bidirectional: bool = True

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        sides = 2 if self.bidirectional else 1
        if self.num_buckets < 2 * sides or self.num_buckets % (2 * sides):
            raise ShapeError(f"num_buckets must be a multiple of {2 * sides}", argument="num_buckets")
        if self.max_distance <= self.per_side() // 2:
            text = f"max_distance must be above {self.per_side() // 2}, the distances that have a bucket each"
            raise ShapeError(text, argument="max_distance")
        return (Tensor(self.lengths(inputs), "int64"),)

    def per_side(self) -> int:
        return self.num_buckets // 2 if self.bidirectional else self.num_buckets

    def begins(self) -> list[int]:
        """The least distance in each bucket from the second on."""
        exact = self.per_side() // 2
        growth = (self.max_distance / exact) ** (1 / (self.per_side() - exact))
        above = [exact * growth**at for at in range(1, self.per_side() - exact)]
        return [*range(1, exact + 1), *(math.ceil(size - 1e-6) for size in above)]

    def statements(self, forward: ForwardCall) -> list[str]:
        distance, begins = forward.fresh("distance"), forward.fresh("begins")
        far = f"{distance}.abs()" if self.bidirectional else f"(-{distance}).clamp(min=0)"
        bucket = f"torch.bucketize({far}, {begins}, right=True)"
        if self.bidirectional:
            bucket = f"{bucket} + ({distance} > 0) * {self.per_side()}"
        return [
            f"{distance} = {self.distance(forward.present)}",
            f"{begins} = torch.tensor({self.begins()}, device={distance}.device)",
            forward.assign(bucket),
        ]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        distance, zero = self.distance_onnx(builder, inputs), builder.constant(0)
        far = builder.op("Abs", distance)
        if not self.bidirectional:
            far = builder.op("Max", builder.op("Neg", distance), zero)
        reached = builder.op("Unsqueeze", far, builder.constant([-1]))
        reached = builder.cast(builder.op("GreaterOrEqual", reached, builder.constant(self.begins())), "int64")
        bucket = builder.op("ReduceSum", reached, builder.constant([-1]), keepdims=0)
        if not self.bidirectional:
            return bucket
        ahead = builder.cast(builder.op("Greater", distance, zero), "int64")
        return builder.op("Add", bucket, builder.op("Mul", ahead, builder.constant(self.per_side())))


class RelativePositionIndex(Op):
    """The place of each pair of a window's elements in Swin's table of biases: -> (A, A) for A elements, int64.

    The table (Liu et al. 2021) has a row for each difference of places, ∏(2·size − 1) of them: a ``parameter``, of
    which ``take`` reads these rows. ``like`` lends its device.
    """

    name = "relative_position_index"
    family = "sequence"
    main = "window_size"
    ports = ("like",)
    optional = ("like",)
    any_dtype = True
    saved_for_backward = "nothing"

    window_size: Annotated[Any, Listed("a list of sizes", lambda value: is_integer(value) and value > 0, INTEGER)]

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        count = math.prod(self.window_size)
        return (Tensor((count, count), "int64"),)

    def rows(self) -> list[int]:
        """The number of each element, such that the difference of two is that of their places in the table."""
        made = [0]
        for size in self.window_size:
            made = [(2 * size - 1) * row + at for row in made for at in range(size)]
        return made

    def statements(self, forward: ForwardCall) -> list[str]:
        rows = forward.fresh("rows")
        device = "".join(f", device={name}.device" for name in forward.present)
        places = forward.fresh("places")
        lines = [f"{places} = torch.arange({math.prod(self.window_size)}{device})"]
        terms, inner, step = [], 1, 1
        for size in reversed(self.window_size):
            outer = f"{places} // {inner}" if inner > 1 else places
            terms.append(f"{outer} % {size} * {step}" if step > 1 else f"{outer} % {size}")
            inner, step = inner * size, step * (2 * size - 1)
        lines.append(f"{rows} = {' + '.join(reversed(terms))}")
        return [*lines, forward.assign(f"{rows}.unsqueeze(1) - {rows} + {max(self.rows())}")]

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        rows, most = self.rows(), max(self.rows())
        return builder.op("Sub", builder.constant([[row + most] for row in rows]), builder.constant(rows))

    def detail(self) -> str:
        return "×".join(map(str, self.window_size))
