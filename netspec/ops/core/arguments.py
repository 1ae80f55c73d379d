"""The types of ops' arguments: what a field takes, and what it says when it gets something else.

A plain Pydantic union reports one fault once for each member; these types report it once, in words.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, Field
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from netspec.dataclass import dataclass
from netspec.dims import Dim
from netspec.ops.core.named import Named

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Dtype = Literal["float16", "bfloat16", "float32", "float64", "int32", "int64", "bool"]
Probability = Annotated[float, Field(ge=0, le=1)]


class Argument:
    """Base of the field types that are written ``Annotated[Any, PerDimension(2, 1)]``."""

    texts: frozenset[str] = frozenset()

    def read(self, value: Any) -> Any:
        """The value to keep; ``ValueError`` with what was wanted, where it does not fit."""
        raise AssertionError("each argument type reads its own values")

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema of what is accepted."""
        return {}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def check(value: Any) -> Any:
            try:
                return self.read(value)
            except ValueError as fault:
                raise PydanticCustomError("argument", "{wanted}", {"wanted": str(fault)}) from None

        return core_schema.no_info_plain_validator_function(check)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return self.json_schema()


class PerDimension(Argument):
    """One integer for all ``rank`` dimensions, or ``rank`` of them (kept as a tuple, or as one if all are alike), or
    one of ``texts``.

    ``optional`` takes null for the whole; ``keep`` takes null for an item of the list.
    """

    def __init__(self, rank: int, least: int, *texts: str, optional: bool = False, keep: bool = False):
        self.rank, self.least, self.texts = rank, least, frozenset(texts)
        self.optional, self.keep = optional, keep and rank > 1
        self.wanted = f"an integer of at least {least}"
        self.wanted += f", or a list of {rank} of them" if rank > 1 else ""
        self.wanted += " (null keeps a size)" if self.keep else ""
        self.wanted += "".join(f", or `{text}`" for text in texts)

    def fits(self, value: Any) -> bool:
        """Return whether a value is one integer of at least ``least``."""
        return isinstance(value, int) and not isinstance(value, bool) and value >= self.least

    def fits_item(self, value: Any) -> bool:
        """Return whether a value may stand in the list."""
        return self.fits(value) or (self.keep and value is None)

    def read(self, value: Any) -> Any:
        if self.fits(value) or (isinstance(value, str) and value in self.texts) or (self.optional and value is None):
            return value
        if isinstance(value, (list, tuple)) and len(value) == self.rank and all(map(self.fits_item, value)):
            alike = value[0] is not None and all(item == value[0] for item in value)
            return value[0] if alike else tuple(value)
        raise ValueError(self.wanted)

    def json_schema(self) -> dict[str, Any]:
        one = {"type": "integer", "minimum": self.least}
        item = {"anyOf": [one, {"type": "null"}]} if self.keep else one
        many = {"type": "array", "items": item, "minItems": self.rank, "maxItems": self.rank}
        options: list[dict[str, Any]] = [one, *([many] if self.rank > 1 else [])]
        options += [{"type": "null"}] if self.optional else []
        return {"anyOf": [*options, {"enum": sorted(self.texts)}]} if self.texts else {"anyOf": options}


class Listed(Argument):
    """A list, kept as a tuple, whose items ``accept`` takes; ``wanted`` says so in words. ``least`` is its length.

    ``alone`` takes one item without a list.
    """

    def __init__(
        self,
        wanted: str,
        accept: Callable[[Any], bool],
        item_schema: dict[str, Any],
        least: int = 1,
        *,
        alone: bool = False,
    ):
        self.wanted, self.accept, self.item_schema, self.least, self.alone = wanted, accept, item_schema, least, alone

    def read(self, value: Any) -> Any:
        items = (value,) if self.alone and self.accept(value) else value
        if isinstance(items, (list, tuple)) and len(items) >= self.least and all(map(self.accept, items)):
            return tuple(items)
        raise ValueError(self.wanted)

    def json_schema(self) -> dict[str, Any]:
        many = {"type": "array", "items": self.item_schema, "minItems": self.least}
        return {"anyOf": [self.item_schema, many]} if self.alone else many


class OneOrMany(Argument):
    """A number of at least ``least``, or a list of such (kept as a tuple); ``optional`` takes null too, ``symbolic``
    symbolic sizes.
    """

    def __init__(self, least: float, *, whole: bool = True, optional: bool = False, symbolic: bool = False):
        self.least, self.whole, self.optional, self.symbolic = least, whole, optional, symbolic
        number = "an integer" if whole else "a number"
        self.wanted = (
            f"{number} of at least {least}, or a list of them"
            if whole
            else f"{number} above {least}, or a list of them"
        )

    def fits(self, value: Any) -> bool:
        """Return whether a value is one number above, or of at least, ``least``."""
        if self.whole:
            return (is_integer(value) and value >= self.least) or (self.symbolic and isinstance(value, Dim))
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number and math.isfinite(value) and value > self.least

    def read(self, value: Any) -> Any:
        if self.fits(value) or (self.optional and value is None):
            return value
        if isinstance(value, (list, tuple)) and value and all(map(self.fits, value)):
            return tuple(value)
        raise ValueError(self.wanted)

    def json_schema(self) -> dict[str, Any]:
        bound = (
            {"type": "integer", "minimum": self.least}
            if self.whole
            else {"type": "number", "exclusiveMinimum": self.least}
        )
        bound = {**bound, "type": ["integer", "string"]} if self.symbolic else bound
        options: list[dict[str, Any]] = [bound, {"type": "array", "items": bound, "minItems": 1}]
        return {"anyOf": [*options, {"type": "null"}] if self.optional else options}


class Number(Argument):
    """A number, or ``inf`` or ``-inf`` as text; ``optional`` takes null too."""

    texts = frozenset({"inf", "-inf"})

    def __init__(self, *, optional: bool = False):
        self.optional = optional

    def read(self, value: Any) -> Any:
        number = isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
        if (self.optional and value is None) or (isinstance(value, str) and value in self.texts):
            return value
        if not number:
            raise ValueError("a number, `inf` or `-inf`")
        return value if math.isfinite(value) else str(value)

    def json_schema(self) -> dict[str, Any]:
        options: list[dict[str, Any]] = [{"type": "number"}, {"enum": sorted(self.texts)}]
        return {"anyOf": [*options, {"type": "null"}] if self.optional else options}


class Axes(Argument):
    """A dimension, or a list of them (kept as a tuple); null stands for all."""

    def read(self, value: Any) -> Any:
        if value is None or is_integer(value):
            return value
        if isinstance(value, (list, tuple)) and value and all(map(is_integer, value)):
            return tuple(value)
        raise ValueError("an integer, a list of integers, or null for all dimensions")

    def json_schema(self) -> dict[str, Any]:
        return {"anyOf": [INTEGER, {"type": "array", "items": INTEGER, "minItems": 1}, {"type": "null"}]}


class Extent(Argument):
    """A size: an integer of at least ``least`` (0; any, if that is ``None``), or a symbolic one.

    ``optional`` takes null too.
    """

    def __init__(self, least: int | None = 0, *, optional: bool = False):
        self.least, self.optional = least, optional
        self.wanted = "an integer" + ("" if least is None else f" of at least {least}") + ", or a symbolic size"

    def read(self, value: Any) -> Any:
        if isinstance(value, Dim) or (self.optional and value is None):
            return value
        if is_integer(value) and (self.least is None or value >= self.least):
            return value
        raise ValueError(self.wanted)

    def json_schema(self) -> dict[str, Any]:
        types = ["integer", "string", *(["null"] if self.optional else [])]
        return {"type": types, **({} if self.least is None else {"minimum": self.least})}


class Sizes(Argument):
    """A list of sizes (kept as a tuple), each an integer of at least ``least`` or a symbolic one.

    ``rest`` takes -1 as well, and ``wanted`` says for what; ``alone`` takes one size without a list; ``empty`` an empty
    list.
    """

    def __init__(self, least: int | None = 1, rest: str = "", *, alone: bool = False, empty: bool = False):
        self.least, self.rest, self.alone, self.empty = least, rest, alone, empty
        self.wanted = "a list of sizes" + (f", {rest}" if rest else "")

    def fits(self, value: Any) -> bool:
        """Return whether a value is a size that may stand in the list."""
        whole = is_integer(value) and (self.least is None or value >= self.least or (value == -1 and self.rest != ""))
        return whole or isinstance(value, Dim)

    def read(self, value: Any) -> Any:
        items = value if isinstance(value, (list, tuple)) else (value,) if self.alone else None
        if items is not None and (items or self.empty) and all(map(self.fits, items)):
            return tuple(items)
        raise ValueError(self.wanted)

    def json_schema(self) -> dict[str, Any]:
        one = {"type": ["integer", "string"]}
        types = ["array", "integer", "string"] if self.alone else "array"
        return {"type": types, "items": one, **({} if self.empty else {"minItems": 1})}


class Nested(Argument):
    """A number or a boolean, or lists of them nested to any depth, equally long (kept as tuples)."""

    def read(self, value: Any) -> Any:
        if isinstance(value, (bool, int, float)) and math.isfinite(value):
            return value
        if not isinstance(value, (list, tuple)) or not value:
            raise ValueError("a finite number, or lists of them")
        items = tuple(map(self.read, value))
        if len(set(map(lengths, items))) > 1:
            raise ValueError("lists of equal lengths")
        return items

    def json_schema(self) -> dict[str, Any]:
        return {"type": ["number", "boolean", "array"]}


def lengths(value: Any) -> tuple[int, ...]:
    """The shape of nested tuples."""
    return (len(value), *lengths(value[0])) if isinstance(value, tuple) else ()


def is_integer(value: Any) -> bool:
    """Return whether it is an integer, which ``True`` is not."""
    return isinstance(value, int) and not isinstance(value, bool)


INTEGER = {"type": "integer"}
OneOrSome = Annotated[Any, Listed("an integer, or a list of integers", is_integer, INTEGER, alone=True)]
Integers = Annotated[Any, Listed("a list of integers", is_integer, INTEGER)]


@dataclass(frozen=True, slots=True)
class TextRule:
    """The reading of text as an argument: as it stands if it is one of ``literal`` (or ``any``), else an expression."""

    any: bool
    literal: frozenset[str]

    def takes(self, text: str) -> bool:
        """Return whether a text is taken as it stands."""
        return self.any or text in self.literal


@cache
def text_rule(model: type[BaseModel], argument: str) -> TextRule:
    """The rule for one field of an op."""
    field = model.model_fields[argument]
    for mark in field.metadata:
        if isinstance(mark, Argument):
            return TextRule(False, mark.texts)
    return TextRule(_takes_any(field.annotation), frozenset(_literals(field.annotation)))


def _takes_any(annotation: Any) -> bool:
    return annotation is str or any(
        map(_takes_any, get_args(annotation) if get_origin(annotation) is not Literal else ())
    )


def _literals(annotation: Any) -> list[str]:
    if get_origin(annotation) is Literal:
        return [value for value in get_args(annotation) if isinstance(value, str)]
    return [text for part in get_args(annotation) for text in _literals(part)]


def spread(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """One number for each dimension."""
    return (value,) * rank if isinstance(value, int) else value


def spell_number(value: float | str) -> str:
    """A number as Python writes it; whole ones without a point."""
    if isinstance(value, str):
        return f'float("{value}")'
    if isinstance(value, Named):
        return str(value)
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(value)


def spell_window(value: int | tuple[int, ...], rank: int = 2) -> str:
    """A window for people: ``3×3``, ``1×7``."""
    return "×".join(str(size) for size in spread(value, rank))
