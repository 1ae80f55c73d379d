"""Dropout: the identity outside training, in torch and in ONNX."""

from __future__ import annotations

import pytest
import torch
from ops.oracle import case, cases, check, check_refused, refused
from pydantic import ValidationError

from netspec.runtime.vision import import_torchvision
from netspec.testing.case import OpCase
from netspec.testing.pytorch import run_lines


@cases(
    case("dropout", "N 3 H W"),
    case("dropout", "N 3", p=0.1, inplace=True),
    case("dropout", "N 3", p=0),
    case("dropout1d", "N 3 L", p=0.2),
    case("dropout2d", "N 3 H W"),
    case("dropout3d", "N 3 D H W"),
    case("alpha_dropout", "N 3"),
    case("stochastic_depth", "N 3 H W"),
    case("stochastic_depth", "N 3", p=0.2, mode="batch"),
    case("stochastic_depth", "N", p=0),
    case("feature_alpha_dropout", "N 3 H W"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@pytest.mark.parametrize("mode", ["row", "batch"])
@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
def test_stochastic_depth_is_torchvisions(mode: str, p: float) -> None:
    import_torchvision()
    theirs = pytest.importorskip("torchvision").ops.stochastic_depth
    one = case("stochastic_depth", "9 3 2", p=p, mode=mode)
    x = torch.randn(9, 3, 2)
    for seed in range(4):
        torch.manual_seed(seed)
        (ours,) = run_lines(one.op(), None, one.tensors(), [x.clone()], (0,), training=True)
        torch.manual_seed(seed)
        assert torch.equal(ours, theirs(x, p, mode, training=True))


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
