"""Padding and pixel shuffling, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused

from netspec.dims import Dim
from netspec.testing.case import OpCase

H, W = Dim.symbol("H"), Dim.symbol("W")

EVEN = ({"N": 2, "H": 6, "W": 9}, {"N": 1, "H": 12, "W": 3})


@cases(
    case("pad", "N 3 H W", pad=[1, 2]),
    case("pad", "N 3 H W", pad=[1, 2, 0, 3], value=1.5),
    case("pad", "N 3 L", pad=[2, 1], value=float("-inf")),
    case("pad", "N 3 H W", pad=[-1, 2, 0, -3]),
    case("pad", "N 3", pad=[0, 0, 1, 1], dtype="int64"),
    case("pad", "N 3 H W", pad=[1, 2, 3, 0], mode="reflect"),
    case("pad", "N 3 L", pad=[4, 1], mode="replicate"),
    case("pad", "N 3 H W", pad=[2, 2, 1, 3], mode="circular"),
    case("pad", "N 2 D H W", pad=[1, 1, 2, 0, 0, 1], mode="replicate"),
    case("pad", "N 3 H W", pad=[0, -W % 7, 0, -H % 7]),
    case("pad", "N 3 H W", pad=[W, 1], value=2.0),
    case("pad", "N 3 H W", pad=[W // 2, 0, 1, H // 3], mode="reflect"),
    case("pixel_shuffle", "N 8 H W", upscale_factor=2),
    case("pixel_shuffle", "N 9 H W", upscale_factor=3),
    case("channel_shuffle", "N 6 H W", groups=2),
    case("channel_shuffle", "N 6 L", groups=3),
    case("channel_shuffle", "N 4 D H W", groups=4, dtype="int64"),
    case("pixel_unshuffle", "N 2 H W", downscale_factor=3, at=EVEN),
    case("pixel_unshuffle", "N 3 2*H 2*W", downscale_factor=2),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("pad", "2 3", pad=[1]),
    refused("pad", "2 3", pad=[1, 1, 1, 1, 1, 1]),
    refused("pad", "2 3 4", pad=[-2, -3]),
    refused("pad", "2 3 4", pad=[4, 0], mode="reflect"),
    refused("pad", "2 3 4", pad=[5, 0], mode="circular"),
    refused("pad", "2 3 4 5", pad=[1, 1], mode="reflect"),
    refused("pad", "2 3 4", pad=[1, 1], mode="reflect", value=1.0),
    refused("pixel_shuffle", "2 6 4 4", upscale_factor=2),
    refused("channel_shuffle", "2 6 4 4", groups=4),
    refused("channel_shuffle", "2 6", groups=2),
    refused("pixel_unshuffle", "2 6 4 5", downscale_factor=2),
    refused("pixel_shuffle", "2 4", upscale_factor=2),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("pad", pad=[1, 1], mode="reflect"), "1 1, reflect"),
        (case("pixel_shuffle", upscale_factor=2), "2"),
    ],
    ids=str,
)
def test_detail(made: OpCase, text: str) -> None:
    assert made.op().detail() == text
