"""The low-rank changes of weights that a graph has steps for."""

from __future__ import annotations

from netspec.dataclass import dataclass
from netspec.ops import Op


@dataclass(frozen=True, slots=True)
class WeightChange:
    """The change of one weight: the ``state_dict`` keys of the weight and of those of the two steps beside its own.

    ``op`` is the weight's, which says what the two come to; that counts ``scale`` times.
    """

    weight: str
    down: str
    up: str
    op: Op
    scale: float
