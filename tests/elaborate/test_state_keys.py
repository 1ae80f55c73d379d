"""``state_key``: names that no identifier allows, as checkpoints have them."""

from __future__ import annotations

import pytest
import torch
from elaborate.views import built, compiled
from torch import nn

from netspec.emit.source import emit_source
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
