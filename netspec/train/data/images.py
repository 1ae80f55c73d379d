"""Reads folders of images, one for each class."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from netspec.ops.arguments import spread
from netspec.recipes import Column
from netspec.recipes.data_files import Images
from netspec.train.data.arrays import Array
from netspec.train.data.base import Data, DataFault, Rows, TensorRows
from netspec.train.data.meaning import Meaning, listed
from netspec.train.data.paths import package, there

IN_MEMORY = 2**30
"""Bytes of images that are kept in memory; where there are more, all are read as they are needed."""

MOST_LOOKED_AT = 10_000

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
FOLDERS = {"train": ("train",), "validation": ("val", "validation", "valid"), "test": ("test",)}


@dataclass(frozen=True, slots=True)
class Decoder:
    """How a file becomes an image: uint8, [1 or 3, height, width]. ``folder`` is what names in messages start at."""

    folder: Path
    grey: bool
    size: tuple[int, int] | None

    @property
    def pillow(self) -> Any:
        """The module, which cannot be sent to another process."""
        return import_module("PIL.Image")

    def sides(self, file: Path) -> tuple[int, int]:
        """Height and width, from the file's header alone where no size is asked for. Raises ``DataFault``."""
        if self.size is not None:
            return self.size
        try:
            with self.pillow.open(file) as image:
                return image.height, image.width
        except self._faults() as found:
            raise self._fault(file, found) from None

    def __call__(self, file: Path) -> Array:
        """The image. Raises ``DataFault`` where it cannot be read."""
        try:
            with self.pillow.open(file) as image:
                return self.converted(image)
        except self._faults() as found:
            raise self._fault(file, found) from None

    def converted(self, image: Any) -> Array:
        """An image that is open."""
        image = image.convert("L" if self.grey else "RGB")
        if self.size is not None:
            image = image.resize(self.size[::-1], self.pillow.Resampling.BILINEAR)
        array = np.array(image, np.uint8)
        return array[None] if self.grey else np.ascontiguousarray(array.transpose(2, 0, 1))

    def _faults(self) -> tuple[type[Exception], ...]:
        """What Pillow raises for a file that is no image, is cut off, or is of monstrous size."""
        bombs = (self.pillow.DecompressionBombError, self.pillow.DecompressionBombWarning)
        return (OSError, SyntaxError, ValueError, *bombs)

    def _fault(self, file: Path, found: Exception) -> DataFault:
        unknown = "cannot identify" in str(found)
        why = "it is no image" if unknown else str(found).splitlines()[0]
        return DataFault(f"{shown(file, self.folder)} cannot be read: {why}")


@dataclass(frozen=True, slots=True)
class ImageRows:
    """Rows whose images are read from their files as they are taken, several at once."""

    files: Sequence[Path]
    labels: Tensor
    decoder: Decoder

    def __len__(self) -> int:
        return len(self.files)

    def take(self, index: Tensor) -> dict[str, Tensor]:
        files = [self.files[number] for number in index.tolist()]
        with ThreadPoolExecutor(1 if get_worker_info() else os.cpu_count()) as pool:
            images = list(pool.map(self.decoder, files))
        return {"image": torch.from_numpy(np.stack(images)), "label": self.labels[index]}

    def digest(self) -> str:
        """A digest of the files' names, sizes and classes; of very many, every so manyth is looked at."""
        made = hashlib.sha256(self.labels.numpy().data)
        every = -(-len(self.files) // MOST_LOOKED_AT) or 1
        for number, file in enumerate(self.files):
            size = file.stat().st_size if number % every == 0 else ""
            made.update(f"{shown(file, self.decoder.folder)} {size}\n".encode())
        return made.hexdigest()


def read(data_set: Images, folder: Path, known: Meaning | None = None) -> Data:
    """`image` [1 or 3, height, width] and `label`, the classes in the order of their names, or as ``known``."""
    package("PIL.Image", "pillow", data_set.name)
    root = there(data_set.path, folder)
    if not root.is_dir():
        raise DataFault(f"{data_set.path} is a file, but a folder is wanted")
    size = None if data_set.size is None else spread(data_set.size, 2)
    decoder = Decoder(folder, data_set.grey, None if size is None else (size[0], size[1]))
    parts = _parts(root)
    trained = None if known is None else known.target_classes()
    words = trained or tuple(_classes(parts["train"], folder))
    found = {part: _files(place, words, folder, trained) for part, place in parts.items()}
    height, width = _sides(decoder, [file for files, _ in found.values() for file in files])
    rows: dict[str, Rows] = {}
    for part, (files, labels) in found.items():
        lazy = ImageRows(files, labels, decoder)
        fits = len(files) * height * width * (1 if data_set.grey else 3) <= IN_MEMORY
        rows[part] = TensorRows(lazy.take(torch.arange(len(files)))) if fits else lazy
    columns = {
        "image": Column((1 if data_set.grey else 3, height, width)),
        "label": Column((), "int64", len(words), target=True),
    }
    return Data(columns, rows["train"], rows.get("validation"), rows.get("test"), {"label": words})


def _parts(root: Path) -> Mapping[str, Path]:
    """The folders of the parts; without one for training, the whole folder is for it."""
    found = {part: root / name for part, names in FOLDERS.items() for name in names if (root / name).is_dir()}
    return found if "train" in found else {"train": root}


def _classes(place: Path, folder: Path) -> list[str]:
    names = sorted(each.name for each in place.iterdir() if each.is_dir() and not each.name.startswith("."))
    if not names:
        raise DataFault(f"{shown(place, folder)} has no folders", "each class has a folder of its images")
    return names


def _files(place: Path, words: Sequence[str], folder: Path, trained: Sequence[str] | None) -> tuple[list[Path], Tensor]:
    """The images of a part and their classes. Raises ``DataFault`` for a class without images, or without training."""
    files: list[Path] = []
    labels: list[int] = []
    for name in _classes(place, folder):
        if name not in words:
            what = f"{shown(place / name, folder)} is a class"
            if trained is not None:
                raise DataFault(f"{what} that the network was not trained on", f"it knows {listed(trained)}")
            raise DataFault(f"{what} of which there are no training images")
        own = sorted(each for each in (place / name).rglob("*") if each.suffix.lower() in ENDINGS)
        if not own:
            raise DataFault(f"{shown(place / name, folder)} has no images")
        files += own
        labels += [words.index(name)] * len(own)
    return files, torch.tensor(labels)


def shown(path: Path, folder: Path) -> str:
    """A path as the spec would write it."""
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def _sides(decoder: Decoder, files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of all images. Raises ``DataFault`` where they differ."""
    first = decoder.sides(files[0])
    for file in files if decoder.size is None else ():
        own = decoder.sides(file)
        if own != first:
            names = [shown(each, decoder.folder) for each in (file, files[0])]
            message = f"{names[0]} is {own[0]}×{own[1]}, but {names[1]} is {first[0]}×{first[1]}"
            raise DataFault(message, f"`size: [{first[0]}, {first[1]}]` makes all of them equal")
    return first
