"""Losses that a module computes itself, by the arithmetic that they are."""

from __future__ import annotations

from netspec.importer.lower.normal.rules import Said, call, tensor_like
from netspec.ops.core.agreement import broadcast
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

KEPT, MEAN, SUM = 0, 1, 2
"""ATen's numbers for what becomes of the losses of all elements."""


def reduced(foreign: ForeignCall, each: ForeignTensor, default: int = MEAN) -> ForeignCall:
    """Return the call that gives the loss of all elements as it is asked for."""
    name = {KEPT: "alias", MEAN: "mean", SUM: "sum"}[foreign.arguments.get("reduction", default)]
    return call(name, foreign.outputs[0], self=each)


def apart(foreign: ForeignCall) -> tuple[ForeignTensor, ForeignCall]:
    """Return the difference of the two sides, and the call that makes it."""
    x, target = foreign.tensor("self"), foreign.tensor("target")
    assert x is not None
    assert target is not None
    made = tensor_like(x, shape=broadcast(foreign.name, x.shape, target.shape))
    return made, call("sub", made, self=x, other=target)


def squared_error(foreign: ForeignCall) -> Said:
    """``mse_loss``: the square of the difference."""
    gap, difference = apart(foreign)
    square = tensor_like(gap)
    return [difference, call("square", square, self=gap), reduced(foreign, square)]


def absolute_error(foreign: ForeignCall) -> Said:
    """``l1_loss``: the difference without its sign."""
    gap, difference = apart(foreign)
    size = tensor_like(gap)
    return [difference, call("abs", size, self=gap), reduced(foreign, size)]


def smooth_error(foreign: ForeignCall) -> Said:
    """``smooth_l1_loss`` and ``huber_loss``: c · (|d| − c / 2), where c is |d| but at most ``beta`` or ``delta``."""
    gap, difference = apart(foreign)
    limit = foreign.arguments.get("delta" if foreign.name == "huber_loss" else "beta", 1.0)
    if limit == 0:
        return [foreign._replace(name="l1_loss").without("beta", "delta")]
    size, inner, half, rest, product, scaled = (tensor_like(gap) for _ in range(6))
    return [
        difference,
        call("abs", size, self=gap),
        call("clamp", inner, self=size, max=limit),
        call("mul", half, self=inner, other=0.5),
        call("sub", rest, self=size, other=half),
        call("mul", product, self=inner, other=rest),
        call("mul", scaled, self=product, other=1.0 if foreign.name == "huber_loss" else 1.0 / limit),
        reduced(foreign, scaled),
    ]


def likelihood(foreign: ForeignCall) -> Said:
    """``cross_entropy_loss`` and ``nll_loss`` of whole numbers: what the log probabilities say of each, but of
    ``ignore_index``.
    """
    x, target, said = foreign.tensor("self"), foreign.tensor("target"), foreign.arguments
    assert x is not None
    if target is None or target.dtype != "int64" or said.get("weight") is not None or said.get("label_smoothing"):
        return None
    dim, calls = min(1, len(x.shape) - 1), []
    if foreign.name == "cross_entropy_loss":
        logs = tensor_like(x)
        calls.append(call("log_softmax", logs, self=x, dim=dim))
        x = logs
    ignored = said.get("ignore_index", -100)
    shape = (*target.shape[:dim], 1, *target.shape[dim:])
    named, counted, left_out = tensor_like(target), tensor_like(target, dtype="bool"), tensor_like(target, dtype="bool")
    places, found = tensor_like(target, shape=shape), tensor_like(x, shape=shape)
    picked, negative, each = (tensor_like(x, shape=target.shape) for _ in range(3))
    calls += [
        call("ne", counted, self=target, other=ignored),
        call("logical_not", left_out, self=counted),
        call("masked_fill", named, self=target, mask=left_out, value=0),
        call("unsqueeze", places, self=named, dim=dim),
        call("gather", found, self=x, dim=dim, index=places),
        call("squeeze", picked, self=found, dim=dim),
        call("neg", negative, self=picked),
        call("masked_fill", each, self=negative, mask=left_out, value=0.0),
    ]
    if said.get("reduction", MEAN) != MEAN:
        return [*calls, reduced(foreign, each)]
    whole, count = tensor_like(x, shape=()), tensor_like(x, shape=())
    numbers = tensor_like(x, shape=target.shape)
    return [
        *calls,
        call("sum", whole, self=each),
        call("cast", numbers, self=counted, dtype=x.dtype),
        call("sum", count, self=numbers),
        call("div", foreign.outputs[0], self=whole, other=count),
    ]


def two_sided(foreign: ForeignCall) -> Said:
    """``binary_cross_entropy``: −(y · log x + (1 − y) · log(1 − x)), logarithms of −100 at least."""
    x, target = foreign.tensor("self"), foreign.tensor("target")
    if x is None or target is None or foreign.arguments.get("weight") is not None:
        return None
    rest, log, other, low, lower, gap, scaled, total, each = (tensor_like(x) for _ in range(9))
    return [
        call("log", log, self=x),
        call("clamp", low, self=log, min=-100.0),
        call("rsub", rest, self=x, other=1.0),
        call("log", other, self=rest),
        call("clamp", lower, self=other, min=-100.0),
        call("sub", gap, self=low, other=lower),
        call("mul", scaled, self=target, other=gap),
        call("add", total, self=lower, other=scaled),
        call("neg", each, self=total),
        reduced(foreign, each),
    ]


def two_sided_of_logits(foreign: ForeignCall) -> Said:
    """``binary_cross_entropy_with_logits``: softplus(x) − x · y."""
    x, target, said = foreign.tensor("self"), foreign.tensor("target"), foreign.arguments
    if x is None or target is None or said.get("weight") is not None or said.get("pos_weight") is not None:
        return None
    soft, product, each = (tensor_like(x) for _ in range(3))
    return [
        call("softplus", soft, self=x),
        call("mul", product, self=x, other=target),
        call("sub", each, self=soft, other=product),
        reduced(foreign, each),
    ]


def divergence(foreign: ForeignCall) -> Said:
    """``kl_div``: y · (log y − x), 0 where y is 0."""
    x, target = foreign.tensor("self"), foreign.tensor("target")
    assert x is not None
    assert target is not None
    own, product, each, odds = (tensor_like(x) for _ in range(4))
    if foreign.arguments.get("log_target"):
        first = [call("exp", odds, self=target), call("mul", own, self=odds, other=target)]
    else:
        first, odds = [call("xlogy", own, self=target, other=target)], target
    return [
        *first,
        call("mul", product, self=odds, other=x),
        call("sub", each, self=own, other=product),
        reduced(foreign, each),
    ]


RULES = {
    "mse_loss": [squared_error],
    "l1_loss": [absolute_error],
    "smooth_l1_loss": [smooth_error],
    "huber_loss": [smooth_error],
    "cross_entropy_loss": [likelihood],
    "nll_loss": [likelihood],
    "nll_loss_nd": [likelihood],
    "nll_loss2d": [likelihood],
    "binary_cross_entropy": [two_sided],
    "binary_cross_entropy_with_logits": [two_sided_of_logits],
    "kl_div": [divergence],
}
