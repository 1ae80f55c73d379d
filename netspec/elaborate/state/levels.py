"""Levels under construction, and the interning that makes equal levels one object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Union

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.elaborate.reading.keys import hashable
from netspec.graph import Call, Level, LevelKind, Loop, Node, Step, Value
from netspec.ops import Tensor

UNKNOWN = Value(Tensor(()))
"""Stands for what a faulty step would have made; whatever reads it keeps quiet."""

ABSENT = Value(Tensor(()), optional=True)
"""Stands for an input that a call leaves out, and for what would be made of it alone."""


@dataclass(frozen=True, slots=True)
class Values:
    """Several values under one name, in order, each by its number: what each iteration of a loop made.

    ``single`` marks one of them that was asked for by its number.
    """

    items: Mapping[str, Value]
    single: bool = False


@dataclass(frozen=True, slots=True)
class Ports:
    """The outputs of a step that has several, by name; ``main`` is what the name of the step alone means."""

    values: Mapping[str, Value]
    main: Value | None


Binding = Union[Value, Values, Ports]


class LevelBuilder:
    """A level in the making: its steps so far and the names that are visible in it.

    A name that belongs to a level around it is captured: it becomes a further input of this level. What a path leads to
    in a level inside is handed out: it becomes a further output of that one, also when that one has been closed, which
    is closed anew together with the level around it. ``caller`` is the level that calls a block, of which the block
    sees nothing but the network's inputs, to read their sizes.
    """

    def __init__(
        self,
        kind: LevelKind,
        title: str,
        span: Span,
        path: str,
        parent: LevelBuilder | None = None,
        caller: LevelBuilder | None = None,
    ):
        self.kind, self.title, self.span, self.path, self.parent = kind, title, span, path, parent
        self.caller = caller
        self.name = path.removeprefix(f"{self.around.path}.") if self.around else path.rpartition(".")[2]
        self.steps: list[Step] = []
        self.names: dict[str, Binding] = {}
        self.incomplete = False  # a faulty step may have made names that nobody knows
        self.is_miscounted = False  # a faulty structure may have held steps that numbers count
        self.name_spans: dict[str, Span] = {}
        self.authored: dict[str, tuple[Any, Any]] = {}  # what can be shared: a step as it is written, its scope
        self.declared: list[tuple[Value, Value, str]] = []  # declared inputs: value outside, value inside, its name
        self.captured: dict[Value, tuple[Value, str]] = {}  # captured: value outside -> (value inside, its name)
        self.has_dots = False  # the name of a step has dots: it is the path of its module
        self.aliases: dict[str, str] = {}  # what references call a step that has another name in the `state_dict`
        self.inner: dict[str, LevelBuilder] = {}  # the levels that paths lead into, by the names of their steps
        self.given: dict[str, tuple[Value, Value]] = {}  # outputs by name: value inside, value outside
        self.handed: dict[Value, Value] = {}  # value inside -> the output that it is, outside
        self.asked: dict[tuple[str, ...], None] = {}  # the paths by which something was handed out
        self.has_grown = False  # it gives more than when it was closed

    def enter(self, outside: Value, name: str) -> Value:
        """The level's own value for one from outside."""
        if outside is UNKNOWN or outside is ABSENT:
            return outside
        if outside not in self.captured:
            self.captured[outside] = (Value(outside.tensor, outside.optional, outside.absence), name)
        return self.captured[outside][0]

    def known(self, name: str) -> str | None:
        """Return the name of the step that a reference calls so, if there is one in this level."""
        name = self.aliases.get(name, name)
        return name if name in self.names else None

    def start(self, path: Sequence[str]) -> tuple[str, Sequence[str]] | None:
        """Return the name of the step that a path starts at, which may have dots, and the rest of the path."""
        for count in range(len(path) if self.has_dots else 1, 0, -1):
            name = self.known(".".join(path[:count]))
            if name is not None:
                return name, path[count:]
        return None

    def find_name(self, name: str) -> Binding | None:
        """Return what a name means here, in this level or in those around it."""
        own = self.known(name)
        if own is not None:
            return self.names[own]
        return None if self.parent is None else self.parent.find_name(name)

    def bind(self, name: str, outputs: Mapping[str, Value]) -> None:
        """Let a name mean the outputs of a step, of which the first is the main one."""
        main = next(iter(outputs.values()))
        self.names[name] = main if [*outputs] == ["output"] else Ports(outputs, main)

    def give(self, name: str, value: Value) -> Value:
        """Make a value an output under a name; returns the value that stands for it around the level."""
        while name in self.given:
            name += "_"
        made = Value(value.tensor)
        self.given[name] = value, made
        self.handed.setdefault(value, made)
        return made

    def hand_out(self, name: str, value: Value) -> Value:
        """The value around the level for one of its own, which becomes an output where it is none."""
        if value is UNKNOWN or value is ABSENT:
            return value
        if value not in self.handed:
            self.give(name, value)
            level: LevelBuilder | None = self
            while level is not None:  # what is closed around it is closed anew, too
                level.has_grown = True
                level = level.parent
        return self.handed[value]

    @property
    def around(self) -> LevelBuilder | None:
        """The level that this one stands in, or that calls it; ``None`` for the network."""
        return self.parent or self.caller

    @property
    def network(self) -> LevelBuilder:
        """The network's own level."""
        return self if self.around is None else self.around.network

    def bring(self, owner: LevelBuilder, value: Value, name: str) -> Value:
        """This level's own value for one that belongs to ``owner``, a level somewhere around it."""
        if self is owner or self.around is None:
            return value
        return self.enter(self.around.bring(owner, value, name), name)

    def is_incomplete(self) -> bool:
        """Return whether a name that is not found may be missing because of a fault that has been reported."""
        return self.incomplete or (self.parent is not None and self.parent.is_incomplete())

    def path_of(self, name: str) -> str:
        """The full path of a step of this level."""
        return f"{self.path}.{name}" if self.path else name

    def visible(self) -> dict[str, Binding]:
        """Every name that a reference can use here."""
        own = {alias: self.names[name] for alias, name in self.aliases.items() if name in self.names}
        return {**(self.parent.visible() if self.parent else {}), **self.names, **own}

    def finish(self, interned: Interned) -> tuple[Level, list[Value]]:
        """Close the level with the outputs that it gives now."""
        self.has_grown = False
        return self.close(interned, {name: own for name, (own, _) in self.given.items()}, {})

    def close(
        self,
        interned: Interned,
        outputs: Mapping[str, Value],
        arguments: Mapping[str, Any],
        loop: Loop | None = None,
        training_outputs: Iterable[str] = (),
    ) -> tuple[Level, list[Value]]:
        """The finished level, and the values outside that its inputs stand for."""
        self._name_merges()
        self.close_again(interned)
        used = {value for step in self.steps for value in step.inputs} | set(outputs.values())
        captured = [(outside, *inside) for outside, inside in self.captured.items() if inside[0] in used]
        entered = [*self.declared, *captured]
        level = Level(
            kind=self.kind,
            title=self.title,
            inputs=tuple(inside for _, inside, _ in entered),
            input_names=tuple(name for _, _, name in entered),
            steps=tuple(self.steps),
            outputs=tuple(outputs.values()),
            output_names=tuple(outputs),
            span=self.span,
            arguments=arguments,
            loop=loop,
            training_outputs=frozenset(training_outputs),
        )
        return interned.level(level), [outside for outside, _, _ in entered]

    def close_again(self, interned: Interned) -> None:
        """Give the levels inside, which were closed before, the outputs that they have got since."""
        for position, step in enumerate(self.steps):
            inner = self.inner.get(step.name)
            if inner is not None and inner.has_grown and isinstance(step, Call):
                level, actual = inner.finish(interned)
                outputs = tuple(outside for _, outside in inner.given.values())
                self.steps[position] = replace(step, body=level, inputs=tuple(actual), outputs=outputs)

    def _name_merges(self) -> None:
        """Nodes that structures made take names that the author's steps leave free: ``add``, ``add_1``."""
        taken = {step.name for step in self.steps}
        if "" not in taken:
            return
        numbers: dict[str, int] = {}
        for position, step in enumerate(self.steps):
            if step.name == "" and isinstance(step, Node):
                base = name = step.op.name
                while name in taken:
                    numbers[base] = numbers.get(base, 0) + 1
                    name = f"{base}_{numbers[base]}"
                taken.add(name)
                self.steps[position] = replace(step, name=name)


class Interned:
    """Gives one object for equal levels: the same steps, wired alike, from the same lines, on the same shapes."""

    def __init__(self) -> None:
        self._levels: dict[Any, Level] = {}

    def level(self, level: Level) -> Level:
        return self._levels.setdefault(_key(level), level)


def _key(level: Level) -> Any:
    numbers: dict[Value, int] = {}

    def number(values: tuple[Value, ...]) -> tuple[int, ...]:
        return tuple([numbers.setdefault(value, len(numbers)) for value in values])

    inputs = number(level.inputs)
    steps = []
    for step in level.steps:
        wires = number(step.inputs), number(step.outputs)
        what: tuple[Any, ...]
        if isinstance(step, Node):
            what = type(step.op), step.op, step.structure, step.ports, step.ties, step.keys
        else:
            what = Call, id(step.body), step.recompute
        starts = tuple([rule.meaning for rule in step.init]) if step.init else ()
        marks = step.name, step.named, step.training, step.shares, step.frozen, starts, level.phases.get(step)
        steps.append((what, wires, marks, step.span.line, step.span.column))
    tensors = tuple([(value.tensor, value.optional) for value in level.inputs])
    names = level.input_names, level.output_names
    return (
        level.kind,
        level.title,
        tensors,
        inputs,
        tuple(steps),
        number(level.outputs),
        names,
        hashable(level.arguments),
        level.loop,
        level.training_outputs,
    )
