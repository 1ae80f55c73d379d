"""The graph, the limits and the files that the common options ask for."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import Report, Source, UsageError
from netspec.elaborate import Limits
from netspec.graph import Graph
from netspec.pipeline import compile_spec, find_spec, read_value
from netspec.recipes.weights import WeightsSource
from netspec.spec import read_weights
from netspec.syntax import FileLimits, parse

if TYPE_CHECKING:
    from netspec.analysis.step_time import StepTime


def graph_of(options: Namespace) -> Graph:
    """Compile the spec that is named. Raises ``UsageError`` and ``SpecError`` as ``compile_spec`` does."""
    overrides, sizes, limits = overrides_of(options), sizes_of(options), limits_of(options)
    return compile_spec(options.spec, variant=options.variant, overrides=overrides, sizes=sizes, limits=limits)


def asked_graph(options: Namespace) -> Graph:
    """Compile the spec that is named, and return its graph, or the part of its cached form that ``--cached`` names.

    Raises ``UsageError`` where it has no such part.
    """
    return cached_part(graph_of(options), options.cached)


def cached_part(graph: Graph, part: str | None) -> Graph:
    """Return the ``step`` or the ``begin`` of a graph's cached form; for no part, the graph itself."""
    if part is None:
        return graph
    from netspec.cached import cached_form

    form = cached_form(graph)
    if part == "step":
        return form.step
    if form.begin is None:
        raise UsageError(f"{graph.name} has no inputs beside the words: its cached form is `--cached step` alone")
    return form.begin


def output_of(options: Namespace) -> Path:
    """Return the file to write. Raises ``UsageError`` where it is the spec itself."""
    output = Path(options.output)
    if options.spec != "-" and output.exists() and output.samefile(find_spec(options.spec)[0]):
        raise UsageError(f"-o {options.output} is the spec itself: choose another file")
    return output


def times_of(graph: Graph, file: str | None, optimizer: str = "") -> StepTime | None:
    """Return the times on the measured device of a file, where one is named; by default with the spec's optimizer."""
    if file is None:
        return None
    from netspec.analysis.step_time import StepTime, optimizer_kind, read_device

    return StepTime(graph, read_device(file), optimizer or optimizer_kind(graph))


def overrides_of(options: Namespace) -> dict[str, Any]:
    """Return the values of ``--set`` by parameter, or by the path of a key of the recipe."""
    return {key: read_value(key, text) for key, text in pairs(options.set, "--set")}


def weights_of(options: Namespace) -> WeightsSource | None:
    """Return the source of ``--weights``: a text alone, or a mapping as in a recipe. Raises ``SpecError``."""
    text = options.weights
    if text is None or not text.lstrip().startswith("{"):
        return WeightsSource(text) if text is not None else None
    report = Report()
    node = parse(Source("--weights", text), report)
    made = None if node is None else read_weights(node, report)
    report.raise_if_any()
    return made


def sizes_of(options: Namespace) -> dict[str, int]:
    """Return the sizes of ``--dim`` by symbolic dimension."""
    return {name: _dimension(name, text) for name, text in pairs(options.dim, "--dim")}


def limits_of(options: Namespace) -> Limits:
    """Return the bounds on a network and a file. Raises ``UsageError`` for one below 1."""
    for option, value in (("--max-layers", options.max_layers), ("--max-file-size", options.max_file_size)):
        if value is not None and value < 1:
            raise UsageError(f"{option} takes a positive integer, not {value}")
    usual = Limits()
    return Limits(
        iterations=max(options.max_layers or 0, usual.iterations),
        layers=options.max_layers or usual.layers,
        file=FileLimits.of(options.max_file_size) if options.max_file_size else usual.file,
    )


def pairs(texts: Sequence[str], option: str) -> list[tuple[str, str]]:
    """Divide ``NAME=VALUE``. Raises ``UsageError`` for a text that is not so written."""
    divided = []
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise UsageError(f"{option} takes NAME=VALUE, not `{text}`")
        divided.append((key.strip(), value))
    return divided


def _dimension(name: str, text: str) -> int:
    if not re.fullmatch(r"[0-9][0-9_]*", text) or int(text) < 1:
        raise UsageError(f"--dim {name} takes a positive integer, not `{text}`")
    return int(text)
