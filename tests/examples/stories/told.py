"""A story that has been run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Story:
    """The folder that it ran in, what it printed, and the page that tells it."""

    folder: Path
    out: str
    err: str
    page: str

    def between(self, start: str, end: str) -> str:
        """Return what was printed after one text, up to another."""
        return self.out.partition(start)[2].partition(end)[0]
