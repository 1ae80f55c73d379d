"""Reads the files of MNIST and its like (IDX), and those of CIFAR."""

from __future__ import annotations

import gzip
import math
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from netspec.recipes.data.files import CIFAR, IDX
from netspec.train.data.arrays import Array, from_arrays
from netspec.train.data.base import Data, DataFault
from netspec.train.data.paths import decoded, decoding, free_memory, opened, there

IDX_FILES = {
    "image_train": ("train-images-idx3-ubyte", 3),
    "label_train": ("train-labels-idx1-ubyte", 1),
    "image_test": ("t10k-images-idx3-ubyte", 3),
    "label_test": ("t10k-labels-idx1-ubyte", 1),
}
"""The files by column and part, and how many dimensions each has."""
AT_ONCE = 2**24
"""Bytes that are read at a time."""


def read_idx(data_set: IDX, folder: Path) -> Data:
    """Read images and labels, for training and test."""
    path = there(data_set.path, folder)
    arrays = {name: _idx(path, file, rank, data_set.path) for name, (file, rank) in IDX_FILES.items()}
    return from_arrays(arrays, ("label",), data_set.path)


def _idx(path: Path, name: str, rank: int, folder: str) -> Array:
    """Bytes of ``rank`` dimensions, after a header that says how many there are."""
    packed = path / f"{name}.gz"
    if not packed.exists() and not (path / name).exists():
        raise DataFault(f"{folder} has neither {name} nor {packed.name}")
    own = packed if packed.exists() else path / name
    shown = f"{folder}/{own.name}"
    with opened(own, shown) as file, decoding(shown):
        if own == packed:
            with gzip.open(file) as unpacked:
                return _idx_bytes(unpacked, rank, shown)
        return _idx_bytes(file, rank, shown)


def _idx_bytes(file: IO[bytes] | gzip.GzipFile, rank: int, shown: str) -> Array:
    head = file.read(4 + 4 * rank)
    if head[:4] != bytes([0, 0, 8, rank]) or len(head) < 4 + 4 * rank:
        raise DataFault(f"{shown} does not begin as a file of bytes in {rank} dimensions (0, 0, 8, {rank})")
    shape = [int(size) for size in np.frombuffer(head, ">u4", offset=4)]
    size = math.prod(shape)
    says = f"its header says {'×'.join(map(str, shape))}, {size:,} bytes"
    most = free_memory() // 2
    body = _at_most(file, min(size + 1, most))
    if most <= len(body) < size:
        raise DataFault(f"{shown} does not fit in memory: {says}")
    if len(body) != size:
        raise DataFault(f"{shown} {f'ends after {len(body):,} bytes' if len(body) < size else 'goes on'}, but {says}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _at_most(file: IO[bytes] | gzip.GzipFile, size: int) -> bytearray:
    """Return the next ``size`` bytes of a file, or as many as there are; memory is allocated only for those."""
    content = bytearray()
    while len(content) < size and (part := file.read(min(size - len(content), AT_ONCE))):
        content += part
    return content


def read_cifar(data_set: CIFAR, folder: Path) -> Data:
    """Images and labels; of CIFAR-100 the fine labels."""
    path = there(data_set.path, folder)
    ten = data_set.classes == 10
    train = [f"data_batch_{number}.bin" for number in range(1, 6)] if ten else ["train.bin"]
    test, names = ("test_batch.bin", "batches.meta.txt") if ten else ("test.bin", "fine_label_names.txt")
    arrays: dict[str, Array] = {}
    for part, files in {"train": train, "test": [test]}.items():
        images, labels = _cifar(path, files, data_set)
        arrays |= {f"image_{part}": images, f"label_{part}": labels}
    words = _read(path / names, f"{data_set.path}/{names}").split() if (path / names).exists() else []
    meanings = {"label": tuple(words)} if len(words) == data_set.classes else {}
    return from_arrays(arrays, ("label",), data_set.path, meanings)


def _cifar(path: Path, files: Sequence[str], data_set: CIFAR) -> tuple[Array, Array]:
    """The records of files: a label, or a coarse one and a fine one, then red, green and blue, row by row."""
    before = 1 if data_set.classes == 10 else 2
    record = before + 3 * 32 * 32
    found = []
    for name in files:
        shown = f"{data_set.path}/{name}"
        if not (path / name).exists():
            help = "it is a part of the binary version; `classes: 100` is for CIFAR-100"
            raise DataFault(f"there is no {shown}", help)
        with opened(path / name, shown) as file, decoding(shown):
            content = np.fromfile(file, np.uint8)
        if not len(content) or len(content) % record:
            raise DataFault(f"{shown} has {len(content):,} bytes, which is no whole number of images ({record:,} each)")
        records = content.reshape(-1, record)
        wrong = np.flatnonzero(records[:, before - 1] >= data_set.classes)
        if len(wrong):
            label = records[wrong[0], before - 1]
            raise DataFault(f"{shown}, image {wrong[0] + 1}: its label is {label}, but there are {data_set.classes}")
        found.append(records)
    records = np.concatenate(found)
    return records[:, before:].reshape(-1, 3, 32, 32), records[:, before - 1]


def _read(path: Path, name: str) -> str:
    with opened(path, name) as file, decoding(name):
        return decoded(file.read(), name)
