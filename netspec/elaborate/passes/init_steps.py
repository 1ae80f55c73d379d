"""``init`` on a step: where the parameters of what it makes start, over the rules at the top of the spec."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import takewhile
from typing import Any, NamedTuple

from netspec.diagnostics import clipped, did_you_mean
from netspec.elaborate.passes.init_rules import FUNCTIONS, read_rule
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.graph import InitRule, Level, Node, Step, state_key, visits, walk_parameters
from netspec.ops import OPS
from netspec.spec import Written
from netspec.syntax import MapNode, ScalarNode


class Place(NamedTuple):
    """A parameter of one of several steps: its node, its name in torch, and its key where rules name it."""

    at: int
    own: str
    node: Node
    parameter: str
    key: str


def started(
    made: Sequence[Step], written: Written, word: str, is_level: bool, reader: Reader, env: Mapping[str, Any]
) -> list[Step]:
    """Steps with the rules of the ``init`` that stands on what made them; those inside have their own, which win.

    One function is for every weight of two dimensions or more, a mapping for what it names: ``weight`` of an op, a path
    in a block, ``op.parameter``. Where a structure is no level of its own, paths start in the level around it.
    """
    places = [*_places(made, is_level)]
    rules: list[list[InitRule]] = [[] for _ in made]
    for pattern, function in _entries(written, places):
        known = [each for each in places if (_is_weight(each) if pattern is None else _names(pattern.text, each))]
        try:
            if not known:
                _guard_some(pattern, written, word, places, reader)
            rule = read_rule(pattern or ScalarNode(written.span, "", "", True), function, reader, env)
        except AlreadyReported:  # the step is as it should be
            continue
        for at in dict.fromkeys(each.at for each in known) or (0,):  # one for nothing stays, so that it can be told
            rules[at].append(replace(rule, keys=frozenset(each.own for each in known if each.at == at)))
    # What a network that is used brings along gives way to what its step says; what steps inside say does not.
    return [
        replace(step, init=(*step.init, *own) if is_level else (*own, *step.init)) if own else step
        for step, own in zip(made, rules)
    ]


def _places(made: Sequence[Step], is_level: bool) -> Iterator[Place]:
    """The parameters that steps bring along; what is shared or tied is another's."""
    for at, step in enumerate(made):
        if step.shares:
            continue
        if isinstance(step, Node):
            ties = dict(step.ties)
            found = [(name, step, name) for name in step.parameters if name not in ties]
        else:
            inside = walk_parameters(step.body)
            found = [(key, node, name) for _, node, name, key in inside if name not in dict(node.ties)]
        for own, node, name in found:
            yield Place(
                at,
                own,
                node,
                name,
                own if is_level else step.key("", own) if isinstance(step, Node) else state_key(step.name, own),
            )


def _entries(written: Written, places: Sequence[Place]) -> Iterator[tuple[ScalarNode | None, Written]]:
    """Patterns with their functions; without a pattern where one function stands for all."""
    if not isinstance(written, MapNode):
        yield None, written
        return
    if len(written.entries) == 1:
        ((key, _),) = written.entries
        is_pattern = set(key.text) & set(".*") or any(each.key == key.text for each in places)
        if key.text in FUNCTIONS or not is_pattern:
            yield None, written
            return
    yield from written.entries


def _is_weight(place: Place) -> bool:
    """Tell if a function that stands alone fills it: two dimensions or more, or a step that is only a parameter."""
    return not place.key or len(place.node.parameters[place.parameter]) > 1


def _names(pattern: str, place: Place) -> bool:
    op, _, parameter = pattern.partition(".")
    if op in OPS and "." not in parameter:
        return (place.node.op.name, place.parameter) == (op, parameter)
    return fnmatchcase(place.key, pattern)


def _guard_some(
    pattern: ScalarNode | None, written: Written, word: str, places: Sequence[Place], reader: Reader
) -> None:
    """Guard that there is something to start; a pattern may match nothing, as ``*.bias`` may."""
    keys = [each.key for each in places]
    if not keys:
        message = f"`{clipped(word)}` has no parameters of its own to initialise"
        raise reader.error("bad-argument", message, written.span, help="leave `init` out")
    if pattern is None:
        message = f"`{clipped(word)}` has no weights of two dimensions or more"
        help = f"name the parameter to initialise: `init: {{{keys[0]}: …}}`"
        raise reader.error("bad-argument", message, written.span, help=help)
    op, _, parameter = pattern.text.partition(".")
    if "*" not in pattern.text and not (op in OPS and parameter):
        close = did_you_mean(pattern.text, keys)
        raise reader.error(
            "unknown-reference", f"`{clipped(pattern.text)}` matches no parameter", pattern.span, help=close
        )


def placed_rules(body: Level) -> tuple[InitRule, ...]:
    """The rules that stand on steps, for the whole network: one for each parameter, of the innermost step."""
    if not body.has_init:
        return ()
    last: dict[str, InitRule] = {}
    for path, step, *_ in visits(body):
        for rule in step.init:
            prefix = path.removesuffix(step.name)
            keys = (
                (step.key(prefix, key) if isinstance(step, Node) else state_key(path, key)) for key in rule.keys or ()
            )
            last |= dict.fromkeys(keys, rule)
    alike: dict[Any, tuple[InitRule, list[str]]] = {}
    for key, rule in last.items():
        written = rule.span.source.name, rule.span.line, rule.span.column, rule.meaning[:2]
        alike.setdefault(written, (rule, []))[1].append(key)
    return tuple(replace(rule, pattern=common(keys), keys=frozenset(keys)) for rule, keys in alike.values())


def common(keys: Sequence[str]) -> str:
    """Several keys in one: the levels that they begin and end with, and a star between."""
    if len(keys) == 1:
        return keys[0]
    parts = [key.split(".") for key in keys]
    start = _alike(parts)
    ending = _alike([each[len(start) :][::-1] for each in parts])
    return ".".join([*start, "*", *reversed(ending)])


def _alike(lists: Sequence[Sequence[str]]) -> list[str]:
    """The longest common start of some lists."""
    return [column[0] for column in takewhile(lambda column: len(set(column)) == 1, zip(*lists))]
