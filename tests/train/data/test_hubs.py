"""Data sets of other packages: through them comes what lies in their folders."""

import numpy as np
import pytest
from PIL import Image
from train.data.reading import fault, fits, read
from train.data.test_archives import write_idx

from netspec.recipes.data.files import HuggingFace, Torchvision
from netspec.runtime.vision import import_torchvision


@pytest.mark.parametrize("name", ["MNIST", "FashionMNIST"])
def test_torchvision_reads_its_folder(tmp_path, name):
    import_torchvision()
    pytest.importorskip("torchvision")
    told = fault(Torchvision(of=name, root="data"), tmp_path)
    text = f"data has no {name}: Dataset not found. You can use download=True to download it"
    way = f"put its four files, `train-images-idx3-ubyte` and so on, in `data/{name}/raw`"
    assert told == f"{text}\n`download: true` fetches it; or {way}"
    raw = tmp_path / "data" / name / "raw"
    raw.mkdir(parents=True)
    files = write_idx(raw, shape=(28, 28))
    data_set = Torchvision(of=name, root="data")
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert (data.train.tensors["image"][:, 0].numpy() == files["train-images-idx3-ubyte"]).all()
    assert data.test.tensors["label"].tolist() == files["t10k-labels-idx1-ubyte"].tolist()
    assert data.words["label"][0] == {"MNIST": "0 - zero", "FashionMNIST": "T-shirt/top"}[name]


def test_hugging_face_reads_a_folder(tmp_path):
    pytest.importorskip("datasets")
    for part, name, number in (
        (part, name, number) for part in ("train", "test") for name in "ab" for number in (0, 1)
    ):
        path = tmp_path / "pets" / part / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4 + number, 5, 3), number, np.uint8)).save(path)
    data = read(HuggingFace(path="pets", size=[4, 6]), tmp_path)
    assert data.columns["image"].shape == (3, 4, 6)
    assert data.words == {"label": ("a", "b")}
    assert data.test.tensors["image"][1].eq(1).all()
    told = "pets: rows 1 and 2 of `image` are 4×5 and 5×5\n`size: [4, 5]` makes all of them equal"
    assert fault(HuggingFace(path="pets"), tmp_path) == told
    told = "pets has no column `kind` of numbers or classes\nthere are `image`, `label`"
    assert fault(HuggingFace(path="pets", target="kind"), tmp_path) == told
