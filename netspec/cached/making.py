"""Nodes and levels that take the place of others: attention that keeps keys and values, attention taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netspec.dims import Dim, Size
from netspec.graph import Level, Node, Value, arranged
from netspec.ops import OPS, Op, Tensor

PAST = Dim.symbol("P")
"""The number of words before, which the cache holds."""


class Kept(NamedTuple):
    """A value that a step keeps for the next: ``past`` comes in, ``present`` goes out.

    It grows along ``axis``, or if that is ``None`` is replaced; then ``start`` is its value before the first word, if
    that is not zeros.
    """

    stem: str
    past: Value
    present: Value
    axis: int | None = None
    start: Value | None = None


def op_of(name: str, **arguments: Any) -> Op:
    """Return an op by its name in specs."""
    return OPS[name].model_validate(arguments)


class NewSteps:
    """The steps of a level in the making, all in the place of one of before: names are not used twice."""

    def __init__(self, origin: Node, taken: set[str]):
        self.origin, self.taken = origin, taken
        self.nodes: list[Node] = []

    def add(self, name: str, op: Op, *inputs: Value | None, named: bool = False) -> tuple[Value, ...]:
        """Add a node and return what it makes; ``None`` stands for an optional port that is left out."""
        ports: tuple[str, ...] = ()
        if op.optional:
            ports = tuple(port for port, value in zip(op.ports, inputs) if value is not None)
        given = tuple(value for value in inputs if value is not None)
        tensors = arranged([value.tensor for value in given], ports, op)
        outputs = tuple(Value(tensor) for tensor in op.infer(*tensors))  # type: ignore[arg-type]
        self.put(Node(self.free(name), op, given, outputs, self.origin.span, named=named, ports=ports))
        return outputs

    def one(self, name: str, op: Op, *inputs: Value | None, named: bool = False) -> Value:
        """Add a node that makes one value, and return that."""
        (value,) = self.add(name, op, *inputs, named=named)
        return value

    def put(self, node: Node) -> None:
        """Add a node as it is."""
        self.taken.add(node.name)
        self.nodes.append(node)

    def free(self, name: str) -> str:
        """Return a name that no other step has."""
        found, count = name, 0
        while found in self.taken:
            count += 1
            found = f"{name}_{count}"
        return found


def attention_with_past(node: Node, taken: set[str], shown: Value | None) -> tuple[list[Node], tuple[Kept, ...]]:
    """Return the steps of causal attention that sees the words before, too, and the keys and values that it keeps.

    ``shown`` is its mask, (…, T, P + T); without, one is made by which no word sees later ones.
    """
    query, key, value = node.arranged(node.inputs)[:3]
    assert query is not None
    assert key is not None
    assert value is not None
    steps = NewSteps(node, taken)
    kept = []
    for stem, present in (("key", key), ("value", value)):
        shape = present.shape
        past = Value(Tensor((*shape[:-2], PAST, shape[-1]), present.tensor.dtype))
        whole = steps.one(f"{stem}s", op_of("concat", dim=len(shape) - 2), past, present)
        kept.append(Kept(stem, past, whole, len(shape) - 2))
    keys, values = (each.present for each in kept)
    if shown is None:
        shown = steps.one("seen", op_of("causal_mask", diagonal=PAST), query, keys)
    op = node.op.model_copy(update={"is_causal": False})
    ports = ("query", "key", "value", "attn_mask")
    steps.put(Node(node.name, op, (query, keys, values, shown), node.outputs, node.span, node.named, ports=ports))
    return steps.nodes, tuple(kept)


def opened(node: Node) -> Level:
    """Return multi-head attention as a level of its steps, with the same keys of its weights; it drops nothing."""
    op, heads = node.op, node.op.num_heads  # type: ignore[attr-defined]
    tensors = node.tensors
    names = [port for port in node.ports or op.ports[:1]]
    inner = {name: Value(value.tensor) for name, value in zip(names, node.inputs)}
    query = inner["query"]
    key = inner.get("key", query)
    steps = NewSteps(node, set())
    parts = _projected(steps, node, (query, key, inner.get("value", key)))
    split = op_of("unflatten", dim=-1, unflattened_size=[heads, -1])
    turn = op_of("transpose", dim0=1, dim1=2)
    inside = [steps.one(f"{name}_heads", turn, steps.one(name, split, part)) for name, part in zip(_PARTS, parts)]
    mask = _shown(steps, inner.get("attn_mask"), inner.get("key_padding_mask"))
    attention = op_of("scaled_dot_product_attention", is_causal=op.is_causal)  # type: ignore[attr-defined]
    result = steps.one("attention", attention, *inside, mask)
    result = steps.one("heads", op_of("flatten", start_dim=2), steps.one("turned", turn, result))
    width = tensors[0].shape[-1]
    output = steps.one("out_proj", op_of("linear", out_features=width, bias=op.bias), result, named=True)  # type: ignore[attr-defined]
    arguments = {"num_heads": heads}
    return Level(
        "block",
        "attention",
        (*inner.values(),),
        (*inner,),
        (*steps.nodes,),
        (output,),
        ("output",),
        node.span,
        arguments,
    )


_PARTS = ("query", "key", "value")


def _projected(steps: NewSteps, node: Node, values: Sequence[Value]) -> list[Value]:
    """Add the projections of queries, keys and values, by the weights that torch's module has."""
    held = {
        name: steps.one(name, op_of("parameter", shape=list(shape)), named=True)
        for name, shape in node.parameters.items()
        if not name.startswith("out_proj")
    }
    bias = held.get("in_proj_bias")
    turn, thirds = op_of("transpose", dim0=0, dim1=1), op_of("chunk", chunks=3, dim=0)
    affine = op_of("affine")
    if "in_proj_weight" in held and values[0] is values[1] is values[2]:
        weight = steps.one("weight", turn, held["in_proj_weight"])
        whole = steps.one("projected", affine, values[0], weight, bias)
        return [*steps.add("parts", op_of("chunk", chunks=3, dim=-1), whole)]
    if "in_proj_weight" in held:
        weights = [*steps.add("weights", thirds, held["in_proj_weight"])]
    else:
        weights = [held[f"{letter}_proj_weight"] for letter in "qkv"]
    biases: list[Value | None] = [None] * 3 if bias is None else [*steps.add("biases", thirds, bias)]
    turned = [steps.one("weight", turn, weight) for weight in weights]
    return [
        steps.one(f"{name}_projected", affine, value, weight, each)
        for name, value, weight, each in zip(_PARTS, values, turned, biases)
    ]


def _shown(steps: NewSteps, mask: Value | None, padding: Value | None) -> Value | None:
    """Add the mask of where one may look, of torch's masks of where one may not."""
    invert, lift = op_of("logical_not"), op_of("unsqueeze", dim=1)
    shown = None if mask is None else steps.one("shown", invert, mask)
    if padding is None:
        return shown
    filled = steps.one("filled", invert, padding)
    filled = steps.one("lifted", lift, steps.one("lifted", lift, filled))
    return filled if shown is None else steps.one("shown", op_of("logical_and"), shown, filled)


def with_past(size: Size, length: str) -> Size:
    """Return a size where the words before count, too."""
    if not isinstance(size, Dim) or length not in size.symbols:
        return size
    total: Size = 0
    for monomial, coefficient in size.terms.items():
        product: Size = coefficient
        for atom, power in monomial:
            if isinstance(atom, str):
                whole = Dim.symbol(atom) + PAST if atom == length else Dim.symbol(atom)
            else:
                whole = with_past(atom.numerator, length) // atom.divisor
            product = product * whole**power
        total = total + product
    return total
