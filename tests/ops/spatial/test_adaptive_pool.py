"""Adaptive and global pooling, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused

from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase

SMALLER = ({"N": 2, "L": 5, "D": 4, "H": 5, "W": 3}, {"N": 1, "L": 9, "D": 6, "H": 13, "W": 6})


@cases(
    case("adaptive_avg_pool1d", "N 3 L", output_size=1),
    case("adaptive_avg_pool1d", "N 3 L", output_size=4),
    case("adaptive_avg_pool1d", "N 3 12", output_size=4),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=1),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=[1, None]),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=[None, None]),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=6),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=7, at=SMALLER),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=[3, 5]),
    case("adaptive_avg_pool2d", "N 3 12 9", output_size=[4, 3]),
    case("adaptive_avg_pool2d", "N 3 12 9", output_size=[5, None]),
    case("adaptive_avg_pool2d", "N 3 H 9", output_size=[None, 4]),
    case("adaptive_avg_pool3d", "N 2 D H W", output_size=1),
    case("adaptive_avg_pool3d", "N 2 D H W", output_size=[2, 3, 4]),
    case("adaptive_max_pool1d", "N 3 L", output_size=4, return_indices=True),
    case("adaptive_max_pool2d", "N 3 H W", output_size=[3, 1], return_indices=True),
    case("adaptive_max_pool2d", "N 3 12 W", output_size=[None, 5], return_indices=True),
    case("adaptive_max_pool3d", "N 2 D 6 W", output_size=[2, 3, 2], return_indices=True),
    case("adaptive_max_pool1d", "N 3 L", output_size=1),
    case("adaptive_max_pool1d", "N 3 L", output_size=4),
    case("adaptive_max_pool2d", "N 3 H W", output_size=[1, 1]),
    case("adaptive_max_pool2d", "N 3 H W", output_size=7, at=SMALLER),
    case("adaptive_max_pool2d", "N 3 12 9", output_size=[4, 3]),
    case("adaptive_max_pool2d", "N 3 12 9", output_size=[5, None]),
    case("adaptive_max_pool3d", "N 2 D H W", output_size=[2, 3, 4]),
    case("global_avg_pool", "N 3 L"),
    case("global_avg_pool", "N 3 H W"),
    case("global_avg_pool", "N 3 D H W"),
    case("global_max_pool", "N 3 H W"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("adaptive_avg_pool1d", "2 3 8 8 8", output_size=1),
    refused("adaptive_avg_pool2d", "2 3", output_size=2),
    refused("adaptive_max_pool3d", "2 3 8", output_size=1),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


def test_global_pool_needs_something_to_pool() -> None:
    with pytest.raises(ShapeError, match=r"^global_max_pool takes \[N, C, …\] with at least one spatial dimension, "):
        case("global_max_pool").op().infer(Tensor((2, 3)))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("adaptive_avg_pool2d", output_size=1), "→1×1"),
        (case("adaptive_avg_pool2d", output_size=[None, 7]), "→·×7"),
        (case("adaptive_max_pool1d", output_size=5), "→5"),
        (case("global_avg_pool"), ""),
    ],
    ids=str,
)
def test_detail(made: OpCase, text: str) -> None:
    assert made.op().detail() == text
