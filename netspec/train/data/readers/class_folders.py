"""Finds the images in folders: which folder is for what part of the data, or for which class."""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

from netspec.text.quoting import visible
from netspec.train.data.base import DataFault
from netspec.train.data.paths import kind_of, reason
from netspec.train.data.readers.decoder import CONVERT, ENDINGS, FOREIGN, shown

PARTS = {
    "train": {"train", "training"},
    "validation": {"val", "valid", "validation", "dev"},
    "test": {"test", "testing"},
}
"""The usual names of the folders of the parts: also as `Train`, `train_set`, `trainset`, `seg_train`, `train2017`."""
LEFT_BEHIND = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found")
"""Folders that other programs leave among the user's, and that do not begin with a dot."""


def part_folders(root: Path, folder: Path) -> Mapping[str, Path]:
    """The folders of the parts; where there are none, the whole folder is for training.

    Folders that are called like parts are such where they hold folders, or where no others are beside them. Raises
    ``DataFault`` where there is none for training, or more than one for a part.
    """
    folders = {place.name: part_of(place.name) for place in _folders(root, folder)}
    named = {name: part for name, part in folders.items() if part is not None}
    if not any(_holds_classes(root / name, folder) for name in named) and len(named) < len(folders):
        return {"train": root}
    if not named:
        return {"train": root}
    parts: dict[str, Path] = {}
    for name, part in named.items():
        if part in parts:
            both = f"`{visible(parts[part].name)}` and `{visible(name)}`"
            raise DataFault(f"{shown(root, folder)} has two folders for {part}, {both}", "leave one of them out")
        parts[part] = root / name
    if "train" not in parts:
        help = "call it `train`, or give the folder of the classes itself as the path"
        listed = " and ".join(f"`{visible(name)}`" for name in named)
        raise DataFault(f"{shown(root, folder)} has {listed}, but no folder for training", help)
    return parts


def part_of(name: str) -> str | None:
    """The part that a folder of this name is for."""
    words = {re.sub("(set|data|images?|split)$", "", word) for word in re.findall("[a-z]+", name.lower())}
    parts = [part for part, names in PARTS.items() if names & words]
    return parts[0] if len(parts) == 1 else None


def class_folders(root: Path, folder: Path) -> list[str]:
    """The names of the classes of a part. Raises ``DataFault`` where there are none."""
    names = sorted(each.name for each in _folders(root, folder))
    if not names:
        raise DataFault(f"{shown(root, folder)} has no folders", "each class has a folder of its images")
    for name in names:
        if name != visible(name):
            help = "the folder is the name of a class"
            raise DataFault(f"{shown(root / name, folder)} has marks in its name that cannot be shown", help)
    if len(names) == 1 and _holds_classes(root / names[0], folder):
        inside = shown(root / names[0], folder)
        raise DataFault(f"{shown(root, folder)} has one folder, which holds folders alone", f"the path is `{inside}`")
    return names


def images_in(root: Path, folder: Path, foreign: Counter[str], help: str | None = None) -> list[Path]:
    """The images of a class, those in folders inside it too, in the order of their paths; images in formats that are
    not read are counted in ``foreign``, by their endings. Raises ``DataFault``, with the repair ``help`` where there
    are none.
    """
    own: Counter[str] = Counter()
    images = sorted(_images(root, folder, (), own))
    foreign.update(own)
    if not images and own:
        only = f"images in formats that are not read alone, {_endings(own)}"
        raise DataFault(f"{shown(root, folder)} has {only}", CONVERT)
    if not images:
        raise DataFault(f"{shown(root, folder)} has no images", help)
    return images


def left_out(foreign: Counter[str]) -> str | None:
    """Return the warning of images in formats that are not read; ``None`` if there are none."""
    if not foreign:
        return None
    what = "1 image is" if foreign.total() == 1 else f"{foreign.total():,} images are"
    return f"{what} left out, in formats that are not read, {_endings(foreign)}: {CONVERT}"


def _endings(foreign: Counter[str]) -> str:
    return ", ".join(f"{ending} ({count:,})" for ending, count in foreign.most_common())


def _images(root: Path, folder: Path, above: tuple[tuple[int, int], ...], foreign: Counter[str]) -> Iterator[Path]:
    here = root.stat()
    own = (here.st_dev, here.st_ino)
    if own in above:
        raise DataFault(f"{shown(root, folder)} is a link to a folder that it is in")
    for path, mode in _entries(root, folder):
        if stat.S_ISDIR(mode):
            yield from _images(path, folder, (*above, own), foreign)
        elif path.suffix.lower() in FOREIGN:
            foreign[path.suffix.lower()] += 1
        elif path.suffix.lower() in ENDINGS:
            if not stat.S_ISREG(mode):
                raise DataFault(f"{shown(path, folder)} is {kind_of(mode)}, but an image is expected")
            yield path


def _folders(root: Path, folder: Path) -> list[Path]:
    return [path for path, mode in _entries(root, folder) if stat.S_ISDIR(mode)]


def _holds_classes(root: Path, folder: Path) -> bool:
    """Return whether a folder holds folders, and no images beside them."""
    entries = _entries(root, folder)
    images = any(path.suffix.lower() in ENDINGS for path, mode in entries if not stat.S_ISDIR(mode))
    return not images and any(stat.S_ISDIR(mode) for _, mode in entries)


def _entries(root: Path, folder: Path) -> list[tuple[Path, int]]:
    """Return the entries of a folder with their modes, without hidden and left-over files. Links count as their
    targets.
    """
    kinds = []
    try:
        with os.scandir(root) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name in LEFT_BEHIND:
                    continue
                kinds.append((root / entry.name, _mode(entry, folder)))
    except OSError as fault:
        raise DataFault(f"{shown(root, folder)} cannot be read: {reason(fault)}") from None
    return kinds


def _mode(entry: os.DirEntry[str], folder: Path) -> int:
    """Return the mode of an entry, without asking the disk if it is a plain file or folder."""
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return entry.stat().st_mode
    except OSError as fault:
        if Path(entry.name).suffix.lower() not in ENDINGS and "." in entry.name:
            return stat.S_IFREG  # it would not be read
        why = "a link to nothing" if isinstance(fault, FileNotFoundError) else f"no file: {reason(fault)}"
        raise DataFault(f"{shown(Path(entry.path), folder)} is {why}") from None
