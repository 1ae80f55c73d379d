"""Networks of the zoo there and back: each kind of structure once. ``benchmarks/round_trip.py`` tries them all."""

from __future__ import annotations

import pytest
from importer.round_trip import file_and_back, lines_of, lines_of_zoo, module_and_back, parting

import netspec

PARALLEL = ("googlenet_d2l", {})
RESIDUAL = ("resnet", {"depths": [1, 2, 1, 1]})

RECURRENT = ("gru_lm", {"hidden": 8})
POSITIONS = ("gpt2", {"vocab": 9, "width": 8, "heads": 2, "layers": 2})
OPTIONAL_INPUT = ("lstm_classifier", {})
ROTARY = ("llama", {"vocab": 9, "width": 16, "heads": 2, "groups": 1, "hidden": 8, "layers": 2})
MASKS = ("transformer_dates", {"width": 16, "layers": 2})
CELL = pytest.param("lstm_lm_gates", {"hidden": 8}, marks=pytest.mark.slow)
ATTENTIVE_CELL = ("rnn_self_attention", {"hidden": 8})
STATE_SPACE = ("mamba", {"vocab": 9, "layers": 2, "width": 16})
DISTANCES = ("t5", {"vocab": 9, "width": 16, "heads": 2, "hidden": 8, "layers": 2})


@pytest.mark.parametrize(
    ("name", "params"), [("gcn", {}), PARALLEL, RESIDUAL, RECURRENT, OPTIONAL_INPUT, POSITIONS, ROTARY, MASKS, CELL]
)
def test_a_module_comes_back_as_the_graph_that_it_was_made_of(name, params):
    model = netspec.load(name, **params)
    spec = module_and_back(model)
    assert parting(model.graph, spec.model.graph) == ""
    assert lines_of(spec.text) <= 1.5 * lines_of_zoo(name)


TIES = ("t5", {"vocab": 9, "width": 8, "heads": 2, "hidden": 8, "layers": 1})


@pytest.mark.parametrize(("name", "params"), [TIES, POSITIONS, ROTARY, MASKS, ATTENTIVE_CELL, STATE_SPACE])
def test_a_file_comes_back_as_the_graph_that_it_was_written_of(name, params, tmp_path):
    model = netspec.load(name, **params)
    spec = file_and_back(model, tmp_path)
    assert parting(model.graph, spec.model.graph) == ""
    assert spec.model.graph.sizes == model.graph.sizes


@pytest.mark.slow
def test_ties_and_biases_by_distance_come_back():
    name, params = DISTANCES
    model = netspec.load(name, **params)
    assert parting(model.graph, module_and_back(model).model.graph) == ""


def test_the_first_difference_is_told():
    graphs = [netspec.load("resnet", depths=[1, 1, 1, 1], channels=count).graph for count in (3, 1)]
    assert parting(*graphs) == "input image: [N, 3, H, W] came back as [N, 1, H, W]"
