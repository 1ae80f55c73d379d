"""The names that constructors have for numbers, as parameters of what is written."""

from __future__ import annotations

from functools import partial

import torch
from torch import nn

import netspec
from netspec.importer.capture.constructors import named_numbers


def conv3x3(in_planes, out_planes, stride=1):
    return nn.Conv2d(in_planes, out_planes, 3, stride, 1)


class Unit(nn.Module):
    expansion = 2

    def __init__(self, inplanes, planes, stride=1, norm_layer=nn.BatchNorm2d):
        super().__init__()
        middle = planes // 2
        self.conv1 = conv3x3(inplanes, middle, stride)
        self.norm = norm_layer(middle)
        self.conv2 = conv3x3(middle, planes * self.expansion)

    def forward(self, x):
        return self.conv2(self.norm(self.conv1(x)).relu()).relu()


class Named(nn.Module):
    def __init__(self, widths=(4, 6, 6), depth=2, n_out=3, slope=0.3):
        super().__init__()
        self.slope = slope
        wide = [3, *(2 * width for width in widths)]
        self.units = nn.Sequential(*[Unit(wide[at], width, 1 + at % 2) for at, width in enumerate(widths)])
        self.more = nn.ModuleList([nn.Linear(12, 12) for _ in range(depth)])
        self.parts = nn.ModuleDict(dict(head=nn.Sequential(nn.Linear(12, n_out * 4), nn.Linear(n_out * 4, n_out))))

    def forward(self, x):
        x = self.units(x).mean((2, 3))
        for each in self.more:
            x = each(x)
        return self.parts["head"](nn.functional.leaky_relu(x, self.slope))


def test_the_text_of_a_constructor_tells_the_names_of_numbers():
    found = named_numbers(Named())
    assert {name: number.value for name, number in found["units.1"].items()} == {
        "inplanes": 8, "planes": 6, "stride": 2, "middle": 3,
    }  # fmt: skip
    assert not found["units.1"]["middle"].is_parameter
    assert found["units.1"]["planes"].words >= {"out_channels"}
    assert {name: number.value for name, number in found[""].items()} == {"slope": 0.3, "depth": 2, "n_out": 3}
    assert found[""]["depth"].words == {"count"}


def test_names_that_stand_for_several_numbers_are_none():
    class Both(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.first = nn.Linear(3, width)
            width = 5
            self.second = nn.Linear(3, width)

    assert named_numbers(Both(4)) == {}


def test_what_is_made_elsewhere_has_no_names():
    class Made(nn.Module):
        def __init__(self, kind, amount):
            super().__init__()
            self.one = self.make(amount)
            self.other = partial(kind, 3)(amount)

        def make(self, amount):
            return nn.Linear(2 * amount, 7)

    assert named_numbers(Made(nn.Linear, 5)) == {}


def test_a_block_has_the_parameters_of_its_class():
    spec = netspec.from_torch(Named().eval(), {"x": torch.randn(2, 3, 8, 8)})
    assert spec.proof.holds
    assert "params: {middle: int, stride: 1}" in spec.text
    assert "each: {middle: [2, 3, 3], stride: [1, 2, 1]}, body: [unit: {middle: middle, stride: stride}]" in spec.text
