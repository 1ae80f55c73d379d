"""Write what a vision engineer has on the disk: photos/train and photos/test, a folder a class, and others.npz.

The photos are digits of MNIST in dark ink on light paper, in other colours and sizes each: 40 of each digit from 5 to 9
to train on, 40 to test on. others.npz has 1,600 of the digits 0 to 3, for the network that the checkpoint is of.
"""

from pathlib import Path

import numpy as np
from PIL import Image

import netspec

NAMES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
chance = np.random.default_rng(0)


def photo(digit: np.ndarray) -> Image.Image:
    """A digit, [28, 28] from 0 to 1, in ink on paper."""
    paper, ink = chance.uniform(150, 255, 3), chance.uniform(0, 110, 3)
    side = int(chance.integers(40, 81))
    drawn = Image.fromarray(np.uint8(paper + digit[..., None] * (ink - paper)))
    return drawn.resize((side, side), Image.Resampling.BICUBIC)


data = netspec.load("lenet").data()
for part, rows in (("train", data.train), ("test", data.test)):
    images, labels = (column.numpy() for column in rows[:])
    for number in range(5, 10):
        folder = Path("photos", part, NAMES[number])
        folder.mkdir(parents=True)
        for at, digit in enumerate(images[labels == number][:40, 0]):
            photo(digit).save(folder / f"{at:02}.png")
    if part == "train":
        chosen = np.concatenate([np.flatnonzero(labels == number)[:400] for number in range(4)])
        pixels = [np.asarray(photo(images[at, 0]).resize((32, 32))).transpose(2, 0, 1) for at in chosen]
        np.savez("others.npz", image_train=np.stack(pixels), label_train=labels[chosen])
