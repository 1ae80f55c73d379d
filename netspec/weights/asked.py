"""Weights as a caller in Python names them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from netspec.diagnostics import UsageError, clipped
from netspec.recipes.weights import WeightsSource, rename_fault

KEYS = ("from", "skip", "rename", "prefix", "adapter")

Asked = str | os.PathLike[str] | Mapping[str, Any]
"""Weights as a caller in Python names them: a source alone, or a mapping as under ``weights`` in a recipe."""


def asked_source(asked: Asked) -> WeightsSource:
    """Return the source that a caller names. Raises ``UsageError`` where it is not written as in a recipe."""
    if not isinstance(asked, Mapping):
        return WeightsSource(os.fspath(asked))
    skip, rename = asked.get("skip", ()), asked.get("rename", {})
    unknown = [key for key in asked if key not in KEYS]
    if unknown or "from" not in asked:
        wrong = f"has no key `{clipped(str(unknown[0]))}`" if unknown else "needs `from`"
        raise UsageError(f"`weights` {wrong}: its keys are `{'`, `'.join(KEYS)}`")
    for pattern, replacement in rename.items():
        if (fault := rename_fault(pattern, replacement)) is not None:
            raise UsageError(f"`{clipped(pattern)}` cannot be renamed: {fault}")
    skip = (skip,) if isinstance(skip, str) else tuple(skip)
    origin, adapter = (os.fspath(asked.get(key, "")) for key in ("from", "adapter"))
    return WeightsSource(origin, skip, rename, asked.get("prefix", ""), adapter)
