"""Pooling over sliding windows, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused

from netspec.testing.case import OpCase


@cases(
    case("max_pool1d", "N 3 L", kernel_size=2),
    case("max_pool1d", "N 3 L", kernel_size=3, stride=2, padding=1, dilation=2, ceil_mode=True),
    case("max_pool2d", "N 3 H W", kernel_size=3, stride=2, padding=1),
    case("max_pool2d", "N 3 H W", kernel_size=3, stride=2, ceil_mode=True),
    case("max_pool2d", "N 3 H W", kernel_size=[2, 3], stride=[3, 1], padding=[1, 0], dilation=[2, 1]),
    case("max_pool2d", "N 3 H W", kernel_size=2, stride=2, padding=1, ceil_mode=True),
    case("max_pool2d", "N 3 H W", kernel_size=2, stride=3, padding=1, ceil_mode=True),
    case("max_pool2d", "N 3 H W", kernel_size=5, stride=2, padding=1, ceil_mode=True, at=({"N": 2, "H": 2, "W": 3},)),
    case("max_pool3d", "N 2 D H W", kernel_size=2),
    case("max_pool3d", "N 2 D H W", kernel_size=[1, 3, 2], stride=2, padding=[0, 1, 1], ceil_mode=True),
    case("max_pool1d", "N 3 L", kernel_size=3, stride=2, padding=1, return_indices=True),
    case("max_pool2d", "N 3 H W", kernel_size=[2, 3], stride=2, padding=1, dilation=2, return_indices=True),
    case("max_pool2d", "N 3 H W", kernel_size=3, stride=2, ceil_mode=True, return_indices=True),
    case("max_pool3d", "N 2 D H W", kernel_size=2, return_indices=True),
    case("avg_pool1d", "N 3 L", kernel_size=3),
    case("avg_pool1d", "N 3 L", kernel_size=3, stride=2, padding=1, ceil_mode=True, count_include_pad=False),
    case("avg_pool1d", "N 3 L", kernel_size=3, stride=2, padding=1, ceil_mode=True),
    case("avg_pool2d", "N 3 H W", kernel_size=2),
    case("avg_pool2d", "N 3 H W", kernel_size=3, stride=2, padding=1),
    case("avg_pool2d", "N 3 H W", kernel_size=3, stride=2, padding=1, count_include_pad=False),
    case("avg_pool2d", "N 3 H W", kernel_size=[3, 2], stride=[2, 3], padding=[1, 0], ceil_mode=True),
    case("avg_pool2d", "N 3 H W", kernel_size=2, stride=3, padding=1, ceil_mode=True),
    case("avg_pool2d", "N 3 H W", kernel_size=3, stride=2, padding=1, divisor_override=2),
    case("avg_pool2d", "N 3 H W", kernel_size=3, stride=2, padding=1, ceil_mode=True, divisor_override=5),
    case("avg_pool2d", "N 3 H W", kernel_size=2, stride=3, padding=1, ceil_mode=True, divisor_override=5),
    case("avg_pool2d", "N 3 H W", kernel_size=5, stride=2, padding=1, ceil_mode=True, at=({"N": 2, "H": 2, "W": 3},)),
    case("avg_pool3d", "N 2 D H W", kernel_size=2, stride=1, padding=1),
    case("avg_pool3d", "N 2 D H W", kernel_size=3, stride=2, ceil_mode=True, divisor_override=4),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("max_pool2d", "2 3 8 8", kernel_size=2, padding=2),
    refused("max_pool2d", "2 3 8 8", kernel_size=9),
    refused("max_pool2d", "2 3 8 8", kernel_size=3, dilation=4),
    refused("max_pool1d", "2 3 4 8 8", kernel_size=2),
    refused("max_pool2d", "8 8", kernel_size=2),
    refused("avg_pool1d", "2 3 8", kernel_size=3, padding=2),
    refused("avg_pool2d", "2 3 8 2", kernel_size=3),
    refused("avg_pool3d", "2 3", kernel_size=3),
    refused("avg_pool2d", "2 3 8 8", kernel_size=2, dtype="int32"),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("max_pool2d", kernel_size=3, stride=2), "3×3, /2"),
        (case("max_pool2d", kernel_size=2), "2×2, /2"),
        (case("avg_pool2d", kernel_size=[2, 3]), "2×3, /2×3"),
        (case("avg_pool1d", kernel_size=3, stride=1), "3"),
        (case("avg_pool3d", kernel_size=2, stride=[1, 2, 2]), "2×2×2, /1×2×2"),
    ],
    ids=str,
)
def test_detail(made: OpCase, text: str) -> None:
    assert made.op().detail() == text
