"""Choices made while compiling: ``if``."""

from __future__ import annotations

from netspec.elaborate.context import Context, Frame
from netspec.graph import Value
from netspec.spec import If


def elaborate(context: Context, frame: Frame, step: If, prev: Value | None, given: str | None) -> Value | None:
    """Elaborate the steps of the branch that the test chooses."""
    test = context.reader.condition(step.test, frame.env, "the test of `if`")
    return context.run(frame, step.then if test else step.otherwise, prev)
