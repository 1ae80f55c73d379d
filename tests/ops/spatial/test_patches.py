"""Unfolding, folding and sampling at grids, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import bounded, case, cases, check, check_refused, refused
from ops.several import check_several, each, several

from netspec.dims import Dim
from netspec.ops import ShapeError
from netspec.testing.case import SIZES, OpCase

H, W = Dim.symbol("H"), Dim.symbol("W")


@cases(
    case("unfold", "N 3 H W", kernel_size=2),
    case("unfold", "N 3 H W", kernel_size=[2, 3], stride=[3, 2], padding=[0, 2], dilation=[2, 1]),
    case("unfold", "N 3 9 W", kernel_size=3, padding=1),
    case("fold", "N 12 6", output_size=[3, 4], kernel_size=2),
    case("fold", "N 12 10", output_size=[4, 9], kernel_size=[3, 2], stride=[3, 2], padding=[1, 1], dilation=[1, 2]),
)
def test_patches_match_torch(case: OpCase) -> None:
    check(case)


@each(
    several("fold", "N 8 81", "N 1 10 10", output_size=[10, 10], kernel_size=2, at=SIZES),
    several("grid_sample", "N 3 H W", "N T S 2", at=SIZES),
    several("grid_sample", "N 3 H W", "N T S 2", mode="nearest", padding_mode="border", align_corners=True, at=SIZES),
    several("grid_sample", "N 3 H W", "N T S 2", mode="bicubic", padding_mode="reflection", at=SIZES),
    several("grid_sample", "N 3 D H W", "N T S 4 3", padding_mode="reflection", at=SIZES),
    several("affine_grid", "N 2 3", None, size=[4, 3], at=SIZES),
    several("affine_grid", "N 2 3", "N 3 H W", size=[H, W], align_corners=True, at=SIZES),
    several("affine_grid", "N 3 4", "N 3 5 H W", size=[5, H, W], at=SIZES),
    several("affine_grid", "N 2 3", None, size=[1, 3], align_corners=True, at=SIZES),
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # torch's, of a single place
def test_grids_match_torch(case: OpCase) -> None:
    check_several(case)


@cases(
    refused("unfold", "2 3 4 4", kernel_size=5),
    refused("unfold", "2 3", kernel_size=2),
    refused("fold", "2 12 7", output_size=[3, 4], kernel_size=2),
    refused("fold", "2 10 6", output_size=[3, 4], kernel_size=2),
    refused("grid_sample", "2 3 4 4", "2 5 5 3"),
    refused("grid_sample", "2 3 4 4", "1 5 5 2"),
    refused("grid_sample", "2 3 4 4 4", "2 5 5 5 3", mode="bicubic"),
    refused("affine_grid", "2 3 3", size=[4, 4]),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("affine_grid", "2 2 3", None, size=[H, 4]), "affine_grid has no input that tells the size H"),
        (
            several("fold", "2 12 7", None, output_size=[3, 4], kernel_size=2),
            "has 6 windows, but the input has 7 columns",
        ),
        (several("fold", "2 12 7", None, output_size=[3, 4, 5], kernel_size=2), "takes a height and a width"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=text):
        bounded(case.op(), case.tensors())
