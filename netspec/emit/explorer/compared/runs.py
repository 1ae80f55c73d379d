"""The steps of a merged level that are one card: an op with what follows it, and equal ones in a row."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from netspec.analysis.diff.matching import Signatures
from netspec.analysis.diff.merging import MergedLevel, MergedStep
from netspec.dataclass import dataclass
from netspec.graph import Call, Node, Value
from netspec.view.folding import Card, shares_card

ALIKE = ("", "changed", "follows")


@dataclass(frozen=True, eq=False)
class MergedRun:
    """Steps that are one card: the first of ``count`` in a row in ``first``, all of them in ``steps``."""

    first: tuple[MergedStep, ...]
    steps: tuple[MergedStep, ...]
    count: int = 1

    @property
    def head(self) -> MergedStep:
        return self.first[0]

    @property
    def last(self) -> MergedStep:
        return self.steps[-1]

    def card(self, path: str) -> Card:
        """Return the run as a card, as the wiring of a level takes it."""
        step = self.head.step
        name = "" if isinstance(step, Node) and (step.merges or step.name.isdigit()) else step.name
        steps = tuple(each.step for each in self.first)
        reads, makes = self.head.reads, self.last.makes
        return Card(
            "level" if isinstance(step, Call) else "op", path, name, steps, reads, makes, step.training, self.count
        )


def runs_of(level: MergedLevel, signatures: Signatures) -> list[MergedRun]:
    """Return a merged level's steps by card."""
    uses: dict[Value, int] = {}
    for step in level.steps:
        for value in step.reads:
            uses[value] = uses.get(value, 0) + 1
    for value in level.outputs:
        uses[value] = uses.get(value, 0) + 1
    return list(_counted(_chained(level, uses), uses, signatures))


def _chained(level: MergedLevel, uses: dict[Value, int]) -> Iterator[MergedRun]:
    held: MergedRun | None = None
    for step in level.steps:
        if held is not None and _follows(held, step, uses):
            held = MergedRun((*held.first, step), (*held.steps, step))
            continue
        if held is not None:
            yield held
        held = MergedRun((step,), (step,))
    if held is not None:
        yield held


def _follows(before: MergedRun, step: MergedStep, uses: dict[Value, int]) -> bool:
    """Return whether a step stands on the card of an op: a norm or an activation that alone reads what that makes.

    Both are of the same networks, and what has changed by itself has a card by itself.
    """
    head, last, node = before.head.step, before.last.step, step.step
    if not isinstance(head, Node) or not isinstance(last, Node) or not isinstance(node, Node):
        return False
    if node.shares or last.shares or node.training != last.training or last.merges or last.op.variadic:
        return False
    kinds = before.head.kind, step.kind
    together = kinds[0] == kinds[1] != "changed" or (kinds[0] in ALIKE and step.kind in ("", "follows"))
    chained = step.reads == before.last.makes and all(uses[value] == 1 for value in step.reads)
    return together and chained and shares_card(last.op.family, node)


def _counted(runs: Iterator[MergedRun], uses: dict[Value, int], signatures: Signatures) -> Iterator[MergedRun]:
    held: MergedRun | None = None
    for run in runs:
        if held is not None and _repeats(held, run, uses, signatures):
            held = MergedRun(held.first, (*held.steps, *run.steps), held.count + 1)
            continue
        if held is not None:
            yield held
        held = run
    if held is not None:
        yield held


def _repeats(before: MergedRun, run: MergedRun, uses: dict[Value, int], signatures: Signatures) -> bool:
    """Return whether a run is the one before it again, on what that makes, which nothing else reads."""
    keys = [[_key(step, signatures) for step in each.first] for each in (before, run)]
    if keys[0] != keys[1] or any(uses.get(value, 0) > run.head.reads.count(value) for value in before.last.makes):
        return False
    above = before.steps[-len(before.first)].reads
    moved = [now for was, now in zip(above, run.head.reads) if was is not now]
    return len(above) == len(run.head.reads) and bool(moved) and all(now in before.last.makes for now in moved)


def _key(step: MergedStep, signatures: Signatures) -> Hashable:
    """Equal for steps that are the same in both networks, with the same changes."""
    sides = tuple(each and signatures.of(each) for each in (step.match.old, step.match.new))
    return step.kind, sides, None if step.change is None else step.change.key
