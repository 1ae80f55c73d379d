"""Products of matrices and layers whose weights are made by other steps."""

from __future__ import annotations

from netspec.importer.lower.normal.rules import Makers, Said, call, tensor_like
from netspec.ops.core.agreement import broadcast
from netspec.ops.core.foreign import ForeignCall, ForeignTensor
from netspec.ops.core.parametrized import ORIGINAL, STATE


def added_product(foreign: ForeignCall) -> Said:
    """``addmm`` is an affine map by a given matrix."""
    bias, x, weight = (foreign.tensor(name) for name in ("self", "mat1", "mat2"))
    assert bias is not None
    if foreign.arguments.get("beta", 1) == 1 and foreign.arguments.get("alpha", 1) == 1 and len(bias.shape) == 1:
        return [call("affine", foreign.outputs[0], input=x, weight=weight, bias=bias)]
    return summed(foreign, "mat1", "mat2")


def added_batches(foreign: ForeignCall) -> Said:
    """``baddbmm`` is a sum."""
    return summed(foreign, "batch1", "batch2")


def summed(foreign: ForeignCall, left: str, right: str) -> Said:
    """beta · self + alpha · left · right."""
    (output,), addend = foreign.outputs, foreign.tensor("self")
    assert output is not None
    product, made = tensor_like(output), tensor_like(output)
    alpha, beta = foreign.arguments.get("alpha", 1), foreign.arguments.get("beta", 1)
    calls = [
        call("matmul", product, self=foreign.tensor(left), other=foreign.tensor(right)),
        call("mul", made, self=product, other=alpha),
    ]
    if beta == 0 or addend is None:
        return [*calls, call("alias", output, self=made)]
    scaled = tensor_like(addend)
    calls.append(call("mul", scaled, self=addend, other=beta))
    return [*calls, call("add", output, self=made, other=scaled)]


def linear_by_given(foreign: ForeignCall) -> Said:
    """A linear map whose weight, or whose bias, other steps make."""
    x, weight, bias = (foreign.tensor(name) for name in ("input", "weight", "bias"))
    (output,) = foreign.outputs
    assert output is not None
    if weight is None:
        return None
    if not weight.key:
        turned = tensor_like(weight, shape=weight.shape[::-1])
        transposed = call("transpose", turned, self=weight, dim0=0, dim1=1)
        return [transposed, call("affine", output, input=x, weight=turned, bias=bias)]
    if bias is None or bias.key:
        return None
    made = tensor_like(output)
    return [call("linear", made, input=x, weight=weight), call("add", output, self=made, other=bias)]


def normalized_weight(foreign: ForeignCall, made: Makers) -> Said:
    """A layer whose weight is under weight or spectral normalisation has what that is made of."""
    weight = foreign.tensor("weight")
    maker = made.get(weight) if weight is not None else None
    if maker is None or maker.name not in ("_weight_norm", "spectral_norm"):
        return None
    if maker.name == "_weight_norm":
        dim, parts = 0, {f"{ORIGINAL}0": maker.tensor("g"), f"{ORIGINAL}1": maker.tensor("v")}
    else:
        dim = int("transpose" in foreign.name)
        parts = {ORIGINAL: maker.tensor("weight"), f"{STATE}u": maker.tensor("u"), f"{STATE}v": maker.tensor("v")}
    if maker.arguments.get("dim", 0) != dim or not all(each is not None and each.key for each in parts.values()):
        return None
    said = {**foreign.without("weight").arguments, maker.name.removeprefix("_"): True, **parts}
    return [foreign._replace(arguments=said)]


def scaled_direction(foreign: ForeignCall) -> Said:
    """``_weight_norm``: v · g / |v|, where the length is along all dimensions but one."""
    direction, size, (output,) = foreign.tensor("v"), foreign.tensor("g"), foreign.outputs
    assert direction is not None
    rank, dim = len(direction.shape), foreign.arguments.get("dim", 0)
    others = [at for at in range(rank) if dim == -1 or at != dim % rank]
    length = tensor_like(direction, shape=tuple(1 if at in others else each for at, each in enumerate(direction.shape)))
    share = tensor_like(length)
    return [
        call("linalg_vector_norm", length, self=direction, dim=others, keepdim=True),
        call("div", share, self=size, other=length),
        call("mul", output, self=direction, other=share),
    ]


def divided_weight(foreign: ForeignCall) -> Said:
    """``spectral_norm``: the weight over uᵀ · W · v."""
    weight, u, v, (output,) = *(foreign.tensor(name) for name in ("weight", "u", "v")), foreign.outputs
    assert weight is not None
    assert u is not None
    assert v is not None
    rank, dim = len(weight.shape), foreign.arguments["dim"]
    order = [dim, *(at for at in range(rank) if at != dim)]
    front = tensor_like(weight, shape=tuple(weight.shape[at] for at in order))
    matrix, row, largest = tensor_like(weight, shape=(*u.shape, *v.shape)), tensor_like(u), tensor_like(u, shape=())
    return [
        call("permute", front, self=weight, dims=order),
        call("view", matrix, self=front, size=[*matrix.shape]),
        call("matmul", row, self=matrix, other=v),
        call("matmul", largest, self=u, other=row),
        call("div", output, self=weight, other=largest),
    ]


def biased_by_given(foreign: ForeignCall) -> Said:
    """A convolution whose bias other steps make."""
    weight, bias, (output,) = foreign.tensor("weight"), foreign.tensor("bias"), foreign.outputs
    assert output is not None
    if bias is None or bias.key or weight is None or not weight.key:
        return None
    made, column = tensor_like(output), tensor_like(bias, shape=(*bias.shape, *(1 for _ in output.shape[2:])))
    plain = foreign.without("bias")._replace(outputs=(made,))
    spread = call("view", column, self=bias, size=[*column.shape])
    return [plain, spread, call("add", output, self=made, other=column)]


def scaled_by_given(foreign: ForeignCall) -> Said:
    """A normalisation of channels whose weight or bias other steps make: without them, then both by themselves."""
    weight, bias, (output, *_) = foreign.tensor("weight"), foreign.tensor("bias"), foreign.outputs
    given = [each for each in (weight, bias) if each is not None]
    if output is None or all(each.key for each in given):
        return None
    made = tensor_like(output)
    calls = [foreign.without("weight", "bias")._replace(outputs=(made,))]
    for name, each in (("mul", weight), ("add", bias)):
        if each is not None:
            column, after = tensor_like(each, shape=(*each.shape, *(1 for _ in output.shape[2:]))), tensor_like(output)
            calls += [call("view", column, self=each, size=[*column.shape]), call(name, after, self=made, other=column)]
            made = after
    return [*calls[:-1], calls[-1]._replace(outputs=(output,))]


def unbatched(foreign: ForeignCall) -> Said:
    """A convolution of one image, without a batch."""
    x, weight, (output,) = foreign.tensor("input"), foreign.tensor("weight"), foreign.outputs
    assert output is not None
    if x is None or weight is None or len(x.shape) == len(weight.shape):
        return None
    one, made = tensor_like(x, shape=(1, *x.shape)), tensor_like(output, shape=(1, *output.shape))
    whole = foreign._replace(arguments={**foreign.arguments, "input": one}, outputs=(made,))
    return [call("unsqueeze", one, self=x, dim=0), whole, call("squeeze", output, self=made, dim=0)]


def rows_by_given(foreign: ForeignCall) -> Said:
    """A table of rows that other steps make is one that entries are taken from."""
    weight, index = foreign.tensor("weight"), foreign.tensor("indices")
    if weight is None or weight.key:
        return None
    return [call("take", foreign.outputs[0], input=weight, index=index, dim=0)]


def matrix_with_vector(foreign: ForeignCall) -> Said:
    """``outer`` and ``ger`` by a column and a row."""
    left, right, (output,) = foreign.tensor("self"), foreign.tensor("vec2"), foreign.outputs
    if left is None or right is None:
        return None
    column, row = tensor_like(left, shape=(*left.shape, 1)), tensor_like(right, shape=(1, *right.shape))
    return [
        call("unsqueeze", column, self=left, dim=1),
        call("unsqueeze", row, self=right, dim=0),
        call("mul", output, self=column, other=row),
    ]


def one_head_for_all(foreign: ForeignCall) -> Said:
    """Attention whose keys and values have one head, or one batch, for all of the queries'."""
    query, (output,) = foreign.tensor("query"), foreign.outputs
    if query is None or output is None or foreign.arguments.get("enable_gqa"):
        return None
    said, calls = dict(foreign.arguments), []
    for name in ("key", "value"):
        given = foreign.tensor(name)
        if given is None or len(given.shape) != len(query.shape):
            return None
        pairs = zip(given.shape[:-2], query.shape[:-2])
        if any(one == 1 and each != 1 for one, each in pairs):
            said[name] = tensor_like(given, shape=(*query.shape[:-2], *given.shape[-2:]))
            calls.append(call("expand", said[name], self=given, size=[*said[name].shape]))
    return [*calls, foreign._replace(arguments=said)] if calls else None


def batches_together(left: ForeignTensor, right: ForeignTensor) -> ForeignTensor:
    """Return the product's tensor for two of at least two dimensions."""
    shape = (*broadcast("matmul", left.shape[:-2], right.shape[:-2]), left.shape[-2], right.shape[-1])
    return tensor_like(left, shape=shape)


CONVOLUTIONS = [f"conv{kind}{rank}d" for kind in ("", "_transpose") for rank in (1, 2, 3)]
LOOKING = {name: [normalized_weight] for name in ("linear", *CONVOLUTIONS)}
LATE = {"_weight_norm": [scaled_direction], "spectral_norm": [divided_weight]}
"""The rules for what no layer has taken in."""
RULES = {
    "addmm": [added_product],
    "baddbmm": [added_batches],
    "linear": [linear_by_given],
    "embedding": [rows_by_given],
    "outer": [matrix_with_vector],
    "scaled_dot_product_attention": [one_head_for_all],
    **{name: [scaled_by_given] for name in ("batch_norm", "instance_norm")},
    **{name: [unbatched, biased_by_given] for name in CONVOLUTIONS},
}
