"""Fully connected layers and products of matrices, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused
from ops.several import check_several, each, several

from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase, read_shape


@cases(
    case("linear", "N 5", out_features=3),
    case("linear", "N 5", out_features=3, bias=False),
    case("linear", "N L 5", out_features=3),
    case("linear", "N 5", out_features=3, weight_norm=True),
    case("linear", "N L 5", out_features=3, bias=False, spectral_norm=True),
    case("linear", "N H W 5", out_features=3, bias=False),
    case("linear", "5", out_features=3),
    case("matmul", "N L 4", "N 4 W"),
    case("matmul", "N L 4", "4 3"),
    case("matmul", "N 3 L H", "1 3 H 2"),
    case("matmul", "L H", "H W"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("linear", "2 5", out_features=3, dtype="int64"),
    refused("matmul", "2 3 4", "3 5"),
    refused("matmul", "2 3 4", "3 4 5"),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@each(
    several("affine", "N 5", "5 3", "3"),
    several("affine", "N T 5", "5 3", None),
    several("affine", "N 2 T 5", "5 3", "3"),
    several("affine", "N S", "S T", "T"),
)
def test_affine_matches_torch(case: OpCase) -> None:
    check_several(case)


def test_affine_refuses_what_does_not_fit() -> None:
    for shapes in (["2 5", "4 3", "3"], ["2 5", "5 3", "4"], ["2 5", "5 3 1", "3"], ["2 5", "5", None]):
        case = several("affine", *shapes)
        with pytest.raises(ShapeError):
            case.op().infer(*case.tensors())


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ("N 3 H", "write a number for `H` under `inputs`"),
        (
            "N 3 H W",
            "put `adaptive_avg_pool2d: 1` and `flatten` before this, or write the size of the input as numbers",
        ),
    ],
)
def test_asks_for_a_known_size(shape: str, wanted: str) -> None:
    with pytest.raises(ShapeError) as found:
        case("linear", out_features=3).op().infer(Tensor(read_shape(shape)))
    assert str(found.value) == f"the last dimension that linear takes must be a known number, but is {shape[-1]}"
    assert found.value.help == wanted
