"""Everything that ``netspec check`` looks at: each variant of a spec, and what it is expected to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from netspec.diagnostics import Diagnostic, Report, SpecError
from netspec.elaborate import Limits
from netspec.expect import check_expectation, expectation
from netspec.graph import Graph
from netspec.pipeline import Loaded, compile_loaded


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a check: the graphs of the variants that are sound (``None`` for the defaults), and the faults."""

    graphs: Mapping[str | None, Graph]
    diagnostics: tuple[Diagnostic, ...]


def check_loaded(loaded: Loaded, limits: Limits | None = None) -> Checked:
    """Compile every variant, or the one that was asked for. A fault that several variants share counts once."""
    report = Report()
    graphs: dict[str | None, Graph] = {}
    for variant in [loaded.variant] if loaded.variant else loaded.variants:
        try:
            graph = compile_loaded(loaded, variant=variant, limits=limits)
        except SpecError as found:
            for diagnostic in found.diagnostics:
                report.add(diagnostic)
            continue
        graphs[variant] = graph
        check_expectation(graph, expectation(loaded.spec, variant), report)
    return Checked(graphs, tuple(report.diagnostics))
