"""Normalisations, against torch and onnxruntime."""

from __future__ import annotations

import pytest
import torch
from ops.oracle import case, cases, check, check_refused, refused

from netspec.ops import ShapeError, Tensor
from netspec.runtime.vision import import_torchvision
from netspec.testing.case import OpCase, read_shape
from netspec.testing.pytorch import constructor_text, new_module, run_lines


@cases(
    case("batch_norm1d", "N 3"),
    case("batch_norm1d", "N 3 L", eps=0.01, affine=False),
    case("batch_norm2d", "N 3 H W"),
    case("batch_norm2d", "N 3 H W", momentum=None, bias=False),
    case("batch_norm2d", "N 3 H W", track_running_stats=False),
    case("batch_norm1d", "N 3", track_running_stats=False, affine=False),
    case("batch_norm3d", "N 2 D H W", eps=1),
    case("frozen_batch_norm2d", "N 3 H W", eps=0.1),
    case("instance_norm1d", "N 3 L"),
    case("instance_norm2d", "N 3 H W", affine=True, eps=0.1),
    case("instance_norm2d", "N 3 H W", track_running_stats=True),
    case("instance_norm3d", "N 2 D H W", affine=True, track_running_stats=True),
    case("layer_norm", "N L 6"),
    case("layer_norm", "N L 6", eps=0.1, bias=False),
    case("layer_norm", "N L 6", elementwise_affine=False),
    case("layer_norm", "N L 4 6", normalized_shape=[4, 6]),
    case("layer_norm", "N 6", normalized_shape=6),
    case("rms_norm", "N L 6"),
    case("rms_norm", "N L 4 6", normalized_shape=[4, 6], eps=0.1),
    case("rms_norm", "N 6", elementwise_affine=False),
    case("layer_norm", "N 6 H W", dim=1),
    case("layer_norm", "N 6 L", dim=-2, eps=0.1, bias=False),
    case("layer_norm", "N 6", dim=1),
    case("rms_norm", "N 6 H W", dim=1, eps=1e-6),
    case("rms_norm", "N 6 L", dim=1, elementwise_affine=False),
    case("group_norm", "N 6 H W", num_groups=3),
    case("group_norm", "N 6 L", num_groups=6, affine=False),
    case("group_norm", "N 6", num_groups=2, eps=0.1),
    case("group_norm", "N 6 D H W", num_groups=1, bias=False),
    case("local_response_norm", "N 7 H W", size=5),
    case("local_response_norm", "N 7 H W", size=5, alpha=0.1, beta=0.5, k=2),
    case("local_response_norm", "N 7 H W", size=4, alpha=0.5),
    case("local_response_norm", "N 7 L", size=3, alpha=0.5),
    case("local_response_norm", "N 3 D H W", size=2, alpha=0.5),
)
def test_matches_torch(case: OpCase) -> None:
    check(case)


@cases(
    refused("batch_norm1d", "2 3 4 5"),
    refused("batch_norm2d", "2 3 4"),
    refused("batch_norm2d", "1 3 1 1", track_running_stats=False),
    refused("batch_norm3d", "2 3 4 5"),
    refused("instance_norm1d", "2 3 4 5"),
    refused("instance_norm2d", "2 3 1 1"),
    refused("layer_norm", "2 3 4", normalized_shape=3),
    refused("layer_norm", "4", normalized_shape=[3, 4]),
    refused("rms_norm", "2 3 4", normalized_shape=[2, 4]),
    refused("layer_norm", "2 4", dtype="int64"),
    refused("group_norm", "2 6 4", num_groups=4),
    refused("group_norm", "6", num_groups=1),
    refused("local_response_norm", "2 6", size=3),
)
def test_refuses_what_torch_refuses(case: OpCase) -> None:
    check_refused(case)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (case("batch_norm2d", "N 64 H W"), "nn.BatchNorm2d(64)"),
        (case("batch_norm2d", "N 64 H W", momentum=None), "nn.BatchNorm2d(64, momentum=None)"),
        (case("layer_norm", "N T 768", eps=1e-6), "nn.LayerNorm(768, eps=1e-06)"),
        (case("layer_norm", "N 4 6", normalized_shape=[4, 6]), "nn.LayerNorm((4, 6))"),
        (case("group_norm", "N 64 H W", num_groups=32), "nn.GroupNorm(32, 64)"),
        (case("local_response_norm", "N 64 H W", size=5, k=2), "nn.LocalResponseNorm(5, k=2.0)"),
    ],
    ids=str,
)
def test_constructor(made: OpCase, text: str) -> None:
    assert constructor_text(made.op().module(*made.tensors())) == text


def test_asks_for_known_channels() -> None:
    with pytest.raises(ShapeError, match=r"^the number of channels that batch_norm2d takes must be a known number"):
        case("batch_norm2d").op().infer(Tensor(read_shape("N H H W")))


@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_dim_is_the_one_that_is_normalised(name: str) -> None:
    made = case(name, "2 6 5 4", dim=1)
    op, tensors = made.op(), made.tensors()
    x = torch.randn(2, 6, 5, 4)
    centred = x - x.mean(1, keepdim=True) if name == "layer_norm" else x
    expected = centred / (centred.square().mean(1, keepdim=True) + 1e-5).sqrt()
    found = run_lines(op, new_module(op, tensors), tensors, [x], {0})[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (
            case("frozen_batch_norm2d", "2 3 4"),
            r"frozen_batch_norm2d takes \[N, C, H, W\], but its input is \[2, 3, 4\]",
        ),
        (case("layer_norm", "2 3 4", dim=3), "dim 3 is out of range for 3 dimensions"),
        (case("rms_norm", "2 3 4", dim=1, normalized_shape=3), "rms_norm takes normalized_shape or dim, not both"),
        (case("layer_norm", "N T 4", dim=1), "dim 1 that layer_norm takes must be a known number, but is T"),
    ],
    ids=str,
)
def test_refuses_dims(made: OpCase, text: str) -> None:
    with pytest.raises(ShapeError, match=f"^{text}"):
        made.op().infer(*made.tensors())


@pytest.mark.slow  # imports torchvision
def test_frozen_batch_norm_is_torchvisions() -> None:
    import_torchvision()
    from torchvision.ops import FrozenBatchNorm2d

    made = case("frozen_batch_norm2d", "2 3 5 4")
    op, tensors = made.op(), made.tensors()
    theirs = FrozenBatchNorm2d(3)
    for buffer in theirs.buffers():
        buffer.copy_(torch.rand(3) + 0.5)
    ours = new_module(op, tensors)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 3, 5, 4)
    torch.testing.assert_close(run_lines(op, ours, tensors, [x], {0}, training=True)[0], theirs(x))
    ours.load_state_dict(torch.nn.BatchNorm2d(3).state_dict())  # whose count of batches it leaves out
    assert ours.state_dict().keys() == theirs.state_dict().keys()
