"""Rows that lie on disk: read ahead by other processes, they are the same rows, and a fault keeps its words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from train import small

from netspec.diagnostics import TrainingFault
from netspec.graph import Graph
from netspec.recipes import Column
from netspec.recipes.data.files import Images
from netspec.train.data import TensorRows
from netspec.train.data.batches import AT_ONCE, sample
from netspec.train.data.digests import digests_of
from netspec.train.data.meaning import Changed, as_trained, meaning_of
from netspec.train.data.readers import images
from netspec.train.data.readers.images import ImageRows
from netspec.train.reading import read_data
from netspec.train.report.progress import Plain
from netspec.train.run import Run
from netspec.train.setup import Setup
from netspec.train.store.folder import RunFolder

DATA = "{images: {path: pictures, grey: true}}"


def pictures(folder: Path, count: int = 60) -> None:
    """Images of noise in three classes."""
    chance = np.random.default_rng(0)
    for number in range(count):
        place = folder / "pictures" / "abc"[number % 3]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chance.integers(0, 256, (28, 28), np.uint8)).save(place / f"{number}.png")


def begin(graph: Graph, folder: Path) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    return Run(Setup(graph, read_data(graph), torch.device("cpu")), RunFolder(folder), Plain(0), print)


def test_read_ahead_they_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pictures(tmp_path)
    keys = {"data": DATA, "prepare": "[standardize]", "augment": "[{random_crop: 2}]"}
    begin(small.graph(tmp_path, **keys), tmp_path / "memory").go()
    monkeypatch.setattr(images, "IN_MEMORY", 100)
    for workers in (0, 2):
        run = begin(small.graph(tmp_path, **keys, workers=str(workers)), tmp_path / str(workers))
        assert isinstance(run.setup.train.rows, ImageRows)
        run.go()
        assert small.losses(tmp_path / str(workers)) == small.losses(tmp_path / "memory")


def test_a_picture_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pictures(tmp_path)
    broken = tmp_path / "pictures/b/1.png"
    broken.write_bytes(broken.read_bytes()[:-300])
    monkeypatch.setattr(images, "IN_MEMORY", 100)
    run = begin(small.graph(tmp_path, data=DATA, workers="2"), tmp_path / "run")
    with pytest.raises(TrainingFault, match=r"^pictures/b/1\.png cannot be read: "):
        run.go()


def test_a_transform_learns_from_a_sample_of_what_lies_on_disk():
    columns = {"image": Column((1, 2**10, 2**10))}
    subset = torch.arange(5, 5 + 1000)
    found = sample(ImageRows([], torch.empty(0), None), subset, columns)  # type: ignore[arg-type]
    assert len(found) == AT_ONCE // 2**22
    assert set(found.tolist()) <= set(subset.tolist())
    assert sample(TensorRows({}), subset, columns) is subset


def test_rows_on_disk_that_are_read_again_keep_their_classes_and_their_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pictures(tmp_path, 6)
    monkeypatch.setattr(images, "IN_MEMORY", 10)
    data = images.read(Images(path="pictures", grey=True), tmp_path)
    again = as_trained(data, meaning_of(data))
    assert isinstance(again.train, Changed)
    labels = again.train.column("label")
    assert labels is not None
    assert labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert again.train.column("image") is None
    assert digests_of(again) == digests_of(data)
