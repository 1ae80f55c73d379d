"""The best weights of a network with tied parameters load strictly, by safetensors alone and as a source of weights."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch

import netspec
from netspec.train.distributed.strategies import ModelWithLoss, SingleProcess
from netspec.train.reading import read_data
from netspec.train.setup import Setup
from netspec.weights.files.safetensors import read_weights

SPEC = """\
netspec: 1
name: tied
inputs: {tokens: {shape: [N, T], dtype: int64}}
network:
  - embedding: {name: words, num_embeddings: 27, embedding_dim: 4}
  - linear: {name: head, out_features: 27, bias: false, tie: {weight: words.weight}}
train: {data: {alice: 8}, loss: cross_entropy, optimizer: adam, steps: 1}
"""


def test_every_key_of_the_state_dict_is_in_the_file(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(SPEC)
    model = netspec.load(tmp_path / "net.yaml")
    setup = Setup(model.graph, read_data(model.graph), torch.device("cpu"))
    strategy = SingleProcess(ModelWithLoss(setup.model, setup.evaluator.objective, setup.autocast))
    file = tmp_path / "best.safetensors"
    setup.write_weights(setup.model.state_dict(), file, strategy, 1)
    fresh = model.module(seed=7)
    fresh.load_state_dict(safetensors.torch.load_file(file), strict=True)
    given = model.module(weights=str(file))
    for key, tensor in setup.model.state_dict().items():
        for other in (fresh.state_dict(), read_weights(file), given.state_dict()):
            assert torch.equal(other[key], tensor), key
    assert fresh.words.weight is fresh.head.weight
