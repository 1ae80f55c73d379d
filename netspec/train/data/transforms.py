"""Transforms of whole batches, on their device. Images are floats, [n, C, H, W].

Each is a pure function of the rows and, if it augments them, of ``draws``, [n, count], uniform in [0, 1): a row comes
out the same in any batch, on any device and after a resumption.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from netspec.ops.core.arguments import spread
from netspec.recipes.transforms import (
    Channels,
    HorizontalFlip,
    Normalize,
    PermuteDims,
    RandomCrop,
    Resize,
    Standardize,
)


def resize(transform: Resize, rows: Tensor) -> Tensor:
    """Return images, [n, C, H, W], in another size, smoothed before they are made smaller."""
    return F.interpolate(rows, spread(transform.size, 2), mode="bilinear", antialias=True)


def channels(transform: Channels, rows: Tensor) -> Tensor:
    """Return images, [n, 1, H, W], with their channel repeated, [n, count, H, W]."""
    return rows.expand(-1, transform.count, -1, -1)


def permute(transform: PermuteDims, rows: Tensor) -> Tensor:
    """Return rows, [n, …], with the dimensions after the first in another order."""
    return rows.permute(0, *(dim + 1 for dim in transform.dims)).contiguous()


def normalize(transform: Normalize, rows: Tensor) -> Tensor:
    """Return (x − mean)/std."""
    mean, std = (rows.new_tensor(value).view(1, -1, 1, 1) for value in (transform.mean, transform.std))
    return (rows - mean) / std


class _Standardize:
    """Standardizes features, which are along the last dimension, or along the channels of images."""

    def fit(self, transform: Standardize, rows: Tensor) -> Tensor:
        """Return mean and standard deviation of each feature, float64, [2, …], such that they broadcast over rows.

        A feature that is constant keeps a deviation of 1: it becomes 0. Bytes count as 0 to 1.
        """
        feature = {1: 0, 4: 1}.get(rows.dim(), rows.dim() - 1)
        others = [dim for dim in range(rows.dim()) if dim != feature or rows.dim() == 1]
        values = rows.double() / (255 if rows.dtype == torch.uint8 else 1)
        mean = values.mean(others, keepdim=True)
        std = values.std(others, correction=0, keepdim=True)
        std = torch.where(std > 1e-12 * mean.abs(), std, 1.0)
        return torch.stack([mean, std])

    def __call__(self, transform: Standardize, rows: Tensor, state: Tensor) -> Tensor:
        state = state.to(rows.dtype)  # float64 where the rows need its digits
        return (rows - state[0]) / state[1]


standardize = _Standardize()


def random_crop(transform: RandomCrop, rows: Tensor, draws: Tensor) -> Tensor:
    """Return windows of the images' own size in the padded images; ``draws`` [n, 2] are their positions."""
    height, width = rows.shape[-2:]
    start = _whole(draws, 2 * transform.padding + 1)
    y = start[:, :1] + torch.arange(height, device=rows.device)
    x = start[:, 1:] + torch.arange(width, device=rows.device)
    image = torch.arange(len(rows), device=rows.device)
    wide = F.pad(rows, (transform.padding,) * 4)
    return wide.permute(0, 2, 3, 1)[image[:, None, None], y[:, :, None], x[:, None, :]].permute(0, 3, 1, 2).contiguous()


def horizontal_flip(transform: HorizontalFlip, rows: Tensor, draws: Tensor) -> Tensor:
    """Return rows with those whose draw, [n, 1], is below ``p`` flipped left to right."""
    return torch.where((draws[:, 0] < transform.p).view(-1, 1, 1, 1), rows.flip(-1), rows)


def erase_squares(side: int, p: float, rows: Tensor, draws: Tensor) -> Tensor:
    """Return rows with a square of zeros, cut off at the border, where the first draw of [n, 3] is below ``p``.

    The other draws say where its centre is, anywhere in the image.
    """
    inside = []
    for draw, size in zip(draws[:, 1:].unbind(1), rows.shape[-2:]):
        start = _whole(draw, size) - side // 2
        offset = torch.arange(size, device=rows.device) - start[:, None]
        inside.append((offset >= 0) & (offset < side))
    erased = inside[0][:, :, None] & inside[1][:, None, :] & (draws[:, :1, None] < p)
    return rows.masked_fill(erased[:, None], 0.0)


def _whole(draws: Tensor, count: int) -> Tensor:
    """Return uniform numbers as whole ones from 0 to ``count`` − 1."""
    return (draws * count).long().clamp(max=count - 1)
