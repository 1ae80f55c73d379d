"""WaveNet against code written by hand from the paper: keys, values, gradients, and what a prediction sees."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo.vision import difference, randomised

import netspec
from netspec.runtime.onnx.verify import compare_onnx, export_verified

SIZES = {"levels": 16, "width": 4, "skip": 6, "depth": 3, "stacks": 2}


class Causal(nn.Module):
    def __init__(self, before: int, width: int, dilation: int = 1):
        super().__init__()
        self.conv = nn.Conv1d(before, width, 2, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.conv(F.pad(x, (self.conv.dilation[0], 0)))
        return made


class Layer(nn.Module):
    def __init__(self, dilation: int, last: bool):
        super().__init__()
        self.filter, self.gate = Causal(4, 4, dilation), Causal(4, 4, dilation)
        self.skip, self.residual = nn.Conv1d(4, 6, 1), None if last else nn.Conv1d(4, 4, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        z = self.filter(x).tanh() * self.gate(x).sigmoid()
        return x if self.residual is None else x + self.residual(z), self.skip(z)


class WaveNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = Causal(16, 4)
        self.layers = nn.ModuleList(Layer(2 ** (at % 3), at == 5) for at in range(6))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv1d(6, 6, 1), nn.ReLU(), nn.Conv1d(6, 16, 1))

    def forward(self, samples: Tensor) -> Tensor:
        x, total = self.first(F.one_hot(samples, 16).float().transpose(1, 2)), torch.tensor(0.0)
        for layer in self.layers:
            x, skip = layer(x)
            total = total + skip
        made: Tensor = self.head(total).transpose(1, 2)
        return made


def samples(*shape: int) -> Tensor:
    return torch.randint(16, shape, generator=torch.Generator().manual_seed(0))


def test_it_computes_what_the_code_does() -> None:
    theirs = randomised(WaveNet())
    ours = netspec.load("wavenet", **SIZES).module()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    given = samples(2, 21)
    want, got = theirs(given), ours(given)
    assert difference(want, got) < 1e-5
    for each in (want, got):
        F.cross_entropy(each[:, :-1].flatten(0, 1), given[:, 1:].flatten()).backward()
    for key, parameter in theirs.named_parameters():
        assert difference(parameter.grad, ours.get_parameter(key).grad) < 1e-4, key


def test_a_prediction_sees_the_samples_of_the_receptive_field_alone() -> None:
    ours = randomised(netspec.load("wavenet", **SIZES).module()).eval()
    given, seen = samples(1, 40), 2 * (1 + 2 + 4) + 2
    with torch.no_grad():
        want = ours(given)
        for at in range(40):
            other = given.clone()
            other[0, at] = (other[0, at] + 1) % 16
            changed = (ours(other) != want).any(dim=2)[0].nonzero().flatten().tolist()
            assert {at, min(at + seen - 1, 39)} <= {*changed}
            assert all(at <= each < at + seen for each in changed)


def test_onnx_agrees_at_any_length(tmp_path: Path) -> None:
    model = netspec.load("wavenet", **SIZES)
    module = randomised(model.module()).eval()
    path, parity = export_verified(model.graph, module, tmp_path / "wavenet.onnx")
    assert parity.agrees
    assert compare_onnx(model.graph, module, path, [{"N": 1, "T": 1}, {"N": 3, "T": 17}]).agrees
