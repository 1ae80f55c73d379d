"""Stochastic depth comes in from modules that show it in training alone, with their rates."""

from __future__ import annotations

import pytest
import torch
import vision_operators  # noqa: F401 (they stand in for torchvision's, where those do not load)
from torch import nn

import netspec
from netspec.importer.capture.stochastic_depth import DropRate, drop_rates

IMAGE = {"x": torch.randn(2, 4)}


class DropPath(nn.Module):
    """As timm has it, and with other random numbers as Hugging Face does."""

    def __init__(self, drop_prob: float, draws_uniform: bool = False):
        super().__init__()
        self.drop_prob, self.draws_uniform = drop_prob, draws_uniform

    def forward(self, x):
        if not self.drop_prob or not self.training:
            return x
        keep, shape = 1 - self.drop_prob, (x.shape[0],) + (1,) * (x.ndim - 1)
        if self.draws_uniform:
            return x.div(keep) * (keep + torch.rand(shape)).floor_()
        return x * x.new_empty(shape).bernoulli_(keep).div_(keep)


class Block(nn.Module):
    def __init__(self, drop: nn.Module):
        super().__init__()
        self.fc1, self.fc2, self.drop_path = nn.Linear(4, 8), nn.Linear(8, 4), drop

    def forward(self, x):
        return x + self.drop_path(self.fc2(self.fc1(x).relu()))


class Net(nn.Module):
    def __init__(self, *drops: nn.Module):
        super().__init__()
        self.blocks = nn.Sequential(*map(Block, drops))

    def forward(self, x):
        return self.blocks(x)


def test_rates_that_grow_from_block_to_block_are_one_formula():
    spec = netspec.from_torch(Net(nn.Identity(), *(DropPath(0.3 * at / 3) for at in (1, 2, 3))), IMAGE)
    assert "params: {layers: 4, drop_path: 0.3}" in spec.text
    assert "drop_path: drop_path * position / 3" in spec.text
    assert "repeat: {name: blocks, count: layers, index: i, body: [block: i]}" in spec.text
    assert spec.notes == []
    assert "in training at N=2 with the same random numbers, too" in spec.proof.text()
    assert spec.proof.worst == 0


def test_the_rate_at_the_end_is_the_round_number_that_its_author_chose():
    spec = netspec.from_torch(Net(*(DropPath(0.2 * at / 5) for at in (2, 3, 4))), IMAGE)
    assert "drop_path: 0.2}" in spec.text
    assert "drop_path: drop_path * position / 5" in spec.text


def test_rates_of_no_order_are_said_as_they_are():
    spec = netspec.from_torch(Net(*map(DropPath, (0.5, 0.5))), IMAGE)
    assert "drop_path: 0.5" in spec.text
    assert spec.proof.worst == 0
    spec = netspec.from_torch(Net(*map(DropPath, (0.5, 0.1234567, 0.3))), IMAGE)
    assert "0.1234567" in spec.text
    assert spec.proof.worst == 0


def test_other_random_numbers_tell_nothing_of_training():
    spec = netspec.from_torch(Net(DropPath(0.5, draws_uniform=True)), IMAGE)
    assert "drop_path: 0.5" in spec.text
    assert spec.proof.holds
    assert spec.proof.refused == ["in training: it draws random numbers, in another order"]


@pytest.mark.parametrize("mode", ["row", "batch"])
def test_torchvisions_is_known_by_what_it_does(mode: str):
    ops = pytest.importorskip("torchvision").ops
    net = nn.Sequential(nn.Linear(4, 4), ops.StochasticDepth(0.25, mode))
    assert drop_rates(net) == {"1": DropRate(0.25, mode)}
    spec = netspec.from_torch(net, {"input": torch.randn(2, 4)})
    said = "- stochastic_depth: 0.25" if mode == "row" else "- stochastic_depth: {p: 0.25, mode: batch}"
    assert said in spec.text
    assert spec.proof.worst == 0
    assert "in training" in spec.proof.text()


class DropRows(DropPath):
    def forward(self, x):
        return x * x.new_empty(len(x), 1).bernoulli_(0.5) if self.training else x


class DropElements(DropPath):
    def forward(self, x):
        return nn.functional.dropout(x, self.drop_prob, self.training)


class DropAlways(DropPath):
    def forward(self, x):
        return x * x.new_empty((len(x), *(1 for _ in x.shape[1:]))).bernoulli_(0.5).mul_(2)


@pytest.mark.parametrize("kind", [DropRows, DropElements, DropAlways])
def test_what_only_has_such_a_name_is_no_stochastic_depth(kind: type[DropPath]):
    assert drop_rates(Net(kind(0.5), nn.Dropout(0.5))) == {}


def test_a_module_is_as_it_was_afterwards():
    net = Net(DropPath(0.5)).train()
    state = torch.random.get_rng_state()
    netspec.from_torch(net, IMAGE, verify=False)
    assert "forward" not in vars(net.blocks[0].drop_path)
    assert all(each.training for each in net.modules())
    assert torch.equal(state, torch.random.get_rng_state())
