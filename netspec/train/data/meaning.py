"""The meaning of a data set's rows, by which a trained network reads other data."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from netspec.recipes import Column
from netspec.recipes.data.table_column import TableColumn
from netspec.text.quoting import visible
from netspec.train.data.base import Data, DataFault, Rows, TensorRows

UNKNOWN = "<unk>"
TRUTHS = {"false": 0, "true": 1}
NO_WORD = -1
FEW = 10
ENOUGH = 2000
"""The number of images by which those of a data set are told from others."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """The columns of the data that a network is trained on, before they are prepared.

    ``words`` has the names of classes or words by number, ``names`` those of the features in a row of a column.
    ``bytes`` are the columns of real numbers that are read as bytes, 0 to 255 as 0 to 1; ``ranges`` has the least and
    the largest number of other images. ``table`` has the columns of a table with what becomes of each. ``brightness``
    has the mean of the images' means, and their standard deviation.
    """

    columns: Mapping[str, Column]
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    bytes: tuple[str, ...] = ()
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    table: tuple[TableColumn, ...] = ()
    brightness: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def counterpart(self, name: str, columns: Mapping[str, Column]) -> str | None:
        """Return the trained column that a column of other data corresponds to: of the same name, or the only one of
        its kind.
        """
        if name in self.columns:
            return name
        own, theirs = (
            [each for each, column in some.items() if column.target == columns[name].target]
            for some in (self.columns, columns)
        )
        return own[0] if len(own) == len(theirs) == 1 else None

    def classes_of(self, name: str | None) -> tuple[str, ...] | None:
        """Return the names of a trained column's classes or words: their numbers if they have no names."""
        if name is None or name in self.words:
            return self.words.get(name or "")
        count = self.columns[name].classes if self.columns[name].target else None
        return None if count is None else tuple(map(str, range(count)))

    def target_classes(self) -> tuple[str, ...] | None:
        """Return the classes of the only target; ``None`` if there are several targets, or no classes."""
        targets = [name for name, column in self.columns.items() if column.target]
        return self.classes_of(targets[0]) if len(targets) == 1 else None

    def scaled(self, name: str, what: str, tensor: Tensor) -> Tensor:
        """Return a trained column's rows in the scale of training. Raises ``DataFault`` if their scale is another."""
        if name in self.bytes and tensor.dtype != torch.uint8:
            low, high = extent(tensor)
            if tensor.is_floating_point() and low >= 0 and high <= 1:
                return tensor
            if not tensor.is_floating_point() and low >= 0 and high <= 255:
                return tensor.to(torch.uint8)
            message = f"{what} holds numbers from {low:g} to {high:g}, but the network was trained on bytes"
            raise DataFault(message, "give bytes (uint8), or real numbers from 0 to 1")
        if name in self.ranges and tensor.dtype == torch.uint8:
            low, high = self.ranges[name]
            if low < 0 or high > 1:
                message = f"{what} holds bytes, but the network was trained on numbers from {low:g} to {high:g}"
                raise DataFault(message, "give real numbers in that scale, as float32")
        return tensor


def meaning_of(data: Data) -> Meaning:
    """Return the meaning of a data set's rows."""
    first = data.train.take(torch.tensor([0]))
    real = [name for name, column in data.columns.items() if column.dtype.startswith("float") and name in first]
    in_bytes = tuple(name for name in real if first[name].dtype == torch.uint8)
    ranges, brightness = {}, {}
    if isinstance(data.train, TensorRows):
        images = {name: data.train.tensors[name] for name in real if len(data.columns[name].shape) == 3}
        ranges = {name: extent(tensor) for name, tensor in images.items() if name not in in_bytes}
        brightness = {name: usual_brightness(tensor) for name, tensor in images.items() if len(tensor) > FEW}
    return Meaning(data.columns, data.words, data.names, in_bytes, ranges, data.table, brightness)


def usual_brightness(images: Tensor) -> tuple[float, float]:
    """Return mean and standard deviation of the means of images, [n, …], of some evenly among many."""
    found = brightness_of(images[:: max(1, len(images) // ENOUGH)])
    return round(float(found.mean()), 6), round(float(found.std()), 6)


def brightness_of(images: Tensor) -> Tensor:
    """Return the mean of each image, [n, …] -> [n]; bytes count from 0 to 1."""
    means = images.flatten(1).mean(1, dtype=torch.float32)
    return means / 255 if images.dtype == torch.uint8 else means


def extent(tensor: Tensor) -> tuple[float, float]:
    """Return the least and the largest number; zeros for a tensor without numbers."""
    if not tensor.numel():
        return 0.0, 0.0
    low, high = tensor.aminmax()
    return float(low), float(high)


# Classes by their names


def class_key(text: str) -> str | float:
    """Return a key by which two spellings of a class are equal: ``1`` and ``1.0`` are one number."""
    for read in (int, float):
        try:
            number: float = read(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def is_named_by_number(text: str) -> bool:
    """Return whether the name of a class is a number."""
    return not isinstance(class_key(text), str)


class Coding:
    """The numbers of classes by their names, in any spelling: ``1``, ``1.0`` and, of two, ``true``."""

    def __init__(self, words: Sequence[str]):
        self.words = words
        self.numbers: dict[str | float, int] = {class_key(word): number for number, word in enumerate(words)}
        self.numbers |= {word: number for number, word in enumerate(words)}
        truths = [truth(word) for word in words]
        self.truths = {} if None in truths else dict(zip(truths, range(len(words))))

    def __getitem__(self, text: str) -> int | None:
        """Return the number of a class; ``None`` if there is no such class."""
        number = self.numbers.get(text, self.numbers.get(class_key(text)))
        return self.truths.get(truth(text)) if number is None and truth(text) is not None else number


def truth(text: str) -> int | None:
    """Return 0 or 1 for a number or a word of truth; ``None`` for other texts."""
    key = TRUTHS.get(text.lower(), class_key(text))
    return int(key) if key in (0, 1) else None


def coding_of(words: Sequence[str], used: Iterable[str]) -> Coding:
    """Return the coding of a network's classes for other data, which use the names in ``used``.

    Numbers from 0 on are the classes themselves if none is called by a number, as formats without names have them.
    """
    if not any(map(is_named_by_number, words)) and {*used} <= {*map(str, range(len(words)))}:
        return Coding([*map(str, range(len(words)))])
    return Coding(words)


def listed(words: Iterable[str]) -> str:
    """Return words as a list for a message, cut off after ten."""
    some = [*words]
    return ", ".join(f"`{visible(word)}`" for word in some[:FEW]) + (
        f" and {len(some) - FEW} more" if len(some) > FEW else ""
    )


def by_character(words: Sequence[str]) -> bool:
    """Return whether a vocabulary is of characters, special words in angle brackets apart."""
    return all(len(word) == 1 for word in words if not word.startswith("<"))


def told_of_unknown(where: str, words: Sequence[str], known: Container[str]) -> str | None:
    """Return a sentence on the words of a text that a network has no number for, and takes for unknown ones; ``None``
    where it knows all.
    """
    unknown = [word for word in words if word not in known]
    if not unknown:
        return None
    unit = "characters" if by_character(words) else "words"
    what = f"{len(unknown):,} of {len(words):,} {unit} in {where} {'is' if len(unknown) == 1 else 'are'} unknown"
    return f"{what} to the network, which reads them as {UNKNOWN}: {listed(dict.fromkeys(unknown))}"


# Other data, as a network was trained to read them


@dataclass(frozen=True, slots=True)
class Changed:
    """Rows on disk, some of whose columns are changed as they are read."""

    rows: Rows
    changes: Mapping[str, Callable[[Tensor], Tensor]]

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, name: str) -> Tensor | None:
        """Return all values of a column, [n, …]; ``None`` if there is none, or its rows must be read for it."""
        own = getattr(self.rows, "column", None)
        values: Tensor | None = None if own is None else own(name)
        return values if values is None or name not in self.changes else self.changes[name](values)

    def digest(self) -> str | None:
        """Return the digest that the rows have of their own, if they do."""
        own = getattr(self.rows, "digest", None)
        return None if own is None else own()

    def take(self, index: Tensor) -> dict[str, Tensor]:
        tensors = self.rows.take(index)
        return tensors | {name: change(tensors[name]) for name, change in self.changes.items()}


def as_trained(data: Data, meaning: Meaning) -> Data:
    """Return data by the classes, words, order of features and scale that a network was trained with.

    Raises ``DataFault`` if they hold what it does not know.
    """
    changes: dict[str, list[Callable[[Tensor], Tensor]]] = {}
    columns, words, names = dict(data.columns), dict(data.words), dict(data.names)
    for name, column in data.columns.items():
        own = meaning.counterpart(name, data.columns)
        if own is None:
            continue
        own_changes = changes.setdefault(name, [])
        known, words_here = meaning.classes_of(own), data.words.get(name)
        if known is not None and words_here is not None and known != words_here:
            own_changes.append(recoding(name, words_here, known))
            words[name] = known
            columns[name] = replace(column, classes=len(known))
        elif known is not None and column.target and not column.shape:
            own_changes.append(known_only(name, len(known)))
        if own in meaning.names and name in data.names and meaning.names[own] != data.names[name]:
            own_changes.append(reordering(data.names[name], meaning.names[own]))
            names[name] = meaning.names[own]
        if own in (*meaning.bytes, *meaning.ranges):
            own_changes.append(partial(meaning.scaled, own, f"`{name}`"))
    wanted = {name: chained(each) for name, each in changes.items() if each}
    validation, test = (rows if rows is None else changed(rows, wanted) for rows in (data.validation, data.test))
    train = changed(data.train, wanted)
    return replace(data, columns=columns, train=train, validation=validation, test=test, words=words, names=names)


def changed(rows: Rows, changes: Mapping[str, Callable[[Tensor], Tensor]]) -> Rows:
    """Return rows with some of their columns changed: at once if they are in memory."""
    if not changes:
        return rows
    if isinstance(rows, TensorRows):
        return TensorRows({name: changes.get(name, Tensor.detach)(each) for name, each in rows.tensors.items()})
    return Changed(rows, changes)


def chained(changes: Sequence[Callable[[Tensor], Tensor]]) -> Callable[[Tensor], Tensor]:
    """Return one change that applies several in turn."""

    def change(rows: Tensor) -> Tensor:
        for each in changes:
            rows = each(rows)
        return rows

    return change


def recoding(name: str, words: Sequence[str], known: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """Return a change of whole numbers that stand for the words ``found`` into those of ``known``."""
    coding = coding_of(known, words)
    other = known.index(UNKNOWN) if UNKNOWN in known else NO_WORD
    table = (coding[word] for word in words)
    numbers = torch.tensor([other if number is None else number for number in table])

    def change(rows: Tensor) -> Tensor:
        recoded = numbers[rows.long()]
        unknown_places = (recoded == NO_WORD).nonzero()
        if len(unknown_places):
            unknown = [words[number] for number in sorted({*rows[recoded == NO_WORD].tolist()})]
            at = int(unknown_places[0, 0])
            message = f"row {at + 1}: `{name}` is {listed(unknown)}, which the network was not trained on"
            raise DataFault(message, f"it knows {listed(known)}")
        return recoded

    return change


def known_only(name: str, count: int) -> Callable[[Tensor], Tensor]:
    """Return a change that changes nothing, and raises ``DataFault`` for classes that a network was not trained on."""

    def guarded(rows: Tensor) -> Tensor:
        if not rows.is_floating_point() and rows.numel() and int(rows.max()) >= count:
            at = int((rows >= count).nonzero()[0])
            message = f"row {at + 1}: `{name}` is {int(rows[at])}, which the network was not trained on"
            raise DataFault(message, f"it knows the classes 0 to {count - 1}")
        return rows

    return guarded


def reordering(names: Sequence[str], known: Sequence[str]) -> Callable[[Tensor], Tensor]:
    """Return a change that puts features in the order of ``known``. Raises ``DataFault`` if one is missing."""
    missing = [name for name in known if name not in names]
    if missing:
        raise DataFault(f"the data have no column {listed(missing)}", f"their columns are {listed(names)}")
    positions = torch.tensor([names.index(name) for name in known])
    return lambda rows: rows.index_select(-1, positions)
