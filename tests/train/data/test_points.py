"""The small data sets: what they are said to show is in them."""

import pytest
import torch
from train.data.reading import read

from netspec.recipes.data.points import Edges, LinePoints, LogicPoints, Noise, Polynomial, Separable


@pytest.mark.parametrize(
    "data_set",
    [LogicPoints(of="xor"), Separable(), LinePoints(), Polynomial(degree=5), Edges(), Noise(shape=[2, 6, 8])],
)
def test_columns_are_as_declared_and_the_same_each_time(data_set):
    data, again = read(data_set), read(data_set)
    assert data.columns == data_set.columns()
    for name, tensor in data.train.tensors.items():
        assert tensor.shape[1:] == data.columns[name].shape
        assert tensor.equal(again.train.tensors[name])


@pytest.mark.parametrize(("of", "function"), [("and", int.__and__), ("or", int.__or__), ("xor", int.__xor__)])
def test_logic(of, function):
    rows = read(LogicPoints(of=of)).train.tensors
    assert [function(int(a), int(b)) for a, b in rows["x"]] == rows["label"].tolist()
    assert len({tuple(row) for row in rows["x"].tolist()}) == 4


@pytest.mark.parametrize(("margin", "seed"), [(0.1, 0), (0.5, 1), (1.0, 2)])
def test_separable_points_keep_their_distance_from_a_line(margin, seed):
    rows = read(Separable(rows=301, margin=margin, seed=seed)).train.tensors
    sides = 2 * rows["label"] - 1
    assert sides.sum().abs() == 1
    angles = torch.linspace(0, 2 * torch.pi, 3601)
    distances = sides[:, None] * (rows["x"] @ torch.stack([angles.cos(), angles.sin()]))
    assert distances.min(0).values.max() >= margin - 1e-2
    assert rows["x"].norm(dim=1).max() <= 1 + 1e-6


def test_line_and_polynomial_are_fitted_by_their_coefficients():
    rows = read(LinePoints()).train.tensors
    ones = torch.ones(1000, 1)
    found = torch.linalg.lstsq(torch.hstack([rows["x"], ones]), rows["y"][:, None]).solution.flatten()
    torch.testing.assert_close(found, torch.tensor([2.0, -3.4, 4.2]), atol=2e-3, rtol=0)
    rows = read(Polynomial(degree=3, noise=0.0)).test.tensors
    found = torch.linalg.lstsq(torch.hstack([torch.ones(100, 1), rows["x"]]), rows["y"][:, None]).solution.flatten()
    torch.testing.assert_close(found, torch.tensor([5.0, 1.2, -3.4 / 2, 5.6 / 6]), atol=1e-3, rtol=0)


def test_more_degrees_leave_the_points_where_they_are():
    low, high = (read(Polynomial(degree=degree)).train.tensors for degree in (1, 20))
    assert low["x"].equal(high["x"][:, :1])
    assert low["y"].equal(high["y"])
    assert high["x"].shape == (100, 20)
    assert high["x"][:, 4].equal(high["x"][:, 0] ** 5)


def test_edges_are_a_convolution_with_1_and_minus_1():
    rows = read(Edges()).train.tensors
    kernel = torch.tensor([[[[1.0, -1.0]]]])
    assert torch.nn.functional.conv2d(rows["image"], kernel).equal(rows["edge"])
    assert rows["image"][2, 0, 0].tolist() == [1, 1, 0, 0, 0, 0, 1, 1]
    assert rows["edge"][2, 0, 0].tolist() == [0, 1, 0, 0, 0, -1, 0]


def test_noise_has_every_byte_and_every_class():
    rows = read(Noise(shape=[3, 16, 16], classes=7, rows=100, seed=1)).train.tensors
    assert rows["image"].shape == (100, 3, 16, 16)
    assert torch.bincount(rows["image"].flatten().long(), minlength=256).min() > 0
    assert sorted(set(rows["label"].tolist())) == [*range(7)]
    assert not rows["image"].equal(read(Noise(shape=[3, 16, 16], classes=7, rows=100)).train.tensors["image"])
