"""Transformers and bare attention against torch and torchvision: the same keys, the same numbers, at any length."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn
from zoo.networks import compiled, on_meta
from zoo.vision import difference, models, randomised, torchvision

import netspec
from netspec.dims import evaluate
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.parity import largest_difference
from netspec.runtime.onnx.verify import compare_onnx
from netspec.runtime.probing import probing_copy
from netspec.runtime.reference import run

SIZES = ((1, 1, 1), (3, 7, 4), (2, 5, 9))  # of the batch, the source and the target
SMALL = {"vocab": 61, "width": 24, "hidden": 40, "heads": 4, "layers": 2}


class Transformer(nn.Module):
    """The paper's network, on torch's layers; positions as the paper's formula has them."""

    def __init__(self, norm_first: bool):
        super().__init__()
        options: dict[str, Any] = {"dropout": 0.1, "batch_first": True, "norm_first": norm_first}
        norms = [nn.LayerNorm(24) if norm_first else None for _ in range(2)]
        self.embedding = nn.Embedding(61, 24)
        self.embedded = nn.Embedding(61, 24)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(24, 4, 40, **options), 2, norms[0], enable_nested_tensor=False
        )
        self.decoder = nn.TransformerDecoder(nn.TransformerDecoderLayer(24, 4, 40, **options), 2, norms[1])
        self.head = nn.Linear(24, 61, bias=False)
        self.head.weight = self.embedded.weight = self.embedding.weight

    @staticmethod
    def positions(x: Tensor) -> Tensor:
        made = torch.empty(x.shape[1], 24)
        for place in range(x.shape[1]):
            for pair in range(12):
                angle = place / 10_000 ** (2 * pair / 24)
                made[place, 2 * pair], made[place, 2 * pair + 1] = math.sin(angle), math.cos(angle)
        return made

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_padding: Tensor | None = None,
        target_padding: Tensor | None = None,
    ) -> Tensor:
        words = self.embedding(source) * math.sqrt(24)
        memory = self.encoder(words + self.positions(words), src_key_padding_mask=source_padding)
        words = self.embedded(target) * math.sqrt(24)
        ahead = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        made = self.decoder(
            words + self.positions(words),
            memory,
            ahead,
            tgt_key_padding_mask=target_padding,
            memory_key_padding_mask=source_padding,
        )
        logits: Tensor = self.head(made)
        return logits


@pytest.fixture
def slow_path() -> Any:
    """Without torch's fast path for inference, which gives 0 for what is padded."""
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(True)


@pytest.mark.usefixtures("slow_path")
@pytest.mark.parametrize("norm_first", [False, True])
def test_the_transformer_is_the_paper_s(norm_first: bool, tmp_path: Path) -> None:
    theirs = randomised(Transformer(norm_first)).eval()
    model = netspec.load("transformer", **SMALL, norm_first=norm_first)
    module = model.module().eval()
    module.load_state_dict(theirs.state_dict(), strict=True)
    assert module.get_parameter("head.weight") is module.get_parameter("embedding.weight")
    path = model.export(tmp_path / "model.onnx", module)
    onnx.checker.check_model(os.fspath(path), full_check=True)
    session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
    for count, source, target in SIZES:
        inputs = example_inputs(model.graph, {"N": count, "S": source, "T": target})
        for left_out in (set(), {"source_padding"}, {"target_padding"}, {"source_padding", "target_padding"}):
            given = {name: None if name in left_out else value for name, value in inputs.items()}
            with torch.no_grad():
                assert difference(theirs(**given), module(**given)) < 1e-5
        made = session.run(None, {name: value.numpy() for name, value in inputs.items()})
        assert largest_difference(run(module, inputs), made) < 1e-5


def test_tied_embeddings_count_once(tmp_path: Path) -> None:
    model = netspec.load("transformer", **SMALL)
    module = model.module()
    assert model.graph.body.parameter_count == sum(each.numel() for each in module.parameters())
    proto = onnx.load(model.export(tmp_path / "model.onnx", module))
    learned = [tensor.name for tensor in proto.graph.initializer if "/" not in tensor.name]
    assert [name for name in learned if name.startswith(("embed", "head"))] == ["embedding.weight"]


def test_what_is_to_come_is_not_seen() -> None:
    module = netspec.load("transformer", **SMALL).module().eval()
    source, target = torch.randint(0, 61, (2, 5)), torch.randint(0, 61, (2, 8))
    other = torch.cat((target[:, :5], (target[:, 5:] + 1) % 61), 1)
    with torch.no_grad():
        one, two = module(source, target), module(source, other)
    torch.testing.assert_close(one[:, :5], two[:, :5])
    assert not torch.allclose(one[:, 5:], two[:, 5:])


VIT: dict[str, dict[str, int]] = {
    "vit_b_16": {"patch_size": 16, "num_layers": 12, "num_heads": 12, "hidden_dim": 768, "mlp_dim": 3072},
    "vit_b_32": {"patch_size": 32, "num_layers": 12, "num_heads": 12, "hidden_dim": 768, "mlp_dim": 3072},
    "vit_l_16": {"patch_size": 16, "num_layers": 24, "num_heads": 16, "hidden_dim": 1024, "mlp_dim": 4096},
}


@pytest.mark.parametrize("name", VIT)
def test_vit_has_torchvision_s_keys_and_published_costs(name: str) -> None:
    graph, _ = compiled(name)
    with torch.device("meta"):
        theirs = models.get_model(name, weights=None)
    shapes = {key: tuple(tensor.shape) for key, tensor in on_meta(name).state_dict().items()}
    assert shapes == {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    published = models.get_model_weights(name).IMAGENET1K_V1.meta
    assert graph.body.parameter_count == published["num_params"]
    assert round(evaluate(graph.body.macs, graph.sizes) / 1e9, 3) == published["_ops"]


@pytest.mark.usefixtures("slow_path")
@pytest.mark.parametrize("patch", [16, 32])
def test_vit_computes_what_torchvision_s_does(patch: int, tmp_path: Path) -> None:
    theirs = randomised(torchvision.models.VisionTransformer(64, patch, 2, 4, 48, 96, num_classes=7)).eval()
    sizes = {"size": 64, "patch": patch, "width": 48, "heads": 4, "layers": 2, "hidden": 96, "classes": 7}
    model = netspec.load("vit", **sizes)
    module = model.module().eval()
    module.load_state_dict(theirs.state_dict(), strict=True)
    for count in (1, 2, 5):
        images = torch.randn(count, 3, 64, 64, generator=torch.Generator().manual_seed(count))
        with torch.no_grad():
            assert difference(theirs(images), module(images)) < 1e-5
    parity = compare_onnx(model.graph, module, model.export(tmp_path / "model.onnx", module))
    assert parity.worst < 1e-5


@pytest.mark.slow
def test_vit_loads_a_whole_checkpoint() -> None:
    with torch.device("meta"):
        theirs = models.get_model("vit_b_32", weights=None)
    theirs = randomised(theirs.to_empty(device="cpu")).eval()
    module = on_meta("vit_b_32").eval()
    module.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert difference(theirs(images), module(images)) < 1e-5


def lecture(keys: np.ndarray, queries: np.ndarray, values: np.ndarray) -> np.ndarray:
    """C = V·softmax(KᵀQ), sequences as columns."""
    products = keys.T @ queries
    weights = np.exp(products - products.max(0))
    return values @ (weights / weights.sum(0))


def matrices(module: nn.Module) -> Callable[[str], np.ndarray]:
    return lambda name: module.get_parameter(f"{name}.weight").detach().double().numpy()


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_attention_is_a_product_of_matrices(sizes: tuple[int, int, int]) -> None:
    model = netspec.load("attention_layer", width=12, hidden=5)
    module, (count, source, target) = model.module().eval(), sizes
    inputs = example_inputs(model.graph, {"N": count, "S": source, "T": target})
    weight = matrices(module)
    (made,) = run(module, inputs)
    read, asking = (inputs[name].double().numpy().transpose(0, 2, 1) for name in ("source", "target"))
    for row in range(count):
        want = lecture(weight("key") @ read[row], weight("query") @ asking[row], weight("value") @ read[row])
        np.testing.assert_allclose(made[row].T, want, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_heads_of_self_attention_stand_on_each_other(sizes: tuple[int, int, int]) -> None:
    model = netspec.load("self_attention_layer", width=12, hidden=4, heads=3)
    module, (count, length, _) = model.module().eval(), sizes
    inputs = example_inputs(model.graph, {"N": count, "T": length})
    weight, x = matrices(module), inputs["sequence"].double().numpy().transpose(0, 2, 1)
    with torch.no_grad():
        made = module(inputs["sequence"]).double().numpy()
        masked = module(inputs["sequence"], inputs["mask"]).double().numpy()
    for row in range(count):
        for mask, got in ((np.ones(length, bool), made), (inputs["mask"][row].numpy(), masked)):
            heads = []
            for head in range(3):
                rows = slice(4 * head, 4 * head + 4)
                shown = x[row][:, mask]
                keys, values = weight("key")[rows] @ shown, weight("value")[rows] @ shown
                heads.append(lecture(keys, weight("query")[rows] @ x[row] / math.sqrt(4), values))
            np.testing.assert_allclose(got[row].T, np.concatenate(heads), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", ["attention_layer", "self_attention_layer", "multi_head_self_attention_layer"])
def test_onnxruntime_agrees_on_bare_attention(name: str, tmp_path: Path) -> None:
    model = netspec.load(name)
    module = probing_copy(model.graph, model.module())
    assert compare_onnx(model.graph, module, model.export(tmp_path / "model.onnx", module)).agrees
