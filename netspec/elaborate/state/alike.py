"""Blocks that are alike but for their ``drop_path``: the level of one is made of another's, as no shape depends on it.

A deep network gives each of its blocks a probability of its own. To elaborate each would take as long as if none were
like another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.elaborate.reading.words import words_in
from netspec.graph import Level, Node, Step, Value
from netspec.ops import Op
from netspec.spec import BlockSpec
from netspec.spec.steps import STRUCTURES
from netspec.syntax import ScalarNode


@dataclass(frozen=True, slots=True)
class Rate:
    """A parameter of a block that nothing reads but the ``drop_path`` of its residuals, which stand at ``places``."""

    name: str
    places: frozenset[Span]

    def is_between(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether these arguments of the block leave out some rows, so that there is a step which does."""
        value = arguments[self.name]
        return isinstance(value, float) and 0 < value < 1

    def changed(self, level: Level, arguments: Mapping[str, Any], op: Op) -> Level:
        """Return the level of the block for arguments that differ in the rate alone; ``op`` leaves out the rows."""
        made: dict[Value, Value] = {}

        def fresh(values: Sequence[Value]) -> tuple[Value, ...]:
            return tuple(made.setdefault(value, replace(value)) for value in values)

        inputs = fresh(level.inputs)
        steps: list[Step] = [
            replace(step, inputs=fresh(step.inputs), outputs=fresh(step.outputs)) for step in level.steps
        ]
        for at, step in enumerate(steps):
            if isinstance(step, Node) and step.op.name == op.name and step.span in self.places:
                steps[at] = replace(step, op=op)
        outputs = fresh(level.outputs)
        return replace(level, inputs=inputs, steps=tuple(steps), outputs=outputs, arguments=dict(arguments))


def rate_of(block: BlockSpec) -> Rate | None:
    """Return the rate of a block, if it has one, and if all of its residuals that read it are in its own level."""
    residuals: list[Any] = [step for step in _own_steps(block.body) if isinstance(step, STRUCTURES["residual"])]
    written = [(step.drop_path, step.span) for step in residuals if isinstance(step.drop_path, ScalarNode)]
    if not written or block.outputs is not None:
        return None
    name = written[0][0].text
    defaults = [parameter.default for parameter in block.params.values()]
    words = [*words_in((block.body, block.let, block.require, defaults))]
    places = [span for node, span in written if node.text == name]
    if name not in block.params or words.count(name) != len(places):
        return None
    return Rate(name, frozenset(places))


def _own_steps(body: Sequence[Any]) -> Iterator[Any]:
    """Yield the steps of a body that do not stand in others, but for a choice between them."""
    choice: Any = STRUCTURES["if"]
    for step in body:
        if isinstance(step, choice):
            yield from _own_steps((*step.then, *step.otherwise))
        elif not step.is_named:
            yield step
