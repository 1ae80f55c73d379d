"""Every transform against numpy or Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from recipes.judged import Case, Cases

from netspec.recipes.data import Transform
from netspec.train.names import resolve

TRANSFORMS = Cases("transform")
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


@TRANSFORMS.parameters()
def test_it_does_what_numpy_or_pillow_does(case: Case):
    transform = case.ingredient
    assert isinstance(transform, Transform)
    rows = ROWS[:, :1] if transform.name == "channels" else ROWS
    function, given = resolve(transform.torch), torch.tensor(rows)
    more = [torch.tensor(DRAWS[:, : transform.draws])] if transform.draws else []
    more += [function.fit(transform, given)] if transform.fits else []
    wanted = case.oracle(rows, DRAWS)
    assert function(transform, given, *more).numpy() == pytest.approx(wanted, abs=1e-5)
    assert not np.array_equal(wanted, rows)


def test_every_transform_has_a_judged_case():
    assert TRANSFORMS.missing() == []
