"""Weights with their changes of low rank in them compute what the steps beside them do."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from netspec.diagnostics import Source
from netspec.graph import Graph
from netspec.pipeline import compile_loaded, load_source, read_value
from netspec.runtime.module import build_module, merged, merged_weights

IMAGE, SEQUENCE = "[N, 4, 9, 9]", "[N, 4, L]"
ATTENTION = """
  - linear: {name: q, out_features: 12, from: x}
  - linear: {name: k, out_features: 12, from: x}
  - linear: {name: v, out_features: 12, bias: false, from: x}
  - scaled_dot_product_attention: {query: q, key: k, value: v}
  - linear: {name: out, out_features: 10}"""

NETWORKS = {
    "linear": ("[N, 6]", "linear: 9"),
    "linear over time": ("[N, T, 6]", "linear: {out_features: 9, bias: false}"),
    "transposed linear": ("[N, T, 6]", "transposed_linear: 9"),
    "attention": ("[N, T, 12]", ATTENTION),
    "conv1d": (SEQUENCE, "conv1d: {out_channels: 6, kernel_size: 3, padding: same, dilation: 2}"),
    "conv2d": ("[N, 4, H, W]", "conv2d: {out_channels: 6, kernel_size: [3, 2], stride: 2, padding: 1}"),
    "grouped conv2d": ("[N, 8, H, W]", "conv2d: {out_channels: 12, kernel_size: 3, groups: 4}"),
    "circular conv2d": (IMAGE, "conv2d: {out_channels: 6, kernel_size: 3, padding: 1, padding_mode: circular}"),
    "conv3d": ("[N, 4, 5, 5, 5]", "conv3d: {out_channels: 6, kernel_size: 2}"),
    "conv_transpose1d": (SEQUENCE, "conv_transpose1d: {out_channels: 6, kernel_size: 3, stride: 2, output_padding: 1}"),
    "conv_transpose2d": (IMAGE, "conv_transpose2d: {out_channels: 6, kernel_size: 3, padding: 1}"),
    "grouped conv_transpose2d": (IMAGE, "conv_transpose2d: {out_channels: 8, kernel_size: 2, groups: 2, stride: 2}"),
    "conv_transpose3d": ("[N, 4, 3, 3, 3]", "conv_transpose3d: {out_channels: 6, kernel_size: 2}"),
    "embedding": (
        "{shape: [N, T], dtype: int64, below: 20}",
        "embedding: {num_embeddings: 20, embedding_dim: 6, padding_idx: 3}",
    ),
}


def changed(inputs: str, network: str, lora: str) -> Graph:
    """The graph of a network with ``lora``."""
    body = network if network.startswith("\n") else f"[{network}]"
    text = f"netspec: 1\nname: small\ninputs: {{x: {inputs}}}\nnetwork: {body}\n"
    return compile_loaded(load_source(Source("small.yaml", text)), overrides={"train.lora": read_value("lora", lora)})


def with_numbers(graph: Graph) -> nn.Module:
    """The module of a graph whose changes are not zero."""
    module = build_module(graph)
    with torch.no_grad():
        for change in graph.changes:
            for key in (change.down, change.up):
                module.get_parameter(key).normal_(std=0.3)
    return module


def given(graph: Graph) -> torch.Tensor:
    (value,) = graph.inputs.values()
    sizes = [size if isinstance(size, int) else 7 for size in value.shape]
    return torch.randint(20, sizes) if value.tensor.dtype == "int64" else torch.randn(sizes)


@pytest.mark.parametrize("name", NETWORKS)
def test_merged_weights_give_what_the_steps_do(name: str) -> None:
    graph = changed(*NETWORKS[name], "{rank: 2, alpha: 6, of: '*', dropout: 0.5}")
    module, x = with_numbers(graph).eval(), given(graph)
    plain, whole = merged(graph, module)
    assert plain.changes == ()
    assert whole.state_dict().keys() == build_module(plain).state_dict().keys()
    out, want = whole(x), module(x)
    assert (out - want).abs().max() < 1e-5 * want.abs().max()
    assert not torch.allclose(build_module(plain)(x), want, atol=1e-2)


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_is_changed_at_first(name: str) -> None:
    graph = changed(*NETWORKS[name], "{rank: 2, of: '*'}")
    assert graph.unchanged is not None
    x, plain = given(graph), build_module(graph.unchanged)
    assert torch.equal(build_module(graph)(x), plain(x))
    weights = merged_weights(graph, build_module(graph).state_dict())
    assert all(torch.equal(weights[key], tensor) for key, tensor in plain.state_dict().items())
    assert weights.keys() == plain.state_dict().keys()


def test_a_graph_without_changes_is_itself() -> None:
    graph = compile_loaded(
        load_source(Source("a.yaml", "netspec: 1\nname: a\ninputs: {x: [N, 2]}\nnetwork: [linear: 3]"))
    )
    module = build_module(graph)
    assert merged(graph, module) == (graph, module)


class PublishedLinear(nn.Module):
    """A layer with LoRA as Hugging Face's library peft has it: ``result + lora_B(lora_A(dropout(x))) * scaling``."""

    def __init__(self, base: nn.Module, down: nn.Module, up: nn.Module, rank: int, alpha: float):
        super().__init__()
        self.base_layer, self.lora_A, self.lora_B, self.scaling = base, down, up, alpha / rank

    def forward(self, x: Any) -> Any:
        return self.base_layer(x) + self.lora_B(self.lora_A(x)) * self.scaling


PUBLISHED = {
    "linear": (nn.Linear(6, 9), nn.Linear(6, 2, bias=False), nn.Linear(2, 9, bias=False)),
    "conv2d": (
        nn.Conv2d(4, 6, (3, 2), stride=2, padding=1),
        nn.Conv2d(4, 2, (3, 2), stride=2, padding=1, bias=False),
        nn.Conv2d(2, 6, 1, bias=False),
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_outputs_and_gradients_are_those_of_the_published_form(name: str) -> None:
    graph = changed(*NETWORKS[name], "{rank: 2, alpha: 6}")
    (change,) = graph.changes
    base, down, up = PUBLISHED[name]
    published = PublishedLinear(base.requires_grad_(False), down, up, rank=2, alpha=6)
    module = build_module(graph)
    state = {change.down: down.weight, change.up: up.weight, change.weight: base.weight}
    state[change.weight.replace("weight", "bias")] = base.bias
    module.load_state_dict(state)
    x = given(graph).requires_grad_()
    out, want = module(x), published(x)
    assert (out - want).abs().max() < 1e-6
    out.square().sum().backward()
    (inner,) = [x.grad.clone()]
    x.grad = None
    want.square().sum().backward()
    assert (x.grad - inner).abs().max() < 1e-4
    for key, own in ((change.down, down), (change.up, up)):
        assert torch.allclose(module.get_parameter(key).grad, own.weight.grad, rtol=1e-4, atol=1e-5)
    assert module.get_parameter(change.weight).grad is None
