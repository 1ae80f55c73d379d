"""Sources of weights, as a recipe or a caller names them, and how their keys become those of a spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field
from typing import Any

from netspec.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """A source of weights: a file, a folder, or a name such as ``torchvision:IMAGENET1K_V2`` as its ``origin``.

    Of the source's keys, those that begin with ``prefix`` are taken, without it; then each regular expression of
    ``rename`` is replaced in them, in order. ``skip`` has patterns of the spec's keys that keep their initial values.
    """

    origin: str
    skip: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the source as a spec writes it, with all its keys."""
        return {"from": self.origin, "skip": [*self.skip], "rename": dict(self.rename), "prefix": self.prefix}


LONGEST = 500


def rename_fault(pattern: str, replacement: str) -> str | None:
    """Return why a rename cannot be carried out; ``None`` where it can."""
    if len(pattern) > LONGEST or len(replacement) > LONGEST:
        return f"it is longer than {LONGEST} letters"
    try:
        re.compile(pattern).sub(replacement, "")
    except (re.error, IndexError, OverflowError, RecursionError) as fault:
        return f"it is no regular expression with a replacement ({fault})"
    return None
