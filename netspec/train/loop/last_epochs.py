"""The weights at the ends of the last epochs, whose mean is kept in the end (Izmailov et al. 2018)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from netspec.diagnostics import EnvironmentFault
from netspec.recipes.settings import LastEpochsMean
from netspec.train.distributed.strategies import Strategy
from netspec.train.optimize.batch_norms import learn_statistics
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder
from netspec.weights.files.safetensors import read_weights

FOLDER = "epochs"
"""The folder of a run, while it goes on, that has the weights of its last epochs."""


class LastEpochs:
    """Keeps the weights of the last epochs of a run in files, of which a run that is resumed finds those before.

    ``total`` is the number of the last epoch that there may be. Every process calls its methods.
    """

    def __init__(self, setup: Setup, average: LastEpochsMean, folder: RunFolder, strategy: Strategy, total: int):
        self.setup, self.average, self.strategy = setup, average, strategy
        self.folder = folder.path / FOLDER
        early = setup.recipe.early_stopping is not None
        self.first = 1 if early else total - average.epochs + 1

    def keep(self, epoch: int) -> None:
        """Write the present weights as those of an epoch, if it may be one of the last; older ones are removed."""
        if epoch < self.first:
            return
        if self.setup.world.is_first:
            self.folder.mkdir(parents=True, exist_ok=True)
        self.setup.write_weights(self.setup.model.state_dict(), self.path(epoch), self.strategy, epoch)
        if self.setup.world.is_first:
            for number in self.numbers():
                if number <= epoch - self.average.epochs:
                    self.path(number).unlink(missing_ok=True)

    def path(self, epoch: int) -> Path:
        """Return the file of an epoch."""
        return self.folder / f"epoch-{epoch}.safetensors"

    def numbers(self) -> list[int]:
        """Return the epochs that there are files of."""
        names = (re.fullmatch(r"epoch-(\d+)\.safetensors", each.name) for each in self.folder.glob("epoch-*"))
        return sorted(int(name[1]) for name in names if name is not None)

    def load(self, epoch: int) -> None:
        """Put the mean of the weights of the last epochs, up to ``epoch``, into the network.

        Batch norms get statistics anew, over an epoch of the training rows, if the recipe asks for it. Raises
        ``EnvironmentFault`` if the weights of an epoch are gone.
        """
        numbers = [each for each in range(max(1, epoch - self.average.epochs + 1), epoch + 1)]
        missing = next((each for each in numbers if not self.path(each).is_file()), None)
        if missing is not None:
            raise EnvironmentFault(f"{self.path(missing)} is gone, whose weights are to be averaged: start anew")
        self.setup.world.wait()
        model = self.setup.model
        present, mean = model.state_dict(), mean_of(self.path(each) for each in numbers)
        model.load_state_dict({name: self.strategy.placed_like(each, present[name]) for name, each in mean.items()})
        if self.average.batch_norm:
            batches = self.setup.train.shuffled(epoch, self.setup.recipe.settings.batch, alone=True)
            learn_statistics(model, batches, self.setup.autocast)


def mean_of(paths: Iterable[Path]) -> dict[str, Tensor]:
    """Return the mean of the weights in some files, by name; whole numbers are those of the last one."""
    sums: dict[str, Tensor] = {}
    count, last = 0, {}
    for path in paths:
        last = read_weights(path)
        real = {name: tensor.double() for name, tensor in last.items() if tensor.is_floating_point()}
        sums = {name: tensor + sums.get(name, 0) for name, tensor in real.items()}
        count += 1
    return last | {name: (tensor / count).to(last[name].dtype) for name, tensor in sums.items()}


def remove_epochs(folder: RunFolder) -> None:
    """Remove the weights of the last epochs of a run that has ended."""
    for path in (folder.path / FOLDER).glob("epoch-*.safetensors"):
        path.unlink(missing_ok=True)
    with suppress(OSError):  # there is none, or something else in it
        (folder.path / FOLDER).rmdir()
