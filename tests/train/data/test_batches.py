"""Batches of sequences that are about as long."""

from __future__ import annotations

from itertools import chain

import torch

from netspec.recipes import Column
from netspec.train.data import TensorRows
from netspec.train.data.batches import Batch, Batches, ColumnBinding
from netspec.train.world import World

ROWS, BATCH = 1050, 8
COLUMNS = {
    "source": Column((30,), "int64", 50, padding=0),
    "source_padding": Column((30,), "bool", padding=1),
    "lengths": Column((), "int64"),
    "target": Column((20,), "int64", 50, padding=0),
    "next": Column((20,), "int64", 50, target=True, padding=0, shifted="target"),
}


def batches(grouped: bool = True, seed: int = 0) -> Batches:
    """Sources of 1 to 30 words and targets of 1 to 20, the first of each word being the row's number."""
    lengths = 1 + torch.arange(ROWS) * 7 % 30
    shorter = (2 * lengths + 2) // 3
    padding = torch.arange(30) >= lengths[:, None]
    source = (1 + torch.arange(ROWS)[:, None].expand(-1, 30)).masked_fill(padding, 0)
    target = (1 + torch.arange(ROWS)[:, None].expand(-1, 20)).masked_fill(torch.arange(20) >= shorter[:, None], 0)
    rows = TensorRows(
        {"source": source, "source_padding": padding, "lengths": lengths, "target": target, "next": target.clone()}
    )
    pads = {name: column.padding for name, column in COLUMNS.items() if column.padding is not None}
    binding = ColumnBinding(("source", "source_padding", "lengths", "target", None), {"output": "next"})
    return Batches(rows, COLUMNS, binding, torch.device("cpu"), seed=seed, padding=pads if grouped else {})


def numbers(batches: list[Batch]) -> list[list[int]]:
    """Which rows are in each batch."""
    return [batch.inputs[0][:, 0].tolist() for batch in batches]


def test_each_epoch_has_every_row_once_in_another_order():
    epochs = [numbers([*batches().shuffled(epoch, BATCH)]) for epoch in (0, 1)]
    assert [sorted(chain(*epoch)) for epoch in epochs] == [[*range(1, ROWS + 1)]] * 2
    assert epochs[0] != epochs[1] != numbers([*batches(seed=1).shuffled(1, BATCH)])
    assert len(epochs[0]) == batches().steps(BATCH) == 132
    assert epochs[0][40:] == numbers([*batches().shuffled(0, BATCH, skip=40)])  # as after a resumption


def test_a_batch_ends_where_its_longest_sequences_do():
    for batch in [*batches().shuffled(0, BATCH), *batches().in_order(256), *batches().every(256)]:
        source, padding, lengths, target, nothing = batch.inputs
        assert nothing is None
        assert source.shape == padding.shape == (batch.rows, lengths.max())
        assert (padding == (source == 0)).all()
        assert target.shape == batch.targets["output"].shape
        assert (target[:, -1] != 0).any()


def test_little_of_a_batch_is_padding():
    def padded(batches: list[Batch]) -> float:
        return torch.cat([batch.inputs[0].flatten() for batch in batches]).eq(0).double().mean().item()

    assert padded([*batches(grouped=False).shuffled(0, BATCH)]) > 0.48
    assert padded([*batches().shuffled(0, BATCH)]) < 0.05


def test_the_order_of_lengths_is_left_to_chance():
    lengths = torch.tensor([batch.inputs[0].shape[1] for batch in batches().shuffled(0, BATCH)], dtype=torch.float64)
    assert abs(torch.corrcoef(torch.stack([lengths[1:], lengths[:-1]]))[0, 1]) < 0.3


def test_who_does_not_mind_the_order_reads_less_padding():
    assert [row for batch in numbers([*batches().in_order(256)]) for row in batch] == [*range(1, ROWS + 1)]
    assert sorted(chain(*numbers([*batches().every(256)]))) == [*range(1, ROWS + 1)]
    widths = [batch.inputs[0].shape[1] for batch in batches().every(ROWS // 4)]
    assert widths == sorted(widths)
    assert widths[0] <= 8


def test_rows_that_one_asks_for_are_as_long_as_ever():
    assert batches().take(torch.tensor([0, 5])).inputs[0].shape == (2, 30)
    assert [batch.inputs[0].shape[1] for batch in batches(grouped=False).shuffled(0, BATCH)] == [30] * 132


def shared(rows: int, rank: int, size: int) -> Batches:
    """The batches of one of several processes."""
    tensors = {"x": torch.arange(rows).float()[:, None], "y": torch.arange(rows).float()}
    columns = {"x": Column((1,)), "y": Column((), target=True)}
    binding = ColumnBinding(("x",), {"output": "y"})
    return Batches(TensorRows(tensors), columns, binding, torch.device("cpu"), world=World(rank, size))


def test_processes_share_every_row_and_judge_each_once():
    for rows in (3, 10, 11):
        several = [[*shared(rows, rank, 3).every(4)] for rank in range(3)]
        assert {len(each) for each in several} == {-(-rows // 4)}
        seen = [number for batches in several for each in batches for number in each.targets["output"][: each.rows]]
        assert sorted(seen) == [*range(rows)]


def test_where_rows_are_too_few_each_process_judges_all():
    for rank in range(3):
        (batch,) = shared(2, rank, 3).every(4)
        assert (batch.rows, batch.whole) == (2, 2)
        assert batch.targets["output"].tolist() == [0, 1]


def test_a_process_without_a_row_to_learn_from_has_one_that_does_not_count():
    several = [[*shared(4, rank, 3).shuffled(0, 3)] for rank in range(3)]
    assert [sum(each.rows for each in batches) for batches in zip(*several)] == [3, 1]
    assert all(len(each.targets["output"]) == 1 for batches in several for each in batches)
