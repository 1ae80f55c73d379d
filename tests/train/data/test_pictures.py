"""Pictures of every kind become what they show: any mode, however the camera was held, whatever lies beside them.

Pillow's own conversions and NumPy's numbers are what they are held against.
"""

import os

import numpy as np
import pytest
from PIL import Image, ImageOps
from train.data.reading import fault, read

from netspec.recipes.data.files import Images
from netspec.train.data.batches import numbers_of
from netspec.train.data.readers import decoder, images

DRAW = np.random.default_rng(3)
ORIENTATIONS = range(1, 9)


def put(path, picture, **how):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **how)
    return picture


def plain(path, side=4):
    return put(path, Image.new("RGB", (side, side), (9, 9, 9)))


def one(tmp_path, **said):
    """The only image in a folder, as the network gets it, [C, H, W]."""
    data = read(Images(path=".", **said), tmp_path)
    return numbers_of(data.train.tensors, data.columns)["image"][0].numpy()


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_16_bits_are_a_share_of_white(tmp_path, grey, ending):
    values = DRAW.integers(0, 65536, (5, 3), np.uint16)
    put(tmp_path / "a" / f"x.{ending}", Image.fromarray(values))
    assert np.allclose(one(tmp_path, grey=grey), (values / 65535)[None], rtol=1e-6)


def test_16_bits_in_a_graymap_and_beside_8(tmp_path):
    values = DRAW.integers(0, 65536, (5, 3), np.uint16)
    head = b"P5 3 5 65535\n"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.pgm").write_bytes(head + values.astype(">u2").tobytes())
    bytes_ = DRAW.integers(0, 256, (5, 3), np.uint8)
    put(tmp_path / "a" / "2.png", Image.fromarray(bytes_))
    data = read(Images(path=".", grey=True), tmp_path)
    found = numbers_of(data.train.tensors, data.columns)["image"][:, 0].numpy()
    assert np.allclose(found, np.stack([values / 65535, bytes_ / 255]), rtol=1e-6)


def test_real_numbers_stay_what_they_are(tmp_path):
    values = DRAW.normal(size=(4, 4)).astype(np.float32)
    put(tmp_path / "a" / "x.tif", Image.fromarray(values))
    assert (one(tmp_path, grey=True) == values).all()
    values[1, 2] = np.nan
    put(tmp_path / "a" / "x.tif", Image.fromarray(values))
    assert fault(Images(path="."), tmp_path) == "a/x.tif holds a number that is not finite"


def test_whole_numbers_of_32_bits_have_no_white(tmp_path):
    put(tmp_path / "a" / "x.tif", Image.fromarray(np.full((4, 4), 70000, np.int32)))
    told = fault(Images(path="."), tmp_path)
    assert told.startswith("a/x.tif holds whole numbers of 32 bits, and nothing says which of them is white\nsave it")


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("1", "png"), ("L", "png"), ("LA", "png"), ("P", "png"), ("RGBA", "png"), ("RGB", "bmp"), ("CMYK", "tif"),
     ("RGB", "webp"), ("YCbCr", "jpg"), ("CMYK", "jpg"), ("P", "gif")],
)  # fmt: skip
def test_modes_are_converted_as_pillow_converts_them(tmp_path, mode, ending):
    picture = Image.fromarray(DRAW.integers(0, 256, (6, 5, 3), np.uint8)).convert(mode)
    put(tmp_path / "a" / f"x.{ending}", picture)
    with Image.open(tmp_path / "a" / f"x.{ending}") as again:
        for grey, wanted in ((True, "L"), (False, "RGB")):
            found = one(tmp_path, grey=grey)
            pixels = np.asarray(again.convert(wanted), np.float32).reshape(6, 5, -1).transpose(2, 0, 1) / 255
            assert np.allclose(found, pixels)


def test_a_palette_with_a_transparency_for_each_colour(tmp_path):
    picture = Image.fromarray(DRAW.integers(0, 4, (6, 5), np.uint8)).convert("P")
    alphas = np.array([0, 80, 160, 255])
    put(tmp_path / "a" / "x.png", picture, transparency=bytes([*alphas.tolist()]))
    shown = np.asarray(picture.convert("RGB"), np.float64)
    for background, ground in (("white", 255), ("black", 0)):
        share = alphas[np.asarray(picture)][..., None] / 255
        wanted = (share * shown + (1 - share) * ground).transpose(2, 0, 1) / 255
        assert np.allclose(one(tmp_path, background=background), wanted, atol=1.01 / 255)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "RGB", "1"])
@pytest.mark.parametrize("grey", [False, True])
def test_transparent_places_show_the_background_and_are_told(tmp_path, mode, grey):
    """A black digit on nothing, as drawing programs save it, and a place that is half of each."""
    drawn = np.zeros((6, 5, 4), np.uint8)
    drawn[2:4, 1:3, 3] = 255
    wanted = np.where(drawn[..., 3] > 0, 0.0, 1.0)
    if mode in ("RGBA", "LA"):
        drawn[0, 0, 3], wanted[0, 0] = 128, 127 / 255
        picture, how = Image.fromarray(drawn).convert(mode), {}
    else:  # one grey, or one number of a palette, is nothing
        picture = Image.fromarray(np.where(drawn[..., 3] > 0, 0, 255).astype(np.uint8)).convert(mode)
        how = {"transparency": (255, 255, 255) if mode == "RGB" else picture.getpixel((0, 0))}
    put(tmp_path / "a" / "x.png", picture, **how)
    assert np.allclose(one(tmp_path, grey=grey), wanted, atol=0.01)
    black = one(tmp_path, grey=grey, background="black")
    assert np.allclose(black[:, wanted == 1], 0)
    assert read(Images(path="."), tmp_path).notes == ("1 image has transparent places, which count as white",)


def test_a_grey_of_16_bits_that_is_transparent(tmp_path):
    values = DRAW.integers(1000, 60000, (5, 3), np.uint16)
    values[2, 1] = 7
    put(tmp_path / "a" / "x.png", Image.fromarray(values), transparency=7)
    wanted = np.where(values == 7, 65535, values) / 65535
    assert np.allclose(one(tmp_path, grey=True)[0], wanted, rtol=1e-6)


def test_opaque_images_with_an_alpha_channel_are_not_told(tmp_path):
    put(tmp_path / "a" / "x.png", Image.new("RGBA", (4, 4), (9, 9, 9, 255)))
    assert read(Images(path="."), tmp_path).notes == ()


@pytest.mark.parametrize("ending", ["gif", "png", "webp", "tif"])
def test_the_first_of_several_pictures_is_taken(tmp_path, ending):
    frames = [Image.new("RGB", (4, 4), colour) for colour in ((250, 0, 0), (0, 250, 0))]
    how = {"lossless": True} if ending == "webp" else {}
    put(tmp_path / "a" / f"x.{ending}", frames[0], save_all=True, append_images=frames[1:], **how)
    found = one(tmp_path)
    assert found[0].min() > 0.9
    assert found[1].max() < 0.1


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_pictures_stand_upright(tmp_path, orientation, ending):
    pixels = DRAW.integers(0, 256, (2, 3, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    exif = Image.Exif()
    exif[0x112] = orientation
    put(
        tmp_path / "a" / f"x.{ending}",
        Image.fromarray(pixels),
        exif=exif,
        **({"quality": 95} if ending == "jpg" else {}),
    )
    with Image.open(tmp_path / "a" / f"x.{ending}") as image:
        upright = np.asarray(ImageOps.exif_transpose(image).convert("RGB"), np.float32).transpose(2, 0, 1) / 255
    found = one(tmp_path)
    assert found.shape == upright.shape == ((3, 24, 16) if orientation > 4 else (3, 16, 24))
    assert np.allclose(found, upright)
    assert one(tmp_path, size=[24, 16]).shape == (3, 24, 16)


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_16_bits_on_their_side(tmp_path, orientation):
    values = DRAW.integers(0, 65536, (2, 3), np.uint16)
    exif = Image.Exif()
    exif[0x112] = orientation
    put(tmp_path / "a" / "x.png", Image.fromarray(values), exif=exif)
    wanted = {1: values, 6: np.rot90(values, -1), 8: np.rot90(values)}[orientation]
    assert np.allclose(one(tmp_path, grey=True)[0], wanted / 65535)


def test_on_disk_and_in_memory_are_the_same(tmp_path, monkeypatch):
    put(tmp_path / "a" / "1.png", Image.fromarray(DRAW.integers(0, 65536, (4, 4), np.uint16)))
    plain(tmp_path / "b" / "2.png")
    whole = read(Images(path="."), tmp_path).train.tensors
    monkeypatch.setattr(images, "IN_MEMORY", 1)
    lazy = read(Images(path="."), tmp_path).train
    assert lazy.column("label").tolist() == [0, 1]
    for row, image in enumerate(whole["image"]):
        taken = numbers_of(lazy.take(whole["label"][row : row + 1]), read(Images(path="."), tmp_path).columns)
        assert taken["image"][0].allclose(image)
    plain(tmp_path / "b" / "2.png", side=8)  # changed while it is being read
    told = "b/2.png is 8×8, but a/1.png is 4×4"
    with pytest.raises(images.DataFault, match=told):
        lazy.take(whole["label"])
    (tmp_path / "b" / "2.png").unlink()
    with pytest.raises(images.DataFault, match=r"b/2.png cannot be read: No such file or directory"):
        lazy.take(whole["label"])


def counts(tmp_path):
    """How many rows each part has, and the classes."""
    data = read(Images(path="pets"), tmp_path)
    return [None if rows is None else len(rows) for rows in (data.train, data.validation, data.test)], data.words[
        "label"
    ]


@pytest.mark.parametrize(
    "name",
    [".ipynb_checkpoints/1-checkpoint.png", "._1.png", ".1.png", "__MACOSX/1.png", "@eaDir/1.png", "Thumbs.db", "1.txt",
     ".hidden/deep/1.png"],
)  # fmt: skip
def test_what_other_programs_leave_behind_is_passed_over(tmp_path, name):
    for each in ("pets/cat/1.png", "pets/dog/1.png", "pets/dog/deep/er/2.JPEG"):
        plain(tmp_path / each)
    for place in ("pets/cat", "pets/dog/deep", "pets"):
        path = tmp_path / place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((tmp_path / "pets/cat/1.png").read_bytes())
    assert counts(tmp_path) == ([3, None, None], ("cat", "dog"))


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [("train", "val", "test"), ("Train", "Valid", "Test"), ("TRAIN", "VALIDATION", "TEST"),
     ("training", "validation", "testing"), ("training_set", "dev_set", "test_set"), ("trainset", "valset", "testset"),
     ("Training Data", "val-data", "test images"), ("train2017", "val2017", "test2017"),
     ("seg_train", "dev", "seg_test")],
)  # fmt: skip
def test_folders_of_parts_are_called_by_many_names(tmp_path, train, validation, test):
    for part, numbers in ((train, "123"), (validation, "12"), (test, "1")):
        for number in numbers:
            for name in ("cat", "dog"):
                plain(tmp_path / "pets" / part / name / f"{number}.png")
    assert counts(tmp_path) == ([6, 4, 2], ("cat", "dog"))


def test_classes_that_are_called_like_parts(tmp_path):
    for name in ("bus", "car", "train", "valley", "test tube", "Training wheels"):
        plain(tmp_path / "pets" / name / "1.png")
    assert counts(tmp_path)[1] == ("Training wheels", "bus", "car", "test tube", "train", "valley")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["Test/cat/1", "val/cat/1"], "pets has `Test` and `val`, but no folder for training\ncall it `train`"),
        (["val/cat/1", "valid/cat/1", "train/cat/1"], "pets has two folders for validation, `val"),
        (["train/1", "test/1"], "pets/train has no folders\neach class has a folder of its images"),
        (["train/cat/1", "test/1"], "pets/test has no folders\neach class has a folder of its images"),
        (["wrapped/cat/1", "wrapped/dog/1"],
         "pets has one folder, which holds folders alone\nthe path is `pets/wrapped`"),
        (["1"], "pets has no folders\neach class has a folder of its images"),
    ],
)  # fmt: skip
def test_folders_that_are_no_classes(tmp_path, names, told):
    for name in names:
        plain(tmp_path / "pets" / f"{name}.png")
    assert fault(Images(path="pets"), tmp_path).startswith(told)


def test_links_are_followed_to_their_ends(tmp_path):
    plain(tmp_path / "elsewhere" / "1.png")
    plain(tmp_path / "pets" / "cat" / "1.png")
    os.symlink(tmp_path / "elsewhere", tmp_path / "pets" / "dog")
    os.symlink(tmp_path / "elsewhere", tmp_path / "pets" / "cat" / "more")
    os.symlink(tmp_path / "elsewhere" / "1.png", tmp_path / "pets" / "cat" / "2.png")
    assert counts(tmp_path) == ([4, None, None], ("cat", "dog"))
    os.symlink(tmp_path / "pets" / "cat", tmp_path / "elsewhere" / "back")
    assert "is a link to a folder that it is in" in fault(Images(path="pets"), tmp_path)


@pytest.mark.parametrize("kind", ["fifo", "device", "broken", "loop", "empty", "text", "cut"])
def test_files_that_are_no_pictures(tmp_path, kind):
    plain(tmp_path / "pets" / "cat" / "1.png", side=40)
    whole, path = (tmp_path / "pets" / "cat" / "1.png").read_bytes(), tmp_path / "pets" / "cat" / "2.png"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "broken":
            path.symlink_to("nothing.png")
        case "loop":
            path.symlink_to("2.png")
        case _:
            path.write_bytes({"empty": b"", "text": b"no picture", "cut": whole[: len(whole) // 2]}[kind])
    told = {
        "fifo": "pets/cat/2.png is a pipe (FIFO), but an image is expected",
        "device": "pets/cat/2.png is a device, but an image is expected",
        "broken": "pets/cat/2.png is a link to nothing",
        "loop": "pets/cat/2.png is no file: Too many levels of symbolic links",
        "empty": "pets/cat/2.png cannot be read: it is empty",
        "text": "pets/cat/2.png cannot be read: it is no image",
        "cut": "pets/cat/2.png cannot be read: ",
    }[kind]
    assert fault(Images(path="pets", size=8), tmp_path).startswith(told)


def test_names_that_cannot_be_shown(tmp_path):
    plain(tmp_path / "cat" / "1.png")
    os.makedirs(os.fsencode(tmp_path) + b"/\xff")
    told = "\\udcff has marks in its name that cannot be shown\nthe folder is the name of a class"
    assert fault(Images(path="."), tmp_path) == told


def test_no_picture_starts_another_program(tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "1.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    assert "EPS" not in decoder.FORMATS
    assert fault(Images(path="."), tmp_path) == (
        "cat/1.png cannot be read: it is no image\ntake it out, or save it anew"
    )
