"""Rotary embeddings by hand: pairs of elements, in halves or side by side, turned by the angles of their positions."""

from __future__ import annotations

from typing import Any, NamedTuple

from netspec.importer.lower.idioms.heads.angles import DOUBLED, HALVES, ONCE, Turning, turning
from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor


class Turned(NamedTuple):
    """A tensor that is turned, its cosines and sines, and their layout (``ONCE``, ``HALVES``, ``DOUBLED``)."""

    x: ForeignTensor
    cosines: ForeignTensor
    sines: ForeignTensor
    layout: str
    interleaved: bool


def by_sum(steps: OpSteps, step: ForeignStep) -> Found:
    """x · cos + turned · sin, where each pair (a, b) of x is turned to (−b, a)."""
    sides = [steps.maker(each, "multiply") for each in reading(step).inputs]
    if len(sides) != 2 or None in sides:
        return None
    for plain, other in (sides, sides[::-1]):
        for pairs, sines in _both_ways(other):
            turned = _quarter_turn(steps, pairs)
            cosines = None if turned is None else _times(plain, turned[0])
            if turned is not None and cosines is not None and sines is not None:
                x, interleaved = turned
                layout = DOUBLED if interleaved else HALVES
                return _embedding(steps, step, Turned(x, cosines, sines, layout, interleaved))
    return None


def by_parts(steps: OpSteps, step: ForeignStep) -> Found:
    """(a · cos − b · sin, b · cos + a · sin), one behind the other; what is not turned may come last."""
    (output,) = reading(step).outputs
    parts = [each for each in reading(step).inputs if each is not None]
    if output is None or len(parts) not in (2, 3) or reading(step).arguments.get("dim", 1) not in _last(output):
        return None
    found = _pairs(steps, parts[0], parts[1])
    x = None if found is None else _halves(steps, found.x, found.other)
    if found is None or x is None:
        return None
    turned = Turned(x, found.cosines, found.sines, ONCE, False)
    return _embedding(steps, step, turned, parts[2] if len(parts) == 3 else None)


def by_pairs(steps: OpSteps, step: ForeignStep) -> Found:
    """(a · cos − b · sin, b · cos + a · sin), side by side."""
    (stacked,), (output,) = reading(step).inputs[:1], reading(step).outputs
    joined = steps.maker(stacked, "stack")
    if joined is None or stacked is None or output is None or len(reading(joined).inputs) != 2:
        return None
    if reading(joined).arguments.get("dim", 1) not in _last(stacked) or len(stacked.shape) != len(output.shape) + 1:
        return None
    found = _pairs(steps, *reading(joined).inputs)
    x = None if found is None else _neighbours(steps, found.x, found.other)
    if found is None or x is None or x.shape != output.shape:
        return None
    return _embedding(steps, step, Turned(x, found.cosines, found.sines, ONCE, True))


def of_the_first(steps: OpSteps, step: ForeignStep) -> Found:
    """The first elements turned, and the rest behind them."""
    inputs, (output,) = reading(step).inputs, reading(step).outputs
    first = steps.maker(inputs[0], "rotary_embedding") if len(inputs) == 2 else None
    if first is None or output is None or reading(step).arguments.get("dim", 1) not in _last(output):
        return None
    said = reading(first)
    whole = _begun(steps, said.inputs[0], inputs[1])
    if whole is None or steps.uses[inputs[0]] > 1 or "rotary_dim" in said.arguments:  # type: ignore[index]
        return None
    arguments = {**said.arguments, "rotary_dim": said.inputs[0].shape[-1]}  # type: ignore[union-attr]
    found = steps.step(step, "rotary_embedding", arguments, (whole, said.inputs[1]), (output,))
    return None if found is None else [found]


def _embedding(steps: OpSteps, step: ForeignStep, turned: Turned, rest: ForeignTensor | None = None) -> Found:
    """The step that turns so, if there is one."""
    found = turning(steps, turned.x, turned.cosines, turned.sines, turned.layout)
    if found is None:
        return None
    x, arguments = turned.x, dict(found.arguments)
    if turned.interleaved:
        arguments["interleaved"] = True
    if rest is not None:
        whole = _begun(steps, x, rest)
        if whole is None:
            return None
        arguments["rotary_dim"], x = x.shape[-1], whole
    return _said(steps, step, x, arguments, found)


def _said(steps: OpSteps, step: ForeignStep, x: ForeignTensor, arguments: dict[str, Any], found: Turning) -> Found:
    """The op, between two transpositions where positions go along the dimension before the heads."""
    (output,) = reading(step).outputs
    if not found.before_heads:
        made = steps.step(step, "rotary_embedding", arguments, (x, found.positions), (output,))
        return None if made is None else [made]
    turned = [ForeignTensor((*x.shape[:-3], x.shape[-2], x.shape[-3], x.shape[-1]), x.dtype) for _ in range(2)]
    swap = {"dim0": len(x.shape) - 3, "dim1": len(x.shape) - 2}
    there = steps.step(step, "transpose", swap, (x,), turned[:1])
    made = steps.step(step, "rotary_embedding", arguments, (turned[0], found.positions), turned[1:])
    back = steps.step(step, "transpose", swap, turned[1:], (output,))
    return None if there is None or made is None or back is None else [there, made, back]


class _Pairs(NamedTuple):
    """The first elements of all pairs, and the second ones."""

    x: ForeignTensor
    other: ForeignTensor
    cosines: ForeignTensor
    sines: ForeignTensor


def _pairs(steps: OpSteps, ahead: ForeignTensor | None, behind: ForeignTensor | None) -> _Pairs | None:
    """The parts of a · cos − b · sin and b · cos + a · sin."""
    less, more = steps.maker(ahead, "subtract"), steps.maker(behind, "add")
    if less is None or more is None or len(reading(more).inputs) != 2:
        return None
    products = [steps.maker(each, "multiply") for each in (*reading(less).inputs, *reading(more).inputs)]
    if None in products:
        return None
    first, second, *sums = products
    for x, cosines in _both_ways(first):
        for other, sines in _both_ways(second):
            for crossed, along in (sums, sums[::-1]):
                if x is None or other is None or cosines is None or sines is None:
                    continue
                if steps.same(_times(crossed, other), cosines) and steps.same(_times(along, x), sines):
                    return _Pairs(x, other, cosines, sines)
    return None


def _both_ways(step: ForeignStep | None) -> list[tuple[ForeignTensor | None, ...]]:
    inputs = () if step is None else reading(step).inputs
    return [inputs, inputs[::-1]] if len(inputs) == 2 else []


def _times(product: ForeignStep | None, x: ForeignTensor) -> ForeignTensor | None:
    """The other factor of a product."""
    return next((factor for given, factor in _both_ways(product) if given is x), None)


def _quarter_turn(steps: OpSteps, tensor: ForeignTensor | None) -> tuple[ForeignTensor, bool] | None:
    """The tensor whose pairs (a, b) are (−b, a) here, and whether they are neighbours."""
    joined = steps.maker(tensor, "concat")
    stacked = steps.maker(steps.source(tensor, "flatten", "reshape"), "stack")
    made = joined or stacked
    if made is None or tensor is None or len(reading(made).inputs) != 2:
        return None
    (whole,) = reading(made).outputs
    first, second = reading(made).inputs
    late = steps.source(first, "neg") or _negated(steps, first)
    if whole is None or late is None or second is None or reading(made).arguments.get("dim", 1) not in _last(whole):
        return None
    x = _halves(steps, second, late) if joined is not None else _neighbours(steps, second, late)
    return None if x is None or x.shape != tensor.shape else (x, joined is None)


def _negated(steps: OpSteps, tensor: ForeignTensor | None) -> ForeignTensor | None:
    scaled = steps.maker(tensor, "scale")
    return reading(scaled).inputs[0] if scaled is not None and reading(scaled).arguments["factor"] == -1 else None


def _halves(steps: OpSteps, first: ForeignTensor, second: ForeignTensor) -> ForeignTensor | None:
    """The tensor whose last dimension these are the halves of."""
    x = _begun(steps, first, second)
    even = x is not None and isinstance(x.shape[-1], int) and x.shape[-1] == 2 * first.shape[-1]
    return x if even else None


def _begun(steps: OpSteps, first: ForeignTensor | None, second: ForeignTensor | None) -> ForeignTensor | None:
    """The tensor that is cut in two along its last dimension."""
    one, two = (steps.maker(each, "slice", "chunk", "split") for each in (first, second))
    if one is None or two is None or reading(one).inputs[0] is not reading(two).inputs[0] or first is None:
        return None
    (x,) = reading(one).inputs[:1]
    if x is None or any(reading(each).arguments.get("dim", 0) not in _last(x) for each in (one, two)):
        return None
    if one is two and one.op != "slice":
        return x if [*reading(one).outputs] == [first, second] else None
    width, said, other = first.shape[-1], reading(one).arguments, reading(two).arguments
    early = said.get("start") is None and said.get("step", 1) == 1 and one.op == "slice"
    late = other.get("end") is None and other.get("step", 1) == 1 and two.op == "slice"
    return x if early and late and said.get("end") == width == other.get("start") else None


def _neighbours(steps: OpSteps, first: ForeignTensor, second: ForeignTensor) -> ForeignTensor | None:
    """The tensor of whose last dimension these are the elements at even and at odd places."""
    one, two = (steps.maker(each, "slice", "select", "unbind") for each in (first, second))
    if one is None or two is None or reading(one).inputs[0] is not reading(two).inputs[0] or one.op != two.op:
        return None
    (x,) = reading(one).inputs[:1]
    if x is None or any(reading(each).arguments.get("dim", 0) not in _last(x) for each in (one, two)):
        return None
    said, other = reading(one).arguments, reading(two).arguments
    if one.op == "slice":
        every_other = said.get("step") == other.get("step") == 2 and said.get("start") is None
        return x if every_other and other.get("start") == 1 and said.get("end") is other.get("end") is None else None
    in_order = (
        [*reading(one).outputs] == [first, second] if one.op == "unbind" else (said["index"], other["index"]) == (0, 1)
    )
    whole = steps.source(x, "reshape", "unflatten")
    merged = whole is not None and whole.shape == (*x.shape[:-2], 2 * x.shape[-2]) and x.shape[-1] == 2
    return whole if in_order and merged else None


def _last(x: ForeignTensor) -> tuple[int, int]:
    return (-1, len(x.shape) - 1)


IDIOMS = {
    "add": (by_sum,),
    "concat": (by_parts, of_the_first),
    "flatten": (by_pairs,),
    "reshape": (by_pairs,),
}
