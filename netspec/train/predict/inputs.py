"""The inputs of a prediction: files and texts, read as rows of the columns that the network was trained on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from netspec.diagnostics import EnvironmentFault, UsageError, nearest
from netspec.recipes import Column
from netspec.recipes.data.files import Background
from netspec.recipes.data.table_column import TableColumn
from netspec.text.quoting import visible
from netspec.train.data import DataFault, Meaning
from netspec.train.data.arrays import real
from netspec.train.data.meaning import UNKNOWN, by_character, listed, told_of_unknown
from netspec.train.data.paths import read_text
from netspec.train.data.readers.class_folders import images_in, left_out
from netspec.train.data.readers.decoder import ENDINGS, FOREIGN, Decoder
from netspec.train.data.readers.numpy_files import arrays_of
from netspec.train.data.readers.tables.features import TableFeatures, features_of
from netspec.train.data.readers.tables.form import TableForm, number_of
from netspec.train.data.readers.tables.lines import cut_lines
from netspec.train.data.readers.tables.raw import (
    RawTable,
    csv_table,
    has_marks,
    numbers_in,
    parquet_table,
    table_text,
)
from netspec.train.data.readers.texts import split
from netspec.train.data.readers.transparency import is_transparent
from netspec.train.predict.likeness import unlike

ARRAYS = (".npy", ".npz")
TABLES = (".csv", ".tsv", ".parquet")
TEXTS = (".txt",)
IMAGES_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class PredictInputs:
    """Rows of one file, of several images, or of a text: ``names`` has a name for each row, ``rows`` the columns,
    [n, …] each: tensors, or raw ones as arrays, ``kept`` the values of columns of a table that are copied.
    """

    names: Sequence[str]
    rows: Mapping[str, Any]
    kept: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class InputReader:
    """Reads the arguments of ``netspec predict`` as a run's own data were read.

    ``read`` names the columns that the network reads, ``text`` the one of words, if any, ``keep`` those of tables that
    are copied; ``warn`` is called with what a table has that no training row had; ``settings`` are the keys of the
    run's data set that say how its files are written. Methods raise ``UsageError`` for inputs that the network cannot
    take.
    """

    def __init__(
        self,
        meaning: Meaning,
        read: Sequence[str],
        text: str | None,
        keep: Sequence[str] = (),
        warn: Callable[[str], None] = print,
        settings: Mapping[str, Any] = {},
    ):
        self.meaning, self.columns, self.words = meaning, meaning.columns, meaning.words
        self.read, self.text, self.keep, self.warn = read, text, keep, warn
        self.level, self.form = settings.get("level"), TableForm.of(settings, fixed=True)
        self.background: Background = settings.get("background", "white")
        self.told_transparency = False

    def read_argument(self, argument: str) -> Iterator[PredictInputs]:
        """Yield the rows of a file, or of each line of a text. Raises ``EnvironmentFault`` if it cannot be read."""
        for inputs in self._read_argument(argument):
            yield self.checked(inputs, argument)

    def checked(self, inputs: PredictInputs, argument: str) -> PredictInputs:
        """Return rows that are fit to be judged, after a warning if they are unlike those that trained."""
        for name, tensor in inputs.rows.items():
            if isinstance(tensor, Tensor) and not tensor.isfinite().all():
                raise UsageError(f"`{name}` in {argument} holds a number that is not finite")
        for told in unlike(self.meaning, inputs.names, inputs.rows):
            self.warn(told)
        if self.keep and not inputs.kept:
            raise UsageError(f"--keep copies columns of a table that names them, which {argument} is not")
        return inputs

    def _read_argument(self, argument: str) -> Iterator[PredictInputs]:
        path = Path(argument)
        if not argument.strip():
            raise UsageError("there is nothing to predict: give a file, or a text where the network reads one")
        try:
            if os.path.isdir(argument):
                yield from self.folder(path)
            elif self.text is not None and not is_array(path):
                yield from self.texts(path, argument)
            else:
                yield self.rows(path)
        except DataFault as fault:
            raise UsageError(f"{fault.message}{f': {fault.help}' if fault.help else ''}") from None
        except (OSError, UnicodeDecodeError) as fault:
            raise EnvironmentFault(f"cannot read {argument}: {fault}") from None

    def folder(self, path: Path) -> Iterator[PredictInputs]:
        """Yield the rows of all files in a folder that the network can read: images, those in folders inside it too,
        several at once; or else tables, arrays or texts.
        """
        if self.text is None and any(len(self.columns[name].shape) == 3 for name in self.read):
            foreign: Counter[str] = Counter()
            images = images_in(path, Path(), foreign)
            if (told := left_out(foreign)) is not None:
                self.warn(told)
            for start in range(0, len(images), IMAGES_AT_ONCE):
                yield from together([self.rows(each) for each in images[start : start + IMAGES_AT_ONCE]])
            return
        endings = TEXTS if self.text is not None else (*TABLES, *ARRAYS)
        files = [each for each in sorted(path.iterdir()) if each.suffix.lower() in endings and each.is_file()]
        if not files:
            raise UsageError(f"{path} has no file to predict for: none ends in {', '.join(endings)}")
        for each in files:
            yield from self._read_argument(str(each))

    def rows(self, path: Path) -> PredictInputs:
        """Return the rows of a file of images, numbers or arrays."""
        if not path.exists():
            raise UsageError(f"there is no file {path}")
        if is_array(path):
            return self.arrays(path)
        match path.suffix.lower():
            case suffix if suffix in ENDINGS:
                return self.image(path)
            case suffix if suffix in (*TABLES, ".txt"):
                return self.table(path)
            case suffix if suffix in FOREIGN:
                raise UsageError(f"{path} is an image in a format that is not read: convert it to PNG or JPEG")
        raise UsageError(f"{path} is neither an image nor a table (.csv) nor arrays (.npy, .npz)")

    def only(self, path: Path, what: str, dims: int) -> tuple[str, Column]:
        """Return the only column that is read. Raises ``UsageError`` unless its rows have ``dims`` dimensions."""
        if len(self.read) != 1 or len(self.columns[self.read[0]].shape) != dims:
            shapes = ", ".join(f"`{name}` {list(self.columns[name].shape)}" for name in self.read)
            raise UsageError(f"{path} is {what}, but a row of the network's is {shapes}")
        return self.read[0], self.columns[self.read[0]]

    def image(self, path: Path) -> PredictInputs:
        """Return the image of a file, [1, C, H, W], in the size and the colours of the training images."""
        return self.decoded(path, lambda decode: decode(path), lambda decode: decode.is_transparent(path))

    def picture(self, image: Any, path: Path) -> PredictInputs:
        """Return a picture of Pillow's as the image of a file, which messages call ``path``."""
        return self.decoded(
            path, lambda decode: decode.converted(image, str(path)), lambda decode: is_transparent(image)
        )

    def decoded(
        self, path: Path, decode: Callable[[Decoder], np.ndarray], transparent: Callable[[Decoder], bool]
    ) -> PredictInputs:
        """Return an image, [1, C, H, W], as a decoder of the training images' form reads it."""
        name, column = self.only(path, "an image", 3)
        shape, last = column.shape, column.shape[0] not in (1, 3) and column.shape[2] in (1, 3)
        channels, height, width = (shape[2], *shape[:2]) if last else shape
        if channels not in (1, 3):
            raise UsageError(f"{path} is an image, but the network's have {channels} channels")
        size = None if height is None or width is None else (height, width)
        decoder = Decoder(Path(), channels == 1, size, self.background)
        pixels = torch.from_numpy(decode(decoder))
        self.tell_transparency(path, transparent(decoder))
        pixels = pixels.permute(1, 2, 0).contiguous() if last else pixels
        return PredictInputs([str(path)], {name: self.meaning.scaled(name, str(path), pixels[None])})

    def tell_transparency(self, path: Path, transparent: bool) -> None:
        """Warn of the first image with transparent places."""
        if transparent and not self.told_transparency:
            self.told_transparency = True
            self.warn(f"{visible(str(path))} has transparent places, which count as {self.background}, as in training")

    def arrays(self, path: Path) -> PredictInputs:
        """Return the rows of a ``.npy`` file for the only column, or of a ``.npz`` file by the names of columns."""
        arrays = arrays_of(path, str(path))
        if not isinstance(arrays, dict):
            if len(self.read) != 1:
                raise UsageError(f"{path} is one array, but the network reads {_listed(self.read)}: give an .npz file")
            arrays = {self.read[0]: arrays}
        return self.of_arrays(arrays, path)

    def of_arrays(self, arrays: Mapping[str, np.ndarray], path: Path) -> PredictInputs:
        """Return the rows of arrays by the names of columns."""
        missing = [name for name in self.read if name not in arrays]
        if missing:
            raise UsageError(f"{path} has no array {_listed(missing)}: the network reads {_listed(self.read)}")
        rows = {name: self.typed(path, name, arrays[name]) for name in self.read}
        counts = {len(tensor) for tensor in rows.values()}
        if len(counts) > 1:
            raise UsageError(f"the arrays in {path} have different numbers of rows: {sorted(counts)}")
        if counts == {0}:
            raise UsageError(f"{path} has no rows")
        return PredictInputs(_numbered(path, counts.pop()), rows)

    def typed(self, path: Path, name: str, array: np.ndarray) -> Tensor:
        """Return an array as rows of a column, [n, …]; a single row, or grey images without their channel, will do."""
        column, what = self.columns[name], f"`{name}` in {path}"
        shape = column.shape
        if len(shape) == 3 and shape[0] == 1 and array.ndim in (2, 3) and _fits(array.shape[-2:], shape[1:]):
            array = array[..., None, :, :]
        if array.ndim == len(shape):
            array = array[None]
        if array.ndim != len(shape) + 1 or not _fits(array.shape[1:], shape) or array.dtype.kind not in "fiub":
            rows = "×".join("?" if size is None else str(size) for size in shape) or "one number"
            raise UsageError(f"{what} is {array.dtype} {list(array.shape)}, but a row is {rows}")
        dtype = getattr(torch, column.dtype)
        if dtype.is_floating_point:
            raw = real(array) if array.dtype.kind == "f" else torch.from_numpy(np.ascontiguousarray(whole(array)))
            tensor = self.meaning.scaled(name, what, raw)
            in_bytes = tensor.dtype == torch.uint8 and (name in self.meaning.bytes or len(shape) == 3)
            return tensor if in_bytes else tensor if tensor.dtype == torch.float64 else tensor.to(dtype)
        if array.dtype.kind == "f" and not (np.isfinite(array) & (array == np.round(array))).all():
            raise UsageError(f"{what} holds real numbers, but the network reads whole ones")
        return torch.from_numpy(array.astype(np.int64)).to(dtype)

    def table(self, path: Path) -> PredictInputs:
        """Return rows of numbers, [n, features]: by the features' names, or in the file's order if they have none."""
        if columns := self.table_columns():
            return self.of_table(self.read_table(path), columns, path)
        name, column = self.only(path, "a table", 1)
        if path.suffix.lower() == ".parquet":
            raise UsageError(f"the network's features have no names to be found by in {path}: give a .csv or an array")
        lines = cut_lines(str(path), table_text(str(path), Path(), self.form), self.form.separator)
        has_head = bool(lines) and not all(map(self.is_number, lines[0][1]))
        head = lines.pop(0)[1] if has_head else None
        if not lines:
            raise UsageError(f"{path} has no rows")
        features = self.features(head) if head is not None else [*range(len(lines[0][1]))]
        count, width = len(lines[0][1] if head is None else head), column.shape[0]
        if width not in (None, len(features)):
            has = f"{len(features)} column{'s' * (len(features) != 1)}"
            raise UsageError(f"{path} has {has}, but a row of `{name}` has {width} numbers")
        for number, line in lines:
            if len(line) != count:
                raise UsageError(f"line {number} of {path} has {len(line)} values, unlike those above")
        values = {f"column {at + 1}": [line[at] for _, line in lines] for at in features}
        table = RawTable(str(path), values, [number for number, _ in lines], form=self.form)
        rows = np.stack([numbers_in(table, each) for each in values], 1)
        return PredictInputs(_numbered(path, len(rows)), {name: real(rows)})

    def of_table(self, table: RawTable, columns: Sequence[TableColumn], path: Path) -> PredictInputs:
        """Return the rows of a table by the names of its columns. Raises ``DataFault`` if a feature is missing."""
        names = [column.name for column in columns]
        missing = [name for name in names if name not in table.columns]
        if missing:
            has = "its columns are" if table.unit == "row" else "its first line names"
            help = f"{has} {listed(table.columns)}, and the network was trained on {listed(names)}"
            others = [name for name in table.columns if name not in names]
            meant = {name: nearest(name, others) for name in missing}
            guess = ", ".join(f"`{other}` may be `{name}`" for name, other in meant.items() if other is not None)
            raise DataFault(f"{path} has no column {listed(missing)}", f"{guess}; {help}" if guess else help)
        if not table.numbers:
            raise UsageError(f"{path} has no rows")
        made = features_of(table, columns)
        for note in made.notes:
            self.warn(f"{path}: {note}")
        kept = {each: table.column(each) for each in self.keep}
        return PredictInputs(_numbered(path, len(table.numbers)), self.columns_of(table, made), kept)

    def columns_of(self, table: RawTable, made: TableFeatures) -> Mapping[str, Any]:
        """Return the columns that are read of a table's rows."""
        return {each: tensor for each, tensor in made.tensors.items() if each in self.read}

    def table_columns(self) -> Sequence[TableColumn]:
        """Return the columns of the table that the network was trained on, if it was one and they have names."""
        if self.meaning.table or len(self.read) != 1:
            return self.meaning.table
        return [TableColumn(name) for name in self.meaning.names.get(self.read[0], ())]

    def is_number(self, value: str) -> bool:
        """Return whether a cell of a table holds a number, which may have marks between its digits."""
        return number_of(value, self.form.decimal) is not None or has_marks(value.strip())

    def read_table(self, path: Path) -> RawTable:
        """Read a table whose first line names its columns."""
        if path.suffix.lower() == ".parquet":
            return parquet_table(str(path), Path(), self.form)
        return csv_table(str(path), table_text(str(path), Path(), self.form), self.form)

    def features(self, head: Sequence[str]) -> list[int]:
        """Return the numbers of a table's columns that are features, if these have no names: all but the target."""
        targets = [name for name, column in self.columns.items() if column.target]
        return [number for number, name in enumerate(head) if name.strip() not in targets]

    def texts(self, path: Path, argument: str) -> Iterator[PredictInputs]:
        """Yield the argument itself, or each line of the file that it names, as words or characters, [1, T]."""
        is_file = os.path.lexists(argument)  # unlike a path's own method, it takes any text, however long
        lines = read_text(str(path), Path()).splitlines() if is_file else [argument]
        lines = [*filter(str.strip, lines)]
        if not lines:
            raise UsageError(f"{path} has no text")
        for line in lines:
            yield PredictInputs([line], self.encoded(line))

    def numbers(self, line: str) -> list[int]:
        """Return the words of a line by their numbers. Raises ``UsageError`` for one that the network does not know."""
        assert self.text is not None
        words = self.words[self.text]
        known = {word: number for number, word in enumerate(words)}
        if not any(word != word.lower() for word in words):
            line = line.lower()
        written = self.split(line, words)
        if UNKNOWN not in known and (unknown := [word for word in written if word not in known]):
            some = " ".join(words[:40]).strip() + " …" * (len(words) > 40)
            raise UsageError(f"the network does not know {listed(dict.fromkeys(unknown))}; it knows {some}")
        if told := told_of_unknown("the text", written, known):
            self.warn(told)
        return [known.get(word, known.get(UNKNOWN, 0)) for word in written]

    def encoded(self, line: str) -> dict[str, Tensor]:
        """Return a line as numbers, [1, T], padded as in training; with its length and padding mask, if read."""
        assert self.text is not None
        column, numbers = self.columns[self.text], self.numbers(line)
        size = column.shape[0]
        if column.padding is not None and size is not None:
            filled = [*numbers, *[column.padding] * (size - len(numbers))]
        else:
            filled = numbers[-size:] if size is not None else numbers
            if len(filled) < len(numbers):
                self.warn(f"the network reads {size} at once: of {len(numbers):,}, these are the last")
        rows = {
            self.text: torch.tensor([filled]),
            "lengths": torch.tensor([len(numbers)]),
            f"{self.text}_padding": torch.tensor([[position >= len(numbers) for position in range(len(filled))]]),
        }
        return {name: tensor for name, tensor in rows.items() if name in self.read}

    def split(self, line: str, words: Sequence[str]) -> Sequence[str]:
        """Return the words or characters of a line, as the training texts were split."""
        if self.level is not None:
            return split(line, "char" if self.level == "char" else "word")
        return [*line] if by_character(words) else line.split()


def together(images: Sequence[PredictInputs]) -> Iterator[PredictInputs]:
    """Yield images of one size as one, in their order."""
    for _, group in groupby(images, key=lambda each: [tensor.shape for tensor in each.rows.values()]):
        several = [*group]
        rows = {name: torch.cat([each.rows[name] for each in several]) for name in several[0].rows}
        yield PredictInputs([name for each in several for name in each.names], rows)


def whole(array: np.ndarray) -> np.ndarray:
    """Return whole numbers in 64 bits; bytes stay bytes."""
    return array if array.dtype == np.uint8 else array.astype(np.int64)


def is_array(path: Path) -> bool:
    """Return whether a file is one of NumPy's, by its ending."""
    return path.suffix.lower() in ARRAYS


def _fits(sizes: Sequence[int], shape: Sequence[int | None]) -> bool:
    return len(sizes) == len(shape) and all(own in (None, size) for size, own in zip(sizes, shape))


def _numbered(path: Path, count: int) -> list[str]:
    return [str(path)] if count == 1 else [f"{path}:{number}" for number in range(1, count + 1)]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
