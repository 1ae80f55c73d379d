"""A recipe's data as PyTorch data sets, for training loops of one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.utils.data import Dataset

from netspec.graph import Graph
from netspec.train.data.batches import Batches
from netspec.train.reading import read_data
from netspec.train.setup import Setup


class Examples(Dataset[tuple[Tensor, ...]]):
    """Rows as a network and its losses take them, prepared as the recipe says, but not augmented.

    An item is a tuple of tensors that ``fields`` names: the network's inputs in the order of ``forward``, without those
    that the data lack, then what each judged output is to be. A number gives one row; a slice, a list or a tensor of
    numbers gives several at once, each tensor [n, …].
    """

    def __init__(self, batches: Batches, fields: tuple[str, ...]):
        self.batches, self.fields = batches, fields

    def __repr__(self) -> str:
        augmented = ", not augmented" if self.batches.augment else ""
        return f"<netspec.Examples {', '.join(self.fields)}: {len(self):,} rows{augmented}>"

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int | slice | Sequence[int] | Tensor) -> tuple[Tensor, ...]:
        if isinstance(index, int):
            return tuple(tensor[0] for tensor in self[[range(len(self))[index]]])
        batch = self.batches.take(torch.arange(len(self))[index])
        inputs = (tensor for tensor in batch.inputs if tensor is not None)
        return *inputs, *batch.targets.values()

    def __getitems__(self, index: Sequence[int]) -> list[tuple[Tensor, ...]]:
        """The rows of a batch, as a ``DataLoader`` asks for them: read at once."""
        return [*zip(*self[index])]


@dataclass(frozen=True, slots=True)
class Splits:
    """The parts of a data set: the rows that ``netspec train`` trains, validates and tests with.

    ``words`` has the names of classes, characters or words by their numbers, for each column that has them.
    """

    train: Examples
    validation: Examples | None
    test: Examples | None
    words: Mapping[str, tuple[str, ...]] = field(repr=False)


def read_splits(graph: Graph) -> Splits:
    """Read the data of a graph's recipe. Raises ``SpecError`` if they do not fit the network."""
    setup = Setup(graph, read_data(graph), torch.device("cpu"))
    binding = setup.binding
    inputs = (name for name, column in zip(graph.inputs, binding.inputs) if column is not None)
    fields = (*inputs, *binding.targets.values())
    train, validation, test = (
        None if part is None else Examples(part, fields) for part in (setup.train, setup.validation, setup.test)
    )
    assert train is not None
    return Splits(train, validation, test, setup.data.words)
