"""Masks that sizes alone decide: those that hide nothing go, those that hide what lies ahead are ``is_causal``."""

from __future__ import annotations

from typing import Any

import numpy as np

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.attention.masks import LEAST
from netspec.ops.core.foreign import ForeignTensor


def values_of(steps: OpSteps, tensor: ForeignTensor | None) -> list[Any]:
    """Return what a tensor is at several choices of sizes; nothing where it depends on more than sizes."""
    return [] if tensor is None else steps.values_at_sizes(tensor)


def shows_all(values: list[Any]) -> bool:
    """Return whether a mask hides nothing."""
    return bool(values) and all(value.all() if value.dtype == bool else (value == 0).all() for value in values)


def is_causal(values: list[Any]) -> bool:
    """Return whether a mask shows each query the keys up to its own place."""
    for value in values:
        if value.ndim < 2 or 1 in value.shape[-2:]:
            return False
        shown = value if value.dtype == bool else value == 0
        hidden = value[~shown] if value.dtype != bool else np.array([-np.inf])
        if value.dtype != bool and not (hidden <= np.finfo(np.float32).min / 4).all():
            return False
        if not (shown == np.tril(np.ones(shown.shape[-2:], bool))).all():
            return False
    return bool(values)


def diagonal_of(query: ForeignTensor, key: ForeignTensor, values: list[Any]) -> Any:
    """Return by how many more keys than its own place each query may see, if a mask shows just those."""
    apart = key.shape[-2] - query.shape[-2]
    if isinstance(apart, int) or not values:
        return None
    for value in values:
        if value.dtype != bool or value.ndim < 2:
            return None
        rows, columns = value.shape[-2:]
        if not (value == np.tril(np.ones((rows, columns), bool), columns - rows)).all():
            return None
    return apart


def hidden_by_sizes(steps: OpSteps, step: ForeignStep) -> Found:
    """The mask of an attention, or the parts of it that sizes alone decide."""
    said = reading(step)
    query, key, value, mask = said.inputs[:4]
    if mask is None:
        return None
    parts = [mask]
    both = steps.maker(mask, "logical_and")
    if both is not None and not steps.sizes_only.holds(mask):
        parts = [each for each in reading(both).inputs if each is not None]
    values = [values_of(steps, part) for part in parts]
    causal = any(is_causal(each) for each in values if each)
    left = [part for part, each in zip(parts, values) if not (shows_all(each) or is_causal(each))]
    if len(left) == len(parts) or len(left) > 1:
        return _causal_from(steps, step, mask)
    arguments = {**said.arguments, **({"is_causal": True} if causal else {})}
    found = steps.step(step, step.op, arguments, (query, key, value, *left), said.outputs)
    return None if found is None else [found]


def _causal_from(steps: OpSteps, step: ForeignStep, mask: ForeignTensor) -> Found:
    """The mask by which keys that came before the queries are seen, too, by its own op."""
    said = reading(step)
    query, key = said.inputs[:2]
    made = steps.made.get(mask)
    if query is None or key is None or made is None or made.op == "causal_mask" or len(mask.shape) != 2:
        return None
    diagonal = diagonal_of(query, key, values_of(steps, mask))
    seen = None if diagonal is None else ForeignTensor(mask.shape, "bool")
    first = seen and steps.step(made, "causal_mask", {"diagonal": diagonal}, (query, key), (seen,))
    found = first and steps.step(step, step.op, said.arguments, (*said.inputs[:3], seen), said.outputs)
    return [first, found] if first and found else None


def adds_nothing(steps: OpSteps, step: ForeignStep) -> Found:
    """Zeros, made of sizes, that are added."""
    said = reading(step)
    (output,) = said.outputs
    inputs = [each for each in said.inputs if each is not None]
    if output is None or len(inputs) != 2:
        return None
    for x, other in (inputs, inputs[::-1]):
        if x.shape == output.shape and "float" in x.dtype and shows_all(values_of(steps, other)):
            return x
    return None


def hides_none(steps: OpSteps, step: ForeignStep) -> Found:
    """A fill where a mask is false throughout, at all sizes."""
    x, mask = reading(step).inputs[:2]
    (output,) = reading(step).outputs
    values = values_of(steps, mask)
    same = x is not None and output is not None and x.shape == output.shape
    return x if same and values and not any(value.any() for value in values) else None


def over_what_is_shown(steps: OpSteps, step: ForeignStep) -> Found:
    """A softmax of what a mask shows alone: what it hides has the least number of all."""
    said = reading(step)
    filled = steps.maker(said.inputs[0], "masked_fill")
    if filled is None or said.arguments.get("dim") is None or reading(filled).arguments.get("value") != LEAST:
        return None
    x, hidden = reading(filled).inputs[:2]
    shown = steps.source(hidden, "logical_not")
    (weighed,) = reading(filled).outputs
    if shown is None or weighed is None or steps.uses[weighed] > 1:
        return None
    found = steps.step(step, "masked_softmax", {"dim": said.arguments["dim"]}, (x, shown), said.outputs)
    return None if found is None else [found]


LATE_IDIOMS = {"softmax": (over_what_is_shown,)}
"""Those of what no attention has, which are looked for when all others are found."""
IDIOMS = {"masked_fill": (hides_none,), "scaled_dot_product_attention": (hidden_by_sizes,), "add": (adds_nothing,)}
