"""The layers that timm's networks are made of, by hand: each comes in with its keys and computes the same."""

from __future__ import annotations

import torch
from torch import nn

import netspec


def imported(module: nn.Module, *shape: int) -> netspec.ImportedSpec:
    """Import a module that takes one tensor, and hold that it computes the same."""
    with torch.no_grad():
        for each in [*module.parameters(), *(buffer for name, buffer in module.named_buffers() if "mean" in name)]:
            each.add_(torch.randn(each.shape) / 3)
    spec = netspec.from_torch(module.eval(), {"x": torch.randn(shape)}, {"x": {0: "N"}})
    assert spec.proof is not None
    assert spec.proof.holds, (spec.proof, spec.text)
    return spec


class NormAct(nn.BatchNorm2d):
    """A normalisation that holds its activation: timm's ``BatchNormAct2d``."""

    def __init__(self, channels: int):
        super().__init__(channels)
        self.act = nn.Sequential(nn.Identity(), nn.SiLU())

    def forward(self, x):
        return self.act(super().forward(x))


class ConvNormAct(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1, bias=False)
        self.bn = NormAct(4)

    def forward(self, x):
        return self.bn(self.conv(x))


def test_a_normalisation_that_holds_its_activation():
    spec = imported(ConvNormAct(), 2, 3, 4, 4)
    assert "- batch_norm2d: {name: bn}\n  - silu\n" in spec.text
