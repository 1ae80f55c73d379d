"""Networks written as Hugging Face writes them: caches, lists of layers in an encoder, layers that are called again."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

import netspec

IDS = torch.randint(0, 11, (2, 5))
N_T = {"input_ids": {0: "N", 1: "T"}}


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = nn.Linear(8, 8)
        self.LayerNorm = nn.LayerNorm(8, eps=1e-12)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.LayerNorm(self.dense(x) + x)


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.ModuleList([Layer() for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for each in self.layer:
            x = each(x)
        return x


class Cache:
    """No container that torch knows: what has it as an output cannot be exported."""


class Model(nn.Module):
    """A model that gives a cache beside its states, unless its configuration says otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(use_cache=True)
        self.embeddings = nn.Embedding(11, 8)
        self.encoder = Encoder()

    def forward(self, input_ids: torch.Tensor) -> dict[str, object]:
        states = self.encoder(self.embeddings(input_ids))
        return {"states": states, **({"cache": Cache()} if self.config.use_cache else {})}


class Ones(nn.Module):
    """A mask of ones that hides nothing, made of an input's size, behind one of truth values."""

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        shown = torch.ones(input_ids.shape, dtype=torch.bool)
        weights = torch.full((input_ids.shape[1], 1), 0.5)
        return weights * shown.cumsum(-1)[:, :, None]


class Gated(nn.Module):
    """A layer that reads what it is given twice, of which no residual is made."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.dense = nn.Linear(8, 8), nn.Linear(8, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.gate(x).sigmoid(), self.dense(x), x]).amax(0)


class Again(nn.Module):
    """One layer of a list, called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(11, 8)
        self.layers = nn.ModuleList([Gated()])

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        x = self.embeddings(input_ids)
        for _ in range(2):
            x = self.layers[0](x)
        return x


class Biased(nn.Module):
    """A layer that makes a bias, or reads the first layer's, as T5's do; behind a mask that hides nothing."""

    def __init__(self, first: bool) -> None:
        super().__init__()
        self.dense, self.bias = nn.Linear(8, 8), nn.Linear(8, 8) if first else None

    def forward(self, x: torch.Tensor, bias: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        bias = self.bias(x).tanh() * 2 if bias is None else bias
        bias = bias.masked_fill(~torch.ones(x.shape[:2], dtype=torch.bool)[:, :, None], -9.0)
        return (self.dense(x) + bias * x.sum()).relu(), bias


class SharedBias(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embeddings = nn.Embedding(11, 8)
        self.block = nn.ModuleList([Biased(at == 0) for at in range(2)])

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
        x, bias = self.embeddings(input_ids), None
        for each in self.block:
            x, bias = each(x, bias)
        return x


def test_what_one_layer_makes_beside_its_result_is_read_by_others():
    spec = netspec.from_torch(SharedBias(), {"input_ids": IDS}, N_T)
    assert spec.proof.holds, spec.text
    assert "masked_fill" not in spec.text


def test_a_list_of_layers_stays_a_level_inside_its_encoder_and_no_cache_is_kept():
    module = Model()
    spec = netspec.from_torch(module, {"input_ids": IDS}, N_T)
    assert spec.proof.holds
    assert spec.proof.left_out == []
    assert "repeat: {name: layer, count: 3" in spec.text
    assert module.config.use_cache


@pytest.mark.parametrize("kind", [Ones, Again])
def test_it_computes_the_same(kind):
    spec = netspec.from_torch(kind(), {"input_ids": IDS}, N_T)
    assert spec.proof.holds, spec.text
