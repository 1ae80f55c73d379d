"""Parameters and multiply-accumulates of every zoo network, against the module that it becomes."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from zoo.networks import FORMS, compiled, meta_inputs, on_meta

from netspec.dims import evaluate


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_parameters_are_those_of_the_module(name: str) -> None:
    graph, _ = compiled(name)
    assert graph.body.parameter_count == sum(parameter.numel() for parameter in on_meta(name).parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_macs_are_those_that_torch_counts(name: str) -> None:
    graph, _ = compiled(name)
    module = on_meta(name).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        module(*meta_inputs(graph, graph.sizes))
    assert 2 * evaluate(graph.body.macs, graph.sizes) == counted.get_total_flops()
