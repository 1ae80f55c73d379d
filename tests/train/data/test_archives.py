"""Files of arrays: what is written comes back, and files that are cut off or lie are refused."""

import gzip
import pickle
import struct

import numpy as np
import pytest
import torch
from train.data.reading import fault, fits, read

from netspec.recipes import Column
from netspec.recipes.data.files import CIFAR, IDX, NPZ

DRAW = np.random.default_rng(0)


def labels(count, classes=10):
    return np.arange(count, dtype=np.uint8) % classes


def test_npz_has_parts_and_kinds(tmp_path):
    arrays = {
        "image_train": DRAW.integers(0, 256, (12, 5, 4), np.uint8),
        "weight_train": DRAW.normal(size=(12, 3)),
        "count_train": DRAW.integers(-5, 5, (12, 2)),
        "y_train": labels(12, 3),
    }
    arrays |= {name.replace("train", "test"): array[:4] for name, array in arrays.items()}
    np.savez(tmp_path / "a.npz", **arrays)
    data = read(NPZ(path="a.npz"), tmp_path)
    assert data.columns == {
        "image": Column((1, 5, 4)),
        "weight": Column((3,)),
        "count": Column((2,), "int64"),
        "y": Column((), "int64", 3, target=True),
    }
    assert data.train.tensors["image"].equal(torch.from_numpy(arrays["image_train"])[:, None])
    assert data.train.tensors["weight"].equal(torch.from_numpy(arrays["weight_train"]).float())
    assert data.test.tensors["count"].equal(torch.from_numpy(arrays["count_test"]))
    assert len(data.test) == 4
    assert data.validation is None


def test_a_folder_of_npy_files_is_the_same(tmp_path):
    (tmp_path / "a").mkdir()
    np.save(tmp_path / "a" / "x.npy", np.ones((4, 2), np.float32))
    np.save(tmp_path / "a" / "y.npy", np.array([0.5, 1, 2, 3]))
    data = read(NPZ(path="a"), tmp_path)
    assert data.columns == {"x": Column((2,)), "y": Column((), target=True)}
    assert data.train.tensors["y"].tolist() == [0.5, 1, 2, 3]


X, Y = np.ones((4, 2), np.float32), np.array([0, 1, 0, 1])
HOLE = np.array([[1, 2], [3, np.nan], [5, 6], [7, 8]])


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        ({"x": X}, "a.npz has no array for the target `y`\nthere are `x`"),
        ({"x": X[:3], "y": Y}, "a.npz: `x` has 3 rows, but `y` has 4"),
        ({"x": X[:0], "y": Y[:0]}, "a.npz: `x` has no rows"),
        ({"x": HOLE, "y": Y}, "a.npz: `x[1, 1]` is nan, which is no number to learn from"),
        ({"x": X, "y": Y - 1}, "a.npz: `y[0]` is -1, but classes are whole numbers from 0 on\n"
         "real numbers are no classes: store them as float32; what is to be left out, `ignore_index` names"),
        ({"x": X, "y": Y * 2}, "a.npz: class 1 of `y` is in none of the training rows\n"
         "classes are the whole numbers from 0 to the largest, 2"),
        ({"x": X, "y": Y, "x_test": X, "y_test": Y + 1},
         "a.npz: class 2 of `y` is in none of the training rows\n"
         "classes are the whole numbers from 0 to the largest, 2"),
        ({"x": X, "y": np.array(["a", "b", "a", "b"])}, "a.npz: `y` holds <U1, but numbers are expected"),
        ({"x": X, "y": Y, "x_train": X}, "a.npz has both `x` and `x_train`\nleave one of them out"),
        ({"x": X, "y": Y, "x_test": X}, "a.npz has other arrays for `test` than for `train`"),
        ({"x": X, "y": Y, "x_test": X[:, :1], "y_test": Y}, "a.npz: rows of `x` are [2] and [1], in different parts"),
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_told(tmp_path, arrays, told):
    np.savez(tmp_path / "a.npz", **arrays)
    assert fault(NPZ(path="a.npz"), tmp_path) == told


def test_nothing_is_unpickled(tmp_path):
    class Trap:
        def __reduce__(self):
            return pytest.fail, ("unpickled",)

    objects = "it holds Python objects, which might run code when they are read"
    np.savez(tmp_path / "a.npz", x=X, y=np.array([Trap()], dtype=object))
    assert fault(NPZ(path="a.npz"), tmp_path) == f"`y` in a.npz cannot be read: {objects}"
    (tmp_path / "b.npz").write_bytes(pickle.dumps(Trap()))
    assert fault(NPZ(path="b.npz"), tmp_path) == f"b.npz cannot be read: {objects}"
    (tmp_path / "c").mkdir()
    np.save(tmp_path / "c" / "x.npy", np.array([Trap()], dtype=object))
    assert fault(NPZ(path="c"), tmp_path) == f"c/x.npy cannot be read: {objects}"


def test_npz_that_is_cut_off_or_none(tmp_path):
    np.savez(tmp_path / "whole.npz", x=X, y=Y)
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: len(whole) // 2])
    assert fault(NPZ(path="a.npz"), tmp_path) == "a.npz cannot be read: File is not a zip file"
    np.save(tmp_path / "b.npy", X)
    assert fault(NPZ(path="b.npy"), tmp_path) == "b.npy is one array\ngive the folder of the .npy files"
    (tmp_path / "c").mkdir()
    assert fault(NPZ(path="c"), tmp_path) == "c has no .npy files"


def write_idx(folder, packed=False, count=20, cut=0, shape=(6, 5)):
    files = {}
    for name, rows in (("train", count), ("t10k", 10)):
        files[f"{name}-images-idx3-ubyte"] = DRAW.integers(0, 256, (rows, *shape), np.uint8)
        files[f"{name}-labels-idx1-ubyte"] = labels(rows)
    for name, array in files.items():
        head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        content = (head + array.tobytes())[: -cut or None]
        (folder / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content) if packed else content)
    return files


@pytest.mark.parametrize("packed", [False, True])
def test_idx_comes_back(tmp_path, packed):
    files = write_idx(tmp_path, packed)
    data_set = IDX(path=".")
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert data.columns["image"].shape == (1, 6, 5)
    assert data.train.tensors["image"][:, 0].equal(torch.from_numpy(files["train-images-idx3-ubyte"]))
    assert data.test.tensors["label"].tolist() == files["t10k-labels-idx1-ubyte"].tolist()


def test_idx_that_is_cut_off_goes_on_or_is_none(tmp_path):
    data_set = IDX(path=".")
    assert fault(data_set, tmp_path) == ". has neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz"
    write_idx(tmp_path, cut=3)
    told = "./train-images-idx3-ubyte ends after 597 bytes, but its header says 20×6×5, 600 bytes"
    assert fault(data_set, tmp_path) == told
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes() + b"....")
    assert fault(data_set, tmp_path) == "./train-images-idx3-ubyte goes on, but its header says 20×6×5, 600 bytes"
    path.write_bytes(b"GIF89a")
    told = "./train-images-idx3-ubyte does not begin as a file of bytes in 3 dimensions (0, 0, 8, 3)"
    assert fault(data_set, tmp_path) == told
    path.with_suffix(".gz").write_bytes(b"GIF89a")
    told = "./train-images-idx3-ubyte.gz cannot be read: Not a gzipped file (b'GI')"
    assert fault(data_set, tmp_path) == told


def write_cifar(folder, classes):
    before = 1 if classes == 10 else 2
    names = [f"data_batch_{number}.bin" for number in range(1, 6)] if classes == 10 else ["train.bin"]
    records = {}
    for name in [*names, "test_batch.bin" if classes == 10 else "test.bin"]:
        records[name] = DRAW.integers(0, 256, (classes, before + 3072), np.uint8)
        records[name][:, 0] = 0
        records[name][:, before - 1] = labels(classes, classes)
        records[name].tofile(folder / name)
    return records


@pytest.mark.parametrize("classes", [10, 100])
def test_cifar_comes_back(tmp_path, classes):
    records = write_cifar(tmp_path, classes)
    data_set = CIFAR(path=".", classes=classes)
    data = read(data_set, tmp_path)
    assert fits(data, data_set)
    assert len(data.train) == (50 if classes == 10 else 100)
    last = list(records.values())[-2]
    image = torch.from_numpy(last[-1, -3072:].reshape(3, 32, 32))
    assert data.train.tensors["image"][-1].equal(image)
    assert data.test.tensors["label"].tolist() == list(range(classes))


def test_cifar_has_the_names_of_its_classes(tmp_path):
    write_cifar(tmp_path, 10)
    (tmp_path / "batches.meta.txt").write_text("\n".join("abcdefghij") + "\n\n")
    assert read(CIFAR(path="."), tmp_path).words == {"label": tuple("abcdefghij")}


def test_cifar_that_is_cut_off_or_another(tmp_path):
    records = write_cifar(tmp_path, 10)
    (tmp_path / "data_batch_2.bin").write_bytes(b"1234")
    told = "./data_batch_2.bin has 4 bytes, which is no whole number of images (3,073 each)"
    assert fault(CIFAR(path="."), tmp_path) == told
    wrong = records["data_batch_2.bin"]
    wrong[7, 0] = 12
    wrong.tofile(tmp_path / "data_batch_2.bin")
    assert fault(CIFAR(path="."), tmp_path) == "./data_batch_2.bin, image 8: its label is 12, but there are 10"
    told = "there is no ./train.bin\nit is a part of the binary version; `classes: 100` is for CIFAR-100"
    assert fault(CIFAR(path=".", classes=100), tmp_path) == told
