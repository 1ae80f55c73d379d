"""The differences between two networks, as a tree of changes, with what they are worth."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal, NamedTuple

from netspec.analysis.costs import Cost, Costs, scan_text
from netspec.analysis.diff.keys import Keys, compare_keys
from netspec.analysis.diff.matching import Match, Matching
from netspec.dataclass import dataclass
from netspec.dims import Dim, Shape, pretty, times_shape
from netspec.graph import ONCE, Call, ExecutionCount, Graph, Level, Node, Step, Value

Kind = Literal["added", "removed", "changed", "follows", "inside"]


class Facet(NamedTuple):
    """Something about a step that differs. ``own`` facets are edits; the others follow from edits before them."""

    name: str
    old: Any
    new: Any
    own: bool = True


@dataclass(frozen=True, eq=False)
class Change:
    """A step that differs.

    ``follows`` marks what has other sizes only, ``inside`` a level that only holds changes; ``inner`` are these. The
    paths are empty, and the costs zero, where a step does not exist. ``key`` is equal for what is told in the same
    words.
    """

    kind: Kind
    old_path: str
    new_path: str
    match: Match
    facets: tuple[Facet, ...]
    old_cost: Cost
    new_cost: Cost
    inner: tuple[Change, ...] = ()
    key: Hashable = None

    @property
    def path(self) -> str:
        """The new path, or the old one of what is gone."""
        return self.new_path or self.old_path

    @property
    def params(self) -> int:
        """Learned numbers more than before."""
        return self.new_cost.params - self.old_cost.params

    @property
    def macs(self) -> int:
        """Multiply-accumulates more than before."""
        return self.new_cost.macs - self.old_cost.macs


class ChangedEntry(NamedTuple):
    """A parameter, input, output, size or initial value that differs, in words; ``None`` where there is none."""

    name: str
    old: str | None
    new: str | None


class Differences:
    """The differences between two networks."""

    def __init__(self, old: Graph, new: Graph):
        self.old, self.new = old, new
        self._costs = Costs(old.sizes), Costs(new.sizes)
        self.matching = Matching(old, new)

    @cached_property
    def changes(self) -> tuple[Change, ...]:
        """The steps that differ, level in level."""
        return _Comparison(self.matching, self._costs).level(self.old.body, self.new.body, self.matching.steps)

    @cached_property
    def keys(self) -> Keys:
        """The changes of the ``state_dict`` keys."""
        return compare_keys(self.old, self.new, self.matching.steps)

    @cached_property
    def sections(self) -> Mapping[str, tuple[ChangedEntry, ...]]:
        """The differences around the layers: the spec's parameters, inputs, outputs, initial values, quoted sizes."""
        sides = _sections(self.old), _sections(self.new)
        outputs = {name: self._gives(name) for name in self.old.outputs.keys() & self.new.outputs.keys()}
        found = {}
        for title, before in sides[0].items():
            after = sides[1][title]
            names = dict.fromkeys([*before, *after])
            entries = [ChangedEntry(name, before.get(name), after.get(name)) for name in names]
            if title == "output":
                entries = [outputs.get(each.name) or each for each in entries]
            found[title] = tuple(each for each in entries if each.old != each.new)
        return found

    def _gives(self, name: str) -> ChangedEntry | None:
        """An output of both networks that is not what a corresponding step gives."""
        wires = Wires(self.old.body, self.new.body, self.matching.steps)
        old, new = self.old.outputs[name], self.new.outputs[name]
        if wires.correspond(old.value, new.value) or wires.are_last(old.value, new.value):
            return None
        texts = _output_text(old.value, old.training), _output_text(new.value, new.training)
        sources = wires.old.names[old.value], wires.new.names[new.value]
        return ChangedEntry(name, f"{texts[0]} of {sources[0]}", f"{texts[1]} of {sources[1]}")

    @property
    def totals(self) -> tuple[Cost, Cost]:
        """Parameters and MACs of the whole, before and after."""
        return self._costs[0].of(self.old.body), self._costs[1].of(self.new.body)

    @cached_property
    def is_empty(self) -> bool:
        """Return whether nothing differs."""
        return not self.changes and self.keys.is_empty and not any(self.sections.values())


def labels(old: Graph, new: Graph) -> tuple[str, str]:
    """Return what two networks are called: their names, or where these are equal, their files."""
    if old.name == new.name and old.spec != new.spec:
        return old.spec, new.spec
    return old.name, new.name


class _Sources:
    """The origin of the values of a level: ``place`` is the step (``None`` for an input of the level) and which one
    of its values, ``above`` what the line above a step made.
    """

    def __init__(self, level: Level):
        self.place: dict[Value, tuple[Step | None, int]] = {}
        self.names = dict(zip(level.inputs, level.input_names))
        self.place.update((value, (None, number)) for number, value in enumerate(level.inputs))
        self.above: dict[Step, tuple[Value, ...]] = {}
        last: tuple[Value, ...] = level.inputs if len(level.inputs) == 1 else ()
        for step in level.steps:
            self.above[step] = last
            last = step.outputs
            names = [step.name, *(f"{step.name}.{port}" for port in step.output_names[1:])]
            self.place.update((value, (step, number)) for number, value in enumerate(step.outputs))
            self.names.update(zip(step.outputs, names))
        self.last = last


class Wires:
    """The values of two levels that correspond."""

    def __init__(self, old: Level, new: Level, matches: Sequence[Match]):
        self.old, self.new = _Sources(old), _Sources(new)
        self.partner = {match.old: match.new for match in matches if match.old is not None}

    def correspond(self, old: Value, new: Value) -> bool:
        """Return whether corresponding steps make two values, or they are one input."""
        (before, number), (after, other) = self.old.place[old], self.new.place[new]
        if before is None or after is None:
            return before is after and (number == other or self.old.names[old] == self.new.names[new])
        return self.partner.get(before) is after and number == other

    def are_last(self, old: Value, new: Value) -> bool:
        """Return whether two values are what the last steps made."""
        return old in self.old.last[:1] and new in self.new.last[:1]

    def reads(self, old: Step, new: Step) -> Iterator[Facet]:
        """Return what a step reads now, where that has changed; reading the step before goes without saying."""
        above = self.old.above[old], self.new.above[new]
        same = len(old.inputs) == len(new.inputs) and all(
            self.correspond(was, now) or (was in above[0] and now in above[1])
            for was, now in zip(old.inputs, new.inputs)
        )
        names = [self.old.names[value] for value in old.inputs], [self.new.names[value] for value in new.inputs]
        if not same and names[0] != names[1]:
            yield Facet("reads", ", ".join(names[0]), ", ".join(names[1]))

    def gives(self, old: Call, new: Call) -> Iterator[Facet]:
        """Return what a level gives, where these are other values than before."""
        values = old.body.outputs, new.body.outputs
        same = len(values[0]) == len(values[1]) and all(
            self.correspond(*pair) or self.are_last(*pair) for pair in zip(*values)
        )
        names = [self.old.names[value] for value in values[0]], [self.new.names[value] for value in values[1]]
        called = old.body.output_names, new.body.output_names
        if (not same and names[0] != names[1]) or len(values[0]) != len(values[1]):
            yield Facet("gives", ", ".join(names[0]), ", ".join(names[1]))
        elif called[0] != called[1]:
            yield Facet("outputs", ", ".join(called[0]), ", ".join(called[1]))


class _Comparison:
    """Walks the matches and makes the changes."""

    def __init__(self, matching: Matching, costs: tuple[Costs, Costs]):
        self.matching, self.costs = matching, costs

    def level(
        self,
        old: Level,
        new: Level,
        matches: Sequence[Match],
        prefixes: tuple[str, str] = ("", ""),
        executions: tuple[ExecutionCount, ExecutionCount] = (ONCE, ONCE),
    ) -> tuple[Change, ...]:
        """The changes of two levels that correspond."""
        wires = Wires(old, new, matches)
        found = []
        for match in matches:
            before, after = match.old, match.new
            paths = prefixes[0] + before.name if before else "", prefixes[1] + after.name if after else ""
            own = executions[0].at(old, before) if before else ONCE, executions[1].at(new, after) if after else ONCE
            costs = (
                self.costs[0].of(before, own[0]) if before else Cost(0, 0),
                self.costs[1].of(after, own[1]) if after else Cost(0, 0),
            )
            if before is None or after is None:
                kind: Kind = "added" if before is None else "removed"
                key = kind, self.matching.signatures.of(match.step), costs
                found.append(Change(kind, *paths, match, (), *costs, key=key))
                continue
            change = self.changed(match, before, after, wires, paths, own, costs)
            if change is not None:
                found.append(change)
        return tuple(found)

    def changed(
        self,
        match: Match,
        old: Step,
        new: Step,
        wires: Wires,
        paths: tuple[str, str],
        executions: tuple[ExecutionCount, ExecutionCount],
        costs: tuple[Cost, Cost],
    ) -> Change | None:
        """Return how two steps that correspond differ, if they do."""
        facets = [*_common(old, new), *wires.reads(old, new)]
        inner: tuple[Change, ...] = ()
        if isinstance(old, Call) and isinstance(new, Call):
            within = match.inner
            if within is None and costs[0] != costs[1]:  # equal levels, quoted at other sizes
                within = tuple(Match(one, other) for one, other in zip(old.body.steps, new.body.steps))
            if within is not None:
                below = executions[0].inside(old.body), executions[1].inside(new.body)
                prefixes = paths[0] + ".", paths[1] + "."
                inner = self.level(old.body, new.body, within, prefixes, below)
                facets += [*_of_levels(old, new), *Wires(old.body, new.body, within).gives(old, new)]
        elif isinstance(old, Node) and isinstance(new, Node):
            facets += _of_nodes(old, new)
        facets += _sizes(old, new)
        if not facets and not inner and costs[0] == costs[1]:
            return None
        kind: Kind = "follows"
        if any(facet.own for facet in facets):
            kind = "changed"
        elif any(each.kind != "follows" for each in inner):
            kind = "inside"
        signatures = self.matching.signatures
        key = (
            kind,
            signatures.of(old),
            signatures.of(new),
            tuple(facet for facet in facets if facet.name != "name"),
            costs,
        )
        return Change(kind, *paths, match, tuple(facets), *costs, inner, key)


def _common(old: Step, new: Step) -> Iterator[Facet]:
    if old.name != new.name and (old.named or new.named):
        yield Facet("name", old.name, new.name)
    if old.training != new.training:
        yield Facet("training only", old.training, new.training)
    if old.frozen != new.frozen:
        yield Facet("frozen", old.frozen, new.frozen)
    if isinstance(old, Call) and isinstance(new, Call) and old.recompute != new.recompute:
        yield Facet("recomputed", old.recompute, new.recompute)
    if old.shares != new.shares:
        yield Facet("shares", old.shares or None, new.shares or None)


def _of_nodes(old: Node, new: Node) -> Iterator[Facet]:
    if old.op.name != new.op.name:
        yield Facet("op", f"{old.op.name} {old.op.detail()}".rstrip(), f"{new.op.name} {new.op.detail()}".rstrip())
    else:
        for name in type(old.op).model_fields:
            before, after = getattr(old.op, name), getattr(new.op, name)
            if before != after:
                yield Facet(name, before, after)
    ties = dict(old.ties), dict(new.ties)
    for name in dict.fromkeys([*ties[0], *ties[1]]):
        if ties[0].get(name) != ties[1].get(name):
            yield Facet(f"tie of {name}", ties[0].get(name), ties[1].get(name))


def _of_levels(old: Call, new: Call) -> Iterator[Facet]:
    if old.body.title != new.body.title:
        yield Facet("block", old.body.title or None, new.body.title or None)
    elif old.body.kind != new.body.kind:
        yield Facet("kind", old.body.kind, new.body.kind)
    if old.body.loop != new.body.loop:
        before, after = (scan_text(step.body.loop) if step.body.loop else None for step in (old, new))
        if before != after:
            yield Facet("scan", before, after)


def _sizes(old: Step, new: Step) -> Iterator[Facet]:
    """Other shapes and dtypes of what a step makes; an output more or less is told where it is read."""
    shapes = [value.shape for value in old.outputs], [value.shape for value in new.outputs]
    if shapes[0] != shapes[1]:
        yield Facet("output", *shapes, own=False)
    dtypes = [value.tensor.dtype for value in old.outputs], [value.tensor.dtype for value in new.outputs]
    if dtypes[0] != dtypes[1]:
        yield Facet("dtype", ", ".join(dtypes[0]), ", ".join(dtypes[1]), own=False)


def _sections(graph: Graph) -> dict[str, dict[str, str]]:
    """Return the sections of a spec around the layers of a network, in words."""
    inputs = {name: _input_text(graph, name, value) for name, value in graph.inputs.items()}
    outputs = {name: _output_text(output.value, output.training) for name, output in graph.outputs.items()}
    init: dict[str, str] = {}
    for rule in graph.init:  # those of several steps may have the same stars
        told = f"{rule.function}{_arguments(rule.arguments)}"
        init[rule.pattern] = f"{init[rule.pattern]}, {told}" if rule.pattern in init else told
    return {
        "parameter": {name: said(value) for name, value in graph.parameters.items()},
        "input": inputs,
        "output": outputs,
        "init": init,
        "size": {name: str(size) for name, size in graph.sizes.items()},
    }


def _input_text(graph: Graph, name: str, value: Value) -> str:
    input_range = graph.input_ranges.get(name)
    parts = [_output_text(value, False), "optional" if value.optional else ""]
    if input_range is not None and input_range.below is not None:
        parts.append(f"from {pretty(input_range.least)}, below {pretty(input_range.below)}")
    return ", ".join(filter(None, parts))


def _output_text(value: Value, training: bool) -> str:
    dtype = value.tensor.dtype
    parts = (times_shape(value.shape) or "a scalar", dtype if dtype != "float32" else "")
    return " ".join(filter(None, (*parts, "in training only" if training else "")))


def _arguments(arguments: Mapping[str, Any]) -> str:
    return f" {{{', '.join(f'{name}: {said(value)}' for name, value in arguments.items())}}}" if arguments else ""


def said(value: Any) -> str:
    """A value as a spec writes it; windows as ``3×3``."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "true", False: "false"}[value]
    if isinstance(value, tuple) and len(value) > 1 and all(type(item) is int for item in value):
        return "×".join(map(str, value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(said, value))}]"
    return pretty(value) if isinstance(value, (int, Dim)) else str(value)


def shapes_text(shapes: Sequence[Shape]) -> str:
    """``N×64×56×56``; several apart by commas."""
    return ", ".join(times_shape(shape) or "a scalar" for shape in shapes)
