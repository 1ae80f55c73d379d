"""Transforms: against torchvision's, and each row for itself, whatever batch it is in."""

import pytest
import torch
from zoo.vision import torchvision as package

from netspec.recipes.augmentations import RandomErasing
from netspec.recipes.transforms import Channels, HorizontalFlip, Normalize, RandomCrop, Resize, Standardize
from netspec.train.data.transforms import standardize
from netspec.train.names import resolve

torchvision = package.transforms.functional


def applied(transform, rows, *more):
    return resolve(transform.torch)(transform, rows, *more)


def images(*shape):
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [5, 16, [7, 30], [224, 224]])
def test_resize_is_torchvisions(size):
    rows = images(3, 2, 12, 9)
    expected = torchvision.resize(rows, [size, size] if isinstance(size, int) else size, antialias=True)
    torch.testing.assert_close(applied(Resize(size=size), rows), expected)


@pytest.mark.parametrize(("mean", "std"), [(0.3, 0.2), ([0.1, 0.5, 0.9], [1.0, 2.0, 0.1]), ([0.1, 0.2, 0.3], 0.5)])
def test_normalize_is_torchvisions(mean, std):
    rows = images(4, 3, 5, 6)
    lists = [value if isinstance(value, list) else [value] * 3 for value in (mean, std)]
    torch.testing.assert_close(applied(Normalize(mean=mean, std=std), rows), torchvision.normalize(rows, *lists))


def test_channels_are_equal():
    rows = images(2, 1, 3, 3)
    assert applied(Channels(count=3), rows).equal(torch.cat([rows] * 3, 1))


@pytest.mark.parametrize("padding", [1, 4])
def test_random_crop_is_a_window_of_torchvisions_padding(padding):
    rows = images(64, 3, 6, 8)
    draws = torch.rand(64, 2, generator=torch.Generator().manual_seed(1))
    found = applied(RandomCrop(padding=padding), rows, draws)
    for image, draw, crop in zip(rows, draws, found):
        top, left = (int(each * (2 * padding + 1)) for each in draw)
        assert crop.equal(torchvision.crop(torchvision.pad(image, [padding]), top, left, 6, 8))
    starts = {tuple(int(each * (2 * padding + 1)) for each in draw) for draw in draws}
    assert len(starts) > 2 * padding + 1


def test_horizontal_flip_is_torchvisions_where_the_draw_is_below_p():
    rows, draws = images(3, 2, 4, 5), torch.tensor([[0.0], [0.29], [0.3]])
    found = applied(HorizontalFlip(p=0.3), rows, draws)
    expected = torch.cat([torchvision.hflip(rows[:2]), rows[2:]])
    assert found.equal(expected)


@pytest.mark.parametrize("size", [1, 3, 4, 40])
def test_random_erasing_is_a_square_of_zeros_cut_off_at_the_border(size):
    rows = images(50, 2, 9, 7) + 1
    draws = torch.rand(50, 3, generator=torch.Generator().manual_seed(2))
    found = applied(RandomErasing(size=size, p=0.6), rows, draws)
    for image, draw, erased in zip(rows, draws, found):
        top, left = int(draw[1] * 9) - size // 2, int(draw[2] * 7) - size // 2
        expected = image.clone()
        if draw[0] < 0.6:
            expected[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 0
        assert erased.equal(expected)
    assert 15 < sum(not a.equal(b) for a, b in zip(rows, found)) < 45


@pytest.mark.parametrize(
    "transform", [RandomCrop(padding=2), HorizontalFlip(), RandomErasing(size=3)], ids=lambda each: each.name
)
def test_a_row_is_the_same_in_any_batch(transform):
    rows = images(10, 3, 8, 8)
    kept = rows.clone()
    draws = torch.rand(10, transform.draws, generator=torch.Generator().manual_seed(3))
    whole = applied(transform, rows, draws)
    order = torch.tensor([7, 0, 3])
    assert applied(transform, rows[order], draws[order]).equal(whole[order])
    assert rows.equal(kept)
    assert not whole.equal(rows)


@pytest.mark.parametrize("transform", [RandomCrop(padding=2), HorizontalFlip(p=1.0), RandomErasing(size=2)])
def test_the_largest_draws_stay_in_the_image(transform):
    draws = torch.full((2, transform.draws), 1 - 2**-24)
    assert applied(transform, images(2, 1, 5, 5), draws).shape == (2, 1, 5, 5)


@pytest.mark.parametrize(
    ("shape", "others"), [((50, 4), [0]), ((50, 3, 5, 5), [0, 2, 3]), ((50, 7, 4), [0, 1]), ((50,), [0])]
)
def test_standardize_gives_mean_0_and_deviation_1(shape, others):
    rows = images(*shape) * 100 + 1000
    state = standardize.fit(Standardize(), rows)
    found = applied(Standardize(), rows, state)
    assert found.mean(others).abs().max() < 1e-3
    torch.testing.assert_close(found.std(others, correction=0), torch.ones_like(found.mean(others)), atol=1e-3, rtol=0)
    torch.testing.assert_close(applied(Standardize(), rows[:1], state), found[:1])


def test_standardize_learns_bytes_as_numbers_from_0_to_1():
    rows = torch.arange(48, dtype=torch.uint8).view(4, 3, 2, 2)
    torch.testing.assert_close(standardize.fit(Standardize(), rows), standardize.fit(Standardize(), rows / 255))


def test_standardize_leaves_a_constant_feature_at_0():
    rows = torch.stack([torch.full((8,), 0.1), torch.arange(8.0)], 1)
    found = applied(Standardize(), rows, standardize.fit(Standardize(), rows))
    assert found[:, 0].abs().max() < 1e-6
    assert found.isfinite().all()
