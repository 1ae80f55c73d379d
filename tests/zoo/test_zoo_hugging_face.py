"""Networks with Hugging Face's keys: their checkpoints load as they are, and give the same outputs and gradients."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from zoo import vision
from zoo.language import randomised, transformers
from zoo.networks import compiled, on_meta
from zoo.vision import difference

import netspec
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx

ENDS = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}


@dataclass(frozen=True)
class Network:
    """A network of theirs: its class, the options of a small one on both sides, and of those that are published.

    ``renamed`` has the inputs that they call otherwise, ``calls`` what their ``forward`` is told beside the inputs, and
    ``dtype`` is what both compute in: a deep network's gradients differ by more than the tolerance when rounded.
    """

    kind: str
    ours: Mapping[str, Any]
    theirs: Mapping[str, Any]
    sizes: tuple[Mapping[str, int], ...]
    published: Mapping[str, Mapping[str, Any]]
    renamed: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Any] = field(default_factory=dict)
    dtype: torch.dtype = torch.float32

    def build(self, **options: Any) -> nn.Module:
        """Make one of theirs, with random values."""
        kind = getattr(transformers, self.kind)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made: nn.Module = kind(kind.config_class(**options))
        return made


class Backbone(vision.models.ResNet):
    """A ResNet as timm's within a detector: its norms are frozen, and its features are what its last stage gives."""

    def __init__(self, depths: list[int]) -> None:
        norm = vision.torchvision.ops.FrozenBatchNorm2d
        super().__init__(vision.models.resnet.Bottleneck, depths, norm_layer=norm)
        del self.avgpool, self.fc

    def forward(self, x: Tensor) -> list[Tensor]:
        for part in self.children():
            x = part(x)
        return [x]


@dataclass(frozen=True)
class Detector(Network):
    """A network of theirs on a backbone of timm's, which torchvision's stands for: their keys are the same."""

    def build(self, **options: Any) -> nn.Module:
        replaced = transformers.ResNetConfig(depths=[1, 1, 1, 1], out_features=["stage4"])
        depths = options.pop("depths", [3, 4, 6, 3])
        made: Any = super().build(use_timm_backbone=False, backbone_config=replaced, num_labels=91, **options)
        made.model.backbone.model = vision.randomised(Backbone(depths))
        return made  # type: ignore[no-any-return]


def _mixtral(width: int, heads: int, layers: int, hidden: int, **words: int) -> dict[str, Any]:
    """Options of a Mixtral: width, heads, layers, and the width inside of an expert."""
    sizes = {"hidden_size": width, "num_attention_heads": heads, "num_hidden_layers": layers}
    return {**sizes, "intermediate_size": hidden, **words}


def _clip(image: tuple[int, ...], text: tuple[int, ...], projection: int, **words: int) -> dict[str, Any]:
    """Options of a CLIP: size, patch, width, heads and layers of images; width, heads and layers of texts."""

    def tower(width: int, heads: int, layers: int) -> dict[str, int]:
        return {
            "hidden_size": width,
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
            "intermediate_size": 4 * width,
            "projection_dim": projection,
        }

    size, patch, *layers = image
    return {
        "projection_dim": projection,
        "vision_config": {"image_size": size, "patch_size": patch, **tower(*layers)},
        "text_config": {**words, "eos_token_id": 2, **tower(*text)},
    }


def _t5(width: int, heads: int, layers: int, hidden: int, **words: Any) -> dict[str, Any]:
    """Options of a T5: width, heads, layers, and the width between the linear layers."""
    sizes = {"d_model": width, "num_heads": heads, "num_layers": layers, "d_ff": hidden}
    return {**sizes, "decoder_start_token_id": 0, **words}


def _detr(width: int, heads: int, layers: int, hidden: int, **others: Any) -> dict[str, Any]:
    """Options of a DETR: width, heads, layers, and the width between the linear layers, of encoder and decoder."""
    each = {"layers": layers, "attention_heads": heads, "ffn_dim": hidden}
    sizes = {f"{part}_{name}": value for part in ("encoder", "decoder") for name, value in each.items()}
    return {"d_model": width, **sizes, **others}


def _t5_network(gated: bool) -> Network:
    """A T5 as first published, or as from version 1.1 on."""
    words = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False} if gated else {}
    published = {
        "t5": _t5(512, 8, 6, 2048),
        "t5_base": _t5(768, 12, 12, 3072),
        "t5_large": _t5(1024, 16, 24, 4096),
    }
    return Network(
        "T5ForConditionalGeneration",
        {"vocab": 61, "width": 32, "heads": 4, "head_width": 6, "hidden": 40, "layers": 3, "gated": gated},
        _t5(32, 4, 3, 40, vocab_size=61, d_kv=6, **words),
        ({"N": 1, "S": 1, "T": 1}, {"N": 2, "S": 150, "T": 19}),  # beyond the distance from which on all are one
        {"t5_v1_1_base": _t5(768, 12, 12, 2048, **words)} if gated else published,
        calls={"use_cache": False},
    )


NETWORKS = {
    "mamba": Network(
        "MambaForCausalLM",
        {"vocab": 61, "width": 32, "layers": 2, "state": 5},
        {**ENDS, "vocab_size": 61, "hidden_size": 32, "state_size": 5, "num_hidden_layers": 2},
        ({"N": 1, "T": 1}, {"N": 3, "T": 7}),
        {
            "mamba": {"hidden_size": 768, "num_hidden_layers": 24},
            "mamba_370m": {"hidden_size": 1024, "num_hidden_layers": 48},
            "mamba_1_4b": {"hidden_size": 2048, "num_hidden_layers": 48},
            "mamba_2_8b": {"hidden_size": 2560, "num_hidden_layers": 64},
        },
        renamed={"ids": "input_ids"},
        calls={"use_cache": False},
    ),
    "mixtral": Network(
        "MixtralForCausalLM",
        {"vocab": 61, "width": 32, "heads": 4, "groups": 2, "layers": 2, "hidden": 24, "experts": 5, "chosen": 2},
        _mixtral(32, 4, 2, 24, num_key_value_heads=2, vocab_size=61, num_local_experts=5),
        ({"N": 1, "T": 1}, {"N": 3, "T": 7}),
        {"mixtral": {}, "mixtral_8x22b": _mixtral(6144, 48, 56, 16384)},
        renamed={"ids": "input_ids"},
        calls={"use_cache": False},
    ),
    "t5": _t5_network(gated=False),
    "t5_v1_1_base": _t5_network(gated=True),
    "detr": Detector(
        "DetrForObjectDetection",
        {"depths": [1, 1, 1, 1], "width": 32, "heads": 4, "layers": 2, "hidden": 40, "queries": 5},
        _detr(32, 4, 2, 40, depths=[1, 1, 1, 1], num_queries=5),
        ({"N": 1, "H": 65, "W": 40}, {"N": 2, "H": 97, "W": 70}),
        {"detr": {}, "detr_resnet101": {"depths": [3, 4, 23, 3]}},
        dtype=torch.float64,
    ),
    "clip": Network(
        "CLIPModel",
        {
            "size": 24,
            "patch": 8,
            "image_width": 32,
            "image_heads": 4,
            "image_layers": 2,
            "projection": 12,
            "vocab": 61,
            "context": 9,
            "text_width": 24,
            "text_heads": 2,
            "text_layers": 2,
        },
        _clip((24, 8, 32, 4, 2), (24, 2, 2), 12, vocab_size=61, max_position_embeddings=9),
        ({"I": 1, "N": 1, "T": 1}, {"I": 3, "N": 2, "T": 7}),
        {
            "clip": _clip((224, 32, 768, 12, 12), (512, 8, 12), 512),
            "clip_vit_b_16": _clip((224, 16, 768, 12, 12), (512, 8, 12), 512),
            "clip_vit_l_14": _clip((224, 14, 1024, 16, 24), (768, 12, 12), 768),
        },
    ),
}


def loaded(name: str) -> tuple[netspec.Model, nn.Module, nn.Module]:
    """A small form of a network of ours, its module with their weights, and theirs."""
    network = NETWORKS[name]
    theirs = randomised(network.build(**network.theirs)).eval()
    model = netspec.load(name, **network.ours)
    module = model.module().eval()
    module.load_state_dict(theirs.state_dict(), strict=True)
    return model, module, theirs


def outputs_of(made: Any, model: netspec.Model) -> dict[str, Tensor]:
    """The outputs of a module by the names that ours has for them."""
    names = [*model.graph.outputs]
    return {names[0]: made} if isinstance(made, Tensor) else {name: made[name] for name in names}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_gradients_are_theirs(name: str) -> None:
    network = NETWORKS[name]
    model, module, theirs = loaded(name)
    for each in (module, theirs):
        each.to(network.dtype)
    for sizes in network.sizes:
        made = example_inputs(model.graph, sizes).items()
        inputs = {key: each.to(network.dtype) if each.is_floating_point() else each for key, each in made}
        named = {network.renamed.get(each, each): value for each, value in inputs.items()}
        got = outputs_of(module(**inputs), model)
        want = outputs_of(theirs(**named, **network.calls), model)
        for output, value in want.items():
            assert value.abs().max() > 0
            assert difference(value.detach(), got[output].detach()) < 1e-5, output
    for made in (got, want):
        sum(value.square().mean() for value in made.values()).backward()
    slopes = {key: parameter.grad for key, parameter in module.named_parameters()}
    for key, parameter in theirs.named_parameters():
        assert parameter.grad is not None, key
        scale = parameter.grad.abs().max()
        assert (slopes[key] - parameter.grad).abs().max() <= 1e-4 * scale + 1e-7, key


@pytest.mark.parametrize(
    ("name", "variant"), [(name, variant) for name, network in NETWORKS.items() for variant in network.published]
)
def test_keys_and_shapes_are_those_of_the_published_checkpoints(name: str, variant: str) -> None:
    network = NETWORKS[name]
    with torch.device("meta"):
        theirs = network.build(**network.published[variant])
    shapes = {key: tuple(tensor.shape) for key, tensor in on_meta(variant).state_dict().items()}
    want = {key: tuple(tensor.shape) for key, tensor in theirs.state_dict().items()}
    assert shapes == want
    body = compiled(variant)[0].body
    assert body.parameter_count - body.frozen_count == sum(each.numel() for each in theirs.parameters())


def test_detectors_run_on_onnxruntime_at_uneven_sizes(tmp_path: Path) -> None:
    model, module, _ = loaded("detr")
    path = export_onnx(model.graph, module, tmp_path / "model.onnx")
    sizes = [{"N": 1, "H": 33, "W": 131}, {"N": 2, "H": 97, "W": 70}]
    assert compare_onnx(model.graph, module, path, sizes).agrees
