"""Arithmetic: one dtype for both sides, numbers for tensors of one number, and what is said by two operators."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.dims import Dim, product
from netspec.importer.lower.normal.rules import Makers, Said, call, tensor_like
from netspec.ops.core.agreement import broadcast
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
LOGIC = ("logical_and", "logical_or", "logical_xor")
BINARY = ("add", "sub", "mul", "div", "pow", "maximum", "minimum", "remainder", "fmod", "floor_divide", *COMPARISONS)
RANKS = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64")
"""The dtypes in the order in which torch prefers them, half precision apart."""


def number_of(value: Any) -> Any:
    """Return the number that a tensor without dimensions is known to hold; else the value."""
    if isinstance(value, ForeignTensor) and value.constant is not None and not value.key and value.shape == ():
        return value.constant.item()
    return value


def is_number(value: Any) -> bool:
    """Return whether a value is a number, but no truth value."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def cast(tensor: ForeignTensor, dtype: str) -> tuple[list[ForeignCall], ForeignTensor]:
    """Return a tensor in another dtype, and the call that makes it, if it takes one."""
    if tensor.dtype == dtype:
        return [], tensor
    made = tensor_like(tensor, dtype=dtype)
    return [call("cast", made, self=tensor, dtype=dtype)], made


def known_number(foreign: ForeignCall) -> Said:
    """A tensor of one known number is that number, where the other side is a tensor."""
    arguments = {name: number_of(each) for name, each in foreign.arguments.items()}
    tensors = [each for each in arguments.values() if isinstance(each, ForeignTensor)]
    same = all(arguments[name] is each for name, each in foreign.arguments.items())
    return None if same or not tensors else [foreign._replace(arguments=arguments)]


def one_dtype(foreign: ForeignCall) -> Said:
    """Both sides in the dtype that torch computes in."""
    left, right, (output,) = foreign.arguments.get("self"), foreign.arguments.get("other"), foreign.outputs
    sides = {"self": left, "other": right}
    if foreign.name == "pow":
        sides = {"self": left, "exponent": foreign.arguments.get("exponent")}
    assert output is not None
    wanted = output.dtype if foreign.name not in COMPARISONS else computed_in([*sides.values()])
    casts: list[ForeignCall] = []
    changed: dict[str, Any] = {}
    for name, side in sides.items():
        if isinstance(side, ForeignTensor) and side.dtype != wanted:
            made, changed[name] = cast(side, wanted)
            casts += made
    return [*casts, foreign._replace(arguments={**foreign.arguments, **changed})] if casts else None


def computed_in(sides: list[Any]) -> str:
    """Return the dtype that torch compares in."""
    tensors = [side for side in sides if isinstance(side, ForeignTensor)]
    wide = [side for side in tensors if side.shape] or tensors
    dtype = max((side.dtype for side in wide), key=RANKS.index)
    fraction = any(isinstance(side, float) for side in sides)
    return "float32" if fraction and "float" not in dtype else dtype


def by_size(foreign: ForeignCall) -> Said:
    """A size beside a tensor: a tensor of that one number."""
    found = next((name for name, each in foreign.arguments.items() if isinstance(each, Dim)), None)
    if found is None or not any(isinstance(each, ForeignTensor) for each in foreign.arguments.values()):
        return None
    size, (output,) = foreign.arguments[found], foreign.outputs
    assert output is not None
    number = ForeignTensor((1,), "int64")
    calls = [call("arange", number, start=size, end=size + 1)]
    if not output.shape:
        calls.append(call("squeeze", ForeignTensor((), "int64"), self=number, dim=0))
        (number,) = (each for each in calls[-1].outputs if each is not None)
    casts, number = cast(number, output.dtype if foreign.name not in COMPARISONS else number.dtype)
    return [*calls, *casts, foreign._replace(arguments={**foreign.arguments, found: number})]


def mean_by_hand(foreign: ForeignCall, made: Makers) -> Said:
    """A sum divided by the number of what it sums is the mean."""
    x, count, (output,) = foreign.tensor("self"), foreign.arguments.get("other"), foreign.outputs
    added = made.get(x) if x is not None else None
    source = added.tensor("self") if added is not None and added.name == "sum" else None
    if source is None or added is None or not isinstance(count, Dim) or "float" not in source.dtype:
        return None
    dims = added.arguments.get("dim") or range(len(source.shape))
    sizes = [source.shape[dim] for dim in ([dims] if isinstance(dims, int) else dims)]
    return [added._replace(name="mean", outputs=(output,))] if product(sizes) == count else None


def of_truth(foreign: ForeignCall) -> Said:
    """A mask compared with 0 or 1 is itself, or what it is not."""
    mask, number, (output,) = foreign.tensor("self"), foreign.arguments["other"], foreign.outputs
    if mask is None or mask.dtype != "bool" or isinstance(number, ForeignTensor) or number not in (0, 1):
        return None
    kept = (foreign.name in ("eq", "ge") and number == 1) or (foreign.name in ("ne", "gt") and number == 0)
    if kept:
        return mask
    turned = (foreign.name in ("eq", "le") and number == 0) or (foreign.name in ("ne", "lt") and number == 1)
    return [call("logical_not", output, self=mask)] if turned else None


def swapped(foreign: ForeignCall) -> Said:
    """A number comes second."""
    number, x, (output,) = foreign.arguments["self"], foreign.arguments.get("other"), foreign.outputs
    if not is_number(number) or not isinstance(x, ForeignTensor):
        return None
    turned = {"lt": "gt", "le": "ge", "gt": "lt", "ge": "le"}
    if foreign.name in ("add", "mul", "eq", "ne") or foreign.name in turned:
        rest = {name: each for name, each in foreign.arguments.items() if name not in ("self", "other")}
        return [call(turned.get(foreign.name, foreign.name), output, self=x, other=number, **rest)]
    if foreign.name == "sub":
        return [call("rsub", output, self=x, other=number)]
    if foreign.name == "div":
        made = tensor_like(x)
        return [call("reciprocal", made, self=x), call("mul", output, self=made, other=number)]
    return None


def nothing_added(foreign: ForeignCall) -> Said:
    """Adding 0 or multiplying with 1 changes nothing."""
    x, number, (output,) = foreign.tensor("self"), foreign.arguments.get("other"), foreign.outputs
    neutral = 1 if foreign.name in ("mul", "div") else 0
    same = is_number(number) and number == neutral and not foreign.arguments.get("rounding_mode")
    return x if x is not None and output is not None and same and x.dtype == output.dtype else None


def with_alpha(foreign: ForeignCall) -> Said:
    """``alpha`` times the second side."""
    alpha, other = foreign.arguments.get("alpha"), foreign.arguments["other"]
    if alpha is None:
        return None
    plain = foreign.without("alpha")
    if not isinstance(other, ForeignTensor):
        return [plain._replace(arguments={**plain.arguments, "other": other * alpha})]
    scaled = tensor_like(other)
    whole = {**plain.arguments, "other": scaled}
    return [call("mul", scaled, self=other, other=alpha), plain._replace(arguments=whole)]


def turned_round(foreign: ForeignCall) -> Said:
    """``rsub`` takes its first side from the second."""
    x, other, (output,) = foreign.tensor("self"), foreign.arguments["other"], foreign.outputs
    assert x is not None
    if isinstance(other, ForeignTensor):
        return [call("sub", output, self=other, other=x, alpha=foreign.arguments.get("alpha"))]
    made = tensor_like(x)
    return [
        call("mul", made, self=x, other=-foreign.arguments.get("alpha", 1)),
        call("add", output, self=made, other=other),
    ]


def rounded(foreign: ForeignCall) -> Said:
    """A division that rounds, by its own name."""
    mode, output = foreign.arguments.get("rounding_mode"), foreign.outputs[0]
    plain = foreign.without("rounding_mode")
    if mode == "floor":
        return [plain._replace(name="floor_divide")]
    if mode != "trunc" or output is None:
        return None
    exact = tensor_like(output, dtype=output.dtype if "float" in output.dtype else "float32")
    whole = tensor_like(exact)
    calls = [plain._replace(outputs=(exact,)), call("trunc", whole, self=exact)]
    return [*calls, call("cast", output, self=whole, dtype=output.dtype)]


def known_power(foreign: ForeignCall) -> Said:
    """A number to the power of a tensor: the number as a tensor."""
    base, power, (output,) = foreign.arguments["self"], foreign.arguments["exponent"], foreign.outputs
    if not isinstance(power, ForeignTensor) or not is_number(base):
        return None
    constant = ForeignTensor((), power.dtype, constant=np.asarray(base, power.dtype))
    return [call("pow", output, self=constant, exponent=power)]


def clamped(foreign: ForeignCall) -> Said:
    """Bounds that are tensors are a maximum and a minimum; integers have those too."""
    x, low, high = foreign.tensor("self"), foreign.arguments.get("min"), foreign.arguments.get("max")
    (output,) = foreign.outputs
    assert x is not None
    if not isinstance(low, ForeignTensor) and not isinstance(high, ForeignTensor):
        return None
    made = tensor_like(x) if high is not None and low is not None else output
    lower = [call("maximum", made, self=x, other=low)] if low is not None else []
    upper = [call("minimum", output, self=made if low is not None else x, other=high)] if high is not None else []
    return [*lower, *upper]


def in_dtype(foreign: ForeignCall) -> Said:
    """A sum, a softmax and the like in another dtype: cast first."""
    x, dtype = foreign.tensor("self"), foreign.arguments.get("dtype")
    if dtype is None or x is None:
        return None
    made, given = cast(x, dtype)
    plain = foreign.without("dtype")
    return [*made, plain._replace(arguments={**plain.arguments, "self": given})]


def as_number(foreign: ForeignCall) -> Said:
    """Functions of real numbers take integers as ``float32``."""
    x, (output, *_) = foreign.tensor("self"), foreign.outputs
    if x is None or output is None or "float" in x.dtype or "float" not in output.dtype:
        return None
    made, given = cast(x, output.dtype)
    return [*made, foreign._replace(arguments={**foreign.arguments, "self": given})]


def converted(foreign: ForeignCall) -> Said:
    """A conversion of the dtype is a cast."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    if x is None or output is None:
        return None
    return x if x.dtype == output.dtype else [call("cast", output, self=x, dtype=output.dtype)]


def true_where_not(foreign: ForeignCall) -> Said:
    """Logic on numbers asks which are not 0."""
    calls: list[ForeignCall] = []
    changed: dict[str, Any] = {}
    for name, each in foreign.arguments.items():
        if isinstance(each, ForeignTensor) and each.dtype != "bool":
            changed[name] = tensor_like(each, dtype="bool")
            calls.append(call("ne", changed[name], self=each, other=0))
    return [*calls, foreign._replace(arguments={**foreign.arguments, **changed})] if calls else None


def difference(foreign: ForeignCall) -> Said:
    """``diff``: each entry less the one before."""
    x, before, (output,) = foreign.tensor("self"), foreign.tensor("prepend"), foreign.outputs
    assert x is not None
    if foreign.arguments.get("n", 1) != 1 or "append" in foreign.arguments:
        return None
    dim = foreign.arguments.get("dim", -1) % len(x.shape)
    calls: list[ForeignCall] = []
    if before is not None:
        sizes = [*x.shape]
        sizes[dim] = sizes[dim] + before.shape[dim]
        whole = tensor_like(x, shape=tuple(sizes))
        calls.append(call("cat", whole, tensors=[before, x], dim=dim))
        x = whole
    sizes = [*x.shape]
    sizes[dim] = sizes[dim] - 1
    later, sooner = (tensor_like(x, shape=tuple(sizes)) for _ in range(2))
    calls.append(call("slice", later, self=x, dim=dim, start=1))
    calls.append(call("slice", sooner, self=x, dim=dim, end=-1))
    return [*calls, call("sub", output, self=later, other=sooner)]


def with_product(foreign: ForeignCall) -> Said:
    """``addcmul``: self + value · tensor1 · tensor2, and the same of a quotient."""
    x, (output,), said = foreign.tensor("self"), foreign.outputs, foreign.arguments
    assert output is not None
    made, scaled = tensor_like(output), tensor_like(output)
    shape = broadcast(foreign.name, said["tensor1"].shape, said["tensor2"].shape)
    made.shape = scaled.shape = shape
    name = "mul" if foreign.name == "addcmul" else "div"
    return [
        call(name, made, self=said["tensor1"], other=said["tensor2"]),
        call("mul", scaled, self=made, other=said.get("value", 1)),
        call("add", output, self=x, other=scaled),
    ]


NUMERIC = "exp log sqrt rsqrt sin cos tanh sigmoid reciprocal mean softmax log_softmax".split()  # noqa: SIM905
RULES = {
    **{name: [known_number, by_size, swapped, one_dtype] for name in BINARY},
    **{name: [known_number, by_size, swapped, of_truth, one_dtype] for name in COMPARISONS},
    "add": [known_number, by_size, swapped, with_alpha, one_dtype, nothing_added],
    "sub": [known_number, by_size, swapped, with_alpha, one_dtype, nothing_added],
    "mul": [known_number, by_size, swapped, one_dtype, nothing_added],
    "div": [known_number, by_size, rounded, swapped, one_dtype, nothing_added],
    "pow": [known_number, by_size, known_power, one_dtype],
    "rsub": [known_number, turned_round],
    "clamp": [known_number, clamped],
    **{name: [in_dtype, as_number] for name in NUMERIC},
    **{name: [in_dtype] for name in ("sum", "prod", "cumsum", "cumprod")},
    **{name: [converted] for name in ("to", "_to_copy", "type_as")},
    **{name: [true_where_not] for name in (*LOGIC, "logical_not", "any", "all")},
    "diff": [difference],
    "addcmul": [with_product],
    "addcdiv": [with_product],
}
LOOKING = {"div": [mean_by_hand]}
