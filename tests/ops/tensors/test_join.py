"""Joins and arithmetic of several inputs, against torch and onnxruntime."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused

from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase, read_shape


@cases(
    case("concat", "N 3 H W", "N 5 H W"),
    case("concat", "N 3 H W", "N 3 H W", "N 3 2*H W", dim=2),
    case("concat", "N L", "N 4", dim=-1),
    case("concat", "N L"),
    case("concat", "N L", "N L", dim=0, dtype="int64"),
    case("stack", "N 3", "N 3", "N 3"),
    case("stack", "N H", "N H", dim=-1),
    case("stack", "N H", dim=0),
    case("add", "N 3 H W", "N 3 H W"),
    case("add", "N 3 H W", "3 1 1", "N 1 1 1"),
    case("add", "N L"),
    case("add", "N L", "N L", dtype="int64"),
    case("subtract", "N 3", "1 3", "N 1"),
    case("multiply", "N 3 H W", "N 3 1 1"),
    case("multiply", "3 4", "N 3 4"),
    case("divide", "N 3", "N 3"),
    case("mean", "N 3", "N 3", "3"),
    case("mean", "N 3"),
    case("maximum", "N 3 L", "N 3 L", "3 L"),
    case("minimum", "N 3 L", "L"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("concat", "2 3 4", "2 3 5"),
    refused("concat", "2 3 4", "2 3"),
    refused("concat", "2 3", "2 3", dim=2),
    refused("stack", "2 3", "2 4"),
    refused("stack", "2 3", "2 3", dim=3),
    refused("add", "2 3", "2 4"),
    refused("add", "2 3 4", "3 3"),
    refused("multiply", "2 3", "2"),
    refused("maximum", "2 3", "2 4"),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("add", "N", "N", "N"), "a + b + c"),
        (case("mean", "N", "N"), "(a + b) / 2"),
        (case("maximum", "N", "N", "N"), "torch.maximum(torch.maximum(a, b), c)"),
        (case("concat", "N 3", "N 3"), "torch.cat((a, b), dim=1)"),
        (case("stack", "N 3"), "torch.stack((a,), dim=1)"),
    ],
    ids=str,
)
def test_text(made: OpCase, text: str) -> None:
    assert made.op().call(["a", "b", "c"][: len(made.inputs)], made.tensors()) == text


def test_symbolic_sizes_that_may_differ_are_required_to_be_equal() -> None:
    made = case("add", "N 3 H", "N 1 W")
    height, width = made.tensors()[0].shape[2], made.tensors()[1].shape[2]
    why = "add needs equal sizes (or 1) in dim 2"
    assert (height, width, why) in list(made.op().requirements(*made.tensors()))
    assert made.op().infer(*made.tensors())[0].shape == read_shape("N 3 H")
    joined = case("concat", "N 3 H", "N 1 W")
    assert (height, width, "concat along dim 1 needs equal sizes in dim 2") in joined.op().requirements(
        *joined.tensors()
    )


def test_refuses_mixed_dtypes() -> None:
    with pytest.raises(ShapeError, match=r"^add takes inputs of one dtype, but got float32 and int64$"):
        case("add").op().infer(Tensor((2,)), Tensor((2,), "int64"))
