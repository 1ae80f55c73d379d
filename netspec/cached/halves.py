"""The halves of a level: what is known before the first word, and what is done for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from netspec.cached.courses import Course
from netspec.cached.making import Kept
from netspec.graph import Level, Step, Value


@dataclass(frozen=True, eq=False)
class Halves:
    """The halves of a level. ``courses`` are those of its outputs.

    ``begin`` takes the inputs that are known before the words, and gives ``before``, those of the outputs that are,
    then ``memory``, which ``step`` reads. ``step`` takes the inputs at ``taken``, then ``memory``, the positions where
    it ``counts``, the columns where it ``pairs`` words, and the past of what it keeps; it gives the outputs at ``now``,
    then the present.
    """

    courses: tuple[Course, ...]
    begin: Level
    step: Level
    known: tuple[int, ...]
    taken: tuple[int, ...]
    before: tuple[int, ...]
    now: tuple[int, ...]
    memory: tuple[Value, ...]
    counts: bool
    pairs: bool
    kept: tuple[Kept, ...]


@dataclass(eq=False)
class HalvesInMaking:
    """The halves of a level in the making.

    ``places`` has the values that stand for others in the step, ``padded`` those that have zeros in front of the words,
    with these and the number of zeros, ``longer`` those with too many behind, with what they are without and how many.
    """

    level: Level
    courses: dict[Value, Course]
    begin: list[Step] = field(default_factory=list)
    step: list[Step] = field(default_factory=list)
    memory: dict[Value, None] = field(default_factory=dict)
    kept: list[Kept] = field(default_factory=list)
    places: dict[Value, Value] = field(default_factory=dict)
    padded: dict[Value, tuple[Value, int]] = field(default_factory=dict)
    longer: dict[Value, tuple[Value, int]] = field(default_factory=dict)
    counts: bool = False
    pairs: bool = False

    def of(self, values: Iterable[Value]) -> list[Course]:
        """Return the courses of values."""
        return [self.courses[value] for value in values]

    def placed(self, value: Value, made: Value, course: Course) -> None:
        """Have what a step makes stand for a value."""
        self.places[value] = made
        self.courses[value] = self.courses[made] = course

    def taken(self, step: Step) -> set[str]:
        """Return the names that the other steps of the level have."""
        return {each.name for each in self.level.steps if each.name != step.name}


def closed(making: HalvesInMaking, courses: Sequence[Course], positions: Value, columns: Value) -> Halves:
    """Return the halves of a level all of whose steps are placed."""
    level = making.level
    gives = tuple(making.of(level.outputs))
    before = tuple(at for at, course in enumerate(gives) if course in ("always", "before"))
    now = tuple(at for at in range(len(gives)) if at not in before)
    starts = [each.start for each in making.kept if each.start is not None]
    own = {*level.inputs}
    memory = tuple(dict.fromkeys(value for value in (*making.memory, *starts) if value not in own))
    known = tuple(at for at, course in enumerate(courses) if course in ("always", "before"))
    taken = tuple(at for at, course in enumerate(courses) if course != "before" or level.inputs[at] in making.memory)
    stems = [each.stem for each in making.kept]
    numbered = [f"{stem}_{stems[:at].count(stem)}" if stems.count(stem) > 1 else stem for at, stem in enumerate(stems)]
    remembered = [f"memory_{at}" if len(memory) > 1 else "memory" for at in range(len(memory))]
    begin = replace(
        level,
        inputs=tuple(level.inputs[at] for at in known),
        input_names=tuple(level.input_names[at] for at in known),
        steps=tuple(making.begin),
        outputs=(*(level.outputs[at] for at in before), *memory),
        output_names=(*(level.output_names[at] for at in before), *remembered),
        phases={},
    )
    there = making.places
    late = (there.get(level.outputs[at], level.outputs[at]) for at in now)
    step = replace(
        level,
        inputs=(
            *(there.get(level.inputs[at], level.inputs[at]) for at in taken),
            *memory,
            *[positions] * making.counts,
            *[columns] * making.pairs,
            *(each.past for each in making.kept),
        ),
        input_names=(
            *(level.input_names[at] for at in taken),
            *remembered,
            *["positions"] * making.counts,
            *["columns"] * making.pairs,
            *(f"past_{name}" for name in numbered),
        ),
        steps=tuple(making.step),
        outputs=(*late, *(each.present for each in making.kept)),
        output_names=(*(level.output_names[at] for at in now), *(f"present_{name}" for name in numbered)),
        phases={},
    )
    given = making.counts, making.pairs
    return Halves(gives, begin, step, known, taken, before, now, memory, *given, tuple(making.kept))
