"""Ops that rearrange, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, infer, refused

from netspec.dims import Dim, product
from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase, read_shape

N, H, W, L = (Dim.symbol(name) for name in "NHWL")


@cases(
    case("identity", "N 3"),
    case("flatten", "N 3 H W"),
    case("flatten", "N 3"),
    case("flatten", "N 3 4", start_dim=0),
    case("flatten", "N H W 3", start_dim=1, end_dim=2),
    case("flatten", "N 2 H W L", start_dim=-4, end_dim=-3),
    case("flatten", "N 2 H W L", start_dim=2, end_dim=3),
    case("flatten", "N 2 H W", start_dim=2),
    case("flatten", "N 2 H", dtype="int64"),
    case("unflatten", "N 6 L", dim=1, unflattened_size=[2, 3]),
    case("unflatten", "N 6 L", dim=-2, unflattened_size=[-1, 2]),
    case("unflatten", "N 4*L W", dim=1, unflattened_size=[-1, 4]),
    case("unflatten", "N 4*L W", dim=1, unflattened_size=[4, L]),
    case("reshape", "N 3 H W", shape=[H * W, N, 3]),
    case("reshape", "N 3 H W", shape=[(H + 1) * W - W, 3, N]),
    case("reshape", "N 6 L", shape=[N, 2, 3, -1]),
    case("reshape", "N 4*L", shape=[N, 4, -1]),
    case("reshape", "N 3 H W", shape=[N, 3, H * W]),
    case("reshape", "N 3 H W", shape=[N * 3, H, W]),
    case("reshape", "N 3 H W", shape=[-1, W]),
    case("reshape", "N H 2 W", shape=[N, 2 * W, -1]),
    case("reshape", "4 6", shape=[3, -1]),
    case("permute", "N 3 H W", dims=[0, 2, 3, 1]),
    case("permute", "N L", dims=[-1, 0]),
    case("transpose", "N L 3", dim0=1, dim1=-1),
    case("squeeze", "N 3 1", dim=-1),
    case("squeeze", "N 1 H W", dim=1),
    case("unsqueeze", "N L", dim=1),
    case("unsqueeze", "N L", dim=-1),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("flatten", "2 3", start_dim=2),
    refused("flatten", "2 3 4", start_dim=2, end_dim=1),
    refused("unflatten", "2 6", dim=1, unflattened_size=[4, 2]),
    refused("unflatten", "2 6", dim=1, unflattened_size=[4, -1]),
    refused("unflatten", "2 6", dim=2, unflattened_size=[6]),
    refused("unflatten", "2 6", dim=1, unflattened_size=[-1, -1]),
    refused("permute", "2 3 4", dims=[0, 1]),
    refused("permute", "2 3 4", dims=[0, 1, 1]),
    refused("permute", "2 3 4", dims=[0, 1, 3]),
    refused("transpose", "2 3", dim0=0, dim1=2),
    refused("squeeze", "2 3", dim=2),
    refused("unsqueeze", "2 3", dim=3),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("source", "shape", "text"),
    [
        ("N 6 L", [N, 3, -1], "x.reshape(x.size(0), 3, -1)"),
        ("N 3 H W", [N, 3, H * W], "x.reshape(x.size(0), 3, -1)"),
        ("N 3 H W", [W, -1], "x.reshape(x.size(3), -1)"),
        ("N H 2 W", [N, 2 * W, -1], "x.reshape(x.size(0), x.size(3) * 2, -1)"),
        ("4 6", [3, 8], "x.reshape(3, 8)"),
    ],
)
def test_reshape_text(source: str, shape: list[object], text: str) -> None:
    op = case("reshape", shape=shape).op()
    assert op.call(["x"], [Tensor(read_shape(source))]) == text


@pytest.mark.parametrize(
    ("source", "shape", "text"),
    [
        ("4 6", [5, 5], "24 elements of [4, 6] do not fit into [5, 5]"),
        ("4 6", [5, -1], "24 elements of [4, 6] do not fit into [5, 4]"),
        ("4 6", [-1, -1], "one size may be -1, all others are at least 1"),
        ("4 6", [-2, 3], "one size may be -1, all others are at least 1"),
        ("N H W", [H * W, Dim.symbol("S"), Dim.symbol("T")], "reshape has no input that tells the size S or T"),
        ("N 6", [W, -1], "-1 has no integer size, as 6·N is not a multiple of W"),
    ],
)
def test_reshape_refuses(source: str, shape: list[object], text: str) -> None:
    with pytest.raises(ShapeError) as found:
        case("reshape", shape=shape).op().infer(Tensor(read_shape(source)))
    assert str(found.value) == text
    assert found.value.argument == "shape"


def test_requirements() -> None:
    tensor = Tensor(read_shape("N L"))
    length = tensor.shape[1]
    split = case("unflatten", dim=1, unflattened_size=[4, -1]).op()
    ((left, right, why),) = split.requirements(tensor)
    assert (left, right, why) == (length, length // 4 * 4, "unflatten splits dim 1 without remainder")
    ((left, right, why),) = case("squeeze", dim=1).op().requirements(tensor)
    assert (left, right, why) == (length, 1, "squeeze drops dim 1, which must be 1")
    ((left, right, _),) = case("reshape", shape=[N, 3, 4]).op().requirements(tensor)
    assert (left, right) == (product(tensor.shape), 12 * N)


def test_squeeze_refuses_what_is_not_1() -> None:
    with pytest.raises(ShapeError, match="must be 1"):
        infer(case("squeeze", dim=1).op(), (Tensor((2, 3)),))
