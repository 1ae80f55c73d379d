"""A folded network compiles to the network that it was, in about as many lines as its author needs."""

from __future__ import annotations

import pytest
from importer.trees import meaning, tree_of

from netspec.diagnostics import Source
from netspec.graph import Graph
from netspec.importer.fold import fold
from netspec.importer.write import write
from netspec.pipeline import compile_loaded, compile_spec, load_source

LINES = {
    "resnet18": 50, "resnet50": 60, "vit_b_16": 90, "convnext_tiny": 90, "gpt2": 90, "densenet121": 70,
    "efficientnet_b0": 110, "googlenet": 110, "inception_v3": 210, "unet": 60, "mobilenet_v2": 90,
    "regnet_y_400mf": 100,
    "shufflenet_v2": 90, "squeezenet": 60, "llama": 75, "mixtral": 85, "deeplabv3": 110, "siamese": 40, "vae": 60,
    "yolov8": 220, "wavenet": 50, "detr": 180, "lraspp": 210, "plain20": 60,
}  # fmt: skip


def folded(graph: Graph) -> str:
    return write(fold(tree_of(graph)))


def compiled(text: str) -> Graph:
    return compile_loaded(load_source(Source("written.yaml", text)))


@pytest.mark.parametrize("name", LINES)
def test_a_folded_network_is_what_it_was_in_few_lines(name: str):
    graph = compile_spec(name)
    text = folded(graph)
    assert [*meaning(compiled(text)).values()] == [*meaning(graph).values()]
    assert len(text.splitlines()) <= LINES[name]


def test_resnet50_is_one_block_in_one_loop():
    text = folded(compile_spec("resnet50"))
    assert text.count("bottleneck: {width: width, stride: stride if j == 0 else 1}") == 1
    assert "each: {depth: [3, 4, 6, 3], width: [64, 128, 256, 512], stride: [1, 2, 2, 2]}" in text


def test_the_parts_of_large_constants_are_said_once():
    text = """
netspec: 1
name: masks
inputs: {x: [N, 4, 49, 49]}
let: {clear: "[[0.0] * 49] * 49", right: "[[0.0] * 28 + [-100.0] * 21] * 49"}
network:
  - constant: [clear, clear, right, right]
  - add: {from: [x, prev]}
"""
    graph = compiled(text)
    made = folded(graph)
    assert meaning(compiled(made)) == meaning(graph)
    assert "part1, part1, part2, part2" in made


def test_what_makes_the_family_is_a_parameter():
    text = folded(compile_spec("vit_b_16"))
    assert "params: {heads: 12, layers: 12}" in text
    assert "repeat: {count: layers, index: i, body: [encoder_layer:" in text


def test_a_level_that_holds_nothing_but_a_named_loop_stays():
    """Keys are `encoder.layer.0.weight`, as Hugging Face has them."""
    layers = ", ".join("linear: 8" for _ in range(5))
    steps = f"sequential: {{name: encoder, body: [sequential: {{name: layer, body: [{layers}]}}]}}"
    graph = compiled(f"{{netspec: 1, name: deep, inputs: {{x: [N, 8]}}, network: [{steps}]}}")
    text = folded(graph)
    assert meaning(compiled(text)) == meaning(graph)
    assert "repeat: {name: layer, count: 5, body: [linear: 8]}" in text


def test_a_parameter_of_one_number_keeps_nothing_from_being_folded():
    layers = ", ".join("linear: 8" for _ in range(4))
    steps = f"{layers}, parameter: {{name: scale, shape: []}}, multiply: {{from: ['3', scale]}}"
    graph = compiled(f"{{netspec: 1, name: scaled, inputs: {{x: [N, 8]}}, network: [{steps}]}}")
    text = folded(graph)
    assert meaning(compiled(text)) == meaning(graph)
    assert "parameter: {name: scale, shape: []}" in text


def test_a_row_of_layers_that_give_something_aside_is_a_loop_that_collects_it():
    text = folded(compile_spec("wavenet"))
    assert "dilation: 2 ** (i % 10), has_residual: i < 49}]" in text
    assert "collect: {skips: prev.skip}" in text
    assert "- add: {from: layers.skips}" in text


STACK = """
netspec: 1
name: stack
inputs: {x: [N, 5, 8], mask: [N, 5, 8]}
blocks:
  mixing:
    inputs: [input, mask]
    params: {learns: false, mixes: true}
    body:
      - linear: {name: q, out_features: 8}
      - if: {test: learns, then: [linear: {name: bias, out_features: 8}, add: {name: sum, from: [prev, mask]}]}
      - atan2: {from: [q, "{'sum' if learns else 'mask'}"]}
      - if: {test: mixes, then: [linear: {name: out, out_features: 8}, tanh]}
    outputs: {output: prev, mask: {from: sum, if: learns}}
network:
  - mixing: {name: a, mask: mask, learns: true}
  - mixing: {name: b, mask: a.mask}
  - mixing: {name: c, mask: a.mask}
"""


def test_steps_that_some_levels_of_a_class_lack_stand_under_an_if():
    graph = compiled(STACK)
    text = folded(graph)
    assert meaning(compiled(text)) == meaning(graph)
    assert text.count("test: has_bias") == 1
    assert text.count("linear: {name: q") == 1


def test_the_last_of_a_row_may_lack_what_the_others_end_with():
    graph = compiled(
        STACK.replace("  - mixing: {name: c, mask: a.mask}", "  - mixing: {name: c, mask: a.mask, mixes: false}")
        .replace("learns: true}", "learns: false}")
        .replace("a.mask", "mask")
    )
    text = folded(graph)
    assert meaning(compiled(text)) == meaning(graph)
    assert text.count("test: has_out") == 1
