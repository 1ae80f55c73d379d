"""Keys that are equal where values are: what is read from a text depends on the values of the names in it alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from netspec.dims import Dim

PLAIN = frozenset({int, float, str, bool, type(None), Dim})


def hashable(value: Any) -> Any:
    """Return a key that is equal for values that are equal and of one type."""
    kind = type(value)
    if kind in PLAIN:  # before the slower questions
        return kind, value
    if kind is list or kind is tuple:
        return tuple([hashable(item) for item in value])
    if kind is dict or isinstance(value, Mapping):
        return tuple(
            [(key, type(item), item) if type(item) in PLAIN else (key, hashable(item)) for key, item in value.items()]
        )
    return kind, value


def values_of(names: Iterable[str], env: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a key that is equal where these names have the same values; ``None`` stands for a name without one."""
    return tuple([hashable(env[name]) if name in env else None for name in names]) if names else ()
