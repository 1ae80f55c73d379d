"""Variants share what they have in common, and come out as they would alone."""

from __future__ import annotations

import pytest

from netspec import zoo
from netspec.checks.check import check_loaded
from netspec.checks.expect import count_macs
from netspec.diagnostics import Source
from netspec.dims import evaluate
from netspec.elaborate import ElaborationCache
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.pipeline import compile_loaded, load_source, load_spec

COMMON = ElaborationCache()
"""What the specs of the zoo share, as in one run of `netspec check`."""

LARGE = {"resnet1202", "resnet_cifar", "preresnet1001"}


@pytest.mark.slow
@pytest.mark.parametrize("path", zoo.files(), ids=lambda path: path.stem)
def test_a_variant_is_what_it_is_alone(path):
    loaded = load_spec(path)
    together = check_loaded(loaded, common=COMMON).graphs
    assert list(together) == loaded.variants
    for variant, graph in together.items():
        if variant in LARGE:
            continue
        alone = compile_loaded(loaded, variant=variant)
        assert ShapeTable(graph).to_json() == ShapeTable(alone).to_json()
        assert graph.requirements == alone.requirements
        assert graph.sizes == alone.sizes
        assert emit_source(graph).text == emit_source(alone).text
        assert count_macs(graph) == evaluate(alone.body.macs, alone.sizes)


DEEP = """
netspec: 1
name: it
params: {width: 4, inner: narrow, rows: 8}
variants:
  it:
  wider: {width: 6}
  other: {inner: wide}
  taller: {rows: 9}
inputs: {x: [N, 3, rows, W]}
blocks:
  outer: {body: [middle]}
  middle: {body: [$inner]}
  narrow: {body: [conv2d: {out_channels: width, kernel_size: 3}]}
  wide: {body: [conv2d: {out_channels: 2 * width, kernel_size: 3}]}
network: [outer]
"""


def test_a_block_is_shared_only_where_all_that_it_names_is_equal():
    graphs = check_loaded(load_source(Source("it.yaml", DEEP))).graphs
    assert {name: graph.outputs["output"].value.shape[1:3] for name, graph in graphs.items()} == {
        "it": (4, 6),
        "wider": (6, 6),
        "other": (8, 6),
        "taller": (4, 7),
    }
    for graph in graphs.values():  # what the width must be is told of each
        assert len(graph.requirements) == 1


def test_a_fault_in_a_block_is_found_in_each_variant():
    text = DEEP.replace("kernel_size: 3}]}\n  wide", "kernel_size: 9}]}\n  wide")
    found = check_loaded(load_source(Source("it.yaml", text)))
    assert list(found.graphs) == ["other", "taller"]
    assert [each.id for each in found.diagnostics] == ["shape-mismatch"]


def test_what_a_shared_block_requires_is_checked_at_the_sizes_of_each_variant():
    text = DEEP.replace("inputs:", "dims: {W: {default: width}}\ninputs:").replace("width: 6", "width: 2")
    text = text.replace("out_channels: width", "out_channels: 5")
    found = check_loaded(load_source(Source("it.yaml", text)))
    assert list(found.graphs) == ["it", "other", "taller"]
    assert [(each.id, each.primary.span.line) for each in found.diagnostics] == [("shape-mismatch", 15)]
