"""Receptive fields against the gradients of the running module."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from netspec import zoo
from netspec.analysis.receptive_field import ALL, field_text, receptive_fields
from netspec.pipeline import compile_spec
from netspec.runtime.module import build_module


def measured(path: Path, variant: str | None, step: str, size: int) -> list[int]:
    """Return the width of the part of an input on which one place in the middle of a step's output depends."""
    graph = compile_spec(path, variant=variant)
    module = build_module(graph).double().eval()
    kept: list[torch.Tensor] = []
    module.get_submodule(step).register_forward_hook(lambda module, inputs, made: kept.append(made))
    shape = [each if isinstance(each, int) else 2 for each in next(iter(graph.inputs.values())).shape]
    image = torch.randn(*shape[:2], size, size, dtype=torch.float64, requires_grad=True)
    module(image)
    (made,) = kept
    made[:, :, made.shape[2] // 2, made.shape[3] // 2].sum().backward()
    assert image.grad is not None
    touched = image.grad.abs().sum((0, 1)) > 0
    return [int(touched.any(1 - axis).sum()) for axis in (0, 1)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "variant", "step", "size"),
    [
        ("resnet", "resnet18", "layer1.1", 128),
        ("resnet", "resnet18", "layer2.0", 160),
        ("resnet", "resnet50", "layer1.2.conv2", 128),
        ("mobilenet_v2", None, "features.4", 128),
        ("vgg", "vgg11", "features.8", 160),
        ("densenet", "densenet121", "features.denseblock1.denselayer2", 128),
    ],
)
def test_a_field_is_as_wide_as_what_has_a_gradient(
    family: str, variant: str | None, step: str, size: int, tmp_path: Path
) -> None:
    text = (zoo.folder() / f"{family}.yaml").read_text(encoding="utf-8")
    for kinked, smooth in (("relu6", "tanh"), ("relu", "tanh"), ("max_pool2d", "avg_pool2d")):  # no gradient is lost
        text = text.replace(kinked, smooth)
    path = tmp_path / f"{family}.yaml"
    path.write_text(text, encoding="utf-8")
    field = receptive_fields(compile_spec(path, variant=variant))[step]
    sizes = measured(path, variant, step, size)
    assert field_text(field) == (str(sizes[0]) if sizes[0] == sizes[1] else "×".join(map(str, sizes)))


def test_known_fields() -> None:
    """Of AlexNet and VGG-16 as published by Araujo, Norris and Sim 2019; of ResNet-18 as it is widely quoted."""
    for name, step, width in (
        ("alexnet_torchvision", "features.12", "195"),
        ("vgg16", "features.30", "212"),
        ("resnet18", "layer4.1", "435"),
    ):
        assert field_text(receptive_fields(compile_spec(name))[step]) == width


def test_what_reads_everything() -> None:
    fields = receptive_fields(compile_spec("resnet18"))
    assert fields["8"] == ALL  # the pooling over the whole image
    assert "fc" not in fields
    assert receptive_fields(compile_spec("gpt2")) == {}
