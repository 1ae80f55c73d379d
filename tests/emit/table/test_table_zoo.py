"""The shape tables of the zoo, whole."""

from __future__ import annotations

import pytest
from places import GOLDEN

from netspec import zoo
from netspec.analysis.costs import Costs
from netspec.emit.table import ShapeTable
from netspec.pipeline import compile_loaded, compile_spec, load_spec
from netspec.view.lines import Fold, View, table_lines


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("lenet", 80),
        ("resnet18", 80),
        ("resnet18", 120),
        ("resnet50", 80),
        ("googlenet", 80),
        ("lstm_lm_gates", 80),
        ("lstm_classifier", 80),
        ("unet", 80),
        ("unet", 120),
        ("densenet121", 80),
        ("inception_v3", 80),
        ("mobilenet_v2", 80),
        ("gpt2", 80),
        ("gpt2", 120),
        ("bert", 80),
        ("llama", 80),
        ("vit", 80),
        ("transformer", 80),
        ("seq2seq", 80),
        ("rnn_attention", 80),
        ("rnn_attention", 120),
    ],
)
def test_text_is_as_in_the_golden_file(name, width, snapshot):
    snapshot(GOLDEN / f"table_{name}_{width}.txt", ShapeTable(compile_spec(name)).text(width) + "\n")


@pytest.mark.slow
@pytest.mark.parametrize("path", zoo.files(), ids=lambda path: path.stem)
def test_every_table_keeps_its_width_and_adds_up(path):
    loaded = load_spec(path)
    for variant in loaded.variants:
        made = ShapeTable(compile_loaded(loaded, variant=variant))
        assert made.params == sum(row.params for row in made) == made.graph.body.parameter_count
        assert made.macs == sum(row.macs for row in made if not row.training)
        for width in (60, 80, 120):
            lines = made.text(width).split("\n")
            assert max(map(len, lines)) <= width
            assert any(f"{made.params:,}" in line for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize("path", zoo.files(), ids=lambda path: path.stem)
@pytest.mark.parametrize("fold", Fold)
def test_the_lines_that_stand_outermost_add_up(path, fold):
    for graph in (
        compile_loaded(loaded, variant=variant) for loaded in [load_spec(path)] for variant in loaded.variants
    ):
        lines = [line for line in table_lines(graph, Costs(graph.sizes), View(fold)) if not line.guides]
        assert sum(line.params * line.count for line in lines) == graph.body.parameter_count
        macs = sum(line.macs * line.count for line in lines if not line.training)
        assert macs == Costs(graph.sizes).of(graph.body).macs


def test_deep_networks_fit_in_two_screenfuls():
    for name in ("resnet50", "resnet152", "resnet1202", "preresnet1001"):
        assert str(ShapeTable(compile_spec(name))).partition("\nparameters")[0].count("\n") <= 100
