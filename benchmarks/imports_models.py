"""The models that ``imports.py`` imports: of torchvision, of timm, and of Hugging Face in tiny configurations."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from tiny_transformers import TRANSFORMERS

from netspec.train.names import import_torchvision

SMALL = 30_000_000
"""A model of timm's with more parameters stands for no family."""
SIDE, WHOLE = 64, 224
"""The height and width of images for networks that take any, and for those that cut them into windows."""
Made = tuple[Any, Mapping[str, Any], Mapping[str, Mapping[int, str]]]


class Library(NamedTuple):
    """Where models come from: ``names`` lists them, ``make`` gives a module, its inputs and their symbolic sizes."""

    names: Callable[[bool], list[str]]
    make: Callable[[str], Made]


def torchvision_names(every: bool) -> list[str]:
    """All that torchvision registers for images and videos, without detectors, whose outputs have no fixed size."""
    import_torchvision()
    from torchvision import models

    rooms = (models, models.segmentation, models.video)
    names = [name for room in rooms for name in models.list_models(module=room)]
    facts = {name: models.get_model_weights(name).DEFAULT.meta for name in names}
    if every:
        return sorted(names, key=lambda name: facts[name]["_ops"])  # what is soon done comes first
    return [*_firsts(sorted(names, key=lambda name: facts[name]["num_params"]))]


def torchvision_model(name: str) -> Made:
    """A model with random weights and an image, or a short video."""
    import torch
    from torchvision import models

    known = dict(weights=None)
    if name in models.list_models(module=models.segmentation):
        known["weights_backbone"] = None
    if name in ("googlenet", "inception_v3"):
        known["init_weights"] = False  # type: ignore[assignment]
    module = models.get_model(name, **known)
    first = next(iter(__import__("inspect").signature(module.forward).parameters))
    shape = (2, 3, *_torchvision_sizes(name))
    return module, {first: torch.randn(shape)}, {first: {0: "N"}}


def _torchvision_sizes(name: str) -> tuple[int, ...]:
    """The frames of a video, and the height and width: small ones, if the model takes them."""
    from torchvision import models

    meta = models.get_model_weights(name).DEFAULT.meta
    side = WHOLE if re.search("vit|swin|s3d", name) else max(SIDE, *meta["min_size"])
    if name not in models.list_models(module=models.video):
        return side, side
    return max(8, meta.get("min_temporal_size", 8)), side, side


def timm_names(every: bool) -> list[str]:
    """The first small model of each of timm's families."""
    import torch

    import_torchvision()
    import timm

    names = []
    for family in timm.list_modules():
        for name in sorted(timm.list_models(module=family), key=lambda name: (len(name), name)):
            with torch.device("meta"):
                try:
                    count = sum(each.numel() for each in timm.create_model(name).parameters())
                except Exception:  # some cannot be made on `meta`, and others are as good
                    continue
            if count < SMALL:
                names.append(name)
                if not every:
                    break
    return names


def timm_model(name: str) -> Made:
    """A model with random weights and an image of its own size."""
    import timm
    import torch

    module = timm.create_model(name)
    size = module.default_cfg.get("input_size", (3, 224, 224)) if hasattr(module, "default_cfg") else (3, 224, 224)
    first = next(iter(__import__("inspect").signature(module.forward).parameters))
    return module, {first: torch.randn(2, *size)}, {first: {0: "N"}}


def transformers_names(every: bool) -> list[str]:
    """All of the table: each is of an architecture of its own."""
    return list(TRANSFORMERS)


def transformers_model(name: str) -> Made:
    """A tiny model with random weights, and its inputs."""
    import torch
    import transformers

    config, kind, sizes, reads = TRANSFORMERS[name]
    module = getattr(transformers, kind)(getattr(transformers, config)(**sizes))
    ids = torch.randint(3, 99, (2, 9))
    inputs: dict[str, Any] = {
        "text": {"input_ids": ids},
        "pairs": {"input_ids": ids, "decoder_input_ids": torch.randint(3, 99, (2, 7))},
        "speech": {"input_features": torch.randn(2, 16, 40), "decoder_input_ids": torch.randint(3, 99, (2, 7))},
        "wave": {"input_values": torch.randn(2, 400)},
        "mel": {"input_values": torch.randn(2, 32, 16)},
        "image": {"pixel_values": torch.randn(2, 3, sizes.get("image_size", 64), sizes.get("image_size", 64))},
    }[reads]
    dynamic = {key: {0: "N"} for key in inputs}
    if reads == "text":
        dynamic["input_ids"][1] = "T"
    return module, inputs, dynamic


def _firsts(names: list[str]) -> Iterator[str]:
    """The first name of each family: ``vgg11`` of ``vgg11``, ``vgg13_bn``, …"""
    seen = set()
    for name in names:
        family = re.sub(r"(_?\d.*|_(tiny|small|base|large|big|nano|[tsblmxh])(_.*)?)$", "", name)
        if family not in seen:
            seen.add(family)
            yield name


LIBRARIES = {
    "torchvision": Library(torchvision_names, torchvision_model),
    "timm": Library(timm_names, timm_model),
    "transformers": Library(transformers_names, transformers_model),
}
