"""A column of a table as a trained network reads it: the features that it becomes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["number", "truth", "one_hot", "ids", "date"]
NO_TIME = -(2**63)
"""The time that there is none, as numpy has it."""
ISO = "%Y-%m-%d"
A_DAY = datetime(2024, 5, 31)
"""A day by which formats of dates are shown: it is no month."""
DAY, DAYS_BEFORE_1970 = 86400, 719468
LABELS = "ai.onnx.ml::LabelEncoder"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column by its ``name``. ``number`` and ``truth``, 0 or 1, are a feature each; ``one_hot`` is one for each of
    its ``words``; ``ids`` is a column of its own, of whole numbers, 0 for other words than its own and those from 1 on;
    ``date`` is a feature for each of its ``words``, such as `year`. ``fill`` stands in for missing values, ``None``
    where they are refused. ``thousands`` is the mark in its numbers, and ``date_format`` the format of its dates.
    """

    name: str
    kind: Kind = "number"
    words: tuple[str, ...] = ()
    fill: str | float | None = None
    thousands: str | None = None
    date_format: str | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """Return the names of its features."""
        if self.kind == "one_hot":
            return tuple(f"{self.name}={word}" for word in self.words)
        if self.kind == "date":
            return tuple(f"{self.name}.{part}" for part in self.words)
        return () if self.kind == "ids" else (self.name,)

    @property
    def raw(self) -> str:
        """Return the dtype of its values in a file that takes them raw: words as texts, times as seconds since 1970."""
        return {"one_hot": "string", "ids": "string", "date": "int64"}.get(self.kind, "float64")

    def onnx(self, builder: Any, values: Any, missing: Sequence[str]) -> Any:
        """Write the ONNX nodes that make its features of raw values, [n]; return them, float64, [n, features], or its
        ids, int64, [n].

        ``missing`` are the texts that stand for no value; no number is NaN, and no time the least int64.
        """
        if self.kind in ("one_hot", "ids"):
            ids = self._onnx_ids(builder, values, missing)
            if self.kind == "ids":
                return ids
            own = builder.constant([[*range(1, len(self.words) + 1)]])
            return builder.cast(builder.op("Equal", _upright(builder, ids), own), "float64")
        if self.kind == "date":
            filled = values
            if self.fill is not None:
                gap = builder.op("Equal", values, builder.constant(NO_TIME))
                filled = builder.op("Where", gap, builder.constant(seconds_of(str(self.fill))), values)
            parts = [_upright(builder, part) for part in _onnx_parts(builder, filled, self.words)]
            return builder.cast(builder.op("Concat", *parts, axis=1), "float64")
        if self.fill is not None:
            gap = builder.op("IsNaN", values)
            values = builder.op("Where", gap, builder.constant(float(self.fill), "float64"), values)
        return _upright(builder, values)

    def _onnx_ids(self, builder: Any, values: Any, missing: Sequence[str]) -> Any:
        """The number of each word, from 1 on, 0 for others."""
        numbers = {word: number for number, word in enumerate(self.words, 1)}
        if self.fill is not None:
            numbers = {**dict.fromkeys(missing, numbers[str(self.fill)]), **numbers}
        keys, ids = [*numbers], [*numbers.values()]
        return builder.op(LABELS, values, keys_strings=keys, values_int64s=ids, default_int64=0)

    def told(self) -> str | None:
        """Return what becomes of it; ``None`` for numbers that are plainly what they are."""
        many = f"{len(self.words)} word{'s' * (len(self.words) != 1)}"
        marks = None if self.thousands is None else f"`{self.name}` with `{self.thousands}` between thousands"
        like = "" if self.date_format in (None, ISO) else f", of dates like {A_DAY.strftime(self.date_format or ISO)}"
        return {
            "number": marks,
            "truth": f"`{self.name}` as 0 and 1",
            "one_hot": f"`{self.name}` one-hot of {many}",
            "ids": f"`{self.name}` as ids of {many}, 1 to {len(self.words)}",
            "date": f"`{self.name}` as {', '.join(self.words)}{like}",
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


def seconds_of(text: str) -> int:
    """Return the seconds from 1970 on of a time by ISO 8601, as its clock shows it."""
    return int((datetime.fromisoformat(text).replace(tzinfo=None) - datetime(1970, 1, 1)).total_seconds())


def _upright(builder: Any, values: Any) -> Any:
    """Values, [n], as a column, [n, 1]."""
    return builder.op("Unsqueeze", values, builder.constant([1]))


def _onnx_parts(builder: Any, seconds: Any, parts: Sequence[str]) -> list[Any]:
    """Parts of times, int64, [n] each, by the arithmetic of the Gregorian calendar on days from the 1st of March, 0."""

    def of(kind: str, x: Any, by: Any) -> Any:
        return builder.op(kind, x, builder.constant(by) if isinstance(by, int) else by)

    def whole(x: Any, by: int) -> Any:
        return of("Div", x, by)  # none of these is negative, so it rounds down

    clock = of("Add", seconds, DAYS_BEFORE_1970 * DAY)
    days = whole(clock, DAY)
    era = whole(days, 146097)
    of_era = of("Sub", days, of("Mul", era, 146097))
    leaps = of("Add", of("Sub", of("Sub", of_era, whole(of_era, 1460)), whole(of_era, 146096)), whole(of_era, 36524))
    year = whole(leaps, 365)
    before = of("Sub", of("Add", of("Mul", year, 365), whole(year, 4)), whole(year, 100))
    of_year = of("Sub", of_era, before)
    turn = whole(of("Add", of("Mul", of_year, 5), 2), 153)  # the months from March on
    day = of("Add", of("Sub", of_year, whole(of("Add", of("Mul", turn, 153), 2), 5)), 1)
    late = whole(turn, 10)  # 1 in January and February, which are of the next year
    found = {
        "year": of("Add", of("Add", year, of("Mul", era, 400)), late),
        "month": of("Sub", of("Add", turn, 3), of("Mul", late, 12)),
        "day": day,
        "weekday": of("Mod", of("Add", days, 2), 7),
        "hour": whole(of("Mod", clock, DAY), 3600),
    }
    return [found[part] for part in parts]


def columns_from(plain: Sequence[Mapping[str, Any]]) -> tuple[TableColumn, ...]:
    """Return columns from their fields as JSON has them. Raises ``KeyError`` or ``TypeError``."""
    return tuple(TableColumn(**{**each, "words": tuple(each["words"])}) for each in plain)
