"""A U-Net on a ResNet against code written by hand, on torchvision's: keys, values, gradients, and an ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from zoo.vision import difference, models, randomised

import netspec
from netspec.runtime.onnx.verify import export_verified


class Encoder(models.ResNet):  # type: ignore[misc]
    """Return the output of each of five levels, from fine to coarse."""

    def __init__(self, block: type[nn.Module]):
        super().__init__(block, [1, 1, 1, 1])
        del self.avgpool, self.fc

    def forward(self, x: Tensor) -> list[Tensor]:
        made = [F.relu(self.bn1(self.conv1(x)))]
        made.append(self.layer1(self.maxpool(made[0])))
        for layer in (self.layer2, self.layer3, self.layer4):
            made.append(layer(made[-1]))
        return made


class Up(nn.Module):
    """Two convolutions of what is twice as large, joined to what the encoder gave there."""

    def __init__(self, before: int, width: int):
        super().__init__()
        self.conv1, self.conv2 = self.layers(before, width), self.layers(width, width)

    @staticmethod
    def layers(before: int, width: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(before, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())

    def forward(self, x: Tensor, skip: Tensor | None) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0)
        made: Tensor = self.conv2(self.conv1(x if skip is None else torch.cat((x, skip), dim=1)))
        return made


class UNet(nn.Module):
    """As ``segmentation_models_pytorch`` has it."""

    def __init__(self, block: type[nn.Module], wider: int):
        super().__init__()
        self.encoder = Encoder(block)
        sizes = [(768 * wider, 256), (256 + 128 * wider, 128), (128 + 64 * wider, 64), (128, 32), (32, 16)]
        self.decoder = nn.ModuleDict({"blocks": nn.ModuleList(Up(*each) for each in sizes)})
        self.segmentation_head = nn.Sequential(nn.Conv2d(16, 3, 3, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        *skips, x = self.encoder(image)
        for block, skip in zip(self.decoder["blocks"], [*reversed(skips), None]):
            x = block(x, skip)
        made: Tensor = self.segmentation_head(x)
        return made


@pytest.mark.parametrize(
    ("name", "block", "wider"),
    [("unet_resnet34", models.resnet.BasicBlock, 1), ("unet_resnet50", models.resnet.Bottleneck, 4)],
)
def test_it_computes_what_the_code_does(name: str, block: Any, wider: int, tmp_path: Path) -> None:
    theirs = randomised(UNet(block, wider)).eval()
    model = netspec.load(name, depths=[1, 1, 1, 1], classes=3)
    module = model.module().eval()
    module.load_state_dict(theirs.state_dict(), strict=True)
    if wider == 1:
        _, parity = export_verified(model.graph, module, tmp_path / "net.onnx")
        assert parity.agrees
    theirs.double()
    module.double()
    image = torch.randn(2, 3, 64, 32, dtype=torch.float64)
    want, got = theirs(image), module(image)
    assert difference(want, got) < 1e-5
    for each in (want, got):
        each.square().mean().backward()
    for key, parameter in theirs.named_parameters():
        assert difference(parameter.grad, module.get_parameter(key).grad) < 1e-4, key
