"""Arithmetic with numbers, products of matrices, sums of squares, casts: as the steps that ops are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from netspec.dims import product
from netspec.importer.capture.onnx.rewrites.older import beside
from netspec.importer.capture.onnx.rewrites.rewriting import Rewriting
from netspec.ops.core.foreign import ForeignCall, number_of


def subtracted(node: Rewriting) -> Iterator[ForeignCall]:
    node = beside(node)
    left, right = node.given["A"], node.given["B"]
    below, above = number_of(right), number_of(left)
    if below is not None and above is None:
        yield node.last("Add", A=left, B=node.constant(-below, right.dtype))
    elif above is not None and below is None:
        turned = node.made()
        yield ForeignCall("Neg", {"X": right}, (turned,))
        yield node.last("Add", A=turned, B=left)
    else:
        yield node.call


def divided(node: Rewriting) -> Iterator[ForeignCall]:
    node = beside(node)
    left, right = node.given["A"], node.given["B"]
    below, above = number_of(right), number_of(left)
    if below and above is None and right.dtype.startswith("float"):
        yield node.last("Mul", A=left, B=node.constant(1 / below, right.dtype))
    elif above is not None and below is None:
        turned = node.made()
        outputs = node.call.outputs if above == 1 else (turned,)
        yield ForeignCall("Reciprocal", {"X": right}, outputs)
        if above != 1:
            yield node.last("Mul", A=turned, B=left)
    else:
        yield node.call


def gemm(node: Rewriting) -> Iterator[ForeignCall]:
    """A product that is scaled, or of an input that is turned round or known to nobody, step by step."""
    left, right, added = node.given["A"], node.given["B"], node.given.get("C")
    alpha, beta = node.given.get("alpha", 1.0), node.given.get("beta", 1.0)
    plain = right.constant is not None and not node.given.get("transA", 0)
    if (
        plain
        and alpha == 1.0
        and (added is None or (beta == 1.0 and added.constant is not None and len(added.shape) == 1))
    ):
        yield node.again(alpha=None, beta=None)
        return
    for side in ("A", "B"):
        if node.given.get(f"trans{side}", 0):
            turned = node.made()
            yield ForeignCall("transpose", {"self": node.given[side], "dim0": 0, "dim1": 1}, (turned,))
            left, right = (turned, right) if side == "A" else (left, turned)
    steps: list[tuple[str, Any]] = [("MatMul", right)]
    if alpha != 1.0:
        steps.append(("Mul", node.constant(alpha, left.dtype)))
    if added is not None and beta != 0.0:
        if beta != 1.0:
            scaled = node.made()
            yield ForeignCall("Mul", {"A": added, "B": node.constant(beta, added.dtype)}, (scaled,))
            added = scaled
        steps.append(("Add", added))
    for at, (name, other) in enumerate(steps):
        outputs = node.call.outputs if at == len(steps) - 1 else (node.made(),)
        yield ForeignCall(name, {"A": left, "B": other}, outputs)
        left = outputs[0]


def norm(node: Rewriting) -> Iterator[ForeignCall]:
    """Sums of squares and of absolute values."""
    source, made = node.given["data"], node.made()
    inner = {"ReduceL1": "Abs", "ReduceLogSum": "Identity"}.get(node.call.name, "Square")
    if inner == "Abs":
        yield ForeignCall("Abs", {"X": source}, (made,))
    elif inner == "Square":
        yield ForeignCall("Mul", {"A": source, "B": source}, (made,))
    else:
        made = source
    arguments = {**node.given, "data": made}
    outer = {"ReduceL2": "Sqrt", "ReduceLogSum": "Log"}.get(node.call.name)
    total = node.call.outputs if outer is None else (node.made(),)
    yield ForeignCall("ReduceSum", arguments, total)
    if outer is not None:
        yield node.last(outer, X=total[0])


def summed(node: Rewriting) -> Iterator[ForeignCall]:
    """A sum or the like of one tensor is that tensor."""
    listed = next((value for value in node.given.values() if isinstance(value, list)), [])
    yield node.last("Identity", input=listed[0]) if len(listed) == 1 else node.call


def cast_to(node: Rewriting) -> Iterator[ForeignCall]:
    source, wanted = node.given["input"], node.given.get("dtype")
    known = {"dtype": np.dtype(wanted).name} if wanted is not None else {}
    if known.get("dtype") == source.dtype:
        yield node.last("Identity", input=source)
    else:
        yield node.last("Cast", input=source, **known)


def softmax(node: Rewriting) -> Iterator[ForeignCall]:
    """Before version 13 all dimensions from ``axis`` on, 1 by default, are one."""
    source = node.given["input"]
    if node.version >= 13:
        yield node.call
        return
    axis = node.given.get("axis", 1) % max(len(source.shape), 1)
    if axis == len(source.shape) - 1:
        yield node.again(axis=-1)
        return
    flat, soft = node.made(), node.made()
    flat.shape = (product(source.shape[:axis]), product(source.shape[axis:]))
    yield ForeignCall("view", {"self": source, "size": list(flat.shape)}, (flat,))
    yield ForeignCall(node.call.name, {"input": flat, "axis": -1}, (soft,))
    yield node.viewed(soft, source.shape)
