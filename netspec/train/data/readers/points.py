"""Makes the small data sets of points and images."""

import math
from pathlib import Path

import torch

from netspec.recipes.data.points import Edges, LinePoints, LogicPoints, Noise, Polynomial, Separable
from netspec.train.data.base import Data, TensorRows


def logic(data_set: LogicPoints, folder: Path) -> Data:
    """Four rows: x [2], label."""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    labels = {"and": [0, 0, 0, 1], "or": [0, 1, 1, 1], "xor": [0, 1, 1, 0]}
    return Data(data_set.columns(), TensorRows({"x": x, "label": torch.tensor(labels[data_set.of])}))


def separable(data_set: Separable, folder: Path) -> Data:
    """x [2], label: as many rows on the one side as on the other, or one more."""
    draw = _generator(data_set.seed)
    angle = torch.rand((), generator=draw) * 2 * math.pi
    normal = torch.stack([angle.cos(), angle.sin()])
    label = torch.arange(data_set.rows) % 2
    distance = data_set.margin + (1 - data_set.margin) * torch.rand(data_set.rows, generator=draw)
    along = (2 * torch.rand(data_set.rows, generator=draw) - 1) * (1 - distance.square()).clamp(min=0).sqrt()
    side = (2 * label - 1) * distance
    x = side[:, None] * normal + along[:, None] * torch.stack([-normal[1], normal[0]])
    return Data(data_set.columns(), TensorRows({"x": x, "label": label}))


def line(data_set: LinePoints, folder: Path) -> Data:
    """x [2], standard normal, and y."""
    draw = _generator(data_set.seed)
    x = torch.randn(data_set.rows, 2, generator=draw)
    y = x @ torch.tensor([2.0, -3.4]) + 4.2 + data_set.noise * torch.randn(data_set.rows, generator=draw)
    return Data(data_set.columns(), TensorRows({"x": x, "y": y}))


def polynomial(data_set: Polynomial, folder: Path) -> Data:
    """x [degree], the powers of a uniform number, and y."""
    draw = _generator(data_set.seed)
    x = 2 * torch.rand(data_set.rows, 1, generator=draw) - 1
    features = x ** torch.arange(1, max(3, data_set.degree) + 1)
    y = 5 + features[:, :3] @ torch.tensor([1.2, -3.4 / 2, 5.6 / 6])
    y = y + data_set.noise * torch.randn(data_set.rows, generator=draw)
    half = data_set.rows // 2
    train, test = (
        TensorRows({"x": features[part, : data_set.degree], "y": y[part]}) for part in (slice(half), slice(half, None))
    )
    return Data(data_set.columns(), train, test=test)


def noise(data_set: Noise, folder: Path) -> Data:
    """image [*shape], bytes, and label."""
    draw, rows = _generator(data_set.seed), data_set.rows
    image = torch.randint(256, (rows, *data_set.shape), dtype=torch.uint8, generator=draw)
    return Data(
        data_set.columns(),
        TensorRows({"image": image, "label": torch.randint(data_set.classes, (rows,), generator=draw)}),
    )


def edges(data_set: Edges, folder: Path) -> Data:
    """Five rows: image [1, 6, 8], edge [1, 6, 7]."""
    column = torch.arange(8)
    bright = torch.stack([((column < start) | (column >= start + 4)).float() for start in range(5)])
    image = bright[:, None, None].repeat(1, 1, 6, 1)
    return Data(data_set.columns(), TensorRows({"image": image, "edge": image[..., :-1] - image[..., 1:]}))


def _generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)
