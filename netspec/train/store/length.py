"""The length of a run that may have been changed: what it was before, and what its schedule was planned for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from netspec.recipes.settings import Settings

KEYS = ("epochs", "steps")
"""The keys of a recipe that say how long a run is; one of them is set."""


@dataclass(frozen=True, slots=True)
class RunLength:
    """So many ``epochs``, or so many ``steps``."""

    epochs: int | None = None
    steps: int | None = None

    @staticmethod
    def of(plain: Mapping[str, Any]) -> RunLength:
        """Return the length that a recipe in plain values has."""
        return RunLength(*(plain.get(key) for key in KEYS))

    @staticmethod
    def of_settings(settings: Settings) -> RunLength:
        """Return the length that the settings of a run have."""
        return RunLength(settings.epochs, settings.steps)

    def plain(self) -> dict[str, int | None]:
        """Return the keys of the recipe."""
        return {"epochs": self.epochs, "steps": self.steps}

    def total(self, steps_per_epoch: int) -> int:
        """Return the number of steps."""
        return self.steps or (self.epochs or 0) * steps_per_epoch

    def extends(self, other: RunLength) -> bool:
        """Return whether this is more of the same, epochs or steps."""
        pairs = [(self.epochs, other.epochs), (self.steps, other.steps)]
        return all((more is None) == (less is None) and (more or 0) >= (less or 0) for more, less in pairs) and (
            self != other
        )

    def shortens(self, other: RunLength) -> bool:
        """Return whether this is less of the same, epochs or steps."""
        return other.extends(self)

    def __str__(self) -> str:
        count, word = (self.steps, "step") if self.steps else (self.epochs, "epoch")
        return f"{count:,} {word}{'s' * (count != 1)}"


@dataclass(frozen=True, slots=True)
class Extensions:
    """The extensions of a run: ``earlier`` has the lengths before its own, ``planned`` is the one that its
    schedule follows, ``None`` for its own.
    """

    earlier: tuple[RunLength, ...] = ()
    planned: RunLength | None = None

    @staticmethod
    def of(facts: Mapping[str, Any]) -> Extensions:
        """Return what ``run.json`` says."""
        found = facts.get("extended")
        if not found:
            return Extensions()
        planned = found["schedule"]
        return Extensions(tuple(map(RunLength.of, found["from"])), None if planned is None else RunLength.of(planned))

    def plain(self) -> dict[str, Any]:
        """Return the entry of ``run.json``; none for a run that was never extended."""
        if not self.earlier:
            return {}
        planned = None if self.planned is None else self.planned.plain()
        return {"extended": {"from": [each.plain() for each in self.earlier], "schedule": planned}}

    def further(self, was: RunLength, stretch: bool) -> Extensions:
        """Return what it is after another extension of a run that ``was`` so long; ``stretch`` plans its schedule anew,
        for its own length.
        """
        return Extensions((*self.earlier, was), None if stretch else self.planned or was)


NEVER_EXTENDED = Extensions()
