"""``forward`` as straight-line text: one statement a step, in variables that are few and let go of early."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, count

from netspec.dims import times_shape
from netspec.emit.source.constructors import is_module
from netspec.graph import Call, Level, Node, Step, Value
from netspec.ops.base import Tensor, assigned

POOL = ("x", "y", "z", "u", "v", "w")
WIDEST = 100
Line = tuple[str, int, bool]
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


def forward_signature(level: Level) -> list[str]:
    """The arguments as ``forward`` declares them: those that the caller may leave out are ``None`` by default."""
    required = [at for at, value in enumerate(level.inputs, 1) if not value.optional]
    last = max(required, default=0)
    return [name if at <= last else f"{name}=None" for at, name in enumerate(forward_arguments(level), 1)]


def attribute(name: str) -> str:
    """How a submodule is read: ``self.conv1``, or ``getattr(self, "0")`` where its name is a number."""
    return f"self.{name}" if name.isidentifier() else f'getattr(self, "{name}")'


def forward_statements(level: Level, shapes: bool) -> list[Statement]:
    """The body of ``forward``; with ``shapes``, each line says what shape it makes."""
    return list(_Variables(level).statements(shapes))


def indented(lines: Iterable[Line]) -> list[Line]:
    """The lines, one step further in."""
    return [(text, more + 1, last) for text, more, last in lines]


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
            lines = self.lines(step, arguments, targets)
            for text, more, last in lines:
                told = comment if text is lines[-1][0] else ""
                yield Statement(text, indent + more, position if last else None, told)
            unneeded = [
                name for name in freed if name not in targets and name not in POOL and not self.is_argument(name)
            ]
            if unneeded and position + 1 < len(self.level.steps):
                yield Statement(f"del {', '.join(unneeded)}", indent)
        yield from self.returns()

    def lines(self, step: Step, arguments: list[str], targets: list[str | None]) -> list[Line]:
        """The statements that run a step, each with its indentation and whether it assigns the step's results."""
        module = attribute(step.name) if is_module(step) else None
        if isinstance(step, Call):
            return [(f"{assigned(targets)} = {module}({', '.join(arguments)})", 0, True)]
        optional = [
            at
            for at, (port, value) in enumerate(zip(step.op.ports, step.arranged(step.inputs)))
            if value is not None and value.optional and not step.op.nullable(port)
        ]
        return self.branches(step, module, step.arranged(arguments), [*step.tensors], targets, optional)

    def branches(
        self,
        step: Node,
        module: str | None,
        arguments: list[str | None],
        tensors: list[Tensor | None],
        targets: list[str | None],
        optional: list[int],
    ) -> list[Line]:
        """The statements of an op: with and without each input that may be left out, where they differ."""
        if not optional:
            *before, last = step.op.statements(module, arguments, targets, tensors, self.fresh)  # type: ignore[arg-type]
            return [*((text, 0, False) for text in before), (last, 0, True)]
        at, *others = optional
        given = self.branches(step, module, arguments, tensors, targets, others)
        if step.outputs[0].optional:
            without: list[Line] = [(f"{assigned(targets)} = None", 0, True)]
        else:
            rest = [None if place == at else each for place, each in enumerate(arguments)]
            known = [None if place == at else each for place, each in enumerate(tensors)]
            without = self.branches(step, module, rest, known, targets, others)
        if without == given:
            return given
        test, to = f"{arguments[at]} is None", f"{assigned(targets)} = "
        if len(without) == len(given) == 1:
            one = f"{to}{without[0][0].removeprefix(to)} if {test} else {given[0][0].removeprefix(to)}"
            if len(one) <= WIDEST:
                return [(one, 0, True)]
        same = 0  # lines at the end that both have
        while same + 1 < min(len(without), len(given)) and without[-1 - same] == given[-1 - same]:
            same += 1
        ends = len(without) - same, len(given) - same
        inner = [
            [(text, more + 1, last) for text, more, last in lines[:end]] for lines, end in zip((without, given), ends)
        ]
        return [(f"if {test}:", 0, False), *inner[0], ("else:", 0, False), *inner[1], *given[ends[1] :]]

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
