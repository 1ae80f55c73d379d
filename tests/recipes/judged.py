"""A judged case of an ingredient: it, with some arguments, beside what a formula or another package says it does.

Every loss, optimizer, schedule, metric, transform and data set has one: an ingredient without fails its kind's test.
No oracle calls what the ingredient names; numpy, torch's own schedulers and Pillow judge it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from netspec.recipes import Ingredient, Kind, ingredients


@dataclass(frozen=True, slots=True)
class Case:
    """An ingredient, and the oracle that judges it."""

    ingredient: Ingredient
    oracle: Callable[..., Any]

    @property
    def label(self) -> str:
        """Its telling arguments, for the test's name."""
        return self.ingredient.detail()


class Cases:
    """The judged cases of a kind, as its test module has them."""

    def __init__(self, kind: Kind):
        self.kind: Kind = kind
        self.cases: list[Case] = []

    def add(self, name: str, **arguments: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        """Have a function judge the ingredient of that name with these arguments."""

        def keep(oracle: Callable[..., Any]) -> Callable[..., Any]:
            self.cases.append(Case(ingredients(self.kind)[name](**arguments), oracle))
            return oracle

        return keep

    def parameters(self) -> pytest.MarkDecorator:
        """A parametrization over every case."""
        return pytest.mark.parametrize("case", self.cases, ids=lambda case: case.label)

    def missing(self) -> list[str]:
        """The ingredients of netspec's own without a case."""
        known = {name for name, each in ingredients(self.kind).items() if each.__module__.startswith("netspec.")}
        return sorted(known - {case.ingredient.name for case in self.cases})
