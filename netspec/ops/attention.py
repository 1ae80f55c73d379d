"""Attention: each query takes a weighted mean of the values, by how its product with their keys compares."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.arithmetic import broadcast, repeated
from netspec.ops.compare import need_bool
from netspec.ops.core.arguments import Positive, Probability
from netspec.ops.core.base import (
    Constructor,
    Numbers,
    OnnxBuilder,
    Op,
    Run,
    Saved,
    ShapeError,
    Tensor,
    assigned,
    axis_of,
    known,
    need_rank,
)
from netspec.ops.core.layout import NEW, Place, folds, like, shortened
from netspec.ops.join import one_dtype
from netspec.ops.shape import differ

LEAST = -3.4028234663852886e38
"""The least number of float32."""


class ScaledDotProductAttention(Op):
    """softmax(scale · Q·Kᵀ)·V (``F.scaled_dot_product_attention``): (…, L, E), (…, S, E), (…, S, V) -> (…, L, V).

    In front stand the batch and the heads, (N, H), or N alone, or nothing. ``attn_mask`` (…, L, S) is true where a
    query may look, or is added to the products. ``is_causal`` lets query i look at the first i + 1 keys only. With
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

    def nullable(self, port: str) -> bool:
        return not self.is_causal

    def numbers(self, port: str, *inputs: Tensor | None) -> Numbers | None:
        return Numbers(first=1) if port == "attn_mask" else None

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        query, key, value, mask = self.shapes(inputs)
        yield query[-1], key[-1], "attention multiplies queries and keys, which must be equally long"
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
        need_rank(self.name, query, 2, 3, 4, layout="[N, H, L, E]")
        if len(key) != len(query) or len(value) != len(query):
            found = f"{pretty_shape(query)}, {pretty_shape(key)} and {pretty_shape(value)}"
            raise ShapeError(f"{self.name} takes inputs with equally many dimensions, but got {found}")
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
        need_rank(self.name, query, 4, layout="[N, H, L, E] for grouped queries")
        heads, groups = (known(shape[1], f"the number of heads that {self.name} takes") for shape in (query, key))
        if heads % groups:
            raise ShapeError(f"{heads} heads of queries do not divide into {groups} groups", argument="enable_gqa")

    def guard_mask(self, mask: Tensor | None, scores: Shape, dtype: str) -> None:
        assert mask is not None
        if mask.dtype not in ("bool", dtype):
            raise ShapeError(f"{self.name} takes a mask of booleans or {dtype}, but got {mask.dtype}")
        if len(mask.shape) > len(scores) or any(map(differ, broadcast(self.name, scores, mask.shape), scores)):
            raise ShapeError(f"{self.name} takes a mask for {pretty_shape(scores)}, but got {pretty_shape(mask.shape)}")

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        query, key, value, _ = self.shapes(inputs)
        return product(query[:-1]) * key[-2] * (query[-1] + value[-1])

    def statements(
        self,
        module: str | None,
        arguments: Sequence[str | None],
        targets: Sequence[str | None],
        inputs: Sequence[Tensor | None],
        fresh: Callable[[str], str],
    ) -> list[str]:
        """One call. PyTorch takes a mask or is_causal, not both: with both, what lies ahead is masked before it."""
        query, key, value, given = arguments
        if given is None or not self.is_causal:
            return [f"{assigned(targets)} = {self.call([text for text in arguments if text is not None], inputs)}"]
        mask, (tensor,) = fresh("mask"), inputs[3:]
        assert tensor is not None
        size = f"{query}.size(-2), {key}.size(-2)"
        if tensor.dtype == "bool":
            joined = f"{given} & torch.ones({size}, dtype=torch.bool, device={query}.device).tril()"
        else:
            joined = f"{given} + torch.full(({size}), -torch.inf, device={query}.device).triu(1)"
        line = f"{mask} = {joined}"
        return [line, f"{assigned(targets)} = {self.call([str(query), str(key), str(value), mask], inputs)}"]

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        keywords = self.changed()
        dropout = keywords.pop("dropout_p", None)
        if arguments[3:]:
            keywords.pop("is_causal", None)
        named = [f"attn_mask={mask}" for mask in arguments[3:]]
        named += [] if dropout is None else [f"dropout_p={dropout} if self.training else 0.0"]
        named += [f"{name}={value}" for name, value in keywords.items()]
        return f"{self.functional}({', '.join([*arguments[:3], *named])})"

    def is_fused(self, run: Run) -> bool:
        """Whether torch has one kernel for it: for four dimensions, values as wide as queries, rows without gaps."""
        query, value = run.inputs[0].shape, run.inputs[2].shape
        if len(query) != 4 or query[-1] != value[-1]:
            return False
        return all(strides is None or strides[-1] == 1 for strides in run.strides[:3])

    def saved(self, run: Run) -> Saved:
        """The fused kernel keeps what it is given, its result, and a logarithm for each query.

        On CPU it takes no dropout; that is counted as on CUDA, where it does.
        """
        query, key, _, mask = run.inputs
        scores = (*query.shape[:-1], key.shape[-2])
        if not self.is_fused(run):
            return self.saved_by_steps(run, Tensor(scores, query.dtype))
        made = [Tensor(query.shape[:-1])]
        if mask is None:
            return Saved((0, 1, 2), (0,), tuple(made))
        if self.is_causal:
            made.append(Tensor(broadcast(self.name, mask.shape, scores[-2:]), query.dtype))
        elif mask.dtype == "bool":
            made.append(Tensor(mask.shape, query.dtype))
        return Saved((0, 1, 2) if len(made) > 1 else (0, 1, 2, 3), (0,), tuple(made))

    def saved_by_steps(self, run: Run, weights: Tensor) -> Saved:
        """What products and a softmax keep: queries and keys scaled, the weights, the values."""
        query, key, value, _ = run.inputs
        batch = query.shape[:-2]
        keys, values = (Tensor((*batch, *tensor.shape[-2:]), query.dtype) for tensor in (key, value))
        asked, answered, _, masked = run.needs
        made = [weights, *([query] if answered else []), *([keys] if asked else [])]
        made += [Tensor(weights.shape, "bool"), weights] if self.dropout_p else []
        if not (asked or answered or masked):
            return Saved(made=tuple(made))
        repeated = self.enable_gqa and key.shape[-3] != query.shape[-3]
        if repeated or (len(batch) == 2 and not folds(value.shape, run.strides[2])):
            return Saved(made=(*made, values))
        return Saved((2,), made=tuple(made))

    def places(self, run: Run) -> tuple[Place, ...]:
        """The fused kernel's result lies as the queries do."""
        return (
            (Place(None, like(run.outputs[0].shape, [(run.inputs[0].shape, run.strides[0])])),)
            if self.is_fused(run)
            else (NEW,)
        )

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        query, key, _, mask = self.shapes(tensors)
        missing = {2: [0, 1], 3: [1], 4: []}[len(query)]
        values = [builder.op("Unsqueeze", x, builder.constant(missing)) if missing else x for x in inputs[:3]]
        given = inputs[3]
        if mask is not None:
            sizes = (1,) * (len(query) - len(mask)) + mask
            if len(mask) < 2 or any(have != want for have, want in zip(sizes[-2:], (query[-2], key[-2]))):
                ends = [builder.op("Shape", x, start=-2, end=-1) for x in values[:2]]
                given = builder.op("Expand", given, builder.op("Concat", *ends, axis=0))
            if len(query) == 3 and len(mask) == 3:
                given = builder.op("Unsqueeze", given, builder.constant([1]))
        attributes: dict[str, Any] = {"is_causal": 1} if self.is_causal else {}
        attributes |= {} if self.scale is None else {"scale": self.scale}
        made = builder.op("Attention", *values, given, **attributes)
        return builder.op("Squeeze", made, builder.constant(missing)) if missing else made

    def detail(self) -> str:
        return "causal" if self.is_causal else ""


class MultiheadAttention(Op):
    """Attention in several learned subspaces (``torch.nn.MultiheadAttention``): (N, L, E), (N, S, K) -> (N, L, E).

    Without ``key`` the query attends to itself, without ``value`` the keys are the values. As in torch, but unlike
    ``scaled_dot_product_attention``, the masks are true where one may *not* look: ``key_padding_mask`` (N, S),
    ``attn_mask`` (L, S). ``weights`` is the mean of the heads' weights (N, L, S).
    """

    name = "multihead_attention"
    family = "sequence"
    torch = "nn.MultiheadAttention"
    main = "num_heads"
    ports = ("query", "key", "value", "key_padding_mask", "attn_mask")
    optional = ("key", "value", "key_padding_mask", "attn_mask")
    outputs = ("output", "weights")
    torch_defaults = {"batch_first": False}
    autocast = "bfloat16"

    num_heads: Positive
    dropout: Probability = 0.0
    bias: bool = True
    batch_first: bool = True
    is_causal: bool = False

    def nullable(self, port: str) -> bool:
        return port == "key_padding_mask" or (port == "attn_mask" and not self.is_causal)

    def numbers(self, port: str, *inputs: Tensor | None) -> Numbers | None:
        return Numbers(first=0) if port in ("key_padding_mask", "attn_mask") else None

    def three(self, inputs: Sequence[Any]) -> tuple[Any, Any, Any]:
        """Query, key and value; what is left out is the one before."""
        query, key, value = inputs[:3]
        key = query if key is None else key
        return query, key, key if value is None else value

    def widths(self, inputs: Sequence[Tensor | None]) -> tuple[int, int, int]:
        """The sizes of the last dimensions of query, key and value; guards the ranks."""
        what = f"the last dimension that {self.name} takes"
        for tensor in self.three(inputs):
            need_rank(self.name, tensor.shape, 3, layout="[N, L, E]" if self.batch_first else "[L, N, E]")
        query, key, value = (known(tensor.shape[-1], what) for tensor in self.three(inputs))
        if query % self.num_heads:
            raise ShapeError(f"{query} does not divide into {self.num_heads} heads", argument="num_heads")
        return query, key, value

    def lengths(self, inputs: Sequence[Tensor | None]) -> tuple[Size, Size, Size]:
        """The batch, the number of queries and that of keys."""
        batch, time = (0, 1) if self.batch_first else (1, 0)
        query, key, _ = self.three(inputs)
        return query.shape[batch], query.shape[time], key.shape[time]

    def expected(self, inputs: Sequence[Tensor | None]) -> list[tuple[str, Shape, Shape]]:
        """What must be equal: the port, what it has and what it needs."""
        self.widths(inputs)
        batch, queries, keys = self.lengths(inputs)
        needed = (batch, keys) if self.batch_first else (keys, batch)
        wanted = dict(zip(self.ports[1:], [needed, needed, (batch, keys), (queries, keys)]))
        return [
            (port, tensor.shape[:2] if port in ("key", "value") else tensor.shape, wanted[port])
            for port, tensor in zip(self.ports[1:], inputs[1:])
            if tensor is not None
        ]

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        for port, found, wanted in self.expected(inputs):
            for left, right in zip(found, wanted):
                yield left, right, f"{self.name} needs a {port} of {pretty_shape(wanted)}"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        query, key, value = self.three(inputs)
        one_dtype(self.name, (query, key, value))
        if "float" not in query.dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {query.dtype}")
        for port, mask in zip(self.ports[3:], inputs[3:]):
            if mask is not None:
                need_bool(self.name, mask, port)
        for port, found, wanted in self.expected(inputs):
            if len(found) != len(wanted) or any(map(differ, found, wanted)):
                text = f"{self.name} needs a {port} of {pretty_shape(wanted)}, but got {pretty_shape(found)}"
                raise ShapeError(text)
        return query, Tensor(self.lengths(inputs), query.dtype)

    def parameters(self, *inputs: Tensor | None) -> Mapping[str, Shape]:
        query, key, value = self.widths(inputs)
        if query == key == value:
            made: dict[str, Shape] = {"in_proj_weight": (3 * query, query)}
        else:
            sizes = {"q": query, "k": key, "v": value}
            made = {f"{letter}_proj_weight": (query, size) for letter, size in sizes.items()}
        made["out_proj.weight"] = (query, query)
        return made | ({"in_proj_bias": (3 * query,), "out_proj.bias": (query,)} if self.bias else {})

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        batch, queries, keys = self.lengths(inputs)
        query, key, value = self.widths(inputs)
        projections = queries * (2 * query * query) + keys * (query * (key + value))
        return batch * (projections + queries * keys * (2 * query))

    def module(self, *inputs: Tensor | None) -> Constructor:
        query, key, value = self.widths(inputs)
        keywords = self.changed()
        keywords.pop("is_causal", None)
        heads = keywords.pop("num_heads")
        keywords |= {} if query == key == value else {"kdim": key, "vdim": value}
        return Constructor(self.torch, {"embed_dim": query, "num_heads": heads}, keywords)

    def statements(
        self,
        module: str | None,
        arguments: Sequence[str | None],
        targets: Sequence[str | None],
        inputs: Sequence[Tensor | None],
        fresh: Callable[[str], str],
    ) -> list[str]:
        query, key, value = self.three(arguments)
        padding, mask = arguments[3:]
        lines, keywords = [], []
        if self.is_causal:
            time = 1 if self.batch_first else 0
            size = f"{query}.size({time}), {key}.size({time})"
            causal = f"torch.ones({size}, dtype=torch.bool, device={query}.device).triu(1)"
            given, mask = mask, fresh("mask")
            lines.append(f"{mask} = {causal if given is None else f'{given} | {causal}'}")
        keywords += [] if padding is None else [f"key_padding_mask={padding}"]
        keywords += [] if mask is None else [f"attn_mask={mask}"]
        if targets[1] is None:
            keywords += ["need_weights=False"]
            keywords += ["is_causal=True"] if self.is_causal and arguments[4] is None else []
        read = ", ".join(map(str, [query, key, value, *keywords]))
        return [*lines, f"{assigned(targets)} = {module}({read})"]

    def saved(self, run: Run) -> Saved:
        """As ``F.multi_head_attention_forward``: in the fused kernel, or step by step where the weights are read."""
        query = run.inputs[0]
        batch, length, others = self.lengths(run.inputs)
        projected = self.projections(run)
        masks = self.numeric_masks(run)
        if not run.reads[1]:
            return Saved(
                projected.inputs, made=(*projected.made, query, Tensor((batch, self.num_heads, length)), *masks)
            )
        weights = Tensor((batch, self.num_heads, length, others), query.dtype)
        dropped = (Tensor(weights.shape, "bool"), weights) if self.dropout else ()
        joined = (query,) if run.learns else ()  # the heads' results side by side
        scaled = query
        return Saved(projected.inputs, made=(*projected.made, scaled, *joined, weights, *dropped))

    def passing(self, run: Run) -> tuple[Tensor, ...]:
        """The heads' results are as large as the output, which comes when queries, keys and values are gone."""
        if run.reads[1]:
            return self.saved(run).made
        batch, length, _ = self.lengths(run.inputs)
        logarithms = Tensor((batch, self.num_heads, length))
        return (*self.projections(run).made, logarithms, *self.numeric_masks(run))

    def projections(self, run: Run) -> Saved:
        """What the projections keep of their inputs, and the queries, keys and values that they give."""
        batch, length, others = self.lengths(run.inputs)
        widths = self.widths(run.inputs)
        ports = self.three([0, *(None if tensor is None else at for at, tensor in enumerate(run.inputs[1:], 1))])
        joint = len(set(widths)) == 1
        inputs: list[int] = []
        made: list[Tensor] = []
        for port in (dict.fromkeys(ports) if joint else ports) if run.learns else ():
            tensor, strides = run.inputs[port], run.strides[port]
            if folds(tensor.shape, strides, self.batch_first):
                inputs.append(port)
            else:
                made.append(tensor)
        dtype = run.inputs[0].dtype
        if joint and len(set(ports)) < 3:  # projected together, they lie in one tensor
            results = [(port, length if port == 0 else others, ports.count(port)) for port in dict.fromkeys(ports)]
        else:
            results = [*zip((0, 1, 2), (length, others, others), (1, 1, 1))]
        scaled = run.reads[1] and results[0][2] == 1  # the queries by themselves are kept scaled alone
        made += [Tensor((size, batch, count * widths[0]), dtype) for _, size, count in results[scaled:]]
        return Saved(tuple(inputs), made=tuple(made))

    def numeric_masks(self, run: Run) -> tuple[Tensor, ...]:
        """The mask of numbers that torch makes of those of truth values."""
        padding, mask = run.inputs[3:]
        batch, length, others = self.lengths(run.inputs)
        dtype = run.inputs[0].dtype
        if padding is None:
            given = mask is not None
            return (Tensor((length, others), dtype),) if given else ()
        if mask is None and not self.is_causal:
            return (Tensor((batch, self.num_heads, 1, others), dtype),)
        return (Tensor((batch, self.num_heads, length, others), dtype),)

    def places(self, run: Run) -> tuple[Place, ...]:
        """The result is made as (L, N, E)."""
        if not self.batch_first:
            return NEW, NEW
        batch, _, width = run.outputs[0].shape
        return Place(None, shortened(run.outputs[0].shape, (width, batch * width, 1))), NEW

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        swap = [1, 0, 2]
        values = self.three(inputs)
        if not self.batch_first:
            turned = {id(x): builder.op("Transpose", x, perm=swap) for x in {id(x): x for x in values}.values()}
            values = tuple(turned[id(x)] for x in values)
        query, key, value = self.projected(builder, values, tensors)
        padding, mask = (None if x is None else builder.op("Not", x) for x in inputs[3:])
        if padding is not None:
            ends = [builder.constant([1, 1]), builder.op("Shape", query, start=1, end=2), builder.constant([1])]
            allowed = builder.op("Unsqueeze", padding, builder.constant([1, 2]))
            allowed = builder.op("Expand", allowed, builder.op("Concat", *ends, axis=0))
            mask = allowed if mask is None else builder.op("And", allowed, mask)
        heads = {"q_num_heads": self.num_heads, "kv_num_heads": self.num_heads, "is_causal": int(self.is_causal)}
        made = builder.op("Attention", query, key, value, mask, **heads) if builder.reads(0) else None
        if made is not None:
            made = builder.op(
                "MatMul", made, builder.op("Transpose", builder.parameter("out_proj.weight"), perm=[1, 0])
            )
            made = builder.op("Add", made, builder.parameter("out_proj.bias")) if self.bias else made
            made = made if self.batch_first else builder.op("Transpose", made, perm=swap)
        return made, self.weights(builder, query, key, mask, tensors) if builder.reads(1) else None

    def projected(self, builder: OnnxBuilder, values: Sequence[Any], tensors: Sequence[Tensor | None]) -> Sequence[Any]:
        """Query, key and value in the subspaces."""
        query, key, value = self.widths(tensors)
        thirds = {"outputs": 3, "num_outputs": 3}
        bias = builder.parameter("in_proj_bias")
        if query == key == value:
            weight = builder.op("Transpose", builder.parameter("in_proj_weight"), perm=[1, 0])
            if values[0] is values[1] is values[2]:
                made = builder.op("MatMul", values[0], weight)
                made = builder.op("Add", made, bias) if self.bias else made
                joint: Sequence[Any] = builder.op("Split", made, axis=2, **thirds)
                return joint
            weights = builder.op("Split", weight, axis=1, **thirds)
        else:
            kept = (builder.parameter(f"{letter}_proj_weight") for letter in "qkv")
            weights = [builder.op("Transpose", each, perm=[1, 0]) for each in kept]
        products = [builder.op("MatMul", x, weight) for x, weight in zip(values, weights)]
        if not self.bias:
            return products
        biases = builder.op("Split", bias, axis=0, **thirds)
        return [builder.op("Add", x, each) for x, each in zip(products, biases)]

    def weights(self, builder: OnnxBuilder, query: Any, key: Any, mask: Any, tensors: Sequence[Tensor | None]) -> Any:
        """The mean over the heads of softmax(Q·Kᵀ/√E)."""
        width, _, _ = self.widths(tensors)
        assert tensors[0] is not None
        dtype = tensors[0].dtype
        shape = builder.constant([0, 0, self.num_heads, width // self.num_heads])
        query = builder.op("Transpose", builder.op("Reshape", query, shape), perm=[0, 2, 1, 3])
        key = builder.op("Transpose", builder.op("Reshape", key, shape), perm=[0, 2, 3, 1])
        scores = builder.op("MatMul", query, key)
        scores = builder.op("Mul", scores, builder.constant((width // self.num_heads) ** -0.5, dtype))
        least = builder.constant(float("-inf"), dtype)
        scores = scores if mask is None else builder.op("Where", mask, scores, least)
        if self.is_causal:
            above = builder.op("Expand", least, builder.op("Shape", scores, start=2))
            scores = builder.op("Add", scores, builder.op("Trilu", above, builder.constant(1), upper=1))
        return builder.op("ReduceMean", builder.op("Softmax", scores, axis=-1), builder.constant([1]), keepdims=0)

    def detail(self) -> str:
        return f"{self.num_heads} heads" + (", causal" if self.is_causal else "")


class MaskedSoftmax(Op):
    """Softmax along ``dim``, over what ``mask`` shows alone: any shape.

    ``mask`` is true where an element counts, and broadcasts to the input. Where it hides all, all weigh the same.
    """

    name = "masked_softmax"
    family = "sequence"
    main = "dim"
    ports = ("input", "mask")
    optional = ("mask",)
    autocast = "float32"

    dim: int = -1

    def numbers(self, port: str, *inputs: Tensor | None) -> Numbers | None:
        return Numbers(first=1) if port == "mask" else None

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        return repeated(self.name, [tensor.shape for tensor in inputs if tensor is not None])

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given, mask = inputs
        assert given is not None
        axis_of(self.dim, len(given.shape))
        if "float" not in given.dtype:
            raise ShapeError(f"{self.name} takes floating-point numbers, but its input is {given.dtype}")
        if mask is not None:
            need_bool(self.name, mask, "mask")
            found = broadcast(self.name, given.shape, mask.shape)
            if len(found) != len(given.shape) or any(map(differ, found, given.shape)):
                text = f"{self.name} takes a mask for {pretty_shape(given.shape)}, but got {pretty_shape(mask.shape)}"
                raise ShapeError(text)
        return (given,)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        x, *mask = arguments
        hidden = f"{x}.masked_fill(~{mask[0]}, torch.finfo({x}.dtype).min)" if mask else x
        return f"F.softmax({hidden}, dim={self.dim})"

    def saved(self, run: Run) -> Saved:
        mask = run.inputs[1]
        return Saved((), (0,), made=() if mask is None else (mask,))  # where not to look

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        x, mask = inputs
        assert tensors[0] is not None
        least = builder.constant(LEAST, tensors[0].dtype)
        return builder.op("Softmax", x if mask is None else builder.op("Where", mask, x, least), axis=self.dim)

    def detail(self) -> str:
        return f"dim {self.dim}"


class CausalMask(Op):
    """Which keys each query may see: query i the first i + 1: query (…, L, E), key (…, S, E) -> (L, S), bool."""

    name = "causal_mask"
    family = "sequence"
    functional = "torch.tril"
    ports = ("query", "key")
    optional = ("key",)
    any_dtype = True
    keeps = "nothing"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        shapes = [tensor.shape for tensor in inputs if tensor is not None]
        for shape in shapes:
            if len(shape) < 2:
                need_rank(self.name, shape, 2, layout="two dimensions at least")
        return (Tensor((shapes[0][-2], shapes[-1][-2]), "bool"),)

    def call(self, arguments: Sequence[str], inputs: Sequence[Tensor | None]) -> str:
        first, last = arguments[0], arguments[-1]
        return f"torch.ones({first}.size(-2), {last}.size(-2), dtype=torch.bool, device={first}.device).tril()"

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        given = [x for x in inputs if x is not None]
        ends = [builder.op("Shape", x, start=-2, end=-1) for x in (given[0], given[-1])]
        ones = builder.op("Expand", builder.constant(True, "bool"), builder.op("Concat", *ends, axis=0))
        return builder.op("Trilu", ones, upper=0)
