"""The work of an op, in the kinds that a device is measured by.

Everything is read off what an op says anyhow: its family and name, its multiply-accumulates, where its outputs lie, its
tensors. Shapes here are of whole numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from netspec.dataclass import dataclass
from netspec.ops import Op, OpRun, Tensor

HEAD = 64
"""The width of the heads at which attention is measured."""

CHEAP = frozenset(
    {"relu", "relu6", "leaky_relu", "hardtanh", "threshold", "hardshrink", "softshrink", "prelu", "rrelu"}
)
"""The activations that only compare and multiply."""

FUNCTIONS = frozenset({"exp", "log", "sqrt", "reciprocal", "sin", "cos", "pow"})
"""The arithmetic on one input that takes as long as a smooth activation does."""

SOFTMAX = frozenset({"softmax", "log_softmax", "softmin", "softmax2d"})


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work: its kind, its sizes along the kind's axes, and how many such pieces there are."""

    kind: str
    sizes: tuple[float, ...] = ()
    count: float = 1.0


@dataclass(frozen=True, slots=True)
class OpWork:
    """An op with the shapes and dtypes of one run of it, an input left out being ``None``."""

    op: Op
    inputs: tuple[Any, ...]
    outputs: tuple[Tensor, ...]

    @property
    def made(self) -> int:
        """The elements of the first output."""
        return elements(self.outputs[0])

    @property
    def macs(self) -> int:
        """The multiply-accumulates of a run."""
        macs = self.op.macs(self.inputs, self.outputs)
        assert isinstance(macs, int)
        return macs

    def pieces(self, training: bool) -> Iterator[Work]:
        """Yield the work of a run in inference or in training."""
        yield from BY_FAMILY[self.op.family](self, training)


def _numbers(tensor: Any) -> tuple[int, ...]:
    """The sizes of a tensor, all of them known."""
    return tuple(size for size in tensor.shape if isinstance(size, int))


def elements(tensor: Tensor) -> int:
    """Return how many elements a tensor of known sizes has."""
    return math.prod(_numbers(tensor))


def _convolution(run: OpWork, training: bool) -> Iterator[Work]:
    op: Any = run.op
    x, y = _numbers(run.inputs[0]), _numbers(run.outputs[0])
    window = math.prod(op.kernel())
    positions = math.prod((y[0], *y[2:]))
    inputs, outputs = x[1] / op.groups, y[1] / op.groups
    if op.name.startswith("conv_transpose"):
        yield Work("transposed 2×2", (inputs, outputs, math.prod((x[0], *x[2:]))), op.groups * window / 4)
    elif inputs == 1 and op.groups > 1:
        yield Work("depthwise 3×3", (y[1], positions), window / 9)
    elif window == 1:
        yield Work("conv 1×1", (inputs, outputs, positions), op.groups)
    else:
        yield Work("conv 3×3", (inputs, outputs, positions), op.groups * window / 9)
    skipped = elements(run.inputs[0]) * (1 - positions / math.prod((x[0], *x[2:])))
    if skipped > 0 and not op.name.startswith("conv_transpose"):  # a stride leaves them out, but they are read
        yield Work("copy", (skipped,))


def _linear(run: OpWork, training: bool) -> Iterator[Work]:
    if not run.inputs:  # a learned tensor by itself
        return
    columns = run.outputs[0].shape[-1] if run.outputs[0].shape else 1
    assert isinstance(columns, int)
    yield Work("product", (run.made / columns, run.macs / run.made, columns))


def _norm(run: OpWork, training: bool) -> Iterator[Work]:
    shape = run.inputs[0].shape
    if run.op.name.startswith("batch_norm"):
        yield Work("batch norm", (shape[1], math.prod((shape[0], *shape[2:]))))
    elif run.op.name.startswith("instance_norm"):
        yield Work("batch norm", (shape[0] * shape[1], math.prod(shape[2:])))
    elif run.op.name == "local_response_norm":
        yield Work("gelu", (run.made,), 4)
    else:
        yield Work("layer norm", (run.made,))


def _activation(run: OpWork, training: bool) -> Iterator[Work]:
    op = run.op
    others = "sigmoid" if op.saved_for_backward == "output" else "gelu"  # whose gradient follows from what it gave
    yield Work("relu" if op.name in CHEAP else "softmax" if op.name in SOFTMAX else others, (run.made,))


def _pooling(run: OpWork, training: bool) -> Iterator[Work]:
    """The measure is how many elements are read, those of overlapping windows once for each."""
    op: Any = run.op
    if hasattr(op, "windows"):
        window = math.prod(kernel for kernel, *_ in op.windows())
        kind = "max pool 3×3" if window > 4 else "max pool 2×2"
        yield Work(kind if "max" in op.name else "average pool", (run.made * window,))
    else:
        yield Work("max pool 2×2" if "max" in op.name else "global average", (elements(run.inputs[0]),))


def _dropout(run: OpWork, training: bool) -> Iterator[Work]:
    if training:
        yield Work("dropout", (run.made,))


def _shape(run: OpWork, training: bool) -> Iterator[Work]:
    count = len(run.inputs)
    given = OpRun(run.inputs, run.outputs, (None,) * count, (True,) * count, (True,) * len(run.outputs), training)
    if not run.inputs or run.op.output_layout(given)[0].source is not None:
        yield Work("view", (), len(run.outputs))
    else:
        yield Work("copy", (sum(map(elements, run.outputs)),))


def _arithmetic(run: OpWork, training: bool) -> Iterator[Work]:
    size = max(run.made, *map(elements, filter(None, run.inputs)))
    if run.op.name in FUNCTIONS:
        yield Work("gelu", (size,))
    elif len(run.inputs) == 1:
        yield Work("relu", (size,))
    else:
        yield Work("add", (size,), len(run.inputs) - 1)


def _sequence(run: OpWork, training: bool) -> Iterator[Work]:
    op: Any = run.op
    if op.name in ("rnn", "gru", "lstm"):
        x = run.inputs[0].shape
        batch, steps = x[:2] if op.batch_first else (x[1], x[0])
        for size in op.input_sizes(x):
            yield _recurrence(op.name, batch, size, op.hidden_size, steps * op.directions)
    elif op.name.endswith("_cell"):
        batch, size = run.inputs[0].shape
        yield _recurrence(op.name.removesuffix("_cell"), batch, size, op.hidden_size, 1)
    elif op.name == "scaled_dot_product_attention":
        query, key = run.inputs[0].shape, run.inputs[1].shape
        yield _attention(op.dropout_p, training, math.prod(query[:-2]), query[-2], key[-2], query[-1])
    elif op.name == "multihead_attention":
        yield from _multihead_attention(run, training)
    elif op.name == "embedding":
        yield Work("embedding", (run.made,))
    elif op.name == "masked_softmax":
        yield Work("softmax", (run.made,))
    else:  # positions, masks
        yield Work("add", (run.made,))


def _recurrence(kind: str, batch: int, size: int, hidden: int, steps: int) -> Work:
    """Steps of a recurrent layer; those that are measured have inputs as wide as their state."""
    return Work(kind, (batch, hidden), steps * (size + hidden) / (2 * hidden))


def _multihead_attention(run: OpWork, training: bool) -> Iterator[Work]:
    op: Any = run.op
    batch, queries, keys = op.lengths(run.inputs)
    query, key, value = op.widths(run.inputs)
    if query == key == value and queries == keys:
        yield Work("product", (batch * queries, query, 3 * query))
    else:
        for rows, width in ((queries, query), (keys, key), (keys, value)):
            yield Work("product", (batch * rows, width, query))
    yield _attention(op.dropout, training, batch * op.num_heads, queries, keys, query / op.num_heads)
    yield Work("product", (batch * queries, query, query))


def _attention(dropout: float, training: bool, heads: int, queries: int, keys: int, width: float) -> Work:
    kind = "attention with dropout" if dropout and training else "attention"
    return Work(kind, (heads, math.sqrt(queries * keys)), width / HEAD)


BY_FAMILY: Mapping[str, Callable[[OpWork, bool], Iterator[Work]]] = {
    "convolution": _convolution,
    "linear": _linear,
    "norm": _norm,
    "activation": _activation,
    "pooling": _pooling,
    "dropout": _dropout,
    "shape": _shape,
    "arithmetic": _arithmetic,
    "sequence": _sequence,
}
"""The kind of work that an op of each family does."""
