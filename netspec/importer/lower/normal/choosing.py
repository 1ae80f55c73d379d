"""Choices: entries by index, the larger of two, what a mask lets through."""

from __future__ import annotations

import numpy as np

from netspec.dims import Size, product
from netspec.importer.lower.normal.arithmetic import cast, number_of
from netspec.importer.lower.normal.places import one_place
from netspec.importer.lower.normal.rules import Makers, Said, call, tensor_like
from netspec.importer.lower.normal.views import END, RESHAPES
from netspec.ops.core.foreign import ForeignCall, ForeignTensor


def largest(foreign: ForeignCall) -> Said:
    """``max`` and ``min`` of two tensors, and along a dimension, where they give indices too."""
    most = foreign.name == "max"
    if "other" in foreign.arguments:
        return [foreign._replace(name="maximum" if most else "minimum")]
    if len(foreign.outputs) < 2:
        return None
    values, indices = foreign.outputs
    said = {"dim": foreign.arguments["dim"], "keepdim": foreign.arguments.get("keepdim")}
    x = foreign.tensor("self")
    return [
        call("argmax" if most else "argmin", indices, self=x, **said),
        call("amax" if most else "amin", values, self=x, **said),
    ]


def indexed(foreign: ForeignCall) -> Said:
    """``x[index]``: entries of one dimension; or of the first two, where one index counts up."""
    x, indices, (output,) = foreign.tensor("self"), foreign.arguments["indices"], foreign.outputs
    assert x is not None
    assert output is not None
    given = [(dim, index) for dim, index in enumerate(indices) if index is not None]
    if len(given) != 1 or given[0][1].dtype not in ("int64", "int32"):
        return rows_of_all(x, given, output)
    dim, index = given[0]
    if index.constant is not None and not index.key and (index.constant < 0).any():
        return from_the_end(x, dim, index, output)
    casts, index = cast(index, "int64")
    return [*casts, call("take", output, input=x, index=index, dim=dim)]


def from_the_end(x: ForeignTensor, dim: int, index: ForeignTensor, output: ForeignTensor) -> Said:
    """``x[:, [-1]]``: numbers that count from the end, from the beginning; a single one is a slice."""
    size, numbers = x.shape[dim], index.constant
    if numbers.shape == (1,):
        start = int(numbers[0])
        return [call("slice", output, self=x, dim=dim, start=start, end=start + 1 if start != -1 else END)]
    if not isinstance(size, int):
        return None
    counted = ForeignTensor(index.shape, "int64", constant=np.where(numbers < 0, numbers + size, numbers))
    return [call("take", output, input=x, index=counted, dim=dim)]


def rows_of_all(x: ForeignTensor, given: list[tuple[int, ForeignTensor]], output: ForeignTensor) -> Said:
    """Several indices of neighbouring dimensions: one index of these dimensions merged."""
    dims = [dim for dim, _ in given]
    if dims != list(range(dims[0], dims[0] + len(dims))) or any(index.dtype != "int64" for _, index in given):
        return None
    first, last = dims[0], dims[-1]
    calls, place = one_place(x, given)
    whole = product(x.shape[first : last + 1])
    merged = tensor_like(x, shape=(*x.shape[:first], whole, *x.shape[last + 1 :]))
    calls.append(call("flatten", merged, self=x, start_dim=first, end_dim=last))
    return [*calls, call("take", output, input=merged, index=place, dim=first)]


def selected(foreign: ForeignCall) -> Said:
    """``index_select`` takes entries of a dimension."""
    index = foreign.tensor("index")
    assert index is not None
    casts, index = cast(index, "int64")
    taken = call("take", foreign.outputs[0], input=foreign.tensor("self"), index=index, dim=foreign.arguments["dim"])
    return [*casts, taken]


def chosen(foreign: ForeignCall) -> Said:
    """``where`` with a number on one side is a fill; numbers on both are tensors of one number."""
    mask, output = foreign.tensor("condition"), foreign.outputs[0]
    if "self" not in foreign.arguments or mask is None or output is None:
        return None
    yes, no = number_of(foreign.arguments["self"]), number_of(foreign.arguments["other"])
    if isinstance(no, ForeignTensor) and not isinstance(yes, ForeignTensor):
        return filled(mask, no, yes, output)
    if isinstance(yes, ForeignTensor) and not isinstance(no, ForeignTensor):
        others = tensor_like(mask)
        fill = filled(others, yes, no, output)
        return [call("logical_not", others, self=mask), *fill]
    if not isinstance(yes, ForeignTensor):
        plain = ForeignTensor((), output.dtype, constant=np.asarray(no, output.dtype))
        return filled(mask, plain, yes, output)
    assert isinstance(no, ForeignTensor)
    first, yes = cast(yes, output.dtype)
    second, no = cast(no, output.dtype)
    if not first and not second:
        return None
    return [*first, *second, call("where", output, condition=mask, self=yes, other=no)]


def filled(mask: ForeignTensor, x: ForeignTensor, value: float, output: ForeignTensor) -> list[ForeignCall]:
    """Return the calls that put a number where a mask is true."""
    casts, x = cast(x, output.dtype)
    return [*casts, call("masked_fill", output, self=x, mask=mask, value=float(value))]


def fill_value(foreign: ForeignCall) -> Said:
    """A tensor of one number that is filled in is that number; a mask of numbers is true where they are not 0."""
    value, mask = foreign.arguments["value"], foreign.tensor("mask")
    assert mask is not None
    if mask.dtype != "bool":
        casts, mask = cast(mask, "bool")
        return [*casts, foreign._replace(arguments={**foreign.arguments, "mask": mask})]
    if number_of(value) is not value:
        return [foreign._replace(arguments={**foreign.arguments, "value": number_of(value)})]
    if isinstance(value, ForeignTensor):
        x, (output,) = foreign.tensor("self"), foreign.outputs
        return [call("where", output, condition=mask, self=value, other=x)]
    return None


def spread_and_mean(foreign: ForeignCall) -> Said:
    """``var_mean`` and ``std_mean`` are two."""
    spread, mean = foreign.outputs
    x, dim, keepdim = foreign.tensor("self"), foreign.arguments.get("dim"), foreign.arguments.get("keepdim")
    return [
        call("mean", mean, self=x, dim=dim, keepdim=keepdim),
        foreign._replace(name=foreign.name.removesuffix("_mean"), outputs=(spread,)),
    ]


def counts(tensor: ForeignTensor, size: Size, made: Makers) -> bool:
    """Return whether a tensor holds 0, 1, … up to a size, in whatever shape."""
    source: ForeignTensor | None = tensor
    while source is not None and source in made and made[source].name in (*RESHAPES, "slice"):
        source = made[source].tensor("self")
    if source is None or product(source.shape) != product(tensor.shape):
        return False
    if source.constant is not None:
        values = source.constant.ravel()
        return values.size == size and bool((values == np.arange(values.size)).all())
    counted = made.get(source)
    return counted is not None and counted.name == "arange" and [*counted.arguments.items()] == [("end", size)]


def counted_index(foreign: ForeignCall, made: Makers) -> Said:
    """An index of all dimensions that counts through each is a view; one through the first is a gather."""
    x, indices, (output,) = foreign.tensor("self"), foreign.arguments["indices"], foreign.outputs
    assert x is not None
    assert output is not None
    if any(index is None for index in indices) or len(indices) > len(x.shape):
        return None
    rank = max(len(index.shape) for index in indices)
    sizes = [(1,) * (rank - len(index.shape)) + index.shape for index in indices]
    places = [[at for at, size in enumerate(shape) if size != 1] for shape in sizes]
    through = [counts(index, size, made) for index, size in zip(indices, x.shape)]
    apart = all(len(place) == 1 for place in places) and sorted(places) == places
    if all(through) and apart and len({place[0] for place in places if place}) == len(places):
        return [call("view", output, self=x, size=[*output.shape])]
    if len(indices) == 2 and rank == 1 and through[0] and indices[1].dtype == "int64":
        return gathered(x, indices[1], output)
    return None


def gathered(x: ForeignTensor, index: ForeignTensor, output: ForeignTensor) -> list[ForeignCall]:
    """Return the calls that take, of each entry of the first dimension, one of the second."""
    rest = x.shape[2:]
    column = ForeignTensor((x.shape[0], 1, *(1 for _ in rest)), "int64")
    whole = ForeignTensor((x.shape[0], 1, *rest), "int64")
    picked = tensor_like(x, shape=whole.shape)
    return [
        call("view", column, self=index, size=[*column.shape]),
        call("expand", whole, self=column, size=[*whole.shape]),
        call("gather", picked, self=x, dim=1, index=whole),
        call("squeeze", output, self=picked, dim=1),
    ]


LOOKING = {"index": [counted_index]}
RULES = {
    "max": [largest],
    "min": [largest],
    "index": [indexed],
    "index_select": [selected],
    "where": [chosen],
    "masked_fill": [fill_value],
    "var_mean": [spread_and_mean],
    "std_mean": [spread_and_mean],
}
