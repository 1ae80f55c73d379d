"""Activations, against torch and onnxruntime."""

from __future__ import annotations

from ops.oracle import case, cases, check, check_refused, refused

from netspec.testing.case import OpCase


@cases(
    case("relu", "N 3 H W"),
    case("relu", "N 3", inplace=True),
    case("relu6", "N 3 H W"),
    case("leaky_relu", "N 3 L"),
    case("leaky_relu", "N 3 L", negative_slope=1),
    case("prelu", "N 3 H W"),
    case("prelu", "N 3 H W", num_parameters=3),
    case("prelu", "N 3", num_parameters=3),
    case("prelu", "L"),
    case("rrelu", "N 3 L"),
    case("rrelu", "N 3 L", lower=0.1, upper=0.5),
    case("elu", "N 3", alpha=2),
    case("celu", "N 3", alpha=0.5),
    case("selu", "N 3"),
    case("gelu", "N 3"),
    case("gelu", "N 3", approximate="tanh"),
    case("silu", "N 3"),
    case("mish", "N 3"),
    case("hardswish", "N 3"),
    case("hardsigmoid", "N 3"),
    case("hardtanh", "N 3"),
    case("hardtanh", "N 3", min_val=-0.1, max_val=2),
    case("hardshrink", "N 3"),
    case("hardshrink", "N 3", lambd=1),
    case("softshrink", "N 3", lambd=0.25),
    case("tanhshrink", "N L"),
    case("softplus", "N 3"),
    case("softplus", "N 3", beta=2, threshold=1),
    case("softsign", "N 3"),
    case("sigmoid", "N 3"),
    case("log_sigmoid", "N 3"),
    case("tanh", "N 3"),
    case("threshold", "N 3", threshold=0.1, value=20),
    case("glu", "N 6 L", dim=1),
    case("glu", "N 3 2*L"),
    case("softmax", "N 3 H W", dim=1),
    case("softmax", "N L", dim=-1),
    case("log_softmax", "N 3 L", dim=2),
    case("softmin", "N L 4", dim=-2),
    case("softmax2d", "N 3 H W"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("softmax", "2 3", dim=2),
    refused("glu", "2 3", dim=1),
    refused("glu", "2 3", dim=4),
    refused("softmax2d", "2 3"),
    refused("prelu", "2 3 4", num_parameters=2),
    refused("prelu", "4", num_parameters=4),
    refused("celu", "4", alpha=0),
    refused("hardtanh", "4", min_val=1, max_val=-1),
    refused("rrelu", "4", lower=1, upper=0),
    refused("gelu", "4", dtype="int64"),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)
