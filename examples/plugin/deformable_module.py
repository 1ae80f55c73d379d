"""The PyTorch of ``deformable.py``: what a ``deformable_attention`` becomes."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Deformable(nn.Module):
    """Attention to a few places of a picture around each point, on one scale."""

    def __init__(self, channels: int, heads: int = 8, places: int = 4):
        super().__init__()
        self.heads, self.places = heads, places
        self.offsets = nn.Linear(channels, 2 * heads * places)
        self.weights = nn.Linear(channels, heads * places)
        self.values = nn.Conv2d(channels, channels, 1)
        self.out = nn.Linear(channels, channels)

    def forward(self, query: torch.Tensor, points: torch.Tensor, picture: torch.Tensor) -> torch.Tensor:
        heads, places = self.heads, self.places
        batch, length, channels = query.shape
        height, width = picture.shape[-2:]
        values = self.values(picture).reshape(batch * heads, channels // heads, height, width)
        offsets = self.offsets(query).reshape(batch, length, heads, places, 2).transpose(1, 2)
        size = torch.stack([torch.full_like(points[..., 0], width), torch.full_like(points[..., 0], height)], -1)
        where = points[:, None, :, None] + offsets / size[:, None, :, None]
        grid = (2 * where - 1).reshape(batch * heads, length, places, 2)
        seen = F.grid_sample(values, grid, align_corners=False)
        weights = self.weights(query).reshape(batch, length, heads, places).softmax(-1)
        weights = weights.transpose(1, 2).reshape(batch * heads, 1, length, places)
        mixed = (seen * weights).sum(-1).reshape(batch, channels, length)
        return self.out(mixed.transpose(1, 2))
