"""The proof of an import: both run on the same inputs, in training too, with the same random numbers."""

from __future__ import annotations

import torch
from torch import nn

import netspec


class Sampled(nn.Module):
    """Draws what it passes on, as variational autoencoders do."""

    def __init__(self):
        super().__init__()
        self.mean, self.spread = nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x):
        mean = self.mean(x)
        return mean + torch.randn_like(mean) * self.spread(x).exp()


class Noisy(nn.Module):
    """Has a weight that training alone reads."""

    def __init__(self, chance: bool):
        super().__init__()
        self.chance, self.scale = chance, nn.Parameter(torch.full((4,), 2.0))

    def forward(self, x):
        if self.training:
            return x * self.scale + (torch.rand(1) if self.chance else 0)
        return x


def test_random_numbers_are_the_same_on_both_sides():
    spec = netspec.from_torch(Sampled(), {"x": torch.randn(2, 4)})
    assert spec.proof.holds
    assert "- noise" in spec.text
    assert [trial.training for trial in spec.proof.trials] == [False, True, False, False]


def test_dropout_is_compared_in_training():
    spec = netspec.from_torch(nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5)), {"input": torch.randn(2, 4)})
    assert spec.proof.holds
    assert "in training" in spec.proof.text()


def test_a_difference_in_training_alone_is_told():
    for chance, told in ((True, "draws random numbers"), (False, "computes something else")):
        spec = netspec.from_torch(Noisy(chance), {"x": torch.randn(2, 4)})
        assert spec.proof.holds
        assert told in spec.proof.refused[0]
