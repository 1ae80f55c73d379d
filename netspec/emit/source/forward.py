"""``forward`` as straight-line text: one statement a step, in variables that are few and let go of early."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count

from netspec.dims import times_shape
from netspec.emit.source.constructors import is_module
from netspec.graph import Call, Level, Node, Step, Value
from netspec.ops.base import assigned

POOL = ("x", "y", "z", "u", "v", "w")
RESERVED = frozenset({"self", "torch", "nn", "F", "Tensor", *POOL})


@dataclass(frozen=True, slots=True)
class Statement:
    """A line of ``forward``, at its indentation. ``step`` is the position of the step that it runs."""

    text: str
    indent: int = 0
    step: int | None = None
    comment: str = ""


def forward_arguments(level: Level) -> list[str]:
    """The names that ``forward`` takes its inputs under."""
    if level.kind != "network" and len(level.inputs) == 1:
        return ["x"]
    return [name if _usable(name) or name in POOL else f"{name}_" for name in level.input_names]


def attribute(name: str) -> str:
    """How a submodule is read: ``self.conv1``, or ``getattr(self, "0")`` where its name is a number."""
    return f"self.{name}" if name.isidentifier() else f'getattr(self, "{name}")'


def forward_statements(level: Level, shapes: bool) -> list[Statement]:
    """The body of ``forward``; with ``shapes``, each line says what shape it makes."""
    return list(_Variables(level).statements(shapes))


def _usable(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and name not in RESERVED


class _Variables:
    """Gives each value a variable: a chain goes on in ``x``, what is read later keeps its step's name."""

    def __init__(self, level: Level):
        self.level = level
        self.last_use = {value: position for position, step in enumerate(level.steps) for value in step.inputs}
        self.last_use |= dict.fromkeys(level.outputs, len(level.steps))
        self.readers: dict[Value, list[Step]] = {}
        for step in level.steps:
            for value in step.inputs:
                self.readers.setdefault(value, []).append(step)
        self.variables: dict[Value, str] = dict(zip(level.inputs, forward_arguments(level)))

    def statements(self, shapes: bool) -> Iterator[Statement]:
        training = False
        for position, step in enumerate(self.level.steps):
            if step.training and not training:
                yield Statement("if self.training:")
            training = step.training
            indent = int(training)
            arguments = [self.variables[value] for value in step.inputs]
            dying = [value for value in dict.fromkeys(step.inputs) if self.last_use[value] == position]
            freed = [self.variables.pop(value) for value in dying] if not training else []
            targets: list[str | None] = []
            for index, value in enumerate(step.outputs):
                unread = len(step.outputs) > 1 and value not in self.last_use
                targets.append(None if unread else self.variable(step, position, index, value, freed))
                if targets[-1] is not None:
                    self.variables[value] = targets[-1]
            made = [value for value, target in zip(step.outputs, targets) if target is not None] or [*step.outputs]
            changed = not step.inputs or made[-1].shape != step.inputs[0].shape
            comment = times_shape(made[-1].shape) if shapes and changed else ""
            *before, line = self.lines(step, arguments, targets)
            yield from (Statement(text, indent) for text in before)
            yield Statement(line, indent, position, comment)
            unneeded = [
                name for name in freed if name not in targets and name not in POOL and not self.is_argument(name)
            ]
            if unneeded and position + 1 < len(self.level.steps):
                yield Statement(f"del {', '.join(unneeded)}", indent)
        yield from self.returns()

    def lines(self, step: Step, arguments: list[str], targets: list[str | None]) -> list[str]:
        """The statements that run a step; the last one assigns its results."""
        module = attribute(step.name) if is_module(step) else None
        if isinstance(step, Call):
            return [f"{assigned(targets)} = {module}({', '.join(arguments)})"]
        return step.op.statements(module, step.arranged(arguments), targets, step.tensors, self.fresh)

    def fresh(self, name: str) -> str:
        """A variable that nothing else uses, called ``name`` where that is free."""
        live = {*self.variables.values(), *forward_arguments(self.level)}
        numbered = (f"{name}{number}" for number in count(2))
        return next(each for each in chain([name], numbered) if each not in live and _usable(each))

    def is_argument(self, name: str) -> bool:
        """Whoever calls ``forward`` holds its arguments anyway."""
        return name in forward_arguments(self.level)

    def variable(self, step: Step, position: int, index: int, value: Value, freed: Iterable[str]) -> str:
        live = set(self.variables.values())
        if index > 0 or self.lives_on(value, position) or step.training:
            name = step.name if index == 0 else f"{step.name}_{step.output_names[index]}"
            if _usable(name) and name not in live:
                return name
        reusable = [name for name in freed if name in POOL and name not in live]
        spare = (f"x{number}" for number in count(2))
        return next(name for name in chain(reusable, POOL, spare) if name not in live)

    def lives_on(self, value: Value, position: int) -> bool:
        """Whether a value is read by more than the next step, or is one of several branches; a residual stays ``y``."""
        readers = self.readers.get(value, [])
        if len(readers) + self.level.outputs.count(value) != 1:
            return True
        structures = {reader.structure for reader in readers if isinstance(reader, Node)}
        if structures & {"parallel", "residual"}:
            return "parallel" in structures
        return self.last_use[value] != position + 1

    def returns(self) -> Iterator[Statement]:
        level = self.level
        named = {name: self.variables[value] for name, value in zip(level.output_names, level.outputs)}
        if level.kind != "network" or len(named) == 1:
            yield Statement(f"return {', '.join(named.values())}")
            return
        training_only = {value for step in level.steps if step.training for value in step.outputs}
        always = {
            name: named[name] for name, value in zip(level.output_names, level.outputs) if value not in training_only
        }
        if len(always) < len(named):
            yield Statement("if self.training:")
            yield Statement(f"return {_mapping(named)}", 1)
        yield Statement(f"return {next(iter(always.values())) if len(always) == 1 else _mapping(always)}")


def _mapping(named: Mapping[str, str]) -> str:
    return "{" + ", ".join(f'"{name}": {variable}' for name, variable in named.items()) + "}"
