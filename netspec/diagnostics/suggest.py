"""Suggestions: the names that an author most likely meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

SYNONYMS = {
    "avg": "mean",
    "average": "mean",
    "bn": "batch_norm2d",
    "boolean": "bool",
    "cat": "concat",
    "channels": "out_channels",
    "conv": "conv2d",
    "dense": "linear",
    "double": "float64",
    "elif": "else",
    "fc": "linear",
    "features": "out_features",
    "filters": "out_channels",
    "float": "float32",
    "half": "float16",
    "integer": "int",
    "kernel": "kernel_size",
    "layers": "network",
    "learning_rate": "lr",
    "long": "int64",
    "max": "maximum",
    "monitor": "metric",
    "maxpool": "max_pool2d",
    "mul": "multiply",
    "number": "float",
    "rate": "p",
    "string": "str",
    "strides": "stride",
    "sum": "add",
    "times": "count",
    "units": "out_features",
    "variables": "params",
}
"""Names in other tools, with netspec's."""


MOST_LISTED = 8
"""A message lists no more names than these."""

MOST_TOLD = 18
"""A message tells no more keys or arguments of a form or an op than these."""

STATES = {"units": "hidden_size", "hidden_dim": "hidden_size", "hidden": "hidden_size"}
"""The same of layers that have a state."""


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``word`` most likely meant, if any is close."""
    return _nearest(word, tuple(candidates)) if len(word) <= 200 else None


@lru_cache(maxsize=1024)  # a fault in a loop is met thousands of times, and told once
def _nearest(word: str, candidates: tuple[str, ...]) -> str | None:
    folded = {candidate.lower().replace("_", ""): candidate for candidate in reversed(candidates)}
    same = folded.get(word.lower().replace("_", "").replace("-", ""))
    if same is not None and same != word:
        return same
    for meant in (SYNONYMS.get(word.lower()), STATES.get(word.lower())):
        if meant in candidates:
            return meant
    from difflib import get_close_matches  # for faults alone

    found = get_close_matches(word, candidates[:1000], n=1, cutoff=0.6)
    return found[0] if found else None


def typo_of(word: str, candidates: Iterable[str]) -> str | None:
    """Return the candidate that ``word`` is but for a slip of the fingers: one in a short word, two in a longer one."""
    if not 2 <= len(word) <= 60:
        return None
    most = 1 if len(word) < 6 else 2
    near = [
        (slips(word.lower(), name.lower(), most), name) for name in candidates if abs(len(name) - len(word)) <= most
    ]
    distance, name = min(near, key=lambda each: each[0], default=(most + 1, ""))
    return name if distance <= most else None


def slips(one: str, other: str, most: int) -> int:
    """Return how many letters are wrong, missing, extra or swapped with a neighbour, at most ``most`` + 1."""
    before: list[int] = []
    row: list[int] = [*range(len(other) + 1)]
    for i, letter in enumerate(one):
        above, row = row, [i + 1]
        for j, wanted in enumerate(other):
            cost: int = min(above[j + 1] + 1, row[j] + 1, above[j] + (letter != wanted))
            if i and j and letter == other[j - 1] and one[i - 1] == wanted:
                cost = min(cost, before[j - 1] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
        before = above
    return row[-1]


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """Return ``did you mean `x`?`` for the nearest candidate, or a list of all where there are few."""
    names = tuple(candidates)
    close = nearest(word, names)
    if close:
        return f"did you mean `{close}`?"
    if 0 < len(names) <= MOST_LISTED:
        listed = ", ".join(f"`{name}`" for name in names)
        return f"one of {listed}" if len(names) > 1 else f"there is only {listed}"
    return None


def one_of_these(word: str, candidates: Iterable[str], none: str) -> str:
    """Return the same, with the first of the candidates where there are many; ``none`` where there are none."""
    names = tuple(candidates)
    if not names:
        return none
    first = ", ".join(f"`{name}`" for name in names[:MOST_LISTED])
    return did_you_mean(word, names) or f"one of {first} and {len(names) - MOST_LISTED} more"


def some_of(names: Sequence[str], word: str) -> str:
    """Return names for a message: all of them, or the first ones and the command that lists the others.

    ``word`` is what `netspec help` has them under; empty for what is a spec's own.
    """
    told = ", ".join(f"`{name}`" for name in names[:MOST_TOLD])
    if len(names) <= MOST_TOLD:
        return told
    return f"{told} and {len(names) - MOST_TOLD} more" + (f": `netspec help {word}`" if word else "")


def clipped(text: str, most: int = 60) -> str:
    """Return a text for a message: on one line, of at most that many characters."""
    text = text if len(text) <= most else text[: most - 1] + "…"
    return text.replace("\n", "⏎") if "\n" in text else text
