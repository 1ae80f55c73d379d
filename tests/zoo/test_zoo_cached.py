"""Llama with a cache, against transformers with ``past_key_values``: the prompt, and tokens after it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from zoo import language

import netspec
from netspec.runtime.onnx.verify import export_verified

OURS = {"vocab": 83, "context": 32, "width": 48, "heads": 6, "groups": 2, "layers": 2, "hidden": 64}
THEIRS = {
    "vocab_size": 83,
    "max_position_embeddings": 32,
    "hidden_size": 48,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "num_hidden_layers": 2,
    "intermediate_size": 64,
}
IDS = torch.randint(0, 83, (2, 11), generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def model() -> netspec.Model:
    return netspec.load("llama_cached", **OURS)


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    return language.randomised(language.llama(**THEIRS))


@pytest.fixture(scope="module")
def module(model: netspec.Model, theirs: nn.Module) -> nn.Module:
    made = model.module().eval()
    made.load_state_dict(theirs.state_dict(), strict=True)
    return made


def same(want: Tensor, got: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pieces", [(11,), (7, 1, 1, 1, 1), (1, 4, 6)], ids=str)
def test_logits_and_caches_are_theirs(module: nn.Module, theirs: Any, pieces: tuple[int, ...]) -> None:
    past, cache = None, (None, None)
    with torch.no_grad():
        for ids in IDS.split(pieces, dim=1):
            want = theirs(ids, past_key_values=past, use_cache=True)
            got = module(ids, *cache)
            past, cache = want.past_key_values, (got["keys"], got["values"])
            same(want.logits, got["logits"])
            for layer, keys, values in zip(past.layers, *cache):
                same(layer.keys, keys)
                same(layer.values, values)


def test_onnxruntime_agrees_with_an_empty_cache_too(model: netspec.Model, module: nn.Module, tmp_path: Path) -> None:
    _, parity = export_verified(model.graph, module, tmp_path / "cached.onnx")
    assert parity.agrees
    assert 0 in {each.sizes["P"] for each in parity.comparisons}
