"""Adaptive and global pooling, against torch and onnxruntime."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from ops.oracle import case, cases, check, check_refused, refused

import netspec
from netspec.ops import ShapeError, Tensor
from netspec.testing.case import OpCase

SMALLER = ({"N": 2, "L": 5, "D": 4, "H": 5, "W": 3}, {"N": 1, "L": 9, "D": 6, "H": 13, "W": 6})


@cases(
    case("adaptive_avg_pool1d", "N 3 L", output_size=1),
    case("adaptive_avg_pool1d", "N 3 L", output_size=4),
    case("adaptive_avg_pool1d", "N 3 12", output_size=4),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=1),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=[1, None]),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=[None, None]),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=6),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=7, at=SMALLER),
    case("adaptive_avg_pool2d", "N 3 H W", output_size=[3, 5]),
    case("adaptive_avg_pool2d", "N 3 12 9", output_size=[4, 3]),
    case("adaptive_avg_pool2d", "N 3 12 9", output_size=[5, None]),
    case("adaptive_avg_pool2d", "N 3 H 9", output_size=[None, 4]),
    case("adaptive_avg_pool3d", "N 2 D H W", output_size=1),
    case("adaptive_avg_pool3d", "N 2 D H W", output_size=[2, 3, 4]),
    case("adaptive_max_pool1d", "N 3 L", output_size=4, return_indices=True),
    case("adaptive_max_pool2d", "N 3 H W", output_size=[3, 1], return_indices=True),
    case("adaptive_max_pool2d", "N 3 12 W", output_size=[None, 5], return_indices=True),
    case("adaptive_max_pool3d", "N 2 D 6 W", output_size=[2, 3, 2], return_indices=True),
    case("adaptive_max_pool1d", "N 3 L", output_size=1),
    case("adaptive_max_pool1d", "N 3 L", output_size=4),
    case("adaptive_max_pool2d", "N 3 H W", output_size=[1, 1]),
    case("adaptive_max_pool2d", "N 3 H W", output_size=7, at=SMALLER),
    case("adaptive_max_pool2d", "N 3 12 9", output_size=[4, 3]),
    case("adaptive_max_pool2d", "N 3 12 9", output_size=[5, None]),
    case("adaptive_max_pool3d", "N 2 D H W", output_size=[2, 3, 4]),
    case("global_avg_pool", "N 3 L"),
    case("global_avg_pool", "N 3 H W"),
    case("global_avg_pool", "N 3 D H W"),
    case("global_max_pool", "N 3 H W"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("adaptive_avg_pool1d", "2 3 8 8 8", output_size=1),
    refused("adaptive_avg_pool2d", "2 3", output_size=2),
    refused("adaptive_max_pool3d", "2 3 8", output_size=1),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


def test_global_pool_needs_something_to_pool() -> None:
    with pytest.raises(ShapeError, match=r"^global_max_pool takes \[N, C, …\] with at least one spatial dimension, "):
        case("global_max_pool").op().infer(Tensor((2, 3)))


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("adaptive_avg_pool2d", output_size=1), "→1×1"),
        (case("adaptive_avg_pool2d", output_size=[None, 7]), "→·×7"),
        (case("adaptive_max_pool1d", output_size=5), "→5"),
        (case("global_avg_pool"), ""),
    ],
    ids=str,
)
def test_detail(made: OpCase, text: str) -> None:
    assert made.op().detail() == text


def test_dimensions_of_size_one_do_not_come_behind_those_that_a_mean_is_over(tmp_path: Path):
    """onnxruntime takes 20 times as long where they do, and a sum over both dimensions at once has other digits."""
    (tmp_path / "net.yaml").write_text(
        "netspec: 1\nname: net\ninputs: {x: [N, 4, H, W]}\nnetwork: [adaptive_avg_pool2d: 1]\n"
    )
    nodes = onnx.load(netspec.load(tmp_path / "net.yaml").export(tmp_path / "net.onnx")).graph.node
    assert [list(node.attribute[0].ints) for node in nodes] == [[3], [2, 3]]
