"""Multi-head attention, with learned projections (Vaswani et al. 2017)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from netspec.dims import Shape, Size, pretty_shape
from netspec.ops.attention.products import attention_weights, in_heads, joined
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import Positive, Probability
from netspec.ops.core.layout import NEW, OutputLayout, folds, shortened
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved, precise
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor, ForwardCall
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor, known, need_rank
from netspec.ops.math.compare import need_bool


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
    without = ("add_bias_kv", "add_zero_attn")
    autocast = "bfloat16"

    num_heads: Positive
    dropout: Probability = 0.0
    bias: bool = True
    batch_first: bool = True
    is_causal: bool = False

    def may_be_none(self, port: str) -> bool:
        return port == "key_padding_mask" or (port == "attn_mask" and not self.is_causal)

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        return InputRange(first=0) if port in ("key_padding_mask", "attn_mask") else None

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
            raise ShapeError(f"{query} cannot be divided into {self.num_heads} heads", argument="num_heads")
        return query, key, value

    def lengths(self, inputs: Sequence[Tensor | None]) -> tuple[Size, Size, Size]:
        """The batch, the number of queries and that of keys."""
        batch, time = (0, 1) if self.batch_first else (1, 0)
        query, key, _ = self.three(inputs)
        return query.shape[batch], query.shape[time], key.shape[time]

    def expected(self, inputs: Sequence[Tensor | None]) -> list[tuple[str, Shape, Shape]]:
        """Return the shapes that must be equal: the port, the one it has and the one it needs."""
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
            shapes: dict[str, Shape] = {"in_proj_weight": (3 * query, query)}
        else:
            sizes = {"q": query, "k": key, "v": value}
            shapes = {f"{letter}_proj_weight": (query, size) for letter, size in sizes.items()}
        shapes["out_proj.weight"] = (query, query)
        return shapes | ({"in_proj_bias": (3 * query,), "out_proj.bias": (query,)} if self.bias else {})

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

    def statements(self, forward: ForwardCall) -> list[str]:
        query, key, value = self.three(forward.arguments)
        padding, mask = forward.arguments[3:]
        lines, keywords = [], []
        if self.is_causal:
            time = 1 if self.batch_first else 0
            size = f"{query}.size({time}), {key}.size({time})"
            causal = f"torch.ones({size}, dtype=torch.bool, device={query}.device).triu(1)"
            given, mask = mask, forward.fresh("mask")
            lines.append(f"{mask} = {causal if given is None else f'{given} | {causal}'}")
        keywords += [] if padding is None else [f"key_padding_mask={padding}"]
        keywords += [] if mask is None else [f"attn_mask={mask}"]
        if forward.targets[1] is None:
            keywords += ["need_weights=False"]
            keywords += ["is_causal=True"] if self.is_causal and forward.arguments[4] is None else []
        read = ", ".join(map(str, [query, key, value, *keywords]))
        return [*lines, forward.assign(f"{forward.module}({read})")]

    def saved(self, run: OpRun) -> Saved:
        """As ``F.multi_head_attention_forward``: in the fused kernel, or step by step where the weights are read."""
        query = run.inputs[0]
        batch, length, others = self.lengths(run.inputs)
        projected = self.projections(run)
        masks = self.numeric_masks(run)
        weights = Tensor((batch, self.num_heads, length, others), query.dtype)
        if self.drops_on_cpu(run):  # queries and keys scaled, weights, those that are left, and joined heads
            weights = Tensor(weights.shape, precise(query.dtype))
            both = Tensor((batch, length + others, query.shape[-1]), precise(query.dtype))
            return Saved(projected.inputs, made=(*projected.made, both, weights, weights, weights, query))
        if not run.reads[1]:
            return Saved(
                projected.inputs, made=(*projected.made, query, Tensor((batch, self.num_heads, length)), *masks)
            )
        dropped = (Tensor(weights.shape, "bool"), weights) if self.dropout else ()
        joined = (query,) if run.learns else ()  # the heads' results side by side
        scaled = query
        return Saved(projected.inputs, made=(*projected.made, scaled, *joined, weights, *dropped))

    def drops_on_cpu(self, run: OpRun) -> bool:
        """Return whether no kernel does it all: torch's on CPU leaves out no weights."""
        return run.on_cpu and run.training and self.dropout > 0 and not run.reads[1]

    def forward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the scores, and again as they are masked, where no kernel does it all."""
        return self.scores(run)

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return the gradients of the weights and of the scores, and those of queries, keys and values."""
        batch, length, others = self.lengths(run.inputs)
        width = self.widths(run.inputs)[0]
        return (*self.scores(run), Tensor((batch, length + 2 * others, width), run.inputs[0].dtype))

    def scores(self, run: OpRun) -> tuple[Tensor, ...]:
        """Two tensors of a score for each query and key, where no kernel does it all."""
        batch, length, others = self.lengths(run.inputs)
        each = Tensor((batch, self.num_heads, length, others), precise(run.inputs[0].dtype))
        return (each, each) if run.reads[1] or self.drops_on_cpu(run) else ()

    def workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """The heads' results are as large as the output, which comes when queries, keys and values are gone."""
        if run.reads[1]:
            return self.saved(run).made
        batch, length, _ = self.lengths(run.inputs)
        logarithms = Tensor((batch, self.num_heads, length))
        return (*self.projections(run).made, logarithms, *self.numeric_masks(run))

    def projections(self, run: OpRun) -> Saved:
        """Return what the projections save of their inputs, and the queries, keys and values that they give."""
        batch, length, others = self.lengths(run.inputs)
        widths = self.widths(run.inputs)
        ports = self.three([0, *(None if tensor is None else at for at, tensor in enumerate(run.inputs[1:], 1))])
        joint = len(set(widths)) == 1
        inputs: list[int] = []
        tensors: list[Tensor] = []
        for port in (dict.fromkeys(ports) if joint else ports) if run.learns else ():
            tensor, strides = run.inputs[port], run.strides[port]
            if folds(tensor.shape, strides, self.batch_first):
                inputs.append(port)
            else:
                tensors.append(tensor)
        dtype = run.inputs[0].dtype
        if joint and len(set(ports)) < 3:  # projected together, they lie in one tensor
            results = [(port, length if port == 0 else others, ports.count(port)) for port in dict.fromkeys(ports)]
        else:
            results = [*zip((0, 1, 2), (length, others, others), (1, 1, 1))]
        scaled = run.reads[1] and results[0][2] == 1  # the queries by themselves are kept scaled alone
        tensors += [Tensor((size, batch, count * widths[0]), dtype) for _, size, count in results[scaled:]]
        return Saved(tuple(inputs), made=tuple(tensors))

    def numeric_masks(self, run: OpRun) -> tuple[Tensor, ...]:
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

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        """The result is made as (L, N, E)."""
        if not self.batch_first:
            return NEW, NEW
        batch, _, width = run.outputs[0].shape
        return OutputLayout(None, shortened(run.outputs[0].shape, (width, batch * width, 1))), NEW

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        swap = [1, 0, 2]
        values = self.three(inputs)
        if not self.batch_first:
            turned = {id(x): builder.op("Transpose", x, perm=swap) for x in {id(x): x for x in values}.values()}
            values = tuple(turned[id(x)] for x in values)
        query, key, value = self.projected(builder, values, tensors)
        padding, mask = (None if x is None else builder.op("Not", x) for x in inputs[3:])
        if padding is not None:
            allowed = builder.op("Unsqueeze", padding, builder.constant([1, 2]))
            mask = allowed if mask is None else builder.op("And", allowed, mask)
        width, dtype = self.widths(tensors)[0], cast(Tensor, tensors[0]).dtype
        weights = None
        if builder.reads(1) or not builder.has("Attention"):
            split = self.num_heads, width // self.num_heads
            scale = builder.constant(split[1] ** -0.5, dtype)
            scaled = in_heads(builder, builder.op("Mul", query, scale), *split)
            causal = self.lengths(tensors)[1:] if self.is_causal else None
            weights = attention_weights(builder, scaled, in_heads(builder, key, *split), 4, mask, dtype, causal)
        mean = None
        if builder.reads(1):
            mean = builder.op("ReduceMean", weights, builder.constant([1]), keepdims=0)
        if not builder.reads(0):
            return None, mean
        if weights is not None:
            result = joined(builder, builder.op("MatMul", weights, in_heads(builder, value, *split)), width)
        else:
            result = self.fused(builder, query, key, value, mask, padding is not None)
        result = builder.op("MatMul", result, weight_turned(builder, "out_proj.weight"))
        result = builder.op("Add", result, builder.parameter("out_proj.bias")) if self.bias else result
        return (result if self.batch_first else builder.op("Transpose", result, perm=swap)), mean

    def fused(self, builder: OnnxBuilder, query: Any, key: Any, value: Any, mask: Any, is_padded: bool) -> Any:
        """The node that does it all; it takes a mask with a row for each query."""
        if is_padded:
            ends = [builder.constant([1, 1]), builder.op("Shape", query, start=1, end=2), builder.constant([1])]
            mask = builder.op("Expand", mask, builder.op("Concat", *ends, axis=0))
        heads = {"q_num_heads": self.num_heads, "kv_num_heads": self.num_heads, "is_causal": int(self.is_causal)}
        return builder.op("Attention", query, key, value, mask, **heads)

    def projected(self, builder: OnnxBuilder, values: Sequence[Any], tensors: Sequence[Tensor | None]) -> Sequence[Any]:
        """Query, key and value in the subspaces."""
        query, key, value = self.widths(tensors)
        if query == key == value and values[0] is values[1] is values[2]:
            result = builder.op("MatMul", values[0], weight_turned(builder, "in_proj_weight"))
            result = builder.op("Add", result, builder.parameter("in_proj_bias")) if self.bias else result
            joint: Sequence[Any] = builder.op("Split", result, outputs=3, axis=2, num_outputs=3)
            return joint
        if query == key == value:
            weights = [weight_turned(builder, "in_proj_weight", at) for at in range(3)]
        else:
            weights = [weight_turned(builder, f"{letter}_proj_weight") for letter in "qkv"]
        products = [builder.op("MatMul", x, weight) for x, weight in zip(values, weights)]
        if not self.bias:
            return products
        biases = [builder.part("in_proj_bias", at, 3) for at in range(3)]
        if biases[0] is None:
            biases = builder.op("Split", builder.parameter("in_proj_bias"), outputs=3, axis=0, num_outputs=3)
        return [builder.op("Add", x, each) for x, each in zip(products, biases)]

    def detail(self) -> str:
        return f"{self.num_heads} heads" + (", causal" if self.is_causal else "")


def weight_turned(builder: OnnxBuilder, name: str, third: int | None = None) -> Any:
    """The transposed weight, or that of one of its thirds; made by nodes where others read it as it is."""
    made = builder.turned(name, None if third is None else (third, 3))
    if made is not None:
        return made
    whole = builder.parameter(name)
    if third is not None:
        whole = builder.op("Split", whole, outputs=3, axis=0, num_outputs=3)[third]
    return builder.op("Transpose", whole, perm=[1, 0])
