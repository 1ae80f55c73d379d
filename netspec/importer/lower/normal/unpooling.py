"""The undoing of max pooling, which ATen knows by the size that it makes alone."""

from __future__ import annotations

from netspec.importer.lower.normal.rules import Makers, Said, call
from netspec.ops.core.foreign import ForeignCall

WINDOW = ("kernel_size", "stride", "padding")


def unpooled(foreign: ForeignCall, made: Makers) -> Said:
    """``max_unpool2d`` by the window of the pooling that its indices are from, to the size of what that pooled."""
    x, indices, (output,) = foreign.tensor("self"), foreign.tensor("indices"), foreign.outputs
    pool = made.get(indices) if indices is not None else None
    if x is None or pool is None or output is None or not pool.name.endswith("_with_indices"):
        return None
    like = pool.tensor("self")
    if like is None or like.shape[2:] != output.shape[2:]:
        return None
    window = {name: pool.arguments[name] for name in WINDOW if pool.arguments.get(name) not in (None, [])}
    return [call(foreign.name, output, input=x, indices=indices, like=like, **window)]


LOOKING = {f"max_unpool{rank}d": [unpooled] for rank in (2, 3)}
