"""Tensors that a call makes of sizes alone."""

from __future__ import annotations

import numpy as np

from netspec.dims import Dim
from netspec.importer.lower.normal.arithmetic import is_number
from netspec.importer.lower.normal.rules import Said, call, tensor_like
from netspec.ops.core.foreign import ForeignCall, ForeignTensor


def filled(foreign: ForeignCall) -> Said:
    """``new_zeros``, ``ones_like`` and the like by their sizes alone."""
    (output,), plain = foreign.outputs, foreign.name.removeprefix("new_").removesuffix("_like")
    assert output is not None
    value = foreign.arguments.get("fill_value")
    plain = "zeros" if plain == "empty" else plain
    if plain == "full" and not is_number(value):
        if isinstance(value, bool):
            plain, value = ("ones" if value else "zeros"), None
        else:
            return None
    made = call(plain, output, size=[*output.shape], dtype=output.dtype, fill_value=value if plain == "full" else None)
    return None if made == foreign else [made]


def overwritten(foreign: ForeignCall) -> Said:
    """``zero``, and ``fill`` with a number, read nothing of what they are put over."""
    value, (output,) = foreign.arguments.get("value", 0), foreign.outputs
    assert output is not None
    if isinstance(value, ForeignTensor) and value.constant is not None and value.constant.size == 1:
        value = value.constant.item()
    if not is_number(value):
        return None
    return [call("full", output, size=[*output.shape], dtype=output.dtype, fill_value=value)]


def counted(foreign: ForeignCall) -> Said:
    """``arange`` counts in ``int64``; in another dtype it is cast."""
    (output,), said = foreign.outputs, foreign.arguments
    assert output is not None
    start, end, step = said.get("start", 0), said["end"], said.get("step", 1)
    if not all(isinstance(each, (int, Dim)) or float(each).is_integer() for each in (start, end, step)):
        return None
    start, end, step = (each if isinstance(each, (int, Dim)) else int(each) for each in (start, end, step))
    plain = {"start": start if start != 0 else None, "end": end, "step": step if step != 1 else None}
    if output.dtype == "int64":
        made = call("arange", output, **plain)
        return None if made == foreign else [made]
    numbers = tensor_like(output, dtype="int64")
    return [call("arange", numbers, **plain), call("cast", output, self=numbers, dtype=output.dtype)]


def cut_at_symbol(foreign: ForeignCall) -> Said:
    """``tril`` and ``triu`` on a diagonal of symbolic size: what is beyond it is filled, by places that are counted."""
    x, diagonal, (output,) = foreign.tensor("self"), foreign.arguments.get("diagonal", 0), foreign.outputs
    if x is None or output is None or not isinstance(diagonal, Dim):
        return None
    height, width = output.shape[-2:]
    rows, columns, column = (ForeignTensor(shape, "int64") for shape in ((height,), (width,), (height, 1)))
    hidden, whole = ForeignTensor((height, width), "bool"), output.dtype == "bool"
    beyond = ("le" if foreign.name == "tril" else "ge") if whole else ("gt" if foreign.name == "tril" else "lt")
    turned = {"le": "ge", "ge": "le", "gt": "lt", "lt": "gt"}[beyond]
    places = [
        call("arange", rows, start=diagonal, end=diagonal + height),
        call("unsqueeze", column, self=rows, dim=1),
        call("arange", columns, end=width),
        call(turned, hidden, self=column, other=columns),
    ]
    if whole:
        return [*places, call("logical_and", output, self=x, other=hidden)]
    return [*places, call("masked_fill", output, self=x, mask=hidden, value=0.0)]


def one_number(foreign: ForeignCall) -> Said:
    """``scalar_tensor`` and ``lift_fresh`` of a number."""
    number, (output,) = foreign.arguments.get("s"), foreign.outputs
    assert output is not None
    return ForeignTensor((), output.dtype, constant=np.asarray(number, output.dtype)) if is_number(number) else None


def drawn(foreign: ForeignCall) -> Said:
    """``randn`` and ``rand`` of sizes: like zeros of these sizes."""
    (output,) = foreign.outputs
    assert output is not None
    zeros = tensor_like(output)
    made = call("zeros", zeros, size=[*output.shape], dtype=output.dtype)
    return [made, call(f"{foreign.name}_like", output, self=zeros)]


def same(foreign: ForeignCall) -> Said:
    """Dropout of nothing."""
    return foreign.tensor("input") if foreign.arguments.get("p") == 0 else None


RULES = {
    **{f"new_{name}": [filled] for name in ("zeros", "ones", "full", "empty")},
    **{f"{name}_like": [filled] for name in ("zeros", "ones", "full", "empty")},
    **{name: [filled] for name in ("zeros", "ones", "full")},
    **{name: [overwritten] for name in ("zero", "fill")},
    "arange": [counted],
    **{name: [cut_at_symbol] for name in ("tril", "triu")},
    **{name: [drawn] for name in ("randn", "rand")},
    "scalar_tensor": [one_number],
    **{name: [same] for name in ("dropout", "feature_dropout", "alpha_dropout", "feature_alpha_dropout")},
}
