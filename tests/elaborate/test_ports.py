"""Ops with several outputs and optional inputs, tied parameters, and bounded dimensions."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch

import netspec
from netspec.elaborate.passes.sizes import other_sizes
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.verify import verify_onnx

LANGUAGE_MODEL = """\
netspec: 1
name: lstm_lm
params: {vocab: 50, width: 8, context: 20}
dims: {N: 1, T: {default: 12, max: context}}
inputs: {ids: {shape: [N, T], dtype: int64, below: vocab}}
network:
  - embedding: {name: wte, num_embeddings: vocab, embedding_dim: width}
  - lstm: {name: rnn, hidden_size: width, num_layers: 2}
  - linear: {name: head, out_features: vocab, bias: false, tie: {weight: wte.weight}}
outputs: {logits: head}
"""

CLASSIFIER = """\
netspec: 1
name: classifier
dims: {N: 3, T: 9}
inputs:
  x: [N, T, 5]
  lengths: {shape: [N], dtype: int64, below: 2}
network:
  - gru: {name: encoder, from: x, hidden_size: 4, bidirectional: true, LENGTHS}
  - linear: {from: encoder.last, out_features: 2}
"""


def load(text: str, folder: Path) -> netspec.Model:
    path = folder / "spec.yaml"
    path.write_text(text)
    return netspec.load(path)


def test_a_tied_parameter_is_one(tmp_path: Path):
    model = load(LANGUAGE_MODEL, tmp_path)
    module = model.module()
    assert module.head.weight is module.wte.weight
    assert model.shapes().params == sum(parameter.numel() for parameter in module.parameters())
    path = model.export(tmp_path / "model.onnx", module)
    names = [tensor.name for tensor in onnx.load(path).graph.initializer]
    assert "wte.weight" in names
    assert "head.weight" not in names
    assert verify_onnx(model.graph, module, path).agrees


def test_sizes_keep_within_the_bounds_of_a_dimension(tmp_path: Path):
    graph = load(LANGUAGE_MODEL, tmp_path).graph
    assert all(sizes["T"] <= 20 for sizes in other_sizes(graph, 5))
    with pytest.raises(netspec.SpecError, match="`T` is 21, but must be at least 1 and at most 20"):
        netspec.load(tmp_path / "spec.yaml", dims={"T": 21})


def test_whole_numbers_are_below_their_bound(tmp_path: Path):
    graph = load(LANGUAGE_MODEL, tmp_path).graph
    ids = example_inputs(graph, {"N": 50, "T": 20})["ids"]
    assert ids.dtype is torch.int64
    assert ids.min() == 0
    assert ids.max() == 49


@pytest.mark.parametrize("lengths", ["", "lengths: lengths"])
def test_an_optional_input_may_be_left_out(lengths: str, tmp_path: Path):
    model = load(CLASSIFIER.replace(", LENGTHS", f", {lengths}" if lengths else ""), tmp_path)
    module = model.module().eval()
    x, sizes = torch.randn(3, 9, 5), torch.tensor([9, 4, 1])
    made = module(x, sizes)
    assert made.shape == (3, 2)
    alone = torch.cat([module(x[i : i + 1, : sizes[i]], sizes[i : i + 1]) for i in range(3)])
    assert torch.allclose(made, alone, atol=1e-6) == bool(lengths)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("encoder.last", "encoder.lst", "`encoder` has no output `lst`"),
        ("from: encoder.last", "from: encoder.last, tie: {weight: encoder.weight_ih}", "there is no parameter named"),
    ],
)
def test_what_does_not_exist_is_told(old: str, new: str, said: str, tmp_path: Path):
    with pytest.raises(netspec.SpecError, match=said):
        load(CLASSIFIER.replace(", LENGTHS", "").replace(old, new), tmp_path)
