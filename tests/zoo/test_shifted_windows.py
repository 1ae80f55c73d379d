"""Attention in shifted windows of an image of any size, against torchvision's of Swin."""

from __future__ import annotations

from pathlib import Path

import torch
from places import CASES
from zoo.vision import torchvision

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
