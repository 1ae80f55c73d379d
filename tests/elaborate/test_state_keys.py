"""``state_key``: names that no identifier allows, as checkpoints have them."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from elaborate.views import built, compiled
from torch import nn

from netspec.emit.source import emit_source
from netspec.graph import walk_state
from netspec.runtime.interpret import check_module
from netspec.runtime.module import build_module

HEAD = "netspec: 1\nname: net\ndims: {N: 2}\n"

TEXT = (
    HEAD
    + """inputs: {tokens: {shape: [N, T], dtype: int64, below: 11}}
init: {"*.block1-0.weight": {constant: 0.25}}
network:
  - embedding: {name: wte, state_key: word embedding, num_embeddings: 11, embedding_dim: 8}
  - sequential:
      name: body
      body:
        - linear: {name: first, state_key: block1-0, out_features: 8}
        - relu
        - add: {from: [first, prev]}
        - linear: {state_key: class, out_features: 8, freeze: true}
        - add: {from: [block1-0, class]}
  - repeat:
      state_key: "layers:ü"
      count: 2
      index: i
      collect: {hidden: fc}
      body:
        - linear: {name: fc, state_key: "fc[{i}]", out_features: 8}
        - tanh
  - share: {step: body, name: again, from: "layers:ü"}
  - linear: {name: head, out_features: 11, bias: false, tie: {weight: word embedding.weight}}
outputs: {logits: prev, first: "layers:ü.hidden.0", mid: body.first}
"""
)


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.add_module("block1-0", nn.Linear(8, 8))
        self.add_module("class", nn.Linear(8, 8))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        first = self.get_submodule("block1-0")(x)
        return first + self.get_submodule("class")(first + first.relu()), first


def test_any_key_is_met_strictly() -> None:
    graph, module = built(TEXT)
    theirs = nn.Module()
    theirs.add_module("word embedding", nn.Embedding(11, 8))
    theirs.add_module("body", Body())
    turns = [nn.ModuleDict({f"fc[{at}]": nn.Linear(8, 8)}) for at in range(2)]
    theirs.add_module("layers:ü", nn.ModuleDict({str(at): turn for at, turn in enumerate(turns)}))
    theirs.add_module("head", nn.Linear(8, 11, bias=False))
    theirs.load_state_dict(module.state_dict(), strict=True)
    assert module.get_parameter("body.block1-0.weight").unique().tolist() == [0.25]
    assert [key for key, held in build_module(graph).named_parameters() if not held.requires_grad] == [
        "body.class.weight",
        "body.class.bias",
    ]
    tokens = torch.randint(11, (2, 5))
    x, mid = theirs.get_submodule("body")(theirs.get_submodule("word embedding")(tokens))
    hidden = []
    for at, turn in enumerate(turns):
        hidden.append(turn[f"fc[{at}]"](x))
        x = hidden[-1].tanh()
    logits = theirs.get_submodule("head")(theirs.get_submodule("body")(x)[0])
    torch.testing.assert_close(module(tokens), {"logits": logits, "first": hidden[0], "mid": mid})


PATHS = (
    HEAD
    + """inputs: {x: [N, 8], tokens: {shape: [N, T], dtype: int64, below: 11}}
init: {"inner.0.weight": zeros, "encoder.*.bias": ones}
blocks:
  mlp: {body: [linear: {name: fc1, out_features: 8}, relu, linear: {name: fc2, out_features: 8}]}
network:
  - linear: {name: second, state_key: inner.1, out_features: 8, from: x}
  - embedding: {state_key: encoder.embed, num_embeddings: 11, embedding_dim: 8, from: tokens}
  - linear: {state_key: inner.0, out_features: 8, from: inner.1}
  - add: {from: [inner.0, second]}
  - sequential:
      name: encoder
      body:
        - linear: 8
        - mlp: {state_key: layers.0.mlp}
        - mlp: {state_key: layers.1.mlp}
        - layer_norm: {state_key: layers.0.norm-1}
        - tanh
  - sequential: {name: seq, body: [linear: 8, relu, linear: 8]}
  - linear: {state_key: seq.3, out_features: 8}
  - share: {step: encoder.layers.0.mlp, name: again}
  - share: {step: inner.0, name: once_more}
  - linear: {name: head, out_features: 11, bias: false, tie: {weight: encoder.embed.weight}}
outputs: {logits: head, first: inner.0, hidden: encoder.layers.1.mlp, found: encoder.embed}
"""
)


def test_keys_that_are_paths_are_met_strictly() -> None:
    graph, module = built(PATHS)

    def linear() -> nn.Linear:
        return nn.Linear(8, 8)

    def mlp() -> nn.Module:
        return nn.ModuleDict({"fc1": linear(), "fc2": linear()})

    theirs, encoder = nn.Module(), nn.Module()
    theirs.add_module("inner", nn.ModuleList([linear(), linear()]))
    encoder.add_module("0", linear())
    encoder.add_module("embed", nn.Embedding(11, 8))
    layers = nn.ModuleList([nn.ModuleDict({"mlp": mlp(), "norm-1": nn.LayerNorm(8)}), nn.ModuleDict({"mlp": mlp()})])
    encoder.add_module("layers", layers)
    theirs.add_module("encoder", encoder)
    theirs.add_module("seq", nn.Sequential(linear(), nn.ReLU(), linear(), linear()))
    theirs.add_module("head", nn.Linear(8, 11, bias=False))
    theirs.load_state_dict(module.state_dict(), strict=True)
    assert {key for key, _ in walk_state(graph.body)} == theirs.state_dict().keys()

    def run(path: str, x: torch.Tensor) -> torch.Tensor:
        found = theirs.get_submodule(path)
        return found["fc2"](found["fc1"](x).relu()) if isinstance(found, nn.ModuleDict) else found(x)

    x, tokens = torch.randn(2, 8), torch.randint(11, (2, 5))
    second = run("inner.1", x)
    first = run("inner.0", second)
    hidden = run("encoder.layers.1.mlp", run("encoder.layers.0.mlp", run("encoder.0", first + second)))
    y = run("seq", run("encoder.layers.0.norm-1", hidden).tanh())
    logits = run("head", run("inner.0", run("encoder.layers.0.mlp", y)))
    wanted = {"logits": logits, "first": first, "hidden": hidden, "found": run("encoder.embed", tokens)}
    torch.testing.assert_close(module(x, tokens), wanted)
    assert not module.get_parameter("inner.0.weight").any()
    assert module.get_parameter("encoder.layers.0.norm-1.bias").unique().tolist() == [1]
    assert module.get_parameter("head.weight") is module.get_parameter("encoder.embed.weight")
    check_module(graph, module)


def test_the_source_of_paths_is_readable() -> None:
    text = emit_source(compiled(PATHS)).text
    assert "self.inner = nn.ModuleList()\n        self.inner.append(nn.Linear(8, 8))" in text
    assert "inner_1 = self.inner[1](x)" in text
    assert "self.encoder.embed = nn.Embedding(11, 8)" in text
    assert "x = self.layers[0].mlp(x)" in text


def test_the_source_is_readable() -> None:
    text = emit_source(compiled(TEXT)).text
    assert 'self.add_module("block1-0", nn.Linear(8, 8))' in text
    assert 'block1_0 = getattr(self, "block1-0")(x)' in text
    assert 'fc_0 = getattr(self, "fc[0]")(x)' in text


@pytest.mark.parametrize("key", ["block1-0", "a b", "in", "0", "ü", "x/y", "a$b", "'", '"', "<b>", "\\N"])
def test_keys_of_all_kinds(key: str) -> None:
    written = key.replace("\\", "\\\\").replace('"', '\\"')
    text = f'{HEAD}inputs: {{x: [N, 8]}}\nnetwork:\n  - linear: {{name: fc, state_key: "{written}", out_features: 8}}\n'
    graph, module = built(text + "  - relu: {name: act}\n  - add: {from: [fc, act]}\n")
    assert [*module.state_dict()] == [f"{key}.weight", f"{key}.bias"]
    assert graph.name == "net"


TENSORS = (
    HEAD
    + """inputs: {x: [N, 4, 8]}
init: {"norm.gamma": {constant: 2}, linear.bias: ones}
network:
  - sequential: {name: norm, body: [layer_norm: {state_key: {weight: gamma, bias: beta}}]}
  - sequential:
      name: foo
      body:
        - linear: {out_features: 8, state_key: {weight: weight, bias: bias}}
        - linear: {name: child, out_features: 8, init: {weight: zeros}}
        - add: {from: [0, child]}
  - multihead_attention: {num_heads: 2, state_key: {in_proj_weight: attn.qkv.kernel, in_proj_bias: attn.qkv.offset}}
  - lstm: {hidden_size: 8, state_key: {weight_ih_l0: rnn.0}}
  - transpose: {dim0: 1, dim1: 2}
  - batch_norm1d: {state_key: {weight: foo.bn.w, running_mean: foo.mean}}
  - conv1d: {name: conv, out_channels: 8, kernel_size: 1, freeze: true, weight_norm: true, state_key: {bias: shift}}
  - share: {step: conv, name: again}
  - conv1d: {out_channels: 8, kernel_size: 1, state_key: {weight: last, bias: end}, tie: {bias: foo.bias}}
"""
)


def test_tensors_have_keys_of_their_own() -> None:
    graph, module = built(TENSORS)
    keys = module.state_dict().keys()
    assert {key for key, _ in walk_state(graph.body)} == keys
    assert {"norm.gamma", "norm.beta", "foo.weight", "foo.bias", "foo.child.weight", "attn.qkv.kernel"} < keys
    assert {"rnn.0", "foo.bn.w", "foo.mean", "5.running_var", "2.out_proj.weight", "shift", "last"} < keys
    held = dict(module.named_parameters())
    assert not held["shift"].requires_grad
    assert held["last"].requires_grad
    assert held["norm.gamma"].unique().tolist() == [2]
    assert module.get_parameter("foo.bias").unique().tolist() == [1]
    assert module.get_parameter("end") is module.get_parameter("foo.bias")
    assert 0 < held["foo.weight"].abs().max() <= 8**-0.5
    assert held["norm.beta"].eq(0).all()
    other = build_module(graph, seed=1)
    other.load_state_dict(module.state_dict(), strict=True)
    x = torch.randn(2, 4, 8)
    wanted = module.eval()(x)
    for copied in (other.eval(), copy.deepcopy(module)):
        torch.testing.assert_close(copied(x), wanted)
    check_module(graph, module)
    plain = build_module(compiled(TENSORS.replace("weight_norm: true, ", ""))).eval()
    torch.testing.assert_close(pickle.loads(pickle.dumps(plain))(x), plain(x))


def test_tensors_with_keys_learn_and_count() -> None:
    module = build_module(compiled(TENSORS)).train()
    module(torch.randn(2, 4, 8)).square().sum().backward()
    assert all(held.grad is not None for held in module.parameters() if held.requires_grad)
    assert module.get_buffer("5.num_batches_tracked").item() == 1
    assert module.get_buffer("foo.mean").any()
