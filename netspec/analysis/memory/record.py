"""The record of what the steps of a level save, by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from netspec.dataclass import dataclass
from netspec.dims import Size, total


@dataclass(eq=False, slots=True)
class Record:
    """The bytes that the steps of a level save in one run, by name; ``calls`` has inner records with their counts."""

    steps: dict[str, Size] = field(default_factory=dict)
    calls: dict[str, list[tuple[Size, Record]]] = field(default_factory=dict)

    @property
    def total(self) -> Size:
        """Bytes that all steps save."""
        return total(self.steps.values())

    def add(self, name: str, size: Size, inside: Record | None = None) -> None:
        """Add the bytes that a step saves, with the record of the level ``inside``."""
        self.steps[name] = self.steps[name] + size if name in self.steps else size
        if inside is not None:
            self.calls.setdefault(name, []).append((1, inside))

    def add_all(self, other: Record, times: Size) -> None:
        """All that another run of the same level keeps, so many times."""
        for name, size in other.steps.items():
            self.steps[name] = self.steps.get(name, 0) + size * times
        for name, calls in other.calls.items():
            self.calls.setdefault(name, []).extend((count * times, inside) for count, inside in calls)

    def at(self, path: Sequence[str]) -> Size:
        """Return the bytes of the step at a path. Raises ``KeyError`` where there is none."""
        if ".".join(path) in self.steps:
            return self.steps[".".join(path)]
        count = next((each for each in range(len(path) - 1, 1, -1) if ".".join(path[:each]) in self.calls), 1)
        size: Size = 0
        for times, inside in self.calls[".".join(path[:count])]:
            if inside.has(path[count:]):  # a part of the level may run ahead of the rest
                size = size + times * inside.at(path[count:])
        return size

    def has(self, path: Sequence[str]) -> bool:
        """Return whether the path leads to a step."""
        return any(".".join(path[: end + 1]) in self.steps for end in range(len(path)))
