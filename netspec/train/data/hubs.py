"""Reads data sets that other packages keep: Hugging Face's datasets, and torchvision."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from netspec.diagnostics import EnvironmentFault
from netspec.ops.arguments import spread
from netspec.recipes.data_files import HuggingFace, Torchvision
from netspec.train.data.arrays import Array, from_arrays
from netspec.train.data.base import Data, DataFault
from netspec.train.data.images import Decoder
from netspec.train.data.paths import package
from netspec.train.names import import_torchvision

HARMLESS = ("arrow", "csv", "imagefolder", "json", "parquet", "text")
"""Readers of the package datasets. That of ``.pkl`` files calls whatever they name, and a script is one."""


def read_hugging_face(data_set: HuggingFace, folder: Path) -> Data:
    """Its splits `train`, `validation` and `test`, with the columns that are numbers, classes or images."""
    datasets = package("datasets", "datasets", data_set.name)
    local = folder / data_set.path
    try:
        builder = datasets.load_dataset_builder(str(local) if local.exists() else data_set.path, data_set.configuration)
        guard_format(type(builder).__module__, data_set)
        builder.download_and_prepare()
        splits = builder.as_dataset()
    except (OSError, ValueError, RuntimeError, datasets.exceptions.DatasetsError) as found:
        raise DataFault(f"{data_set.path} cannot be loaded: {str(found).splitlines()[0]}") from None
    if "train" not in splits:
        raise DataFault(f"{data_set.path} has no split `train`", f"its splits are {', '.join(splits)}")
    features = splits["train"].features
    used = {name: feature for name, feature in features.items() if _usable(feature)}
    if data_set.target not in used:
        names = ", ".join(f"`{name}`" for name in used)
        raise DataFault(
            f"{data_set.path} has no column `{data_set.target}` of numbers or classes", f"there are {names}"
        )
    arrays: dict[str, Array] = {}
    for part in ("train", "validation", "test"):
        if part in splits:
            arrays |= {f"{name}_{part}": _column(splits[part], name, data_set) for name in used}
    words = {name: tuple(feature.names) for name, feature in used.items() if hasattr(feature, "names")}
    return from_arrays(arrays, data_set.target, data_set.path, words)


def guard_format(module: str, data_set: HuggingFace) -> None:
    """Guard: what reads the files runs nothing that they hold. ``module`` is where the reader is defined."""
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
    """A column of one split. Raises ``DataFault`` for what is missing, and for images that differ in size."""
    values = split[name]
    if type(split.features[name]).__name__ != "Image":
        return np.asarray(values)
    size = None if data_set.size is None else spread(data_set.size, 2)
    package("PIL.Image", "pillow", data_set.name)
    decoder = Decoder(Path(), data_set.grey, None if size is None else (size[0], size[1]))
    images = [decoder.converted(image) for image in values]
    for row, image in enumerate(images):
        if image.shape != images[0].shape:
            sizes = " and ".join(f"{each.shape[1]}×{each.shape[2]}" for each in (images[0], image))
            message = f"{data_set.path}: rows 0 and {row} of `{name}` are {sizes}"
            raise DataFault(message, f"`size: [{images[0].shape[1]}, {images[0].shape[2]}]` makes all of them equal")
    return np.stack(images)


def read_torchvision(data_set: Torchvision, folder: Path) -> Data:
    """Its images and labels. torchvision checks the files of CIFAR against their checksums before it unpickles them."""
    import_torchvision()
    kind = getattr(package("torchvision.datasets", "torchvision", data_set.name), data_set.of)
    arrays: dict[str, Array] = {}
    words: Mapping[str, tuple[str, ...]] = {}
    if hasattr(kind, "_check_legacy_exist"):  # the files of an old torchvision, which are unpickled
        kind = type(kind.__name__, (kind,), {"_check_legacy_exist": lambda _: False})
    for part in ("train", "test"):
        try:
            found = kind(str(folder / data_set.root), train=part == "train", download=data_set.download)
        except RuntimeError as fault:
            help = "`download: true` fetches it" if not data_set.download else None
            raise DataFault(f"{data_set.root} has no {data_set.of}: {str(fault).splitlines()[0]}", help) from None
        except OSError as fault:  # no network
            raise EnvironmentFault(f"{data_set.of} cannot be fetched: {fault}") from None
        images = np.asarray(found.data)
        arrays[f"image_{part}"] = images if images.ndim == 3 else images.transpose(0, 3, 1, 2)
        arrays[f"label_{part}"] = np.asarray(found.targets)
        words = {"label": tuple(found.classes)}
    return from_arrays(arrays, "label", data_set.root, words)
