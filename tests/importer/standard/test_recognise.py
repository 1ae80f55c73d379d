"""Levels that compute what a standard block does, with its keys, become calls of it."""

from __future__ import annotations

import pytest
from importer.trees import meaning, tree_of

from netspec.diagnostics import Source
from netspec.graph import Call, Graph
from netspec.importer.fold import fold
from netspec.importer.write import write
from netspec.pipeline import compile_loaded, load_source
from netspec.reference.examples.forms import BLOCKS

WRITTEN_OUT = ("aspp", "fpn", "selective_scan", "dot_attention")
"""Those that go through lists, that scan, and that have no keys to tell a level by."""


def compiled(text: str) -> Graph:
    return compile_loaded(load_source(Source("written.yaml", text)))


def folded(text: str) -> str:
    """Return the text of the same network, which is checked to be the same."""
    graph = compiled(f"netspec: 1\nname: it\n{text}")
    made = write(fold(tree_of(graph)))
    assert [*meaning(compiled(made)).values()] == [*meaning(graph).values()]
    return made


@pytest.mark.parametrize("name", [name for name in BLOCKS if name not in WRITTEN_OUT])
def test_the_call_of_a_block_comes_back(name):
    made = folded(BLOCKS[name])
    assert f"\n  - {name}:" in made
    assert "\nblocks:" not in made


MOBILE = """
inputs: {x: [N, 16, 32, 32]}
network:
  - mbconv: {out_channels: 16, expanded_channels: 16, squeeze_channels: 0, activation: relu}
  - mbconv: {out_channels: 24, stride: 2, expanded_channels: 48, squeeze_channels: 0, activation: relu}
  - mbconv: {out_channels: 32, expanded_channels: 72, activation: hardswish, squeeze_activation: relu}
  - mbconv: {out_channels: 32, expanded_channels: 96, activation: hardswish, squeeze_activation: relu}
  - mbconv: {out_channels: 40, expanded_channels: 96, activation: hardswish, squeeze_activation: relu}
  - mbconv: {out_channels: 40, expanded_channels: 96, activation: hardswish, squeeze_activation: relu}
  - mbconv: {out_channels: 48, expanded_channels: 96, activation: hardswish, squeeze_activation: relu}
"""


def test_blocks_with_and_without_their_parts_are_one_loop():
    made = folded(MOBILE)
    assert made.count("mbconv:") == 1
    assert "squeeze_channels: [0, 0, 6, 8, 8, 10, 10]" in made
    assert "activation: [relu, relu, hardswish, hardswish, hardswish, hardswish, hardswish]" in made
    assert "squeeze_activation: relu" in made


WORKED_OUT = """
inputs: {time: {shape: [N], dtype: int64, below: 1000}}
blocks:
  embedded:
    body:
      - cast: {name: time, dtype: float32}
      - unsqueeze: {name: column, dim: -1}
      - constant: {name: speeds, value: "[10000 ** (-k / 8) for k in range(8)]"}
      - multiply: {name: angle, from: [column, prev]}
      - sin: {name: sine}
      - cos: {name: cosine, from: angle}
      - concat: {from: [cosine, sine], dim: -1}
      - linear: {name: 0, out_features: 64}
      - silu: {name: 1}
      - linear: {name: 2, out_features: 64}
network: [embedded: {name: time_embed}]
"""


def test_constants_may_have_been_worked_out():
    made = write(fold(tree_of(compiled(f"netspec: 1\nname: it\n{WORKED_OUT}"))))
    assert "- time_embedding: {name: time_embed, width: 16}" in made
    assert "time_embedding" not in folded(WORKED_OUT.replace("-k / 8", "-k / 9"))


IMAGES = """
inputs: {x: [N, 4, H, W]}
blocks:
  flat:
    let: {h: "shape[2]", w: "shape[3]"}
    body:
      - flatten: {start_dim: 2}
      - conv1d: {out_channels: 4, kernel_size: 1}
      - unflatten: {dim: 2, unflattened_size: [h, w]}
network:
  - conv2d: {out_channels: 4, kernel_size: 3}
  - flat
  - max_pool2d: 2
  - flat
  - conv2d: {out_channels: 4, kernel_size: 3}
  - flat
"""


def test_sizes_of_images_are_those_of_what_a_level_reads():
    made = folded(IMAGES)
    assert made.count("unflattened_size: [h, w]") == 1
    assert 'let: {h: "shape[2]", w: "shape[3]"}' in made


DIFFERENT = {
    "another op": "[adaptive_avg_pool2d: 1, conv2d: {name: fc1, out_channels: 4, kernel_size: 1}, relu, "
    "conv2d: {name: fc2, out_channels: 16, kernel_size: 1}, sigmoid, add: {from: [prev, input]}]",
    "other keys": "[adaptive_avg_pool2d: 1, conv2d: {name: fc1, out_channels: 4, kernel_size: 1}, relu, "
    "conv2d: {name: fc3, out_channels: 16, kernel_size: 1}, sigmoid, multiply: {from: [prev, input]}]",
    "another reader": "[adaptive_avg_pool2d: 1, conv2d: {name: fc1, out_channels: 16, kernel_size: 1}, relu, "
    "conv2d: {name: fc2, out_channels: 16, kernel_size: 1}, sigmoid, multiply: {from: [prev, fc1]}]",
}


@pytest.mark.parametrize("body", DIFFERENT.values(), ids=DIFFERENT)
def test_what_only_looks_like_a_block_stays_what_it_is(body):
    text = f"inputs: {{x: [N, 16, 32, 32]}}\nblocks: {{squeezed: {{body: {body}}}}}\nnetwork: [squeezed]"
    assert "squeeze_excite" not in folded(text)


def test_a_block_of_the_same_name_gets_another():
    text = """
inputs: {x: [N, 16]}
blocks:
  wide:
    params: {hidden: int}
    body: [feed_forward: {name: mlp, hidden: hidden}, linear: {name: out, out_features: 16}]
network: [wide: 64, wide: 32]
"""
    graph = compiled(f"netspec: 1\nname: it\n{text}")
    tree = tree_of(graph)
    for level in tree.body.body:
        level.kind = "nets.FeedForward"  # type: ignore[attr-defined]
    made = write(fold(tree))
    assert meaning(compiled(made)) == meaning(graph)
    assert "feed_forward2:" in made


def test_levels_without_a_class_of_their_own_are_written_with_their_steps():
    text = (
        "inputs: {x: [N, 16]}\nnetwork: [sequential: [linear: 32, relu, linear: 16], sequential: {body: [linear: 4]}]"
    )
    assert "feed_forward" not in folded(text)
    assert isinstance(compiled(f"netspec: 1\nname: it\n{text}").body.steps[0], Call)
