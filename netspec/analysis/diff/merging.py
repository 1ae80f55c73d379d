"""Two networks as one: the steps of both in one order, level by level, with the wires of either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from netspec.analysis.diff.changes import Change, Differences
from netspec.analysis.diff.matching import Match
from netspec.dataclass import dataclass
from netspec.graph import Call, Level, Step, Value

Side = str
"""``added`` or ``removed`` for what one of the two networks has alone; empty for what both have."""


@dataclass(frozen=True, eq=False)
class MergedStep:
    """A step of either network, or one of each that correspond.

    ``reads`` has what the new step reads, then what only the old one did; ``makes`` likewise. They are values of the
    merged level. ``wires`` tells for those that one of the two reads alone which one it is. ``kind`` is that of the
    change: ``added``, ``removed``, ``changed``, ``follows``, ``inside``, or empty for what is as before.
    """

    match: Match
    change: Change | None
    kind: str
    reads: tuple[Value, ...]
    makes: tuple[Value, ...]
    wires: Mapping[Value, Side]

    @property
    def step(self) -> Step:
        """The new step, or the old one of what is gone."""
        return self.match.step

    def inside(self) -> MergedLevel:
        """Return the merged level of a call."""
        old, new, change = self.match.old, self.match.new, self.change
        bodies = [step.body if isinstance(step, Call) else None for step in (old, new)]
        inner = self.match.inner
        if inner is None:
            steps = [body.steps if body is not None else () for body in bodies]
            both = old is not None and new is not None
            inner = tuple(map(Match, *steps)) if both else tuple(_alone(steps[0], steps[1]))
        return merged(bodies[0], bodies[1], inner, () if change is None else change.inner)


@dataclass(frozen=True, eq=False)
class MergedLevel:
    """Two levels as one, or one of them that has no counterpart.

    A value of the old level stands for itself only where the new one has no such value; ``stands`` maps all of them.
    ``ends`` tells of an output that only one of the two gives which one it is.
    """

    old: Level | None
    new: Level | None
    inputs: tuple[Value, ...]
    input_names: tuple[str, ...]
    outputs: tuple[Value, ...]
    steps: tuple[MergedStep, ...]
    stands: Mapping[Value, Value]
    ends: Mapping[Value, Side]

    @property
    def level(self) -> Level:
        """The new level, or the old one of what is gone."""
        level = self.new or self.old
        assert level is not None
        return level


def merged_networks(diff: Differences) -> MergedLevel:
    """Return the two networks of a difference as one level."""
    return merged(diff.old.body, diff.new.body, diff.matching.steps, diff.changes)


def merged(old: Level | None, new: Level | None, matches: Sequence[Match], changes: Sequence[Change]) -> MergedLevel:
    """Return two levels as one; ``matches`` has their steps, ``changes`` those that differ."""
    known = {(each.match.old, each.match.new): each for each in changes}
    stands = _inputs_that_stand(old, new)
    inputs = {value: name for level in (new, old) if level for value, name in zip(level.inputs, level.input_names)}
    steps = []
    for match in matches:
        change = known.get((match.old, match.new))
        kind = "added" if match.old is None else "removed" if match.new is None else change.kind if change else ""
        before, after = [
            (each.inputs, each.outputs) if each is not None else ((), ()) for each in (match.old, match.new)
        ]
        stands.update((value, after[1][at] if at < len(after[1]) else value) for at, value in enumerate(before[1]))
        reads, wires = _joined(before[0], after[0], stands)
        makes, _ = _joined(before[1], after[1], stands)
        steps.append(MergedStep(match, change, kind, reads, makes, wires))
    outputs, ends = _joined(old.outputs if old else (), new.outputs if new else (), stands)
    kept = [value for value in inputs if stands.get(value, value) is value]
    return MergedLevel(
        old, new, tuple(kept), tuple(inputs[value] for value in kept), outputs, tuple(steps), stands, ends
    )


def _alone(old: Sequence[Step], new: Sequence[Step]) -> Iterator[Match]:
    yield from (Match(step, None) for step in old)
    yield from (Match(None, step) for step in new)


def _inputs_that_stand(old: Level | None, new: Level | None) -> dict[Value, Value]:
    """Return the value that stands for each input of the old level: one of its name, or of its place, or itself."""
    if old is None:
        return {}
    stands = {value: value for value in old.inputs}
    if new is None:
        return stands
    named = dict(zip(new.input_names, new.inputs))
    stands.update((value, named[name]) for name, value in zip(old.input_names, old.inputs) if name in named)
    left = {*new.inputs} - {*stands.values()}
    for was, now in zip(old.inputs, new.inputs):
        if stands[was] is was and now in left:
            stands[was] = now
    return stands


def _joined(
    old: Sequence[Value], new: Sequence[Value], stands: Mapping[Value, Value]
) -> tuple[tuple[Value, ...], dict[Value, Side]]:
    """Return the new values, then those of the old ones that are not among them, and which only one of the two has."""
    before = [stands[value] for value in old]
    after = list(new)
    sides = {value: "removed" for value in before if value not in after}
    sides |= {value: "added" for value in after if value not in before}
    return (*after, *dict.fromkeys(value for value in before if value not in after)), sides
