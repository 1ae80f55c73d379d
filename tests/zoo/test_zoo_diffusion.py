"""Diffusion's U-Net against code written by hand: keys, values, gradients, how it starts; and its two blocks."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from zoo.diffusion import DiffusionUNet, ResBlock, time_embedding
from zoo.networks import on_meta
from zoo.vision import difference, randomised

import netspec
from netspec.runtime.onnx.verify import export_verified

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ddpm": (
        {"multiples": [1, 2], "depth": 1},
        {"multiples": (1, 2), "depth": 1, "attending": (1,)},
    ),
    "improved_ddpm": (
        {"multiples": [1, 1, 2], "depth": 2, "attending": [1, 2], "out_channels": 6},
        {"multiples": (1, 1, 2), "depth": 2, "attending": (1, 2), "out": 6, "heads": 4, "scale_shift": True},
    ),
}
PUBLISHED: dict[str, dict[str, Any]] = {
    "ddpm": {"multiples": (1, 2, 2, 2), "depth": 2, "attending": (1,)},
    "ddpm_256": {"multiples": (1, 1, 2, 2, 4, 4), "depth": 2, "attending": (4,)},
    "improved_ddpm": {
        "multiples": (1, 2, 3, 4),
        "depth": 3,
        "attending": (2, 3),
        "out": 6,
        "heads": 4,
        "scale_shift": True,
    },
}


def same(want: Tensor, got: Tensor, theirs: nn.Module, ours: nn.Module) -> None:
    """Both outputs and all gradients are the same."""
    assert difference(want, got) < 1e-5
    for each in (want, got):
        each.square().mean().backward()
    for key, parameter in theirs.named_parameters():
        assert difference(parameter.grad, ours.get_parameter(key).grad) < 1e-4, key


@pytest.mark.parametrize("name", CASES)
def test_it_computes_what_the_code_does(name: str, tmp_path: Path) -> None:
    ours, theirs = CASES[name]
    model, want = netspec.load(name, width=64, **ours), DiffusionUNet(64, **theirs)
    module = model.module()
    for key, value in want.state_dict().items():
        assert bool(value.any()) == bool(module.state_dict()[key].any()), key  # the last layers start at zero
    module.load_state_dict(randomised(want).state_dict(), strict=True)
    want.eval()
    module.eval()
    image, steps = torch.randn(2, 3, 8, 12), torch.tensor([7, 993])
    same(want(image, steps), module(image, steps), want, module)
    _, parity = export_verified(model.graph, module, tmp_path / "net.onnx")
    assert parity.agrees


@pytest.mark.parametrize("name", PUBLISHED)
def test_keys_and_shapes_are_those_of_the_published(name: str) -> None:
    with torch.device("meta"):
        theirs = DiffusionUNet(128, **PUBLISHED[name])
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in on_meta(name).state_dict().items()} == shapes


@pytest.mark.parametrize("scale_shift", [False, True])
@pytest.mark.parametrize("width", [64, 96])
def test_resnet_block_is_theirs(scale_shift: bool, width: int, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "netspec: 1\nname: net\ninputs: {x: [N, 64, H, W], t: [N, 5]}\nnetwork:\n"
        "  - resnet_block: {name: it, input: x, embedding: t, "
        f"out_channels: {width}, scale_shift: {str(scale_shift).lower()}}}\n"
    )
    theirs = randomised(ResBlock(64, width, 5, scale_shift)).eval()
    module = netspec.load(path).module().eval()
    module.it.load_state_dict(theirs.state_dict(), strict=True)
    x, t = torch.randn(2, 64, 3, 5), torch.randn(2, 5)
    same(theirs(x, t), module(x, t), theirs, module.it)


@pytest.mark.parametrize("shift", [0, 1])
def test_time_embedding_is_theirs(shift: int, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        "netspec: 1\nname: net\ninputs: {t: {shape: [N], dtype: int64, below: 1000}}\nnetwork:\n"
        "  - time_embedding: {name: it, width: 8, out_features: 6, "
        f"freq_shift: {shift}, sine_first: {str(shift == 1).lower()}}}\n"
    )
    model = netspec.load(path)
    module = model.module().eval()
    steps = torch.tensor([0, 1, 999])
    layers = nn.Sequential(nn.Linear(8, 6), nn.SiLU(), nn.Linear(6, 6))
    module.it.load_state_dict(layers.state_dict(), strict=True)
    angle = steps[:, None] * torch.exp(-math.log(10000) * torch.arange(4) / 3)  # as diffusers has it
    made = torch.cat((angle.sin(), angle.cos()), dim=-1) if shift else time_embedding(steps, 8)
    with torch.no_grad():
        assert difference(layers(made), module(steps)) < 1e-5
    _, parity = export_verified(model.graph, module, tmp_path / "net.onnx")
    assert parity.agrees
