"""The binding of a data set's columns: to an input of the network, or to a loss as its target."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from netspec.recipes.base import Column

if TYPE_CHECKING:
    from netspec.recipes.data.base import Transform
    from netspec.recipes.losses import Loss


class Unbound(Exception):
    """An input or a loss for which no column is there, or more than one; ``help`` is a repair."""

    def __init__(self, message: str, help: str | None = None):
        super().__init__(message)
        self.help = help


def bind_inputs(columns: Mapping[str, Column], inputs: Mapping[str, Any], said: Mapping[str, str]) -> dict[str, str]:
    """Return the column that each input reads: as the spec says, else one of the same name, else the only one there is.

    ``inputs`` are values with ``optional``; an optional one may stay without. Raises ``Unbound``.
    """
    for name, column in said.items():
        if name not in inputs:
            raise Unbound(f"the network has no input `{name}`", f"its inputs are {_listed(inputs)}")
        if column not in columns:
            raise Unbound(f"the data have no column `{column}`", f"their columns are {_listed(columns)}")
    bound = dict(said)
    bound |= {name: name for name in inputs if name not in bound and name in columns}
    free = [name for name, column in columns.items() if not column.target and name not in bound.values()]
    needy = [name for name, value in inputs.items() if name not in bound and not value.optional]
    if len(free) == len(needy) == 1:
        return {name: {**bound, needy[0]: free[0]}[name] for name in inputs if name in bound or name == needy[0]}
    if needy:
        help = f"write `inputs: {{{needy[0]}: …}}` with one of the columns {_listed(columns)}"
        raise Unbound(f"no column of the data matches the input `{needy[0]}`", help)
    return {name: bound[name] for name in inputs if name in bound}


def bind_target(columns: Mapping[str, Column], loss: Loss, read: Iterable[str]) -> str:
    """Return the column that a loss names, else the data's only target; of one that compares nothing, what is read.

    Raises ``Unbound``.
    """
    if not loss.compares:
        return next(iter(read))
    if loss.target is not None:
        if loss.target not in columns:
            raise Unbound(f"the data have no column `{loss.target}`", f"their columns are {_listed(columns)}")
        return loss.target
    targets = [name for name, column in columns.items() if column.target]
    if len(targets) == 1:
        return targets[0]
    help = f"write `{loss.name}: {{target: …}}` with one of the columns {_listed(columns)}"
    found = "several targets" if targets else "no target"
    raise Unbound(f"the data have {found} for `{loss.name}`", help)


def prepared(columns: Mapping[str, Column], transforms: Iterable[Transform]) -> dict[str, Column]:
    """Return the columns after the transforms. Raises ``ValueError`` where one cannot take them, or is for none."""
    made = dict(columns)
    for transform in transforms:
        names = [name for name, column in made.items() if transform.takes(column)]
        if not names:
            raise ValueError(f"`{transform.name}` applies to no column of these data")
        made |= {name: transform.infer(made[name]) for name in names}
    return made


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
