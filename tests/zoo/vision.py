"""torchvision as an oracle, also beside a torch that its compiled part does not fit."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from netspec.runtime.vision import import_torchvision

import_torchvision()
import torchvision  # noqa: E402

models = torchvision.models


plan = models.regnet.BlockParams.from_init_params


def planned(*arguments: Any, **options: Any) -> Any:
    """Plan a RegNet: torchvision reads its widths from tensors, which have values on the CPU alone."""
    with torch.device("cpu"):
        return plan(*arguments, **options)


models.regnet.BlockParams.from_init_params = planned


def outlined(name: str, **options: object) -> nn.Module:
    """Return a torchvision model with shapes and no values."""
    if name.startswith(("deeplabv3", "fcn", "lraspp")):
        options = {"weights_backbone": None} | ({} if name.startswith("lraspp") else {"aux_loss": True}) | options
    with torch.device("meta"):
        module: nn.Module = models.get_model(name, weights=None, **options)
    return module


def build(name: str, **options: object) -> nn.Module:
    """A torchvision model with random weights and statistics, cheaply: only their scale is right."""
    made = randomised(outlined(name, **options).to_empty(device="cpu"))
    for module in made.modules():
        if hasattr(module, "define_relative_position_index"):
            module.define_relative_position_index()
    return made


def randomised(module: nn.Module, *, buffers: bool = True) -> nn.Module:
    """Gives parameters, and batch-norm statistics, values that are telling."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *(module.named_buffers() if buffers else ())]:
            if tensor.ndim > 1:
                bound = (6 / tensor[0].numel()) ** 0.5
                tensor.uniform_(-bound, bound, generator=generator)
            elif not tensor.is_floating_point():
                tensor.zero_()
            elif name.endswith(("weight", "running_var")):
                tensor.uniform_(0.5, 1.5, generator=generator)
            else:
                tensor.uniform_(-0.5, 0.5, generator=generator)
    return module


def difference(want: torch.Tensor, got: torch.Tensor) -> float:
    """max|want − got| / max|want|."""
    assert want.shape == got.shape
    return ((want - got).abs().max() / want.abs().max()).item()
