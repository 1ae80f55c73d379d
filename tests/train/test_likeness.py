"""Images that are unlike those of training are told: dark digits on white, for a network that knows light on dark."""

from __future__ import annotations

import torch

from netspec.pipeline import compile_spec
from netspec.train.data.meaning import brightness_of, meaning_of, usual_brightness
from netspec.train.predict.likeness import unlike
from netspec.train.reading import read_data


def test_digits_of_mnist_pass_and_their_negatives_are_told():
    data = read_data(compile_spec("mlp"))
    meaning, images = meaning_of(data), data.train.tensors["image"][:300]  # type: ignore[attr-defined]
    assert images.dtype == torch.uint8
    names = [f"{number}.png" for number in range(300)]
    assert sum(len([*unlike(meaning, [name], {"image": image[None]})]) for name, image in zip(names, images)) <= 3
    (told,) = unlike(meaning, ["digit.png"], {"image": 255 - images[:1]})
    assert told.startswith("digit.png is much brighter than the images of training (mean 0.8")
    assert told.endswith("dark and light are swapped, give the negative")
    (told,) = unlike(meaning, names, {"image": 255 - images})
    assert told.startswith("0.png and 299 more are much brighter than")


def test_what_no_negative_mends_is_told_otherwise():
    data = read_data(compile_spec("mlp"))
    grey = torch.full((1, 1, 28, 28), 140, dtype=torch.uint8)
    (told,) = unlike(meaning_of(data), ["grey.png"], {"image": grey})
    assert told.endswith("the answer may mean little")


def test_brightness_is_that_of_all_numbers_of_an_image():
    images = torch.rand(50, 3, 4, 5)
    assert torch.allclose(brightness_of(images), torch.stack([image.mean() for image in images]))
    assert torch.allclose(brightness_of((images * 255).byte()), brightness_of(images), atol=1 / 255)
    mean, spread = usual_brightness(images)
    assert abs(mean - float(images.mean())) < 1e-5
    assert abs(spread - float(images.mean((1, 2, 3)).std())) < 1e-5
