"""Dropout: the identity outside training, in torch and in ONNX."""

from __future__ import annotations

import pytest
from ops.oracle import case, cases, check, check_refused, refused
from pydantic import ValidationError

from netspec.testing.case import OpCase


@cases(
    case("dropout", "N 3 H W"),
    case("dropout", "N 3", p=0.1, inplace=True),
    case("dropout", "N 3", p=0),
    case("dropout1d", "N 3 L", p=0.2),
    case("dropout2d", "N 3 H W"),
    case("dropout3d", "N 3 D H W"),
    case("alpha_dropout", "N 3"),
    case("feature_alpha_dropout", "N 3 H W"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(refused("dropout1d", "2 3 4 5"))
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


def test_p_is_a_probability() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        case("dropout", p=1.5).op()


def test_texts() -> None:
    made = case("dropout", "N 3").op()
    assert made.call(["x"], ()) == "F.dropout(x, p=0.5, training=self.training)"
    assert made.detail() == "0.5"
