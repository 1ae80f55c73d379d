"""Trains LeNet, ResNet-20 and MobileNetV2 on built-in data, and exports each in 8 bits: size, accuracy and time.

    python benchmarks/int8.py -o benchmarks/INT8.md
    python benchmarks/int8.py lenet_modern --runs FOLDER    # runs that are there already are not trained again

Each is judged by its validation rows, before and after, by the command that users have: `netspec export RUN --precision
int8`. It may lose a point of accuracy, and be a third of the size.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from netspec.cli import main as netspec
from netspec.emit.onnx.runtimes import ANY_FORM
from netspec.runtime.module import merged
from netspec.runtime.precision.report import PrecisionReport
from netspec.train.predict.int8_export import export_int8
from netspec.train.predict.trained_run import TrainedRun

POINT, THIRD = 0.01, 1 / 3
MOBILE = """\
netspec: 1
extends: mobilenet_v2
name: mobilenet_digits
params: {classes: 10}
train:
  data: digits
  prepare: [{resize: 32}, {channels: 3}]
  loss: cross_entropy
  optimizer: {sgd: {lr: 0.05, momentum: 0.9}}
  weight_decay: 1e-4
  schedule: cosine
  clip: 1.0
  epochs: 12
  batch: 64
"""


class Network(NamedTuple):
    """A spec and the options that it is trained with; ``text`` is a spec of this benchmark's own."""

    spec: str
    options: tuple[str, ...] = ()
    text: str = ""


NETWORKS = {
    "lenet_modern": Network("lenet_modern", ("--set", "train.epochs=3")),
    "resnet20": Network("resnet20"),
    "mobilenet_digits": Network("mobilenet_digits.yaml", (), MOBILE),
}


def run_of(name: str, folder: Path) -> TrainedRun:
    """Return the run of a network, which is trained where there is none."""
    network = NETWORKS[name]
    if not (folder / "runs" / name).is_dir():
        spec = network.spec
        if network.text:
            (folder / spec).write_text(network.text, encoding="utf-8")
            spec = str(folder / spec)
        with redirect_stdout(StringIO()):
            netspec(["train", spec, *network.options, "--output", str(folder / "runs" / name / "1")])
    return TrainedRun.find_one(str(folder / "runs" / name / "1"))


def measure(name: str, folder: Path) -> PrecisionReport:
    """Return the report on a network in 8 bits."""
    run = run_of(name, folder)
    graph, module = merged(run.graph, run.module("torch"))
    return export_int8(run, graph, module, folder / f"{name}.onnx", ANY_FORM)


def row(name: str, report: PrecisionReport) -> str:
    """Return the row of the table."""
    own, whole = report.sizes
    before, after = report.scores[1]["accuracy"], report.scores[0]["accuracy"]
    assert report.seconds is not None
    times = f"{1e3 * report.seconds[0]:.1f} | {1e3 * report.seconds[1]:.1f}"
    return f"| {name} | {own / whole:.3f} | {before:.4f} | {after:.4f} | {times} |"


def good(report: PrecisionReport) -> bool:
    """Return whether a network keeps its accuracy, and is as small as it should be."""
    lost = report.scores[1]["accuracy"] - report.scores[0]["accuracy"]
    return lost <= POINT and report.sizes[0] < THIRD * report.sizes[1]


def main() -> int:
    """Print the table; return 1 where a network loses too much, or stays too large."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("names", nargs="*", help=f"of {', '.join(NETWORKS)} (default: all)")
    options.add_argument("--runs", type=Path, metavar="FOLDER", help="where runs are kept (default: nowhere)")
    options.add_argument("-o", "--output", type=Path, metavar="FILE", help="write the table here")
    given = options.parse_args()
    lines = [
        "| network | bytes | accuracy in float32 | in int8 | ms a batch in int8 | in float32 |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    print("\n".join(lines))
    reports = []
    with TemporaryDirectory() as folder:
        for name in given.names or NETWORKS:
            reports.append(measure(name, given.runs or Path(folder)))
            lines.append(row(name, reports[-1]))
            print(lines[-1], flush=True)
    if given.output:
        given.output.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return 0 if all(map(good, reports)) else 1


if __name__ == "__main__":
    sys.exit(main())
