"""Buffers: tensors that a state dict has and training leaves alone, in a module, its graph, ONNX and the analyses."""

from __future__ import annotations

from pathlib import Path

import torch
from places import CASES

import netspec
from netspec.analysis.memory import Memory
from netspec.dims import evaluate
from netspec.graph import walk_state
from netspec.runtime.interpret import check_module
from netspec.runtime.onnx.verify import compare_onnx, export_verified

MODEL = netspec.load(CASES / "passing" / "buffer.yaml")
KEYS = ["first.places", "first.origin-0", "second.origin-0", "third.origin-0", "index", "head.weight", "head.bias"]


def test_a_state_dict_has_those_that_persist() -> None:
    module = MODEL.module()
    state = module.state_dict()
    assert {*state} == {*KEYS}
    assert {key: tuple(each.shape) for key, each in state.items()} == dict(walk_state(MODEL.graph.body))
    assert [name for name, _ in module.named_parameters()] == ["head.weight", "head.bias"]
    assert MODEL.graph.body.parameter_count == 2 * 2 + 2
    assert state["index"].tolist() == [3, 1]
    assert state["index"].dtype == torch.int64
    assert dict(module.named_buffers())["third.places"].tolist() == [0, 2, 4, 6]


def test_a_checkpoint_changes_what_the_module_and_its_onnx_file_compute(tmp_path: Path) -> None:
    module = MODEL.module().eval()
    x = torch.zeros(2, 4)
    picked = torch.tensor([3, 1]) * 4.0  # of places that are 0, 1, 2 and 3 steps of 1, 1 and 2
    torch.testing.assert_close(module(x), module.head(picked.expand(2, 2)))
    state = module.state_dict()
    changed = state | {"index": torch.tensor([0, 2]), "second.origin-0": torch.arange(4.0)}
    module.load_state_dict(changed, strict=True)
    torch.testing.assert_close(module(x), module.head(torch.tensor([[0.0, 10.0]]).expand(2, 2)))
    path, parity = export_verified(MODEL.graph, module, tmp_path / "buffers.onnx")
    assert parity.agrees
    assert compare_onnx(MODEL.graph, module, path, ({"N": 3},)).agrees


def test_a_module_is_what_its_graph_means() -> None:
    module = MODEL.module()
    assert check_module(MODEL.graph, module) < 1e-6
    assert check_module(MODEL.graph, module.double()) < 1e-6


def test_memory_has_them_beside_the_weights() -> None:
    module = MODEL.module()
    held = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
    values = 4 * (4 + 4 + 4)  # the input, and of an addition the tensor that it reads and the one that it makes
    assert evaluate(Memory(MODEL.graph).inference_peak, {"N": 1}) == held + values
