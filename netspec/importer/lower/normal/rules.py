"""Rules that say a call by others, and the way through a program that applies them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, Union

from netspec.importer.program import ForeignProgram, ForeignStep, ModuleCall
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

Said: TypeAlias = Union[Sequence[ForeignCall], ForeignTensor, None]
"""The other calls that a rule makes of one, the last of which gives its outputs; a tensor that is its output already;
or nothing, where it stays as it is."""
Rule: TypeAlias = Callable[[ForeignCall], Said]
Makers: TypeAlias = Mapping[ForeignTensor, ForeignCall]
"""The calls so far by their outputs."""
LookingRule: TypeAlias = Callable[[ForeignCall, Makers], Said]
"""A rule that asks how what a call reads was made."""


def call(name: str, output: ForeignTensor | None, **arguments: Any) -> ForeignCall:
    """Return a call with one output; arguments that are ``None`` are left out."""
    return ForeignCall(name, {key: value for key, value in arguments.items() if value is not None}, (output,))


def tensor_like(tensor: ForeignTensor, **changes: Any) -> ForeignTensor:
    """Return a new tensor of another one's shape and dtype, or with another ``shape`` or ``dtype``."""
    return ForeignTensor(changes.get("shape", tensor.shape), changes.get("dtype", tensor.dtype))


class CallRewriting:
    """One pass through a program. ``instead`` has the tensors that stand for others.

    ``made`` has the calls so far by their outputs: those in each call of a module that runs several times apart, since
    all its calls are to stay alike.
    """

    def __init__(
        self,
        program: ForeignProgram,
        rules: Mapping[str, Sequence[Rule]],
        looking: Mapping[str, Sequence[LookingRule]],
    ):
        self.program, self.rules, self.looking = program, rules, looking
        scopes = {scope for step in program.steps for scope in step.scopes}
        self.several = {scope.path for scope in scopes if scope.turn > 0}
        self.made: dict[tuple[ModuleCall, ...], dict[ForeignTensor, ForeignCall]] = defaultdict(dict)
        self.instead: dict[ForeignTensor, ForeignTensor] = {}
        self.steps: list[ForeignStep] = []

    def run(self) -> None:
        """Rewrite every step, and what is made of it."""
        for step in self.program.steps:
            self._step(step)
        self.program.steps[:] = self.steps
        self.program.outputs.update({name: self._now(each) for name, each in self.program.outputs.items()})

    def _step(self, step: ForeignStep) -> None:
        made = self.made[tuple(scope for scope in step.scopes if scope.path in self.several)]
        waiting = [step.call._replace(arguments=self._now(step.call.arguments))]
        while waiting:
            first = waiting.pop(0)
            first = first._replace(arguments=self._now(first.arguments))
            said = self._said(first, made)
            if isinstance(said, ForeignTensor):
                assert first.outputs[0] is not None
                self.instead[first.outputs[0]] = said
            elif said is None:
                self.steps.append(ForeignStep(first, step.scopes, step.place))
                made.update({each: first for each in first.outputs if each is not None})
            else:
                waiting = [*said, *waiting]

    def _said(self, foreign: ForeignCall, made: Makers) -> Said:
        for looking in self.looking.get(foreign.name, ()):
            if (said := looking(foreign, made)) is not None:
                return said
        for rule in self.rules.get(foreign.name, ()):
            if (said := rule(foreign)) is not None:
                return said
        return None

    def _now(self, value: Any) -> Any:
        if isinstance(value, ForeignTensor):
            return self.instead.get(value, value)
        if isinstance(value, list):
            return [self._now(each) for each in value]
        return {name: self._now(each) for name, each in value.items()} if isinstance(value, dict) else value
