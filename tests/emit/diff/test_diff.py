"""What differs between networks: zoo pairs, single edits, and what holds of any two."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from places import GOLDEN
from zoo.vision import models

from netspec.diagnostics import Source
from netspec.emit.diff import Diff
from netspec.graph import Graph, walk_state
from netspec.pipeline import compile_loaded, compile_spec, load_source
from netspec.runtime.module import build_module

PAIRS = [
    ("resnet18", "resnet34", 80),
    ("resnet34", "resnet50", 80),
    ("resnet34", "resnet50", 120),
    ("vgg11", "vgg11_bn", 80),
    ("alexnet", "alexnet_torchvision", 80),
    ("densenet121", "densenet169", 80),
]


def network(text: str, name: str = "net", head: str = "") -> Graph:
    inputs = "" if "inputs:" in head else "inputs: {x: [N, 3, 8, 8]}\n"
    return compile_loaded(load_source(Source("net.yaml", f"netspec: 1\nname: {name}\n{inputs}{head}network:\n{text}")))


def diff(old: str, new: str, before: str = "", after: str | None = None) -> Diff:
    return Diff(network(old, head=before), network(new, head=before if after is None else after))


def facets(found: Diff) -> dict[str, dict[str, tuple[Any, Any]]]:
    """Path to facet to its values, of all that is an edit of its own."""

    def walk(changes):
        for change in changes:
            own = {facet.name: (facet.old, facet.new) for facet in change.facets if facet.own}
            if own:
                yield change.path, own
            yield from walk(change.inner)

    return dict(walk(found.changes))


def paths(found: Diff, kind: str) -> list[str]:
    def walk(changes):
        for change in changes:
            if change.kind == kind:
                yield change.path
            yield from walk(change.inner)

    return list(walk(found.changes))


@pytest.mark.parametrize(("old", "new", "width"), PAIRS)
def test_the_text_of_zoo_pairs(old: str, new: str, width: int, snapshot):
    text = Diff(compile_spec(old), compile_spec(new)).text(width) + "\n"
    snapshot(GOLDEN / f"diff_{old}_{new}_{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", [48, 60, 80, 100, 160])
def test_no_line_is_longer_than_asked(width: int):
    for old, new, _ in PAIRS:
        text = Diff(compile_spec(old), compile_spec(new)).text(width)
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.slow
@pytest.mark.parametrize("width", [60, 80, 120])
def test_ascii_is_ascii(width: int):
    for old, new, _ in [*PAIRS, ("resnet18", "gpt2", 0), ("resnet18", "resnet18", 0)]:
        text = Diff(compile_spec(old), compile_spec(new)).text(width, ascii=True)
        assert text.isascii()
        assert max(map(len, text.splitlines())) <= width


def test_colours_are_signs_around_the_same_text():
    found = Diff(compile_spec("resnet18"), compile_spec("vgg11"))
    coloured = found.text(80, colour=True)
    assert "\x1b[32m" in coloured
    assert "\x1b[31m" in coloured
    assert re.sub(r"\x1b\[[0-9]*m", "", coloured) == found.text(80)


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "vit_b_16", "unet", "densenet121", "gpt2"])
def test_a_network_does_not_differ_from_itself(name: str):
    found = Diff(compile_spec(name), compile_spec(name))
    assert found.is_empty
    assert found.text() == f"{name} → {name}: no difference"
    assert json.loads(found.to_json())["equal"] is True


def state(name: str) -> dict[str, list[int]]:
    with torch.device("meta"):
        built = models.get_model(name, weights=None)
    return {key: list(value.shape) for key, value in built.state_dict().items()}


@pytest.mark.parametrize(
    ("old", "new"), [("vgg11", "vgg11_bn"), ("resnet18", "resnet34"), ("resnet34", "resnet50"), ("vgg13", "vgg19")]
)
def test_the_keys_are_torchvisions(old: str, new: str):
    keys = json.loads(Diff(compile_spec(old), compile_spec(new)).to_json())["keys"]
    before, after = state(old), state(new)
    gone = {*keys["kept"], *keys["reshaped"], *keys["renamed"], *keys["removed"]}
    come = [*keys["kept"], *keys["reshaped"], *keys["renamed"].values(), *keys["added"]]
    assert gone == before.keys()
    assert sorted(come) == sorted(after)
    assert all(before[key] == shape for key, shape in keys["removed"].items())
    assert all(after[key] == shape for key, shape in keys["added"].items())
    assert all([before[key], after[key]] == shapes for key, shapes in keys["reshaped"].items())
    assert all(before[key] == after[key] for key in keys["kept"])
    assert all(before[key] == after[other] for key, other in keys["renamed"].items())


STATEFUL = """\
  - conv2d: {name: stem, out_channels: 3, kernel_size: 1}
  - batch_norm2d
  - batch_norm2d: {name: plain, affine: false}
  - batch_norm2d: {name: measured, track_running_stats: false}
  - instance_norm2d: {name: tracked, track_running_stats: true}
  - share: {step: stem, name: again}
  - conv2d: {name: tied, out_channels: 3, kernel_size: 1, tie: {weight: stem.weight}}
  - parameter: {name: scale, shape: [3, 1, 1]}
  - multiply: {from: [tied, scale]}
"""


@pytest.mark.parametrize(
    "graph",
    [lambda: network(STATEFUL), lambda: compile_spec("resnet18"), lambda: compile_spec("lstm_lm_gates")],
    ids=["stateful", "resnet18", "lstm_lm_gates"],
)
def test_the_keys_are_those_of_the_module(graph: Any):
    compiled = graph()
    state = build_module(compiled).state_dict()
    assert dict(walk_state(compiled.body)) == {key: tuple(value.shape) for key, value in state.items()}


def test_vgg_finds_its_convolutions_again_behind_batch_norm():
    keys = Diff(compile_spec("vgg11"), compile_spec("vgg11_bn")).keys

    def convolutions(name: str) -> list[str]:
        return [key for key, shape in state(name).items() if len(shape) == 4]

    carried = {key: key for key in keys.kept} | {old: new for old, new, _ in keys.renamed}
    assert [carried[key] for key in convolutions("vgg11")] == convolutions("vgg11_bn")


def test_an_equal_shape_alone_is_no_rename():
    """AlexNet's last convolution has the shape of torchvision's last but one, among others that have changed."""
    keys = Diff(compile_spec("alexnet"), compile_spec("alexnet_torchvision")).keys
    assert {old.partition(".")[0]: new.rpartition(".")[0] for old, new, _ in keys.renamed} == {
        "14": "classifier.1",
        "17": "classifier.4",
        "20": "classifier.6",
    }
    assert keys.removed["10.weight"] == keys.added["features.8.weight"] == (256, 384, 3, 3)


CONVS = "  - conv2d: {{name: {}, out_channels: 8, kernel_size: 3, padding: 1}}\n"
HEAD = "  - global_avg_pool\n  - linear: {name: head, out_features: 10}\n"


def test_a_rename():
    found = diff(CONVS.format("stem") + HEAD, CONVS.format("first") + HEAD)
    assert facets(found) == {"first": {"name": ("stem", "first")}}
    assert [(old, new) for old, new, _ in found.keys.renamed] == [
        ("stem.weight", "first.weight"),
        ("stem.bias", "first.bias"),
    ]
    assert not found.keys.added
    assert not found.keys.removed


def test_a_renamed_level_takes_its_keys_along():
    block = "  - sequential:\n      name: {}\n      body:\n      - conv2d: {{out_channels: 4, kernel_size: 1}}\n"
    found = diff(block.format("body") + HEAD, block.format("features") + HEAD)
    assert {old: new for old, new, _ in found.keys.renamed} == {
        "body.0.weight": "features.0.weight",
        "body.0.bias": "features.0.bias",
    }
    assert "~ body.* → features.*  2 keys" in found.text()


def test_what_moves_into_a_level_keeps_its_parameters():
    inside = "  - sequential:\n      name: top\n      body:\n      - global_avg_pool\n"
    inside += "      - linear: {name: head, out_features: 10}\n"
    found = diff(CONVS.format("stem") + HEAD, CONVS.format("stem") + inside)
    assert {old: new for old, new, _ in found.keys.renamed} == {
        "head.weight": "top.head.weight",
        "head.bias": "top.head.bias",
    }
    assert found.keys.kept == ["stem.weight", "stem.bias"]


def test_one_of_several_that_fit_is_not_called_renamed():
    """Two layers of one shape, either of which the old one may have become."""
    twice = CONVS.format("stem") + CONVS.format("b") + CONVS.format("c")
    found = diff(CONVS.format("stem") + CONVS.format("a") + HEAD, twice + HEAD)
    assert found.keys.renamed == []
    assert set(found.keys.removed) == {"a.weight", "a.bias"}
    assert set(found.keys.added) == {"b.weight", "b.bias", "c.weight", "c.bias"}
    assert paths(found, "removed") == ["a"]
    assert paths(found, "added") == ["b", "c"]


def test_a_reshape():
    found = diff(HEAD, HEAD.replace("10", "5"))
    assert facets(found) == {"head": {"out_features": (10, 5)}}
    assert [tuple(each) for each in found.keys.reshaped] == [
        ("head.weight", (10, 3), (5, 3)),
        ("head.bias", (10,), (5,)),
    ]
    assert [entry.name for entry in found.sections["output"]] == ["output"]


def test_what_follows_is_not_an_edit():
    found = diff(
        CONVS.format("stem") + "  - relu\n" + HEAD, CONVS.format("stem").replace("8", "16") + "  - relu\n" + HEAD
    )
    assert facets(found) == {"stem": {"out_channels": (8, 16)}}
    assert paths(found, "follows") == ["1", "2", "head"]


def test_a_change_in_every_turn_is_said_once():
    turns = "  - repeat:\n      name: stage\n      count: 5\n      body:\n"
    turns += "      - conv2d: {out_channels: 3, kernel_size: 3, padding: 1}\n      - relu\n"
    text = diff(turns + HEAD, turns.replace("relu", "gelu") + HEAD).text()
    assert text.count("was relu") == 1
    assert "0–4 ×5" in text


TWO = "  - conv2d: {name: a, out_channels: 3, kernel_size: 1, from: x}\n"
TWO += "  - conv2d: {name: b, out_channels: 3, kernel_size: 1, from: x}\n"
SUM = TWO + "  - add: {name: both, from: [a, b]}\n"


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            TWO + "  - concat: {from: [a, b]}\n",
            TWO + "  - concat: {from: [b, a]}\n",
            {"2": {"reads": ("a, b", "b, a")}},
        ),
        (TWO + "  - add: {from: [a, b]}\n", TWO + "  - add: {from: [a, x]}\n", {"2": {"reads": ("a, b", "a, x")}}),
        (
            TWO,
            TWO.replace("name: b,", "name: b, tie: {weight: a.weight},"),
            {"b": {"tie of weight": (None, "a.weight")}},
        ),
        (
            "  - conv2d: {out_channels: 3, kernel_size: 1}\n  - dropout: 0.5\n",
            "  - conv2d: {out_channels: 3, kernel_size: 1, bias: false}\n  - dropout: 0.1\n",
            {"0": {"bias": (True, False)}, "1": {"p": (0.5, 0.1)}},
        ),
        ("  - relu\n", "  - gelu\n", {"0": {"op": ("relu", "gelu")}}),
        (
            "  - linear: {name: a, out_features: 8}\n  - linear: {name: b, out_features: 8}\n  - add: {from: [a, b]}\n",
            "  - linear: {name: a, out_features: 8}\n  - share: {step: a, name: b}\n  - add: {from: [a, b]}\n",
            {"b": {"shares": (None, "a")}},
        ),
    ],
)
def test_edits_that_sizes_do_not_show(old: str, new: str, expected: dict[str, Any]):
    head = "inputs: {x: [N, 8]}\n" if "share" in new else ""
    assert facets(diff(old, new, head)) == expected
    mirrored = {path: {name: values[::-1] for name, values in each.items()} for path, each in expected.items()}
    assert facets(diff(new, old, head)) == mirrored


@pytest.mark.parametrize(
    ("old", "new", "section", "entry"),
    [
        ("outputs: {y: a, z: both}\n", "outputs: {y: b, z: both}\n", "output", ("y", "N×3×8×8 of a", "N×3×8×8 of b")),
        ("outputs: {y: a}\n", "outputs: {y: a, z: b}\n", "output", ("z", None, "N×3×8×8")),
        ("init: {a.weight: zeros}\n", "init: {a.weight: ones}\n", "init", ("a.weight", "zeros", "ones")),
        ("params: {depth: 1}\n", "params: {depth: 2}\n", "parameter", ("depth", "1", "2")),
        ("dims: {N: 1}\n", "dims: {N: 4}\n", "size", ("N", "1", "4")),
        (
            "inputs: {x: [N, 3, 8, 8]}\n",
            "inputs: {x: [N, 3, 8, 8], mask: {shape: [N], optional: true}}\n",
            "input",
            ("mask", None, "N, optional"),
        ),
    ],
)
def test_what_is_around_the_layers(old: str, new: str, section: str, entry: tuple[str, str | None, str | None]):
    found = diff(SUM, SUM, old, new)
    assert [tuple(each) for each in found.sections[section]] == [entry]
    assert not found.is_empty
    assert " → ".join(filter(None, entry[1:])) in found.text()


def test_quoted_sizes_change_every_cost_and_no_key():
    found = diff(SUM, SUM, "dims: {N: 1}\n", "dims: {N: 4}\n")
    assert facets(found) == {}
    assert paths(found, "follows") == ["a", "b"]
    assert found.keys.is_empty


def test_a_scan_is_compared_inside():
    scan = """\
  - scan:
      name: scan
      over: {word: x}
      state: {s: [N, 4]}
      body:
        - gru_cell: {name: cell, hidden_size: 4, state: s}
        - linear: {name: out, out_features: 5}
      next: {s: cell}
"""
    head = "dims: {T: 7}\ninputs: {x: [N, T, 3]}\n"
    found = diff(scan, scan.replace("out_features: 5", "out_features: 6"), head)
    assert facets(found) == {"scan.out": {"out_features": (5, 6)}}
    assert found.totals[1].macs - found.totals[0].macs == 7 * 4


def record(found: Diff, turned: bool = False) -> dict[str, Any]:
    """What the JSON says, without order; ``turned`` as it should be in the other direction."""
    made = json.loads(found.to_json())
    keys, rows = made["keys"], made["rows"]
    side = -1 if turned else 1
    gone, come = ("removed", "added")[::side]
    changed = [
        (
            *(row.get("was", row["path"]), row["path"])[::side],
            row["follows"],
            {name: values[::side] for name, values in row["changes"].items()},
            row["params"][::side],
            row["macs"][::side],
        )
        for row in rows["changed"]
    ]
    return {
        "networks": [made["old"], made["new"]][::side],
        "totals": {name: pair[::side] for name, pair in made["totals"].items()},
        "around": [
            sorted((each["name"], *map(str, [each["old"], each["new"]][::side])) for each in made[name])
            for name in ("parameters", "inputs", "outputs", "init", "sizes")
        ],
        "gone": sorted(rows[gone], key=lambda row: row["path"]),
        "come": sorted(rows[come], key=lambda row: row["path"]),
        "changed": sorted(changed, key=str),
        "keys": (sorted(keys["kept"]), keys[gone], keys[come]),
        "reshaped": {key: pair[::side] for key, pair in keys["reshaped"].items()},
        "renamed": sorted(pair[::side] for pair in keys["renamed"].items()),
    }


@pytest.mark.parametrize(
    ("old", "new"),
    list(pairwise(("lenet", "alexnet", "resnet18", "resnet50", "unet", "vit_b_16", "gpt2", "vgg11", "vgg19_bn"))),
)
def test_the_other_direction_is_the_mirror_image(old: str, new: str):
    forth, back = Diff(compile_spec(old), compile_spec(new)), Diff(compile_spec(new), compile_spec(old))
    assert record(forth, turned=True) == record(back)
    assert record(forth) != record(back)


OPS = {
    "conv2d": "{{name: {}, out_channels: 3, kernel_size: 3, padding: 1}}",
    "batch_norm2d": "{{name: {}}}",
    "relu": "{{name: {}}}",
    "dropout": "{{name: {}, p: 0.5}}",
}
STEPS = st.lists(st.tuples(st.sampled_from(sorted(OPS)), st.booleans()), min_size=2, max_size=7)


def written(steps: list[tuple[str, str, bool]], **instead: str) -> str:
    """Steps as (op, name, grouped) in YAML; those that are grouped stand in a level of their own, ``in_NAME``."""
    lines = []
    for op, name, grouped in steps:
        step = instead.get(name) or f"{op}: {OPS[op].format(name)}"
        group = f"sequential: {{name: in_{name}, body: [{{{step}}}, tanh]}}"
        lines.append(f"  - {group if grouped else step}\n")
    return "".join(lines)


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(STEPS, st.data())
def test_a_single_edit_is_named(kinds: list[tuple[str, bool]], data: st.DataObject):
    steps = [(op, f"s{at}", grouped) for at, (op, grouped) in enumerate(kinds)]
    old = network(written(steps))
    at = data.draw(st.integers(0, len(steps) - 1))
    op, name, grouped = steps[at]
    path = f"in_{name}.{name}" if grouped else name
    edits = [
        "insert",
        "delete",
        "rename",
        *{"conv2d": ["argument"], "dropout": ["argument"], "relu": ["swap"]}.get(op, []),
    ]
    match data.draw(st.sampled_from(edits)):
        case "insert":
            new = network(written([*steps[:at], ("conv2d", "extra", False), *steps[at:]]))
            expected = {"added": ["extra"]}
        case "delete":
            new = network(written([*steps[:at], *steps[at + 1 :]]))
            expected = {"removed": [f"in_{name}" if grouped else name]}
        case "rename":
            new = network(written(steps, **{name: f"{op}: {OPS[op].format('other')}"}))
            expected = {
                "changed": {path.replace(f".{name}", ".other") if grouped else "other": {"name": (name, "other")}}
            }
        case "swap":
            new = network(written(steps, **{name: f"gelu: {{name: {name}}}"}))
            expected = {"changed": {path: {"op": ("relu", "gelu")}}}
        case _:
            wanted = {"conv2d": ("3, padding: 1", "1, padding: 0"), "dropout": ("0.5", "0.1")}[op]
            new = network(written(steps, **{name: f"{op}: {OPS[op].format(name).replace(*wanted)}"}))
            values = {
                "conv2d": {"kernel_size": (3, 1), "padding": (1, 0)},
                "dropout": {"p": (0.5, 0.1)},
            }
            expected = {"changed": {path: values[op]}}
    found, back = Diff(old, new), Diff(new, old)
    assert not found.is_empty
    assert paths(found, "added") == expected.get("added", [])
    assert paths(found, "removed") == expected.get("removed", [])
    assert facets(found) == expected.get("changed", {})
    assert record(found, turned=True) == record(back)
    assert Diff(new, network(written(steps))).totals == back.totals
    assert Diff(new, new).is_empty


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(STEPS, STEPS)
def test_any_two_networks(old: list[tuple[str, bool]], new: list[tuple[str, bool]]):
    """Unnamed and equal steps leave much open: still both directions agree, and every key is accounted for once."""
    texts = ["".join(f"  - {OPS_UNNAMED[op]}\n" for op, _ in steps) for steps in (old, new)]
    found, back = diff(*texts), diff(*texts[::-1])
    assert record(found, turned=True) == record(back)
    assert found.is_empty == (texts[0] == texts[1])
    keys = found.keys
    assert len(keys.kept) + len(keys.renamed) + len(keys.reshaped) + len(keys.removed) == len(_keys(texts[0]))
    assert len(keys.kept) + len(keys.renamed) + len(keys.reshaped) + len(keys.added) == len(_keys(texts[1]))


OPS_UNNAMED = {
    "conv2d": "conv2d: {out_channels: 3, kernel_size: 3, padding: 1}",
    "batch_norm2d": "batch_norm2d",
    "relu": "relu",
    "dropout": "dropout: 0.5",
}


def _keys(text: str) -> list[str]:
    return [key for key, _ in walk_state(network(text).body)]


def test_rows_too_many_to_weigh_are_matched_by_name():
    steps = [f"  - linear: {{name: l{at}, out_features: 3}}\n" for at in range(1300)]
    changed = ["  - relu\n", *steps[:600], "  - linear: {name: new, out_features: 3}\n", *steps[600:], "  - relu\n"]
    head = "inputs: {x: [N, 3]}\n"
    old = "  - gelu\n" + "".join(steps) + "  - gelu\n"
    found = diff(old, "".join(changed), head)
    assert [path for path in paths(found, "added") if path.startswith("n")] == ["new"]
    assert len(found.keys.kept) == 2600
