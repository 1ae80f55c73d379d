"""Folders of images: what is written comes back, in memory and from disk alike."""

import numpy as np
import pytest
import torch
from PIL import Image
from train.data.reading import fault, fits, read

from netspec.recipes.data.files import Images
from netspec.train.data import TensorRows
from netspec.train.data.readers import images
from netspec.train.data.readers.images import ImageRows

DRAW = np.random.default_rng(0)


def write(path, height=4, width=6, mode="RGB"):
    shape = (height, width, len(mode)) if mode != "L" else (height, width)
    pixels = DRAW.integers(0, 256, shape, np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return torch.from_numpy(pixels.reshape(height, width, -1)).permute(2, 0, 1)


def test_classes_are_folders(tmp_path):
    dogs = [write(tmp_path / "pets" / "dog" / f"{name}.png") for name in "ba"]
    cats = [write(tmp_path / "pets" / "cat" / f"{name}.PNG") for name in "abc"]
    (tmp_path / "pets" / "cat" / "notes.txt").write_text("not an image")
    (tmp_path / "pets" / ".cache").mkdir()
    data_set = Images(path="pets")
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert data.words == {"label": ("cat", "dog")}
    assert data.train.tensors["image"].equal(torch.stack([*cats, *reversed(dogs)]))
    assert data.train.tensors["label"].tolist() == [0, 0, 0, 1, 1]
    assert data.validation is data.test is None


def test_images_in_formats_that_are_not_read_are_told_once(tmp_path):
    """Those of all classes and parts together; files that are no images are not."""
    for part, count in (("train", 3), ("val", 1)):
        for name in ("cat", "dog"):
            write(tmp_path / part / name / "a.png")
            for number in range(count):
                (tmp_path / part / name / f"{number}.HEIC").write_bytes(b"heif")
    (tmp_path / "train" / "dog" / "b.psd").write_bytes(b"8BPS")
    (tmp_path / "train" / "dog" / "notes.txt").write_text("not an image")
    data = read(Images(path="."), tmp_path)
    told = "9 images are left out, in formats that are not read, .heic (8), .psd (1): convert them to PNG or JPEG"
    assert data.cautions == (told,)
    assert len(data.train) == len(data.validation) == 2
    (tmp_path / "val" / "dog" / "a.png").unlink()
    assert fault(Images(path="."), tmp_path) == (
        "val/dog has images in formats that are not read alone, .heic (1)\nconvert them to PNG or JPEG"
    )


def test_parts_are_folders_and_images_are_made_equal(tmp_path):
    for part, count in (("train", 3), ("val", 2), ("test", 1)):
        for number in range(count):
            for name in ("a", "b"):
                write(tmp_path / part / name / f"{number}.png", 5 + number, 7, mode="L" if number else "RGBA")
    data_set = Images(path=".", size=[4, 3], grey=True)
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert [len(part) for part in (data.train, data.validation, data.test)] == [6, 4, 2]
    assert data.train.tensors["image"].shape == (6, 1, 4, 3)


def test_many_images_are_read_as_they_are_needed(tmp_path, monkeypatch):
    for number in range(7):
        write(tmp_path / "train" / "ab"[number % 2] / f"{number}.png")
    whole = read(Images(path="."), tmp_path)
    monkeypatch.setattr(images, "IN_MEMORY", 100)
    lazy = read(Images(path="."), tmp_path)
    assert isinstance(whole.train, TensorRows)
    assert isinstance(lazy.train, ImageRows)
    assert lazy.columns == whole.columns
    index = torch.tensor([5, 0, 0, 3])
    for name, tensor in whole.train.take(index).items():
        assert lazy.train.take(index)[name].equal(tensor)


def test_mistakes_name_the_file(tmp_path):
    write(tmp_path / "pets" / "cat" / "a.png")
    write(tmp_path / "pets" / "dog" / "b.png", 8, 6)
    told = "pets/dog/b.png is 8×6, but pets/cat/a.png is 4×6\n`size: [4, 6]` makes all of them equal"
    assert fault(Images(path="pets"), tmp_path) == told
    (tmp_path / "pets" / "cat" / "b.png").write_bytes(b"not an image")
    told = "pets/cat/b.png cannot be read: it is no image\ntake it out, or save it anew"
    assert fault(Images(path="pets", size=4), tmp_path) == told
    assert fault(Images(path="pets"), tmp_path) == told
    whole = (tmp_path / "pets" / "cat" / "a.png").read_bytes()
    (tmp_path / "pets" / "cat" / "b.png").write_bytes(whole[:60])
    told = fault(Images(path="pets", size=4), tmp_path)
    assert told.startswith("pets/cat/b.png cannot be read: ")
    assert "truncated" in told or "Truncated" in told
    (tmp_path / "pets" / "dog" / "c.png").write_bytes(b"")
    for keys in ({"size": 4}, {}):
        (tmp_path / "pets" / "cat" / "b.png").write_bytes(b"not an image")
        told = "pets/cat/b.png cannot be read: it is no image; 1 more cannot be read, `pets/dog/c.png`\n"
        assert fault(Images(path="pets", **keys), tmp_path) == f"{told}take them out, or save them anew"


@pytest.mark.parametrize("grey", [False, True])
def test_an_image_of_monstrous_size_is_refused(tmp_path, monkeypatch, grey):
    write(tmp_path / "a" / "a.png", 40, 40)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    told = fault(Images(path=".", size=4, grey=grey), tmp_path)
    assert told.startswith("a/a.png cannot be read: Image size (1600 pixels) exceeds limit of 20 pixels")


def test_folders_that_are_not_as_they_should_be(tmp_path):
    write(tmp_path / "x" / "train" / "cat" / "a.png")
    write(tmp_path / "x" / "test" / "cow" / "a.png")
    assert fault(Images(path="x"), tmp_path) == "x/test/cow is a class of which there are no training images"
    (tmp_path / "y" / "cat").mkdir(parents=True)
    assert fault(Images(path="y"), tmp_path) == "y/cat has no images\ntake the folder out, or put images into it"
    told = "y/cat has no folders\neach class has a folder of its images"
    assert fault(Images(path="y/cat"), tmp_path) == told
    assert fault(Images(path="z"), tmp_path) == "there is no z\npaths start at the folder of the spec"
    (tmp_path / "z").touch()
    assert fault(Images(path="z"), tmp_path) == "z is a file, but a folder is expected"
