"""The file of a run in fewer bits: measured on rows that train or that are given, judged on rows that do not train."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from torch import nn

from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.ends import OnnxEnds
from netspec.emit.onnx.runtimes import OnnxForm
from netspec.graph import Graph
from netspec.runtime.onnx.between_casts import write_rounded
from netspec.runtime.onnx.export import export_onnx, exported, put_model, size_of
from netspec.runtime.precision.budget import fewest
from netspec.runtime.precision.int8 import Int8Network, Rows
from netspec.runtime.precision.report import PrecisionReport, compare_precisions, time_both
from netspec.train.data.batches import Batches
from netspec.train.optimize.metrics import better_way
from netspec.train.predict.answers import Predictor
from netspec.train.predict.onnx_module import OnnxModule
from netspec.train.predict.raw_ends import RawEnds
from netspec.train.predict.raw_export import properties
from netspec.train.predict.trained_run import TrainedRun

ROWS, BATCH = 512, 64
"""The rows that ranges are measured on, and how many at once."""


class Int8Wishes(NamedTuple):
    """The wishes for a file in 8 bits: patterns of layers left in float32, files of rows to measure on (none: rows
    that train), and by how much the watched score may be worse than in float32 (``None``: by whatever it is).
    """

    keep: Sequence[str] = ()
    calibrate: Sequence[str] = ()
    budget: float | None = None


NO_WISHES = Int8Wishes()


class Judge:
    """Judges files of a run's network by the rows that validate, test or, failing these, train."""

    def __init__(self, run: TrainedRun):
        self.setup, self.parts = run.evaluated("torch", _ignore)
        self.part = next(name for name in ("validation", "test", "train") if name in self.parts)

    def scores(self, path: Path) -> Mapping[str, float]:
        """Return the loss and the metrics of a file."""
        self.setup.model = OnnxModule(path).eval()
        return self.setup.evaluate(self.parts[self.part])

    def loses(self, network: Int8Network, wanted: Mapping[str, float], kept: Sequence[str]) -> float:
        """Return by how much the watched score is worse in 8 bits, but for these layers, than what is wanted."""
        watched, scores = self.setup.watched, self.scores(network.write(kept))
        return better_way(self.setup.recipe.metrics, watched) * (wanted[watched] - scores[watched])

    def rows(self, part: str, graph: Graph) -> Iterator[Rows]:
        """Yield inputs of the network by their names, a batch at a time."""
        return rows_of(self.parts[part], graph)


def export_int8(
    run: TrainedRun,
    graph: Graph,
    module: nn.Module,
    path: Path,
    form: OnnxForm,
    ends: OnnxEnds | None = None,
    wishes: Int8Wishes = NO_WISHES,
) -> PrecisionReport:
    """Write a run's network with its convolutions and linear maps in 8 bits, but for those that are kept in float32.

    Raises ``UsageError`` for a pattern that no layer matches, and for files that have no rows of the network.
    """
    judge = Judge(run)
    with TemporaryDirectory() as folder:
        network = Int8Network(graph, module, form, Path(folder))
        kept = network.matching(wishes.keep)
        given = given_rows(run, wishes.calibrate, graph) if wishes.calibrate else judge.rows("train", graph)
        network.measure(islice(given, -(-ROWS // BATCH)) if not wishes.calibrate else given)
        wanted = judge.scores(network.whole)
        if wishes.budget is not None:
            loses = partial(judge.loses, network, wanted)
            kept = fewest(kept, wishes.budget, loses, partial(network.by_harm, kept, next(judge.rows("train", graph))))
        small = network.write(kept)
        rows = next(judge.rows(judge.part, graph))
        with exported(graph, module, path, properties(run), network.in_bits(kept), ends) as temporary:
            put_model(temporary, path)
        with exported(graph, module, path, properties(run), form, ends) as same:
            sizes = size_of(path), size_of(same)
        return PrecisionReport(
            path,
            "int8",
            sizes,
            {name: apart for name, apart in network.apart(small, rows).items() if name not in kept},
            kept,
            time_both((small, network.whole), rows),
            part=judge.part,
            scores=(judge.scores(small), wanted),
        )


def judged(
    run: TrainedRun, report: PrecisionReport, graph: Graph, module: nn.Module, form: OnnxForm
) -> PrecisionReport:
    """Return a report on a run's file of 16 bits with the scores of both precisions."""
    judge = Judge(run)
    with TemporaryDirectory() as folder:
        half, rounded, whole = (Path(folder) / f"{name}.onnx" for name in ("half", "rounded", "float32"))
        write_rounded(export_onnx(graph, module, half, form=form), rounded)
        export_onnx(graph, module, whole, form=form._replace(half=None))
        return report._replace(part=judge.part, scores=(judge.scores(rounded), judge.scores(whole)))


def raw_report(run: TrainedRun, graph: Graph, module: nn.Module, path: Path, form: OnnxForm) -> PrecisionReport:
    """Return the report on a run's file of 16 bits that takes raw rows: its size, and how its network does."""
    plain = form._replace(half=None)
    with TemporaryDirectory() as folder:
        half = export_onnx(graph, module, Path(folder) / "half.onnx", form=form)
        report = compare_precisions(graph, module, half, form, quick_sizes(graph)[-1])
        whole = Path(folder) / "float32.onnx"
        with exported(graph, module, whole, properties(run), plain, RawEnds(run, plain)) as temporary:
            sizes = size_of(path), size_of(temporary)
        return judged(run, report, graph, module, form)._replace(path=path, sizes=sizes)


def rows_of(batches: Batches, graph: Graph) -> Iterator[Rows]:
    """Yield the inputs of batches by their names, as they are judged."""
    for batch in batches.in_order(BATCH):
        yield {name: None if each is None else each.cpu().numpy() for name, each in zip(graph.inputs, batch.inputs)}


def given_rows(run: TrainedRun, files: Sequence[str], graph: Graph) -> Iterator[Rows]:
    """Yield the rows of files, read and prepared as ``netspec predict`` does."""
    predictor = Predictor(run, warn=_ignore)
    for file in files:
        for inputs in predictor.reader.read_argument(file):
            yield from rows_of(predictor.batches(inputs.rows), graph)


def _ignore(text: str) -> None:
    """Tell nobody."""
