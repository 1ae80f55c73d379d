"""Views: those that change nothing go; the rest is said by what has an op."""

from __future__ import annotations

from netspec.dims import Dim, product
from netspec.importer.lower.normal.places import scattered
from netspec.importer.lower.normal.rules import Makers, Said, call, tensor_like
from netspec.ops.core.foreign import ForeignCall, ForeignTensor

END = 2**63 - 1


def unchanged(foreign: ForeignCall) -> Said:
    """A view of the same shape is what it looks at."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    same = x is not None and output is not None and x.shape == output.shape and x.dtype == output.dtype
    return x if same else None


def whole_slice(foreign: ForeignCall) -> Said:
    """A slice of everything is what it is cut from."""
    whole = foreign.arguments.get("start", 0) == 0 and foreign.arguments.get("step", 1) == 1
    return unchanged(foreign) if whole else None


def identity_order(foreign: ForeignCall) -> Said:
    """A permutation that moves nothing."""
    x, dims = foreign.tensor("self"), foreign.arguments["dims"]
    assert x is not None
    return x if [dim % len(x.shape) for dim in dims] == list(range(len(x.shape))) else None


def no_padding(foreign: ForeignCall) -> Said:
    """Padding by nothing."""
    return foreign.tensor("self") if all(amount == 0 for amount in foreign.arguments["pad"]) else None


def padded_by(foreign: ForeignCall) -> Said:
    """``constant_pad_nd`` is ``pad``."""
    return [foreign._replace(name="pad")]


def no_shift(foreign: ForeignCall) -> Said:
    """A roll by nothing."""
    return foreign.tensor("self") if all(amount == 0 for amount in foreign.arguments["shifts"]) else None


def like_other(foreign: ForeignCall) -> Said:
    """``expand_as``, ``view_as`` and ``reshape_as`` by the sizes."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    assert output is not None
    name = foreign.name.removesuffix("_as")
    return [call(name, output, self=x, **{"shape" if name == "reshape" else "size": [*output.shape]})]


def kept_sizes(foreign: ForeignCall) -> Said:
    """An expansion says -1 where it keeps a size."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    assert x is not None
    assert output is not None
    added = len(output.shape) - len(x.shape)
    kept = (None,) * added + x.shape
    sizes = [-1 if size == have else size for size, have in zip(output.shape, kept)]
    if foreign.arguments.get("shape") == sizes:
        return None
    return [call("expand", output, self=x, shape=sizes)]


def broadcast_together(foreign: ForeignCall) -> Said:
    """``broadcast_tensors``: each by itself in the shape of all."""
    outputs = [each for each in foreign.outputs if each is not None]
    return [call("expand", made, self=x, size=[*made.shape]) for x, made in zip(foreign.arguments["tensors"], outputs)]


def repeated(foreign: ForeignCall) -> Said:
    """``repeat`` of sizes of 1 is an expansion, else ``tile``."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    assert x is not None
    assert output is not None
    times = foreign.arguments.get("repeats", foreign.arguments.get("dims"))
    if all(each == 1 for each in times) and len(times) <= len(x.shape):
        return x
    have = (1,) * (len(times) - len(x.shape)) + x.shape
    if foreign.name == "tile" and not any(isinstance(each, Dim) for each in times):
        return None
    if all(each == 1 or size == 1 for each, size in zip(times, have)):
        return [call("expand", output, self=x, size=[*output.shape])]
    if any(isinstance(each, Dim) for each in times):
        return tiled(x, output, times)
    return [call("tile", output, self=x, dims=[*times])]


def tiled(x: ForeignTensor, output: ForeignTensor, times: list[int | Dim]) -> Said:
    """A symbolic number of copies: a dimension of 1 before each that grows, which is expanded and merged with it."""
    have = (1,) * (len(times) - len(x.shape)) + x.shape
    apart = tuple(size for each, own in zip(times, have) for size in ((1, own) if each != 1 else (own,)))
    grown = tuple(size for each, own in zip(times, have) for size in ((each, own) if each != 1 else (own,)))
    split, spread = tensor_like(x, shape=apart), tensor_like(x, shape=grown)
    return [
        call("reshape", split, self=x, shape=[*apart]),
        call("expand", spread, self=split, size=[*grown]),
        call("reshape", output, self=spread, shape=[*output.shape]),
    ]


def chosen_row(foreign: ForeignCall) -> Said:
    """``narrow`` is a slice."""
    start, (output,) = foreign.arguments["start"], foreign.outputs
    if isinstance(start, ForeignTensor):
        return None
    end = start + foreign.arguments["length"]
    return [call("slice", output, self=foreign.tensor("self"), dim=foreign.arguments["dim"], start=start, end=end)]


def cut(foreign: ForeignCall) -> Said:
    """``tensor_split`` into the parts that it makes."""
    parts = [each for each in foreign.outputs if each is not None]
    dim = foreign.arguments.get("dim", 0)
    sizes = [each.shape[dim] for each in parts]
    plain = {"self": foreign.tensor("self"), "split_sizes": sizes, "dim": dim}
    return [ForeignCall("split_with_sizes", plain, foreign.outputs)]


def equal_parts(foreign: ForeignCall) -> Said:
    """A split into parts of a symbolic size that are equal is one into that many."""
    parts, dim = [each for each in foreign.outputs if each is not None], foreign.arguments.get("dim", 0)
    if not isinstance(foreign.arguments["split_size"], Dim) or len({each.shape[dim] for each in parts}) != 1:
        return None
    plain = {"self": foreign.tensor("self"), "chunks": len(foreign.outputs), "dim": dim}
    return [ForeignCall("chunk", plain, foreign.outputs)]


def written_over(foreign: ForeignCall) -> Said:
    """``slice_scatter`` and ``select_scatter``: what is before, what is put there, what is behind."""
    x, put, (output,) = foreign.tensor("self"), foreign.tensor("src"), foreign.outputs
    assert x is not None
    assert put is not None
    dim = foreign.arguments.get("dim", 0) % len(x.shape)
    size, calls = x.shape[dim], []
    start, end = foreign.arguments.get("start") or 0, foreign.arguments.get("end", END)
    if foreign.name == "select_scatter":
        start = foreign.arguments["index"]
        start = size + start if isinstance(start, int) and start < 0 else start
        end = start + 1
        whole = tensor_like(put, shape=(*put.shape[:dim], 1, *put.shape[dim:]))
        calls.append(call("unsqueeze", whole, self=put, dim=dim))
        put = whole
    start, end = (size + place if isinstance(place, int) and place < 0 else place for place in (start, end))
    end = size if end == END or (isinstance(size, int) and isinstance(end, int) and end > size) else end
    if (step := foreign.arguments.get("step", 1)) != 1:
        places = ForeignTensor((put.shape[dim],), "int64")
        counted = call("arange", places, start=start, end=end, step=step)
        return [*calls, counted, *scattered(x, places, put, dim, output)]
    parts = [put]
    if start != 0:
        parts.insert(0, tensor_like(x, shape=(*x.shape[:dim], start, *x.shape[dim + 1 :])))
        calls.append(call("slice", parts[0], self=x, dim=dim, end=start))
    if end != size:
        parts.append(tensor_like(x, shape=(*x.shape[:dim], size - end, *x.shape[dim + 1 :])))
        calls.append(call("slice", parts[-1], self=x, dim=dim, start=end))
    return put if len(parts) == 1 else [*calls, call("cat", output, tensors=parts, dim=dim)]


def copied(foreign: ForeignCall) -> Said:
    """``copy`` gives what is copied, in the shape and the dtype of what it is put over."""
    x, source, (output,) = foreign.tensor("self"), foreign.tensor("src"), foreign.outputs
    assert x is not None
    assert source is not None
    made = source if source.dtype == x.dtype else tensor_like(source, dtype=x.dtype)
    cast = [] if made is source else [call("cast", made, self=source, dtype=x.dtype)]
    return [*cast, call("expand", output, self=made, size=[*x.shape])]


def merged_ends(foreign: ForeignCall) -> Said:
    """A flatten of a scalar or of one dimension."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    assert x is not None
    assert output is not None
    if x.shape == () and product(output.shape) == 1:
        return [call("unsqueeze", output, self=x, dim=0)]
    return unchanged(foreign)


RESHAPES = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")


def there_and_back(foreign: ForeignCall, made: Makers) -> Said:
    """Views of a view are one; where that gives the first shape, there is none."""
    source, (output,) = foreign.tensor("self"), foreign.outputs
    while source is not None and source in made and made[source].name in RESHAPES:
        source = made[source].tensor("self")
        if source is not None and output is not None and source.shape == output.shape:
            return source
    return None


def one_more_or_less(foreign: ForeignCall) -> Said:
    """A view with a dimension of size 1 put in, or taken out, by its own name."""
    x, (output,) = foreign.tensor("self"), foreign.outputs
    assert x is not None
    assert output is not None
    more = len(output.shape) - len(x.shape)
    long, short = (output.shape, x.shape) if more > 0 else (x.shape, output.shape)
    for dim in range(len(long)) if abs(more) == 1 else ():
        if long[dim] == 1 and long[:dim] + long[dim + 1 :] == short:
            return [call("unsqueeze" if more > 0 else "squeeze", output, self=x, dim=dim)]
    return None


def without_empty(foreign: ForeignCall) -> Said:
    """Parts of which one is empty, such as what a rotary embedding of the whole width leaves as it is."""
    (output,), parts = foreign.outputs, foreign.arguments["tensors"]
    kept = [each for each in parts if 0 not in each.shape]
    if output is None or len(kept) == len(parts) or not kept:
        return None
    alone = len(kept) == 1 and kept[0].dtype == output.dtype
    return kept[0] if alone else [foreign._replace(arguments={**foreign.arguments, "tensors": kept})]


RULES = {
    "cat": [without_empty],
    **{name: [unchanged, one_more_or_less] for name in ("view", "reshape", "_unsafe_view", "unflatten")},
    **{name: [unchanged] for name in ("squeeze", "alias", "detach", "contiguous", "clone", "lift_fresh_copy")},
    "flatten": [merged_ends],
    "expand": [unchanged, kept_sizes],
    "slice": [whole_slice],
    "permute": [identity_order],
    "pad": [no_padding],
    "constant_pad_nd": [padded_by],
    "roll": [no_shift],
    "narrow": [chosen_row],
    "slice_scatter": [written_over],
    "select_scatter": [written_over],
    "copy": [copied],
    "tensor_split": [cut],
    "split": [equal_parts],
    "broadcast_tensors": [broadcast_together],
    "repeat": [repeated],
    "tile": [repeated],
    **{f"{name}_as": [like_other] for name in ("expand", "view", "reshape")},
}
LOOKING = {name: [there_and_back] for name in RESHAPES}
