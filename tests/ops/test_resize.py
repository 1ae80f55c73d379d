"""Padding, interpolation and pixel shuffling, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import Case, case, cases, check, check_refused, read_shape, refused

from netspec.ops.base import ShapeError, Tensor

EVEN = ({"N": 2, "H": 6, "W": 9}, {"N": 1, "H": 12, "W": 3})


@cases(
    case("pad", "N 3 H W", pad=[1, 2]),
    case("pad", "N 3 H W", pad=[1, 2, 0, 3], value=1.5),
    case("pad", "N 3 H W", pad=[-1, 2, 0, -3]),
    case("pad", "N 3", pad=[0, 0, 1, 1], dtype="int64"),
    case("pad", "N 3 H W", pad=[1, 2, 3, 0], mode="reflect"),
    case("pad", "N 3 L", pad=[4, 1], mode="replicate"),
    case("pad", "N 3 H W", pad=[2, 2, 1, 3], mode="circular"),
    case("pad", "N 2 D H W", pad=[1, 1, 2, 0, 0, 1], mode="replicate"),
    case("upsample", "N 3 H W", scale_factor=2),
    case("upsample", "N 3 L", scale_factor=3),
    case("upsample", "N 2 D H W", scale_factor=[1, 2, 3]),
    case("upsample", "N 3 H W", scale_factor=1.5),
    case("upsample", "N 3 H W", scale_factor=0.5),
    case("upsample", "N 3 7 9", scale_factor=0.7),
    case("upsample", "N 3 10 20", scale_factor=0.7),
    case("upsample", "N 3 7 9", scale_factor=[1.3, 2.7], mode="bilinear"),
    case("upsample", "N 3 H W", size=7),
    case("upsample", "N 3 H W", size=[20, 5], mode="nearest-exact"),
    case("upsample", "N 3 L", scale_factor=2, mode="linear"),
    case("upsample", "N 3 L", size=1, mode="linear"),
    case("upsample", "N 3 L", size=1, mode="linear", align_corners=True),
    case("upsample", "N 3 H W", scale_factor=2, mode="bilinear"),
    case("upsample", "N 3 H W", scale_factor=2, mode="bilinear", align_corners=True),
    case("upsample", "N 3 H W", size=[5, 17], mode="bilinear", align_corners=False),
    case("upsample", "N 3 H W", size=[5, 17], mode="bicubic"),
    case("upsample", "N 3 H W", scale_factor=2, mode="bicubic", align_corners=True),
    case("upsample", "N 2 D H W", scale_factor=2, mode="trilinear"),
    case("upsample", "N 2 D H W", size=[3, 9, 16], mode="trilinear", align_corners=True),
    case("pixel_shuffle", "N 8 H W", upscale_factor=2),
    case("pixel_shuffle", "N 9 H W", upscale_factor=3),
    case("pixel_unshuffle", "N 2 H W", downscale_factor=3, at=EVEN),
    case("pixel_unshuffle", "N 3 2*H 2*W", downscale_factor=2),
)
def test_matches_torch(case: Case) -> None:
    check(case)


@cases(
    refused("pad", "2 3", pad=[1]),
    refused("pad", "2 3", pad=[1, 1, 1, 1, 1, 1]),
    refused("pad", "2 3 4", pad=[-2, -3]),
    refused("pad", "2 3 4", pad=[4, 0], mode="reflect"),
    refused("pad", "2 3 4", pad=[5, 0], mode="circular"),
    refused("pad", "2 3 4 5", pad=[1, 1], mode="reflect"),
    refused("pad", "2 3 4", pad=[1, 1], mode="reflect", value=1.0),
    refused("upsample", "2 3 4 5"),
    refused("upsample", "2 3 4 5", size=2, scale_factor=2),
    refused("upsample", "2 3 4 5", size=2, align_corners=True),
    refused("upsample", "2 3 4 5", scale_factor=[2, 2, 2]),
    refused("upsample", "2 3 4 5", scale_factor=2, mode="linear"),
    refused("upsample", "2 3 4", scale_factor=2, mode="bilinear"),
    refused("upsample", "2 3 4 5", scale_factor=0.1),
    refused("upsample", "2 3", scale_factor=2),
    refused("pixel_shuffle", "2 6 4 4", upscale_factor=2),
    refused("pixel_unshuffle", "2 6 4 5", downscale_factor=2),
    refused("pixel_shuffle", "2 4", upscale_factor=2),
)
def test_refuses_what_torch_refuses(case: Case) -> None:
    check_refused(case)


def test_a_symbolic_size_needs_an_exact_factor() -> None:
    with pytest.raises(ShapeError) as found:
        case("upsample", scale_factor=0.7).op().infer(Tensor(read_shape("N 3 H W")))
    assert str(found.value) == "H scaled by 0.7 has no exact size"
    assert found.value.help == "give a factor that is exact in binary, such as 1.5, or a size"


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("upsample", scale_factor=2), "×2"),
        (case("upsample", size=[7, 9], mode="bilinear"), "→7×9, bilinear"),
        (case("pad", pad=[1, 1], mode="reflect"), "1 1, reflect"),
        (case("pixel_shuffle", upscale_factor=2), "2"),
    ],
    ids=str,
)
def test_detail(made: Case, text: str) -> None:
    assert made.op().detail() == text
