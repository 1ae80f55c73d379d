"""The steps of a level that share a line of the shape table, and the differences that a reader needs to see."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import field

from netspec.dataclass import dataclass
from netspec.graph import Call, Level, Node, Step, Value, parameter_count

SMALL = ("activation", "dropout")
PLAIN = ("norm", "activation", "dropout")
WEIGHTED = ("convolution", "linear")


@dataclass(slots=True)
class Group:
    """Steps that share a line: a run of equal ones, or one and the small ones folded into its line."""

    steps: list[Step]
    then: list[Node] = field(default_factory=list)

    @property
    def last(self) -> Step:
        return self.then[-1] if self.then else self.steps[-1]

    @property
    def name(self) -> str:
        return span_of_names(self.steps[0].name, self.steps[-1].name)


def grouped(level: Level, fold: bool) -> Iterator[Group]:
    """The level's steps by line, without what a scan makes for itself. ``fold`` puts small steps on the line of the op
    that they follow.
    """
    group: Group | None = None
    for step in level.steps:
        if isinstance(step, Node) and step.structure == "scan":
            continue
        if group is None:
            group = Group([step])
        elif not group.then and is_repeat(group.last, step):
            group.steps.append(step)
        elif fold and len(group.steps) == 1 and isinstance(step, Node) and is_small(group.last, step, level):
            group.then.append(step)
        else:
            yield group
            group = Group([step])
    if group is not None:
        yield group


def is_repeat(before: Step, step: Step) -> bool:
    """Return whether a step does again what the one before it did, to what that one made."""
    if before.training != step.training or before.shares != step.shares or before.frozen != step.frozen:
        return False
    if isinstance(before, Call):
        equal = isinstance(step, Call) and before.recompute == step.recompute and before.body is step.body
    else:
        equal = isinstance(step, Node) and before.op == step.op and before.tensors == step.tensors
    made = before.outputs
    return (
        equal
        and any(value in made for value in step.inputs)
        and all(value is old or value in made for value, old in zip(step.inputs, before.inputs))
    )


def is_small(before: Step, node: Node, level: Level) -> bool:
    """Return whether a node is an unnamed activation or dropout of the op before it, the only reader of its output."""
    return (
        node.op.family in SMALL
        and isinstance(before, Node)
        and not node.named
        and node.training == before.training
        and node.inputs == before.outputs
        and [value.shape for value in node.outputs] == [value.shape for value in node.inputs]
        and level.uses[node.inputs[0]] == 1
        and not node.parameters
    )


def is_plain(level: Level) -> bool:
    """Return whether a level is one convolution or linear layer in a row of norms, activations and dropouts."""
    families = [step.op.family if isinstance(step, Node) else "" for step in level.steps]
    return level.loop is None and (
        sum(family in WEIGHTED for family in families) == 1
        and all(family in WEIGHTED or family in PLAIN for family in families)
        and all(not step.training for step in level.steps)
        and level.steps[0].inputs == level.inputs
        and all(step.inputs == before.outputs for before, step in zip(level.steps, level.steps[1:]))
        and level.outputs == level.steps[-1].outputs
    )


def is_single(level: Level) -> bool:
    """Return whether a level is one op and the parameters that it reads, as if it were an op of its own."""
    others = [step for step in level.steps if step.inputs]
    if level.loop is not None or len(others) != 1 or len(level.steps) == 1 or not isinstance(others[0], Node):
        return False
    learned = (step for step in level.steps if not step.inputs)
    return level.outputs == others[0].outputs and all(
        isinstance(step, Node) and parameter_count(step) and not step.training for step in learned
    )


def likeness(level: Level, known: dict[Level, Hashable]) -> Hashable:
    """Equal for blocks of one name and the same ops in the same order, whatever their sizes."""
    found = known.get(level)
    if found is None:
        steps = (step.op.name if isinstance(step, Node) else likeness(step.body, known) for step in level.steps)
        found = known[level] = (level.title, *steps)
    return found


def value_names(level: Level, groups: Sequence[Group]) -> Mapping[Value, str]:
    """Return the name of each value for the lines that say they read it."""
    names = dict(zip(level.inputs, level.input_names))
    for group in groups:
        for step in group.steps:
            names.update(zip(step.outputs, output_names(step)))
        for node in group.then:
            names.update((value, group.name) for value in node.outputs)
    return names


def output_names(step: Step) -> Iterator[str]:
    """``conv1``; for a step with several outputs ``encoder``, ``encoder.h_n``, …"""
    yield step.name
    yield from (f"{step.name}.{port}" for port in step.output_names[1:])


def sources_text(step: Step, above: Value | None, names: Mapping[Value, str]) -> str:
    """``← query, key``: what a step reads; empty where it is only what the line above made.

    Of a residual, which adds the shortcut to what its body made, only the shortcut is said: ``add input``.
    """
    if isinstance(step, Node) and step.structure == "residual":
        return ", ".join(names[value] for value in step.inputs[1:])
    told = [value for value in step.inputs if value in names]  # not what a scan makes for itself
    if all(value is above for value in told):
        return ""
    return "← " + ", ".join(shorten_ranges(list(dict.fromkeys(names[value] for value in told))))


_NUMBERED = re.compile(r"(.*?)(\d+)")


def shorten_ranges(names: Sequence[str]) -> Iterator[str]:
    """``branch1, branch2, branch3`` as ``branch1–3``."""
    start = 0
    for end in range(1, len(names) + 1):
        if end < len(names) and _follows(names[end - 1], names[end]):
            continue
        if end - start > 2:
            yield span_of_names(names[start], names[end - 1])
        else:
            yield from names[start:end]
        start = end


def _follows(name: str, next: str) -> bool:
    first, second = _NUMBERED.fullmatch(name), _NUMBERED.fullmatch(next)
    return bool(first and second and first[1] == second[1] and int(second[2]) == int(first[2]) + 1)


def span_of_names(first: str, last: str) -> str:
    """``layer0`` to ``layer5`` as ``layer0–5``."""
    if first == last:
        return first
    one, other = _NUMBERED.fullmatch(first), _NUMBERED.fullmatch(last)
    return f"{first}–{other[2]}" if one and other and one[1] == other[1] else f"{first}…{last}"
