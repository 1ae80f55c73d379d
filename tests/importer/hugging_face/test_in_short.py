"""Masks and positions that many small steps make of sizes alone, as Hugging Face's ``create_causal_mask`` does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tests.importer.lower.running import difference, lowered, ops_of


def packed(ids: torch.Tensor) -> torch.Tensor:
    """The mask of what lies ahead, with the search for sequences that are packed into one."""
    places = torch.arange(ids.shape[1]).unsqueeze(0).expand(ids.shape[0], -1)
    sequence = (torch.diff(places, prepend=places[:, :1] - 1, dim=-1) != 1).cumsum(-1)
    same = sequence[:, None, :, None] == sequence[:, None, None, :]
    return (places[:, None, None, :] <= places[:, None, :, None]) & same


def windowed(ids: torch.Tensor, width: int) -> torch.Tensor:
    """The mask of what lies ahead, or too far back."""
    places = torch.arange(ids.shape[1])
    apart = places[:, None] - places[None, :]
    return (packed(ids) & (apart < width)) & torch.ones((), dtype=torch.bool)


class Attending(nn.Module):
    """Attention under a mask that ``make`` makes."""

    def __init__(self, make: Callable[[torch.Tensor], torch.Tensor]):
        super().__init__()
        self.make, self.words = make, nn.Embedding(11, 8)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids).unflatten(-1, (2, 4)).transpose(1, 2)
        return F.scaled_dot_product_attention(x, x, x, attn_mask=self.make(ids))


class ByHand(nn.Module):
    """Attention whose scores are filled where a stored mask hides what lies ahead, and a mask that is added."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(11, 8)
        self.register_buffer("bias", torch.ones(16, 16, dtype=torch.bool).tril()[None, None], persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.words(ids).unflatten(-1, (2, 4)).permute(0, 2, 1, 3)
        least = torch.finfo(torch.float32).min
        shown = self.bias[:, :, : ids.shape[1], : ids.shape[1]]
        scores = torch.where(shown, x @ x.transpose(-1, -2), torch.full((), least))
        added = torch.zeros(()).masked_fill(~packed(ids), least)
        return (scores + added).softmax(-1) @ x


class Places(nn.Module):
    """Positions and types that are cut from what is stored."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places, self.types = nn.Embedding(11, 8), nn.Embedding(16, 8), nn.Embedding(2, 8)
        self.register_buffer("position_ids", torch.arange(16)[None], persistent=False)
        self.register_buffer("token_types", torch.zeros(1, 16, dtype=torch.int64), persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        places = self.position_ids[:, : ids.shape[1]]
        types = torch.gather(self.token_types, 1, places).expand(*ids.shape)
        return self.words(ids) + self.places(places) + self.types(types)


@pytest.mark.parametrize(
    ("module", "ops"),
    [
        (Attending(packed), ["scaled_dot_product_attention"]),
        (Attending(lambda ids: windowed(ids, 20)), "ones tril triu expand scaled_dot_product_attention".split()),  # noqa: SIM905
        (ByHand(), ["permute", "scaled_dot_product_attention"]),
        (Places(), ["learned_positions", "zeros"]),
    ],
    ids=["packed", "windowed", "by_hand", "places"],
)
def test_what_depends_on_sizes_alone_is_short(module, ops):
    ids = {"ids": torch.randint(0, 11, (2, 7))}
    program = lowered(module, ids, {"ids": {0: "N", 1: "T"}})
    found = [op for op in ops_of(program) if op not in ("embedding", "unflatten", "transpose", "add")]
    assert sorted(found) == sorted(ops)
    assert difference(module, program, ids) < 1e-6
    longer = {"ids": torch.randint(0, 11, (1, 16))}
    assert difference(module, program, longer) < 1e-6


def test_a_window_that_is_wider_than_the_example_stays_one():
    module = Attending(lambda ids: windowed(ids, 20))
    ids = {"ids": torch.randint(0, 11, (2, 7))}
    program = lowered(module, ids, {"ids": {0: "N", 1: "T"}})
    assert difference(module, program, {"ids": torch.randint(0, 11, (2, 40))}) < 1e-6
