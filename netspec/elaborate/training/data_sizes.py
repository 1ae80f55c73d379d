"""The sizes that a recipe's data give to a network's dimensions, held against what the network requires of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from netspec.diagnostics import Label, Span
from netspec.dims import Dim, Size, evaluate, pretty, pretty_shape
from netspec.elaborate.reading.values import Reader
from netspec.elaborate.state.requirements import explain, holds, symbols_of
from netspec.graph import Requirement, Value
from netspec.ops import Tensor
from netspec.recipes import Column
from netspec.recipes.recipe import Recipe


def check_sizes(
    recipe: Recipe,
    columns: Mapping[str, Column],
    bound: Mapping[str, str],
    inputs: Mapping[str, Value],
    requirements: Sequence[Requirement],
    reader: Reader,
) -> dict[str, int]:
    """Report a size of the data, or of a batch, at which the network cannot run or learn; gives those of the data."""
    found: dict[str, tuple[int, Span]] = {}
    for name, column in bound.items():
        for size, have in zip(inputs[name].shape[1:], columns[column].shape):
            symbol, number = solved(size, have)
            place = place_of(recipe, have)
            if symbol and number is None:
                message = f"the column `{column}` has rows of {have}, which `{pretty(size)}` of `{name}` never is"
                reader.error("data-mismatch", message, place)
            elif symbol and number is not None and found.setdefault(symbol, (number, place))[0] != number:
                message = f"`{symbol}` is {found[symbol][0]} in one column, but {number} in the column `{column}`"
                reader.error("data-mismatch", message, place)
    of_rows = {symbol: size for symbol, (size, _) in found.items()}
    rows = rows_of_a_step(recipe)
    for value in inputs.values():
        symbol, at = solved(value.shape[0], rows) if value.shape else (None, None)
        if symbol and at is not None:
            found.setdefault(symbol, (at, recipe.spans.get("batch", recipe.spans["train"])))
    sizes = {symbol: size for symbol, (size, _) in found.items()}
    for each in requirements:
        names = symbols_of(each)
        if names <= sizes.keys() and not holds(each, sizes):
            tell(each, {symbol: found[symbol] for symbol in sorted(names)}, recipe, reader)
            break
    return of_rows


def misfit(value: Value, column: Column) -> str | None:
    """Why an input cannot take a column's rows; ``None`` where it can."""
    wanted, found = value.shape[1:], column.shape
    same = len(wanted) == len(found) and all(
        size is None or not isinstance(want, int) or want == size for want, size in zip(wanted, found)
    )
    if not same:
        text = "×".join("?" if size is None else str(size) for size in found) or "one number"
        return f"has rows of {text}, but rows of {pretty_shape(wanted)} are expected by the input"
    real = value.tensor.dtype.startswith(("float", "bfloat"))
    if real != column.dtype.startswith("float"):
        return f"contains {column.dtype}, but {value.tensor.dtype} is expected by the input"
    return None


def known(tensor: Tensor, sizes: Mapping[str, int]) -> Tensor:
    """A tensor with numbers for the sizes of its rows that follow from these."""
    row = (
        evaluate(size, sizes) if isinstance(size, Dim) and size.symbols <= sizes.keys() else size
        for size in tensor.shape[1:]
    )
    return replace(tensor, shape=(*tensor.shape[:1], *row))


def tell(requirement: Requirement, found: Mapping[str, tuple[int, Span]], recipe: Recipe, reader: Reader) -> None:
    """Report one requirement that the data do not meet, at the size that stands nearest to the fault."""
    sizes = {symbol: size for symbol, (size, _) in found.items()}
    made = " and ".join(f"`{symbol}` = {size}" for symbol, size in sizes.items())
    where = " in training" if requirement.training else ""
    why = f"{requirement.reason}: {explain(requirement, sizes)}" if found else requirement.reason
    message = f"the data require {made}, but{where} {why}" if made else f"training is impossible: {why}"
    span = next((span for _, span in found.values()), recipe.spans["train"])
    labels = (Label(requirement.span, "required here"),)
    help = "change the size of the data or of the network"
    reader.error("data-mismatch", message, span, help=help, secondary=labels)


def solved(size: Size, have: int | None) -> tuple[str | None, int | None]:
    """The dimension that a size depends on, and its value where the size is ``have``; no value where it never is.

    No dimension where nothing is to be said: of a known size, an unknown number, or several dimensions.
    """
    if not isinstance(size, Dim) or have is None:
        return None, None
    terms = dict(size.terms)
    constant = terms.pop((), 0)
    ((monomial, factor), *others) = terms.items()
    if others or len(monomial) != 1 or monomial[0][1] != 1 or not isinstance(monomial[0][0], str):
        return None, None
    value, rest = divmod(have - constant, factor)
    return monomial[0][0], None if rest or value < 1 else value


def rows_of_a_step(recipe: Recipe) -> int | None:
    """The rows that the network sees at once; ``None`` where a batch is all there are."""
    settings = recipe.settings
    if settings.batch is None:
        return None
    devices = settings.devices if isinstance(settings.devices, int) else 1
    return -(-settings.batch // (settings.accumulate * devices))


def place_of(recipe: Recipe, have: int | None) -> Span:
    """The argument of the data, or the transform, that says a size; else the data themselves."""
    for name in type(recipe.data).model_fields:
        if f"data.{name}" in recipe.spans and have in _numbers(getattr(recipe.data, name)):
            return recipe.spans[f"data.{name}"]
    changes = any(have in _numbers(getattr(each, name)) for each in recipe.prepare for name in type(each).model_fields)
    return recipe.spans["prepare" if changes and "prepare" in recipe.spans else "data"]


def _numbers(said: object) -> Sequence[object]:
    return [*said] if isinstance(said, (list, tuple)) else [said]
