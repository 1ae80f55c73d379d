"""Boxes, regions and moved places, against torchvision."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import vision_operators  # noqa: F401  # torchvision's operators, where it was built for another torch
from ops.oracle import check
from ops.several import each, several
from torchvision.ops import batched_nms, nms, roi_align

from netspec.diagnostics import EnvironmentFault
from netspec.ops import ShapeError
from netspec.runtime.own_modules import op_scope
from netspec.testing.case import OpCase, Values
from netspec.testing.pytorch import lines_of, run_lines

SIZES = ({"N": 2, "K": 3, "H": 11, "W": 8}, {"N": 3, "K": 1, "H": 9, "W": 14})


def corners(count: float, values: Values) -> Values:
    """Put the random numbers of boxes, at ``count`` pixels a unit, in the order of their corners."""
    at = next(at for at, value in enumerate(values) if value is not None and value.size(-1) == 4 and value.dim() < 4)
    boxes = values[at]
    assert boxes is not None
    ends = (boxes.reshape(*boxes.shape[:-1], 2, 2) * count).sort(dim=-2).values.flatten(-2)
    return [ends if place == at else value for place, value in enumerate(values)]


boxes = partial(several, at=SIZES, counted=False, values=partial(corners, 4.0))
few = partial(several, at=({"N": 2, "A": 9}, {"N": 3, "A": 25}), counted=False, values=partial(corners, 1.0))


@each(
    boxes("roi_align", "N 3 H W", "N K 4", output_size=2),
    boxes("roi_align", "N 3 H W", "N K 4", output_size=[3, 2], spatial_scale=0.5, sampling_ratio=2),
    boxes("roi_align", "N 3 H W", "N K 4", output_size=3, aligned=True, sampling_ratio=1),
    boxes("roi_align", "N 3 H W", "N K 4", output_size=2, aligned=True),
    boxes("roi_pool", "N 3 H W", "N K 4", output_size=2),
    boxes("roi_pool", "N 3 H W", "N K 4", output_size=[1, 3], spatial_scale=0.25),
    few("nms", "A 4", "A", None, iou_threshold=0.3, max_output=6),
    few("nms", "A 4", "A", "A int64<3", iou_threshold=0.2, max_output=30),
    few("nms", "N A 4", "N A", None, iou_threshold=0.5, max_output=4),
    few("nms", "N A 4", "N A", "N A int64<2", iou_threshold=0.1, max_output=12),
    several("nms", "N 7 4", "N 7", None, iou_threshold=0.5, max_output=7, counted=False),  # any corners
)
def test_regions_match_torch(case: OpCase) -> None:
    check(case)


WINDOWS = ({"N": 2, "H": 7, "W": 6}, {"N": 3, "H": 9, "W": 5})
moved = partial(several, at=WINDOWS, counted=False)


@each(
    moved("deform_conv2d", "N 4 H W", "N 18 H W", None, out_channels=6, kernel_size=3, padding=1),
    moved("deform_conv2d", "N 4 H W", "N 18 H W", "N 9 H W", out_channels=6, kernel_size=3, padding=1, bias=False),
    moved("deform_conv2d", "N 4 H W", "N 8 H W", "N 4 H W", out_channels=2, kernel_size=[1, 2], padding=[0, 1],
          dilation=[1, 2], groups=2),
    moved("deform_conv2d", "2 4 9 7", "2 36 4 3", None, out_channels=4, kernel_size=3, stride=2, weight_norm=True),
)  # fmt: skip
def test_moved_convolutions_match_torch(case: OpCase) -> None:
    check(case)


def test_suppression_is_torchvisions() -> None:
    (made, scores, idxs) = few("nms", "A 4", "A", "A int64<3", iou_threshold=0.2, max_output=30).values({"A": 25})
    case = few("nms", "A 4", "A", "A int64<3", iou_threshold=0.2, max_output=30)
    (found,) = run_lines(case.op(), None, case.tensors(), [made, scores, idxs], {0})
    assert made is not None
    want = batched_nms(made, scores, idxs, 0.2)
    assert 3 < len(want) < 25
    assert found.tolist() == want.tolist() + [-1] * (30 - len(want))
    assert 1 < len(nms(made, scores, 0.2)) < len(want)


def test_a_torchvision_of_another_torch_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchvision.extension._has_ops", lambda: False)
    with pytest.raises(
        EnvironmentFault, match=r"^torchvision does not go with torch \S+: it was built for another one"
    ):
        op_scope(boxes("roi_align", "N 3 H W", "N K 4", output_size=2).op())


def test_gradients_of_regions_flow_to_the_image_alone() -> None:
    x, places = torch.randn(2, 3, 8, 8, dtype=torch.float64), torch.tensor([[[1.0, 1, 5, 6]], [[0, 2, 7, 3]]])
    rows = places.double().unbind()
    assert torch.autograd.gradcheck(lambda image: roi_align(image, rows, 2), x.requires_grad_())


@pytest.mark.parametrize(
    ("case", "lines"),
    [
        (
            boxes("roi_align", "N 3 H W", "N K 4", output_size=7, spatial_scale=0.25),
            ["y = torchvision.ops.roi_align(a, b.unbind(), 7, spatial_scale=0.25)"],
        ),
        (
            few("nms", "A 4", "A", None, iou_threshold=0.5, max_output=9),
            [
                "kept = torchvision.ops.nms(a.detach(), b.detach(), 0.5)[:9]",
                "y = F.pad(kept, (0, 9 - len(kept)), value=-1)",
            ],
        ),
    ],
    ids=str,
)
def test_pytorch(case: OpCase, lines: list[str]) -> None:
    assert lines_of(case.op(), case.tensors(), ["y"]) == lines


@pytest.mark.parametrize(
    ("case", "text"),
    [
        (boxes("roi_align", "N 3 H W", "N K 5", output_size=7), "roi_align takes boxes [N, K, 4] for this input"),
        (boxes("roi_pool", "N 3 H", "N K 4", output_size=7), "roi_pool takes [N, C, H, W], but its input is [N, 3, H]"),
        (few("nms", "A 5", "A", None, iou_threshold=0.5, max_output=1), "nms takes boxes [A, 4] or [N, A, 4], but got"),
        (few("nms", "A 4", "A 1", None, iou_threshold=0.5, max_output=1), "nms takes scores [A] for these boxes"),
        (few("nms", "A 4", "A", "A", iou_threshold=0.5, max_output=1), "nms takes idxs of int64, but got float32"),
        (
            moved("deform_conv2d", "N 4 H W", "N 9 H W", None, out_channels=6, kernel_size=3, padding=1),
            "deform_conv2d takes 18 offsets for each group of 4 channels, but got 9",
        ),
        (
            moved("deform_conv2d", "N 4 7 7", "N 18 7 7", None, out_channels=6, kernel_size=3),
            "deform_conv2d takes offset [N, 18, 5, 5] for this input, but got [N, 18, 7, 7]",
        ),
    ],
    ids=str,
)
def test_refuses(case: OpCase, text: str) -> None:
    with pytest.raises(ShapeError) as found:
        case.op().infer(*case.tensors())
    assert str(found.value).startswith(text)
