"""Entries that are put, or added, where an index says."""

from __future__ import annotations

from netspec.dims import product
from netspec.importer.lower.normal.arithmetic import number_of
from netspec.importer.lower.normal.places import one_place, scattered, spread_index
from netspec.importer.lower.normal.rules import Said, call, tensor_like
from netspec.ops.core.foreign import ForeignCall, ForeignTensor


def added(foreign: ForeignCall) -> Said:
    """``scatter_add`` is a scatter that sums."""
    return [foreign._replace(name="scatter", arguments={**foreign.arguments, "reduce": "sum"})]


def reduced(foreign: ForeignCall) -> Said:
    """``scatter_reduce`` over what is there, but for the mean, is a scatter."""
    said, x = foreign.arguments, foreign.tensor("self")
    assert x is not None
    if said["reduce"] == "mean" or not said.get("include_self", True):
        return None
    return [foreign._replace(name="scatter").without("include_self")]


def rows_added(foreign: ForeignCall) -> Said:
    """``index_add``: each entry of the source is added at the place that the index names."""
    x, source, index = (foreign.tensor(name) for name in ("self", "source", "index"))
    assert x is not None
    if source is None or index is None or len(index.shape) != 1:
        return None
    dim, (output,) = foreign.arguments["dim"] % len(x.shape), foreign.outputs
    scaled = tensor_like(source)
    times = call("mul", scaled, self=source, other=foreign.arguments.get("alpha", 1))
    return [times, *scattered(x, index, scaled, dim, output, reduce="sum")]


def rows_copied(foreign: ForeignCall) -> Said:
    """``index_copy`` and ``index_fill``: entries in the place of those that the index names."""
    x, index, (output,), said = foreign.tensor("self"), foreign.tensor("index"), foreign.outputs, foreign.arguments
    assert x is not None
    assert index is not None
    dim = said["dim"] % len(x.shape)
    source = said.get("source", number_of(said.get("value")))
    if not isinstance(source, ForeignTensor):
        wide, spread = spread_index(index, (*x.shape[:dim], index.shape[0], *x.shape[dim + 1 :]), dim)
        return [*spread, call("scatter", output, self=x, dim=dim, index=wide, value=source)]
    return scattered(x, index, source, dim, output)


def put(foreign: ForeignCall) -> Said:
    """``index_put``: a number where a mask is true; or values at places of neighbouring dimensions."""
    x, values, (output,) = foreign.tensor("self"), foreign.arguments["values"], foreign.outputs
    assert x is not None
    assert output is not None
    given = [(dim, index) for dim, index in enumerate(foreign.arguments["indices"]) if index is not None]
    if len(given) == 1 and given[0][1].dtype == "bool":
        return under_mask(foreign, x, *given[0])
    dims = [dim for dim, _ in given]
    if dims != list(range(dims[0], dims[0] + len(dims))) or any(index.dtype != "int64" for _, index in given):
        return None
    first, behind = dims[0], x.shape[dims[-1] + 1 :]
    calls, place = one_place(x, given)
    count, length = product(place.shape), product(x.shape[first : dims[-1] + 1])
    merged, flat = tensor_like(x, shape=(*x.shape[:first], length, *behind)), tensor_like(place, shape=(count,))
    wide = tensor_like(values, shape=(*x.shape[:first], *place.shape, *behind))
    rows, made = tensor_like(values, shape=(*x.shape[:first], count, *behind)), tensor_like(merged)
    return [
        *calls,
        call("reshape", merged, self=x, shape=[*merged.shape]),
        call("reshape", flat, self=place, shape=[count]),
        call("expand", wide, self=values, size=[*wide.shape]),
        call("reshape", rows, self=wide, shape=[*rows.shape]),
        *scattered(merged, flat, rows, first, made, "sum" if foreign.arguments.get("accumulate") else None),
        call("reshape", output, self=made, shape=[*output.shape]),
    ]


def under_mask(foreign: ForeignCall, x: ForeignTensor, dim: int, mask: ForeignTensor) -> Said:
    """A number, or one value, where a mask of the first dimensions is true."""
    values, (output,) = foreign.arguments["values"], foreign.outputs
    if dim != 0 or foreign.arguments.get("accumulate") or product(values.shape) != 1:
        return None
    column = tensor_like(mask, shape=(*mask.shape, *(1 for _ in x.shape[len(mask.shape) :])))
    one = tensor_like(values, shape=())
    return [
        call("view", column, self=mask, size=[*column.shape]),
        *([call("view", one, self=values, size=[])] if values.shape and number_of(values) is values else []),
        call("masked_fill", output, self=x, mask=column, value=values if not values.shape else one),
    ]


def along(foreign: ForeignCall) -> Said:
    """``take_along_dim`` gathers, once both have the same other sizes."""
    x, index, dim, (output,) = (
        *(foreign.tensor(name) for name in ("self", "indices")),
        foreign.arguments.get("dim"),
        foreign.outputs,
    )
    if x is None or index is None or output is None or dim is None or len(x.shape) != len(index.shape):
        return None
    wide = tensor_like(
        x, shape=tuple(a if at == dim % len(x.shape) else b for at, (a, b) in enumerate(zip(x.shape, output.shape)))
    )
    places = tensor_like(index, shape=output.shape)
    return [
        call("expand", wide, self=x, size=[*wide.shape]),
        call("expand", places, self=index, size=[*places.shape]),
        call("gather", output, self=wide, dim=dim, index=places),
    ]


RULES = {
    "take_along_dim": [along],
    "scatter_add": [added],
    "scatter_reduce": [reduced],
    "index_add": [rows_added],
    "index_copy": [rows_copied],
    "index_fill": [rows_copied],
    "index_put": [put],
}
