"""Groups that read what they are told, and give out more than their last value; loops that collect."""

from __future__ import annotations

import pytest
import torch
from elaborate.views import built, compiled
from torch import nn
from torch.nn.functional import interpolate

from netspec.emit.source import emit_source
from netspec.graph import Call

HEAD = "netspec: 1\nname: net\ndims: {N: 2}\n"

PYRAMID = (
    HEAD
    + """inputs: {image: [N, 3, 32, 32]}
blocks:
  stage:
    params: {width: int}
    body:
      - conv2d: {name: conv, out_channels: width, kernel_size: 3, stride: 2, padding: 1}
      - relu
network:
  - sequential:
      name: backbone
      outputs: {c3: layer1, c4: layer2}
      body:
        - stage: {name: stem, width: 4}
        - stage: {name: layer1, width: 6}
        - stage: {name: layer2, width: 8}
        - stage: {name: layer3, width: 8}
  - conv2d: {name: lateral5, out_channels: 5, kernel_size: 1}
  - for:
      name: top
      each: {level: ["'c4'", "'c3'"]}
      collect: {merged: prev}
      body:
        - upsample: {name: up, scale_factor: 2}
        - conv2d: {name: lateral, from: "backbone.{level}", out_channels: 5, kernel_size: 1}
        - add: {from: [up, prev]}
outputs: {p: [lateral5, top.merged]}
"""
)


class Pyramid(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        widths = {"stem": (3, 4), "layer1": (4, 6), "layer2": (6, 8), "layer3": (8, 8)}
        self.backbone = nn.Module()
        for name, (taken, given) in widths.items():
            self.backbone.add_module(name, nn.ModuleDict({"conv": nn.Conv2d(taken, given, 3, 2, 1)}))
        self.lateral5 = nn.Conv2d(8, 5, 1)
        self.top = nn.ModuleList(nn.ModuleDict({"lateral": nn.Conv2d(width, 5, 1)}) for width in (8, 6))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        made = {}
        for name in ("stem", "layer1", "layer2", "layer3"):
            x = made[name] = self.backbone.get_submodule(f"{name}.conv")(x).relu()
        levels = [self.lateral5(x)]
        for at, name in enumerate(("layer2", "layer1")):
            lateral = self.top.get_submodule(f"{at}.lateral")(made[name])
            levels.append(interpolate(levels[-1], scale_factor=2) + lateral)
        return {f"p_{at}": level for at, level in enumerate(levels)}


def test_a_backbone_gives_its_stages_to_a_pyramid() -> None:
    _, module = built(PYRAMID)
    theirs = Pyramid()
    theirs.load_state_dict(module.state_dict(), strict=True)
    image = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(module(image), theirs(image))


HIDDEN = (
    HEAD
    + """inputs: {x: [N, T, 8]}
blocks:
  layer:
    body:
      - multihead_attention: {name: attn, num_heads: 2}
      - linear: {name: fc, out_features: 8}
      - add: {from: [prev, input]}
    outputs: {y: prev, weights: attn.weights}
network:
  - linear: {name: wte, out_features: 8}
  - repeat: {name: h, count: 3, body: [layer], collect: {hidden: prev, attn: weights}}
  - layer_norm: {name: ln_f}
  - stack: {name: all, from: [wte, h.hidden], dim: 1}
outputs: {hidden: [wte, "h.hidden[:-1]", ln_f], attn: h.attn, all: all, second: h.hidden.1}
"""
)


def test_a_loop_hands_out_what_each_turn_made() -> None:
    graph, module = built(HIDDEN)
    assert [*graph.outputs] == [f"hidden_{at}" for at in range(4)] + [f"attn_{at}" for at in range(3)] + [
        "all",
        "second",
    ]
    x = torch.randn(2, 5, 8)
    made = module(x)
    layers = [module.get_submodule(f"h.{at}") for at in range(3)]
    hidden = [module.get_submodule("wte")(x)]
    for at, layer in enumerate(layers):
        value, weights = layer(hidden[-1])
        torch.testing.assert_close(made[f"attn_{at}"], weights)
        hidden.append(value)
    for at in range(3):
        torch.testing.assert_close(made[f"hidden_{at}"], hidden[at])
    torch.testing.assert_close(made["hidden_3"], module.get_submodule("ln_f")(hidden[3]))
    torch.testing.assert_close(made["all"], torch.stack(hidden, 1))
    assert made["second"] is made["hidden_2"]


def test_turns_that_are_collected_share_a_class_and_a_row() -> None:
    graph = compiled(HIDDEN)
    text = emit_source(graph).text
    assert text.count("class Layer") == 1
    assert "h, h_hidden_0, h_hidden_1, h_attn_0, h_attn_1, h_attn_2 = self.h(wte)" in text
    h = graph.body.steps[1]
    assert isinstance(h, Call)
    assert len({step.body for step in h.body.steps if isinstance(step, Call)}) == 1


def test_only_what_is_read_of_a_list_leaves_the_loop() -> None:
    text = f"{HEAD}inputs: {{x: [N, 8]}}\nnetwork:\n"
    text += "  - repeat: {name: h, count: 3, body: [linear: 8, relu], collect: {hidden: prev, early: 0}}\n"
    h, _ = compiled(text + "  - concat: {from: ['h.hidden[0]', h, h.early.1]}\n").body.steps
    assert isinstance(h, Call)
    assert h.output_names == ("output", "hidden.0", "early.1")


def test_a_loop_reads_all_its_earlier_turns() -> None:
    _, module = built(
        HEAD
        + """inputs: {x: [N, 4]}
network:
  - repeat:
      name: dense
      count: 3
      collect: {features: prev}
      body:
        - concat: {from: [x, features], dim: 1}
        - linear: {name: new, out_features: 3}
  - concat: {from: dense.features, dim: -1}
"""
    )
    layers = [module.get_submodule(f"dense.{at}.new") for at in range(3)]
    x = torch.randn(2, 4)
    features: list[torch.Tensor] = []
    for layer in layers:
        features.append(layer(torch.cat([x, *features], 1)))
    torch.testing.assert_close(module(x), torch.cat(features, -1))


FROM = {
    "sequential": "sequential: {from: a, body: [linear: 8, relu]}",
    "repeat": "repeat: {from: a, count: 2, body: [linear: 8]}",
    "for": "for: {from: a, each: {width: [4, 8]}, body: [linear: width]}",
    "residual": "residual: {from: a, body: [linear: 8]}",
    "parallel": "parallel: {from: a, branches: {l: [linear: 8], r: [tanh]}, merge: add}",
    "if": "if: {from: a, test: 'shape[-1] == 8', then: [linear: 'shape[-1]']}",
}


@pytest.mark.parametrize("form", FROM)
@pytest.mark.parametrize("name", ["", "name: g, "])
def test_groups_read_what_they_are_told(form: str, name: str) -> None:
    if form == "if" and name:
        return
    step = FROM[form].replace("{from", f"{{{name}from", 1)
    head = f"{HEAD}inputs: {{x: [N, 8]}}\nnetwork:\n  - linear: {{name: a, out_features: 8}}\n"
    graph, _ = built(f"{head}  - sigmoid: {{name: b}}\n  - {step}\n  - add: {{name: both, from: [prev, b]}}\n")
    a, b = graph.body.steps[:2]
    readers = [each for each in graph.body.steps[2:] if a.outputs[0] in each.inputs]
    assert readers
    assert [each.name for each in graph.body.steps[2:] if b.outputs[0] in each.inputs] == ["both"]


def test_the_main_flow_passes_a_side_by_which_has_a_value_of_its_own() -> None:
    _, module = built(
        HEAD
        + """inputs: {x: [N, 8]}
network:
  - linear: {name: a, out_features: 8}
  - linear: {name: b, out_features: 8}
  - side: {name: head, from: a, body: [linear: 2]}
  - side: {name: early, when: training, body: [linear: 3]}
  - relu
outputs: {y: prev, head: head, early: {from: early, when: training}}
"""
    )
    x = torch.randn(2, 8)
    a = module.get_submodule("a")(x)
    b = module.get_submodule("b")(a)
    head, early = module.get_submodule("head.0")(a), module.get_submodule("early.0")(b)
    torch.testing.assert_close(module(x), {"y": b.relu(), "head": head})
    torch.testing.assert_close(module.train()(x), {"y": b.relu(), "head": head, "early": early})


def test_branches_that_are_not_merged_are_outputs_of_their_group() -> None:
    _, module = built(
        HEAD
        + """inputs: {x: [N, 8]}
network:
  - parallel: {name: heads, merge: none, branches: {a: [linear: 2], b: [linear: 4, relu]}}
outputs: {a: heads.a, b: heads.b}
"""
    )
    assert sorted(module.state_dict()) == ["heads.a.bias", "heads.a.weight", "heads.b.0.bias", "heads.b.0.weight"]


LONE_CHOICE = (
    HEAD
    + """inputs: {x: [N, 8]}
network:
  - repeat:
      name: h
      count: 3
      index: i
      body:
        - if:
            test: i > 1
            then: [linear: 8, relu]
            else:
              - if: {test: i == 0, then: [linear: 9], else: [sequential: [linear: 8]]}
"""
)


def test_a_lone_choice_in_a_turn_is_the_step_that_it_chooses() -> None:
    keys = [f"h.{key}.{part}" for key in ("0", "1.0", "2.0") for part in ("weight", "bias")]
    assert [*built(LONE_CHOICE)[1].state_dict()] == keys
