"""Rotary embedding, against torch and onnxruntime, and against Hugging Face's Llama, GPT-J and GPT-NeoX."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from ops.oracle import bounded
from ops.several import check_several, each, several
from torch import Tensor

from netspec.ops import ShapeError
from netspec.runtime.vision import import_torchvision
from netspec.testing.case import OpCase
from netspec.testing.pytorch import run_lines

LLAMA = {
    "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}


@each(
    several("rotary_embedding", "N 2 T 8", None),
    several("rotary_embedding", "N 2 T 8", None, interleaved=True, base=500.0),
    several("rotary_embedding", "N 2 T 8", "T int64<T"),
    several("rotary_embedding", "N 2 T 8", "N T int64<99", rotary_dim=6),
    several("rotary_embedding", "N T 8", "N T int64<99", rotary_dim=4, interleaved=True),
    several("rotary_embedding", "N 2 T 32", None, **LLAMA),
    several("rotary_embedding", "N 2 T 32", "N T int64<99", **YARN),
    several("rotary_embedding", "T 8", None, rope_type="linear", factor=2.0),
    several("rotary_embedding", "N T 16", None, **{**YARN, "attention_factor": 0.5, "beta_fast": 8.0}),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


def turned(x: Tensor, positions: Tensor | None = None, **arguments: Any) -> Tensor:
    shapes = [
        " ".join(map(str, x.shape)),
        None if positions is None else f"{' '.join(map(str, positions.shape))} int64",
    ]
    case = several("rotary_embedding", *shapes, **arguments)
    result: Tensor = run_lines(case.op(), None, case.tensors(), [x, positions], {0})[0]
    return result


@pytest.mark.slow  # imports transformers
@pytest.mark.parametrize("scaling", [{"rope_type": "default"}, {"rope_type": "linear", "factor": 4.0}, LLAMA, YARN])
def test_turns_as_llama(scaling: dict[str, Any]) -> None:
    import_torchvision()  # as transformers will
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding, apply_rotary_pos_emb

    config = LlamaConfig(
        hidden_size=64, num_attention_heads=2, rope_parameters={"rope_theta": 500_000.0, **scaling},
        max_position_embeddings=512,
    )  # fmt: skip
    x, positions = torch.randn(3, 2, 9, 32), torch.randint(0, 400, (3, 9))
    cosine, sine = LlamaRotaryEmbedding(config)(x, positions)
    wanted, _ = apply_rotary_pos_emb(x, x, cosine, sine)
    torch.testing.assert_close(turned(x, positions, base=500_000.0, **scaling), wanted, atol=2e-4, rtol=1e-4)


@pytest.mark.slow
def test_turns_the_first_elements_as_gpt_j() -> None:
    import_torchvision()
    from transformers.models.gptj.modeling_gptj import apply_rotary_pos_emb as turn_neighbours

    x, places = torch.randn(2, 3, 7, 16), torch.arange(7.0)
    angle = places.unsqueeze(1) / 10_000 ** (torch.arange(0, 8, 2) / 8)
    by_time = x[..., :8].transpose(1, 2)
    part = turn_neighbours(by_time, angle.sin().unsqueeze(0), angle.cos().unsqueeze(0)).transpose(1, 2)
    made = turned(x, rotary_dim=8, interleaved=True)
    torch.testing.assert_close(made, torch.cat((part, x[..., 8:]), dim=-1))


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("rotary_embedding", "2 9 5", None), "takes an even last dimension"),
        (several("rotary_embedding", "2 9 6", None, rotary_dim=8), "rotary_dim must be even, and at most 6"),
        (several("rotary_embedding", "2 9 6", "2 9", rotary_dim=4), r"takes positions \[T\] or \[N, T\] of int64"),
        (
            several("rotary_embedding", "2 9 6", None, low_freq_factor=4.0),
            "low_freq_factor must be below high_freq_factor",
        ),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
