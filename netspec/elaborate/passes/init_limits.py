"""The limits of the functions of ``torch.nn.init``: the numbers they take, and the shapes of parameters they fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from netspec.dims import Shape, times_shape
from netspec.elaborate.reading.values import Reader
from netspec.graph import Call, InitRule, Level, Node, walk_parameters

LARGEST = 3.4e38
"""About the largest number of float32."""

MATRIX, FANS, FILTERS = (2, 2), (2, 64), (3, 5)
RANKS = {
    "eye": MATRIX,
    "sparse": MATRIX,
    "dirac": FILTERS,
    "orthogonal": FANS,
    "xavier_uniform": FANS,
    "xavier_normal": FANS,
    "kaiming_uniform": FANS,
    "kaiming_normal": FANS,
}
"""The least and the largest number of dimensions of what a function fills; the others take any."""

SAID = {MATRIX: "2 dimensions", FANS: "2 dimensions or more", FILTERS: "3 to 5 dimensions"}


def wrong_number(function: str, given: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a function's numbers, its defaults among them; ``None`` where nothing is."""
    numbers = {name: value for name, value in given.items() if isinstance(value, (int, float))}
    for name, value in numbers.items():
        which = f"`{name}` of `{function}`"
        if abs(value) > LARGEST:
            return f"{which} is beyond the numbers of float32"
        if name == "std" and (value < 0 or (value == 0 and function == "trunc_normal")):
            return f"{which} must be {'above' if function == 'trunc_normal' else 'at least'} 0, but is {value:g}"
        if name == "sparsity" and not 0 <= value <= 1:
            return f"{which} is a part of 1, and cannot be {value:g}"
        if name == "gain" and value < 0 and function != "orthogonal":
            return f"{which} must be at least 0, but is {value:g}"
        if name == "groups" and (not isinstance(value, int) or value < 1):
            return f"{which} is a whole number from 1 on, and cannot be {value:g}"
    if function not in ("uniform", "trunc_normal"):
        return None
    low, high = numbers["a"], numbers["b"]
    if low > high:
        return f"`a` of `{function}` must be at most `b`, but {low:g} is above {high:g}"
    return f"`{function}` goes beyond the numbers of float32" if high - low > LARGEST else None


def check_shapes(rules: Iterable[InitRule], body: Level, reader: Reader) -> None:
    """Guard: a function can fill each parameter that a rule has it fill; a rule is told once."""
    for rule in rules:
        if rule.function in RANKS:
            faults = (_unfit(rule, key, shape) for key, shape in _filled(rule, body))
            fault = next((each for each in faults if each is not None), None)
            if fault is not None:
                reader.error("bad-argument", fault, rule.span)


def _unfit(rule: InitRule, key: str, shape: Shape) -> str | None:
    least, most = RANKS[rule.function]
    if not least <= len(shape) <= most:
        rank = SAID[least, most]
        return f"`{rule.function}` is for parameters of {rank}, and `{key}` is {times_shape(shape)}"
    groups = rule.arguments.get("groups", 1)
    if shape[0] % groups:
        return f"`{rule.function}` cannot divide `{key}`, {times_shape(shape)}, into {groups} groups"
    return None


def _filled(rule: InitRule, body: Level) -> Iterator[tuple[str, Shape]]:
    """The parameters that a rule is for, under the names that it calls them; those of a level that repeats once."""
    if rule.op is None:
        for _, node, name, key in walk_parameters(body):
            if rule.sets(key, node.op.name, name):
                yield key, node.parameters[name]
        return
    name = rule.pattern.partition(".")[2]
    for node in _nodes(body, set()):
        if node.op.name == rule.op and name in node.parameters:
            yield rule.pattern, node.parameters[name]


def _nodes(level: Level, seen: set[Level]) -> Iterator[Node]:
    if level in seen:
        return
    seen.add(level)
    for step in level.steps:
        if isinstance(step, Call):
            yield from _nodes(step.body, seen)
        else:
            yield step
