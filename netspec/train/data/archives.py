"""Reads files of arrays: NumPy's, those of MNIST and its like (IDX), and CIFAR's."""

from __future__ import annotations

import gzip
import math
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from netspec.recipes.data_files import CIFAR, IDX, NPZ
from netspec.train.data.arrays import Array, from_arrays
from netspec.train.data.base import Data, DataFault
from netspec.train.data.meaning import Meaning
from netspec.train.data.paths import there

IDX_FILES = {
    "image_train": ("train-images-idx3-ubyte", 3),
    "label_train": ("train-labels-idx1-ubyte", 1),
    "image_test": ("t10k-images-idx3-ubyte", 3),
    "label_test": ("t10k-labels-idx1-ubyte", 1),
}
"""The files by column and part, and how many dimensions each has."""


def read_npz(data_set: NPZ, folder: Path, known: Meaning | None = None) -> Data:
    """The arrays of an `.npz` file, or of a folder of `.npy` files; nothing in them is run."""
    path = there(data_set.path, folder)
    if path.is_dir():
        files = sorted(path.glob("*.npy"))
        if not files:
            raise DataFault(f"{data_set.path} has no .npy files")
        arrays = {file.stem: _array(file, data_set.path) for file in files}
        return from_arrays(arrays, data_set.target, data_set.path, known=known)
    try:
        with path.open("rb") as file:
            archive = np.load(file, allow_pickle=False)
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise DataFault(f"{data_set.path} is one array", "give the folder of the .npy files")
            arrays = dict(archive)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as found:
        raise DataFault(f"{data_set.path} cannot be read: {_told(found)}") from None
    return from_arrays(arrays, data_set.target, data_set.path, known=known)


def _array(file: Path, folder: str) -> Array:
    try:
        found: Array = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError) as fault:
        raise DataFault(f"{folder}/{file.name} cannot be read: {_told(fault)}") from None
    return found


def _told(fault: Exception) -> str:
    text = str(fault).splitlines()[0] if str(fault) else type(fault).__name__
    if "allow_pickle" in text:
        return "it holds Python objects, which might run code when they are read"
    return text


def read_idx(data_set: IDX, folder: Path, known: Meaning | None = None) -> Data:
    """Images and labels, for training and for the test."""
    path = there(data_set.path, folder)
    arrays = {name: _idx(path, file, rank, data_set.path) for name, (file, rank) in IDX_FILES.items()}
    return from_arrays(arrays, "label", data_set.path, known=known)


def _idx(path: Path, name: str, rank: int, folder: str) -> Array:
    """Bytes of ``rank`` dimensions, after a header that says how many there are."""
    packed = path / f"{name}.gz"
    if not packed.exists() and not (path / name).exists():
        raise DataFault(f"{folder} has neither {name} nor {packed.name}")
    shown = f"{folder}/{packed.name if packed.exists() else name}"
    try:
        with gzip.open(packed) if packed.exists() else (path / name).open("rb") as file:
            return _idx_bytes(file, rank, shown)
    except (OSError, EOFError, zlib.error) as found:
        raise DataFault(f"{shown} cannot be read: {_told(found)}") from None


def _idx_bytes(file: BinaryIO | gzip.GzipFile, rank: int, shown: str) -> Array:
    head = file.read(4 + 4 * rank)
    if head[:4] != bytes([0, 0, 8, rank]) or len(head) < 4 + 4 * rank:
        raise DataFault(f"{shown} does not begin as a file of bytes in {rank} dimensions (0, 0, 8, {rank})")
    shape = [int(size) for size in np.frombuffer(head, ">u4", offset=4)]
    size = math.prod(shape)
    body = file.read(size + 1)
    if len(body) != size:
        length = f"ends after {len(body):,} bytes" if len(body) < size else "goes on"
        raise DataFault(f"{shown} {length}, but its header says {'×'.join(map(str, shape))}, {size:,} bytes")
    return np.frombuffer(body, np.uint8).reshape(shape).copy()


def read_cifar(data_set: CIFAR, folder: Path, known: Meaning | None = None) -> Data:
    """Images and labels; of CIFAR-100 the fine labels."""
    path = there(data_set.path, folder)
    ten = data_set.classes == 10
    train = [f"data_batch_{number}.bin" for number in range(1, 6)] if ten else ["train.bin"]
    test, names = ("test_batch.bin", "batches.meta.txt") if ten else ("test.bin", "fine_label_names.txt")
    arrays: dict[str, Array] = {}
    for part, files in {"train": train, "test": [test]}.items():
        images, labels = _cifar(path, files, data_set)
        arrays |= {f"image_{part}": images, f"label_{part}": labels}
    words = (path / names).read_text("utf-8").split() if (path / names).exists() else []
    meanings = {"label": tuple(words)} if len(words) == data_set.classes else {}
    return from_arrays(arrays, "label", data_set.path, meanings, known)


def _cifar(path: Path, files: Sequence[str], data_set: CIFAR) -> tuple[Array, Array]:
    """The records of files: a label, or a coarse one and a fine one, then red, green and blue, row by row."""
    before = 1 if data_set.classes == 10 else 2
    record = before + 3 * 32 * 32
    found = []
    for name in files:
        shown = f"{data_set.path}/{name}"
        if not (path / name).is_file():
            help = "it is a part of the binary version; `classes: 100` is for CIFAR-100"
            raise DataFault(f"there is no {shown}", help)
        content = np.fromfile(path / name, np.uint8)
        if not len(content) or len(content) % record:
            raise DataFault(f"{shown} has {len(content):,} bytes, which is no whole number of images ({record:,} each)")
        records = content.reshape(-1, record)
        wrong = np.flatnonzero(records[:, before - 1] >= data_set.classes)
        if len(wrong):
            label = records[wrong[0], before - 1]
            raise DataFault(f"{shown}, image {wrong[0]}: its label is {label}, but there are {data_set.classes}")
        found.append(records)
    records = np.concatenate(found)
    return records[:, before:].reshape(-1, 3, 32, 32), records[:, before - 1]
