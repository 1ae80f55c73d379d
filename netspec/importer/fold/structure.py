"""Residuals, branches and side steps in the steps of a level: what joins is found, and what it joins moves inside."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import count
from typing import NamedTuple

from netspec.elaborate.building.reserved import why_reserved
from netspec.importer.write.naming import final_wires
from netspec.importer.write.phrases import (
    BranchPhrase,
    CallPhrase,
    GroupPhrase,
    IfPhrase,
    ParallelPhrase,
    Phrase,
    ResidualPhrase,
    ScanPhrase,
    SidePhrase,
    Wire,
)
from netspec.ops import OPS
from netspec.spec import NAME

RESIDUAL = ("add", "multiply", "maximum", "concat")
COMMUTES = ("add", "multiply", "maximum", "mean")
PARALLEL = ("concat", "add", "multiply", "mean", "maximum", "stack")
MOST_STEPS = 1000
"""A branch has no more steps."""


class JoinedBranch(NamedTuple):
    """The steps that make a wire, which nothing else reads, in order, and the wires that they read from before."""

    steps: list[Phrase]
    entries: list[Wire]
    result: Wire


class StructureFinder:
    """Finds the structures of one level, whose steps are in an order that they can run in.

    ``reads`` has what a step, with the steps in it, reads of the level; ``users`` the steps that read a wire.
    """

    def __init__(self, body: Sequence[Phrase], results: Sequence[Wire]):
        self.body: list[Phrase | None] = [*body]
        self.names = {str(phrase.name) for phrase in body}
        self.results = frozenset(results)
        self.places = {phrase: at for at, phrase in enumerate(body)}
        self.reads = {phrase: [wire for wire in phrase.reads if wire is not None] for phrase in body}
        self.users: dict[Wire, dict[Phrase, None]] = {}
        for phrase, wires in self.reads.items():
            for wire in wires:
                self.users.setdefault(wire, {})[phrase] = None

    def find(self) -> list[Phrase]:
        """Return the level's steps, with structures in place of what they hold."""
        for phrase in [*self.body]:
            if isinstance(phrase, CallPhrase) and phrase.word in PARALLEL and phrase.block is None:
                self._join(phrase)
        return [phrase for phrase in self.body if phrase is not None]

    def _join(self, merge: CallPhrase) -> None:
        """Replace a step that joins values by a structure around what makes them, if it is one."""
        reads = [wire for wire in merge.reads if wire is not None]
        if len(reads) < 2 or len({*reads}) < len(reads) or merge.keyed or any(wire.is_list for wire in reads):
            return
        branches = self._branches(merge, reads)
        if branches is None:
            return
        made = self._residual(merge, branches) or self._parallel(merge, branches)
        if made is not None:
            self._replace(merge, branches, made)
        elif self._can_be_aside(merge, branches):
            self._put_aside(branches)

    def _branches(self, merge: CallPhrase, reads: Sequence[Wire]) -> list[JoinedBranch] | None:
        """Return what makes each of the values that a step joins, as far back as it makes nothing else."""
        marks: dict[Phrase, int] = {merge: 0}
        waiting: list[tuple[int, Phrase]] = []
        inside: list[list[Phrase]] = [[] for _ in reads]
        entries: list[dict[Wire, None]] = [{} for _ in reads]
        owner = {wire: at for at, wire in enumerate(reads)}

        def reach(wire: Wire, branch: int) -> None:
            maker = self._maker(wire)
            if maker is None:
                entries[branch][wire] = None
            else:
                if maker not in marks:
                    marks[maker] = branch
                    heapq.heappush(waiting, (-self.places[maker], maker))
                elif marks[maker] != branch:
                    marks[maker] = -1

        for wire, branch in owner.items():
            reach(wire, branch)
        steps = 0
        while waiting:
            _, phrase = heapq.heappop(waiting)
            branch = marks[phrase]
            steps += 1
            if steps > MOST_STEPS:
                return None
            alone = branch >= 0 and all(
                wire not in self.results
                and all(marks.get(user) == branch or user is merge for user in self._uses(wire))
                for wire in phrase.makes
            )
            if not alone:
                marks[phrase] = -2
                continue
            inside[branch].append(phrase)
            for wire in self.reads[phrase]:
                reach(wire, branch)
        return [JoinedBranch(steps[::-1], self._entries(steps, wire), wire) for steps, wire in zip(inside, reads)]

    def _uses(self, wire: Wire) -> dict[Phrase, None]:
        return self.users.get(wire, {})

    def _maker(self, wire: Wire) -> Phrase | None:
        return wire.maker if wire.maker in self.places else None

    def _entries(self, steps: Sequence[Phrase], result: Wire) -> list[Wire]:
        """Return what steps read from before them; nothing but the result itself, where there are none."""
        made = {wire for phrase in steps for wire in phrase.makes}
        if not steps:
            return [result]
        return [*dict.fromkeys(w for phrase in reversed(steps) for w in self.reads[phrase] if w not in made)]

    def _residual(self, merge: CallPhrase, branches: list[JoinedBranch]) -> Phrase | None:
        """Return a residual of two branches that start at one value, the shorter of which may be empty."""
        if len(branches) != 2 or merge.word not in RESIDUAL:
            return None
        body, other = branches
        if merge.word in COMMUTES and len(other.steps) > len(body.steps):
            body, other = other, body
        body, drop = _without_drop(body)
        if not body.steps or not _begins_with(body, other) or (merge.word == "concat" and _dim(merge) != 1):
            return None
        shared = [wire for wire in other.entries if wire in body.entries]
        if len(shared) != 1 or (other.steps and (merge.word != "add" or not self._is_short(body, other))):
            return None
        source = shared[0]
        around = ""
        if other.steps:
            if len(other.entries) > 1:
                return None
            around = "projection" if body.result.tensor.shape != source.tensor.shape else "shortcut"
        elif merge.word == "add" and body.result.tensor.shape != source.tensor.shape:
            return None
        if not all(_ends_with(each) for each in (body, other)):
            return None
        made = ResidualPhrase(reads=[source], makes=merge.makes, around=around, merge=merge.word)
        made.body, made.result, made.other, made.drop = body.steps, body.result, other.steps, drop
        return made

    def _is_short(self, body: JoinedBranch, other: JoinedBranch) -> bool:
        """Return whether a branch reads as the shortcut of another: a single step beside several."""
        return len(other.steps) == 1 or len(other.steps) < len(body.steps)

    def _parallel(self, merge: CallPhrase, branches: list[JoinedBranch]) -> Phrase | None:
        """Return branches of one value side by side, where their keys allow it."""
        sources = [{*branch.entries} for branch in branches]
        common = [wire for wire in branches[0].entries if all(wire in each for each in sources)]
        if len(common) != 1 or sum(bool(branch.steps) for branch in branches) < 2:
            return None
        names: list[str] = []
        for branch in branches:
            name = self._branch_name(branch)
            if name is None:
                return None
            names.append(name)
        if not all(map(_ends_with, branches)) or len({*filter(None, names)}) < len([*filter(None, names)]):
            return None
        self.names.update(filter(None, names))
        free = (name for at in count(1) if (name := f"branch{at}") not in self.names)
        named = [BranchPhrase(name or next(free), branch.steps, branch.result) for name, branch in zip(names, branches)]
        self.names.update(branch.name for branch in named)
        dim = _dim(merge) if merge.word in ("concat", "stack") else None
        return ParallelPhrase(reads=[common[0]], makes=merge.makes, branches=named, merge=merge.word, dim=dim)

    def _branch_name(self, branch: JoinedBranch) -> str | None:
        """Return the name of a branch, empty if it may have any; ``None`` where its keys stand in the level itself."""
        if len(branch.steps) == 1:
            only = branch.steps[0]
            if not isinstance(only, (CallPhrase, GroupPhrase)) or len(only.makes) != 1:
                return None
            name = str(only.name)
            return name if not name or (NAME.match(name) and why_reserved(name) is None) else None
        return None if any(_holds_keys(step) for step in branch.steps) else ""

    def _can_be_aside(self, merge: CallPhrase, branches: list[JoinedBranch]) -> bool:
        """Return whether the first value joined goes past the steps that make the second."""
        if len(branches) != 2:
            return False
        first, second = branches
        return not first.steps and bool(second.steps) and _begins_with(second, first)

    def _put_aside(self, branches: list[JoinedBranch]) -> None:
        first, second = branches
        side = SidePhrase(reads=[first.result], body=second.steps)
        at = self.places[second.steps[-1]]
        self._take(second.steps, side)
        for wire in second.steps[-1].makes:
            self.users.setdefault(wire, {})
        self.body[at] = side
        self.places[side] = at

    def _replace(self, merge: Phrase, branches: list[JoinedBranch], made: Phrase) -> None:
        at = self.places[merge]
        self._take([*(step for branch in branches for step in branch.steps), merge], made)
        for wire in made.makes:
            wire.maker = made
        self.body[at] = made
        self.places[made] = at

    def _take(self, steps: Sequence[Phrase], into: Phrase) -> None:
        """Let a structure hold steps: it reads what they read."""
        made = {wire for step in steps for wire in step.makes}
        entries = dict.fromkeys(wire for step in steps for wire in self.reads[step] if wire not in made)
        self.reads[into] = [*entries]
        for step in steps:
            for wire in self.reads[step]:
                self.users[wire].pop(step, None)
            self.body[self.places.pop(step)] = None
        for wire in entries:
            self.users[wire][into] = None


def _dim(merge: CallPhrase) -> int:
    """Return the dimension that values are joined along."""
    return int(merge.arguments.get("dim", OPS[merge.word].model_fields["dim"].default))


def _begins_with(branch: JoinedBranch, other: JoinedBranch) -> bool:
    """Return whether the first step of a branch reads first of all what the other branch begins with."""
    return branch.steps[0].reads[:1] == other.entries[:1]


def _without_drop(branch: JoinedBranch) -> tuple[JoinedBranch, CallPhrase | None]:
    """Return a branch without the step at its end that leaves out rows at random, and that step, if there is one."""
    last = branch.steps[-1] if len(branch.steps) > 1 else None
    if not isinstance(last, CallPhrase) or last.word != "stochastic_depth" or "mode" in last.arguments:
        return branch, None
    (result,) = last.reads
    assert result is not None
    return JoinedBranch(branch.steps[:-1], branch.entries, result), last


def _ends_with(branch: JoinedBranch) -> bool:
    """Return whether the last step of a branch makes its result, so that what follows reads it as ``prev``."""
    return not branch.steps or final_wires(branch.steps[-1])[:1] == [branch.result]


def _holds_keys(phrase: Phrase) -> bool:
    """Return whether keys of the ``state_dict`` depend on the level that a step stands in."""
    if isinstance(phrase, ResidualPhrase):
        return any(map(_holds_keys, [*phrase.body, *phrase.other]))
    if isinstance(phrase, ParallelPhrase):
        return any(map(_holds_keys, (step for branch in phrase.branches for step in branch.body)))
    if isinstance(phrase, ScanPhrase) and not phrase.is_level:
        return any(map(_holds_keys, phrase.body))
    if isinstance(phrase, IfPhrase):
        return any(map(_holds_keys, phrase.body))
    return phrase.keyed or isinstance(phrase, SidePhrase)
