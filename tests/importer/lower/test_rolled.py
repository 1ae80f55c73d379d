"""Loops in Python, which torch.export unrolls: they come back as scans, of any length where that may be symbolic."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import netspec
from netspec.importer.imported import ImportedSpec


class Rnn(nn.Module):
    """A recurrent network from scratch, as in many a notebook."""

    def __init__(self):
        super().__init__()
        self.i2h, self.h2h, self.h2o = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def step(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.tanh(self.i2h(x) + self.h2h(h))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h, outputs = torch.zeros(x.size(0), 8), []
        for t in range(x.size(1)):
            h = self.step(x[:, t, :], h)
            outputs.append(self.h2o(h))
        return torch.stack(outputs, dim=1), h


class Last(Rnn):
    def forward(self, x: Tensor) -> Tensor:
        h = torch.zeros(x.size(0), 8)
        for t in range(x.size(1)):
            h = self.step(x[:, t], h)
        return self.h2o(h)


class TimeFirst(Rnn):
    def forward(self, x: Tensor) -> Tensor:
        h, outputs = torch.zeros(x.size(1), 8), []
        for x_t in x:
            h = self.step(x_t, h)
            outputs.append(h)
        return self.h2o(torch.stack(outputs))


class Overwriting(Rnn):
    def forward(self, x: Tensor) -> Tensor:
        h, outputs = torch.zeros(x.size(0), 8), torch.zeros(x.size(0), x.size(1), 8)
        for t in range(x.size(1)):
            h = self.step(x[:, t], h)
            outputs[:, t] = h
        return outputs


class BothWays(nn.Module):
    def __init__(self):
        super().__init__()
        self.there, self.back = nn.GRUCell(6, 8), nn.GRUCell(6, 8)

    def forward(self, x: Tensor) -> Tensor:
        h = g = x.new_zeros(x.size(0), 8)
        there, back = [], []
        for t in range(x.size(1)):
            h = self.there(x[:, t], h)
            there.append(h.unsqueeze(1))
        for t in reversed(range(x.size(1))):
            g = self.back(x[:, t], g)
            back.insert(0, g)
        return torch.cat([torch.cat(there, 1), torch.stack(back, 1)], -1)


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.W, self.U = nn.Linear(6, 32), nn.Linear(8, 32, bias=False)

    def forward(self, x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = (self.W(x) + self.U(h)).chunk(4, -1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(c), c


class Lstm(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.fc = Cell(), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        h, c, outputs = x.new_zeros(x.size(0), 8), x.new_zeros(x.size(0), 8), []
        for x_t in x.unbind(1):
            h, c = self.cell(x_t, h, c)
            outputs.append(h)
        return self.fc(torch.stack(outputs, 1))


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells = nn.ModuleList([nn.GRUCell(6, 8), nn.GRUCell(8, 8)])

    def forward(self, x: Tensor) -> Tensor:
        states, outputs = [torch.zeros(x.size(0), 8) for _ in self.cells], []
        for t in range(x.size(1)):
            y = x[:, t]
            for k, cell in enumerate(self.cells):
                y = states[k] = cell(y, states[k])
            outputs.append(y)
        return torch.stack(outputs, 1)


class Forced(nn.Module):
    """A decoder that reads all words but the last, and looks at what is given."""

    def __init__(self):
        super().__init__()
        self.words, self.cell, self.out = nn.Embedding(13, 6), nn.GRUCell(14, 8), nn.Linear(8, 13)

    def forward(self, source: Tensor, ids: Tensor) -> Tensor:
        h, logits = source.mean(1), []
        for t in range(ids.size(1) - 1):
            weights = torch.softmax(torch.bmm(source, h.unsqueeze(2)).squeeze(2), -1)
            context = torch.bmm(weights.unsqueeze(1), source).squeeze(1)
            h = self.cell(torch.cat([self.words(ids[:, t]), context], -1), h)
            logits.append(self.out(h))
        return torch.stack(logits, dim=1)


class Greedy(nn.Module):
    """A decoder that feeds itself, for a fixed number of words."""

    def __init__(self):
        super().__init__()
        self.words, self.cell, self.out = nn.Embedding(13, 8), nn.GRUCell(8, 8), nn.Linear(8, 13)

    def forward(self, h: Tensor) -> Tensor:
        word, logits = torch.zeros(h.size(0), dtype=torch.long), []
        for _ in range(6):
            h = self.cell(self.words(word), h)
            logits.append(self.out(h))
            word = logits[-1].argmax(-1)
        return torch.stack(logits, 1)


class Euler(nn.Module):
    """A differential equation in fixed steps, whose path is kept with its start."""

    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))

    def forward(self, y: Tensor) -> Tensor:
        path = [y]
        for _ in range(8):
            y = y + 0.125 * self.f(y)
            path.append(y)
        return torch.stack(path, 1)


def imported(module: nn.Module, dynamic: dict[str, dict[int, str]], **inputs: Tensor) -> ImportedSpec:
    torch.manual_seed(0)
    spec = netspec.from_torch(module, inputs, dynamic)
    assert spec.proof is not None
    assert spec.proof.holds, spec.text
    return spec


SEQUENCE = {"x": {0: "N", 1: "T"}}


slow = pytest.mark.slow


@pytest.mark.parametrize(
    ("make", "scans"),
    [
        (Rnn, 1),
        (Lstm, 1),
        pytest.param(Last, 1, marks=slow),
        pytest.param(Overwriting, 1, marks=slow),
        pytest.param(Layers, 1, marks=slow),
        pytest.param(BothWays, 2, marks=slow),
    ],
)
def test_a_loop_over_a_sequence_is_a_scan_of_any_length(make: Callable[[], nn.Module], scans: int) -> None:
    spec = imported(make(), SEQUENCE, x=torch.randn(2, 4, 6))
    assert spec.text.count("- scan:") == scans
    assert "inputs: {x: [N, T, 6]}" in spec.text
    assert spec.text.count("reverse: true") == scans - 1


@slow
def test_time_may_come_first() -> None:
    spec = imported(TimeFirst(), {"x": {0: "T", 1: "N"}}, x=torch.randn(4, 2, 6))
    assert "inputs: {x: [T, N, 6]}" in spec.text
    assert spec.text.count("- scan:") == 1


def test_a_loop_may_leave_out_the_last_step() -> None:
    dynamic = {"source": {0: "N", 1: "S"}, "ids": {0: "N", 1: "T"}}
    spec = imported(Forced(), dynamic, source=torch.randn(2, 5, 8), ids=torch.randint(0, 13, (2, 7)))
    assert "slice: {from: ids, dim: 1, end: -1}" in spec.text
    assert "[N, T]" in spec.text


@pytest.mark.parametrize(("make", "name", "width"), [(Greedy, "h", 8), (Euler, "y", 4)])
def test_a_loop_over_nothing_counts(make: Callable[[], nn.Module], name: str, width: int) -> None:
    spec = imported(make(), {name: {0: "N"}}, **{name: torch.randn(2, width)})
    assert "over: {step: prev}" in spec.text


def test_a_length_that_is_not_symbolic_stays_fixed() -> None:
    spec = imported(Rnn(), {"x": {0: "N"}}, x=torch.randn(2, 4, 6))
    assert "inputs: {x: [N, 4, 6]}" in spec.text
    assert spec.text.count("- scan:") == 1


def test_layers_with_weights_of_their_own_are_no_loop() -> None:
    module = nn.Sequential(*(nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for _ in range(5)))
    assert "scan" not in imported(module, {"input": {0: "N"}}, input=torch.randn(2, 4)).text


class Crf(nn.Module):
    """A conditional random field, whose loop reads a weight that is read behind it, too."""

    def __init__(self):
        super().__init__()
        self.transitions = nn.Parameter(torch.randn(6, 6))

    def forward(self, x: Tensor) -> Tensor:
        alpha = x[:, 0]
        for t in range(1, x.size(1)):
            alpha = torch.logsumexp(alpha.unsqueeze(2) + self.transitions + x[:, t].unsqueeze(1), 1)
        return alpha - self.transitions.sum(0)


def test_a_weight_that_a_loop_reads_may_be_read_behind_it() -> None:
    spec = imported(Crf(), {"x": {0: "N"}}, x=torch.randn(2, 5, 6))
    assert spec.text.count("- parameter:") == 1
    assert spec.text.count("- scan:") == 1


class Branching(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))


def test_control_flow_of_torch_is_told_with_what_may_stand_in_its_place() -> None:
    with pytest.raises(netspec.UsageError, match=r"`cond` chooses a branch .* choose it in Python"):
        netspec.from_torch(Branching(), {"x": torch.randn(2, 3)})
