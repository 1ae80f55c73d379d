"""The names of initializers that are parameters in another form: ``key/T``, ``key/0/T``, ``key/0``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

FORM = re.compile(r"(?P<key>[^/]+)(/(?P<part>\d+))?(?P<turned>/T)?")


def name_in_form(key: str, part: int | None = None, turned: bool = False) -> str:
    """Return the name of a parameter, or of one of its parts, as it is or transposed."""
    return f"{key}{'' if part is None else f'/{part}'}{'/T' if turned else ''}"


def key_in_form(name: str) -> str:
    """Return the key of the parameter that an initializer's name says; nothing for a constant."""
    found = FORM.fullmatch(name)
    return found["key"] if found else ""


def whole(key: str, arrays: Mapping[str, Any]) -> Any:
    """Return the parameter of a key as it is, out of the arrays of a file by name; ``None`` where it has none.

    Transposed numbers are not copied, parts are.
    """
    for turned in (False, True):
        name = name_in_form(key, turned=turned)
        if name in arrays:
            return arrays[name].T if turned else arrays[name]
        parts: list[Any] = []
        while (name := name_in_form(key, len(parts), turned)) in arrays:
            parts.append(arrays[name].T if turned else arrays[name])
        if parts:
            return np.concatenate(parts)
    return None
