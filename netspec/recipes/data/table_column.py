"""A column of a table as a trained network reads it: the features that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["number", "truth", "one_hot", "ids", "date"]


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column by its ``name``. ``number`` and ``truth``, 0 or 1, are a feature each; ``one_hot`` is one for each of
    its ``words``; ``ids`` is a column of its own, of whole numbers, 0 for other words than its own and those from 1 on;
    ``date`` is a feature for each of its ``words``, such as `year`. ``fill`` stands in for missing values, ``None``
    where they are refused.
    """

    name: str
    kind: Kind = "number"
    words: tuple[str, ...] = ()
    fill: str | float | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of its features."""
        if self.kind == "one_hot":
            return tuple(f"{self.name}={word}" for word in self.words)
        if self.kind == "date":
            return tuple(f"{self.name}.{part}" for part in self.words)
        return () if self.kind == "ids" else (self.name,)

    def told(self) -> str | None:
        """Return what becomes of it; ``None`` for numbers, which stay what they are."""
        many = f"{len(self.words)} word{'s' * (len(self.words) != 1)}"
        return {
            "number": None,
            "truth": f"`{self.name}` as 0 and 1",
            "one_hot": f"`{self.name}` one-hot of {many}",
            "ids": f"`{self.name}` as ids of {many}, 1 to {len(self.words)}",
            "date": f"`{self.name}` as {', '.join(self.words)}",
        }[self.kind]

    def spelled(self, values: Sequence[float]) -> str:
        """Return the value of the column that its features, or its id, came from, as text."""
        if self.kind == "one_hot":
            return next((word for word, value in zip(self.words, values) if value > 0), "other")
        if self.kind == "ids":
            return self.words[int(values[0]) - 1] if values[0] >= 1 else "other"
        if self.kind == "date":
            year, month, day, *others = (int(value) for value in values)
            time = f" {others[1]:02}h" if len(others) > 1 else ""
            return f"{year:04}-{month:02}-{day:02}{time}"
        return f"{values[0]:.6g}"


def columns_from(plain: Sequence[Mapping[str, Any]]) -> tuple[TableColumn, ...]:
    """Return columns from their fields as JSON has them. Raises ``KeyError`` or ``TypeError``."""
    return tuple(TableColumn(**{**each, "words": tuple(each["words"])}) for each in plain)
