"""An epoch of ``netspec train`` against a bare PyTorch loop and Lightning's Trainer, and what each adds to a step.

LeNet on MNIST: at most 1.02 of the bare loop, and less than Lightning; with a moving average of the weights at most
1.05 of without. A tiny network: at most 30 µs more a step than the bare loop, and less than Lightning. Each pair runs
in turn, in one process, on the same rows in memory, in batches of the same size, with the same optimizer; none measures
anything between epochs. Lightning runs with ``barebones``, as fast as it can be, and what it does before and after an
epoch does not count; it adds so much that few rounds tell.
"""

from __future__ import annotations

import gc
import logging
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from pairs import Bar, alternate, finish, import_torchvision, judge, ratios, seconds, timed
from torch import Tensor, nn
from torch.nn import functional as F

import netspec
from netspec.pipeline import compile_spec, read_value
from netspec.train.data.batches import Batches, seeded
from netspec.train.reading import read_data
from netspec.train.report.progress import Plain
from netspec.train.run import Run
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder

import_torchvision()  # before Lightning does, through torchmetrics
import pytorch_lightning as lightning  # noqa: E402

ROUNDS, FEW = 31, 3
"""The rounds beside the bare loop, and beside Lightning."""
EPOCHS, MANY = 5, 40
"""An epoch of a tiny network takes 15 ms: so many are timed together, in as many rounds."""

Loss = Callable[[Tensor, Tensor], Tensor]
Epoch = Callable[[], float]
"""Trains for an epoch; gives the seconds of processor time that it took."""


class Quiet(Plain):
    """Prints nothing."""

    def epoch(self, record: object) -> None:
        pass


@dataclass(frozen=True, slots=True)
class BareLoader:
    """The batches of an epoch, in an order of their own: what a person would write."""

    rows: Batches
    inputs: Tensor
    targets: Tensor
    batch: int

    def __len__(self) -> int:
        return self.rows.steps(self.batch)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        order = self.rows.subset[torch.randperm(len(self.rows), generator=seeded(0, 0))]
        for index in order.split(self.batch):
            yield self.inputs[index], self.targets[index]


class Lightly(lightning.LightningModule):
    """A network with its loss in Lightning."""

    def __init__(self, net: nn.Module, loss: Loss, optimizer: Callable[..., Any]):
        super().__init__()
        self.net, self.loss, self.optimizer, self.seconds = net, loss, optimizer, 0.0

    def training_step(self, batch: tuple[Tensor, Tensor], index: int) -> Tensor:
        inputs, targets = batch
        return self.loss(self.net(inputs), targets)

    def configure_optimizers(self) -> Any:
        return self.optimizer(self.parameters())

    def on_train_epoch_start(self) -> None:
        self.start = time.process_time()

    def on_train_epoch_end(self) -> None:
        self.seconds = time.process_time() - self.start


def sides(name: str, folder: Path, loss: Loss) -> tuple[Epoch, Epoch, Epoch, int]:
    """An epoch of the run's own loop, the same by hand and in Lightning, and how many steps it has."""
    run = run_of(name, folder)
    setup = run.setup
    rows, batch = setup.train, setup.recipe.settings.batch
    columns = (setup.binding.inputs[0], *setup.binding.targets.values())
    inputs, targets = (rows.rows.tensors[column] for column in columns)  # type: ignore[attr-defined]
    batches = BareLoader(rows, inputs, targets, batch or len(rows))
    make = partial(type(run.optimizer), lr=1e-3, fused=True)
    model = netspec.load(name).module()
    optimizer = make(model.parameters())
    lightly = Lightly(netspec.load(name).module(), loss, make)

    def bare() -> None:
        for inputs, targets in batches:
            optimizer.zero_grad()
            value = loss(model(inputs), targets)
            value.backward()
            optimizer.step()
            value.item()

    def trained() -> float:
        lightning.Trainer(barebones=True, accelerator="cpu", max_epochs=1).fit(lightly, batches)
        return lightly.seconds

    return epoch_of(run), partial(timed, bare), trained, len(batches)


def run_of(name: str, folder: Path, **recipe: str) -> Run:
    """A run of a zoo network with other values in its recipe, ready for epochs without end."""
    graph = compile_spec(name, overrides={f"train.{key}": read_value(key, text) for key, text in recipe.items()})
    setup = Setup(graph, read_data(graph), torch.device("cpu"))
    run = Run(setup, RunFolder(folder), Quiet(0), print)
    run.total = 10**9
    setup.model.train()
    return run


def epoch_of(run: Run) -> Epoch:
    """An epoch of a run."""

    def ours() -> None:
        run.state.step_of_epoch = 0
        run.train_epoch()

    return partial(timed, ours)


def rounds(first: Epoch, second: Epoch, count: int, epochs: int = 1) -> list[tuple[float, float]]:
    """The seconds of some epochs of both in every round; a round before them warms up."""
    first(), second()
    gc.freeze()  # what is there by now: to look through it before each epoch would take longer than the epoch
    return alternate(*(lambda run=run: sum(run() for _ in range(epochs)) for run in (first, second)), count)


def squared(output: Tensor, target: Tensor) -> Tensor:
    return F.mse_loss(output, target.reshape(output.shape))


def main() -> None:
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # of Lightning's advice
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        ours, bare, lightly, _ = sides("lenet_modern", Path(folder), F.cross_entropy)
        for name, pairs, bar in (
            ("netspec : bare loop", rounds(ours, bare, ROUNDS), Bar(1.02)),
            ("Lightning : netspec", rounds(lightly, ours, FEW), Bar(1.0, least=True)),
        ):
            results.append(judge(f"an epoch of LeNet, {name}", ratios(pairs), bar, seconds(pairs)))
        averaged = epoch_of(run_of("lenet_modern", Path(folder), ema="0.999"))
        pairs = rounds(averaged, ours, ROUNDS)
        name = "an epoch of LeNet, with a moving average : without"
        results.append(judge(name, ratios(pairs), Bar(1.05), seconds(pairs)))
        ours, bare, lightly, steps = sides("linear_regression", Path(folder), squared)
        for name, pairs, bar in (
            ("netspec − bare loop", rounds(ours, bare, MANY, EPOCHS), Bar(30)),
            ("Lightning − netspec", rounds(lightly, ours, FEW, EPOCHS), Bar(0, least=True)),
        ):
            more = [1e6 * (left - right) / steps / EPOCHS for left, right in pairs]
            results.append(judge(f"a tiny step, {name}, µs", more, bar))
    finish(results)


if __name__ == "__main__":
    main()
