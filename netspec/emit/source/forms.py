"""The levels and steps that become modules, and their form."""

from __future__ import annotations

from netspec.graph import Call, Level, Node, Step
from netspec.ops import Op


def is_chain(level: Level) -> bool:
    """Return whether each step reads just what the step before gives, and all of them have a module form."""
    if len(level.inputs) != 1 or len(level.outputs) != 1 or level.loop is not None or level.is_prepared:
        return False
    value = level.inputs[0]
    for step in level.steps:
        if step.training or step.shares or step.inputs != (value,) or len(step.outputs) != 1:
            return False
        if isinstance(step, Call) and step.recompute:
            return False
        if isinstance(step, Node) and (
            step.keys or not step.op.has_module or type(step.op).statements is not Op.statements
        ):
            return False  # it has no module, or its module is only a part of what it does
        value = step.outputs[0]
    return level.outputs == (value,)


def is_sequential(level: Level) -> bool:
    """A chain whose steps are called by their positions, as ``nn.Sequential`` calls them; it runs all that it holds."""
    return (
        not level.holds_more
        and is_chain(level)
        and all(step.name == str(position) for position, step in enumerate(level.steps))
    )


def is_inline(level: Level) -> bool:
    """Return whether a level is written as ``nn.Sequential(…)`` where it is used, with no class of its own."""
    return level.kind not in ("block", "network") and is_sequential(level)


def is_module(step: Step, level: Level) -> bool:
    """Return whether a step of a class is an attribute: a level, what has a name, or what has state.

    In the iterations of a scan only what has state is: a call of a module costs as much as a small activation.
    """
    if isinstance(step, Call):
        return True
    return step.op.has_module and (
        bool(step.keys) or (step.named and level.loop is None) or bool(step.shares) or step.op.functional is None
    )
