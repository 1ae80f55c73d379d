"""The alignment of two sequences of the highest score, and the pairs of it that are certain.

Global alignment without a cost for gaps (Needleman and Wunsch 1970). A pair is certain where every alignment of the
highest score has it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

MOST_CELLS = 400_000
"""Pairs of items that are weighed; where there are more, ``align`` gives up."""


class Pair(NamedTuple):
    """Positions that correspond, one of them ``None`` for an item that stands alone."""

    old: int | None
    new: int | None
    certain: bool = True


def align(old: int, new: int, score: Callable[[int, int], int]) -> list[Pair] | None:
    """The pairs of two sequences of these lengths, in order; ``None`` where they are too long.

    ``score`` says how well two items go together; those of 0 never do.
    """
    if old * new > MOST_CELLS:
        return None
    scores = [[score(i, j) for j in range(new)] for i in range(old)]
    after = _best(old, new, lambda i, j: scores[old - 1 - i][new - 1 - j])
    before = _best(old, new, lambda i, j: scores[i][j])
    best = before[old][new]

    def is_best(i: int, j: int) -> bool:
        """Return whether some alignment of the highest score pairs the two."""
        return scores[i][j] > 0 and before[i][j] + scores[i][j] + after[old - 1 - i][new - 1 - j] == best

    def is_alone(i: int, j: int, old_too: int, new_too: int) -> bool:
        """Return whether some best alignment skips an item between the first ``i`` and the first ``j``."""
        return before[i][j] + after[old - i - old_too][new - j - new_too] == best

    alone_old = {i for i in range(old) if any(is_alone(i, j, 1, 0) for j in range(new + 1))}
    alone_new = {j for j in range(new) if any(is_alone(i, j, 0, 1) for i in range(old + 1))}
    choices_old = [sum(is_best(i, j) for j in range(new)) for i in range(old)]
    choices_new = [sum(is_best(i, j) for i in range(old)) for j in range(new)]
    pairs: list[Pair] = []
    i = j = 0
    while i < old and j < new:
        left = after[old - i][new - j]
        if scores[i][j] > 0 and scores[i][j] + after[old - 1 - i][new - 1 - j] == left:
            alone = i in alone_old or j in alone_new
            pairs.append(Pair(i, j, choices_old[i] == choices_new[j] == 1 and not alone))
            i, j = i + 1, j + 1
        elif after[old - 1 - i][new - j] == left:
            pairs.append(Pair(i, None))
            i += 1
        else:
            pairs.append(Pair(None, j))
            j += 1
    pairs += [Pair(rest, None) for rest in range(i, old)]
    pairs += [Pair(None, rest) for rest in range(j, new)]
    return pairs


def _best(old: int, new: int, score: Callable[[int, int], int]) -> Sequence[Sequence[int]]:
    """The highest score of the first ``i`` items of one with the first ``j`` of the other."""
    table = [[0] * (new + 1) for _ in range(old + 1)]
    for i in range(old):
        above, row = table[i], table[i + 1]
        for j in range(new):
            match = score(i, j)
            row[j + 1] = max(above[j + 1], row[j], above[j] + match if match > 0 else 0)
    return table
