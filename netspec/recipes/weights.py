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
    ``adapter`` is a folder with changes of low rank, and what was learned beside them, that come on top.
    """

    origin: str
    skip: tuple[str, ...] = ()
    rename: Mapping[str, str] = field(default_factory=dict)
    prefix: str = ""
    adapter: str = ""

    def plain(self) -> dict[str, Any]:
        """Return the source as a spec writes it, with all its keys."""
        keys = {"from": self.origin, "skip": [*self.skip], "rename": dict(self.rename), "prefix": self.prefix}
        return keys | ({"adapter": self.adapter} if self.adapter else {})


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


def written_source(source: WeightsSource) -> str:
    """Return a source as it is written under ``weights``, in a recipe or on the command line."""
    parts = [f"from: {_quoted(source.origin)}"]
    if source.skip:
        listed = ", ".join(map(_quoted, source.skip))
        parts.append(f"skip: {listed if len(source.skip) == 1 else f'[{listed}]'}")
    if source.rename:
        pairs = (f"{_quoted(old)}: {_quoted(new)}" for old, new in source.rename.items())
        parts.append(f"rename: {{{', '.join(pairs)}}}")
    if source.prefix:
        parts.append(f"prefix: {_quoted(source.prefix)}")
    if source.adapter:
        parts.append(f"adapter: {_quoted(source.adapter)}")
    return f"{{{', '.join(parts)}}}"


PLAIN = re.compile(r"[A-Za-z/.][\w/]*[./][\w./]*\Z", re.ASCII)
"""The texts that YAML takes for nothing but a text: paths, mostly."""


def _quoted(text: str) -> str:
    """A text of YAML; the signs of regular expressions stand for themselves between single quotes."""
    return text if PLAIN.match(text) else "'" + text.replace("'", "''") + "'"
