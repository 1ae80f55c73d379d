"""Attention in shifted windows of an image of any size, against torchvision's of Swin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from places import CASES
from torch import nn
from zoo.vision import difference, randomised, torchvision

import netspec
from netspec.runtime.onnx.verify import compare_onnx, export_verified

SIZES = ({"N": 1, "H": 13, "W": 18}, {"N": 2, "H": 5, "W": 7}, {"N": 1, "H": 8, "W": 11})


def test_shifted_windows_are_torchvisions(tmp_path: Path) -> None:
    model = netspec.load(CASES / "passing" / "shifted_windows.yaml")
    module = model.module().eval()
    attention = module.attn
    for sizes in SIZES:
        image = torch.randn(*sizes.values(), 8, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            want = torchvision.models.swin_transformer.shifted_window_attention(
                image,
                attention.qkv.weight,
                attention.proj.weight,
                relative_position_bias=torch.zeros(1, 2, 16, 16),
                window_size=[4, 4],
                num_heads=2,
                shift_size=[2, 2],
                qkv_bias=attention.qkv.bias,
                proj_bias=attention.proj.bias,
            )
            torch.testing.assert_close(module(image), want, rtol=1e-5, atol=1e-5)
    path, parity = export_verified(model.graph, module, tmp_path / "windows.onnx")
    assert parity.agrees
    assert compare_onnx(model.graph, module, path, SIZES).agrees


swin = torchvision.models.swin_transformer
KINDS: dict[int, tuple[Any, Any]] = {
    1: (swin.SwinTransformerBlock, swin.PatchMerging),
    2: (swin.SwinTransformerBlockV2, swin.PatchMergingV2),
}


def indexed(module: nn.Module) -> nn.Module:
    """Give a module telling values, and its tables of distances their own again."""
    for each in randomised(module).modules():
        if hasattr(each, "define_relative_position_index"):
            each.define_relative_position_index()
        if hasattr(each, "logit_scale"):
            each.logit_scale.data[0] = 6.0  # beyond its bound
    return module


def same(want: nn.Module, got: nn.Module, image: torch.Tensor) -> None:
    """Both give the same outputs and gradients; in float32, sharp weights of attention would round both."""
    outputs = want.double()(image.double()), got.double()(image.double())
    assert difference(*outputs) < 1e-5
    for each in outputs:
        each.square().mean().backward()
    for key, parameter in want.named_parameters():
        slope, mine = parameter.grad, got.get_parameter(key).grad
        assert slope is not None
        assert mine is not None
        assert (slope - mine).abs().max() <= 1e-4 * slope.abs().max(), key


@pytest.mark.parametrize("version", KINDS)
@pytest.mark.parametrize(("height", "width"), [(7, 11), (4, 8), (3, 3)])
def test_swin_block_is_torchvisions(version: int, height: int, width: int, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(
        f"netspec: 1\nname: net\ninputs: {{x: [N, {height}, {width}, 12]}}\nnetwork:\n  - swin_block: {{name: it, "
        f"num_heads: 3, window_size: [4, 3], shift_size: [2, 1], mlp_ratio: 2.5, version: {version}}}\n"
    )
    model = netspec.load(path)
    theirs = indexed(KINDS[version][0](12, 3, [4, 3], [2, 1], mlp_ratio=2.5)).eval()
    module = model.module().eval()
    module.it.load_state_dict(theirs.state_dict(), strict=True)
    _, parity = export_verified(model.graph, module, tmp_path / "net.onnx")
    assert parity.agrees
    same(theirs, module.it, torch.randn(2, height, width, 12))


@pytest.mark.parametrize("version", KINDS)
@pytest.mark.parametrize("size", [(75, 100), (21, 130)], ids=str)  # odd sizes to merge, and lone windows of some stages
def test_swin_of_any_size_is_torchvisions(version: int, size: tuple[int, int]) -> None:
    depths, heads = [1, 2, 2, 2], [1, 2, 3, 4]
    block, merging = KINDS[version]
    theirs = swin.SwinTransformer(
        [4, 4], 12, depths, heads, [5, 5], num_classes=7, block=block, downsample_layer=merging
    )
    sizes = {"size": [*size], "width": 12, "depths": depths, "heads": heads, "window": 5, "classes": 7}
    module = netspec.load("swin", version=version, **sizes).module()
    for key, value in theirs.state_dict().items():
        mine = module.state_dict()[key]
        assert mine.shape == value.shape
        if len(value.unique()) == 1 or not value.is_floating_point() or key.endswith("coords_table"):
            torch.testing.assert_close(mine, value, msg=key)  # as it starts
    indexed(theirs)
    module.load_state_dict(theirs.state_dict(), strict=True)
    same(theirs.eval(), module.eval(), torch.randn(2, 3, *size))
