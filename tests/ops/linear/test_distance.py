"""Distances, determinants, products of vectors and all forms of einsum, against torch and onnxruntime."""

from __future__ import annotations

import pytest
import torch
from ops.oracle import bounded
from ops.several import check_several, each, several

from netspec.ops import ShapeError
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of

LONG = ({"N": 2, "T": 5, "S": 4}, {"N": 3, "T": 3, "S": 3}, {"N": 3, "T": 8, "S": 11})


def regular(values: Values) -> Values:
    """Matrices that are far from one without an inverse."""
    return [None if value is None else value + 3 * torch.eye(value.shape[-1], dtype=value.dtype) for value in values]


@each(
    several("normalize", "N T 4"),
    several("normalize", "N T", dim=-1, p=1),
    several("normalize", "N T 4", dim=2, p=3, eps=0.1),
    several("cosine_similarity", "N T 4", "N T 4", dim=-1),
    several("cosine_similarity", "N 6", "N 6"),
    several("pairwise_distance", "N T 4", "N T 4"),
    several("pairwise_distance", "N 6", "N 6", p=1, keepdim=True),
    several("cdist", "N T 4", "N S 4"),
    several("cdist", "N T 4", "S 4", p=1),
    several("cdist", "T 4", "S 4", p="inf"),
    several("det", "N 3 3"),
    several("det", "2 N 4 4"),
    several("inverse", "N 3 3", values=regular),
    several("inverse", "T T", values=regular),
    several("matmul", "T", "T", counted=False),
    several("matmul", "N T", "T", counted=False),
    several("matmul", "N 3 T", "T", counted=False),
    several("matmul", "T", "T 3"),
    several("matmul", "T", "N T 3", counted=False),
    several("einsum", "N T 4", equation="nta->tan"),
    several("einsum", "N T 4", equation="nta->n"),
    several("einsum", "N 3 3", equation="nii->n"),
    several("einsum", "N 3 3", equation="nii->ni"),
    several("einsum", "3 3", equation="ii"),
    several("einsum", "N T 4", "4 5", equation="...a,ab->...b"),
    several("einsum", "N 2 T 4", "2 4 S", equation="...ij,...jk->...ik"),
    several("einsum", "N 2 T 4", "4 S", equation="...ij,jk"),
    several("einsum", "N T", "T S", equation="ij,jk", at=LONG),
    several("einsum", "N 3 3", "3 T", equation="nii,it->nt"),
    several("einsum", "N", "T", equation="i,j->ij"),
)
def test_matches_torch(case: OpCase) -> None:
    check_several(case)


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (several("normalize", "N 4"), "y = F.normalize(a)"),
        (several("normalize", "N 4", p=1, dim=-1), "y = F.normalize(a, p=1, dim=-1)"),
        (several("cdist", "N 4", "T 4", p=1), "y = torch.cdist(a, b, p=1)"),
        (several("matmul", "T", "T"), "y = a @ b"),
        (several("einsum", "N T", equation="ij->ji"), 'y = torch.einsum("ij->ji", a)'),
    ],
    ids=str,
)
def test_lines(case: OpCase, line: str) -> None:
    assert lines_of(case.op(), case.tensors(), ["y"]) == [line]


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (several("inverse", "2 3"), "inverse takes square matrices, but its input is [2, 3]"),
        (several("det", "2 3"), "det takes square matrices, but its input is [2, 3]"),
        (several("cdist", "2 3", "2 4"), "cdist takes rows of one length, but got [2, 3] and [2, 4]"),
        (several("matmul", "3", "4"), "matmul cannot multiply [3] by [4]"),
        (several("matmul", "", "4"), "matmul takes at least one dimension, but an input is []"),
        (several("einsum", "2 3", equation="ii"), "einsum needs one size for `i`, but got 2 and 3"),
        (several("einsum", "2 3", equation="i...j...->ij"), "`i...j...` has more than one `...`"),
        (several("einsum", "2 3", equation="ij->..."), "`...` is not in any input of `ij->...`"),
        (several("einsum", "2 3", equation="ij->ii"), "`ii` names a dimension twice"),
        (several("einsum", "2", equation="ij...->ij"), "`ij...` names at least 2 dimensions, but the input is [2]"),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        bounded(case.op(), case.tensors())
    assert str(found.value) == text
