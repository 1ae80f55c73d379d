"""Renames that would make more of a source's keys the spec's, found from the tensors of equal shapes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError
from netspec.dims import Shape
from netspec.recipes.weights import WeightsSource
from netspec.weights.keys import SpecTensor
from netspec.weights.matching import WeightsMatch, match, renamed

MOST_RENAMES = 4
MOST_TRIED = 6
MOST_KEYS = 600
"""Keys that are looked at: what mends these mends those behind them, too."""
MOST_GROUPS = 9
NUMBERS = re.compile(r"\d+")
OWN_NAME = re.compile(r"(weight|bias)(_[ih]h_l\d+(_reverse)?)?|running_(mean|var)|in_proj_(weight|bias)")
"""Names that torch gives to a module's tensors: what has one of them in a source is not called by another here."""


@dataclass(frozen=True, slots=True)
class Mending:
    """Renames by which more tensors are taken from a source: ``count`` of them."""

    rename: Mapping[str, str]
    count: int


def mending(
    tensors: Sequence[SpecTensor],
    held: Mapping[str, Shape],
    source: WeightsSource,
    found: WeightsMatch,
    aliases: Mapping[str, str] = {},
) -> Mending | None:
    """Return the renames that would mend near misses; ``None`` where there are none.

    Some tensors of like shapes are in any two networks: renames count where they mend half of what is missing, or find
    a place for half of what is left over.
    """
    best, rename = found, dict(source.rename)
    while best.missing and best.unused and len(rename) - len(source.rename) < MOST_RENAMES:
        trials = [
            (each, _tried(tensors, held, source, {**rename, each[0]: each[1]}, aliases))
            for each in _rewritings(best, held, replace(source, rename=rename))
        ]
        better = [(each, trial) for each, trial in trials if trial is not None and _is_better(trial, best)]
        if not better:
            break
        (pattern, replacement), best = max(better, key=lambda pair: len(pair[1].taken))
        rename[pattern] = replacement
    gained = len(best.taken) - len(found.taken)
    enough = gained * 2 >= min(len(found.missing), len(found.unused))
    return Mending(rename, gained) if gained > 0 and enough else None


def parts_that_match(tensors: Sequence[SpecTensor], held: Mapping[str, Shape], source: WeightsSource) -> dict[str, int]:
    """Return the prefixes in a source behind which more than one network's weights are, with how many tensors match."""
    prefixes = [*dict.fromkeys(key.partition(".")[0] + "." for key in held if "." in key)][:MOST_TRIED]
    trials = {each: match(tensors, held, replace(source, prefix=each, rename={})) for each in prefixes}
    return {each: len(trial.taken) for each, trial in trials.items() if trial.taken}


def _is_better(trial: WeightsMatch, best: WeightsMatch) -> bool:
    return len(trial.taken) - len(trial.reshaped) > len(best.taken) - len(best.reshaped)


def _tried(
    tensors: Sequence[SpecTensor],
    held: Mapping[str, Shape],
    source: WeightsSource,
    rename: Mapping[str, str],
    aliases: Mapping[str, str],
) -> WeightsMatch | None:
    try:
        return match(tensors, held, replace(source, rename=rename), aliases)
    except UsageError:  # two keys would become one
        return None


def _rewritings(found: WeightsMatch, held: Mapping[str, Shape], source: WeightsSource) -> list[tuple[str, str]]:
    """Return the changes of names that most pairs of a missing and an unused tensor have in common."""
    now = {key: name for name, key in renamed(held, source).items()}
    unused: dict[Shape, list[str]] = {}
    for key in found.unused[:MOST_KEYS]:
        if key in now:
            unused.setdefault(held[key], []).append(now[key])
    counts: Counter[tuple[str, str]] = Counter()
    for key in found.missing[:MOST_KEYS]:
        name = counterpart(key, unused.get(found.tensors[key].shape, ()))
        if name is not None and not _are_different(name, key):
            counts[rewriting(name, key)] += 1
    return [each for each, _ in counts.most_common(MOST_TRIED)]


def _are_different(one: str, other: str) -> bool:
    """Return whether two keys are of tensors that torch calls differently, as a weight and a bias."""
    ends = {key.rpartition(".")[2] for key in (one, other)}
    return len(ends) == 2 and all(map(OWN_NAME.fullmatch, ends))


def counterpart(key: str, names: Sequence[str]) -> str | None:
    """Return the name, among those of tensors of one shape, that a key most likely has; ``None`` where several may be.

    A layer's number and the end of a key tell most. Query, key and value, say, have one shape, and nothing else tells
    which is which: to take one for another would go unnoticed.
    """
    best, closest = None, (False, -1, -1)
    for name in names:
        close = _closeness(name, key)
        if close > closest:
            best, closest = name, close
        elif close == closest:
            best = None
    return best


def _closeness(name: str, key: str) -> tuple[bool, int, int]:
    """The likeness of two keys: if their numbers are the same, and how many of their last and first parts."""
    one, other = name.split("."), key.split(".")
    return NUMBERS.findall(name) == NUMBERS.findall(key), _common_tail(one, other), _common_tail(one[::-1], other[::-1])


def rewriting(old: str, new: str) -> tuple[str, str]:
    """Return the regular expression and the replacement that make one key of another, where they differ alone.

    Numbers that both have in common stay as they are: ``layer.3.attention`` and ``h.3.attn`` are about any layer.
    """
    before, after = old.split("."), new.split(".")
    tail = _common_tail(before, after)
    before, after = before[: len(before) - tail], after[: len(after) - tail]
    head = 0
    while head < min(len(before), len(after)) and before[head] == after[head]:
        head += 1
    if head and head == len(before):  # something comes in between: it is known by what stands before it
        head -= 1
    before, after = before[head:], after[head:]
    start, end = (r"\." if head else "^"), (r"\." if tail else "$")
    pattern, made = _with_any_number(".".join(before), ".".join(after))
    pattern = f"{start}{pattern}{end if before else ''}"
    return pattern, f"{'.' if head else ''}{made}{'.' if tail and after else ''}" if before else f"{made}."


def _with_any_number(old: str, new: str) -> tuple[str, str]:
    """A part of a key and what takes its place, with any number where both have the same one."""
    common = {*NUMBERS.findall(old)} & {*NUMBERS.findall(new)}
    numbers = [part for part in NUMBERS.findall(old) if part in common][:MOST_GROUPS]
    old_parts, new_parts = (re.split(r"(\d+)", text) for text in (old, new))
    pattern = "".join(r"(\d+)" if part in numbers else re.escape(part) for part in old_parts)
    made = "".join(rf"\{numbers.index(part) + 1}" if part in numbers else part for part in new_parts)
    return pattern, made


def _common_tail(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    while count < min(len(one), len(other)) and one[-1 - count] == other[-1 - count]:
        count += 1
    return count
