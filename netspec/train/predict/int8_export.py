"""The file of a run in 8 bits: measured on rows that train, judged on those that do not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import onnx
from torch import nn

from netspec.diagnostics import UsageError
from netspec.emit.onnx.ends import OnnxEnds
from netspec.emit.onnx.precision.int8 import Ranges
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.graph import Graph
from netspec.runtime.onnx.export import export_onnx, exported, put_model, size_of
from netspec.runtime.onnx.session import open_session
from netspec.train.data.batches import Batches
from netspec.train.predict.onnx_module import OnnxModule
from netspec.train.predict.raw_export import properties
from netspec.train.predict.trained_run import TrainedRun

ROWS, BATCH = 512, 64
"""The rows that ranges are measured on, and how many at once."""
TIMES = 20
"""The runs of both files that are timed, in turns."""


class Int8Layer(NamedTuple):
    """A layer that may be in 8 bits: the names of its node and of what it reads and gives."""

    name: str
    reads: str
    gives: str


class Int8Export(NamedTuple):
    """A file in 8 bits against the same in float32: bytes, scores of the rows that judge, seconds for
    a batch, and by layer how far its output is from that in float32, relative to the largest number.
    """

    path: Path
    sizes: tuple[int, int]
    part: str
    scores: tuple[Mapping[str, float], Mapping[str, float]]
    seconds: tuple[float, float]
    layers: Mapping[str, float]
    kept: Sequence[str]


def export_int8(
    run: TrainedRun,
    graph: Graph,
    module: nn.Module,
    path: Path,
    form: OnnxForm,
    ends: OnnxEnds | None = None,
    keep: Sequence[str] = (),
) -> Int8Export:
    """Write a run's network with its convolutions and linear maps in 8 bits, but for layers that match a pattern in
    ``keep``. Raises ``UsageError`` for a pattern that no layer matches.
    """
    setup, parts = run.evaluated("torch", _ignore)
    part = next(name for name in ("validation", "test", "train") if name in parts)
    with TemporaryDirectory() as folder:
        whole = export_onnx(graph, module, Path(folder) / "float.onnx", form=form)
        layers = layers_in(whole)
        for pattern in keep:
            if not any(fnmatchcase(each.name, pattern) for each in layers):
                names = ", ".join(each.name for each in layers)
                raise UsageError(f"--keep-float `{pattern}` matches none of the layers {names}")
        kept = [each.name for each in layers if any(fnmatchcase(each.name, pattern) for pattern in keep)]
        ranges = measured(whole, [each for each in layers if each.name not in kept], calibration(parts["train"]))
        small = export_onnx(graph, module, Path(folder) / "int8.onnx", form=form._replace(int8=ranges))
        scores = []
        for file in (whole, small):
            setup.model = OnnxModule(file).eval()
            scores.append(setup.evaluate(parts[part]))
        rows = next(calibration(parts[part]))
        seconds, apart = timed(whole, small, rows), layers_apart(whole, small, layers, rows)
        with exported(graph, module, path, properties(run), form._replace(int8=ranges), ends) as temporary:
            put_model(temporary, path)
        with exported(graph, module, path, properties(run), form, ends) as same:
            sizes = size_of(same), size_of(path)
    return Int8Export(path, sizes, part, (scores[0], scores[1]), seconds, apart, kept)


def layers_in(path: Path) -> list[Int8Layer]:
    """Return the layers of a file that can be in 8 bits."""
    model = onnx.load(path)
    weights = {each.name for each in model.graph.initializer if len(each.dims) > 1}
    return [
        Int8Layer(node.name, node.input[0], node.output[0])
        for node in model.graph.node
        if node.op_type in ("Conv", "Gemm", "MatMul") and node.input[1] in weights and node.input[0] not in weights
    ]


def calibration(batches: Batches) -> Iterator[dict[str, Any]]:
    """Yield inputs of the network by their number, for a few rows, as they are judged."""
    for at, batch in enumerate(batches.in_order(BATCH)):
        if at * BATCH >= ROWS:
            return
        yield {str(number): None if each is None else each.cpu().numpy() for number, each in enumerate(batch.inputs)}


def with_outputs(path: Path, names: Sequence[str]) -> Any:
    """Return a session of a file that gives these values, too, and nothing else."""
    model = onnx.load(path)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names))
    wider = path.with_name(f"{path.stem}.wider.onnx")
    onnx.save(model, wider)
    return open_session(wider, brief=True)


def measured(path: Path, layers: Sequence[Int8Layer], rows: Iterator[Mapping[str, Any]]) -> Ranges:
    """Return the least and the largest number that each layer reads for some rows."""
    if not layers:
        return {}
    session = with_outputs(path, [each.reads for each in layers])
    names = [each.name for each in session.get_outputs()]
    low, high = dict.fromkeys(names, 0.0), dict.fromkeys(names, 0.0)
    for each in rows:
        for name, array in zip(names, session.run(None, feeds(session, each))):
            low[name], high[name] = min(low[name], float(array.min())), max(high[name], float(array.max()))
    return {each.name: (low[each.reads], high[each.reads]) for each in layers}


def feeds(session: Any, rows: Mapping[str, Any]) -> dict[str, Any]:
    """Return inputs by the names of a file."""
    return {each.name: rows[str(number)] for number, each in enumerate(session.get_inputs())}


def timed(whole: Path, small: Path, rows: Mapping[str, Any]) -> tuple[float, float]:
    """Return the seconds that both files take for a batch: the median of runs in turns."""
    sessions = [open_session(each) for each in (whole, small)]
    taken: list[list[float]] = [[], []]
    for _ in range(TIMES):
        for session, times in zip(sessions, taken):
            given, start = feeds(session, rows), time.perf_counter()
            session.run(None, given)
            times.append(time.perf_counter() - start)
    return float(np.median(taken[0])), float(np.median(taken[1]))


def layers_apart(whole: Path, small: Path, layers: Sequence[Int8Layer], rows: Mapping[str, Any]) -> dict[str, float]:
    """Return how far the outputs of layers are from those in float32, relative to the largest number."""
    made = []
    for path in (whole, small):
        session = with_outputs(path, [each.gives for each in layers])
        made.append(dict(zip([each.name for each in session.get_outputs()], session.run(None, feeds(session, rows)))))
    return {each.name: _apart(made[0][each.gives], made[1][each.gives]) for each in layers}


def _apart(want: np.ndarray, got: np.ndarray) -> float:
    return float(np.abs(want - got).max(initial=0.0) / max(float(np.abs(want).max(initial=0.0)), 1e-30))


def _ignore(text: str) -> None:
    """Tell nobody."""
