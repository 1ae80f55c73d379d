"""Attention by hand: products, a softmax and products again; heads of keys and values that are repeated."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from netspec.importer.lower.idioms.heads.masks import is_causal, values_of
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor

DROPOUTS = ("dropout",)
PRODUCTS = ("scale", "matmul", "masked_fill")
LITTLE = -1e30
"""A score from which on nothing is left of it."""


class Scores(NamedTuple):
    """The input of a softmax: products of queries and keys, scaled, with a mask added, or what lies ahead hidden."""

    query: ForeignTensor
    key: ForeignTensor
    transposed: ForeignStep
    scale: float
    mask: ForeignTensor | None
    causal: bool


def by_hand(steps: OpSteps, step: ForeignStep) -> Found:
    """softmax(Q·Kᵀ · scale + mask) · V."""
    weights, value = reading(step).inputs
    dropout = steps.maker(weights, *DROPOUTS)
    soft = steps.maker(reading(dropout).inputs[0] if dropout is not None else weights, "softmax")
    if soft is None or value is None or _read_elsewhere(steps, weights, dropout):
        return None
    (scores,) = reading(soft).inputs
    if scores is None or reading(soft).arguments["dim"] not in (-1, len(scores.shape) - 1):
        return None
    found = _scores(steps, scores, None)
    if found is None:
        return None
    arguments: dict[str, Any] = {"scale": found.scale}
    width = found.query.shape[-1]
    if isinstance(width, int) and math.isclose(found.scale, width**-0.5, rel_tol=1e-6):
        arguments = {}
    if dropout is not None:
        arguments["dropout_p"] = reading(dropout).arguments.get("p", 0.5)
    if found.causal:
        arguments["is_causal"] = True
    inputs = (found.query, found.key, value, found.mask)
    made = steps.step(step, "scaled_dot_product_attention", arguments, inputs, reading(step).outputs)
    return None if made is None else [found.transposed, made]


def _read_elsewhere(steps: OpSteps, weights: ForeignTensor | None, dropout: ForeignStep | None) -> bool:
    inner = reading(dropout).inputs[0] if dropout is not None else None
    return any(steps.uses[each] > 1 for each in (weights, inner) if each is not None)


def _scores(steps: OpSteps, tensor: ForeignTensor, mask: ForeignTensor | None) -> Scores | None:
    """Read what is added and multiplied to the products, from the last to the first."""
    factor, causal = 1.0, False
    while True:
        step = steps.maker(tensor, "add", "scale", "matmul", "masked_fill")
        if step is None:
            return None
        inputs = [each for each in reading(step).inputs if each is not None]
        if step.op == "scale":
            factor *= reading(step).arguments["factor"]
            tensor = inputs[0]
        elif step.op == "masked_fill":
            if factor != 1.0 or not hides_ahead(steps, step):
                return None
            causal, tensor = True, inputs[0]
        elif step.op == "add":
            if mask is not None or len(inputs) != 2 or factor != 1.0:
                return None
            products = next((each for each in inputs if steps.maker(each, *PRODUCTS)), None)
            if products is None or products.shape != tensor.shape:
                return None
            mask = inputs[1] if inputs[0] is products else inputs[0]
            tensor = products
        else:
            found = _of_products(steps, step, factor, mask)
            return None if found is None else found._replace(causal=causal)


def hides_ahead(steps: OpSteps, fill: ForeignStep) -> bool:
    """Return whether scores are filled with the least of numbers above the diagonal, where the mask is true."""
    hidden = values_of(steps, reading(fill).inputs[1])
    return float(reading(fill).arguments["value"]) <= LITTLE and bool(hidden) and is_causal([~each for each in hidden])


def _of_products(steps: OpSteps, step: ForeignStep, factor: float, mask: ForeignTensor | None) -> Scores | None:
    query, turned = reading(step).inputs
    if query is None or turned is None or len(query.shape) != len(turned.shape) or len(query.shape) < 3:
        return None
    scaled = steps.maker(query, "scale")
    if scaled is not None:
        factor *= reading(scaled).arguments["factor"]
        query = reading(scaled).inputs[0]
    scaled = steps.maker(turned, "scale")
    if scaled is not None:
        factor *= reading(scaled).arguments["factor"]
        turned = reading(scaled).inputs[0]
    assert query is not None
    assert turned is not None
    key = ForeignTensor((*turned.shape[:-2], turned.shape[-1], turned.shape[-2]), turned.dtype)
    back = steps.step(step, "transpose", {"dim0": -2, "dim1": -1}, (turned,), (key,))
    return None if back is None else Scores(query, key, back, factor, mask, False)


def there_and_back(steps: OpSteps, step: ForeignStep) -> Found:
    """Two transpositions that undo each other, or a permutation and one, which are one permutation."""
    (x,), (output,) = reading(step).inputs, reading(step).outputs
    before = steps.maker(x, "transpose", "permute")
    if before is None or x is None:
        return None
    rank = len(x.shape)
    order = [_order(before, rank)[axis] for axis in _order(step, rank)]
    source = reading(before).inputs[0]
    if order == list(range(rank)):
        return source
    moved = [axis for axis in range(rank) if order[axis] != axis]
    if len(moved) == 2:
        dims = {"dim0": moved[0], "dim1": moved[1]}
        if moved == [rank - 2, rank - 1]:
            dims = {"dim0": -2, "dim1": -1}
        found = steps.step(before, "transpose", dims, (source,), (output,))
    else:
        found = steps.step(before, "permute", {"dims": tuple(order)}, (source,), (output,))
    return None if found is None else [found]


def _order(step: ForeignStep, rank: int) -> list[int]:
    said = reading(step).arguments
    if step.op == "permute":
        return [dim % rank for dim in said["dims"]]
    order = list(range(rank))
    first, second = said["dim0"] % rank, said["dim1"] % rank
    order[first], order[second] = second, first
    return order


def grouped(steps: OpSteps, step: ForeignStep) -> Found:
    """Keys and values whose heads are repeated, each for a group of queries."""
    said = reading(step)
    query, key, value, mask = said.inputs[:4]
    first, second = _repeated(steps, key), _repeated(steps, value)
    if first is None or second is None or query is None:
        return None
    arguments = {**said.arguments, "enable_gqa": True}
    found = steps.step(step, step.op, arguments, (query, first, second, mask), said.outputs)
    return None if found is None else [found]


def _repeated(steps: OpSteps, tensor: ForeignTensor | None) -> ForeignTensor | None:
    """The tensor [N, G, S, E] whose second dimension another one repeats, side by side."""
    merged = steps.maker(tensor, "flatten", "reshape")
    spread = steps.maker(reading(merged).inputs[0], "expand") if merged is not None else None
    source = steps.source(reading(spread).inputs[0], "unsqueeze") if spread is not None else None
    if source is None or spread is None or tensor is None or len(source.shape) != 4 or len(tensor.shape) != 4:
        return None
    (wide,) = reading(spread).outputs
    assert wide is not None
    same = wide.shape[:2] == source.shape[:2] and wide.shape[3:] == source.shape[2:]
    return source if same and len(wide.shape) == 5 and tensor.shape[2:] == source.shape[2:] else None


IDIOMS = {
    "matmul": (by_hand,),
    "transpose": (there_and_back,),
    "permute": (there_and_back,),
    "scaled_dot_product_attention": (grouped,),
}
