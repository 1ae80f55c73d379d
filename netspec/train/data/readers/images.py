"""Reads folders of images, one for each class."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from netspec.ops.core.arguments import spread
from netspec.recipes import Column
from netspec.recipes.data.files import Images
from netspec.text.quoting import visible
from netspec.train.data.base import Data, DataFault, Rows, TensorRows
from netspec.train.data.meaning import Meaning, listed
from netspec.train.data.paths import package, there
from netspec.train.data.readers.class_folders import class_folders, images_in, left_out, part_folders
from netspec.train.data.readers.decoder import Decoder, alike, shown
from netspec.train.data.readers.transparency import told

Made = TypeVar("Made")
IN_MEMORY = 2**30
"""Bytes of images that are kept in memory; where there are more, all are read as they are needed."""

MOST_LOOKED_AT = 10_000


@dataclass(frozen=True, slots=True)
class ImageRows:
    """Rows whose images are read from their files when they are taken, several at once."""

    files: Sequence[Path]
    labels: Tensor
    decoder: Decoder

    def __len__(self) -> int:
        return len(self.files)

    def column(self, name: str) -> Tensor | None:
        """The labels, which are known before an image is read."""
        return self.labels if name == "label" else None

    def take(self, index: Tensor) -> dict[str, Tensor]:
        """Return `image`, [n, C, H, W], and `label`, [n], of these rows. Raises ``DataFault``."""
        files = [self.files[number] for number in index.tolist()]
        with ThreadPoolExecutor(1 if get_worker_info() else os.cpu_count()) as pool:
            images = _sound(files, list(pool.map(partial(_tried, self.decoder), files)), self.decoder)
        for file, image in zip(files, images):
            if image.shape != images[0].shape:
                raise self.decoder.unequal(file, image.shape[1:], files[0], images[0].shape[1:])
        return {"image": torch.from_numpy(np.stack(alike(images))), "label": self.labels[index]}

    def digest(self) -> str:
        """Return a digest of the files' names, sizes and classes; of very many files, of evenly spaced ones."""
        sha256 = hashlib.sha256(self.labels.numpy().data)
        every = -(-len(self.files) // MOST_LOOKED_AT) or 1
        for number, file in enumerate(self.files):
            size = file.stat().st_size if number % every == 0 else ""
            sha256.update(f"{shown(file, self.decoder.folder)} {size}\n".encode())
        return sha256.hexdigest()


def read(data_set: Images, folder: Path, known: Meaning | None = None) -> Data:
    """Read `image` [1 or 3, height, width] and `label`, the classes in the order of their names, or as ``known``."""
    package("PIL.Image", "pillow", data_set.name)
    root = there(data_set.path, folder)
    if not root.is_dir():
        raise DataFault(f"{visible(data_set.path)} is a file, but a folder is expected")
    size = None if data_set.size is None else spread(data_set.size, 2)
    decoder = Decoder(folder, data_set.grey, None if size is None else (size[0], size[1]), data_set.background)
    parts = part_folders(root, folder)
    trained = None if known is None else known.target_classes()
    words = trained or tuple(class_folders(parts["train"], folder))
    foreign: Counter[str] = Counter()
    files_of = {part: _files(root_of_part, words, folder, trained, foreign) for part, root_of_part in parts.items()}
    height, width = _sides(decoder, [file for files, _ in files_of.values() for file in files])
    each = decoder(files_of["train"][0][0]).nbytes
    rows: dict[str, Rows] = {}
    for part, (files, labels) in files_of.items():
        lazy = ImageRows(files, labels, decoder)
        fits = len(files) * each <= IN_MEMORY
        rows[part] = TensorRows(lazy.take(torch.arange(len(files)))) if fits else lazy
    columns = {
        "image": Column((1 if data_set.grey else 3, height, width)),
        "label": Column((), "int64", len(words), target=True),
    }
    names = {part: tuple(shown(file, folder) for file in files) for part, (files, _) in files_of.items()}
    given = (rows["train"], rows.get("validation"), rows.get("test"))
    note = _transparency(decoder, [file for files, _ in files_of.values() for file in files])
    notes = () if note is None else (note,)
    cautions = (*filter(None, [left_out(foreign)]),)
    return Data(columns, *given, {"label": words}, file=data_set.path, notes=notes, cautions=cautions, files=names)


def _tried(read: Callable[[Path], Made], file: Path) -> Made | DataFault:
    """Return what is read of a file, or its fault."""
    try:
        return read(file)
    except DataFault as fault:
        return fault


def _sound(files: Sequence[Path], tried: Sequence[Made | DataFault], decoder: Decoder) -> list[Made]:
    """Return what was read of files. Raises the fault of the first that cannot be read, which names the others."""
    faults = {file: each for file, each in zip(files, tried) if isinstance(each, DataFault)}
    if not faults:
        return [each for each in tried if not isinstance(each, DataFault)]
    first, *others = faults.values()
    if not others:
        raise DataFault(first.message, first.help or "take it out, or save it anew")
    names = listed([shown(file, decoder.folder) for file in [*faults][1:]])
    told = f"{first.message}; {len(others)} more cannot be read, {names}"
    raise DataFault(told, first.help or "take them out, or save them anew")


def _transparency(decoder: Decoder, files: Sequence[Path]) -> str | None:
    """Return what is said of transparent images; of very many files, of evenly spaced ones."""
    some = files[:: -(-len(files) // MOST_LOOKED_AT) or 1]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return told(sum(pool.map(decoder.is_transparent, some)), len(some), len(files), decoder.background)


def _files(
    root: Path, words: Sequence[str], folder: Path, trained: Sequence[str] | None, foreign: Counter[str]
) -> tuple[list[Path], Tensor]:
    """Return the images of a part and their classes; ``foreign`` counts those in formats that are not read. Raises
    ``DataFault`` for a class without images, or without training.
    """
    files: list[Path] = []
    labels: list[int] = []
    numbers: Mapping[str, int] = {word: number for number, word in enumerate(words)}
    for name in class_folders(root, folder):
        if name not in numbers:
            what = f"{shown(root / name, folder)} is a class"
            if trained is not None:
                raise DataFault(f"{what} that the network was not trained on", f"it knows {listed(trained)}")
            raise DataFault(f"{what} of which there are no training images")
        own = images_in(root / name, folder, foreign, "take the folder out, or put images into it")
        files += own
        labels += [numbers[name]] * len(own)
    return files, torch.tensor(labels)


def _sides(decoder: Decoder, files: Sequence[Path]) -> tuple[int, int]:
    """Return height and width of all images. Raises ``DataFault`` if they differ."""
    some = files if decoder.size is None else files[:1]
    first, *others = _sound(some, [_tried(decoder.sides, file) for file in some], decoder)
    for file, own in zip(some[1:], others):
        if own != first:
            raise decoder.unequal(file, own, files[0], first)
    return first
