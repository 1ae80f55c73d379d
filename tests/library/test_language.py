"""The library's blocks of language models against transformers: the same keys, the same numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from library.one_step import check_against, model, onnx_agrees, same
from torch import Tensor, nn
from zoo.language import randomised, transformers

import netspec

ROPE = {"rope_theta": 50.0, "rope_type": "default"}
CACHED = """\
netspec: 1
name: net
dims: {P: {default: 3, min: 0}}
inputs:
  x: [N, T, 8]
  k: {shape: [N, 2, P, 2], optional: true}
  v: {shape: [N, 2, P, 2], optional: true}
network:
  - arange: {name: at, start: P, end: P + T, like: x}
  - grouped_query_attention:
      {name: it, input: x, positions: at, past_key: k, past_value: v, cached: true, num_heads: 4, num_kv_heads: 2}
outputs: {y: it, keys: it.keys, values: it.values}
"""


def attention_of(kind: str, **options: Any) -> tuple[nn.Module, Any]:
    """Return a network of theirs with one layer, and its attention to what a sequence has before each place."""
    sizes = {"hidden_size": 8, "intermediate_size": 12, "num_hidden_layers": 1, "vocab_size": 3}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2}
    whole: Any = randomised(
        getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**sizes, **heads, **options))
    )
    attention = whole.layers[0].self_attn

    def run(x: Tensor) -> Tensor:
        turned = whole.rotary_emb(x, torch.arange(x.shape[1])[None])
        ahead = torch.full((x.shape[1], x.shape[1]), -torch.inf).triu(1)
        made: Tensor = attention(x, turned, ahead[None, None])[0]
        return made

    return attention, run


@pytest.mark.parametrize(
    ("kind", "options", "step"),
    [
        ("Llama", {"attention_bias": True, "rope_parameters": ROPE}, "bias: true, base: 50.0"),
        ("Qwen2", {}, "bias: true, out_bias: false"),
        ("Qwen3", {"head_dim": 6}, "head_dim: 6, qk_norm: true"),
    ],
)
def test_grouped_query_attention_is_theirs(kind: str, options: dict[str, Any], step: str, tmp_path: Path) -> None:
    theirs, run = attention_of(kind, **options)
    ours = model(tmp_path, f"grouped_query_attention: {{num_heads: 4, num_kv_heads: 2, {step}}}", "x")
    module = ours.module().eval()
    module.get_submodule("it").load_state_dict(theirs.state_dict(), strict=True)
    same(module, run, ("x",))
    onnx_agrees(ours, module, tmp_path)


def test_keys_and_values_of_places_before_come_first(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(CACHED)
    module = netspec.load(path).module().eval()
    x = torch.randn(2, 7, 8)
    with torch.no_grad():
        whole, cache, made = module(x), (None, None), []
        for piece in x.split((4, 1, 2), dim=1):
            got = module(piece, *cache)
            made.append(got["y"])
            cache = got["keys"], got["values"]
    torch.testing.assert_close(torch.cat(made, dim=1), whole["y"])
    torch.testing.assert_close(cache, (whole["keys"], whole["values"]))


def test_swiglu_is_theirs(tmp_path: Path) -> None:
    kind = transformers.models.llama.modeling_llama.LlamaMLP
    theirs = kind(transformers.LlamaConfig(hidden_size=8, num_attention_heads=4, intermediate_size=12, mlp_bias=True))
    check_against(randomised(theirs), "swiglu: {hidden: 12, bias: true}", "x", tmp_path)


SCAN = """\
netspec: 1
name: net
inputs:
  x: [N, T, 3]
  delta: {shape: [N, T, 3], range: [0, 1]}
  a: {shape: [3, 2], range: [-2, 0]}
  b: [N, T, 2]
  c: [N, T, 2]
  d: [3]
network:
  - selective_scan: {input: x, delta: delta, A: a, B: b, C: c, D: d}
"""


def test_selective_scan_is_algorithm_2(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SCAN)
    model = netspec.load(path)
    module = model.module()
    x, delta, a, b, c, d = (torch.randn(shape) for shape in ((2, 5, 3), (2, 5, 3), (3, 2), (2, 5, 2), (2, 5, 2), (3,)))
    state, made = torch.zeros(2, 3, 2), []
    for at in range(5):
        decay = torch.exp(delta[:, at, :, None] * a)
        state = decay * state + delta[:, at, :, None] * b[:, at, None] * x[:, at, :, None]
        made.append((state * c[:, at, None]).sum(2) + d * x[:, at])
    torch.testing.assert_close(module(x, delta, a, b, c, d), torch.stack(made, dim=1), rtol=1e-5, atol=1e-5)
    onnx_agrees(model, module, tmp_path)
