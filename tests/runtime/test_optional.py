"""Inputs that may be left out: what the module does without them, and with ones that say the same as nothing."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest
import torch
from places import CASES
from torch import Tensor, nn

import netspec
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.verify import export_verified

EXAMPLES = CASES / "passing"
CLASSIFIER = """
netspec: 1
name: classifier
dims: {N: 4, T: 9}
inputs:
  tokens:  {shape: [N, T], dtype: int64}
  lengths: {shape: [N], dtype: int64, optional: true}
network:
  - embedding: {from: tokens, num_embeddings: 50, embedding_dim: 6, padding_idx: 0}
  - lstm: {name: encoder, hidden_size: 5, num_layers: 2, bidirectional: true, dropout: 0.3, lengths: lengths}
  - dropout: {from: encoder.last, p: 0.5}
  - linear: 3
"""


@pytest.fixture
def classifier(tmp_path: Path) -> netspec.Model:
    path = tmp_path / "classifier.yaml"
    path.write_text(CLASSIFIER)
    return netspec.load(path)


def call(module: nn.Module, *given: Tensor | None) -> Tensor:
    with torch.no_grad():
        made: Tensor = module(*given)
    return made


def test_full_lengths_say_the_same_as_none(classifier: netspec.Model) -> None:
    module = classifier.module().eval()
    for batch, time in ((4, 9), (1, 1), (3, 2)):
        tokens = torch.randint(0, 50, (batch, time))
        without = call(module, tokens)
        torch.testing.assert_close(call(module, tokens, None), without)
        torch.testing.assert_close(call(module, tokens, torch.full((batch,), time)), without)


def test_padding_says_nothing(classifier: netspec.Model) -> None:
    module = classifier.module().eval()
    tokens = torch.randint(1, 50, (2, 9))
    padded = torch.cat((tokens[:, :4], torch.zeros(2, 5, dtype=torch.int64)), 1)
    torch.testing.assert_close(call(module, padded, torch.tensor([4, 4])), call(module, tokens[:, :4]))
    assert not torch.allclose(call(module, padded), call(module, tokens[:, :4]))


def test_the_branch_with_lengths_stands_beside_the_one_without(classifier: netspec.Model) -> None:
    lines = classifier.source().split("def forward")[1].split("\n")
    assert lines[0] == "(self, tokens, lengths=None):"
    assert [line.strip() for line in lines[2:8]] == [
        "if lengths is None:",
        "_, (h_n, _) = self.encoder(x)",
        "else:",
        "packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)",
        "_, (h_n, _) = self.encoder(packed)",
        "encoder_last = torch.cat((h_n[-2], h_n[-1]), dim=1)  # N×10",
    ]


def test_examples_are_lengths_that_a_batch_can_have(classifier: netspec.Model) -> None:
    for time in (1, 2, 7):
        made = [example_inputs(classifier.graph, {"N": 50, "T": time}, seed)["lengths"] for seed in range(4)]
        assert {int(value) for lengths in made for value in lengths} == {*range(1, time + 1)}
    tokens = example_inputs(classifier.graph, {"N": 50, "T": 50})["tokens"]
    assert {int(value) for value in tokens.flatten()} == {*range(50)}


def test_the_onnx_file_takes_them_as_any_other(classifier: netspec.Model, tmp_path: Path) -> None:
    path, parity = export_verified(classifier.graph, classifier.module(), tmp_path / "model.onnx")
    assert parity.agrees
    assert path.name == "model.onnx"


@pytest.fixture
def several() -> netspec.Model:
    return netspec.load(EXAMPLES / "optional_inputs.yaml")


def test_every_input_may_be_left_out_by_itself(several: netspec.Model) -> None:
    module = several.module().eval()
    inputs = example_inputs(several.graph, {"N": 3, "T": 6})
    nothing = {
        "lengths": torch.full((3,), 6),
        "mask": torch.ones(3, 6, dtype=torch.int64),
        "kinds": torch.zeros(3, 6, dtype=torch.int64),
        "start": torch.zeros(1, 3, 8),
    }
    everything = call(module, *inputs.values())
    for name, same in nothing.items():
        without = call(module, *(None if key == name else value for key, value in inputs.items()))
        said = call(module, *(same if key == name else value for key, value in inputs.items()))
        torch.testing.assert_close(without, said)
        assert not torch.allclose(without, everything)
    torch.testing.assert_close(call(module, inputs["x"]), call(module, inputs["x"], *nothing.values()))


def test_onnxruntime_agrees_on_all_of_them(several: netspec.Model, tmp_path: Path) -> None:
    _, parity = export_verified(several.graph, several.module(), tmp_path / "model.onnx")
    assert parity.agrees


def test_copies_and_pickles_keep_them(several: netspec.Model) -> None:
    module = several.module().eval()
    x, *others = example_inputs(several.graph, {"N": 2, "T": 4}).values()
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert torch.equal(call(twin, x), call(module, x))
        assert torch.equal(call(twin, x, *others), call(module, x, *others))


MASKED = """
netspec: 1
name: masked
dims: {N: 2, T: 5}
inputs:
  x: [N, T, 8]
  mask: {shape: [N, T], dtype: bool, optional: true}
  weights: {shape: [N, T], dtype: bool, optional: true}
network:
  - unsqueeze: {name: shown, from: mask, dim: 1}
  - logical_not: {name: padding, from: weights}
  - scaled_dot_product_attention: {query: x, key: x, value: x, attn_mask: shown, is_causal: true}
  - multihead_attention: {num_heads: 2, key_padding_mask: padding}
  - reduce_mean: {name: scores, dim: -1}
  - masked_softmax: {mask: mask}
"""


@pytest.mark.slow
@pytest.mark.parametrize("given", [(), ("mask",), ("weights",), ("mask", "weights")], ids=str)
def test_torch_compiles_and_exports_with_and_without(given: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "masked.yaml"
    path.write_text(MASKED)
    model = netspec.load(path)
    module = model.module().eval()
    chosen = [
        {name: value if name in ("x", *given) else None for name, value in example_inputs(model.graph, sizes).items()}
        for sizes in ({"N": 3, "T": 6}, {"N": 2, "T": 9})
    ]
    torch.compiler.reset()
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    for inputs in chosen:
        torch.testing.assert_close(call(compiled, *inputs.values()), call(module, *inputs.values()))
    batch, time = torch.export.Dim("batch"), torch.export.Dim("time")
    shapes = tuple(None if value is None else {0: batch, 1: time} for value in chosen[0].values())
    exported = torch.export.export(module, tuple(chosen[0].values()), dynamic_shapes=shapes).module()
    torch.testing.assert_close(call(exported, *chosen[1].values()), call(module, *chosen[1].values()))


def test_a_scan_reads_a_mask_that_may_be_left_out(tmp_path: Path) -> None:
    model = netspec.load(EXAMPLES / "optional_mask_in_a_scan.yaml")
    module = model.module().eval()
    inputs = example_inputs(model.graph, {"N": 3, "S": 6, "T": 4})
    source, target, *others = inputs.values()
    without = call(module, source, target)
    torch.testing.assert_close(call(module, source, target, torch.full((3,), 6), torch.ones(3, 6) > 0), without)
    assert not torch.allclose(call(module, source, target, *others), without)
    _, parity = export_verified(model.graph, module, tmp_path / "model.onnx")
    assert parity.agrees
