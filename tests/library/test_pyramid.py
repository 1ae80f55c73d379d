"""The library's pyramid of features against torchvision's."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from library.one_step import onnx_agrees
from zoo.vision import randomised, torchvision

import netspec

SPEC = """\
netspec: 1
name: net
inputs: {fine: [N, 4, 8*H, 8*W], middle: [N, 5, 4*H, 4*W], coarse: [N, 6, H, W]}
network:
  - fpn: {name: it, first: fine, second: middle, third: coarse, out_channels: 7}
outputs: {a: it.first, b: it.second, c: it.third}
"""


def test_fpn_is_torchvisions(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    model = netspec.load(path)
    module = model.module()
    assert not module.it.layer_blocks.get_parameter("2.0.bias").any()
    theirs = randomised(torchvision.ops.FeaturePyramidNetwork([4, 5, 6], 7))
    module.it.load_state_dict(theirs.state_dict(), strict=True)
    levels = [torch.randn(2, 4, 24, 40), torch.randn(2, 5, 12, 20), torch.randn(2, 6, 3, 5)]
    want = theirs(OrderedDict(zip("abc", levels)))
    got = module(*levels)
    for name, value in want.items():
        torch.testing.assert_close(got[name], value, rtol=1e-5, atol=1e-5)
    onnx_agrees(model, module, tmp_path)


def test_fpn_of_another_number_of_levels(tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    inputs = "first: [N, 4, 16, 16], second: [N, 5, 8, 8], third: [N, 6, 4, 4], fourth: [N, 7, 2, 2]"
    path.write_text(
        f"netspec: 1\nname: net\ninputs: {{{inputs}}}\nnetwork:\n"
        "  - fpn: {name: it, levels: 4, first: first, second: second, third: third, fourth: fourth, out_channels: 3}\n"
        "outputs: {a: it.first, b: it.second, c: it.third, d: it.fourth}\n"
    )
    module = netspec.load(path).module()
    theirs = randomised(torchvision.ops.FeaturePyramidNetwork([4, 5, 6, 7], 3))
    module.it.load_state_dict(theirs.state_dict(), strict=True)
    levels = [torch.randn(2, 4 + at, 16 >> at, 16 >> at) for at in range(4)]
    got = module(*levels)
    for name, value in theirs(OrderedDict(zip("abcd", levels))).items():
        torch.testing.assert_close(got[name], value, rtol=1e-5, atol=1e-5)
