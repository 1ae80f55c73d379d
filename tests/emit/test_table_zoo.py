"""The shape tables of the zoo. ``NETSPEC_GOLDEN=write`` writes the golden files anew: look at them then."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from netspec import zoo
from netspec.emit.table import ShapeTable
from netspec.pipeline import compile_loaded, compile_spec, load_spec

GOLDEN = Path(__file__).parent.parent / "golden"


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
        ("rnn_attention", 80),
        ("rnn_attention", 120),
    ],
)
def test_text_is_as_in_the_golden_file(name, width):
    golden = GOLDEN / f"table_{name}_{width}.txt"
    text = ShapeTable(compile_spec(name)).text(width) + "\n"
    if os.environ.get("NETSPEC_GOLDEN") == "write":
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")


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


def test_deep_networks_fit_in_two_screenfuls():
    for name in ("resnet50", "resnet152", "resnet1202", "preresnet1001"):
        assert str(ShapeTable(compile_spec(name))).partition("\nparameters")[0].count("\n") <= 100
