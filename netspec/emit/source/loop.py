"""``forward`` of a scan: what runs ahead, the loop over the steps of its sequences, and what runs behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netspec.analysis.scan_schedule import LevelSchedule, ScanSchedule
from netspec.dims import Shape
from netspec.emit.source.forward import Body, Statement, argument_names, is_usable
from netspec.emit.source.names import variable_names
from netspec.graph import Level, Node, Step, Value, axis_of_time, over_time
from netspec.ops import Op


def loop_arguments(level: Level) -> list[str]:
    """The names that ``forward`` takes: the sequences in the plural, the states, what the body reads from around it."""
    names = argument_names(level, range(len(level.inputs)))
    count = len(ScanSchedule(level).sequences)
    return variable_names([*map(plural, names[:count]), *names[count:]], names[:count])


def plural(name: str) -> str:
    """``words`` for ``word``."""
    return f"{name}_steps" if name.endswith("s") else f"{name}s"


def loop_statements(level: Level, shapes: bool, ops: Mapping[Node, Op]) -> Iterator[Statement]:
    """The body of ``forward``; with ``shapes``, each line says what shape it makes."""
    return _Loop(level, shapes, ops).statements()


class _Loop:
    """Writes a scan. ``names`` are those of single steps of sequences, ``body.variables`` those of whole ones."""

    def __init__(self, level: Level, shapes: bool, ops: Mapping[Node, Op]):
        assert level.loop is not None
        self.level, self.loop, self.schedule = level, level.loop, ScanSchedule(level)
        self.body = Body(level, shapes, ops)
        arguments = loop_arguments(level)
        self.body.variables = dict(zip(level.inputs, arguments))
        self.names = dict(zip(self.schedule.sequences, argument_names(level, range(len(self.schedule.sequences)))))
        self.states = [self.body.variables[state] for state in self.schedule.states]
        self.body.arguments = frozenset((*arguments, *self.names.values()))
        self.lists: dict[Value, str] = {}

    def statements(self) -> Iterator[Statement]:
        body, schedule = self.body, self.schedule
        behind = [*self.level.inputs, *self.level.outputs, *schedule.kept]
        behind += [*self.read(schedule.iteration), *self.read(schedule.after)]
        prepared = [
            call.inputs[position] for call in schedule.prepared for position in LevelSchedule(call.body).early_inputs
        ]
        yield from body.statements(schedule.ahead, [*behind, *prepared, *self.read(schedule.before)])
        yield from body.prepare_calls(schedule)
        body.wanted = {value: step.name for step in schedule.before for value in step.outputs if is_usable(step.name)}
        yield from body.statements(schedule.before, behind, shape_of=self.all_iterations)
        if schedule.kept or schedule.states:
            yield from self.turning()
        yield from body.statements(schedule.after, schedule.collected, shape_of=self.all_iterations)
        results = [body.variables[value] for value in schedule.collected]
        yield Statement(f"return {', '.join([*results, *self.states])}")

    def read(self, steps: Iterable[Step]) -> list[Value]:
        """Return the values that the steps read."""
        return [value for step in steps for value in self.schedule.reads(step, None)]

    def all_iterations(self, value: Value) -> Shape:
        """The shape of the tensor that holds a value of every iteration."""
        return over_time(value.tensor, self.loop.length).shape

    def turning(self) -> Iterator[Statement]:
        """The loop itself, and the tensors made of what its iterations leave."""
        body, schedule = self.body, self.schedule
        for value in schedule.kept:
            self.lists[value] = self.list_name(value)
            yield Statement(f"{self.lists[value]} = []")
        whole = body.variables
        head, iteration = Statement(self.head()), [*self.iteration()]
        yield from [head, *iteration] if iteration else []
        body.variables, body.wanted, body.reserved, body.deletes = whole, {}, frozenset(), True
        for value, name in self.lists.items():
            turned = f"{name}[::-1]" if self.loop.reverse else name
            yield Statement(f"{name} = torch.stack({turned}, dim={axis_of_time(value.shape)})")
            body.variables[value] = name

    def iteration(self) -> Iterator[Statement]:
        """Yield the statements that the loop repeats."""
        body, schedule = self.body, self.schedule
        outside = {value: name for value, name in body.variables.items() if value not in schedule.whole}
        kept = [value for value in outside if value not in schedule.states]  # again in the next iteration
        body.reserved = frozenset((*body.variables.values(), *self.lists.values())) - {*self.states}
        body.variables = {**outside, **{value: self.names[value] for value in schedule.cut}}
        once = [value for value in schedule.following if schedule.following.count(value) == 1]
        body.wanted = {value: name for value, name in zip(schedule.following, self.states) if value in once}
        body.deletes = False
        yield from body.statements(schedule.iteration, [*kept, *schedule.following, *schedule.kept], indent=1)
        for value, name in self.lists.items():
            yield Statement(f"{name}.append({body.variables[value]})", 1)
        now = [body.variables[value] for value in schedule.following]
        changes = [(state, name) for state, name in zip(self.states, now) if state != name]
        if changes:
            left, right = zip(*changes)
            yield Statement(f"{', '.join(left)} = {', '.join(right)}", 1)

    def head(self) -> str:
        """``for word in words.unbind(1):``."""
        cut = self.schedule.cut or [self.schedule.sequences[0]]
        steps = []
        for value in cut:
            whole = self.body.variables[value]
            if value not in self.names:
                self.names[value] = self.body.fresh(f"{whole}_t")
            text = f"{whole}.unbind({axis_of_time(value.shape)})"
            steps.append(f"reversed({text})" if self.loop.reverse else text)
        names = ", ".join(self.names[value] for value in cut)
        return f"for {names} in {steps[0] if len(steps) == 1 else 'zip(' + ', '.join(steps) + ')'}:"

    def list_name(self, value: Value) -> str:
        """Return the name of a kept value's list: of the output that it is, or of the step that makes it."""
        named = (name for name, each in zip(self.level.output_names, self.schedule.collected) if each is value)
        makers = (step.name for step in self.level.steps if value in step.outputs)
        inputs = (name for name, each in zip(self.level.input_names, self.level.inputs) if each is value)
        name = next((each for each in (*named, *makers, *inputs) if is_usable(each)), "result")
        return self.body.fresh(plural(name), self.lists.values())
