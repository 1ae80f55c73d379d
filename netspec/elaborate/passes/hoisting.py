"""Loop-invariant steps of a scan, found once, for the source, ONNX and the costs alike.

A step that reads nothing but what lies outside the scan gives the same in every iteration: it runs ahead of the loop,
from inside a block too (the keys of an attention are projected once). A step that treats every place of the leading
dimensions alike can run for all iterations at once: before the loop where it knows no state, after it where no state
depends on it (the classifier over a vocabulary is one large product).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from netspec.dims import Size, UndecidedError, same
from netspec.elaborate.state.levels import Interned
from netspec.graph import Call, Level, Node, Phase, Step, Value, over_time
from netspec.ops import ShapeError


def hoisted(level: Level, interned: Interned) -> Level:
    """A scan's level with the phases of its steps."""
    assert level.loop is not None
    outer = level.inputs[level.loop.sequences + level.loop.states :]
    level = _Hoister(interned).level(level, frozenset(outer), whole=True)
    phases = {**level.phases, **_at_once(level)}
    return interned.level(replace(level, phases=phases)) if phases else level


class _Hoister:
    """Marks what gives the same in every iteration, in a level and in those that it calls."""

    def __init__(self, interned: Interned):
        self.interned = interned

    def level(self, level: Level, fixed: frozenset[Value], whole: bool = False) -> Level:
        """The level, where these inputs are the same in every iteration.

        Outside the scan's own body (``whole``) it is left as it is unless something is multiplied: a block is not
        taken apart for the sake of a reshape.
        """
        fixed |= {value for step in level.steps if not step.inputs for value in step.outputs}
        hoisted_steps: dict[Step, Phase] = {}
        steps: list[Step] = []
        for step in level.steps:
            if (step.inputs or whole) and not step.training and fixed.issuperset(step.inputs) and is_steady(step):
                hoisted_steps[step] = "hoisted"
                fixed |= set(step.outputs)
            elif isinstance(step, Call) and step.body.loop is None:
                inner = frozenset(own for own, value in zip(step.body.inputs, step.inputs) if value in fixed)
                body = self.level(step.body, inner)
                step = step if body is step.body else replace(step, body=body)
            steps.append(step)
        if not whole and not any(is_costly(step) for step in hoisted_steps):
            hoisted_steps = {}
        if not hoisted_steps and all(step is old for step, old in zip(steps, level.steps)):
            return level
        return self.interned.level(replace(level, steps=tuple(steps), phases=hoisted_steps))


def is_steady(step: Step) -> bool:
    """Return whether running a step once does what running it again and again would, in training too."""
    return step.op.is_steady() if isinstance(step, Node) else all(map(is_steady, step.body.steps))


def is_costly(step: Step) -> bool:
    """Return whether a step multiplies anything."""
    return (step.macs if isinstance(step, Node) else step.body.macs) != 0


def _at_once(level: Level) -> dict[Step, Phase]:
    """The steps of a scan's body that run for all iterations at once."""
    assert level.loop is not None
    length = level.loop.length
    phases: dict[Step, Phase] = {}
    varying = set(level.inputs[: level.loop.sequences])  # known for all iterations before the loop
    fixed = set(level.inputs[level.loop.sequences + level.loop.states :])
    fixed |= {value for step in level.steps if not step.inputs for value in step.outputs}
    for step in level.steps:
        if level.phases.get(step) == "hoisted":
            fixed.update(step.outputs)
        elif varying.issuperset(set(step.inputs) - fixed) and runs_at_once(step, fixed, length):
            phases[step] = "before"
            varying.update(step.outputs)
    states = set(level.outputs[len(level.outputs) - level.loop.states :])
    readers: dict[Value, list[Step]] = {}
    for step in level.steps:
        for value in step.inputs:
            readers.setdefault(value, []).append(step)
    for step in reversed(level.steps):
        if step in phases or step in level.phases or not states.isdisjoint(step.outputs):
            continue
        later = (reader for value in step.outputs for reader in readers.get(value, []))
        if all(phases.get(reader) == "after" for reader in later) and runs_at_once(step, fixed, length):
            phases[step] = "after"
    return phases


def runs_at_once(step: Step, fixed: Iterable[Value], length: Size) -> bool:
    """Return whether one run on the tensors of all iterations does what a run in every iteration does."""
    if not isinstance(step, Node) or step.training or not step.inputs or step.ports:
        return False
    known = set(fixed)
    ranks = {len(value.shape) for value in step.inputs if value not in known}
    if len(ranks) != 1:
        return False
    (rank,) = ranks
    if not step.op.is_batched_over_leading_dims(rank) or any(
        len(value.shape) >= rank for value in step.inputs if value in known
    ):
        return False
    tensors = [value.tensor if value in known else over_time(value.tensor, length) for value in step.inputs]
    wanted = tuple(over_time(value.tensor, length) for value in step.outputs)
    try:
        if not all(same(left, right) for left, right, _ in step.op.requirements(*tensors)):
            return False
        return step.op.infer(*tensors) == wanted and step.op.parameters(*tensors) == step.parameters
    except (ShapeError, UndecidedError):
        return False
