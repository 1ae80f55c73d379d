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


class Words(nn.Module):
    """A language model whose class names all that it is made of."""

    def __init__(self, vocab_size=50, n_embd=24, n_head=3, n_layer=2, block_size=17, dropout=0.2):
        super().__init__()
        self.n_head = n_head
        self.words = nn.Embedding(vocab_size, n_embd)
        self.places = nn.Embedding(block_size, n_embd)
        self.layers = nn.ModuleList([Layer(n_embd, n_head, dropout) for _ in range(n_layer)])
        self.head = nn.Linear(n_embd, vocab_size)

    def forward(self, ids):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1]))
        for layer in self.layers:
            x = layer(x)
        return self.head(x)


class Layer(nn.Module):
    def __init__(self, n_embd, n_head, dropout):
        super().__init__()
        self.n_head = n_head
        self.mix = nn.Linear(n_embd, 3 * n_embd)
        self.out = nn.Linear(n_embd, n_embd)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        count, length, width = x.shape
        parts = self.mix(x).split(width, 2)
        query, key, value = (each.view(count, length, self.n_head, -1).transpose(1, 2) for each in parts)
        scores = (query @ key.transpose(-2, -1) * key.shape[-1] ** -0.5).softmax(-1) * 2
        return x + self.dropout(self.out((scores @ value).transpose(1, 2).reshape(count, length, width)))


class Fixed(nn.Module):
    """A module whose width cannot change, as its class says of only one of its layers."""

    def __init__(self, width=32):
        super().__init__()
        self.first = nn.Linear(3, width)
        self.gain = nn.Parameter(torch.ones(8, 2))

    def forward(self, x):
        return self.first(x).view(-1, 4, 8) @ self.gain


def test_what_the_network_s_class_names_is_a_parameter_of_the_spec(tmp_path):
    ids = torch.randint(0, 50, (2, 9))
    spec = netspec.from_torch(Words().eval(), {"ids": ids}, {"ids": {0: "N", 1: "T"}})
    assert spec.proof.holds
    assert "params: {vocab_size: 50, n_embd: 24, n_head: 3, n_layer: 2, block_size: 17, dropout: 0.2}" in spec.text, (
        spec.text
    )
    assert "unflattened_size: [n_head, -1]" in spec.text
    assert "scale: (n_embd // n_head) ** -0.5" in spec.text
    other = Words(n_embd=48, n_layer=3).eval()
    wider = netspec.load(spec.write(tmp_path / "wider.yaml"), n_embd=48, n_layer=3).module()
    wider.load_state_dict(other.state_dict())
    assert torch.allclose(wider.eval()(ids), other(ids), atol=1e-5)


def test_a_number_that_can_have_no_other_value_is_no_parameter():
    spec = netspec.from_torch(Fixed(), {"x": torch.randn(2, 3)})
    assert spec.proof.holds
    assert "params:" not in spec.text.partition("expect")[0]


def test_a_block_has_the_parameters_of_its_class():
    spec = netspec.from_torch(Named().eval(), {"x": torch.randn(2, 3, 8, 8)})
    assert spec.proof.holds
    assert "params: {middle: int, stride: 1}" in spec.text
    assert "each: {middle: [2, 3, 3], stride: [1, 2, 1]}, body: [unit: {middle: middle, stride: stride}]" in spec.text


class Rung(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.conv = nn.Conv2d(cin, cout, 3, stride, 1)
        self.norm = nn.BatchNorm2d(cout)

    def forward(self, x):
        return self.norm(self.conv(x)).relu()


class Pyramid(nn.Module):
    def __init__(self, width=16):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3)
        self.units = nn.Sequential(Rung(width, width, 1), Rung(width, 2 * width, 2), Rung(2 * width, 4 * width, 1))

    def forward(self, x):
        return self.units(self.stem(x))


def test_widths_of_a_loop_are_multiples_of_the_network_s(tmp_path):
    spec = netspec.from_torch(Pyramid(), {"x": torch.randn(2, 3, 16, 16)})
    assert "cout: [width, 2 * width, 4 * width]" in spec.text
    wider = netspec.load(spec.write(tmp_path / "wider.yaml"), width=32).module()
    wider.load_state_dict(Pyramid(width=32).state_dict(), strict=True)
