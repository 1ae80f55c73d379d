"""Parameters that are another's, in groups and loops too."""

from __future__ import annotations

import pytest
import torch
from elaborate.views import built
from torch import nn
from torch.nn.functional import linear

HEAD = "netspec: 1\nname: net\ndims: {N: 2}\n"

IN_A_GROUP = (
    HEAD
    + """inputs: {tokens: {shape: [N, T], dtype: int64, below: 11}}
network:
  - sequential:
      name: encoder
      body:
        - embedding: {name: wte, num_embeddings: 11, embedding_dim: 8}
        - linear: {name: fc, out_features: 8}
  - repeat:
      name: h
      count: 2
      body:
        - linear: {name: fc, out_features: 8, tie: {weight: encoder.fc.weight}}
        - tanh
  - sequential:
      name: decoder
      body:
        - linear: {name: up, out_features: 8}
        - linear: {name: same, out_features: 8, bias: false, tie: {weight: up.weight}}
        - linear: {name: head, out_features: 11, bias: false, tie: {weight: encoder.wte.weight}}
"""
)


def test_ties_in_groups_and_loops() -> None:
    graph, module = built(IN_A_GROUP)
    parameters = dict(module.named_parameters(remove_duplicate=False))
    assert parameters["decoder.head.weight"] is parameters["encoder.wte.weight"]
    assert parameters["decoder.same.weight"] is parameters["decoder.up.weight"]
    assert parameters["h.0.fc.weight"] is parameters["h.1.fc.weight"] is parameters["encoder.fc.weight"]
    tokens = torch.randint(11, (2, 5))
    value = dict(module.named_parameters(remove_duplicate=False)).__getitem__
    x = linear(value("encoder.wte.weight")[tokens], value("encoder.fc.weight"), value("encoder.fc.bias"))
    for at in range(2):
        x = linear(x, value("encoder.fc.weight"), value(f"h.{at}.fc.bias")).tanh()
    x = linear(linear(x, value("decoder.up.weight"), value("decoder.up.bias")), value("decoder.up.weight"))
    torch.testing.assert_close(module(tokens), linear(x, value("encoder.wte.weight")))
    assert graph.body.parameter_count == 11 * 8 + 8 * 8 + 8 + 2 * 8 + 8 * 8 + 8


def test_a_tied_parameter_of_a_group_is_initialised_where_it_is_its_own() -> None:
    text = IN_A_GROUP.replace("name: decoder\n", "name: decoder\n      init: {'*.weight': zeros, weight: zeros}\n")
    text = text.replace("{'*.weight': zeros, weight: zeros}", "{'*.weight': {constant: 0.5}}")
    _, module = built(text)
    assert module.get_parameter("decoder.up.weight").unique().tolist() == [0.5]
    assert len(module.get_parameter("encoder.wte.weight").unique()) > 1


SHARED = "inputs: {a: [N, 8], b: [N, 8]}\n"
UNIT = "blocks:\n  unit: {body: [linear: {name: fc, out_features: 8}, tanh]}\n"

PATHS = {
    "op": "  - sequential: {name: f, from: a, body: [linear: {name: fc, out_features: 8}, relu]}\n"
    "  - share: {step: f.fc, from: b, name: again}\n",
    "numbered": "  - sequential: {name: f, from: a, body: [linear: 8, relu]}\n"
    "  - share: {step: f.0, from: b, name: again}\n",
    "block": "  - sequential: {name: f, from: a, body: [unit: {name: u}, relu]}\n"
    "  - share: {step: f.u, from: b, name: again}\n",
    "group": "  - sequential: {name: f, from: a, body: [sequential: {name: g, body: [linear: 8, tanh]}, relu]}\n"
    "  - share: {step: f.g, from: b, name: again}\n  - add: {name: early, from: [again.0, f.g.0]}\n"
    "  - share: {step: f.g, from: early, name: more}\n",
    "turn": "  - repeat: {name: h, from: a, count: 2, body: [unit]}\n  - share: {step: h.1, from: b, name: again}\n",
    "iteration": "  - repeat: {name: h, from: a, count: 2, body: [linear: {name: fc, out_features: 8}, tanh]}\n"
    "  - add: {name: early, from: [h.0.fc, h, b]}\n  - share: {step: h.0, from: early, name: again}\n",
    "branch": "  - parallel: {name: p, from: a, branches: {l: [linear: 8, relu], r: [tanh]}, merge: add}\n"
    "  - share: {step: p.l, from: b, name: again}\n",
    "loop": "  - sequential: {name: f, from: a, body: [{repeat: {name: h, count: 2, body: [unit]}}, relu]}\n"
    "  - share: {step: f.h, from: b, name: again}\n",
}


@pytest.mark.parametrize("kind", PATHS)
def test_what_is_inside_a_group_can_be_shared(kind: str) -> None:
    first = PATHS[kind].partition("name: ")[2][0]
    last = "more" if kind == "group" else "again"
    head = f"{HEAD}{SHARED}{UNIT if 'unit' in PATHS[kind] else ''}network:\n"
    graph, module = built(f"{head}{PATHS[kind]}  - add: {{from: [{first}, {last}]}}\n")
    assert graph.body.parameter_count == (144 if kind in ("turn", "loop", "iteration") else 72)
    assert not [key for key in module.state_dict() if key.startswith(("again", "more"))]
    assert isinstance(module, nn.Module)


IN_BLOCKS = (
    HEAD
    + """inputs: {x: [N, 8], y: [N, T, 8]}
blocks:
  unit: {body: [linear: {name: a, out_features: 8}, linear: {name: b, out_features: 8, tie: {weight: a.weight}}]}
  two: {body: [unit: {name: u}, unit: {name: v}]}
network:
  - repeat: {name: h, count: 2, from: x, body: [two]}
  - share: {step: h.0, name: again, from: y}
  - unit: {name: last}
outputs: {x: h, y: last}
"""
)


def test_each_copy_of_a_block_has_ties_of_its_own() -> None:
    text = IN_BLOCKS.replace("outputs: {x: h,", "outputs: {out: h,").replace(" y: last}", " other: last}")
    graph, module = built(text)
    parameters = dict(module.named_parameters(remove_duplicate=False))
    units = ["h.0.u", "h.0.v", "h.1.u", "h.1.v", "last"]
    assert all(parameters[f"{unit}.b.weight"] is parameters[f"{unit}.a.weight"] for unit in units)
    assert len({id(parameters[f"{unit}.a.weight"]) for unit in units}) == 5
    assert graph.body.parameter_count == 5 * (64 + 8 + 8)
    x, y = torch.randn(2, 8), torch.randn(2, 3, 8)

    def run(unit: str, value: torch.Tensor) -> torch.Tensor:
        weight = parameters[f"{unit}.a.weight"]
        return linear(linear(value, weight, parameters[f"{unit}.a.bias"]), weight, parameters[f"{unit}.b.bias"])

    found = module(x, y)
    torch.testing.assert_close(found["out"], run("h.1.v", run("h.1.u", run("h.0.v", run("h.0.u", x)))))
    torch.testing.assert_close(found["other"], run("last", run("h.0.v", run("h.0.u", y))))
