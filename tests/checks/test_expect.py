"""Budgets: which layers are named where one is broken, and that together they weigh what the network does."""

from __future__ import annotations

import pytest

from netspec.analysis.batch_fit import parse_memory
from netspec.checks.check import check_loaded
from netspec.checks.expect import count_macs, mac_layers, parameter_layers
from netspec.diagnostics import Diagnostic, Source
from netspec.emit.table.footer import short_bytes
from netspec.pipeline import compile_loaded, compile_spec, load_source
from netspec.text.quantities import quantity

SCAN = """\
netspec: 1
name: decoder
dims: {N: 2, T: 7}
inputs: {words: [N, T, 16]}
network:
  - scan:
      name: scan
      over: {word: words}
      state: {s: [N, 8]}
      body:
        - linear: {name: embed, out_features: 8, from: word}
        - gru_cell: {name: cell, hidden_size: 8, state: s}
        - linear: 5
      next: {s: cell}
  - linear: {name: twice, out_features: 5}
  - share: {step: twice}
outputs: {logits: prev}
"""
NET = """\
netspec: 1
name: net
inputs: {{image: [N, 3, 8, 8]}}
network:
  - conv2d: {{name: stem, out_channels: 4, kernel_size: 3, bias: false}}
  - flatten
  - linear: {{name: head, out_features: 10}}
expect: {expect}
"""


def found(expect: str) -> list[Diagnostic]:
    return list(check_loaded(load_source(Source("net.yaml", NET.format(expect=expect)))).diagnostics)


@pytest.mark.parametrize("name", ["resnet50", "googlenet", "unet", "mobilenet_v2", "scan"])
def test_the_layers_together_weigh_what_the_network_does(name: str):
    graph = compile_loaded(load_source(Source("scan.yaml", SCAN))) if name == "scan" else compile_spec(name)
    assert sum(each.weight for each in parameter_layers(graph).values()) == graph.body.parameter_count
    assert sum(each.weight for each in mac_layers(graph).values()) == count_macs(graph)


def test_layers_that_are_one_are_named_once():
    graph = compile_spec("resnet34")
    layers = {each.path: each for each in parameter_layers(graph).values()}
    assert layers["layer3.1.conv2"].count == 5
    assert layers["layer3.1.conv2"].weight == 5 * 256 * 256 * 3 * 3


# The stem learns 3·4·3·3 = 108 numbers, the head 4·6·6·10 + 10 = 1450: 1558 in all, 6232 bytes as float32.
@pytest.mark.parametrize(
    ("expect", "message"),
    [
        ("{weights: {max: 6231B}}", "net: weights as float32 are 6,232 bytes, but must be at most 6,231"),
        ("{weights: {max: 6.2KB}}", "net: weights as float32 are 6,232 bytes, but must be at most 6,200"),
        ("{weights: {max: 6 KiB}}", "net: weights as float32 are 6,232 bytes, but must be at most 6,144"),
        ("{weights: {min: 1MB}}", "net: weights as float32 are 6,232 bytes, but must be at least 1,000,000"),
        ("{weights: {max: 6.1 kB}}", "net: weights as float32 are 6,232 bytes, but must be at most 6,100"),
        ("{weights: {max: 6k}}", "net: weights as float32 are 6,232 bytes, but must be at most 6,000"),
        ("{weights: 6231 bytes}", "net: weights as float32 are 6,232 bytes, not 6,231"),
        ("{params: 1.5 k}", "net: parameters are 1,558, not 1,500"),
        ("{params: {max: 1kB}}", "a count has no unit of bytes"),
        ("{weights: {max: 6 kb}}", "`6 kb` has an unknown unit"),
        ("{macs: {max: 5 Mio}}", "`5 Mio` has an unknown unit"),
        ("{weights: 4 * 1557}", "net: weights as float32 are 6,232 bytes, not 6,228"),
    ],
)
def test_weights_in_bytes(expect: str, message: str):
    assert [each.message for each in found(expect)] == [message]


@pytest.mark.parametrize(
    "bound", ["6232B", "6.232KB", "7KiB", "4 * 1558", "1MB", "1GiB", "7 kB", "7kB", "7 kiB", "1 TB", "6.3 k"]
)
def test_a_budget_that_is_kept(bound: str):
    assert found(f"{{weights: {{max: {bound}}}}}") == []


def test_a_number_with_commas_is_what_the_table_prints():
    text = NET.format(expect="\n  params: 1,558\n  weights: 6,232 bytes")
    assert not check_loaded(load_source(Source("net.yaml", text))).diagnostics


def test_what_the_table_prints_can_be_expected():
    for count in (0, 999, 1_234, 61_706, 1_234_567, 98_765_432, 12_345_678_901):
        shown = short_bytes(count)
        assert quantity(shown, of_bytes=True) == pytest.approx(count, rel=5e-3)
        assert parse_memory(shown) == quantity(shown, of_bytes=True) if count else True


def test_a_broken_budget_names_the_heaviest_and_a_floor_does_not():
    (broken,) = found("{params: {max: 1K}}")
    assert broken.notes == ("93.1% in head (linear 10): 1,450", " 6.9% in stem (conv2d 3×3, 4): 108")
    (low,) = found("{params: {min: 2K}}")
    assert low.notes == ()
