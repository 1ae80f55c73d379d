"""Rows that are held back: as large a share of each class, and none of a class that has one row."""

import os

import pytest
import torch
from train import small

from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec
from netspec.recipes import Column
from netspec.train.beforehand import cautions, guard_start
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


SKEWED = [0] * 70 + [1] * 20 + [2] * 7 + [3] * 3


def classes_of(setup, epoch):
    batches = [batch.targets["output"] for batch in setup.train.shuffled(epoch, 8)]
    return torch.cat(batches)


def test_an_epoch_has_as_many_rows_of_each_class_and_each_as_often_as_any(tmp_path):
    (setup,) = divide(tmp_path, SKEWED, ", sample: balanced, validation: 0.1")
    rows = setup.train.subset
    assert len(rows) == 90
    assert torch.bincount(classes_of(setup, 0)).tolist() == [23, 23, 22, 22]
    seen = [batch.inputs[0].flatten() for batch in setup.train.shuffled(0, 8)]
    times = torch.bincount(torch.cat(seen).long(), minlength=100)[rows]
    for number, count in enumerate([23, 23, 22, 22]):
        each = times[torch.tensor(SKEWED)[rows] == number]
        assert {int(each.min()), int(each.max())} <= {count // len(each), -(-count // len(each))}
    assert classes_of(setup, 0).tolist() != classes_of(setup, 1).tolist()
    rest = [batch.targets["output"] for batch in setup.train.shuffled(0, 8, skip=5)]
    assert torch.cat(rest).equal(classes_of(setup, 0)[40:])
    assert torch.bincount(torch.cat([each.targets["output"] for each in setup.train.every(8)])).tolist() != [
        23,
        23,
        22,
        22,
    ]


def test_an_epoch_has_the_share_of_each_class_that_is_asked_for(tmp_path):
    shares = [1, 1, 2, 4, *[5] * 46]  # the last ones have no rows
    (setup,) = divide(tmp_path, SKEWED, f", sample: {shares}, validation: 0.1")
    assert torch.bincount(classes_of(setup, 0)).tolist() == [11, 11, 23, 45]


def test_of_two_classes_of_yes_and_no_half_are_yes(tmp_path):
    (setup,) = divide(tmp_path, [0] * 50 + [1] * 6, ", sample: balanced", "{binary_cross_entropy: {}}")
    assert classes_of(setup, 0).float().mean() == 0.5


def test_a_row_that_comes_again_is_augmented_otherwise(tmp_path):
    graph = small.graph(tmp_path, sample="balanced", augment="[{random_crop: 3}]")
    data = small.data(40)
    data.train.tensors["label"][:] = torch.tensor([0] * 19 + [1])
    setup = Setup(graph, data, torch.device("cpu"))
    batches = [*setup.train.shuffled(0, 20)]
    rare = torch.cat([batch.inputs[0][batch.targets["output"] == 1] for batch in batches])
    assert len(rare) == 10
    assert len(torch.unique(rare, dim=0)) > 5


def test_a_run_that_samples_classes_goes_on_bit_for_bit(tmp_path):
    small.guard_resumes(small.graph(tmp_path, sample="balanced", checkpoint="{steps: 1}", epochs="2"), tmp_path)


def test_rows_without_a_class_are_not_sampled(tmp_path):
    (setup,) = divide(tmp_path, [0, 1, -100] * 20, ", sample: balanced", "{cross_entropy: {ignore_index: -100}}")
    with pytest.raises(SpecError, match="`sample` needs rows with one class each, but that of some is -100"):
        guard_start(setup)
    (setup,) = divide(tmp_path, [[0, 1], [1, 0]], ", sample: balanced", "{binary_cross_entropy: {}}")
    with pytest.raises(SpecError, match="`sample` needs rows with one class each, which are known"):
        guard_start(setup)
