"""Taking and putting by places, repeating, shifting, windows and diagonals, against torch and onnxruntime."""

from __future__ import annotations

import pytest
import torch
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.dims import Dim
from netspec.ops import ShapeError
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of

N, T = Dim.symbol("N"), Dim.symbol("T")
LONG = ({"N": 2, "T": 5, "S": 4}, {"N": 3, "T": 3, "S": 3}, {"N": 3, "T": 8, "S": 11})


def once_each(values: Values) -> Values:
    """Places of which no two are equal, as torch leaves open which of two elements stays."""
    x, index, *others = values
    assert index is not None
    places = torch.arange(index.shape[1]).flip(0).expand_as(index).contiguous()
    return [x, places, *others]


@each(
    several("take", "N 6", "T 2 int64<6", dim=1),
    several("take", "6 T", "N int64<6", dim=0),
    several("take", "N T 6 int64", "int64<6", dim=-1),
    several("take", "2 6", "N T int64<12"),
    several("scatter", "N 6", "N 3 int64", "N 3", dim=1, values=once_each),
    several("scatter", "N 6", "N 6 int64", "N 6", dim=1, values=once_each),
    several("scatter", "N 6 int64<9", "N 3 int64", None, dim=1, value=7, values=once_each),
    several("scatter", "6 T", "S T int64<6", "S T", dim=0, reduce="sum"),
    several("scatter", "6 T", "S T int64<6", "S T", dim=0, reduce="amax"),
    several("scatter", "6 T", "S T int64<6", "S T", dim=0, reduce="prod"),
    several("masked_scatter", "N T", "N T bool", "N T"),
    several("masked_scatter", "N T", "T bool", "N T"),
    several("roll", "N T 4", shifts=[2, -1], dims=[1, 2], at=LONG),
    several("roll", "N 3", shifts=[7], dims=[1]),
    several("roll", "N 3", shifts=-1, dims=1),
    several("roll", "N T 4", shifts=3),
    several("tile", "N T", dims=[2, 3]),
    several("tile", "N T int64", dims=[2]),
    several("tile", "T", dims=[2, 1, 3]),
    several("repeat_interleave", "N T 4", repeats=3, dim=1),
    several("repeat_interleave", "N T", repeats=2, dim=-1),
    several("repeat_interleave", "N T bool", repeats=2, dim=0),
    several("unbind", "N 3 T", dim=1),
    several("unbind", "1 N", dim=0),
    several("sliding_windows", "N T 4", dimension=1, size=3, at=LONG),
    several("sliding_windows", "N T", dimension=-1, size=2, step=2, at=LONG),
    several("meshgrid", "N", "T"),
    several("meshgrid", "N", "T", "S", indexing="xy"),
    several("diagonal", "N N 4"),
    several("diagonal", "N T T", offset=1, dim1=1, dim2=2, at=LONG),
    several("diagonal", "T 4 T", offset=-2, dim1=-1, dim2=0, at=LONG),
    several("diagonal", "3 5", offset=1),
    several("diag_embed", "N T"),
    several("diag_embed", "N T", offset=2),
    several("diag_embed", "T bool", offset=-1),
    several("eye", None, n=4),
    several("eye", "N T", n=N, m=T),
    several("eye", "N T int64", n=T),
    several("full", "N T", size=[N, 3, T], fill_value=0.5),
    several("full", None, size=[2], fill_value=7, dtype="int64"),
    several("full", "N T", size=[T], fill_value=float("-inf")),
    several("full", "N T int64", size=[T], fill_value=1, dtype="bool"),
    several("full", "N T int64", size=[T], fill_value=3),
    several("full", "N T bool", size=[T], fill_value=1),
    several("linspace", None, start=-1, end=1, steps=7),
    several("linspace", "N T", start=0.5, end=9, steps=T),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "lines"),
    [
        (several("take", "N 6", "T int64", dim=1), ["y = a.index_select(1, b)"]),
        (several("take", "N 6", "T 2 int64", dim=1), ["y = a.index_select(1, b.flatten()).unflatten(1, b.shape)"]),
        (several("take", "N 6", "T 2 int64"), ["y = torch.take(a, b)"]),
        (several("scatter", "N 6", "N 3 int64", None, dim=1, value=1), ["y = a.scatter(1, b, 1)"]),
        (several("scatter", "N 6", "N 3 int64", "N 3", dim=1, reduce="sum"), ["y = a.scatter_add(1, b, c)"]),
        (several("roll", "N T", shifts=[1], dims=[1]), ["y = torch.roll(a, (1,), (1,))"]),
        (several("tile", "N T", dims=[2, 1]), ["y = a.tile((2, 1))"]),
        (several("full", None, size=[2], fill_value=0.5), ["y = torch.full((2,), 0.5, dtype=torch.float32)"]),
        (several("linspace", None, start=0, end=1, steps=5), ["y = torch.linspace(0, 1, 5)"]),
        (several("eye", "N T", n=N, m=T), ["y = torch.eye(a.size(0), a.size(1), device=a.device)"]),
    ],
    ids=str,
)
def test_lines(case: OpCase, lines: list[str]) -> None:
    assert lines_of(case.op(), case.tensors(), ["y"]) == lines


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int32", "int64", "bool"])
def test_full_has_the_dtype_of_like(dtype: str) -> None:
    case = several("full", f"4 {dtype}", size=[4], fill_value=1)
    wanted = torch.full_like(torch.empty(4, dtype=getattr(torch, dtype)), 1)
    assert f"torch.{case.op().infer(*case.tensors())[0].dtype}" == str(wanted.dtype)


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("take", "N 6", "T", dim=1), "take takes integers (int64), but its input is float32"),
        (
            several("scatter", "N 6", "N 3 int64", None, dim=1),
            "scatter takes `src` or a number `value`: give one of the two",
        ),
        (several("scatter", "2 6", "3 3 int64", "3 3", dim=1), "scatter takes an index of at most 2 in dim 0, not 3"),
        (several("roll", "N T", shifts=[1, 2], dims=[1]), "roll takes a shift for each of 1 dims, but got 2"),
        (several("unbind", "N T"), "a dimension that is cut into its entries must be a known number, but is N"),
        (several("sliding_windows", "2 3", dimension=1, size=4), "windows of 4 take a size of at least 4, not 3"),
        (several("diagonal", "N T"), "the diagonal's length is the smaller of N and T"),
        (several("diagonal", "2 2", dim1=0, dim2=-2), "dim1 and dim2 are both dim 0"),
        (several("meshgrid", "2", "3 4"), "meshgrid takes vectors of one dtype"),
        (several("full", "N int64", size=[2], fill_value=0.5), "full: 0.5 cannot be int64"),
        (several("eye", None, n=N), "eye has no input that tells the size N"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        bounded(case.op(), case.tensors())
    assert text in str(found.value)
