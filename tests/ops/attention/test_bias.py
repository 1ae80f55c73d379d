"""Biases of attention by distance, against torch and onnxruntime, and against Hugging Face's T5 and Bloom."""

from __future__ import annotations

import pytest
import torch
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.runtime.vision import import_torchvision
from netspec.testing.case import OpCase
from netspec.testing.pytorch import run_lines


@each(
    several("alibi", "N T 4", None, num_heads=8),
    several("alibi", "N T 4", "N S 4", num_heads=6),
    several("alibi", "N T int64<9", None, num_heads=1),
    several("relative_position_buckets", "N T 4", None),
    several("relative_position_index", None, window_size=[3, 2]),
    several("relative_position_index", "N T 4", window_size=[2, 3, 2]),
    several("relative_position_buckets", "N T 4", "N S 4", num_buckets=8, max_distance=9, bidirectional=False),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.slow  # imports transformers
@pytest.mark.parametrize(
    ("buckets", "most", "both"), [(32, 128, True), (32, 128, False), (16, 64, True), (8, 20, False), (64, 1000, True)]
)
def test_buckets_are_t5s(buckets: int, most: int, both: bool) -> None:
    import_torchvision()
    from transformers.models.t5.modeling_t5 import T5Attention

    arguments = {"num_buckets": buckets, "max_distance": most, "bidirectional": both}
    case = several("relative_position_buckets", "1200 4", None, **arguments)
    made = run_lines(case.op(), None, case.tensors(), [torch.zeros(1200, 4), None], {0})[0]
    distance = torch.arange(1200) - torch.arange(1200).unsqueeze(1)
    assert made.equal(T5Attention._relative_position_bucket(distance, both, buckets, most))


@pytest.mark.slow  # imports torchvision
@pytest.mark.parametrize("window", [[7, 7], [3, 5]])
def test_the_index_is_swins(window: list[int]) -> None:
    import_torchvision()
    from torchvision.models.swin_transformer import ShiftedWindowAttention

    case = several("relative_position_index", None, window_size=window)
    made = run_lines(case.op(), None, case.tensors(), [None], {0})[0]
    theirs = ShiftedWindowAttention(8, window, [0, 0], 2)
    assert made.flatten().equal(theirs.relative_position_index)
    assert made.max() + 1 == len(theirs.relative_position_bias_table)


@pytest.mark.slow
@pytest.mark.parametrize("heads", [1, 4, 6, 12, 16])
def test_slopes_are_blooms(heads: int) -> None:
    import_torchvision()
    from transformers.models.bloom.modeling_bloom import build_alibi_tensor

    case = several("alibi", "1 7 4", None, num_heads=heads)
    made = run_lines(case.op(), None, case.tensors(), [torch.zeros(1, 7, 4), None], {0})[0]
    theirs = build_alibi_tensor(torch.ones(1, 7), heads, torch.float32)  # for the last query, up to a constant
    torch.testing.assert_close(made[:, -1:] - made[:, -1:, :1], theirs)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("relative_position_buckets", "2 9 4", None, num_buckets=6), "num_buckets must be a multiple of 4"),
        (several("relative_position_buckets", "2 9 4", None, max_distance=8), "max_distance must be above 8"),
        (several("alibi", "9", None, num_heads=2), "alibi takes at least two dimensions"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
