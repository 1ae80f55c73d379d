"""Inputs and outputs beside tensors: lists, dictionaries, several at will, data classes, capital letters."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import netspec
from netspec import UsageError
from netspec.importer.capture.inputs import nested
from netspec.importer.examples import read_example
from netspec.importer.sources import import_source


@dataclass
class Made:
    """The outputs of a module."""

    first: torch.Tensor
    second: torch.Tensor | None = None


class Takes(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.Linear(4, 4)


class Words(Takes):
    def forward(self, batch):
        return {"sum": self.mix(batch["a"]) + batch["b"][0]}


class Lists(Takes):
    def forward(self, X, *, states: list, turns: int = 1):
        assert isinstance(states, list)
        for _ in range(turns):
            X = self.mix(X)
        return [X + states[0], states[1]]


class AtWill(Takes):
    def forward(self, *parts):
        return Made(sum(map(self.mix, parts)), parts[0])


class Own(Takes):
    def forward(self, x):
        return SimpleNamespace(made=self.mix(x))


class Packed(Takes):
    def forward(self, x, lengths):
        return nn.utils.rnn.pack_padded_sequence(self.mix(x), lengths, True, enforce_sorted=False).data


class Chooses(Takes):
    def forward(self, x):
        return self.mix(x) if x.sum() > 0 else x


class Grouped(Takes):
    def forward(self, x):
        weight = x[:, :1, None].expand(-1, 3, 2)
        return nn.functional.conv1d(x[None].repeat_interleave(3, 1), weight, groups=x.shape[0])


class Indexed(Takes):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(50, 4)

    def forward(self, ids):
        return self.table(ids)


ROWS = torch.randn(2, 4)
FORMS = {
    "a dictionary": (Words, {"batch": {"a": ROWS, "b": (ROWS,)}}, ["batch_a", "batch_b_0"], ["sum"]),
    "a list and a number": (
        Lists,
        {"X": ROWS, "states": [ROWS, ROWS], "turns": 2},
        ["X", "states_0", "states_1"],
        ["output_0", "output_1"],
    ),
    "as many as there are": (AtWill, {"parts": (ROWS, ROWS)}, ["parts_0", "parts_1"], ["first", "second"]),
}


@pytest.mark.parametrize("form", FORMS)
def test_inputs_of_all_kinds(form):
    kind, inputs, names, outputs = FORMS[form]
    spec = netspec.from_torch(kind(), inputs)
    assert spec.proof.holds
    assert [*spec.model.graph.inputs] == names
    assert [*spec.model.graph.outputs] == outputs
    assert all(str(value.shape[0]) == "N" for value in spec.model.graph.inputs.values())


@pytest.mark.parametrize(
    ("kind", "inputs", "message"),
    [
        (Own, {"x": ROWS}, "an object of a class of its own"),
        (Packed, {"x": torch.randn(2, 3, 4), "lengths": torch.tensor([3, 2])}, "give the padded batch to the layer"),
        (Grouped, {"x": ROWS}, "its `groups` is N, which must be a number: give its dimensions numbers"),
        (Indexed, {"ids": ROWS}, r"whole numbers is written `ids=\{shape: \[N, T\], below: 50\}`"),
        (Chooses, {"x": ROWS}, r"test_inputs.py:\d+: what it does depends on the values of a tensor"),
    ],
)
def test_a_refusal_says_what_to_do(kind, inputs, message):
    with pytest.raises(UsageError, match=message):
        netspec.from_torch(kind(), inputs)


def test_paths_become_lists_and_dictionaries():
    examples = [read_example(text) for text in ("batch.a=[N, 4]", "batch.b.0=[N, 4]", "turns={value: 2}")]
    made = nested({each.name: each.example({"N": 2}) for each in examples}, Words())
    assert made["batch"]["a"].shape == (2, 4)
    assert isinstance(made["batch"]["b"], tuple)
    assert made["turns"] == 2
    assert isinstance(nested({"states.0": 1}, Lists())["states"], list)


@pytest.mark.parametrize(
    ("paths", "message"),
    [(["x", "x.a"], "`x` is an input by itself"), (["x.0", "x.2"], "numbered x.0, x.1"), (["x.0", "x.a"], "numbered")],
)
def test_paths_that_do_not_fit(paths, message):
    with pytest.raises(UsageError, match=message):
        nested(dict.fromkeys(paths, 1), Words())


LIMITED = """
import torch
from torch import nn

class Limited(nn.Module):
    def __init__(self):
        super().__init__()
        self.places = nn.Parameter(torch.randn(16, 4))

    def forward(self, x):
        return x + self.places[:x.shape[1]]
"""


def test_a_size_that_is_the_limit_stays_symbolic(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "limited_net.py").write_text(LIMITED)
    spec = import_source("limited_net:Limited", inputs=["x=[N, T, 4]"])
    assert spec.proof.holds
    assert "inputs: {x: [N, T, 4]}" in spec.text
    assert "dims: {N: 1, T: 16}" in spec.text
