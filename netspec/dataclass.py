"""The ``dataclass`` of the front half, which takes no time until the first instance is made.

The standard library's compiles up to nine methods for every class, half a millisecond. A command defines a hundred
classes, and makes instances of half of them. Here ``__init__`` is compiled when it is first called, and all classes
share the other methods. ``fields``, ``replace`` and type checkers see no difference.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(
        kind: type | None = None,
        /,
        *,
        frozen: bool = False,
        eq: bool = True,
        slots: bool = False,
        unsafe_hash: bool = False,
    ) -> Any:
        """Make a class a dataclass; the options are those of ``dataclasses.dataclass``."""
        if kind is None:
            return lambda kind: dataclass(kind, frozen=frozen, eq=eq, slots=slots, unsafe_hash=unsafe_hash)
        made = dataclasses.dataclass(kind, init=False, repr=False, eq=False, slots=slots)
        made.__init__ = _first_init(made, frozen)
        if "__repr__" not in vars(kind):
            made.__repr__ = _repr
        if frozen:
            made.__setattr__ = made.__delattr__ = _refuse
        if frozen and slots:  # a copy would be filled by `__setattr__`
            made.__getstate__, made.__setstate__ = _state, _set_state
        if eq:
            _compare_by_fields(made, hashable=frozen or unsafe_hash)
        return made


def _first_init(kind: type, frozen: bool) -> Callable[..., None]:
    """Return an ``__init__`` that puts the compiled one in its place when it is first called."""

    def __init__(self: Any, *values: Any, **named: Any) -> None:
        kind.__init__ = _compiled_init(kind, frozen)  # type: ignore[misc]
        kind.__init__(self, *values, **named)  # type: ignore[misc]

    return __init__


def _compiled_init(kind: type, frozen: bool) -> Callable[..., None]:
    scope: dict[str, Any] = {"_set": object.__setattr__, "_missing": dataclasses.MISSING}
    parameters, lines = [], []
    for each in dataclasses.fields(kind):
        if not each.init:
            continue
        name = value = each.name
        if each.default is not dataclasses.MISSING:
            scope[f"_{name}"] = each.default
            parameters.append(f"{name}=_{name}")
        elif each.default_factory is not dataclasses.MISSING:
            scope[f"_{name}"] = each.default_factory
            parameters.append(f"{name}=_missing")
            value = f"_{name}() if {name} is _missing else {name}"
        else:
            parameters.append(name)
        lines.append(f"_set(self, {name!r}, {value})" if frozen else f"self.{name} = {value}")
    if hasattr(kind, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__(self, {', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"]), scope)
    made: Callable[..., None] = scope["__init__"]
    made.__qualname__ = f"{kind.__qualname__}.__init__"
    return made


def _compare_by_fields(kind: Any, hashable: bool) -> None:
    """Give a class the ``__eq__`` and ``__hash__`` of its fields, where it has none of its own."""
    names = [each.name for each in dataclasses.fields(kind) if each.compare]
    values = attrgetter(*names) if names else lambda _: ()

    def __eq__(self: Any, other: object) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(values(self))

    if "__eq__" not in vars(kind):
        kind.__eq__ = __eq__
    if vars(kind).get("__hash__") is None:
        kind.__hash__ = __hash__ if hashable else None


@recursive_repr()
def _repr(self: Any) -> str:
    shown = [f"{each.name}={getattr(self, each.name)!r}" for each in dataclasses.fields(self) if each.repr]
    return f"{self.__class__.__qualname__}({', '.join(shown)})"


def _refuse(self: Any, name: str, *_: Any) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change `{name}`: a {self.__class__.__qualname__} is frozen")


def _state(self: Any) -> list[Any]:
    return [getattr(self, each.name) for each in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for each, value in zip(dataclasses.fields(self), state):
        object.__setattr__(self, each.name, value)
