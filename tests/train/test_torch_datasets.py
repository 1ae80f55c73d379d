"""A recipe's data as PyTorch's own data sets: the rows of `netspec train`, in any loop."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader
from train import small

import netspec
from netspec.diagnostics import UsageError
from netspec.runtime.module import build_module
from netspec.train.reading import read_data
from netspec.train.setup import Setup


def test_the_rows_are_those_of_a_run():
    model = netspec.load("lenet")
    data, setup = model.data(), Setup(model.graph, read_data(model.graph), torch.device("cpu"))
    for part, batches in ((data.train, setup.train), (data.validation, setup.validation), (data.test, setup.test)):
        assert part is not None
        assert batches is not None
        image, label = part[:]
        rows = [*batches.in_order(1000)]
        assert image.equal(torch.cat([batch.inputs[0] for batch in rows]))
        assert label.equal(torch.cat([batch.targets["output"] for batch in rows]))
    assert (len(data.train), len(data.validation or ()), len(data.test or ())) == (3600, 400, 1000)
    assert data.train.fields == ("image", "label")
    assert repr(data.train) == "<netspec.Examples image, label: 3,600 rows>"


def test_they_are_prepared_but_not_augmented(tmp_path: Path):
    graph = small.graph(tmp_path, prepare="[standardize]", augment="[{random_crop: 4}]")
    image, _ = netspec.Model(graph).data().train[:]
    assert image.mean().item() == pytest.approx(0, abs=1e-4)
    assert image.std().item() == pytest.approx(1, abs=1e-2)


def test_one_row_some_rows_and_all_of_them():
    data = netspec.load("xor").data().train
    x, label = data[:]
    assert data[2][0].equal(x[2])
    assert data[-1][1].equal(label[3])
    assert data[[3, 0]][0].equal(x[[3, 0]])
    assert data[torch.tensor([True, False, False, True])][0].equal(x[[0, 3]])
    assert data[1:3][0].equal(x[1:3])
    with pytest.raises(IndexError):
        data[4]
    assert len([*data]) == 4  # Python ends a loop over what it indexes by that error


def test_a_loader_reads_a_batch_at_once(monkeypatch: pytest.MonkeyPatch):
    data = netspec.load("mlp").data().train
    asked = []
    take = data.batches.take
    monkeypatch.setattr(data.batches, "take", lambda index: asked.append(len(index)) or take(index))
    image, label = next(iter(DataLoader(data, batch_size=50)))
    assert asked == [50]
    assert image.equal(data[:50][0])
    assert label.equal(data[:50][1])


def test_inputs_come_in_the_order_of_forward_and_what_the_data_lack_is_left_out():
    model = netspec.load("transformer_dates", width=16, heads=2, hidden=16)
    data = model.data()
    assert data.train.fields == ("source", "target", "source_padding", "next")
    *inputs, target = data.train[:3]
    logits = build_module(model.graph).eval()(*inputs)
    assert logits.shape == (*target.shape, len(data.words["next"]))


def test_a_spec_without_training_says_what_it_lacks():
    with pytest.raises(UsageError, match="the spec of resnet18 does not say how it is trained"):
        netspec.load("resnet18").data()
