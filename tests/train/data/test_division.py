"""Rows that are held back: as large a share of each class, and none of a class that has one row."""

import os

import pytest
import torch

from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec
from netspec.recipes import Column
from netspec.train.beforehand import cautions
from netspec.train.data import Data, TensorRows
from netspec.train.setup import Setup

MANY = int(os.environ.get("NETSPEC_MANY", "1"))
SPEC = """\
netspec: 1
name: rows
inputs: {x: [N, 1]}
network: [linear: 50]
train: {data: {npz: d.npz}, loss: cross_entropy, optimizer: sgd, epochs: 1HOW}
"""


def divide(tmp_path, labels, how="", loss="cross_entropy"):
    """The setup of each fold, or the only one, of rows with these labels; the rows are their own numbers."""
    (tmp_path / "s.yaml").write_text(SPEC.replace("HOW", how).replace("cross_entropy", loss))
    graph = compile_spec(tmp_path / "s.yaml")
    labels = torch.as_tensor(labels)
    columns = {"x": Column((1,)), "y": Column((), "int64", int(labels.max()) + 1, target=True)}
    data = Data(columns, TensorRows({"x": torch.arange(len(labels))[:, None].float(), "y": labels}), words={})
    folds = graph.recipe.settings.folds
    return [Setup(graph, data, torch.device("cpu"), fold) for fold in (range(folds) if folds else [None])]


def rows_of(batches):
    return [] if batches is None else batches.subset.tolist()


def test_each_class_is_held_back_by_its_share(tmp_path):
    draw = torch.Generator().manual_seed(0)
    for number in range(20 * MANY):
        counts = torch.randint(1, 40, (int(torch.randint(2, 9, (), generator=draw)),), generator=draw)
        labels = torch.cat([torch.full((int(count),), at) for at, count in enumerate(counts)])
        labels = labels[torch.randperm(len(labels), generator=draw)]
        (setup,) = divide(tmp_path, labels, f", validation: 0.25, seed: {number}")
        held, kept = rows_of(setup.validation), rows_of(setup.train)
        assert sorted(held + kept) == [*range(len(labels))]
        assert len(held) == max(1, round(0.25 * len(labels)))
        own = torch.bincount(labels[held], minlength=len(counts))
        assert (own < counts).all()
        assert ((own - 0.25 * counts).abs() <= 1.5).all()
        assert ((own > 0) | (counts == 1)).all()


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_have_a_share_of_each_class_too(tmp_path, folds):
    labels = torch.tensor([0] * 30 + [1] * 14 + [2] * 7 + [3, 3] + [4])
    judged = []
    for setup in divide(tmp_path, labels, f", folds: {folds}"):
        held, kept = rows_of(setup.validation), rows_of(setup.train)
        assert {*labels[kept].tolist()} == {0, 1, 2, 3, 4}
        own = torch.bincount(labels[held], minlength=5)
        assert ((own[:3] - torch.tensor([30, 14, 7]) / folds).abs() < 1).all()
        judged += held
    assert sorted(judged) == [*range(len(labels) - 1)]  # all but the one that is alone


def test_a_class_of_one_row_is_told(tmp_path):
    (setup,) = divide(tmp_path, [0] * 60 + [1] + [2] * 60)
    assert 60 in rows_of(setup.train)
    assert cautions(setup) == ["the class `1` of `y` has one row, which trains: no held-out row evaluates it"]
    (setup,) = divide(tmp_path, [*range(5), *[5] * 120])
    assert cautions(setup) == [
        "the classes `0`, `1`, `2` and 2 more of `y` have one row, which trains: no held-out row evaluates it"
    ]
    (setup,) = divide(tmp_path, [0] * 60 + [1] * 60)
    assert cautions(setup) == []


def test_where_every_row_is_alone_nothing_is_held_back(tmp_path):
    (setup,) = divide(tmp_path, [*range(20)], ", validation: 0.5")
    assert setup.validation is None
    assert len(setup.train) == 20


def test_the_same_seed_holds_back_the_same(tmp_path):
    labels = [0, 1, 1] * 50
    first, again, other = (divide(tmp_path, labels, f", seed: {seed}")[0] for seed in (0, 0, 1))
    assert rows_of(first.validation) == rows_of(again.validation)
    assert rows_of(first.validation) != rows_of(other.validation)


def test_numbers_are_held_back_by_chance(tmp_path):
    (setup,) = divide(tmp_path, [*range(200)], loss="mse")
    assert len(setup.validation) == 20


def test_an_epoch_may_end_without_what_makes_no_batch(tmp_path):
    (setup,) = divide(tmp_path, [0, 1] * 20, ", batch: 16, drop_last: true")
    assert setup.train.steps(16) == 2
    assert [batch.rows for batch in setup.train.shuffled(0, 16)] == [16, 16]
    assert [batch.rows for batch in divide(tmp_path, [0, 1] * 20, ", batch: 16")[0].train.shuffled(0, 16)] == [
        16,
        16,
        8,
    ]
    with pytest.raises(SpecError) as caught:
        divide(tmp_path, [0, 1] * 5, ", batch: 16, drop_last: true")
    told = "`drop_last` leaves nothing to train on: 10 rows make no batch of 16"
    assert caught.value.diagnostics[0].message == told
