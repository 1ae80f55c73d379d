"""Targets: classes without those that are ignored, masks of bytes, labels in a column of their own, several targets."""

import numpy as np
import pytest
import torch

from netspec.diagnostics import SpecError
from netspec.pipeline import compile_spec
from netspec.train.torch_datasets import read_splits

DRAW = np.random.default_rng(0)
MASKS = """\
netspec: 1
name: masks
inputs: {x: [N, 1, H, W]}
network: [conv2d: {out_channels: OUT, kernel_size: 1}]
train: {data: {npz: d.npz}, loss: LOSS, optimizer: sgd, epochs: 1}
"""
ROWS = """\
netspec: 1
name: rows
inputs: {x: [N, 2]}
network: [linear: OUT]
train: {data: {npz: d.npz}, loss: LOSS, optimizer: sgd, epochs: 1}
"""


def splits(folder, spec, loss, out, **arrays):
    np.savez(folder / "d.npz", **arrays)
    (folder / "s.yaml").write_text(spec.replace("LOSS", loss).replace("OUT", str(out)))
    return read_splits(compile_spec(folder / "s.yaml"))


def told(folder, spec, loss, out, **arrays):
    with pytest.raises(SpecError) as caught:
        splits(folder, spec, loss, out, **arrays)
    (found,) = caught.value.diagnostics
    return "\n".join(filter(None, (found.message, found.help)))


@pytest.mark.parametrize(
    ("dtype", "ignored"),
    [(dtype, ignored) for dtype in ("int64", "uint8", "int16") for ignored in (255, 2, 0)] + [("int64", -100)],
)
@pytest.mark.parametrize("channel", [False, True])
def test_what_is_ignored_is_no_class(tmp_path, dtype, ignored, channel):
    y = DRAW.integers(0, 3, (6, 4, 4))
    y[:, 0, 0] = ignored
    given = (y[:, None] if channel else y).astype(dtype)
    x = DRAW.normal(size=(6, 1, 4, 4))
    found = splits(tmp_path, MASKS, f"{{cross_entropy: {{ignore_index: {ignored}}}}}", 3, x=x, y=given)
    assert found.train[:][1].equal(torch.from_numpy(y))


def test_masks_whose_classes_do_not_fit(tmp_path):
    x, y = DRAW.normal(size=(6, 1, 4, 4)), DRAW.integers(0, 3, (6, 4, 4))
    y[0, 0, 0], y[1, 2, 3] = 2, -100
    message = told(tmp_path, MASKS, "cross_entropy", 3, x=x, y=y)
    assert message.startswith("d.npz: `y[1, 2, 3]` is -100, but classes are whole numbers from 0 on\n")
    assert message.endswith("what is to be left out, `ignore_index` names")
    y[1, 2, 3] = 7
    message = told(tmp_path, MASKS, "cross_entropy", 3, x=x, y=y)
    assert message.startswith("the data have 8 classes, but the output has scores for 3")


def test_masks_of_two_are_0_and_1_or_black_and_white(tmp_path):
    x, y = DRAW.normal(size=(6, 1, 4, 4)), DRAW.integers(0, 2, (6, 4, 4))
    for given in (y, y.astype("uint8"), 255 * y.astype("uint8"), y.astype("float32"), y.astype(bool)):
        found = splits(tmp_path, MASKS, "binary_cross_entropy", 1, x=x, y=given)
        assert found.train[:][1].float().reshape(6, 4, 4).equal(torch.from_numpy(y).float())
    message = told(tmp_path, MASKS, "binary_cross_entropy", 1, x=x, y=3 * y)
    assert "is 3, but `binary_cross_entropy` compares with 0, 1 or what lies between" in message


def test_pictures_as_targets_are_shares_of_white(tmp_path):
    y = DRAW.integers(0, 256, (6, 4, 4), np.uint8)
    found = splits(tmp_path, MASKS, "mse", 1, x=DRAW.normal(size=(6, 1, 4, 4)), y=y)
    assert np.allclose(found.train[:][1], y / 255)


@pytest.mark.parametrize("loss", ["cross_entropy", "nll"])
def test_labels_in_a_column_of_their_own(tmp_path, loss):
    labels = np.array([0, 1, 2, 0, 1, 2])
    found = splits(tmp_path, ROWS, loss, 3, x=DRAW.normal(size=(6, 2)), y=labels[:, None].astype("uint8"))
    assert found.train[:][1].tolist() == labels.tolist()
    message = told(tmp_path, ROWS, loss, 3, x=DRAW.normal(size=(6, 2)), y=np.stack([labels, labels], 1))
    why = "takes an output of one dimension more than the target, for the classes, but it is [N, 3] and the target"
    assert message.startswith(f"`{loss}` {why} [N, 2]")


PLACES = """\
netspec: 1
name: places
inputs: {x: [N, 2, T]}
network: [conv1d: {out_channels: OUT, kernel_size: 3}, transpose: {dim0: 1, dim1: 2}]
train: {data: {npz: d.npz}, loss: LOSS, optimizer: sgd, epochs: 1}
"""
HALVES = MASKS.replace("kernel_size: 1", "kernel_size: 1, stride: 2")


@pytest.mark.parametrize(
    ("spec", "loss", "out", "x", "y", "why"),
    [
        (
            HALVES,
            "cross_entropy",
            3,
            (1, 8, 8),
            (8, 8),
            "has scores for 4×4 positions per row, but the target is 8×8",
        ),
        (HALVES, "nll", 3, (1, 7, 8), (4, 8), "has scores for 4×4 positions per row, but the target is 4×8"),
        (HALVES, "binary_cross_entropy", 1, (1, 8, 8), (8, 8), "gives [1, 4, 4] for each row, but the target is 8×8"),
        (MASKS, "binary_cross_entropy", 2, (1, 8, 8), (8, 8), "gives [2, 8, 8] for each row, but the target is 8×8"),
        (PLACES, "cross_entropy", 3, (2, 8), (8,), "has scores for 6 positions per row, but the target is 8"),
        (PLACES, "mse", 3, (2, 8), (3, 6), "gives [6, 3] for each row, but the target is 3×6"),
        (PLACES, "kl_div", 3, (2, 8), (8, 3), "gives [6, 3] for each row, but the target is 8×3"),
        (PLACES, "l1", 1, (2, 8), (), "gives [6, 1] for each row, but the target is one number"),
    ],
)
def test_sizes_that_the_data_give_are_held_against_the_target(tmp_path, spec, loss, out, x, y, why):
    y = DRAW.normal(size=(6, *y)) if loss in ("mse", "kl_div", "l1") else np.arange(6 * np.prod(y)).reshape(6, *y) % 2
    message = told(tmp_path, spec, loss, out, x=DRAW.normal(size=(6, *x)), y=y)
    assert message.startswith(f"the output {why}")


@pytest.mark.parametrize(
    ("spec", "loss", "out", "x", "y"),
    [
        (HALVES, "cross_entropy", 3, (1, 7, 8), (4, 4)),
        (HALVES, "binary_cross_entropy", 1, (1, 8, 8), (4, 4)),
        (PLACES, "mse", 3, (2, 8), (6, 3)),
        (PLACES, "l1", 1, (2, 8), (6,)),
        (PLACES, "huber", 1, (2, 3), ()),
    ],
)
def test_sizes_that_the_data_give_may_fit(tmp_path, spec, loss, out, x, y):
    target = DRAW.integers(0, 2, (6, *y))
    target = target if "entropy" in loss else target.astype("float32")
    found = splits(tmp_path, spec, loss, out, x=DRAW.normal(size=(6, *x)), y=target)
    assert found.train[:][1].shape == (6, *y)


def test_an_output_has_the_rows_of_the_data(tmp_path):
    spec = ROWS.replace("[linear: OUT]", "[reshape: [N * 2, 1], linear: OUT]")
    message = told(tmp_path, spec, "cross_entropy", 2, x=DRAW.normal(size=(6, 2)), y=np.arange(6) % 2)
    assert message.startswith("the output `output` has 2·N rows, but the data have N")


def test_rows_without_a_label_may_be_ignored(tmp_path):
    y = np.array([0, 1, -1, 2, -1, 1])
    found = splits(tmp_path, ROWS, "{cross_entropy: {ignore_index: -1}}", 3, x=DRAW.normal(size=(6, 2)), y=y)
    assert found.train[:][1].tolist() == y.tolist()


def test_numbers_may_be_whole_and_negative(tmp_path):
    y = np.array([-5, 1000, 3, 3, 2, 0])
    found = splits(tmp_path, ROWS, "mse", 1, x=DRAW.normal(size=(6, 2)), y=y)
    assert found.train[:][1].tolist() == y.tolist()


def test_several_targets_have_a_loss_each(tmp_path):
    spec = """\
netspec: 1
name: two
inputs: {x: [N, 2]}
network: [{linear: {name: kind, out_features: 3}}, {linear: {name: size, from: x, out_features: 1}}]
outputs: {kind: kind, size: size}
train:
  data: {npz: {path: d.npz, target: [a, b]}}
  loss: {kind: {cross_entropy: {target: a}}, size: {mse: {target: b}}}
  optimizer: sgd
  epochs: 1
"""
    a, b = np.array([0, 1, 2, 0], "uint8"), np.array([-1.5, 2, 3, 4])
    found = splits(tmp_path, spec, "", 0, x=DRAW.normal(size=(4, 2)), a=a, b=b)
    assert found.train.fields == ("x", "a", "b")
    assert found.train[:][1].tolist() == a.tolist()
    assert found.train[:][2].tolist() == b.tolist()


@pytest.mark.parametrize(
    ("wanted", "shape", "repair"),
    [
        ("[N, 3, 8, 8]", (8, 8, 3), "`prepare: [{permute: [2, 0, 1]}]`; an image is [channels, height, width]"),
        ("[N, 3, H, W]", (8, 6, 3), "`prepare: [{permute: [2, 0, 1]}]`; an image is [channels, height, width]"),
        ("[N, 1, 8, 8]", (8, 8, 1), "`prepare: [{permute: [2, 0, 1]}]`; an image is [channels, height, width]"),
        ("[N, 3, 4, 4]", (8, 8, 3), "`prepare: [{permute: [2, 0, 1]}, {resize: [4, 4]}]`; an image is [channels, "
         "height, width]"),
        ("[N, 3, 8, 8]", (8, 8, 1), "`prepare: [{permute: [2, 0, 1]}, {channels: 3}]`; an image is [channels, height, "
         "width]"),
        ("[N, 3, 4, 4]", (3, 8, 8), "`prepare: [{resize: [4, 4]}]`"),
        ("[N, 1, 8, 8]", (8, 8),
         "store the images with their channel, [n, 1, H, W], as `images[:, None]` does in NumPy"),
    ],
)  # fmt: skip
def test_images_with_their_channels_elsewhere_are_told_how_to_mend_it(tmp_path, wanted, shape, repair):
    spec = ROWS.replace("[N, 2]", wanted).replace("[linear: OUT]", "[global_avg_pool, {linear: OUT}]")
    x = DRAW.normal(size=(6, *shape))
    message = told(tmp_path, spec, "cross_entropy", 3, x=x, y=np.array([0, 1, 2, 0, 1, 2]))
    assert message.split("\n")[1] == repair
    if repair.startswith("`prepare"):
        mended = spec.replace("loss: LOSS", f"{repair.split('`')[1]}, loss: LOSS")
        found = splits(tmp_path, mended, "cross_entropy", 3, x=x, y=np.array([0, 1, 2, 0, 1, 2])).train[:][0]
        if "resize" not in repair and "channels:" not in repair:
            assert found.equal(torch.from_numpy(x.transpose(0, 3, 1, 2)).float())
