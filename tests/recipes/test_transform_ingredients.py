"""Every transform against numpy, Pillow or torchvision."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from recipes.judged import Case, Cases

from netspec.recipes.data import Mixing, Transform
from netspec.runtime.vision import import_torchvision
from netspec.train.names import resolve

TRANSFORMS = Cases("transform")
import_torchvision()
v2 = import_module("torchvision.transforms.v2")
Array = np.ndarray
ROWS = np.random.default_rng(0).random((6, 3, 8, 10)).astype(np.float32)
DRAWS = np.random.default_rng(1).random((6, 3)).astype(np.float32)


@TRANSFORMS.add("resize", size=[4, 5])
def resize(rows: Array, draws: Array) -> Array:
    """Pillow's reduction by a triangle filter."""
    images = [[Image.fromarray(plane).resize((5, 4), Image.Resampling.BILINEAR) for plane in row] for row in rows]
    return np.array([[np.asarray(plane) for plane in row] for row in images])


@TRANSFORMS.add("channels", count=4)
def channels(rows: Array, draws: Array) -> Array:
    return np.repeat(rows, 4, axis=1)


@TRANSFORMS.add("permute", dims=[1, 2, 0])
def permute(rows: Array, draws: Array) -> Array:
    return np.moveaxis(rows, 1, -1)


@TRANSFORMS.add("normalize", mean=[0.1, 0.2, 0.3], std=0.5)
def normalize(rows: Array, draws: Array) -> Array:
    return (rows - np.array([0.1, 0.2, 0.3])[:, None, None]) / 0.5


@TRANSFORMS.add("standardize")
@TRANSFORMS.add("standardize_targets")
def standardize(rows: Array, draws: Array) -> Array:
    planes = np.moveaxis(rows, 1, 0).reshape(3, -1)
    return (rows - planes.mean(1)[:, None, None]) / planes.std(1)[:, None, None]


@TRANSFORMS.add("random_crop", padding=2)
def random_crop(rows: Array, draws: Array) -> Array:
    wide = np.pad(rows, [(0, 0), (0, 0), (2, 2), (2, 2)])
    starts = (draws[:, :2] * 5).astype(int)
    return np.array([image[:, y : y + 8, x : x + 10] for image, (y, x) in zip(wide, starts)])


@TRANSFORMS.add("horizontal_flip", p=0.4)
def horizontal_flip(rows: Array, draws: Array) -> Array:
    return np.array([np.flip(row, -1) if draw[0] < 0.4 else row for row, draw in zip(rows, draws)])


@TRANSFORMS.add("random_erasing", size=3, p=0.7)
def random_erasing(rows: Array, draws: Array) -> Array:
    made = rows.copy()
    for row, (chance, down, across) in zip(made, draws):
        top, left = int(down * 8) - 1, int(across * 10) - 1
        if chance < 0.7:
            row[:, max(top, 0) : top + 3, max(left, 0) : left + 3] = 0
    return made


def by_torchvision(kind: str, rows: Array, draws: Array, **arguments: Any) -> Array:
    """Torchvision's transform of each image, whose first draw is the seed of torch's random numbers."""
    change, made = getattr(v2, kind)(**arguments), []
    for row, draw in zip(rows, draws):
        torch.manual_seed(int(draw[0] * 2**24))
        made.append(change(torch.tensor(row)).numpy())
    return np.array(made)


@TRANSFORMS.add("random_erasing", p=0.8, value=[0.1, 0.2, 0.3])
def random_rectangles(rows: Array, draws: Array) -> Array:
    return by_torchvision("RandomErasing", rows, draws, p=0.8, value=[0.1, 0.2, 0.3])


@TRANSFORMS.add("random_resized_crop", scale=[0.3, 0.8])
def random_resized_crop(rows: Array, draws: Array) -> Array:
    return by_torchvision("RandomResizedCrop", rows, draws, size=(8, 10), scale=(0.3, 0.8))


@TRANSFORMS.add("random_resized_crop", size=6, interpolation="nearest")
def random_resized_crop_of_a_size(rows: Array, draws: Array) -> Array:
    return by_torchvision("RandomResizedCrop", rows, draws, size=6, interpolation=v2.InterpolationMode.NEAREST)


@TRANSFORMS.add("color_jitter", brightness=0.4, saturation=[0.5, 2.0], hue=0.1)
def color_jitter(rows: Array, draws: Array) -> Array:
    return by_torchvision("ColorJitter", rows, draws, brightness=0.4, saturation=(0.5, 2.0), hue=0.1)


@TRANSFORMS.add("rand_augment", magnitude=12, fill=0.5)
def rand_augment(rows: Array, draws: Array) -> Array:
    return by_torchvision("RandAugment", rows, draws, magnitude=12, fill=0.5)


@TRANSFORMS.add("trivial_augment", interpolation="bilinear")
def trivial_augment(rows: Array, draws: Array) -> Array:
    bilinear = v2.InterpolationMode.BILINEAR
    return by_torchvision("TrivialAugmentWide", rows, draws, interpolation=bilinear)


@TRANSFORMS.add("mixup", alpha=0.4)
def mixup(rows: Array, draws: Array) -> Array:
    return v2.MixUp(alpha=0.4, num_classes=2)(torch.tensor(rows), torch.zeros(6, dtype=torch.long))[0].numpy()


@TRANSFORMS.add("cutmix")
def cutmix(rows: Array, draws: Array) -> Array:
    return v2.CutMix(num_classes=2)(torch.tensor(rows), torch.zeros(6, dtype=torch.long))[0].numpy()


@TRANSFORMS.parameters()
def test_it_does_what_numpy_pillow_or_torchvision_does(case: Case):
    transform = case.ingredient
    assert isinstance(transform, Transform)
    rows = ROWS[:, :1] if transform.name == "channels" else ROWS
    function, given = resolve(transform.torch), torch.tensor(rows)
    more = [torch.tensor(DRAWS[:, : transform.draws])] if transform.draws else []
    more += [function.fit(transform, given)] if transform.fits else []
    torch.manual_seed(5)
    found = function(transform, given, *more)
    found = found.mixed(given) if isinstance(transform, Mixing) else found
    torch.manual_seed(5)
    wanted = case.oracle(rows, DRAWS)
    assert found.numpy() == pytest.approx(wanted, abs=1e-5)
    assert not np.array_equal(wanted, rows)


def test_every_transform_has_a_judged_case():
    assert TRANSFORMS.missing() == []
