"""The inputs of modules that say what they take: torchvision's by their weights, timm's by their settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from netspec.importer.examples import InputExample

if TYPE_CHECKING:
    from torch import nn


def guessed_inputs(module: nn.Module, maker: Any) -> list[InputExample]:
    """Return the inputs of a module that ``maker`` made, with a symbolic batch; none where that would be a guess."""
    from netspec.importer.capture.inputs import parameter_names

    sizes = _of_torchvision(maker) or _of_timm(module)
    names = parameter_names(module)
    return [InputExample(names[0], ("N", *sizes))] if sizes and names else []


def _of_torchvision(maker: Any) -> Sequence[int]:
    """The sizes of an image, or of a clip, that the weights of one of torchvision's models are for."""
    models = sys.modules.get("torchvision.models")
    package, _, kind = getattr(maker, "__module__", "").partition("torchvision.models.")
    kind = kind.partition(".")[0]
    if models is None or package or not kind or kind in ("detection", "optical_flow"):
        return ()
    try:
        weights: Any = next(iter(models.get_model_weights(maker)), None)
        transforms = weights.transforms()
    except (ValueError, AttributeError, StopIteration):  # no model of its list, or one without weights
        return ()
    size = getattr(transforms, "crop_size", None) or getattr(transforms, "resize_size", None)
    if not size:
        return ()
    frames = [weights.meta.get("min_temporal_size", 16)] if kind == "video" else []
    return (3, *frames, size[0], size[-1])


def _of_timm(module: nn.Module) -> Sequence[int]:
    """The sizes of an image that timm says a model is for."""
    settings = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None)
    size = settings.get("input_size") if isinstance(settings, dict) else None
    return tuple(size) if size and len(size) == 3 else ()
