"""Idioms: several ops that are one, which a person would write."""

from netspec.importer.lower.idioms import (
    activations,
    bags,
    concats,
    frozen,
    norms,
    positions,
    recurrent,
    sums,
    views,
)
from netspec.importer.lower.idioms.heads import attention, distances, masks, rotary
from netspec.importer.lower.idioms.matching import Idiom

FAMILIES = (
    views,
    activations,
    norms,
    frozen,
    rotary,
    distances,
    attention,
    masks,
    concats,
    recurrent,
    positions,
    bags,
    sums,
)
IDIOMS: dict[str, tuple[Idiom, ...]] = {}
for family in FAMILIES:
    for name, idioms in family.IDIOMS.items():
        IDIOMS[name] = (*IDIOMS.get(name, ()), *idioms)
