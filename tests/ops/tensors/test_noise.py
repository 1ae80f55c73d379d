"""Random numbers: with fixed ones in their place the same in torch and ONNX, and drawn as told without."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from ops.oracle import case, cases, check
from pydantic import ValidationError

from netspec.testing.case import OpCase
from netspec.testing.onnx_model import onnx_model
from netspec.testing.pytorch import run_lines

NOISE = (
    case("noise", "N 3 H W"),
    case("noise", "N 3", mean=1.5, std=0.2),
    case("noise", "N T int64<9", distribution="uniform"),
    case("noise", "N 3", distribution="uniform", low=-2.0, high=3.0),
    case("noise", "N 3", distribution="bernoulli", p=0.3),
    case("noise", "N 3", distribution="uniform", low=1.0, high=3.0, when="training"),
    case("noise", "N bool", distribution="bernoulli", when="training"),
)


@cases(*NOISE, case("gumbel_softmax", "N 3 H W"), case("gumbel_softmax", "N T 5", tau=0.5, dim=1))
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(case("gumbel_softmax", "N T 5", hard=True), case("gumbel_softmax", "N 3 H", hard=True, dim=1))
def test_a_hard_choice_agrees_with_torch(case: OpCase) -> None:
    """Its gradient is that of another function, so it is none of the cases that gradients are checked of."""
    check(case)


def drawn(case: OpCase, training: bool) -> list[torch.Tensor]:
    """The numbers that torch draws, and those that onnxruntime draws of a file for inference."""
    sizes = {"N": 50_000, "T": 4}
    op, tensors, values = case.op(), case.tensors(sizes), case.values(sizes)
    results = run_lines(op, None, tensors, values, (0,), training=training)
    model = onnx_model(op, case.tensors(), None).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    held = [value.numpy() for value in values if value is not None]
    return [*results, *(torch.from_numpy(each) for each in session.run(None, dict(zip(["x0"], held))))]


@cases(*NOISE[1:])
def test_the_moments_are_those_of_the_distribution(case: OpCase) -> None:
    op = case.op().model_copy(update={"when": "always"})
    wanted = {
        "normal": (op.mean, op.std),
        "uniform": ((op.low + op.high) / 2, (op.high - op.low) / 12**0.5),
        "bernoulli": (op.p, (op.p * (1 - op.p)) ** 0.5),
    }[op.distribution]
    training, inference = drawn(case, training=True)
    assert (float(training.mean()), float(training.std())) == pytest.approx(wanted, abs=0.03)
    spread = 0.0 if case.op().when == "training" else wanted[1]
    assert (float(inference.mean()), float(inference.std())) == pytest.approx((wanted[0], spread), abs=0.03)


def test_gumbel_softmax_chooses_by_the_softmax_in_both() -> None:
    one = case("gumbel_softmax", "N 3", hard=True)
    model = onnx_model(one.op(), one.tensors(), None).SerializeToString()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    logits = torch.tensor([[0.0, 1.0, -1.0]]).expand(40_000, 3).contiguous()
    (ours,) = run_lines(one.op(), None, one.tensors(), [logits], (0,))
    (theirs,) = session.run(None, {"x0": logits.numpy()})
    wanted = logits[0].softmax(0).numpy()
    for made in (ours.numpy(), theirs):
        assert set(np.unique(made.round(5))) == {0.0, 1.0}
        np.testing.assert_allclose(made.mean(0), wanted, atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distribution": "uniform", "std": 2.0}, "`std` belongs to `normal`, not to `uniform`"),
        ({"p": 0.3}, "`p` belongs to `bernoulli`, not to `normal`"),
        ({"distribution": "uniform", "low": 2.0}, "`low` must be below `high`, but they are 2.0 and 1.0"),
    ],
)
def test_refuses_arguments_of_another_distribution(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        case("noise", "N", **arguments).op()


def test_texts() -> None:
    made = case("noise", "N 3").op()
    assert made.call(["x"], made.infer(*case("noise", "N 3").tensors())) == "torch.randn_like(x)"
    assert case("noise", "N", distribution="uniform", high=3.0, when="training").op().detail() == "uniform, 3, training"
