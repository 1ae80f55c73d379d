"""The way through a program that finds idioms: each is looked for from its last step backwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, Union

from netspec.importer.lower.dead import made_by, read_by
from netspec.importer.lower.sizes_only import SizesOnly
from netspec.importer.lower.table import OpTable, WrongReading
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.registry import OPS

Found: TypeAlias = Union[Sequence[ForeignStep], ForeignTensor, None]
"""The steps in the place of the last one, which give its outputs; a tensor that is its output already; or nothing."""
SIZES = (3, 6, 11)
"""The sizes of the first symbolic dimension that something is worked out at."""
RANDOM = ("noise", "gumbel_softmax", "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout")
"""The ops that may give something else each time."""
Idiom: TypeAlias = Callable[["OpSteps", ForeignStep], Found]


class OpSteps:
    """The steps so far, by what they give. ``uses`` counts how often each tensor is read."""

    def __init__(self, program: ForeignProgram, table: OpTable):
        self.program, self.table = program, table
        self.made: dict[ForeignTensor, ForeignStep] = {}
        self.sizes_only = SizesOnly(self.made)
        self.memory: dict[Any, Any] = {}
        self.uses = Counter(each for step in program.steps for each in read_by(step))
        self.uses.update(program.outputs.values())

    def maker(self, tensor: ForeignTensor | None, *ops: str) -> ForeignStep | None:
        """Return the step that gives a tensor, if it is one of these ops."""
        step = self.made.get(tensor) if tensor is not None else None
        return step if step is not None and step.op in ops else None

    def source(self, tensor: ForeignTensor | None, *ops: str) -> ForeignTensor | None:
        """Return the first input of the step that gives a tensor, if it is one of these ops."""
        step = self.maker(tensor, *ops)
        return None if step is None else reading(step).inputs[0]

    def same(self, left: ForeignTensor | None, right: ForeignTensor | None) -> bool:
        """Return whether two tensors are one, or are made in the same way by the same op without weights."""
        if left is right or left is None or right is None:
            return left is right
        one, other = self.made.get(left), self.made.get(right)
        if one is None or other is None or one.op != other.op:
            return False
        said, told = reading(one), reading(other)
        alike = said.arguments == told.arguments and not said.state and len(said.inputs) == len(told.inputs)
        placed = said.outputs.index(left) == told.outputs.index(right)
        return alike and placed and one.op not in RANDOM and all(map(self.same, said.inputs, told.inputs))

    def step(
        self,
        at: ForeignStep,
        op: str,
        arguments: Mapping[str, Any],
        inputs: Sequence[ForeignTensor | None],
        outputs: Sequence[ForeignTensor | None],
        state: Mapping[str, ForeignTensor] | None = None,
    ) -> ForeignStep | None:
        """Return a step of an op in the place of another; ``None`` where the op would not give these outputs."""
        kind = OPS[op]
        missing = () if kind.variadic else (None,) * (len(kind.ports) - len(inputs))
        said = OpReading(arguments, (*inputs, *missing), state or {}, tuple(outputs))
        try:
            proven = self.table.proven(kind, said)
        except WrongReading:
            return None
        return ForeignStep(ForeignCall(op, arguments, tuple(outputs)), at.scopes, at.place, op, proven)

    def sizes(self) -> list[dict[str, int]]:
        """Return three choices of the symbolic sizes, each dimension another in each."""
        names = sorted({symbol for each in self.program.inputs.values() for symbol in symbols_in(each)})
        return [{name: base + 2 * at for at, name in enumerate(names)} for base in SIZES]

    def values_at_sizes(self, tensor: ForeignTensor) -> list[Any]:
        """Return what a tensor that sizes alone decide is at each of these choices of sizes, and at one beyond every
        number that it is made with, such as a window's width; nothing where it depends on more, or is too large.
        """
        if not self.sizes_only.holds(tensor):
            return []
        if ("values", tensor) not in self.memory:
            choices = self.sizes()
            reach = self.sizes_only.reach(tensor)
            if reach >= SIZES[0]:
                last = {name for size in tensor.shape[-2:] if not isinstance(size, int) for name in size.symbols}
                choices.append({name: reach + 3 if name in last else 1 for name in choices[0]})
            found = [self.sizes_only.value(tensor, sizes) for sizes in choices]
            self.memory["values", tensor] = [] if any(value is None for value in found) else found
        values: list[Any] = self.memory["values", tensor]
        return values


def reading(step: ForeignStep) -> OpReading:
    """Return the reading of a step that is an op."""
    assert step.reading is not None
    return step.reading


def symbols_in(tensor: ForeignTensor) -> set[str]:
    """Return the symbols of a tensor's shape."""
    return {name for size in tensor.shape if not isinstance(size, int) for name in size.symbols}


def recognize(program: ForeignProgram, table: OpTable, idioms: Mapping[str, Sequence[Idiom]]) -> None:
    """Put what each idiom finds in the place of its last step."""
    steps = OpSteps(program, table)
    instead: dict[ForeignTensor, ForeignTensor] = {}
    done: list[ForeignStep] = []
    waiting = program.steps[::-1]
    while waiting:
        step = waiting.pop()
        if step.reading is not None:
            now = tuple(each if each is None else instead.get(each, each) for each in step.reading.inputs)
            step.reading = step.reading._replace(inputs=now)
            found = next((each for idiom in idioms.get(step.op, ()) if (each := idiom(steps, step)) is not None), None)
            if isinstance(found, ForeignTensor):
                instead[made_by(step)[0]] = found
                continue
            if found is not None:
                waiting += found[::-1]
                continue
        done.append(step)
        steps.made.update({each: step for each in made_by(step)})
    program.steps[:] = done
    program.outputs.update({name: instead.get(each, each) for name, each in program.outputs.items()})
