"""The alignment against all alignments there are, and what of the steps decides."""

from __future__ import annotations

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from netspec.analysis.diff.align import MOST_CELLS, align

Pairs = tuple[tuple[int, int], ...]


def alignments(scores: list[list[int]], i: int, j: int) -> Iterator[tuple[int, Pairs]]:
    """Every alignment from item ``i`` of one and ``j`` of the other on, with its score."""
    if i == len(scores) or j == len(scores[0]):
        yield 0, ()
        return
    for at in range(j, len(scores[0])):
        if scores[i][at]:
            for total, pairs in alignments(scores, i + 1, at + 1):
                yield total + scores[i][at], ((i, at), *pairs)
    yield from alignments(scores, i + 1, j)


TABLES = st.integers(1, 5).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 3), min_size=width, max_size=width), min_size=1, max_size=5)
)


@given(TABLES)
def test_it_is_the_best_and_its_certain_pairs_are_in_all_that_are_as_good(scores: list[list[int]]):
    found = align(len(scores), len(scores[0]), lambda i, j: scores[i][j])
    assert found is not None
    every = list(alignments(scores, 0, 0))
    best = max(total for total, _ in every)
    pairs = [(old, new) for old, new, _ in found if old is not None and new is not None]
    assert sum(scores[i][j] for i, j in pairs) == best
    common = set.intersection(*(set(chosen) for total, chosen in every if total == best))
    assert {(old, new) for old, new, certain in found if certain and None not in (old, new)} == common
    assert [old for old, _, _ in found if old is not None] == list(range(len(scores)))
    assert [new for _, new, _ in found if new is not None] == list(range(len(scores[0])))


def test_what_is_too_long_is_not_weighed():
    assert align(MOST_CELLS, 2, lambda i, j: 1 // 0) is None
