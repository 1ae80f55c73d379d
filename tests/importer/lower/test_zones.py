"""Masks of zones, as those of shifted windows, come in as the numbers of the zones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import netspec
from netspec.importer.lower.zones import zones_of

ZONES = torch.tensor([[0] * 6, [0, 0, 0, 1, 1, 1], [0, 1, 2, 0, 1, 2]]).repeat_interleave(12, 0)


def mask_of(apart: float | bool) -> torch.Tensor:
    differs = ZONES[:, None, :] != ZONES[:, :, None]
    return ~differs if isinstance(apart, bool) else torch.zeros(()).masked_fill(differs, apart)


class Masked(nn.Module):
    def __init__(self, mask: torch.Tensor):
        super().__init__()
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, scores):
        if self.mask.dtype is torch.bool:
            return scores.masked_fill(self.mask, 7.0)
        return (scores + self.mask).softmax(-1)


@pytest.mark.parametrize("apart", [-100.0, -torch.inf, True], ids=str)
def test_a_mask_of_zones_is_two_lists_compared(apart: float | bool):
    spec = netspec.from_torch(Masked(mask_of(apart)), {"scores": torch.randn(2, 36, 6, 6)})
    assert '"[[[0] * 6]] * 12 + [[[0] * 3 + [1] * 3]] * 12 + [[[0, 1, 2] * 2]] * 12"' in spec.text
    assert ("- equal: {" if apart is True else "- not_equal: {") in spec.text
    assert len(spec.text.splitlines()) < 24
    assert spec.proof.worst == 0


def test_zones_are_found_where_places_fall_into_classes():
    assert np.array_equal(zones_of(mask_of(-100.0).numpy()), ZONES.numpy())
    assert np.array_equal(zones_of(mask_of(True).numpy()), ZONES.numpy())


def test_no_other_mask_is_one_of_zones():
    seen = np.triu(np.full((6, 6), -1.0), 1)
    mask = mask_of(-100.0).numpy()
    others = mask.copy()
    others[20, 0, 5] = -50.0
    apart = mask.copy()
    apart[20, 0, 0] = -100.0
    assert zones_of(seen) is None  # the first sees itself alone, the last sees all
    assert zones_of(others) is None
    assert zones_of(apart) is None
    assert zones_of(np.zeros((6, 6))) is None
    assert zones_of(np.zeros((6, 5))) is None
    assert zones_of(np.zeros(6)) is None
