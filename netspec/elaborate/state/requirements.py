"""Requirements on the symbolic dimensions, and whether sizes meet them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache

from netspec.diagnostics import Span
from netspec.dims import Dim, Size, UndecidedError, evaluate, pretty, same, substitute
from netspec.graph import Requirement
from netspec.ops import Bound, ShapeError, Tensor


class Requirements:
    """Collects requirements. ``declared`` are the sizes that the author set: against them each is checked at once.
    ``empty`` are the dimensions that may be 0, as the author allows.

    ``noted`` holds all that were added, one that was there already too: who adds some can tell which. What is added
    while ``training`` is set binds training alone, and no size is refused for it.
    """

    def __init__(self, declared: Mapping[str, int]):
        self.declared = declared
        self.empty: frozenset[str] = frozenset()
        self.training = False
        self.noted: list[Requirement] = []
        self.found: dict[tuple[Size, str, Size], Requirement] = {}

    @contextmanager
    def of_training(self, only: bool) -> Iterator[None]:
        """A stretch whose steps run in training only, if ``only`` says so."""
        before, self.training = self.training, self.training or only
        try:
            yield
        finally:
            self.training = before

    def check(self, equalities: Iterable[tuple[Size, Size, str]], span: Span) -> None:
        """Guard sizes that must be equal; what depends on a symbol becomes a requirement."""
        for left, right, reason in equalities:
            try:
                if not same(left, right):
                    raise ShapeError(f"{reason}: {pretty(left)} is not {pretty(right)}")
            except UndecidedError:
                self.add(Requirement(left, "==", right, span, reason))

    def sizes(self, tensors: Iterable[Tensor], what: str, span: Span) -> None:
        """Guard that every size is positive; what depends on a symbol becomes a requirement."""
        for tensor in tensors:
            for size in tensor.shape:
                if isinstance(size, Dim):
                    if not certainly_positive(size):
                        self.add(Requirement(size, ">=", 1, span, f"{what} has an empty output"))
                elif size < 1:
                    raise ShapeError(f"{what} has an empty output: one of its sizes is {size}")

    def filled(self, tensors: Iterable[Tensor | None], what: str, span: Span) -> None:
        """Guard that what an op reads has elements, where dimensions may be 0."""
        for size in (size for tensor in tensors if tensor is not None for size in tensor.shape):
            if isinstance(size, Dim) and not size.symbols.isdisjoint(self.empty) and not self.certain(size):
                self.add(Requirement(size, ">=", 1, span, f"{what} reads an empty input"))

    def certain(self, size: Dim) -> bool:
        """Return whether a size is at least 1 for all values of its symbols."""
        return certainly_positive(size, self.empty) if self.empty else certainly_positive(size)

    def bounds(self, bounds: Iterable[Bound], span: Span) -> None:
        """Guard sizes that must not be too small or too large; what depends on a symbol becomes a requirement.

        Known sizes that forbid training alone become one too: inference is not bound by them.
        """
        for bound in bounds:
            left, right = (bound.size, bound.least) if bound.most is None else (bound.most, bound.size)
            assert right is not None
            difference = left - right
            above = difference + 1
            if self.certain(above) if isinstance(above, Dim) else above > 0:
                continue
            if isinstance(difference, int) and not bound.training:
                raise ShapeError(f"{bound.reason}, not {pretty(bound.size)}", argument=bound.argument)
            self.add(Requirement(left, ">=", right, span, bound.reason, bound.training))

    def add(self, requirement: Requirement) -> None:
        if self.training and not requirement.training:
            requirement = replace(requirement, training=True)
        self.noted.append(requirement)
        key = requirement.left, requirement.relation, requirement.right
        known = self.found.get(key)
        if known is not None and (requirement.training or not known.training):
            return
        needed = symbols_of(requirement)
        if not requirement.training and needed <= self.declared.keys() and not holds(requirement, self.declared):
            at = ", ".join(f"{name} = {self.declared[name]}" for name in sorted(needed))
            raise ShapeError(f"{requirement.reason}: {explain(requirement, self.declared)}, at {at}")
        self.found[key] = requirement


@lru_cache(maxsize=4096)
def certainly_positive(size: Dim, empty: frozenset[str] = frozenset()) -> bool:
    """Tell if a size is at least 1 for all positive symbols: no floor in it, nothing subtracted, or a plain ceiling.

    Of dimensions that may be ``empty``, it must be for 0, too.
    """
    if empty and (least := substitute(size, dict.fromkeys(empty, 0))) != size:
        return (least >= 1 if isinstance(least, int) else certainly_positive(least)) and certainly_positive(size)
    for monomial, coefficient in size.terms.items():
        if coefficient < 0:
            return False
        for atom, _ in monomial:
            if not isinstance(atom, str) and not (
                certainly_positive(atom.numerator) and atom.numerator.terms.get((), 0) >= atom.divisor - 1
            ):
                return False
    return True


def empty_dims(requirements: Iterable[Requirement]) -> frozenset[str]:
    """Return the dimensions that may be 0: those that an author asks to be at least that."""
    alone = (each.left for each in requirements if each.relation == ">=" and each.right == 0)
    return frozenset(
        name for size in alone if isinstance(size, Dim) for name in size.symbols if size == Dim.symbol(name)
    )


def symbols_of(requirement: Requirement) -> frozenset[str]:
    return frozenset().union(*(side.symbols for side in (requirement.left, requirement.right) if isinstance(side, Dim)))


def holds(requirement: Requirement, sizes: Mapping[str, int]) -> bool:
    left, right = evaluate(requirement.left, sizes), evaluate(requirement.right, sizes)
    return left == right if requirement.relation == "==" else left >= right


def explain(requirement: Requirement, sizes: Mapping[str, int]) -> str:
    """Why a requirement does not hold at these sizes."""
    left, right = evaluate(requirement.left, sizes), evaluate(requirement.right, sizes)
    if requirement.relation == "==":
        if not isinstance(requirement.right, Dim):
            return f"{pretty(requirement.left)} is {left}, not {right}"
        return f"{pretty(requirement.left)} is {left} and {pretty(requirement.right)} is {right}"
    of, number = (requirement.left, left) if isinstance(requirement.left, Dim) else (requirement.right, right)
    return f"{pretty(of)} is {number}"
