"""Places that an index names, in the form that an op takes them."""

from __future__ import annotations

from netspec.dims import Size
from netspec.importer.lower.normal.arithmetic import cast
from netspec.importer.lower.normal.rules import call, tensor_like
from netspec.ops.core.agreement import broadcast
from netspec.ops.core.foreign import ForeignCall, ForeignTensor


def one_place(x: ForeignTensor, given: list[tuple[int, ForeignTensor]]) -> tuple[list[ForeignCall], ForeignTensor]:
    """Return the place in neighbouring dimensions merged that an index of each names, and the calls that make it."""
    calls: list[ForeignCall] = []
    place = given[0][1]
    for dim, index in given[1:]:
        scaled = tensor_like(place)
        calls.append(call("mul", scaled, self=place, other=x.shape[dim]))
        place = ForeignTensor(broadcast("index", scaled.shape, index.shape), "int64")
        calls.append(call("add", place, self=scaled, other=index))
    return calls, place


def scattered(
    x: ForeignTensor,
    index: ForeignTensor,
    source: ForeignTensor,
    dim: int,
    output: ForeignTensor | None,
    reduce: str | None = None,
) -> list[ForeignCall]:
    """Return the calls that put entries of a dimension where an index of one dimension says."""
    wide, spread = spread_index(index, source.shape, dim)
    return [*spread, call("scatter", output, self=x, dim=dim, index=wide, src=source, reduce=reduce)]


def spread_index(index: ForeignTensor, shape: tuple[Size, ...], dim: int) -> tuple[ForeignTensor, list[ForeignCall]]:
    """Return an index of one dimension spread to a shape, along one dimension of it, and the calls that do so."""
    casts, index = cast(index, "int64")
    column = tensor_like(index, shape=tuple(size if at == dim else 1 for at, size in enumerate(shape)))
    wide = tensor_like(index, shape=shape)
    return wide, [
        *casts,
        call("view", column, self=index, size=[*column.shape]),
        call("expand", wide, self=column, size=[*shape]),
    ]
