"""The proof of an import: both run on the same inputs, in training too, with the same random numbers."""

from __future__ import annotations

import torch
from torch import nn

import netspec
from netspec.importer.fold import fold
from netspec.importer.lower import lower


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


class Repeated(nn.Module):
    """Does the same several times, which is a scan."""

    def __init__(self):
        super().__init__()
        self.cell = nn.Linear(3, 3)

    def forward(self, x):
        states = []
        for _ in range(4):
            x = self.cell(x).tanh()
            states.append(x)
        return torch.stack(states, 1)


def test_a_loop_that_computes_something_else_is_written_out(monkeypatch):
    from netspec.importer.program import SCAN_END

    for fault in ("wrong", "open"):

        def mistaken(program, rolls=True, fault=fault):
            made = lower(program, rolls)
            for step in made.steps:
                if rolls and step.op == SCAN_END and fault == "wrong":
                    step.loop.reverse = True
                    step.reading = step.reading._replace(inputs=(step.reading.inputs[1], *step.reading.inputs[1:]))
            made.steps.sort(key=lambda step: rolls and fault == "open" and step.op == "linear")
            return made

        monkeypatch.setattr("netspec.importer.convert.lower", mistaken)
        spec = netspec.from_torch(Repeated(), {"x": torch.randn(2, 3)})
        assert spec.proof.holds
        assert "- scan:" not in spec.text


def test_an_exported_program_and_a_file_fall_back_too(monkeypatch, tmp_path):
    def mistaken(levels):
        phrases = fold(levels)
        phrases.body[-1].word = "relu"  # in place of sigmoid
        return phrases

    monkeypatch.setattr("netspec.importer.convert.fold", mistaken)
    module = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid()).eval()
    exported = torch.export.export(module, (torch.randn(2, 3),))
    netspec.from_torch(module, {"input": torch.randn(2, 3)}).model.export(tmp_path / "net.onnx")
    for spec in (netspec.from_exported(exported), netspec.from_onnx(tmp_path / "net.onnx")):
        assert spec.proof.holds
        assert "sigmoid" in spec.text
        assert "it would compute something else" in spec.notes[0]


def test_a_head_of_zeros_hides_no_difference(monkeypatch):
    """Its outputs are 0, whatever is below it: for the comparison it is drawn."""

    def mistaken(levels):
        phrases = fold(levels)
        phrases.body[1].word = "relu"  # in place of sigmoid
        return phrases

    module = nn.Sequential(nn.Linear(3, 3), nn.Sigmoid(), nn.Linear(3, 2)).eval()
    for each in module[2].parameters():
        nn.init.zeros_(each)
    monkeypatch.setattr("netspec.importer.convert.fold", mistaken)
    exported = torch.export.export(module, (torch.randn(2, 3),))
    for spec in (netspec.from_torch(module, {"input": torch.randn(2, 3)}), netspec.from_exported(exported)):
        assert spec.proof.holds
        assert "sigmoid" in spec.text
        assert not module[2].weight.any()
        assert not spec.weights["2.weight"].any()


def test_outputs_that_tell_nothing_are_told(tmp_path):
    class Nothing(nn.Module):
        def forward(self, x):
            return x * 0.0

    assert "one number throughout" in netspec.from_torch(Nothing(), {"x": torch.randn(2, 3)}).notes[0]
