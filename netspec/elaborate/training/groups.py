"""Groups of parameters, held against the parameters that there are."""

from __future__ import annotations

from netspec.diagnostics import clipped, did_you_mean
from netspec.elaborate.reading.values import Reader
from netspec.graph import Level, covers, walk_parameters
from netspec.recipes.recipe import Recipe


def check_groups(recipe: Recipe, body: Level, reader: Reader) -> None:
    """Guard: each group has some parameter of the network."""
    keys = [key for *_, key in walk_parameters(body)]
    for pattern in recipe.groups:
        if not any(covers(pattern, key) for key in keys):
            levels = dict.fromkeys(key.rpartition(".")[0] for key in keys)
            help = did_you_mean(pattern.removesuffix(".*"), levels)
            span = recipe.spans[f"groups.{pattern}"]
            reader.error("unknown-reference", f"`{clipped(pattern)}` matches no parameter", span, help=help)
