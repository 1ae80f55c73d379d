"""Diagrams: what is folded, how it is wired, what is written, and that nothing in a spec is more than text."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import replace
from functools import cache

import pytest
from clock import at_most
from diagram_text import edges, ids
from places import GOLDEN

from netspec.diagnostics import Report, Source, UsageError
from netspec.elaborate import elaborate
from netspec.emit.diagram import render
from netspec.emit.diagram.dot import dot_text
from netspec.emit.diagram.labels import text_width
from netspec.emit.diagram.page import PAGE, scale
from netspec.ops import Op
from netspec.pipeline import compile_spec
from netspec.spec import read_spec
from netspec.syntax import parse
from netspec.view.expand import known_levels
from netspec.view.folding import ROOM, Box, Card, fold, size

HOSTILE = ["<b>x</b>", r"\N\G\L", 'a"b', "]]>", "a:b", "&lt;i&gt;", "a\\", "x\x00\x1by", "{a|b}", "\ud800", "'>;}", ""]
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")


def installed(name):
    """A renderer's command, skipped where it is not installed."""
    command = shutil.which(name) or shutil.which(name, path=sysconfig.get_path("scripts"))
    return pytest.param(command, marks=pytest.mark.skipif(command is None, reason=f"no {name}"), id=name)


LENET = """
netspec: 1
name: lenet
inputs: {image: [N, 1, 28, 28]}
network:
  - conv2d: {out_channels: 6, kernel_size: 5, padding: 2}
  - sigmoid
  - avg_pool2d: 2
  - flatten
  - linear: {name: fc, out_features: 84}
  - sigmoid
  - linear: 10
outputs: {logits: prev}
"""

RESIDUAL = """
netspec: 1
name: residual
dims: {N: 1, H: 32, W: 32}
inputs: {image: [N, 3, H, W]}
blocks:
  basic:
    params: {width: int, stride: 1}
    body:
      - residual:
          body:
            - conv2d: {name: conv1, out_channels: width, kernel_size: 3, stride: stride, padding: 1, bias: false}
            - batch_norm2d
            - relu
            - conv2d: {name: conv2, out_channels: width, kernel_size: 3, padding: 1, bias: false}
            - batch_norm2d
          projection:
            - conv2d: {name: down, out_channels: width, kernel_size: 1, stride: stride}
      - relu
network:
  - conv2d: {out_channels: 16, kernel_size: 3, padding: 1}
  - repeat: {name: layer1, count: 5, body: [{basic: {width: 16}}]}
  - repeat: {name: layer2, index: i, count: 3, body: [{basic: {width: 32, stride: 2 if i == 0 else 1}}]}
  - repeat: {name: layer3, index: i, count: 4, body: [{basic: {width: 64, stride: 2 if i == 0 else 1}}]}
  - global_avg_pool
  - linear: 10
"""

INCEPTION = """
netspec: 1
name: inception
inputs: {x: [N, 192, 28, 28]}
blocks:
  conv_relu:
    params: {out: int, kernel: 1}
    body: [{conv2d: {out_channels: out, kernel_size: kernel, padding: kernel // 2}}, relu]
  inception:
    params: {out: "list[int]"}
    body:
      - parallel:
          merge: concat
          branches:
            branch1: [{conv_relu: {out: "out[0]"}}]
            branch2: [{conv_relu: {out: 96}}, {conv_relu: {out: "out[1]", kernel: 3}}]
            branch3: [{conv_relu: {out: 16}}, {conv_relu: {out: "out[2]", kernel: 5}}]
            branch4: [{max_pool2d: {kernel_size: 3, stride: 1, padding: 1}}, {conv_relu: {out: "out[3]"}}]
  auxiliary:
    body: [{adaptive_avg_pool2d: 4}, flatten, {linear: 10}]
network:
  - inception: {name: a, out: [64, 128, 32, 32]}
  - side: {when: training, body: [{auxiliary: {name: aux}}]}
  - inception: {name: b, out: [128, 192, 96, 64]}
  - global_avg_pool
  - linear: {name: fc, out_features: 10}
outputs:
  logits: fc
  aux: {from: aux, when: training}
"""

TWO = """
netspec: 1
name: two_inputs
inputs: {left: [N, 64], right: [N, 32], label: [N, 8]}
network:
  - linear: {name: a, from: left, out_features: 128}
  - linear: {name: b, from: right, out_features: 128}
  - add: {name: s, from: [a, b]}
  - concat: {name: c, from: [s, label], dim: 1}
  - linear: {name: mean, from: c, out_features: 4}
  - linear: {name: variance, from: c, out_features: 4}
outputs: {mean: mean, variance: variance}
"""


@cache
def compiled(text):
    report = Report()
    source = Source("specs/net.yaml", text.strip("\n") + "\n")
    spec = read_spec(parse(source, report), report)
    report.raise_if_any()
    return elaborate(spec, Report(), texts=(source,))


def body(lines, inputs="x: [N, 8, 16, 16]"):
    """The graph of a network that is written in a few lines."""
    network = "\n".join("  " + line for line in lines.strip("\n").splitlines())
    return compiled(f"netspec: 1\nname: net\ninputs: {{{inputs}}}\nnetwork:\n{network}\n")


def shown(items):
    """Items in short: an open level as (name, count, its items), a card as (name or op, count)."""
    return [
        (item.name, item.count, shown(item.items))
        if isinstance(item, Box)
        else ("…" if item.kind == "rest" else item.name or "+".join(step.op.name for step in item.steps), item.count)
        for item in items
    ]


def placed(graph, **options):
    """Where dot puts the nodes of a diagram: ``{id: (x, y)}``."""
    text = dot_text(graph, **options)
    done = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    places = {}
    for line in done.stdout.splitlines():
        if line.startswith("node "):
            _, name, x, y, *_ = line.split(" ")
            places[name] = float(x), float(y)
    return {path: places[name] for name, path in ids(text).items()}


# what is folded


def test_norm_activation_and_dropout_share_the_card_of_what_they_follow():
    graph = body("- conv2d: {out_channels: 8, kernel_size: 3}\n- batch_norm2d\n- relu\n- dropout: 0.5\n- max_pool2d: 2")
    assert shown(fold(graph)) == [("conv2d+batch_norm2d+relu+dropout", 1), ("max_pool2d", 1)]


def test_what_another_step_reads_too_shares_no_card():
    graph = body("- conv2d: {name: c, out_channels: 8, kernel_size: 1}\n- relu: {name: r}\n- add: {from: [c, r]}")
    assert shown(fold(graph)) == [("c", 1), ("r", 1), ("add", 1)]


def test_a_merge_shares_no_card():
    graph = body("- residual: {body: [{conv2d: {out_channels: 8, kernel_size: 1}}]}\n- relu")
    assert shown(fold(graph)) == [("conv2d", 1), ("add", 1), ("relu", 1)]


def test_equal_ops_on_equal_shapes_are_counted():
    graph = body("- repeat: {count: 3, body: [{conv2d: {out_channels: 8, kernel_size: 3, padding: 1}}, relu]}")
    assert shown(fold(graph)) == [("conv2d+relu", 3)]


def test_equal_ops_on_other_shapes_are_not():
    graph = body("- repeat: {count: 3, body: [{conv2d: {out_channels: 8, kernel_size: 3}}, relu]}")
    assert shown(fold(graph)) == [("conv2d+relu", 1)] * 3


def test_the_same_level_in_a_row_is_drawn_once():
    items = fold(compiled(RESIDUAL))
    assert shown(items)[1] == (
        "layer1",
        5,
        [("conv1", 1), ("conv2", 1), ("add", 1), ("relu", 1)],
    )


def test_a_level_of_new_structure_opens_and_a_later_one_like_it_stays_closed():
    layer2, layer3 = shown(fold(compiled(RESIDUAL)))[2:4]
    assert layer2 == (
        "layer2",
        1,
        [
            ("layer2.0", 1, [("conv1", 1), ("conv2", 1), ("down", 1), ("add", 1), ("relu", 1)]),
            ("layer2.1–2", 2),
        ],
    )
    assert layer3 == ("layer3", 1)


def test_a_run_ends_where_another_step_reads_between():
    graph = body(
        """
        - conv2d: {name: a, out_channels: 8, kernel_size: 1}
        - conv2d: {name: b, out_channels: 8, kernel_size: 1}
        - conv2d: {name: c, out_channels: 8, kernel_size: 1}
        - add: {from: [b, c]}
        """.replace("\n        ", "\n")
    )
    assert shown(fold(graph)) == [("a – b", 2), ("c", 1), ("add", 1)]


def test_what_a_run_reads_each_time_does_not_end_it():
    spec = """
netspec: 1
name: net
inputs: {x: [N, 8], memory: [N, 8]}
blocks:
  cell:
    inputs: [state, memory]
    body:
      - linear: {name: up, from: state, out_features: 8}
      - add: {from: [up, memory]}
network:
  - cell: {name: c0, state: x, memory: memory}
  - cell: {name: c1, state: c0, memory: memory}
  - cell: {name: c2, state: c1, memory: memory}
"""
    ((name, count, _),) = shown(fold(compiled(spec)))
    assert (name, count) == ("c0–c2", 3)


def test_branches_open_together():
    (_, _, branches) = shown(fold(compiled(INCEPTION)))[0]
    assert branches == [
        ("branch1", 1),
        ("branch2", 1, [("conv2d+relu", 1), ("conv2d+relu", 1)]),
        ("branch3", 1, [("conv2d+relu", 1), ("conv2d+relu", 1)]),
        ("branch4", 1, [("max_pool2d", 1), ("conv2d+relu", 1)]),
        ("concat", 1),
    ]


def test_depth_opens_so_many_levels_whether_seen_or_not():
    graph = compiled(RESIDUAL)
    assert all(isinstance(item, Card) for item in fold(graph, 0))
    layers = fold(graph, 1)[1:4]
    assert [len(layer.items) for layer in layers] == [4, 2, 2]  # layer1 is one level: five times the same block
    assert all(isinstance(item, Card) for layer in layers for item in layer.items)
    assert all(isinstance(layer.items[0], Box) for layer in fold(graph, 2)[2:4])


def test_a_long_row_is_cut_in_the_middle():
    conv = "{conv2d: {out_channels: 8 + i % 2, kernel_size: 1}}"
    graph = body(f"- repeat: {{count: 500, index: i, body: [{conv}]}}\n- relu\n- flatten")
    items = fold(graph)
    assert size(items) <= ROOM
    (rest,) = [item for item in items if item.kind == "rest"]
    assert sum(len(item.steps) for item in items) == 502
    assert "more steps" in dot_text(graph)
    assert rest.makes == items[items.index(rest) + 1].reads


def test_similar_blocks_of_other_shapes_are_gathered_in_a_repeat():
    spec = """
netspec: 1
name: dense
inputs: {x: [N, 8, 16, 16]}
blocks:
  dense:
    body:
      - residual: {merge: concat, body: [relu, {conv2d: {out_channels: 4, kernel_size: 3, padding: 1}}]}
network:
  - repeat: {name: block, count: 7, body: [dense]}
"""
    ((name, _, items),) = shown(fold(compiled(spec)))
    assert (name, items) == ("block", [("block.0", 1, [("relu", 1), ("conv2d", 1), ("concat", 1)]), ("block.1–6", 1)])
    assert "6 × dense" in dot_text(compiled(spec))


def test_a_block_that_is_one_op_is_drawn_as_one():
    spec = """
netspec: 1
name: net
inputs: {x: [N, 8]}
network:
  - transposed_linear: {name: up, out_features: 16}
  - relu
  - transposed_linear: {name: down, out_features: 4}
"""
    graph = compiled(spec)
    assert [(item.kind, item.path, len(item.steps)) for item in fold(graph)] == [
        ("single", "up", 2),
        ("single", "down", 1),
    ]
    text = dot_text(graph)
    assert "<b>transposed linear</b>" in text
    assert "+ relu" in text
    assert [type(item) for item in fold(graph, 1)] == [Box, Card, Box]
    assert [type(item) for item in fold(graph, expand=["down"])] == [Card, Box]


def test_shape_ops_in_a_row_share_a_card_under_the_name_that_one_has():
    graph = body(
        "- unflatten: {dim: 1, unflattened_size: [2, 4]}\n- transpose: {name: heads, dim0: 1, dim1: 2}", "x: [N, 8]"
    )
    assert shown(fold(graph)) == [("heads", 1)]
    assert "+ transpose 1 ↔ 2" in dot_text(graph)


@pytest.mark.parametrize("name", ["layer3", "layer3.1", "basic"])
def test_expand_opens_a_level_by_path_name_or_block_and_those_around_it(name):
    def opened(items):
        return {path for item in items if isinstance(item, Box) for path in (item.path, *opened(item.items))}

    graph = compiled(RESIDUAL)
    assert not any(path.startswith("layer3") for path in opened(fold(graph)))
    found = {path for path in opened(fold(graph, expand=[name])) if path.startswith("layer3")}
    wanted = {"layer3": {"layer3"}, "layer3.1": {"layer3", "layer3.1"}, "basic": {"layer3", "layer3.0", "layer3.1"}}
    assert found == wanted[name]
    assert opened(fold(graph, 0, [name])) >= wanted[name]


def test_expand_takes_what_exists_only():
    graph = compiled(RESIDUAL)
    assert known_levels(graph, ["layer2.0", "basic", "layer3"]) == ("layer2.0", "basic", "layer3")
    assert known_levels(graph, "layer2.1–2") == ("layer2.1–2", "layer2.1")
    for name, hint in (("layr3", "; did you mean `layer3`?"), ("conv", ": give a level's path, its name or its block")):
        with pytest.raises(UsageError) as found:
            known_levels(graph, [name])
        assert str(found.value) == f"`{name}` is no level that could be expanded{hint}"


# how it is wired


def test_a_skip_starts_at_the_header_and_a_projection_is_part_of_it():
    found = edges(dot_text(compiled(RESIDUAL)))
    skips = {ends for ends, attributes in found.items() if "#F59E0B" in attributes}
    assert skips == {
        ("header:layer1.0", "layer1.0.add"),
        ("header:layer2.0", "layer2.0.down"),
        ("layer2.0.down", "layer2.0.add"),
    }


def test_an_identity_branch_skips_and_inputs_of_their_own_do_not():
    conv = "- conv2d: {name: c, out_channels: 8, kernel_size: 1}"
    found = edges(dot_text(body(f"- relu: {{name: r}}\n{conv}\n- multiply: {{name: m, from: [r, c]}}")))
    assert "#F59E0B" in found["r", "m"]
    assert "#F59E0B" not in found["c", "m"]
    assert not any("#F59E0B" in attributes for attributes in edges(dot_text(compiled(TWO))).values())


def test_a_body_that_takes_more_than_its_shortcut_is_in_the_spine():
    spec = """
netspec: 1
name: net
inputs: {x: [N, 8], memory: [N, 8]}
blocks:
  cross:
    inputs: [x, memory]
    body:
      - linear: {name: up, from: x, out_features: 8}
      - residual:
          body:
            - add: {name: both, from: [up, memory]}
            - linear: {name: down, out_features: 8}
network:
  - cross: {name: c, x: x, memory: memory}
"""
    text = dot_text(compiled(spec), depth=1)
    found = edges(text)
    assert "#F59E0B" in found["c.up", "c.add"]
    assert not any("#F59E0B" in attributes for ends, attributes in found.items() if ends != ("c.up", "c.add"))
    groups = dict(re.findall(r'id="([^"]*)" group=(g\d+)', text))
    assert len({groups[path] for path in ("header:c", "c.up", "c.both", "c.down", "c.add")}) == 1


def test_a_parameter_stands_beside_the_spine():
    graph = body("- parameter: {name: bias, shape: [8]}\n- add: {name: sum, from: [x, bias]}\n- relu", "x: [N, 8]")
    groups = dict(re.findall(r'id="([^"]*)" group=(g\d+)', dot_text(graph)))
    assert groups["input:x"] == groups["sum"] == groups["2"] != groups["bias"]


def test_a_tie_joins_the_cards_of_the_same_weights_and_has_no_arrow():
    text = dot_text(compile_spec("gpt2"))
    ((ends, attributes),) = [(ends, found) for ends, found in edges(text).items() if "#15803D" in found]
    assert ends == ("transformer.wte", "lm_head")
    assert "arrowhead=dot arrowtail=dot" in attributes
    assert 'tooltip="lm_head.weight is transformer.wte.weight"' in attributes
    assert "constraint" not in attributes


def test_a_tie_starts_at_the_closed_level_that_holds_the_weights():
    found = edges(dot_text(compile_spec("gpt2"), depth=0))
    assert "#15803D" in found["transformer", "lm_head"]


def test_what_is_shared_is_tied():
    graph = body("- linear: {name: a, out_features: 8}\n- share: {step: a, name: b}", "x: [N, 8]")
    (attributes,) = [found for found in edges(dot_text(graph)).values() if "#15803D" in found]
    assert 'tooltip="b is a once more"' in attributes


def legend(text):
    """What the legend explains, in order."""
    (rows,) = re.findall(r"where they change</font></td></tr>(.*?)>];", text)
    return re.findall(r"([a-z ]+)</font>\xa0", rows)


def test_the_legend_explains_what_occurs():
    assert legend(dot_text(compiled(LENET))) == ["convolution", "linear", "activation", "pooling", "shape"]
    assert legend(dot_text(compiled(INCEPTION)))[-2:] == ["closed level", "training only"]
    assert legend(dot_text(compile_spec("gpt2")))[-2:] == ["skip", "same weights"]
    assert legend(dot_text(compile_spec("rnn_attention")))[-1:] == ["to the next step"]
    assert "activation" in legend(dot_text(compiled(RESIDUAL)))  # the second row of a card


def test_shapes_are_written_where_they_change_and_once():
    found = edges(dot_text(compiled(LENET)))
    labels = {ends: match[1] for ends, text in found.items() if (match := re.search(" label=(.*)", text))}
    assert labels == {
        ("0", "2"): "N×6×28×28",
        ("2", "3"): "N×6×14×14",
        ("3", "fc"): "N×1176",
        ("fc", "6"): "N×84",
    }


def test_a_concat_adds_up_what_it_joins():
    text = dot_text(compiled(INCEPTION))
    assert "256 = 64 + 128 + 32 + 32" in text
    assert all("label" not in attributes for (_, end), attributes in edges(text).items() if end == "a.concat")


def test_several_inputs_of_a_level_are_named_at_its_edges():
    spec = """
netspec: 1
name: net
inputs: {x: [N, 8], y: [N, 4]}
blocks:
  mix:
    inputs: [one, other]
    body:
      - linear: {name: a, from: one, out_features: 3}
      - linear: {name: b, from: other, out_features: 3}
      - add: {from: [a, b]}
network:
  - mix: {name: mix, one: x, other: y}
"""
    found = edges(dot_text(compiled(spec)))
    assert "label=one" in found["header:mix", "mix.a"]
    assert "label=other" in found["header:mix", "mix.b"]


def test_what_runs_in_training_only_is_dashed():
    text = dot_text(compiled(INCEPTION))
    assert re.search(r'\[id="aux" style="rounded,filled,dashed"', text)
    assert text.count("training only") == 3  # the header, the output and the legend
    assert "style=dashed" in edges(text)["a.concat", "header:aux"]
    assert "(+ 41k in training)" in text


def test_the_heading_gives_costs_and_shapes():
    text = dot_text(compiled(RESIDUAL))
    assert "N×3×H×W → N×10" in text
    assert re.search(r"[\d.]+k params · [\d.]+M MACs at N = 1, H = 32, W = 32", text)


def test_a_hint_names_the_path_the_op_the_shapes_and_the_line():
    text = dot_text(compiled(LENET))
    assert r'tooltip="fc\nlinear 84\nsigmoid\nN×1176 → N×84\nnet.yaml:9"' in text


# where dot puts it


@needs_dot
def test_the_spine_is_straight():
    places = placed(compiled(RESIDUAL))
    spine = {path: place for path, place in places.items() if path != "layer2.0.down"}
    assert len({x for x, _ in spine.values()}) == 1
    assert places["layer2.0.down"][0] > places["layer2.0.conv1"][0] + 1


@needs_dot
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_branches_stand_in_order_around_the_spine(depth):
    places = placed(compiled(INCEPTION), depth=depth)
    heads = ["a.branch1.0", *("header:a.branch" + n for n in "234")]
    if depth == 1:
        heads = ["a.branch1.0", *("a.branch" + n for n in "234")]
    columns = [places[head][0] for head in heads]
    assert columns == sorted(columns)
    assert columns[1] < places["header:a"][0] == places["a.concat"][0] < columns[2]
    assert places["header:aux"][0] > places["header:b" if depth else "b"][0]


@needs_dot
def test_inputs_stand_side_by_side():
    places = placed(compiled(TWO))
    row = [places["input:" + name] for name in ("left", "right", "label")]
    assert row == sorted(row)
    assert len({y for _, y in row}) == 1
    assert places["input:left"][0] == places["a"][0]


@needs_dot
def test_cards_are_equally_wide():
    text = dot_text(compiled(RESIDUAL))
    done = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=True)
    nodes = [line.split(" ") for line in done.stdout.splitlines() if line.startswith("node ")]
    cards = [float(node[4]) for node in nodes if node[1] in ids(text) and float(node[4]) > 0.5]
    assert len(cards) > 12
    assert max(cards) - min(cards) < 0.03


def test_texts_are_taken_rather_too_wide():
    helvetica = dict.fromkeys("bdeghnopqu0123456789_", 556) | dict.fromkeys("ckvxyzs", 500) | dict.fromkeys("ijl", 222)
    helvetica |= {"a": 556, "m": 833, "w": 722, "r": 333, "t": 278, "f": 278, " ": 278, ".": 278, "·": 278, "/": 278}
    helvetica |= {"+": 584, "×": 584, "=": 584, "N": 722, "M": 833, "K": 667, "H": 722, "W": 944, ",": 278}
    for text in (
        "batch norm + relu",
        "N×64×28×28",
        "conv 3×3",
        "9.41k · 118M",
        "layer2.1",
        "64, /2",
        "fit_ill",
        "W×H",
    ):
        width = sum(helvetica[char] for char in text) / 1000
        assert width <= text_width(text, 1) <= 1.25 * width


@needs_dot
def test_a_chain_with_shapes_on_its_edges_is_straight():
    text = dot_text(compiled(LENET))
    done = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=True)
    assert len({line.split(" ")[2] for line in done.stdout.splitlines() if line.startswith("node ")}) == 1


@needs_dot
def test_from_left_to_right():
    places = placed(compiled(LENET), direction="LR")
    assert len({y for _, y in places.values()}) == 1
    assert [x for x, _ in places.values()] == sorted(x for x, _ in places.values())


@needs_dot
def test_a_long_network_goes_on_in_a_second_column():
    places = placed(compile_spec("resnet152"))
    left, right = places["input:image"], places["layer2"]
    assert right[1] == left[1]
    assert right[0] > max(x for path, (x, _) in places.items() if path.startswith("layer1")) + 1
    assert {x for path, (x, _) in places.items() if path in ("layer3", "layer4", "fc", "output:logits")} == {right[0]}
    assert "cluster_column" not in dot_text(compile_spec("resnet152"), direction="TB")


@needs_dot
@pytest.mark.parametrize("half", [3, 6, 12, 20])
def test_what_stands_side_by_side_stays_in_one_column(half):
    """An auxiliary head is joined to what comes after it by no edge."""
    steps = f"  - for: {{each: {{width: {[*range(8, 8 + half)]}}}, body: [linear: width, layer_norm]}}\n"
    aside = "  - side: {when: training, body: [layer_norm: {name: early}]}\n"
    ends = "outputs: {result: prev, early: {from: early, when: training}}\n"
    places = placed(compiled(f"netspec: 1\nname: net\ninputs: {{x: [N, 8]}}\nnetwork:\n{steps}{aside}{steps}{ends}"))
    assert places["early"][1] == places[str(2 * half + 1)][1]


@pytest.mark.parametrize("kind", [*map(installed, ("dot", "graphviz-pure"))])
@pytest.mark.parametrize("name", ["resnet152", "gpt2"])
def test_it_fits_a_page_at_a_readable_size(name, kind, monkeypatch):
    monkeypatch.setattr(render, "renderers", lambda _: [kind])
    svg = render.drawn(dot_text(compile_spec(name)), "svg").decode()
    width, height = map(int, re.search(r'width="(\d+)pt" height="(\d+)pt"', svg).groups())
    assert 11 * scale(width, height) >= 6  # points, of the titles of cards


def test_a_page_is_read_upright_or_turned():
    assert scale(*PAGE) == scale(*reversed(PAGE)) == scale(100, 100) == 1
    assert scale(2 * PAGE[0], PAGE[1]) == scale(PAGE[1], 2 * PAGE[0]) > 0.5


@pytest.mark.timing
def test_a_thousand_layers_take_no_time():
    conv = "{conv2d: {out_channels: 8 + i % 7, kernel_size: 1 + 2 * (i % 3), padding: 1, bias: i % 2 == 0}}"
    deep = body(f"- repeat: {{count: 500, index: i, body: [{conv}, relu]}}")
    for graph in (deep, compile_spec("preresnet1001")):
        with at_most(50):
            render.drawn(dot_text(graph), "svg")


# what comes out


@pytest.mark.parametrize(("name", "text"), [("lenet", LENET), ("residual", RESIDUAL), ("inception", INCEPTION)])
def test_golden(name, text, snapshot):
    snapshot(GOLDEN / f"diagram_{name}.dot", without_lines(dot_text(compiled(text))))


@pytest.mark.parametrize("name", ["gpt2", "rnn_attention", "unet"])
def test_golden_zoo(name, snapshot):
    snapshot(GOLDEN / f"diagram_{name}.dot", without_lines(dot_text(compile_spec(name))))


def without_lines(text):
    """The text without the lines of the spec: a line more in a spec is no other picture."""
    return re.sub(r"\.yaml:\d+", ".yaml", text)


def test_the_same_graph_gives_the_same_text_in_every_process():
    code = "import sys; from netspec.emit.diagram.dot import dot_text; from netspec.pipeline import compile_spec as c; "
    code += "sys.stdout.write(dot_text(c('googlenet')))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1


def test_no_path_of_this_machine_is_written():
    assert "/" not in re.sub(r"&[#\w]+;|</?\w+|/\d", "", dot_text(compiled(LENET)).replace("/>", ""))


@needs_dot
@pytest.mark.parametrize("hostile", HOSTILE, ids=repr)
def test_hostile_names_are_text(hostile):
    graph = compiled(RESIDUAL)
    level = graph.body.steps[1].body
    step = replace(graph.body.steps[0], name=hostile, named=True)
    call = replace(graph.body.steps[1], name=hostile, body=replace(level, title=hostile, input_names=(hostile,)))
    graph = replace(
        graph,
        name=hostile,
        body=replace(graph.body, steps=(step, call, *graph.body.steps[2:])),
        inputs={hostile: graph.inputs["image"]},
    )
    for depth in (None, 0, 3):
        text = dot_text(graph, depth=depth)
        done = subprocess.run(["dot", "-Tcanon"], input=text, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert not re.search(r"<b>x</b>", text.replace(f"<b>{hostile}</b>", ""))


def test_a_network_that_passes_its_input_on():
    graph = body("- identity")
    graph = replace(
        graph, outputs={"same": replace(next(iter(graph.outputs.values())), value=next(iter(graph.inputs.values())))}
    )
    assert ("input:x", "output:same") in edges(dot_text(graph))


class Attention(Op):
    """Stands for an op with inputs of different kinds and two outputs."""

    name = "attention"
    family = "sequence"
    ports = ("query", "key", "value")


def test_inputs_of_different_kinds_are_named_at_the_edges():
    graph = body(
        "- linear: {name: q, out_features: 8}\n"
        "- linear: {name: k, from: x, out_features: 8}\n"
        "- add: {name: a, from: [q, k, k]}",
        "x: [N, 8]",
    )
    steps = graph.body.steps
    graph = replace(graph, body=replace(graph.body, steps=(*steps[:2], replace(steps[2], op=Attention()))))
    found = edges(dot_text(graph))
    assert "label=query" in found["q", "a"]
    assert "label=key, value" in found["k", "a"]


def test_a_closed_level_says_what_it_holds():
    pair = "{sequential: {name: s, body: [{conv2d: {out_channels: 8, kernel_size: 1}}, {max_pool2d: 2}]}}"
    text = dot_text(body(f"- {pair}\n- relu"), depth=0)
    assert "conv 1×1 + max pool 2×2" in text
