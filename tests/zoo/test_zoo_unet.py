"""U-Net: its skips against code written by hand, and the image sizes that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from zoo.networks import on_meta
from zoo.vision import difference, randomised

import netspec
from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx
from netspec.runtime.probing import probing_copy


def twice(before: int, width: int) -> nn.Sequential:
    """Two 3×3 convolutions, each normalised and activated."""
    layers: list[nn.Module] = []
    for channels in (before, width):
        layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """As most people write it, with padding, batch normalisation and transposed convolutions."""

    def __init__(self, channels: int, classes: int):
        super().__init__()
        self.inc = twice(channels, 64)
        self.down = nn.ModuleList(twice(width // 2, width) for width in (128, 256, 512, 1024))
        self.up, self.merge = nn.ModuleList(), nn.ModuleList()
        for width in (512, 256, 128, 64):
            self.up.append(nn.ConvTranspose2d(2 * width, width, 2, 2))
            self.merge.append(twice(2 * width, width))
        self.outc = nn.Conv2d(64, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.inc(x)]
        for down in self.down:
            levels.append(down(nn.functional.max_pool2d(levels[-1], 2)))
        x = levels.pop()
        for up, merge in zip(self.up, self.merge):
            x = merge(torch.cat((levels.pop(), up(x)), 1))
        return self.outc(x)


def key(name: str) -> str:
    """Our name for a parameter of theirs."""
    part, *rest = name.split(".")
    if part in ("inc", "outc"):
        return ".".join(["encoder0" if part == "inc" else "head", *rest])
    number = int(rest.pop(0))
    level = {"down": f"encoder{number + 1}" if number < 3 else "bottom", "merge": f"decoder{number}"}
    return ".".join([level.get(part, f"up{number}"), *rest])


def test_it_computes_what_the_code_does() -> None:
    theirs = randomised(UNet(3, 2)).eval()
    ours = on_meta("unet").eval()
    ours.load_state_dict({key(name): value for name, value in theirs.state_dict().items()}, strict=True, assign=True)
    for sizes in ((2, 32, 32), (1, 48, 80)):
        images = torch.randn(sizes[0], 3, *sizes[1:], generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            want, got = theirs(images), ours(images)
        assert got.shape == (sizes[0], 2, *sizes[1:])
        assert difference(want, got) < 1e-5


@pytest.mark.parametrize("dimension", ["H", "W"])
@pytest.mark.parametrize("size", [250, 248, 8])
def test_a_size_that_does_not_halve_four_times_is_refused_by_name(dimension: str, size: int) -> None:
    with pytest.raises(SpecError) as caught:
        compile_spec("unet", sizes={dimension: size})
    told = str(caught.value)
    assert f"at {dimension} = {size}" in told
    assert "max_pool2d has an empty output" in told if size < 16 else "concat along dim 1 needs equal sizes" in told


def test_fewer_levels_take_more_sizes() -> None:
    for widths, size in (([8], 250), ([8, 16], 252), ([8, 16, 32], 248), ([4] * 5, 224)):
        graph = compile_spec("unet", overrides={"widths": widths}, sizes={"H": size})
        assert sum(requirement.relation == "==" for requirement in graph.requirements) == 2 * len(widths)


def test_one_onnx_file_takes_three_sizes(tmp_path: Path) -> None:
    sizes = [{"N": 1, "H": 32, "W": 32}, {"N": 2, "H": 16, "W": 48}, {"N": 3, "H": 64, "W": 16}]
    models = [netspec.load("unet", dims=each, widths=[8, 16, 24, 32]) for each in sizes]
    module = probing_copy(models[0].graph, models[0].module())
    path = export_onnx(models[0].graph, module, tmp_path / "unet.onnx")
    for model, each in zip(models, sizes):
        for comparison in compare_onnx(model.graph, module, path, [model.graph.sizes]).comparisons:
            assert comparison.sizes == each
            assert comparison.agrees
