"""Find the rules of ``init`` that set nothing: patterns without a match, and weights that are made of others."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence

from netspec.checks.warning import warning
from netspec.diagnostics import Diagnostic, Source, clipped, nearest
from netspec.graph import Graph, InitRule, Node, Step, levels_in, walk, walk_parameters
from netspec.spec import Spec

MAKES_WEIGHTS = re.compile(r"weight_norm|spectral_norm")
Place = tuple[str, int, int]
Parameter = tuple[str, str, str]
"""The key of a parameter, its op and its name there."""


def unmet_rules(spec: Spec, home: Source, graphs: Sequence[Graph], foreign: Collection[Source]) -> Iterator[Diagnostic]:
    """Yield a warning for each rule of `init` that sets nothing; only those in the text ``home`` may match nothing.

    ``foreign`` are the texts of the networks that the spec uses.
    """
    yield from unmatched_rules(home, graphs)
    if spec.init and any(MAKES_WEIGHTS.search(source.text) for source in sources_of(spec, foreign)):
        yield from rules_of_made_weights(graphs)


def unmatched_rules(home: Source, graphs: Iterable[Graph]) -> Iterator[Diagnostic]:
    """Yield a warning for each rule of a text whose pattern matches no parameter of any graph."""
    met: set[Place] = set()
    unmet: dict[Place, tuple[InitRule, Graph | Step]] = {}
    for graph in graphs:
        parameters: list[Parameter] = []
        for rule, holder in _rules_of(graph):
            place = rule.span.order
            if place in met or rule.span.source is not home:
                continue
            if isinstance(holder, Graph):
                parameters = parameters or _parameters(holder)
            if bool(rule.keys) if rule.keys is not None else any(rule.sets(*each) for each in parameters):
                met.add(place)
            else:
                unmet[place] = rule, holder
    for rule, holder in (found for place, found in unmet.items() if place not in met):
        names = _names(holder)
        absent = rule.op is not None and not any(name.startswith(f"{rule.op}.") for name in names)
        close = None if absent else nearest(rule.pattern, names)
        help = f"no step runs `{rule.op}`" if absent else "name a parameter or a level that there is, or remove it"
        help = help if close is None else f"did you mean `{close}`?"
        message = f"`{clipped(rule.pattern)}` matches no parameter: the rule has no effect"
        yield warning("unused-init", message, rule.span, help=help)


def _rules_of(graph: Graph) -> Iterator[tuple[InitRule, Graph | Step]]:
    """Each rule at the top of a graph, and on its steps, with what it stands on; the former alone have no keys yet."""
    yield from ((rule, graph) for rule in graph.init if rule.keys is None)
    if graph.body.has_init:
        steps = (step for level in levels_in(graph.body) for step in level.steps)
        yield from ((rule, step) for step in steps for rule in step.init)


def _parameters(graph: Graph) -> list[Parameter]:
    return [(key, node.op.name, name) for _, node, name, key in walk_parameters(graph.body)]


def _names(holder: Graph | Step) -> list[str]:
    """Return the patterns that would match something of a graph or a step."""
    if isinstance(holder, Graph):
        parameters = _parameters(holder)
        return [f"{op}.{name}" for _, op, name in parameters] + _patterns(key for key, *_ in parameters)
    if isinstance(holder, Node):
        return _patterns(holder.parameters)
    return _patterns(key for *_, key in walk_parameters(holder.body))


def _patterns(keys: Iterable[str]) -> list[str]:
    """Return some keys, and a pattern for each level that they are in."""
    found: dict[str, None] = {}
    for key in keys:
        parts = key.split(".")
        found |= dict.fromkeys([key, *(".".join([*parts[:length], "*"]) for length in range(1, len(parts)))])
    return [*found]


def sources_of(spec: Spec, foreign: Iterable[Source]) -> set[Source]:
    """The texts that the steps of a spec stand in, and those of the networks that it uses."""
    blocks = (block.span.source for block in spec.blocks.values())
    return {*foreign, *blocks, *(step.span.source for step in spec.network)}


def rules_of_made_weights(graphs: Iterable[Graph]) -> Iterator[Diagnostic]:
    """Rules of `init` for weights that `weight_norm` or `spectral_norm` makes of others: there is none of that name."""
    told: set[Place] = set()
    for graph in (each for each in graphs if each.init):
        if not any(made_weight(step) for level in levels_in(graph.body) for step in level.steps):
            continue
        for path, step, _ in walk(graph.body):
            if not isinstance(step, Node) or not (made := made_weight(step)):
                continue
            for rule in graph.init:
                if rule.span.order not in told and rule.sets(
                    step.key(path.removesuffix(step.name), "weight"), step.op.name, "weight"
                ):
                    told.add(rule.span.order)
                    message = f"`{rule.pattern}` does not set the weight of `{path}`, which {made}"
                    part = "original1" if getattr(step.op, "weight_norm", False) else "original"
                    help = f"name what it is made of: `'*.parametrizations.weight.{part}': …`"
                    yield warning("unused-init", message, rule.span, help=help)


def made_weight(step: Step) -> str:
    """Return what a step's weight is made by, where it is made of others; nothing for other steps."""
    op = step.op if isinstance(step, Node) else None
    if getattr(op, "weight_norm", False):
        return "`weight_norm` makes of its norms and its directions"
    return "`spectral_norm` makes of another one" if getattr(op, "spectral_norm", False) else ""
