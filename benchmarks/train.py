"""An epoch of ``netspec train`` against a bare PyTorch loop on the same data, and what it adds to a step.

LeNet on MNIST: at most 1.05 of the bare loop. A tiny network: at most 60 µs more a step. Both sides run in turn, in
one process, on rows in memory in the same order, with the same optimizer; neither measures anything between epochs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median, quantiles

import torch
from torch.nn import functional as F

import netspec
from netspec.pipeline import compile_spec
from netspec.train.feed import seeded
from netspec.train.folder import RunFolder
from netspec.train.progress import Plain
from netspec.train.run import Run
from netspec.train.setup import Setup, read_data

ROUNDS = 15


class Quiet(Plain):
    """Prints nothing."""

    def epoch(self, record: object) -> None:
        pass


def sides(
    name: str, folder: Path, loss: Callable[..., torch.Tensor]
) -> tuple[Callable[[], None], Callable[[], None], int]:
    """An epoch of the run's own loop, the same by hand, and how many steps it has."""
    graph = compile_spec(name)
    setup = Setup(graph, read_data(graph), torch.device("cpu"))
    run = Run(setup, RunFolder(folder), Quiet(0), print)
    run._began = run._saved = run._flushed = time.perf_counter()
    run.total = 10**9
    run._end_epoch = lambda: None  # type: ignore[method-assign]
    model, rows, batch = netspec.load(name).module(), setup.train, setup.recipe.settings.batch
    optimizer = type(run.optimizer)(model.parameters(), lr=1e-3, fused=True)
    image, label = (rows.rows.tensors[name] for name in (setup.wiring.inputs[0], *setup.wiring.targets.values()))  # type: ignore[attr-defined]
    setup.model.train()

    def ours() -> None:
        run.state.step_of_epoch = 0
        run._epoch()

    def bare() -> None:
        order = rows.subset[torch.randperm(len(rows), generator=seeded(0, 0))]
        for index in order.split(batch or len(rows)):
            optimizer.zero_grad()
            value = loss(model(image[index]), label[index])
            value.backward()
            optimizer.step()
            value.item()

    return ours, bare, setup.train.steps(batch)


def pairs(ours: Callable[[], None], bare: Callable[[], None]) -> list[tuple[float, float]]:
    """The seconds of processor time of both, in turn."""
    found = []
    for turn in range(ROUNDS + 1):
        times = {}
        for side in (ours, bare) if turn % 2 else (bare, ours):
            start = time.process_time()
            side()
            times[side] = time.process_time() - start
        found.append((times[ours], times[bare]))
    return found[1:]


def main() -> int:
    torch.set_num_threads(1)
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        ours, bare, _ = sides("lenet_modern", Path(folder), F.cross_entropy)
        ratios = [left / right for left, right in pairs(ours, bare)]
        low, _, high = quantiles(ratios, n=4)
        print(f"an epoch of LeNet, netspec : bare loop   {median(ratios):.3f} [{low:.3f}-{high:.3f}]   bar 1.05")
        missed |= median(ratios) > 1.05

        def squared(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            return F.mse_loss(output, target.reshape(output.shape))

        ours, bare, steps = sides("linear_regression", Path(folder), squared)
        more = [1e6 * (left - right) / steps for left, right in pairs(ours, bare)]
        low, _, high = quantiles(more, n=4)
        print(f"a step of a tiny network, netspec − bare   {median(more):.0f} µs [{low:.0f}-{high:.0f}]   bar 60 µs")
        missed |= median(more) > 60
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
