"""Convolutions and transposed convolutions, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused

from netspec.testing.case import OpCase


@cases(
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, spectral_norm=True),
    case("conv_transpose2d", "N 4 H W", out_channels=3, kernel_size=2, spectral_norm=True),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, weight_norm=True),
    case(
        "conv1d", "N 4 L", out_channels=6, kernel_size=3, groups=2, padding=1, padding_mode="reflect", weight_norm=True
    ),
    case("conv_transpose1d", "N 4 L", out_channels=3, kernel_size=2, weight_norm=True, bias=False),
    case("conv1d", "N 4 L", out_channels=6, kernel_size=3),
    case("conv1d", "N 4 L", out_channels=6, kernel_size=4, stride=3, padding=2, dilation=2, groups=2, bias=False),
    case("conv1d", "N 4 L", out_channels=6, kernel_size=4, padding="same", dilation=3),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3),
    case("conv2d", "N 4 H W", out_channels=8, kernel_size=[3, 2], stride=[2, 1], padding=[0, 2], groups=4),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=[4, 3], padding="same", bias=False),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, padding="valid", dilation=[1, 2]),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, padding=[1, 2], padding_mode="reflect"),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, padding=2, stride=2, padding_mode="replicate"),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, padding=1, padding_mode="circular"),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=4, padding="same", padding_mode="circular"),
    case("conv2d", "N 3 H W", out_channels=4, kernel_size=3, padding="same", padding_mode="reflect"),
    case("conv3d", "N 2 D H W", out_channels=3, kernel_size=[2, 3, 1], stride=[1, 2, 1], padding=1),
    case("conv_transpose1d", "N 4 L", out_channels=6, kernel_size=3, stride=2, padding=1, output_padding=1),
    case("conv_transpose2d", "N 4 H W", out_channels=6, kernel_size=2, stride=2),
    case("conv_transpose2d", "N 4 H W", out_channels=6, kernel_size=3, stride=[2, 3], padding=1, groups=2, bias=False),
    case("conv_transpose2d", "N 4 H W", out_channels=6, kernel_size=3, dilation=2, output_padding=1),
    case("conv_transpose2d", "N 4 H W", out_channels=6, kernel_size=4, stride=3, dilation=2, output_padding=[2, 1]),
    case("conv_transpose3d", "N 2 D H W", out_channels=3, kernel_size=2, stride=[1, 2, 2], output_padding=[0, 1, 0]),
)
@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("conv2d", "2 3 8 8", out_channels=4, kernel_size=3, groups=2),
    refused("conv2d", "2 4 8 8", out_channels=3, kernel_size=3, groups=2),
    refused("conv2d", "2 3 8 8", out_channels=4, kernel_size=9),
    refused("conv2d", "2 3 8 8", out_channels=4, kernel_size=3, padding="same", stride=2),
    refused("conv2d", "2 3 8 2", out_channels=4, kernel_size=3, padding=2, padding_mode="reflect"),
    refused("conv2d", "2 3 8 2", out_channels=4, kernel_size=3, padding=3, padding_mode="circular"),
    refused("conv1d", "2 3 8 8", out_channels=4, kernel_size=3),
    refused("conv3d", "2 3 8", out_channels=4, kernel_size=3),
    refused("conv2d", "2 3 8 8", out_channels=4, kernel_size=3, dtype="int64"),
    refused("conv_transpose2d", "2 3 8 8", out_channels=4, kernel_size=3, stride=2, output_padding=2),
    refused("conv_transpose2d", "2 3 1 1", out_channels=4, kernel_size=1, padding=1),
    refused("conv_transpose2d", "2 3 8 8", out_channels=4, kernel_size=3, groups=2),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("conv2d", out_channels=64, kernel_size=7, stride=2, padding=3), "7×7, 64, /2"),
        (case("conv2d", out_channels=8, kernel_size=[1, 7], stride=[1, 2], groups=4), "1×7, 8, /1×2, groups 4"),
        (case("conv1d", out_channels=8, kernel_size=3), "3, 8"),
    ],
    ids=str,
)
def test_detail(made: OpCase, text: str) -> None:
    assert made.op().detail() == text
