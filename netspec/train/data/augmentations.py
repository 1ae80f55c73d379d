"""Augmentations by torchvision: each image of a batch by itself, with random numbers of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from netspec.recipes.augmentations import RandomErasing, TorchvisionTransform
from netspec.train.data.transforms import erase_squares
from netspec.train.names import resolve

SEEDS = 2**24
"""The number of different draws, which are multiples of 1/2²⁴."""


@contextmanager
def seeded_numbers(seed: int) -> Iterator[torch.Generator]:
    """Have torch draw its random numbers on the CPU from a seed; afterwards those come that would have come before.

    Seeds may follow on the generator that this gives.
    """
    generator = torch.default_generator
    state = generator.get_state()
    try:
        yield generator.manual_seed(seed)
    finally:
        generator.set_state(state)


def by_torchvision(transform: TorchvisionTransform, rows: Tensor, draws: Tensor) -> Tensor:
    """Return images, [n, C, H, W], each changed by torchvision's transform. A draw, [n, 1], is the seed of an image."""
    return _each(resolve(transform.of)(**transform.keywords(*rows.shape[-2:])), rows, draws)


def random_erasing(transform: RandomErasing, rows: Tensor, draws: Tensor) -> Tensor:
    """Return images, [n, C, H, W], with a rectangle erased: a square of a given size, or as torchvision does."""
    if transform.size is not None:
        return erase_squares(transform.size, transform.p, rows, draws)
    arguments = transform.model_dump(exclude={"size"})
    return _each(resolve("torchvision.transforms.v2.RandomErasing")(**arguments), rows, draws)


def _each(change: Any, rows: Tensor, draws: Tensor) -> Tensor:
    """Return images, each changed by torchvision's transform from the seed that its first draw gives."""
    seeds = (draws[:, 0] * SEEDS).long().tolist()
    with seeded_numbers(0) as generator:
        made = []
        for image, seed in zip(rows, seeds):
            generator.manual_seed(seed)
            made.append(change(image))
    return torch.stack(made)
