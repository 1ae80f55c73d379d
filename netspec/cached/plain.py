"""The network as it runs in inference, when the inputs that may be left out are."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from netspec.graph import Call, Graph, Level, Node, Step, Value


def plain(graph: Graph, given: Collection[str] = ()) -> Graph:
    """Return the graph without what runs in training only, and without its optional inputs but for those ``given``."""
    absent = {name for name, value in graph.inputs.items() if value.optional and name not in given}
    inputs = {name: value for name, value in graph.inputs.items() if name not in absent}
    outputs = {name: output for name, output in graph.outputs.items() if not output.training}
    left = frozenset(at for at, name in enumerate(graph.body.input_names) if name in absent)
    body = _Plain().level(graph.body, left)[0]
    wanted = [at for at, name in enumerate(body.output_names) if name in outputs]
    body = replace(
        body,
        outputs=tuple(body.outputs[at] for at in wanted),
        output_names=tuple(body.output_names[at] for at in wanted),
        training_outputs=frozenset(),
    )
    return replace(graph, body=body, inputs=inputs, outputs=outputs, recipe=None)


class _Plain:
    """Rewrites levels, each once for the inputs that are absent."""

    def __init__(self) -> None:
        self.known: dict[tuple[Level, frozenset[int]], tuple[Level, frozenset[int]]] = {}

    def level(self, level: Level, absent: frozenset[int]) -> tuple[Level, frozenset[int]]:
        """Return a level without its absent inputs, and the outputs that are absent, too."""
        if (level, absent) not in self.known:
            self.known[level, absent] = self._level(level, absent)
        return self.known[level, absent]

    def _level(self, level: Level, absent: frozenset[int]) -> tuple[Level, frozenset[int]]:
        missing = {level.inputs[at] for at in absent}
        steps: dict[Step, Step] = {}
        for step in level.steps:
            kept = None if step.training else self.step(step, missing)
            if kept is None:
                missing.update(step.outputs)
            else:
                missing.update({*step.outputs} - {*kept.outputs})
                steps[step] = kept
        have = [at for at in range(len(level.inputs)) if at not in absent]
        give = [at for at, value in enumerate(level.outputs) if value not in missing]
        made = replace(
            level,
            inputs=tuple(level.inputs[at] for at in have),
            input_names=tuple(level.input_names[at] for at in have),
            steps=tuple(steps.values()),
            outputs=tuple(level.outputs[at] for at in give),
            output_names=tuple(level.output_names[at] for at in give),
            phases={steps[step]: phase for step, phase in level.phases.items() if step in steps},
            unread=(),
        )
        return made, frozenset(range(len(level.outputs))) - {*give}

    def step(self, step: Step, missing: Collection[Value]) -> Step | None:
        """Return a step without its missing inputs; ``None`` where it makes nothing without them."""
        absent = frozenset(at for at, value in enumerate(step.inputs) if value in missing)
        if isinstance(step, Call):
            body, gone = self.level(step.body, absent)
            outputs = tuple(value for at, value in enumerate(step.outputs) if at not in gone)
            return replace(step, body=body, inputs=_without(step.inputs, absent), outputs=outputs) if outputs else None
        if not absent:
            return step
        return self.node(step, absent)

    def node(self, node: Node, absent: frozenset[int]) -> Node | None:
        op, inputs = node.op, _without(node.inputs, absent)
        if op.variadic and op.skips_absent:
            return replace(node, inputs=inputs) if inputs else None
        ports = node.ports or op.ports
        if any(at < len(ports) and ports[at] not in op.optional for at in absent):
            return None
        return replace(node, inputs=inputs, ports=tuple(port for at, port in enumerate(node.ports) if at not in absent))


def _without(values: tuple[Value, ...], absent: Collection[int]) -> tuple[Value, ...]:
    return tuple(value for at, value in enumerate(values) if at not in absent)
