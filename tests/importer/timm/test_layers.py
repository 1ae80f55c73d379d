"""The layers that timm's networks are made of, by hand: each comes in with its keys and computes the same."""

from __future__ import annotations

import inspect
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

import netspec


def imported(module: nn.Module, *shape: int) -> netspec.ImportedSpec:
    """Import a module that takes one tensor, and check that it computes the same."""
    with torch.no_grad():
        for each in [*module.parameters(), *(buffer for name, buffer in module.named_buffers() if "mean" in name)]:
            each.add_(torch.randn(each.shape) / 3)
    name = next(iter(inspect.signature(module.forward).parameters))
    spec = netspec.from_torch(module.eval(), {name: torch.randn(shape)}, {name: {0: "N"}})
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


class StandardisedConv(nn.Conv2d):
    """A convolution with a standardised and scaled weight: timm's ``ScaledStdConv2d``."""

    def __init__(self):
        super().__init__(3, 4, 3, padding=1, groups=1)
        self.gain = nn.Parameter(torch.ones(4, 1, 1, 1))

    def forward(self, x):
        rows = self.weight.reshape(1, self.out_channels, -1)
        weight = F.batch_norm(rows, None, None, weight=(self.gain * 0.5).view(-1), training=True, momentum=0.0)
        return F.conv2d(x, weight.reshape_as(self.weight), self.bias, self.stride, self.padding)


class Blur(nn.Module):
    """A fixed filter that is no part of the ``state_dict``: timm's ``BlurPool2d``."""

    def __init__(self):
        super().__init__()
        self.conv = StandardisedConv()
        row = torch.tensor([0.25, 0.5, 0.25])
        self.register_buffer("filter", (row[:, None] * row)[None, None], persistent=False)

    def forward(self, x):
        x = F.pad(self.conv(x), (1, 1, 1, 1), mode="reflect")
        return F.conv2d(x, self.filter.expand(4, -1, -1, -1), stride=2, groups=4)


def test_convolutions_by_weights_that_other_steps_make_and_by_fixed_ones():
    text = imported(Blur(), 2, 3, 6, 6).text
    assert text.count("filter2d") == 2


class NormBefore(nn.LayerNorm):
    """A normalisation that gives its output in another layout."""

    def forward(self, x):
        return super().forward(x).permute(0, 3, 1, 2)


def test_a_normalisation_with_steps_after_it():
    spec = imported(nn.Sequential(OrderedDict(norm1=NormBefore(3), conv=nn.Conv2d(3, 2, 1))), 2, 4, 4, 3)
    assert "- layer_norm: {name: norm1}" in spec.text


def test_a_normalisation_that_holds_its_activation():
    spec = imported(ConvNormAct(), 2, 3, 4, 4)
    assert "- batch_norm2d: {name: bn}\n  - silu\n" in spec.text
