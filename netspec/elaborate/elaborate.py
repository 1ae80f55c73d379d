"""From a spec to its shaped graph: one forward pass that expands, resolves names and infers shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from netspec.diagnostics import Report, Source
from netspec.dims import Dim
from netspec.elaborate import steps  # noqa: F401 (they register themselves)
from netspec.elaborate.context import Context
from netspec.elaborate.inputs import declared_sizes, read_bounds, read_inputs, read_ranges, symbol_names, with_absence
from netspec.elaborate.names import check_all_names
from netspec.elaborate.network import Network, build_network
from netspec.elaborate.parameters import Override, check_required, chosen_variant, parameter_values
from netspec.elaborate.passes.draft import Draft
from netspec.elaborate.passes.order import run_passes
from netspec.elaborate.reading.locals import with_locals
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import Reader
from netspec.elaborate.state.budget import Budget, Limits
from netspec.elaborate.state.cache import ElaborationCache
from netspec.elaborate.state.requirements import Requirements, empty_dims
from netspec.graph import Graph, InitRule, Value
from netspec.spec import Spec, Written
from netspec.syntax import MapNode

if TYPE_CHECKING:
    from netspec.recipes.recipe import Recipe


def elaborate(
    spec: Spec,
    report: Report,
    *,
    variant: str | None = None,
    overrides: Mapping[str, Override] | None = None,
    sizes: Mapping[str, int] | None = None,
    limits: Limits | None = None,
    shared: ElaborationCache | None = None,
    lora: Written | None = None,
    digest: str = "",
    texts: tuple[Source, ...] = (),
) -> Graph:
    """Return the graph of a spec, for one variant and these parameter values.

    ``shared`` is what other elaborations of the same spec have worked out; this one adds to it. ``lora`` are changes of
    low rank for a spec without a recipe. Raises ``SpecError`` with everything that is wrong, and ``UsageError`` for a
    variant, a parameter or a dimension that does not exist.
    """
    cache = shared or ElaborationCache()
    reader = Reader(report, cache.values)
    chosen = chosen_variant(spec, variant)
    if chosen is not None:
        reader.trail = (f"variant {chosen.key.text} (line {chosen.key.span.line})",)
    check_all_names(spec, reader, cache.named)
    parameters = parameter_values(spec, reader, chosen, overrides or {})
    context = new_context(spec, reader, parameters, sizes or {}, limits or Limits(), cache)
    globals = context.globals
    inputs = with_absence(read_inputs(spec, reader, globals), context.requirements.empty)
    network = build_network(context, spec, variant or spec.name, inputs)
    below, ranges = read_bounds(spec, reader, globals), read_ranges(spec, reader, globals)
    rules = init_rules(spec, reader, globals)
    recipe = training_recipe(context, spec, inputs, network)
    report.raise_if_any()
    draft = Draft(network.close(context), inputs, tuple(context.requirements.found.values()), reader, globals)
    draft.declared, draft.below = context.requirements.declared, below
    draft.rules, draft.start = rules, training_start(spec)
    draft.own = spec.extends.span.source if spec.extends is not None else None
    run_passes(draft)
    assert draft.sizes is not None
    assert draft.init is not None
    assert draft.input_ranges is not None
    graph = Graph(
        name=variant or spec.name,
        doc=spec.doc,
        body=draft.body,
        inputs=inputs,
        outputs=network.outputs,
        sizes=draft.sizes,
        requirements=draft.requirements,
        init=draft.init,
        parameters=parameters,
        input_ranges=draft.input_ranges,
        ranges=ranges,
        spec=texts[0].name if texts else "",
        digest=digest,
        recipe=recipe,
        texts=texts,
    )
    return as_trained(graph, lora, reader, globals)


def as_trained(graph: Graph, lora: Written | None, reader: Reader, env: Scope) -> Graph:
    """Return a graph as its recipe has it, or ``lora`` where it has none; guard what the recipe says of parameters."""
    recipe = graph.recipe
    if lora is not None or (recipe is not None and recipe.lora is not None):
        from netspec.elaborate.training.low_rank import changed_graph

        graph = changed_graph(graph, lora, reader, env)
    if recipe is not None and (recipe.groups or recipe.batch_norm or recipe.layer_decay):
        from netspec.elaborate.training.groups import check_parameters

        check_parameters(recipe, graph.body, reader)
        reader.report.raise_if_any()
    return graph


def new_context(
    spec: Spec, reader: Reader, parameters: Scope, sizes: Mapping[str, int], limits: Limits, cache: ElaborationCache
) -> Context:
    """Return the context that the body is elaborated in. Raises ``SpecError`` for parameters that the spec refuses."""
    symbols = {name: Dim.symbol(name) for name in symbol_names(spec, parameters)}
    globals = with_locals(reader, spec.let, parameters.extended(symbols), parameters.keys())
    if not check_required(spec, reader, globals):
        reader.report.raise_if_any()  # the rest follows from it
    declared, bounds = declared_sizes(spec, reader, globals, symbols, sizes)
    requirements = Requirements(declared)
    requirements.empty = empty_dims(bounds)
    for bound in bounds:
        requirements.add(bound)
    budget = Budget(limits, reader)
    return Context(spec.blocks, spec.network, globals, reader, requirements, budget, cache, uses=spec.uses)


def init_rules(spec: Spec, reader: Reader, env: Scope) -> tuple[InitRule, ...]:
    """Return the initialisation rules at the top of the spec."""
    if not spec.init:
        return ()
    from netspec.elaborate.passes.init_rules import read_rules  # many specs have none

    return read_rules(spec.init, reader, env)


def training_recipe(context: Context, spec: Spec, inputs: Mapping[str, Value], network: Network) -> Recipe | None:
    """Return what ``train:`` says; ``None`` where the spec has none, or a fault that the rest would follow from."""
    if spec.train is None or context.reader.report.count:
        return None
    from netspec.elaborate.training.recipe import read_recipe  # most specs have none, and its classes take a while

    requirements = [*context.requirements.found.values()]
    return read_recipe(spec.train, context.reader, context.globals, inputs, network.outputs, requirements)


def training_start(spec: Spec) -> Written | None:
    """Return the initialisation that ``train:`` asks for."""
    return spec.train.get("init") if isinstance(spec.train, MapNode) else None
