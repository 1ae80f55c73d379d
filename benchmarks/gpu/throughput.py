"""Examples a second in training, beside those that *Dive into Deep Learning* published for a V100.

Six networks in the book's form, at its batch and image size, on noise that lies on the device, through the loop of
``netspec train``: batches are drawn, losses kept and checked, as they are for a user. Each column has what is new in it
on top of the one before: TF32 products, bfloat16 by autocast, channels last, and regional compilation.

    python benchmarks/gpu/throughput.py -o benchmarks/gpu/DEVICE.md
    python benchmarks/gpu/throughput.py lenet --device cpu --batch 8 --steps 5
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from netspec.diagnostics import EnvironmentFault, NetspecError
from netspec.graph import Graph
from netspec.pipeline import compile_spec, read_value
from netspec.runtime.module import checked_device
from netspec.train.data import Data
from netspec.train.data.division import HELD_BACK
from netspec.train.reading import read_data
from netspec.train.report.progress import Plain
from netspec.train.run import Run
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder


@dataclass(frozen=True, slots=True)
class Network:
    """A spec at the book's batch and height of an image, and the examples a second that it published."""

    title: str
    batch: int
    side: int
    published: int
    params: Mapping[str, int] = field(default_factory=dict)


NETWORKS = {
    "lenet": Network("LeNet", 256, 28, 55_000),
    "alexnet_d2l": Network("AlexNet", 128, 224, 3_900),
    "vgg11_small": Network("VGG-11, width ÷ 4", 128, 224, 2_500),
    "nin": Network("NiN", 128, 224, 3_100),
    "googlenet_d2l": Network("GoogLeNet", 128, 96, 3_300),
    "resnet18": Network("ResNet-18", 256, 96, 5_000, {"channels": 1, "classes": 10}),
}

MIXED = {"precision": "mixed"}
LAST = {**MIXED, "channels_last": "true"}
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "TF32": {},
    "bf16": MIXED,
    "channels last": LAST,
    "compiled": {**LAST, "compile": "regional"},
}


class Measured(Exception):
    """All steps that are wanted have been timed: the run need not go on, nor leave anything."""


class Stopwatch:
    """Times the steps of an optimizer after the first ``warm``, and ends the run after ``steps`` more.

    It counts as the optimizer does: the run tells of a step when its loss is read, which on a GPU is later.
    """

    def __init__(self, device: torch.device, warm: int, steps: int):
        self.device, self.warm, self.last = device, warm, warm + steps
        self.done, self.seconds = 0, 0.0

    def count(self, *_: object) -> None:
        """Count a step of the optimizer."""
        self.done += 1
        if self.done == self.warm:
            self.seconds = -self._now()
        elif self.done == self.last:
            self.seconds += self._now()
            raise Measured

    def _now(self) -> float:
        """The time at which the device has done all that it was asked for."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def graph_of(name: str, settings: Mapping[str, str], batch: int, steps: int) -> Graph:
    """A network with a recipe: enough noise for so many steps and one more, so that no epoch ends in them."""
    network = NETWORKS[name]
    rows = int(batch * (steps + 1) / (1 - HELD_BACK)) + 1
    recipe = {
        "data": f"{{noise: {{shape: [1, {network.side}, {network.side}], rows: {rows}}}}}",
        "loss": "cross_entropy",
        "optimizer": "{sgd: 0.01}",
        "epochs": "1",
        "batch": str(batch),
        **settings,
    }
    values = {f"train.{key}": read_value(f"train.{key}", text) for key, text in recipe.items()}
    return compile_spec(name, overrides={**network.params, **values})


def examples_a_second(graph: Graph, data: Data, device: torch.device, warm: int, steps: int) -> float:
    """The rate at which a network trains."""
    stopwatch = Stopwatch(device, warm, steps)
    setup = Setup(graph, data, device)
    batch = setup.recipe.settings.batch
    assert batch is not None
    with tempfile.TemporaryDirectory() as folder, suppress(Measured):
        run = Run(setup, RunFolder(Path(folder)), Plain(0), warn=print)
        run.optimizer.register_step_post_hook(stopwatch.count)
        run.go()
    return steps * batch / stopwatch.seconds


def rates(name: str, options: argparse.Namespace, device: torch.device) -> Iterator[float | None]:
    """The rate in each column; ``None`` where it fails, which is told."""
    batch, total = options.batch or NETWORKS[name].batch, options.warm + options.steps
    data = read_data(graph_of(name, {}, batch, total))
    for column in options.columns:
        graph = graph_of(name, COLUMNS[column], batch, total)
        try:
            yield examples_a_second(graph, data, device, options.warm, options.steps)
        except (NetspecError, RuntimeError) as fault:
            print(f"{name}, {column}: {fault}", file=sys.stderr)
            yield None
        torch.compiler.reset()
        gc.collect()
        torch.cuda.empty_cache()


def table(options: argparse.Namespace, device: torch.device) -> Iterator[str]:
    """The lines of a page in Markdown, each as soon as it is known."""
    title = torch.cuda.get_device_name(device) if device.type == "cuda" else "a CPU"
    yield f"# Examples a second in training on {title}\n"
    yield f"torch {torch.__version__}, {options.steps} steps after {options.warm}, `benchmarks/gpu/throughput.py`.\n"
    heads = ["network", "batch", "image", "D2L, V100", *options.columns, "best : V100"]
    yield f"| {' | '.join(heads)} |"
    yield f"| :-- |{' --: |' * (len(heads) - 1)}"
    for name in options.networks:
        network = NETWORKS[name]
        found = [*rates(name, options, device)]
        best = max((rate for rate in found if rate is not None), default=None)
        cells: list[Any] = [
            network.title,
            options.batch or network.batch,
            f"{network.side}×{network.side}",
            f"{network.published:,}",
            *("failed" if rate is None else f"{rate:,.0f}" for rate in found),
            "" if best is None else f"{best / network.published:.1f}×",
        ]
        yield f"| {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("networks", nargs="*", default=[*NETWORKS], help=f"of {', '.join(NETWORKS)}; default: all")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=[*COLUMNS], help="which to measure")
    parser.add_argument("--device", default="cuda", help="cuda (default), cuda:1, cpu")
    parser.add_argument("--batch", type=int, help="rows a step, instead of the book's")
    parser.add_argument("--steps", type=int, default=200, help="steps that are timed (default: 200)")
    parser.add_argument("--warm", type=int, default=20, help="steps before them (default: 20)")
    parser.add_argument("-o", "--output", type=Path, help="write the table into a file too")
    options = parser.parse_args()
    if unknown := {*options.networks} - {*NETWORKS}:
        parser.error(f"no such network: {', '.join(sorted(unknown))}")
    try:
        device = checked_device(options.device)
    except EnvironmentFault as fault:
        sys.exit(str(fault))
    torch.set_float32_matmul_precision("high")
    lines = []
    for line in table(options, device):
        print(line, flush=True)
        lines.append(f"{line}\n")
    if options.output is not None:
        options.output.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
