"""Files of ``netspec export`` that hold more than the network, or less of its digits, and what is told of them."""

from __future__ import annotations

import sys
from argparse import Namespace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from netspec.emit.onnx.runtimes import OnnxForm
    from netspec.graph import Graph
    from netspec.runtime.onnx.parity import Parity
    from netspec.runtime.precision.report import PrecisionReport
    from netspec.train.predict.trained_run import TrainedRun


def write_raw(
    run: TrainedRun, graph: Graph, module: nn.Module, output: Path, form: OnnxForm, options: Namespace
) -> int:
    """Write the file that takes raw rows; give 1 where its answers are not those of the run."""
    from netspec.cli.output import fitted, status, warn
    from netspec.runtime.onnx.report import ELSEWHERE
    from netspec.train.predict.int8_export import raw_report
    from netspec.train.predict.raw_export import export_raw

    with status("exporting, and predicting with the run and the file side by side"):
        made = export_raw(run, graph, module, output, form, options.verify != "none")
    if form.half is None or made.difference is None or not made.agrees:
        print(said_of(made.path, form.optimized))
    else:
        with status("measuring it against float32, and judging both precisions"):
            report = raw_report(run, graph, module, made.path, form)
        say_report(report, form.optimized)
    for note in made.notes:
        print(note)
    if made.difference is None:
        print("exported: onnx.checker has passed the file; its answers were not compared with the run's")
    elif made.agrees:
        print(f"verified: `netspec predict` and the file agree to {made.difference:.1e} on {made.rows} random rows")
        if options.precision == "bfloat16":
            print(fitted(ELSEWHERE, sys.stdout))
    else:
        limit = f"({made.tolerance:.0e} would do)"
        warn(f"`netspec predict` and the file differ by {made.difference:.1e} {limit}; it is kept as {made.path}")
    return 0 if made.agrees else 1


def write_unverified(graph: Graph, module: nn.Module, output: Path, form: OnnxForm) -> None:
    """Write a file, and say that nothing was run."""
    from netspec.cli.output import fitted, status
    from netspec.runtime.onnx.export import export_onnx
    from netspec.runtime.onnx.report import ELSEWHERE, UNVERIFIED

    with status("exporting"):
        path = export_onnx(graph, module, output, form=form)
    print(said_of(path, form.optimized))
    print(UNVERIFIED)
    if form.half is not None and form.half.dtype == "bfloat16":
        print(fitted(ELSEWHERE, sys.stdout))


def write_int8(
    run: TrainedRun, graph: Graph, module: nn.Module, output: Path, form: OnnxForm, options: Namespace
) -> int:
    """Write the file in 8 bits, and tell what that changes."""
    from netspec.cli.output import status
    from netspec.train.predict.int8_export import Int8Wishes, export_int8
    from netspec.train.predict.raw_ends import RawEnds

    ends = RawEnds(run, form) if options.with_prepare else None
    wishes = Int8Wishes(options.keep_float, options.calibrate, options.accuracy_budget)
    with status("measuring ranges, exporting, and judging both precisions"):
        made = export_int8(run, graph, module, output, form, ends, wishes)
    say_report(made, form.optimized)
    for note in () if ends is None else ends.notes():
        print(note)
    return 0


def write_calibrated(graph: Graph, module: nn.Module, output: Path, form: OnnxForm, options: Namespace) -> int:
    """Write a spec's network in 8 bits, measured on the rows of files, and tell what that changes."""
    from netspec.cli.given_arrays import given_arrays
    from netspec.cli.output import status
    from netspec.runtime.precision.int8 import export_calibrated

    given = given_arrays(options.calibrate, graph, "--calibrate")
    with status("measuring ranges, and exporting"):
        rows = {name: tensor.numpy() for name, tensor in given.items()}
        made = export_calibrated(graph, module, output, form, options.keep_float, rows)
    say_report(made, form.optimized)
    return 0


def tell_precision(
    run: TrainedRun | None, graph: Graph, module: nn.Module, path: Path, form: OnnxForm, parity: Parity
) -> None:
    """Tell size, time and how far layers are from float32, of a file of 16 bits that agrees."""
    from netspec.cli.output import status
    from netspec.runtime.precision.report import compare_precisions

    with status("measuring it against float32"):
        report = compare_precisions(graph, module, path, form, parity.comparisons[-1].sizes)
    if run is not None:
        from netspec.train.predict.int8_export import judged

        with status("judging both precisions"):
            report = judged(run, report, graph, module, form)
    say_report(report, form.optimized)


def say_report(report: PrecisionReport, optimized: bool) -> None:
    """Print a report on a file in another precision."""
    from netspec.cli.output import fitted
    from netspec.runtime.onnx.export import removed_from

    first, *others = report.lines()
    print(first)
    if optimized:
        print(removed_from(report.path))
    for text in others:
        print(fitted(text, sys.stdout))


def told_parity(parity: Parity, path: Path, precision: str) -> bool:
    """Tell what was verified; return whether the runtimes agree."""
    from netspec.cli.output import fitted, warn
    from netspec.runtime.onnx.report import parity_report

    notes, failure = parity_report(parity, path, precision)
    for text in notes:
        print(fitted(text, sys.stdout))
    if failure is not None:
        warn(failure)
    return failure is None


def said_of(path: Path, optimized: bool) -> str:
    """Return the file with its size, and with what was removed from it."""
    from netspec.runtime.onnx.export import data_of, removed_from, size_of
    from netspec.text.quantities import short_bytes

    beside = f" with {data_of(path).name}" if data_of(path).is_file() else ""
    said = f"{path}  {short_bytes(size_of(path))}{beside}"
    return f"{said}  {removed_from(path)}" if optimized else said
