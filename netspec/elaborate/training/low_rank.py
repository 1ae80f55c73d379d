"""Changes of low rank: the steps that ``lora`` puts beside those it names, so that all that reads a graph sees them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from netspec.diagnostics import Span, SpecError
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.elaborate.training.changeable import DOWN, UP, Changeable, Chosen, is_trained
from netspec.elaborate.training.ingredients import IngredientReader
from netspec.graph import Call, Graph, InitRule, Level, Node, Phase, Step, Value, WeightChange, key_of
from netspec.ops import OPS, LowRank, Op
from netspec.recipes.recipe import Recipe
from netspec.recipes.settings import LowRankAdaptation, ParameterGroup
from netspec.spec import Written
from netspec.syntax import MapNode


class AskedChanges(NamedTuple):
    """The changes that are asked for, the groups that are trained beside them, and where the keys of ``lora`` stand."""

    settings: LowRankAdaptation
    groups: Mapping[str, ParameterGroup]
    spans: Mapping[str, Span]


def changed_graph(graph: Graph, node: Written | None, reader: Reader, env: Scope) -> Graph:
    """Return a graph with the steps that its recipe asks for, or where it has none, a ``node``; all else is frozen.

    Raises ``SpecError`` with everything that is wrong.
    """
    asked = _asked(graph.recipe, node, reader, env)
    chosen = Changeable(asked.settings, asked.groups, asked.spans, graph.body, reader).chosen()
    reader.report.raise_if_any()
    writer = _Writer(asked.settings, asked.groups, chosen)
    body = writer.level(graph.body, "", frozen=False)
    changes = tuple(change for change, _ in writer.changes.values())
    init = (*graph.init, *start_rules(graph.init, writer.changes, asked.spans["lora"]))
    return replace(graph, body=body, init=init, changes=changes, unchanged=graph)


def _asked(recipe: Recipe | None, node: Written | None, reader: Reader, env: Scope) -> AskedChanges:
    if recipe is not None:
        assert recipe.lora is not None
        return AskedChanges(recipe.lora, recipe.groups, recipe.spans)
    assert node is not None
    try:
        settings = IngredientReader(reader, env).settings(LowRankAdaptation, node, node.span)
    except AlreadyReported:
        raise SpecError(reader.report.diagnostics) from None
    entries = node.entries if isinstance(node, MapNode) else ()
    return AskedChanges(settings, {}, {"lora": node.span, **{f"lora.{key.text}": each.span for key, each in entries}})


def start_rules(
    rules: Sequence[InitRule], changes: Mapping[str, tuple[WeightChange, LowRank]], span: Span
) -> Iterator[InitRule]:
    """Yield the rules for the initial values of the changes: one of the two is zero, the other as Hu et al. have it.

    What torch's linear maps and convolutions have by themselves is said only where other ``rules`` say otherwise.
    """
    zeros: set[str] = set()
    uniform: set[str] = set()
    normal: set[str] = set()
    for change, pair in changes.values():
        zeros.add(change.up if pair.zeros == "up" else change.down)
        if pair.zeros == "down":
            normal.add(change.up)
        elif any(rule.sets(change.down, pair.down.name, "weight") for rule in rules):
            uniform.add(change.down)
    kaiming: tuple[str, dict[str, float], set[str]] = ("kaiming_uniform", {"a": math.sqrt(5)}, uniform)
    for function, arguments, keys in (kaiming, ("normal", {}, normal), ("zeros", {}, zeros)):
        if keys:
            yield InitRule("*", function, arguments, span, frozenset(keys))


class _Writer:
    """Writes levels anew, with the steps for the changes and with the rest frozen."""

    def __init__(self, asked: LowRankAdaptation, groups: Mapping[str, ParameterGroup], chosen: Mapping[str, Chosen]):
        self.asked, self.groups, self.chosen = asked, groups, chosen
        self.changes: dict[str, tuple[WeightChange, LowRank]] = {}
        self.known: dict[tuple[Level, bool, tuple[tuple[bool, bool], ...]], Level] = {}

    def level(self, level: Level, prefix: str, frozen: bool) -> Level:
        """Return a level with its changes; equal ones, with equal changes, are one. ``frozen``: it is, as a whole."""
        key = level, frozen, tuple(self.marks(level, prefix))
        if key not in self.known:
            self.known[key] = self.written(level, prefix, frozen)
        return self.known[key]

    def marks(self, level: Level, prefix: str) -> Iterator[tuple[bool, bool]]:
        """Yield of each node in a level whether its weight is changed, and whether it is trained; note the changes."""
        for step in level.steps:
            home = prefix + (step.shares or step.name)
            if isinstance(step, Call):
                yield from self.marks(step.body, f"{home}.")
                continue
            chosen = self.chosen.get(key_of(home))
            if chosen is not None and not step.shares:
                down, up = (f"{key_of(prefix)}{chosen.name_of(end)}.weight" for end in (DOWN, UP))
                change = WeightChange(chosen.weight, down, up, step.op, self.asked.scale)
                self.changes[key_of(home)] = change, chosen.pair
            yield chosen is not None, self.is_trained(step, prefix)

    def is_trained(self, node: Node, prefix: str) -> bool:
        """Return whether a parameter of a node is trained as it is."""
        return any(is_trained(node.key(prefix, name), self.groups) for name in node.parameters)

    def written(self, level: Level, prefix: str, frozen: bool) -> Level:
        """Return a level with its changes."""
        steps: list[Step] = []
        phases: dict[Step, Phase] = {}
        for step in level.steps:
            made = [*self.steps(step, prefix, frozen)]
            steps += made
            if step in level.phases:
                phases |= dict.fromkeys(made, level.phases[step])
        return replace(level, steps=tuple(steps), phases=phases)

    def steps(self, step: Step, prefix: str, frozen: bool) -> Iterator[Step]:
        """Yield what stands in the place of a step."""
        home = prefix + (step.shares or step.name)
        if isinstance(step, Call):
            body = self.level(step.body, f"{home}.", frozen or step.frozen)
            yield replace(step, body=body, frozen=0 < body.parameter_count == body.frozen_count)
            return
        chosen = self.chosen.get(key_of(home))
        stays = frozen or step.frozen or chosen is not None or not self.is_trained(step, prefix)
        kept = bool(step.parameters) and stays
        if chosen is None:
            yield step if kept == step.frozen else replace(step, frozen=kept)
        else:
            yield from self.changed(replace(step, frozen=kept), chosen)

    def changed(self, node: Node, chosen: Chosen) -> Iterator[Node]:
        """Yield a node and its change: ``lora_B(lora_A(x))``, times the scale, is added to what it gives."""
        (result,) = node.outputs
        x, own, change, pair = node.inputs[0], replace(result), replace(result), chosen.pair

        def beside(end: str, op: Op, *inputs: Value, output: Value) -> Node:
            shares = chosen.name_of(end, node.shares) if node.shares and end in (DOWN, UP) else ""
            name = chosen.name_of(end, node.name)
            return Node(name, op, inputs, (output,), node.span, training=node.training, shares=shares)

        yield replace(node, outputs=(own,))
        if self.asked.dropout and "float" in x.tensor.dtype:
            dropped = replace(x)
            yield beside("lora_dropout", OPS["dropout"].model_validate({"p": self.asked.dropout}), x, output=dropped)
            x = dropped
        (small,) = pair.down.infer(x.tensor)
        inner = Value(small, result.optional, result.absence)
        yield beside(DOWN, pair.down, x, output=inner)
        if self.asked.scale != 1:  # the fewest numbers are here
            scaled = replace(inner)
            yield beside("lora_scale", OPS["scale"].model_validate({"factor": self.asked.scale}), inner, output=scaled)
            inner = scaled
        yield beside(UP, pair.up, inner, output=change)
        yield beside("lora_add", OPS["add"](), own, change, output=result)
