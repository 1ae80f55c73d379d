"""Reads NumPy's own files, `.npy` and `.npz`. A header is compared with its file before memory is allocated."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from netspec.recipes.data.files import NPZ
from netspec.text.quoting import visible
from netspec.train.data.arrays import Array, from_arrays, parts_of
from netspec.train.data.base import Data, DataFault
from netspec.train.data.paths import decoding, guard_memory, opened, there

Check = Callable[[Mapping[str, Array]], object]
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""Version 3 differs in the names of fields alone, and arrays with fields are not read."""
ZIP = b"PK\x03\x04"
OBJECTS = "it holds Python objects, which might run code when they are read"


def read_npz(data_set: NPZ, folder: Path) -> Data:
    """Read the arrays of an `.npz` file, or of a folder of `.npy` files; no code in them is run."""
    path, name = there(data_set.path, folder), visible(data_set.path)
    if path.is_dir():
        files = sorted(file for file in path.glob("*.npy") if not file.name.startswith("."))
        if not files:
            raise DataFault(f"{name} has no .npy files")
        arrays = {file.stem: npy(file, f"{name}/{visible(file.name)}") for file in files}
        return from_arrays(arrays, data_set.targets, name)
    content = arrays_of(path, name, lambda arrays: parts_of(arrays, data_set.targets, name))
    if not isinstance(content, dict):
        raise DataFault(f"{name} is one array", "give the folder of the .npy files")
    return from_arrays(content, data_set.targets, name)


def arrays_of(path: Path, name: str, check: Check | None = None) -> dict[str, Array] | Array:
    """Return the arrays of an `.npz` file by their names, or the one of an `.npy` file. Raises ``DataFault``.

    ``check`` is called with arrays of the same dtypes and shapes, before any of an archive is unpacked.
    """
    with opened(path, name) as file, decoding(name):
        begin = file.read(len(ZIP))
        file.seek(0)
        if begin == np.lib.format.MAGIC_PREFIX[: len(ZIP)]:
            return _array(file, _size(file), name)
        if begin[:1] == b"\x80":  # how pickles begin
            raise DataFault(f"{name} cannot be read: {OBJECTS}")
        if begin[:2] != ZIP[:2]:
            raise DataFault(f"{name} cannot be read: it holds no NumPy arrays")
        with zipfile.ZipFile(file) as archive:
            return _members(archive, name, check)


def npy(path: Path, name: str) -> Array:
    """Return the array of an `.npy` file. Raises ``DataFault``."""
    with opened(path, name) as file, decoding(name):
        return _array(file, _size(file), name)


def _members(archive: zipfile.ZipFile, name: str, check: Check | None) -> dict[str, Array]:
    """Return the arrays of an archive. Memory is checked by its sizes: no member unpacks to more than it says."""
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        own = member.filename.removesuffix(".npy")
        if own in members:
            raise DataFault(f"{name} has two arrays `{visible(own)}`")
        if own != member.filename:
            members[own] = member
    guard_memory(sum(member.file_size for member in members.values()), f"{name}, unpacked,")
    called = {own: f"`{visible(own)}` in {name}" for own in members}
    if check is not None:
        hollow = {}
        for own, member in members.items():
            with archive.open(member) as file:
                shape, dtype = _header(file, member.file_size, called[own])
                hollow[own] = np.broadcast_to(np.zeros((), dtype), shape)
        check(hollow)
    arrays = {}
    for own, member in members.items():
        with archive.open(member) as file:
            arrays[own] = _array(file, member.file_size, called[own])
    return arrays


def _array(file: IO[bytes], size: int, name: str) -> Array:
    """Return the array that begins here, in a file of ``size`` bytes."""
    _header(file, size, name)
    with decoding(name):
        file.seek(0)
        array: Any = np.lib.format.read_array(file, allow_pickle=False)
    return np.asarray(array)


def _header(file: IO[bytes], size: int, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape and dtype of the array that begins here. Raises ``DataFault`` if the file cannot hold it."""
    with decoding(name):
        read_header = HEADERS.get(np.lib.format.read_magic(file))
        if read_header is None:
            raise DataFault(f"{name} is of a version of NumPy's format for arrays with named fields")
        shape, _, dtype = read_header(file)
        if dtype.hasobject:
            raise DataFault(f"{name} cannot be read: {OBJECTS}")
        if any(isinstance(side, bool) or not 0 <= side < 2**63 for side in shape):
            raise DataFault(f"{name} says in its header that its shape is {list(shape)}")
        needed, there_are = math.prod(shape) * dtype.itemsize, size - file.tell()
        if needed > there_are:
            size_told = f"{'×'.join(map(str, shape))} of {dtype}, {needed:,} bytes"
            raise DataFault(f"{name} ends after {there_are:,} bytes, but its header says {size_told}")
        guard_memory(needed, name)
        return shape, dtype


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size
