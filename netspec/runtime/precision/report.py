"""The report on a file in another precision, against the same network in float32: one form for 16 and for 8 bits."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from netspec.emit.onnx.precision.half import kept_layers
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.graph import Graph
from netspec.runtime.onnx.export import export_onnx, size_of
from netspec.runtime.onnx.layer_values import LayersOfFile
from netspec.runtime.onnx.session import open_session
from netspec.runtime.reference import Reference
from netspec.runtime.trace.replay import trace_layers
from netspec.text.quantities import short_bytes

RUNS, SECONDS = 20, 2.0
"""The runs of two files that are timed, in turns, and how long that may take."""
WORST = 5
"""The layers that are told."""


class PrecisionReport(NamedTuple):
    """A file in ``precision`` against the same in float32, which comes second in pairs: bytes, seconds of a processor
    for ``rows``, and scores of the rows of ``part``; and by layer how far its output is from that in float32, relative
    to the largest number. ``kept`` are the layers in float32. What was not measured is ``None`` or empty.
    """

    path: Path
    precision: str
    sizes: tuple[int, int]
    layers: Mapping[str, float]
    kept: Sequence[str] = ()
    seconds: tuple[float, float] | None = None
    rows: str = "a batch"
    part: str = ""
    scores: tuple[Mapping[str, float], Mapping[str, float]] = ({}, {})

    def lines(self) -> list[str]:
        """Return the report as lines of text."""
        own, whole = self.sizes
        said = [f"{self.path}  {short_bytes(own)}, {own / whole:.0%} of {short_bytes(whole)} in float32"]
        for name, score in self.scores[0].items():
            said.append(f"{self.part} {name}: {score:.4f}, {self.scores[1][name]:.4f} in float32")
        if self.seconds is not None:
            own_time, other = (1e3 * each for each in self.seconds)
            said.append(f"{self.rows}: {own_time:.2f} ms, {other:.2f} ms in float32, on one thread of onnxruntime's")
        worst = sorted(self.layers.items(), key=lambda each: each[1], reverse=True)[:WORST]
        if worst:
            said.append(f"the farthest from float32 of {len(self.layers)} layers (max|Δ|/max|y|):")
            said += [f"  {name}: {apart:.1e}" for name, apart in worst]
        if self.kept:
            said.append(f"in float32: {', '.join(self.kept)}")
        return said


def compare_precisions(
    graph: Graph, module: nn.Module, path: Path, form: OnnxForm, sizes: Mapping[str, int]
) -> PrecisionReport:
    """Return the report on a file of 16 bits, at these sizes; bfloat16 is not timed, as onnxruntime's CPU lacks it."""
    assert form.half is not None
    with TemporaryDirectory() as folder:
        whole = export_onnx(graph, module, Path(folder) / "float32.onnx", form=form._replace(half=None))
        reference = Reference(graph, module)
        inputs = reference.inputs(sizes)
        timed = form.half.dtype == "float16"
        arrays = {name: tensor.numpy() for name, tensor in inputs.items()}
        return PrecisionReport(
            path,
            form.half.dtype,
            (size_of(path), size_of(whole)),
            {} if form.optimized else layers_apart(graph, module, path, inputs, sizes),
            kept_layers(graph, form.half),
            time_both((path, whole), arrays) if timed else None,
            "a run at " + (" ".join(f"{name}={size}" for name, size in sizes.items()) or "the fixed sizes"),
        )


def layers_apart(
    graph: Graph, module: nn.Module, path: Path, inputs: Mapping[str, Any], sizes: Mapping[str, int]
) -> dict[str, float]:
    """Return how far the layers of a file are from those of PyTorch, each with what came before."""
    layers = LayersOfFile(path)
    layers.run(inputs)
    trace = trace_layers(graph, module.state_dict(), inputs, layers.values, ("", ""), sizes, layers.coarsest)
    return {each.path: each.so_far for each in trace.layers if not math.isnan(each.so_far)}


def time_both(paths: tuple[Path, Path], inputs: Mapping[str, Any]) -> tuple[float, float]:
    """Return the processor's seconds of two files for the same inputs, on one thread: the median of runs in turns."""
    sessions = [open_session(each, threads=1) for each in paths]
    taken: list[list[float]] = [[], []]
    given = [{each.name: inputs[each.name] for each in session.get_inputs()} for session in sessions]
    began = time.perf_counter()
    while len(taken[0]) < RUNS and (not taken[0] or time.perf_counter() - began < SECONDS):
        for session, feeds, times in zip(sessions, given, taken):
            start = time.process_time()
            session.run(None, feeds)
            times.append(time.process_time() - start)
    return float(np.median(taken[0])), float(np.median(taken[1]))
