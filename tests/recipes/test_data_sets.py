"""Every data set against the files that it is read from, the formula that it is made by, or what is published of it."""

from __future__ import annotations

import csv
import datetime
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from recipes.judged import Case, Cases
from train.data.reading import read
from train.data.test_archives import write_cifar, write_idx

from netspec.recipes.data import DataSet
from netspec.runtime.vision import import_torchvision
from netspec.train.data import Data

DATA_SETS = Cases("data")
CHANCE = np.random.default_rng(0)


def whole(data: Data, column: str) -> np.ndarray:
    """A column of the training rows and those of the test."""
    parts = [part.take(torch.arange(len(part))) for part in (data.train, data.test) if part is not None]
    return np.concatenate([part[column].numpy() for part in parts])


def written(data: Data, column: str, row: int) -> str:
    """A row of a column of words, put together."""
    numbers = data.train.take(torch.tensor([row]))[column][0]
    return "".join(data.words[column][number] for number in numbers)


@DATA_SETS.add("mnist")
def mnist(data: Data, folder: Path) -> None:
    """500 of each digit; mean and deviation of MNIST's pixels are published as 0.1307 and 0.3081."""
    images = whole(data, "image") / 255
    assert np.bincount(whole(data, "label")).tolist() == [500] * 10
    assert images.mean() == pytest.approx(0.1307, abs=0.002)
    assert images.std() == pytest.approx(0.3081, abs=0.003)


@DATA_SETS.add("digits")
def digits(data: Data, folder: Path) -> None:
    """The numbers of the UCI repository: 1,797 images, of which so many of each digit."""
    published = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(whole(data, "label")).tolist() == published


@DATA_SETS.add("breast_cancer")
def breast_cancer(data: Data, folder: Path) -> None:
    """The numbers of the UCI repository: 212 malignant, 357 benign; mean radius 14.127."""
    assert np.bincount(whole(data, "label")).tolist() == [212, 357]
    assert whole(data, "features")[:, 0].mean() == pytest.approx(14.127, abs=1e-3)


@DATA_SETS.add("diabetes")
def diabetes(data: Data, folder: Path) -> None:
    """Efron et al. 2004: 442 patients, progress from 25 to 346 with a mean of 152.13."""
    progress = whole(data, "progress")
    assert (len(progress), progress.min(), progress.max()) == (442, 25, 346)
    assert progress.mean() == pytest.approx(152.13, abs=0.01)


@DATA_SETS.add("alice", length=20)
def alice(data: Data, folder: Path) -> None:
    """The book's first words, as everybody knows them."""
    text = "".join(written(data, "tokens", row) for row in range(60))
    assert "alice was beginning to get very tired of sitting by her sister on the bank" in text


@DATA_SETS.add("dates")
def dates(data: Data, folder: Path) -> None:
    """Dates in numbers, and those in full, are the same day in both languages, as Python's calendar has it."""
    checked = 0
    for row in range(2000):
        source, target = written(data, "source", row), written(data, "next", row).partition("<eos>")[0]
        for form, french in (("%m/%d/%Y", in_numbers), ("%A, %B %d, %Y", in_full)):
            try:
                day = datetime.datetime.strptime(source.replace("<pad>", ""), form)
            except ValueError:
                continue
            assert target == french(day)
            checked += 1
    assert checked > 300


def in_numbers(day: datetime.date) -> str:
    return day.strftime("%d/%m/%Y")


def in_full(day: datetime.date) -> str:
    return f"{DAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


DAYS = ["lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"]
MONTHS = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
]


def write_houses(folder: Path) -> np.ndarray:
    """Rows of two features and a price, written as a CSV file with semicolons."""
    rows = CHANCE.normal(size=(9, 3)).round(3)
    with (folder / "houses.csv").open("w", newline="") as file:
        csv.writer(file, delimiter=";").writerows([["rooms", "age", "price"], *rows.tolist()])
    return rows


@DATA_SETS.add("csv", path="houses.csv", target="price")
def csv_file(data: Data, folder: Path) -> None:
    rows = np.loadtxt(folder / "houses.csv", delimiter=";", skiprows=1)
    assert whole(data, "features") == pytest.approx(rows[:, :2], rel=1e-6)
    assert whole(data, "price") == pytest.approx(rows[:, 2], rel=1e-6)


@DATA_SETS.add("parquet", path="houses.parquet", target="price")
def parquet(data: Data, folder: Path) -> None:
    rows = np.loadtxt(folder / "houses.csv", delimiter=";", skiprows=1)
    assert whole(data, "features") == pytest.approx(rows[:, :2], rel=1e-6)
    assert whole(data, "price") == pytest.approx(rows[:, 2], rel=1e-6)


@DATA_SETS.add("npz", path="arrays.npz")
def npz(data: Data, folder: Path) -> None:
    arrays = np.load(folder / "arrays.npz")
    assert whole(data, "x") == pytest.approx(arrays["x"])
    assert whole(data, "y") == pytest.approx(arrays["y"])


@DATA_SETS.add("idx", path="idx")
def idx(data: Data, folder: Path) -> None:
    pixels = np.fromfile(folder / "idx" / "train-images-idx3-ubyte", np.uint8)[16:]
    assert np.array_equal(data.train.tensors["image"].numpy().ravel(), pixels)  # type: ignore[attr-defined]


@DATA_SETS.add("cifar", path="cifar")
def cifar(data: Data, folder: Path) -> None:
    records = np.fromfile(folder / "cifar" / "data_batch_1.bin", np.uint8).reshape(-1, 3073)
    first = data.train.take(torch.arange(len(records)))
    assert np.array_equal(first["image"].numpy().reshape(-1, 3072), records[:, 1:])
    assert first["label"].tolist() == records[:, 0].tolist()


@DATA_SETS.add("images", path="pets")
def images(data: Data, folder: Path) -> None:
    for row, name in enumerate(("cat", "dog")):
        picture = np.asarray(Image.open(folder / "pets" / name / "a.png"))
        found = data.train.take(torch.tensor([row]))
        assert np.array_equal(found["image"][0].permute(1, 2, 0).numpy(), picture)
        assert data.words["label"][found["label"][0]] == name


@DATA_SETS.add("hugging_face", path="pets")
def hugging_face(data: Data, folder: Path) -> None:
    images(data, folder)


@DATA_SETS.add("torchvision", of="FashionMNIST", root="torchvision")
def torchvision(data: Data, folder: Path) -> None:
    raw = folder / "torchvision" / "FashionMNIST" / "raw"
    pixels = np.fromfile(raw / "train-images-idx3-ubyte", np.uint8)[16:]
    assert np.array_equal(data.train.tensors["image"].numpy().ravel(), pixels)  # type: ignore[attr-defined]


@DATA_SETS.add("text", path="novel.txt", length=6)
def text(data: Data, folder: Path) -> None:
    novel = (folder / "novel.txt").read_text()
    for row in range(3):
        assert written(data, "tokens", row) == novel[6 * row : 6 * row + 6]
        assert written(data, "next", row) == novel[6 * row + 1 : 6 * row + 7]


@DATA_SETS.add("pairs", path="pairs.tsv", level="char")
def pairs(data: Data, folder: Path) -> None:
    for row, line in enumerate((folder / "pairs.tsv").read_text().splitlines()):
        source, target = line.split("\t")
        assert written(data, "source", row).replace("<pad>", "") == source
        assert written(data, "next", row).partition("<eos>")[0] == target


@DATA_SETS.add("logic", of="xor")
def logic(data: Data, folder: Path) -> None:
    points = whole(data, "x").astype(int)
    assert {tuple(point) for point in points.tolist()} == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert np.array_equal(points[:, 0] ^ points[:, 1], whole(data, "label"))


@DATA_SETS.add("separable", rows=300, margin=0.2)
def separable(data: Data, folder: Path) -> None:
    points, sides = whole(data, "x"), 2 * whole(data, "label") - 1
    angles = np.linspace(0, 2 * np.pi, 3601)
    distances = sides[:, None] * (points @ np.array([np.cos(angles), np.sin(angles)]))
    assert distances.min(0).max() >= 0.19
    assert np.linalg.norm(points, axis=1).max() <= 1 + 1e-6


@DATA_SETS.add("line", noise=0.01)
def line(data: Data, folder: Path) -> None:
    points = np.column_stack([whole(data, "x"), np.ones(1000)])
    fitted = np.linalg.lstsq(points, whole(data, "y"), rcond=None)[0]
    assert fitted == pytest.approx([2.0, -3.4, 4.2], abs=2e-3)


@DATA_SETS.add("polynomial", degree=3, noise=0.0)
def polynomial(data: Data, folder: Path) -> None:
    x = whole(data, "x")[:, 0].astype(float)
    assert whole(data, "y") == pytest.approx(5 + 1.2 * x - 3.4 * x**2 / 2 + 5.6 * x**3 / 6, abs=1e-5)


@DATA_SETS.add("noise", shape=[3, 16, 16], rows=400)
def noise(data: Data, folder: Path) -> None:
    """Evenly spread bytes have the mean 127.5 and the variance (256² − 1)/12."""
    values = whole(data, "image").astype(float)
    assert values.mean() == pytest.approx(127.5, abs=0.5)
    assert values.var() == pytest.approx((256**2 - 1) / 12, rel=0.01)
    assert np.bincount(whole(data, "label"), minlength=10).min() > 15


@DATA_SETS.add("edges")
def edges(data: Data, folder: Path) -> None:
    """The edges are the differences of neighbours."""
    image = whole(data, "image").astype(float)
    assert np.array_equal(image[..., :-1] - image[..., 1:], whole(data, "edge"))
    assert np.abs(whole(data, "edge")).sum() > 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a file or a folder for each data set that is read from one."""
    made = tmp_path_factory.mktemp("data")
    rows = write_houses(made)
    if find_spec("pyarrow"):
        from pyarrow import parquet, table

        parquet.write_table(table(dict(zip(("rooms", "age", "price"), rows.T))), made / "houses.parquet")
    np.savez(made / "arrays.npz", x=CHANCE.normal(size=(8, 3)), y=CHANCE.normal(size=8))
    for name in ("idx", "cifar", "torchvision/FashionMNIST/raw"):
        (made / name).mkdir(parents=True)
    write_idx(made / "idx")
    write_idx(made / "torchvision/FashionMNIST/raw", shape=(28, 28))
    write_cifar(made / "cifar", 10)
    for name in ("cat", "dog"):
        (made / "pets" / name).mkdir(parents=True)
        Image.fromarray(CHANCE.integers(0, 256, (5, 7, 3), np.uint8)).save(made / "pets" / name / "a.png")
    (made / "novel.txt").write_text("It was a dark and stormy night.")
    (made / "pairs.tsv").write_text("yes\toui\nno\tnon\ngood day\tbonjour\n")
    return made


NEEDED = {"parquet": "pyarrow", "hugging_face": "datasets", "torchvision": "torchvision"}
"""The packages, of the extra ``data``, that reading a data set takes."""


@DATA_SETS.parameters()
def test_its_rows_are_what_the_files_hold_or_is_published(case: Case, folder: Path):
    assert isinstance(case.ingredient, DataSet)
    if package := NEEDED.get(case.ingredient.name):
        import_torchvision()  # before torchmetrics does, where it does not fit torch
        pytest.importorskip(package)
    data = read(case.ingredient, folder)
    declared = case.ingredient.columns()
    assert declared is None or {*data.columns} <= {*declared}
    case.oracle(data, folder)


def test_every_data_set_has_a_judged_case():
    assert DATA_SETS.missing() == []
