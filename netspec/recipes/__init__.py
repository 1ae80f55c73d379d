"""Recipes, how a network is trained, said without torch; and all that an ingredient of one's own is made of.

    from netspec.recipes import Loss, Weight

    class Poly(Loss):
        '''Cross-entropy and a multiple of 1 − p of the right class.'''

        name = "poly"
        torch = "mine.poly"  # poly(output, target, epsilon) -> Tensor
        task = "classes"

        epsilon: Weight = 1.0
        '''how much of 1 − p is added'''

A module with such classes is named with ``--plugin``, or offered by an installed package as an entry point of the
group ``netspec.plugins``. An ingredient's fields are its arguments: ``netspec help poly`` shows the docstring and the
text below each field. The names in ``__all__`` are public; whatever else is in this package may change.

- ``Loss``, ``Optimizer``, ``Schedule``, ``Metric``, ``Transform`` and ``DataSet`` are the bases of the six kinds; each
  says what ``torch`` names and what it is called with. ``ingredients`` gives all of a kind by their spec keys.
- ``Column`` says what one column of the data holds; ``Length`` how long a run is, for a schedule.
- ``Positive``, ``Natural``, ``Probability``, ``Rate`` and ``Weight`` are types of arguments.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netspec.ops.core.arguments import Natural, Positive, Probability
    from netspec.recipes.base import Column, Ingredient, Kind, Task, ingredients
    from netspec.recipes.data.base import DataSet, Transform
    from netspec.recipes.losses import Loss, Weight
    from netspec.recipes.metrics import Metric
    from netspec.recipes.optimizers import Optimizer, Rate
    from netspec.recipes.schedules import Length, Schedule

__all__ = [
    "Column",
    "DataSet",
    "Ingredient",
    "Kind",
    "Length",
    "Loss",
    "Metric",
    "Natural",
    "Optimizer",
    "Positive",
    "Probability",
    "Rate",
    "Schedule",
    "Task",
    "Transform",
    "Weight",
    "ingredients",
]

_MODULES = {
    "Column": "netspec.recipes.base",
    "DataSet": "netspec.recipes.data.base",
    "Ingredient": "netspec.recipes.base",
    "Kind": "netspec.recipes.base",
    "Length": "netspec.recipes.schedules",
    "Loss": "netspec.recipes.losses",
    "Metric": "netspec.recipes.metrics",
    "Natural": "netspec.ops.core.arguments",
    "Optimizer": "netspec.recipes.optimizers",
    "Positive": "netspec.ops.core.arguments",
    "Probability": "netspec.ops.core.arguments",
    "Rate": "netspec.recipes.optimizers",
    "Schedule": "netspec.recipes.schedules",
    "Task": "netspec.recipes.base",
    "Transform": "netspec.recipes.data.base",
    "Weight": "netspec.recipes.losses",
    "ingredients": "netspec.recipes.base",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is asked for: most specs need few of them, and many no recipe at all."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
