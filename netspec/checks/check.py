"""Everything that ``netspec check`` looks at: each variant of a spec, and what it is expected to be."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

from netspec.analysis.softened import softened_outputs
from netspec.checks.expect import check_expectation
from netspec.checks.missing_data import missing_data
from netspec.checks.unused import unused
from netspec.checks.warning import is_silenced, warning
from netspec.dataclass import dataclass
from netspec.diagnostics import Diagnostic, Report, SpecError
from netspec.elaborate import ElaborationCache, Limits
from netspec.graph import Graph
from netspec.pipeline import Loaded, compile_loaded


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of a check: the graphs of the variants that are sound (``None`` for the defaults), and the faults.

    ``warnings`` are of a spec without faults: it is sound, but may not be what its author means.
    """

    graphs: Mapping[str | None, Graph]
    diagnostics: tuple[Diagnostic, ...]
    more: int = 0
    warnings: tuple[Diagnostic, ...] = ()


def check_loaded(loaded: Loaded, limits: Limits | None = None, common: ElaborationCache | None = None) -> Checked:
    """Compile every variant, or the one that was asked for. A fault that several variants share counts once.

    ``common`` is what the checks of several specs share.
    """
    variants = [loaded.variant] if loaded.variant else loaded.variants
    report, shared = Report(), ElaborationCache(common)
    graphs: dict[str | None, Graph] = {}
    times: dict[tuple[object, ...], int] = {}
    for variant in variants:
        try:
            if None in graphs and variant is not None and not loaded.spec.variants[variant].values:
                graph = _named(graphs[None], variant)
            else:
                graph = compile_loaded(loaded, variant=variant, limits=limits, shared=shared)
        except SpecError as found:
            for each in found.diagnostics:
                times[each.key] = times.get(each.key, 0) + 1
            report.take(found)
            continue
        graphs[variant] = graph
    if not report.count:  # what is expected of a faulty spec says nothing new
        for variant, graph in graphs.items():
            check_expectation(loaded.spec, variant, graph, report)
    if not report.count and len(graphs) == len(loaded.variants):
        warnings = unused(loaded.spec, loaded.document, graphs.values())
        others = (*_unbuildable(graphs.values()), *_softened(graphs.values()), *missing_data(graphs.values()))
        return Checked(graphs, (), warnings=(*warnings, *others))
    told = tuple(_without_variant(each, times.get(each.key, 1), len(variants)) for each in report.diagnostics)
    return Checked(graphs, told, report.more)


def _unbuildable(graphs: Iterable[Graph]) -> list[Diagnostic]:
    """Return a warning for each ``opaque`` step."""
    if "netspec.ops.opaque" not in sys.modules:  # the first such step loads its op
        return []
    from netspec.analysis.opaque import opaque_steps, unbuildable

    places = {span: of for graph in graphs for span, of in opaque_steps(graph).items()}
    warnings = [unbuildable(span, of, "warning") for span, of in places.items()]
    return [each for each in warnings if not is_silenced(each)]


def _softened(graphs: Iterable[Graph]) -> list[Diagnostic]:
    """Return a warning for each step that makes probabilities of what its loss takes for scores."""
    places = {place: rest for graph in graphs if graph.recipe is not None for place, *rest in softened_outputs(graph)}
    found = [warning("softened-output", message, span, help=help) for span, (message, help) in places.items()]
    return [each for each in found if not is_silenced(each)]


def _named(graph: Graph, variant: str) -> Graph:
    """The graph of the defaults as that of a variant which sets nothing."""
    return replace(graph, name=variant, body=replace(graph.body, title=variant))


def _without_variant(found: Diagnostic, times: int, of: int) -> Diagnostic:
    """Drop the variant from the trail if every variant has the fault; otherwise say how many do."""
    if times == 1:
        return found
    is_variant = [entry.startswith("variant ") for entry in found.trail]
    if times == of:
        return replace(found, trail=tuple(entry for entry, it in zip(found.trail, is_variant) if not it))
    also = f" and {times - 1} more"
    return replace(found, trail=tuple(entry + also * it for entry, it in zip(found.trail, is_variant)))
