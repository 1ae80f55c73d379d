"""``forward`` as straight-line text: one statement a step, in variables that are few and let go of early."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, count

from netspec.analysis.scan_schedule import LevelSchedule, prepared_values
from netspec.dataclass import dataclass
from netspec.dims import Shape, times_shape
from netspec.emit.source.forms import is_module
from netspec.emit.source.holders import Holders
from netspec.emit.source.names import is_variable, variable_name, variable_names, word_of
from netspec.graph import Call, Level, Node, Step, Value
from netspec.ops import ForwardCall, Op, assigned
from netspec.text.quoting import literal

POOL = ("x", "y", "z", "u", "v", "w")
WIDEST = 100
Line = tuple[str, int, bool]


@dataclass(frozen=True, slots=True)
class Statement:
    """A line of ``forward``, at its indentation. ``step`` is the position of the step that it runs."""

    text: str
    indent: int = 0
    step: int | None = None
    comment: str = ""


def forward_arguments(level: Level) -> list[str]:
    """The names that ``forward`` takes its inputs under; behind them, in a iteration, what was prepared for it."""
    positions = range(len(level.inputs))
    if level.is_prepared:
        return argument_names(level, LevelSchedule(level).late_inputs) + prepared_names(level)
    if level.kind != "network" and len(level.inputs) == 1:
        return ["x"]
    return argument_names(level, positions)


def prepare_arguments(level: Level) -> list[str]:
    """The names that ``prepare`` takes its inputs under."""
    return argument_names(level, LevelSchedule(level).early_inputs)


def argument_names(level: Level, positions: Iterable[int]) -> list[str]:
    return variable_names(level.input_names[position] for position in positions)


def prepared_names(level: Level) -> list[str]:
    """Return names for the values that are prepared for a level's iterations, after the steps that make them."""
    names: list[str] = []
    for calls, value in prepared_values(level):
        maker = next(step for step in (calls[-1].body if calls else level).steps if value in step.outputs)
        name = maker.name if maker.name.isidentifier() or isinstance(maker, Call) else f"{maker.op.name}{maker.name}"
        wanted = "_".join([*(call.name for call in calls), name])
        names.append(wanted if is_usable(wanted) else f"prepared_{wanted}")
    return variable_names(names, argument_names(level, range(len(level.inputs))))


def forward_signature(level: Level) -> list[str]:
    """The arguments as ``forward`` declares them: those that the caller may leave out are ``None`` by default."""
    if level.is_prepared:  # who calls it passes everything
        return forward_arguments(level)
    required = [at for at, value in enumerate(level.inputs, 1) if not value.optional]
    last = max(required, default=0)
    return [name if at <= last else f"{name}=None" for at, name in enumerate(forward_arguments(level), 1)]


def forward_statements(level: Level, shapes: bool, ops: Mapping[Node, Op]) -> Iterator[Statement]:
    """The body of ``forward``; with ``shapes``, each line says what shape it makes."""
    body = Body(level, shapes, ops)
    parts = LevelSchedule(level)
    arguments = forward_arguments(level)
    if level.is_prepared:
        inputs = [level.inputs[position] for position in parts.late_inputs]
        body.variables = dict(zip(inputs, arguments))
        body.prepare(parts, arguments[len(inputs) :])
    else:
        body.variables = dict(zip(level.inputs, arguments))
    body.arguments = frozenset(arguments)
    yield from body.statements(parts.iteration, level.outputs)
    yield from body.returns()


def prepare_statements(level: Level, shapes: bool, ops: Mapping[Node, Op]) -> Iterator[Statement]:
    """The body of ``prepare``: what runs ahead of the scan around it."""
    parts = LevelSchedule(level)
    body = Body(level, shapes, ops)
    arguments = prepare_arguments(level)
    body.variables = dict(zip((level.inputs[position] for position in parts.early_inputs), arguments))
    body.arguments = frozenset(arguments)
    read = [call.inputs[position] for call in parts.prepared for position in LevelSchedule(call.body).early_inputs]
    yield from body.statements(parts.ahead, [*parts.handed_on, *read])
    yield from body.prepare_calls(parts)
    own = [body.variables[value] for value in parts.handed_on]
    yield Statement(f"return {', '.join([*own, *(name for call in parts.prepared for name in body.prepared[call])])}")


def indented(lines: Iterable[Line]) -> list[Line]:
    """The lines, one step further in."""
    return [(text, more + 1, last) for text, more, last in lines]


def takes_memory(step: Step) -> bool:
    """Return whether a step is worth letting go of something before: no small one, as most that end a block are."""
    return isinstance(step, Call) or step.op.family in ("convolution", "linear", "norm", "sequence")


def is_usable(name: str) -> bool:
    """Return whether a value that is read later may be held under that name; those of ``POOL`` are for chains."""
    return is_variable(name) and name not in POOL


class Body:
    """Statements for the steps of a level. Each value gets a variable: a chain goes on in ``x``, what is read later
    keeps its step's name.

    ``variables`` are those in use, ``arguments`` names that are never deleted, ``reserved`` names that no value gets,
    ``prepared`` the variables that a call is handed beside its inputs, ``wanted`` names that values get if they are
    free; ``deletes`` says whether large values are let go of, ``ops`` which ops say themselves in place of the nodes'.
    """

    def __init__(self, level: Level, shapes: bool, ops: Mapping[Node, Op]):
        self.level, self.shapes, self.ops = level, shapes, ops
        self.holders = Holders(level)
        self.positions = {step: position for position, step in enumerate(level.steps)}
        self.readers: dict[Value, list[Step]] = {}
        for step in level.steps:
            for value in step.inputs:
                self.readers.setdefault(value, []).append(step)
        self.given_out = Counter(level.outputs)
        self.variables: dict[Value, str] = {}
        self.arguments: frozenset[str] = frozenset()
        self.reserved: frozenset[str] = frozenset()
        self.deletes = True
        self.prepared: dict[Call, list[str]] = {}
        self.wanted: dict[Value, str] = {}
        self.last_use: dict[Value, int] = {}

    def prepare(self, parts: LevelSchedule, names: Sequence[str]) -> None:
        """Take what was prepared under these names."""
        left = list(names)
        for value in parts.handed_on:
            self.variables[value] = left.pop(0)
        for call in parts.prepared:
            count = len(list(prepared_values(call.body)))
            self.prepared[call], left = left[:count], left[count:]

    def prepare_calls(self, parts: LevelSchedule) -> Iterator[Statement]:
        """Run ahead what the calls of the iteration have to run ahead."""
        for call in parts.prepared:
            names: list[str] = []
            for name in prepared_names(call.body):
                names.append(self.fresh(f"{call.name}_{name}" if is_usable(call.name) else name, names))
            self.prepared[call] = names
            given = [self.variables[call.inputs[position]] for position in LevelSchedule(call.body).early_inputs]
            yield Statement(f"{', '.join(names)} = {self.holders.expression(call.name)}.prepare({', '.join(given)})")

    def statements(
        self,
        steps: Sequence[Step],
        ends: Collection[Value],
        indent: int = 0,
        shape_of: Callable[[Value], Shape] = lambda value: value.shape,
    ) -> Iterator[Statement]:
        """The statements of these steps. The values in ``ends`` are read behind them; the variables of others are used
        anew when nothing reads them any more.
        """
        parts = LevelSchedule(self.level)
        self.last_use = {value: at for at, step in enumerate(steps) for value in parts.reads(step, None)}
        self.last_use |= dict.fromkeys(ends, len(steps))
        training = False
        idle: list[str] = []  # variables that hold what nothing reads any more, and may get another value soon
        for at, step in enumerate(steps):
            if step.training and not training:
                yield Statement("if self.training:", indent)
            training = step.training
            deep = indent + int(training)
            read = parts.reads(step, None)
            arguments = [self.variables[value] for value in read]
            dying = [value for value in dict.fromkeys(read) if self.last_use[value] == at]
            freed = [self.variables.pop(value) for value in dying] if not training else []
            targets: list[str | None] = []
            for index, value in enumerate(step.outputs):
                unread = len(step.outputs) > 1 and value not in self.last_use
                targets.append(None if unread else self.variable(step, at, index, value, freed))
                if targets[-1] is not None:
                    self.variables[value] = targets[-1]
            made = [value for value, target in zip(step.outputs, targets) if target is not None] or [*step.outputs]
            changed = not step.inputs or made[-1].shape != step.inputs[0].shape
            comment = times_shape(shape_of(made[-1])) if self.shapes and changed else ""
            lines = self.lines(step, arguments, targets)
            idle = [name for name in idle if name not in targets]
            if idle and self.deletes and not training and takes_memory(step):
                yield Statement(f"del {', '.join(idle)}", indent)
                idle = []
            for text, more, last in lines:
                told = comment if text is lines[-1][0] else ""
                yield Statement(text, deep + more, self.positions[step] if last else None, told)
            gone = [name for name in freed if name not in targets and name not in self.arguments]
            unneeded = [name for name in gone if name not in POOL]
            idle += [name for name in gone if name in POOL]
            if self.deletes and unneeded and at + 1 < len(steps):
                yield Statement(f"del {', '.join(unneeded)}", deep)

    def lines(self, step: Step, arguments: list[str], targets: list[str | None]) -> list[Line]:
        """The statements that run a step, each with its indentation and whether it assigns the step's results."""
        module = self.holders.expression(step.shares or step.name) if is_module(step, self.level) else None
        if isinstance(step, Call):
            given = [*arguments, *self.prepared.get(step, [])]
            if step.is_transparent:
                module, given = f"self.{self.holders.callers[step.name]}", ["self", *given]
            if step.recompute:
                assert module is not None
                module, given = "recompute", [module, *given]
            return [(f"{assigned(targets)} = {module}({', '.join(given)})", 0, True)]
        ports = () if step.op.variadic else step.op.ports
        optional = [
            at
            for at, value in enumerate(step.arranged(step.inputs))
            if value is not None and value.optional and not (at < len(ports) and step.op.may_be_none(ports[at]))
        ]
        caller = self.holders.callers.get(step.shares or step.name) if step.keys else None
        if caller is None:
            return self.branches(step, module, step.arranged(arguments), targets, optional)
        lines = self.branches(step, f"self.{caller}", step.arranged(arguments), targets, optional)
        return [(text.replace(f"self.{caller}(", f"self.{caller}(self, "), more, last) for text, more, last in lines]

    def branches(
        self,
        step: Node,
        module: str | None,
        arguments: list[str | None],
        targets: list[str | None],
        optional: list[int],
        absent: tuple[int, ...] = (),
    ) -> list[Line]:
        """The statements of an op: with and without each input that may be left out, where they differ."""
        if not optional:
            op, tensors = replace(step, op=self.ops.get(step, step.op)).without(absent)
            left = [None if at in absent else each for at, each in enumerate(arguments)]
            *before, last = op.statements(ForwardCall(module, left, targets, tensors, self.fresh))
            return [*((text, 0, False) for text in before), (last, 0, True)]
        at, *others = optional
        given = self.branches(step, module, arguments, targets, others, absent)
        if step.outputs[0].optional:
            without: list[Line] = [(f"{assigned(targets)} = None", 0, True)]
        else:
            without = self.branches(step, module, arguments, targets, others, (*absent, at))
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

    def fresh(self, name: str, taken: Iterable[str] = ()) -> str:
        """A variable that nothing else uses, called ``name`` where that is free."""
        live = {*self.live(), *self.arguments, *taken}
        base = variable_name(name)
        numbered = (f"{base}{number}" for number in count(2))
        return next(each for each in chain([base], numbered) if each not in live and is_usable(each))

    def live(self) -> set[str]:
        """The names that are in use."""
        return {*self.variables.values(), *self.reserved, *(each for names in self.prepared.values() for each in names)}

    def variable(self, step: Step, at: int, index: int, value: Value, freed: Iterable[str]) -> str:
        live = self.live()
        if value in self.wanted and self.wanted[value] not in live:
            return self.wanted[value]
        if index > 0 or self.lives_on(value, at) or step.training:
            name = word_of(step.name if index == 0 else output_name(step, index))
            if is_usable(name) and name not in live:
                return name
        reusable = [name for name in freed if name in POOL and name not in live]
        spare = (f"x{number}" for number in count(2))
        return next(name for name in chain(reusable, POOL, spare) if name not in live)

    def lives_on(self, value: Value, at: int) -> bool:
        """Return whether more than the next step reads it, or it is one of several branches; a residual stays ``y``."""
        readers = self.readers.get(value, [])
        if len(readers) + self.given_out[value] != 1:
            return True
        structures = {reader.structure for reader in readers if isinstance(reader, Node)}
        if structures & {"parallel", "residual"}:
            return "parallel" in structures
        return self.last_use[value] != at + 1

    def returns(self) -> Iterator[Statement]:
        level = self.level
        named = {name: self.variables[value] for name, value in zip(level.output_names, level.outputs)}
        if level.kind != "network" or len(named) == 1:
            yield Statement(f"return {', '.join(named.values())}")
            return
        always = {name: variable for name, variable in named.items() if name not in level.training_outputs}
        if len(always) < len(named):
            yield Statement("if self.training:")
            yield from _returned(named, 1)
        if len(always) == 1:
            yield Statement(f"return {next(iter(always.values()))}")
        else:
            yield from _returned(always, 0)


def _returned(named: Mapping[str, str], indent: int) -> Iterator[Statement]:
    """The statement that returns values by name, on one line where it fits."""
    items = [f"{literal(name)}: {variable}" for name, variable in named.items()]
    one = f"return {{{', '.join(items)}}}"
    if len(one) <= WIDEST:
        yield Statement(one, indent)
        return
    yield Statement("return {", indent)
    for item in items:
        yield Statement(f"{item},", indent + 1)
    yield Statement("}", indent)


def output_name(step: Step, index: int) -> str:
    """Return the name of a variable for a further output of a step: `attn_weights`, `weights_0` of the step 0."""
    port = step.output_names[index]
    return f"{port}_{step.name}" if step.name.isdecimal() else f"{step.name}_{port}"
