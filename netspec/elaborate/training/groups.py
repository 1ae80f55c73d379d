"""Checks that the parameters and batch norms of which a recipe says something are there."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.diagnostics import Span, clipped, did_you_mean
from netspec.elaborate.reading.values import Reader
from netspec.elaborate.training.layers import layer_numbers
from netspec.graph import Level, Node, covers, visits, walk_parameters
from netspec.ops.norm.batch import BatchNorm
from netspec.recipes.recipe import Recipe


def check_parameters(recipe: Recipe, body: Level, reader: Reader) -> None:
    """Guard: what a recipe says of some parameters is of some that are there."""
    check_groups(recipe, body, reader)
    check_batch_norms(recipe, body, reader)
    if recipe.layer_decay is not None and len({*layer_numbers(body).values()}) < 2:
        message = "`layer_decay` has rates differ from layer to layer, but the network has one layer at most"
        reader.error("bad-value", message, recipe.spans["layer_decay"], help="leave it out")


def check_groups(recipe: Recipe, body: Level, reader: Reader) -> None:
    """Guard: each group has some parameter of the network."""
    keys = [key for *_, key in walk_parameters(body)]
    for pattern in recipe.groups:
        _check_pattern(pattern, keys, "parameter", recipe.spans[f"groups.{pattern}"], reader)


def check_batch_norms(recipe: Recipe, body: Level, reader: Reader) -> None:
    """Guard: each pattern of ``batch_norm`` has some batch norm of the network that has statistics."""
    if recipe.batch_norm is None:
        return
    keys = [
        step.key(path.removesuffix(step.name), "running_mean")
        for path, step, *_ in visits(body)
        if isinstance(step, Node) and isinstance(step.op, BatchNorm) and "running_mean" in step.state
    ]
    span = recipe.spans["batch_norm"]
    if not keys:
        message = "`batch_norm` is for batch norms with running statistics, but the network has none"
        reader.error("bad-value", message, span, help="leave it out")
        return
    for pattern in recipe.batch_norm.patterns:
        _check_pattern(pattern, keys, "batch norm", span, reader)


def _check_pattern(pattern: str, keys: Sequence[str], noun: str, span: Span, reader: Reader) -> None:
    if not any(covers(pattern, key) for key in keys):
        levels = dict.fromkeys(key.rpartition(".")[0] for key in keys)
        help = did_you_mean(pattern.removesuffix(".*"), levels)
        reader.error("unknown-reference", f"`{clipped(pattern)}` matches no {noun}", span, help=help)
