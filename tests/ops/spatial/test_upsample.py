"""Interpolation, against torch and onnxruntime."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ops.oracle import case, cases, check, check_refused, refused

from netspec.dims import Dim, evaluate
from netspec.ops import ShapeError, Tensor
from netspec.ops.spatial.upsample import scaled
from netspec.testing.case import OpCase, read_shape

H, W, L = (Dim.symbol(name) for name in "HWL")
TINY = ({"N": 1, "L": 2, "H": 2, "W": 3}, {"N": 1, "L": 4, "H": 6, "W": 1})


@cases(
    case("upsample", "N 3 H W", scale_factor=2),
    case("upsample", "N 3 L", scale_factor=3),
    case("upsample", "N 2 D H W", scale_factor=[1, 2, 3]),
    case("upsample", "N 3 H W", scale_factor=1.5),
    case("upsample", "N 3 H W", scale_factor=0.5),
    case("upsample", "N 3 7 9", scale_factor=0.7),
    case("upsample", "N 3 10 20", scale_factor=0.7),
    case("upsample", "N 3 7 9", scale_factor=[1.3, 2.7], mode="bilinear"),
    case("upsample", "N 3 H W", scale_factor=0.7),
    case("upsample", "N 3 H W", scale_factor=[0.7, 1.3], mode="bilinear"),
    case("upsample", "N 3 H W", scale_factor=[0.3, 1], mode="bilinear", align_corners=True),
    case("upsample", "N 3 L", scale_factor=1.1, mode="linear"),
    case("upsample", "N 3 L", scale_factor=0.6, mode="nearest-exact"),
    case("upsample", "N 2 D H W", scale_factor=[1.3, 0.7, 2], mode="trilinear"),
    case("upsample", "N 3 H W", size=[W, 2 * H + 1]),
    case("upsample", "N 3 H W", size=[W, 5], mode="bilinear"),
    case("upsample", "N 3 L", size=L + 3, mode="nearest-exact"),
    case("upsample", "N 3 H W", "N 2 L D"),
    case("upsample", "N 3 H W", "N 2 L D", mode="bilinear", align_corners=False),
    case("upsample", "N 3 H W", "N 2 5 W", mode="bicubic"),
    case("upsample", "N 3 H W", size=7),
    case("upsample", "N 3 H W", size=[20, 5], mode="nearest-exact"),
    case("upsample", "N 3 L", scale_factor=2, mode="linear"),
    case("upsample", "N 3 L", size=1, mode="linear"),
    case("upsample", "N 3 L", size=1, mode="linear", align_corners=True),
    case("upsample", "N 3 H W", scale_factor=2, mode="bilinear"),
    case("upsample", "N 3 H W", scale_factor=2, mode="bilinear", align_corners=True),
    case("upsample", "N 3 H W", size=[5, 17], mode="bilinear", align_corners=False),
    case("upsample", "N 3 H W", size=[5, 17], mode="bicubic"),
    case("upsample", "N 3 H W", scale_factor=2, mode="bicubic", align_corners=True),
    case("upsample", "N 2 D H W", scale_factor=2, mode="trilinear"),
    case("upsample", "N 2 D H W", size=[3, 9, 16], mode="trilinear", align_corners=True),
    case("upsample", "N 1 L", size=82, at=TINY),  # where single precision shows in torch's index
    case("upsample", "N 1 L", scale_factor=41, at=TINY),
    case("upsample", "N 1 H W", scale_factor=[2.5, 47], at=TINY),
    case("upsample", "N 1 L", size=61, mode="nearest-exact", at=TINY),
    case("upsample", "N 1 L", size=55, mode="nearest-exact", at=TINY),
    case("upsample", "N 1 L", scale_factor=1.5, mode="nearest-exact"),
    case("upsample", "N 1 H W", size=[20, 7], mode="nearest"),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("upsample", "2 3 4 5"),
    refused("upsample", "2 3 4 5", size=2, scale_factor=2),
    refused("upsample", "2 3 4 5", size=2, align_corners=True),
    refused("upsample", "2 3 4 5", scale_factor=[2, 2, 2]),
    refused("upsample", "2 3 4 5", scale_factor=2, mode="linear"),
    refused("upsample", "2 3 4", scale_factor=2, mode="bilinear"),
    refused("upsample", "2 3 4 5", scale_factor=0.1),
    refused("upsample", "2 3", scale_factor=2),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


def test_a_symbolic_size_needs_a_simple_factor() -> None:
    with pytest.raises(ShapeError) as found:
        case("upsample", scale_factor=0.7071067811865476).op().infer(Tensor(read_shape("N 3 H W")))
    assert str(found.value) == "a symbolic size scaled by 0.7071067811865476 has no exact size"
    assert found.value.help == "give a factor that is a simple fraction, such as 1.5 or 0.7, or a size"


@pytest.mark.parametrize("factor", [0.1, 0.3, 0.7, 1.1, 1 / 3, 2 / 3, 4 / 3, 1.9, 0.35, 7 / 9])
def test_a_scaled_size_is_torchs(factor: float) -> None:
    op = case("upsample", scale_factor=factor).op()
    with torch.device("meta"):
        for size in range(20, 700):
            made = F.interpolate(torch.empty(1, 1, size), scale_factor=op.scale_factor).size(2)
            assert evaluate(scaled(L, op.scale_factor), {"L": size}) == made == scaled(size, op.scale_factor)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("upsample", scale_factor=2), "×2"),
        (case("upsample", size=[7, 9], mode="bilinear"), "→7×9, bilinear"),
        (case("upsample", scale_factor=[0.7, 2]), "×0.7×2"),
    ],
    ids=str,
)
def test_detail(made: OpCase, text: str) -> None:
    assert made.op().detail() == text


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize(
    ("mode", "sizes", "factors"),
    [
        ("nearest", (9,), (1.0625,)),
        ("nearest-exact", (9,), (1.0625,)),
        ("linear", (9,), (1.0625,)),
        ("nearest", (4, 3), (1.25, 2.0)),
        ("nearest", (9, 3), (1.0625, 2.0)),
        ("nearest", (90, 5), (1.0078125, 1.5)),
        ("bilinear", (4, 3), (1.125, 2.0)),
        ("trilinear", (4, 3, 5), (1.125, 2.0, 1.0)),
    ],
)
def test_a_size_that_stays(mode: str, sizes: tuple[int, ...], factors: tuple[float, ...], symbolic: bool) -> None:
    """Torch moves the nearest neighbours of a dimension whose size stays, and leaves linear ones as they are."""
    letters = "HWD"[: len(sizes)]
    shape = " ".join(letters if symbolic else map(str, sizes))
    check(
        case("upsample", f"N 2 {shape}", at=({"N": 2, **dict(zip(letters, sizes))},), scale_factor=factors, mode=mode)
    )
