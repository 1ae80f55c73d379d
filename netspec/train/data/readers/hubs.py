"""Reads data sets that other packages keep: Hugging Face's datasets, and torchvision."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netspec.diagnostics import EnvironmentFault
from netspec.ops.core.arguments import spread
from netspec.recipes.data.files import HuggingFace, Torchvision
from netspec.runtime.vision import import_torchvision
from netspec.text.quoting import visible
from netspec.train.data.arrays import Array, from_arrays
from netspec.train.data.base import Data, DataFault
from netspec.train.data.paths import decoding, kind_of, package, reason, there
from netspec.train.data.readers.decoder import Decoder, alike

HARMLESS = ("arrow", "csv", "imagefolder", "json", "parquet", "text")
"""Readers of the package datasets. That of ``.pkl`` files calls whatever they name, and a script is one."""

RUNS_CODE = {".pkl", ".pickle", ".py"}
"""Files that some versions of `datasets` unpickle, or import."""


def read_hugging_face(data_set: HuggingFace, folder: Path) -> Data:
    """Read the splits `train`, `validation` and `test`: their columns of numbers, classes and images."""
    datasets = package("datasets", "datasets", data_set.name)
    local = folder / data_set.path
    if os.path.lexists(local):
        there(data_set.path, folder)
        guard_plain_files(local, data_set.path)
    with decoding(data_set.path):
        builder = datasets.load_dataset_builder(str(local) if local.exists() else data_set.path, data_set.configuration)
        guard_format(type(builder).__module__, data_set)
        builder.download_and_prepare()
        splits = builder.as_dataset()
    if "train" not in splits:
        raise DataFault(f"{data_set.path} has no split `train`", f"its splits are {', '.join(splits)}")
    features = splits["train"].features
    used = {name: feature for name, feature in features.items() if _usable(feature)}
    for target in data_set.targets:
        if target not in used:
            names = ", ".join(f"`{name}`" for name in used)
            raise DataFault(f"{data_set.path} has no column `{target}` of numbers or classes", f"there are {names}")
    arrays: dict[str, Array] = {}
    for part in ("train", "validation", "test"):
        if part in splits:
            arrays |= {f"{name}_{part}": _column(splits[part], name, data_set) for name in used}
    words = {name: tuple(feature.names) for name, feature in used.items() if hasattr(feature, "names")}
    return from_arrays(arrays, data_set.targets, data_set.path, words)


def guard_plain_files(folder: Path, name: str) -> None:
    """Guard: a folder holds regular files alone, and none that runs code when it is read."""
    if not folder.is_dir():
        raise DataFault(f"{visible(name)} is {kind_of(folder.stat().st_mode)}, but a folder is expected")
    for above, _, files in os.walk(folder, followlinks=False):
        for each in files:
            path = Path(above, each)
            called = f"{name}/{visible(str(path.relative_to(folder)))}"
            if path.suffix.lower() in RUNS_CODE:
                message = f"{called} may run code when it is read"
                raise DataFault(message, "save the rows as Parquet, CSV or JSON, and take it out of the folder")
            try:
                mode = path.stat().st_mode
            except OSError as fault:
                raise DataFault(f"{called} cannot be read: {reason(fault)}") from None
            if not stat.S_ISREG(mode):
                raise DataFault(f"{called} is {kind_of(mode)}, but a file is expected")


def guard_format(module: str, data_set: HuggingFace) -> None:
    """Guard: the reader of the files, defined in ``module``, runs no code that they hold."""
    kind = module.rpartition(".")[2]
    if not module.startswith("datasets.packaged_modules.") or kind not in HARMLESS:
        raise DataFault(
            f"{data_set.path} is read by `{kind}`, which may run what the files hold",
            f"files of numbers and images are read: {', '.join(HARMLESS)}",
        )


def _usable(feature: Any) -> bool:
    kind = type(feature).__name__
    dtype = str(getattr(feature, "dtype", ""))
    return kind in ("ClassLabel", "Image") or (kind == "Value" and dtype.startswith(("int", "uint", "float", "bool")))


def _column(split: Any, name: str, data_set: HuggingFace) -> Array:
    """Return a column of one split. Raises ``DataFault`` for missing values, and for images that differ in size."""
    values = split[name]
    if type(split.features[name]).__name__ != "Image":
        missing = next((row for row, value in enumerate(values, 1) if value is None), None)
        if missing is not None:
            raise DataFault(f"{data_set.path}, row {missing}: `{name}` is empty, but a number is expected")
        return np.asarray(values)
    size = None if data_set.size is None else spread(data_set.size, 2)
    package("PIL.Image", "pillow", data_set.name)
    decoder = Decoder(Path(), data_set.grey, None if size is None else (size[0], size[1]), data_set.background)
    with decoding(data_set.path):
        images = [
            decoder.converted(image, f"{data_set.path}, row {row} of `{name}`") for row, image in enumerate(values, 1)
        ]
    for row, image in enumerate(images, 1):
        if image.shape != images[0].shape:
            sizes = " and ".join(f"{each.shape[1]}×{each.shape[2]}" for each in (images[0], image))
            message = f"{data_set.path}: rows 1 and {row} of `{name}` are {sizes}"
            raise DataFault(message, f"`size: [{images[0].shape[1]}, {images[0].shape[2]}]` makes all of them equal")
    return np.stack(alike(images))


def read_torchvision(data_set: Torchvision, folder: Path) -> Data:
    """Read images and labels. torchvision compares the files of CIFAR with checksums before it unpickles them."""
    import_torchvision()
    kind = getattr(package("torchvision.datasets", "torchvision", data_set.name), data_set.of)
    arrays: dict[str, Array] = {}
    words: Mapping[str, tuple[str, ...]] = {}
    if hasattr(kind, "_check_legacy_exist"):  # the files of an old torchvision, which are unpickled
        kind = type(kind.__name__, (kind,), {"_check_legacy_exist": lambda _: False})
    for part in ("train", "test"):
        try:
            data = kind(str(folder / data_set.root), train=part == "train", download=data_set.download)
        except RuntimeError as fault:
            raise DataFault(f"{data_set.root} has no {data_set.of}: {_first_line(fault)}", _way_to(data_set)) from None
        except OSError as fault:  # no network
            told = f"{data_set.of} cannot be fetched: {fault}; without a network, {_way_to(data_set)}"
            raise EnvironmentFault(told) from None
        images = np.asarray(data.data)
        arrays[f"image_{part}"] = images if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        arrays[f"label_{part}"] = np.asarray(data.targets)
        words = {"label": tuple(data.classes)}
    return from_arrays(arrays, ("label",), data_set.root, words)


def _first_line(fault: RuntimeError) -> str:
    return str(fault).splitlines()[0].rstrip(":")


def _way_to(data_set: Torchvision) -> str:
    """Return how a data set gets into its folder."""
    of, root = data_set.of, data_set.root
    files = {
        "CIFAR10": f"the folder `cifar-10-batches-py` in `{root}`",
        "CIFAR100": f"the folder `cifar-100-python` in `{root}`",
    }.get(of, f"its four files, `train-images-idx3-ubyte` and so on, in `{root}/{of}/raw`")
    return f"{'' if data_set.download else '`download: true` fetches it; or '}put {files}"
