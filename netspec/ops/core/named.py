"""Arguments that stand for a name: ops count with their values, and write the name where they would write a number.

The source of levels that differ in a number says ``F.dropout(x, p=self.p)``. An op that is handed such a number as its
argument says so by itself.
"""

from collections.abc import Callable
from typing import Any


class Named:
    """Base of the named arguments."""

    text: str

    def __repr__(self) -> str:
        return self.text

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return self.text


class NamedInteger(Named, int):
    """An integer or a truth value, under a name."""


class NamedFloat(Named, float):
    """A real number, under a name."""


class NamedTuple(Named, tuple[Any, ...]):
    """A list, under a name."""


KINDS: dict[type, type[Named]] = {int: NamedInteger, bool: NamedInteger, float: NamedFloat, tuple: NamedTuple}


def named(value: Any, name_of: Callable[[str, Any], str | None], path: str) -> Any:
    """The argument under the name that ``name_of`` gives its place, and so a list's items; without one, as it is."""
    held = value
    if isinstance(value, tuple):
        held = tuple(named(item, name_of, f"{path}_{at}") for at, item in enumerate(value))
    kind = KINDS.get(type(value))
    text = None if kind is None else name_of(path, value)
    if kind is None or text is None:
        return held
    argument = kind(held)  # type: ignore[call-arg]
    argument.text = text
    return argument
