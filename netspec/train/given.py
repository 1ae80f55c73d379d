"""What a network is asked about: files and texts, as rows of the columns that it was trained on."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.recipes import Column
from netspec.train.kept import Meaning

IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm")
ARRAYS = (".npy", ".npz")
UNKNOWN = "<unk>"


@dataclass(frozen=True, slots=True)
class Given:
    """Rows that belong together: ``names`` has one for each, ``rows`` their columns, [n, …]."""

    names: Sequence[str]
    rows: Mapping[str, Tensor]


class GivenReader:
    """Reads what is given. ``read`` are the columns that the network reads, ``text`` the one that holds words."""

    def __init__(self, meaning: Meaning, read: Sequence[str], text: str | None, features: Sequence[str] | None = None):
        self.columns, self.words = meaning.columns, meaning.words
        self.read, self.text, self.features = read, text, features

    def all(self, given: str) -> Iterator[Given]:
        """The rows of one argument. Raises ``UsageError`` where the network cannot take them."""
        for each in self.read_all(given):
            for name, tensor in each.rows.items():
                if not tensor.isfinite().all():
                    raise UsageError(f"`{name}` in {given} holds a number that is not finite")
            yield each

    def read_all(self, given: str) -> Iterator[Given]:
        """The rows of one argument, whatever numbers they hold."""
        path = Path(given)
        if not given.strip():
            raise UsageError("there is nothing to be asked about: give a file, or a text where the network reads one")
        if path.is_dir():
            raise UsageError(f"{given} is a folder: name the files in it, as in {given.rstrip('/')}/*")
        suffix = path.suffix.lower()
        if self.text is not None and suffix not in ARRAYS:
            yield from self.texts(path, given)
            return
        if not path.is_file():
            raise UsageError(f"there is no file {given}")
        try:
            if suffix in IMAGES:
                yield self.image(path)
            elif suffix in ARRAYS:
                yield self.arrays(path)
            elif suffix in (".csv", ".tsv", ".txt"):
                yield self.table(path)
            else:
                raise UsageError(f"{given} is neither an image nor a table (.csv) nor arrays (.npy, .npz)")
        except (OSError, UnicodeDecodeError) as fault:
            raise EnvironmentFault(f"cannot read {given}: {fault}") from None

    def only(self, path: Path, what: str, dims: int) -> tuple[str, Column]:
        """The column that a file of one kind is for: the only one that the network reads, of so many dimensions."""
        if len(self.read) != 1 or len(self.columns[self.read[0]].shape) != dims:
            shapes = ", ".join(f"`{name}` {list(self.columns[name].shape)}" for name in self.read)
            raise UsageError(f"{path} is {what}, but a row of the network's is {shapes}")
        return self.read[0], self.columns[self.read[0]]

    def image(self, path: Path) -> Given:
        """An image in the size of the training images, grey or in colour as they were."""
        from PIL import Image, UnidentifiedImageError

        name, column = self.only(path, "an image", 3)
        channels, *sides = column.shape
        if channels not in (1, 3):
            raise UsageError(f"{path} is an image, but the network's have {channels} channels")
        try:
            image = Image.open(path).convert("L" if channels == 1 else "RGB")
        except UnidentifiedImageError:
            raise UsageError(f"{path} is no image that can be read") from None
        height, width = (size or own for size, own in zip(sides, (image.height, image.width)))
        if image.size != (width, height):
            image = image.resize((width, height), Image.Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image).reshape(height, width, channels))
        return Given([str(path)], {name: pixels.permute(2, 0, 1)[None].contiguous()})

    def arrays(self, path: Path) -> Given:
        """The rows of a ``.npy`` file for the only column, or of a ``.npz`` file by the columns' names."""
        try:
            found = np.load(path, allow_pickle=False)
        except ValueError:
            raise UsageError(f"{path} holds no plain arrays") from None
        if isinstance(found, np.ndarray):
            if len(self.read) != 1:
                raise UsageError(f"{path} is one array, but the network reads {_listed(self.read)}: give an .npz file")
            found = {self.read[0]: found}
        missing = [name for name in self.read if name not in found]
        if missing:
            raise UsageError(f"{path} has no array {_listed(missing)}: the network reads {_listed(self.read)}")
        rows = {name: self.typed(path, name, found[name]) for name in self.read}
        counts = {len(tensor) for tensor in rows.values()}
        if len(counts) > 1:
            raise UsageError(f"the arrays in {path} have different numbers of rows: {sorted(counts)}")
        return Given(_numbered(path, counts.pop()), rows)

    def typed(self, path: Path, name: str, array: np.ndarray) -> Tensor:
        """An array as a column's rows; one row alone is one of them."""
        column = self.columns[name]
        if array.ndim == len(column.shape):
            array = array[None]
        fits = array.ndim == len(column.shape) + 1 and all(
            size in (None, own) for size, own in zip(column.shape, array.shape[1:])
        )
        if not fits or array.dtype.kind not in "fiub":
            rows = "×".join("?" if size is None else str(size) for size in column.shape) or "one number"
            raise UsageError(f"`{name}` in {path} is {array.dtype} {list(array.shape)}, but a row is {rows}")
        if array.dtype == np.uint8 and column.dtype.startswith("float"):
            return torch.from_numpy(array)
        return torch.from_numpy(array).to(getattr(torch, column.dtype))

    def table(self, path: Path) -> Given:
        """Rows of numbers, with or without a line of names: all but the target, or those that the recipe names."""
        name, column = self.only(path, "a table", 1)
        text = path.read_text(encoding="utf-8-sig")
        lines = [line for line in csv.reader(text.splitlines(), delimiter="\t" if "\t" in text else ",") if line]
        head = lines.pop(0) if lines and not all(map(_is_number, lines[0])) else None
        if not lines:
            raise UsageError(f"{path} has no rows")
        places = self.places(path, head) if head is not None else [*range(len(lines[0]))]
        width = column.shape[0]
        if width not in (None, len(places)):
            has = f"{len(places)} column{'s' * (len(places) != 1)}"
            raise UsageError(f"{path} has {has}, but a row of `{name}` has {width} numbers")
        made = []
        for number, line in enumerate(lines, 1 if head is None else 2):
            try:
                made.append([float(line[place]) for place in places])
            except (ValueError, IndexError):
                raise UsageError(f"line {number} of {path} is not a row of numbers: {','.join(line)[:80]}") from None
        return Given(_numbered(path, len(made)), {name: torch.tensor(made)})

    def places(self, path: Path, head: Sequence[str]) -> list[int]:
        """Which columns of a table are features."""
        names = [name.strip() for name in head]
        if self.features is None:
            targets = [name for name, column in self.columns.items() if column.target]
            return [place for place, name in enumerate(names) if name not in targets]
        missing = [name for name in self.features if name not in names]
        if missing:
            raise UsageError(f"{path} has no column {_listed(missing)}")
        return [names.index(name) for name in self.features]

    def texts(self, path: Path, given: str) -> Iterator[Given]:
        """A text, or each line of a file, as words or characters, whichever the network knows."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else [given]
        for line in filter(str.strip, lines):
            yield Given([line], self.encoded(line))

    def encoded(self, line: str) -> dict[str, Tensor]:
        """A line as numbers, [1, T], filled up as the training rows were; with its length and padding, where read."""
        assert self.text is not None
        column, words = self.columns[self.text], self.words[self.text]
        known = {word: number for number, word in enumerate(words)}
        if not any(word != word.lower() for word in words):
            line = line.lower()
        numbers = []
        for word in [*line] if by_character(words) else line.split():
            if word not in known and UNKNOWN not in known:
                some = " ".join(words[:40]).strip()
                raise UsageError(
                    f"the network does not know `{word}`; it knows {some}{' …' if len(words) > 40 else ''}"
                )
            numbers.append(known.get(word, known.get(UNKNOWN, 0)))
        size = column.shape[0]
        if column.padding is not None and size is not None:
            filled = [*numbers, *[column.padding] * (size - len(numbers))]
        else:
            filled = numbers[-size:] if size is not None else numbers
        rows = {
            self.text: torch.tensor([filled]),
            "lengths": torch.tensor([len(numbers)]),
            f"{self.text}_padding": torch.tensor([[place >= len(numbers) for place in range(len(filled))]]),
        }
        return {name: tensor for name, tensor in rows.items() if name in self.read}


def by_character(words: Sequence[str]) -> bool:
    """Whether words are characters, but for those in angle brackets."""
    return all(len(word) == 1 for word in words if not word.startswith("<"))


def _numbered(path: Path, count: int) -> list[str]:
    return [str(path)] if count == 1 else [f"{path}:{number}" for number in range(1, count + 1)]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
