"""Choices made while compiling: ``if``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from netspec.elaborate.building.inner import reading
from netspec.elaborate.context import Context, Frame, elaborates
from netspec.graph import Value
from netspec.spec import Written
from netspec.spec.reading import Condition, Source, keyword
from netspec.spec.steps import Body, Structure


class If(Structure):
    """A choice made while compiling."""

    known_as = "if"
    examples = {
        "then": "write `then: [relu]`: the steps to run if the test is true",
        "test": "write `test: stride == 1`",
    }
    test: Condition
    """a condition over parameters, loop indices and `shape`"""
    then: Body
    """the steps where the test holds"""
    otherwise: Annotated[Body, keyword("else")] = ()
    """the steps where it does not"""
    source: Annotated[Source | None, keyword("from")] = None
    """the step that the chosen steps read; default: the step before"""
    usage = (
        """\
params: {normalised: true}
network:
  - if: {test: normalised, then: [layer_norm], else: [relu], from: x}""",
    )

    def choice(self, holds: Callable[[Written, str], bool]) -> Body | None:
        if self.source is not None:
            return None
        return self.then if holds(self.test, "the test of `if`") else self.otherwise


@elaborates(If)
def elaborate(context: Context, frame: Frame, step: If, prev: Value | None, default_name: str | None) -> Value | None:
    """Elaborate the steps of the branch that the test chooses."""
    frame, prev = reading(context, frame, step.source, "if", prev)
    test = context.reader.condition(step.test, frame.env, "the test of `if`")
    return context.run(frame, step.then if test else step.otherwise, prev)
