"""Measuring a device: the seconds of each kind of work at a grid of sizes, for ``netspec.analysis.step_time``.

Single threads on a CPU are measured in processor time, which other programs hardly disturb, all else in wall time.
"""

from __future__ import annotations

import copy
import itertools
import math
import platform
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from netspec.analysis.step_time import KINDS, OPTIMIZER_KINDS, DeviceRecord, Seconds, WorkTable
from netspec.runtime.module import checked_device

Run = Callable[[], object]
Grid = Sequence[Sequence[int]]

ELEMENT_COUNTS = (2**8, 2**13, 2**16, 2**18, 2**20, 2**22, 2**24)
GRIDS: Mapping[str, Grid] = {
    "product": ((1, 8, 64, 512), (32, 128, 512, 2048), (32, 128, 512, 2048)),
    "conv 1×1": ((16, 64, 256, 1024), (16, 64, 256, 1024), (49, 784, 12544)),
    "conv 3×3": ((1, 8, 32, 128, 512), (8, 32, 128, 512), (49, 196, 784, 12544)),
    "depthwise 3×3": ((16, 64, 256, 1024), (49, 196, 784, 3136, 12544)),
    "transposed 2×2": ((32, 256), (32, 256), (49, 784)),
    "attention": ((1, 16), (16, 64, 128, 512)),
    "attention with dropout": ((1, 16), (16, 64, 128, 512)),
    **dict.fromkeys(("rnn", "gru", "lstm"), ((1, 32), (32, 128, 512))),
    "batch norm": ((16, 64, 256, 1024), (49, 196, 784, 3136, 12544)),
    "view": (),
    **dict.fromkeys(OPTIMIZER_KINDS, (ELEMENT_COUNTS,)),
}
"""The sizes at which each kind is measured; what is not named here, at ``ELEMENT_COUNTS``."""

MOST_MACS = 5e8
"""The most multiply-accumulates that are measured at once; larger pieces are taken to be proportional."""

IN_CACHE, OUT_OF_CACHE = 2**18, 2**26
"""Bytes of weights that stay in the inner caches while a network runs, and that fit in no cache."""

PASSES = 2
"""Everything is measured so often, one after the other, as something else may slow down what is measured meanwhile."""

AT_ONCE = 8
"""The number of small pieces in one backward pass."""

WEIGHTS = {"product": 1, "conv 1×1": 1, "conv 3×3": 9, "transposed 2×2": 4, "depthwise 3×3": 60, "batch norm": 60}
"""The multiply-accumulates that one of a kind's work takes, or as many as take that time."""

OUTPUTS = 4
"""Outputs that are alive while the next is made, as in a network, whose layers do not write to one place in turn."""

MOST_COPIES = 8
"""As many copies of a module as runs of it are measured: none is run twice while its weights may be at hand."""

HEAD, STEPS, WINDOW = 64, 16, 1024
"""The width of an attention's head, the steps of a recurrent layer, and the width of what is normalised in rows."""


@dataclass(frozen=True)
class Piece:
    """A piece of work: a module or a function with its inputs. ``count`` pieces are in one run of it.

    Weights too large for the inner caches come from memory in a network, as those of other layers are used in between:
    copies of such a module are run in turn.
    """

    module: Callable[..., Tensor]
    inputs: tuple[Tensor, ...]
    count: int = 1


class Stopwatch:
    """Measures the least seconds of a run on a device."""

    def __init__(self, device: torch.device, threads: int):
        self.device = device
        self.clock = "processor" if device.type == "cpu" and threads == 1 else "wall"
        self._now = time.process_time if self.clock == "processor" else time.perf_counter

    def seconds(self, run: Run, budget: float = 0.01) -> float:
        """Return the time of a run: the least of as many as fit in a budget in seconds."""
        run()
        first = self._span(run, 1)
        repeats = max(1, math.ceil(2e-4 / max(first, 1e-7)))
        rounds = min(8, max(1, round(budget / max(first * repeats, 1e-7))))
        spans = [] if repeats > 1 else [first]
        return min([*spans, *(self._span(run, repeats) / repeats for _ in range(rounds - len(spans)))])

    def _span(self, run: Run, repeats: int) -> float:
        self._wait()
        start = self._now()
        for _ in range(repeats):
            run()
        self._wait()
        return self._now() - start

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)


def measure_device(device: str = "cpu", threads: int | None = None) -> DeviceRecord:
    """Measure a device, in under half a minute. ``threads`` are those of a CPU; without it, as many as torch takes."""
    place, before = checked_device(device), torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        watch = Stopwatch(place, torch.get_num_threads())
        passes = [{kind: _table(kind, place, watch) for kind in KINDS} for _ in range(PASSES)]
        work = {kind: _least([each[kind] for each in passes]) for kind in KINDS}
        return DeviceRecord(
            name=_device_name(place),
            device=place.type,
            torch=str(torch.__version__),
            threads=torch.get_num_threads(),
            clock=watch.clock,
            measured=datetime.now(UTC).isoformat(timespec="seconds"),
            work=work,
        )
    finally:
        torch.set_num_threads(before)


def _least(tables: Sequence[WorkTable]) -> WorkTable:
    """The least of what was measured for each piece of work."""
    forward, training = (
        [min(times) for times in zip(*(getattr(table, each) for table in tables))] for each in ("forward", "training")
    )
    return WorkTable(tables[0].sizes, forward, training)


def _table(kind: str, device: torch.device, watch: Stopwatch) -> WorkTable:
    axes = list(KINDS[kind])
    grid = GRIDS.get(kind, (ELEMENT_COUNTS,))
    found: dict[tuple[int, ...], Seconds] = {}
    with torch.device(device), torch.random.fork_rng():
        for sizes in product(*grid):
            found[sizes] = _measured(kind, sizes, found, grid, watch)
    times = found.values()
    return WorkTable(dict(zip(axes, grid)), [each.forward for each in times], [each.training for each in times])


def _measured(
    kind: str, sizes: tuple[int, ...], found: Mapping[tuple[int, ...], Seconds], grid: Grid, watch: Stopwatch
) -> Seconds:
    """The times of a piece of work; of one too large, in proportion to the piece before it along the last axis."""
    if kind in OPTIMIZER_KINDS:
        count = AT_ONCE if 4 * sizes[0] < IN_CACHE else 1
        once = watch.seconds(_optimizer(kind, sizes[0], count)) / count
        return Seconds(once, once)
    if math.prod(sizes) * WEIGHTS.get(kind, 0) > MOST_MACS and sizes[-1] > grid[-1][0]:
        before = grid[-1][grid[-1].index(sizes[-1]) - 1]
        return found[(*sizes[:-1], before)].times(sizes[-1] / before)
    piece = PIECES[kind](*sizes)
    return Seconds(_forward(piece, watch), _training(piece, watch))


def _forward(piece: Piece, watch: Stopwatch) -> float:
    modules = itertools.cycle(_copies(piece.module, training=False))
    outputs: deque[Tensor] = deque(maxlen=OUTPUTS)
    with torch.no_grad():
        return watch.seconds(lambda: outputs.append(next(modules)(*piece.inputs))) / piece.count


def _training(piece: Piece, watch: Stopwatch) -> float:
    """The time of forward and backward, with gradients to the inputs and to the parameters.

    Of small pieces several go into one backward pass, as its start would count for more than they do.
    """
    several = AT_ONCE if _is_small(piece) else 1
    modules = itertools.cycle(_copies(piece.module, training=True, least=several))
    inputs = [_leaves(piece.inputs) for _ in range(several)]
    gradients = [torch.ones_like(next(modules)(*inputs[0])) for _ in range(several)]

    def step() -> None:
        outputs, learning = [], []
        for given in inputs:
            module = next(modules)
            outputs.append(module(*given))
            learning += [each for each in given if each.requires_grad]
            learning += module.parameters() if isinstance(module, nn.Module) else ()
        torch.autograd.grad(outputs, learning, gradients)

    return watch.seconds(step) / (several * piece.count)


def _is_small(piece: Piece) -> bool:
    with torch.no_grad():
        tensors = (*piece.inputs, piece.module(*piece.inputs))
    return sum(each.nbytes for each in tensors) + _size(piece.module) < IN_CACHE


def _leaves(inputs: Sequence[Tensor]) -> list[Tensor]:
    """Copies of inputs that get gradients, where they can have any."""
    return [each.clone().requires_grad_(each.is_floating_point()) for each in inputs]


def _copies(module: Callable[..., Tensor], training: bool, least: int = 1) -> list[Callable[..., Tensor]]:
    """A module in its mode, and copies of it, so many that not all weights fit in a cache, unless they are small."""
    if not isinstance(module, nn.Module):
        return [module]
    module.train(training)
    size = _size(module)
    count = max(least, min(MOST_COPIES, math.ceil(OUT_OF_CACHE / size)) if size > IN_CACHE else 1)
    return [module, *(copy.deepcopy(module) for _ in range(count - 1))]


def _size(module: Callable[..., Tensor]) -> int:
    """The bytes of a module's weights."""
    return sum(each.nbytes for each in module.parameters()) if isinstance(module, nn.Module) else 0


class OutputAlone(nn.Module):
    """A recurrent layer that gives its output alone."""

    def __init__(self, layer: nn.RNNBase):
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the output of all steps."""
        output: Tensor = self.layer(x)[0]
        return output


def _positions(count: int) -> tuple[int, int]:
    side = math.isqrt(count)
    return side, side


def _linear(rows: int, inner: int, columns: int) -> Piece:
    return Piece(nn.Linear(inner, columns), (torch.randn(rows, inner),))


def _conv(kernel: int) -> Callable[[int, int, int], Piece]:
    def make(inputs: int, outputs: int, positions: int) -> Piece:
        module = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        return Piece(module, (torch.randn(1, inputs, *_positions(positions)),))

    return make


def _depthwise(channels: int, positions: int) -> Piece:
    module = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
    return Piece(module, (torch.randn(1, channels, *_positions(positions)),))


def _transposed(inputs: int, outputs: int, positions: int) -> Piece:
    return Piece(nn.ConvTranspose2d(inputs, outputs, 2, stride=2), (torch.randn(1, inputs, *_positions(positions)),))


def _attention(dropout: float) -> Callable[[int, int], Piece]:
    def make(heads: int, positions: int) -> Piece:
        inputs = tuple(torch.randn(1, heads, positions, HEAD) for _ in range(3))
        return Piece(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, dropout_p=dropout), inputs)

    return make


def _recurrent(layer: Callable[..., nn.RNNBase]) -> Callable[[int, int], Piece]:
    def make(batch: int, hidden: int) -> Piece:
        made = layer(hidden, hidden, batch_first=True)
        return Piece(OutputAlone(made), (torch.randn(batch, STEPS, hidden),), count=STEPS)

    return make


def _elementwise(function: Callable[..., Tensor], inputs: int = 1) -> Callable[[int], Piece]:
    def make(elements: int) -> Piece:
        return Piece(function, tuple(torch.randn(elements) for _ in range(inputs)))

    return make


def _rows(elements: int) -> tuple[int, int]:
    return max(1, elements // WINDOW), min(elements, WINDOW)


def _pool(make: Callable[[], nn.Module], overlap: float = 1.0) -> Callable[[int], Piece]:
    """The pieces of a pooling; ``overlap`` says how many windows an element is in."""

    def make_piece(reads: int) -> Piece:
        elements = reads / overlap
        side = min(56, 2 * (math.isqrt(int(elements)) // 2))
        return Piece(make(), (torch.randn(1, max(1, round(elements / side**2)), side, side),))

    return make_piece


def _embedding(elements: int) -> Piece:
    rows, width = _rows(elements)
    return Piece(nn.Embedding(16, width), (torch.randint(16, (rows,)),))


def _batch_norm(channels: int, positions: int) -> Piece:
    return Piece(nn.BatchNorm2d(channels), (torch.randn(1, channels, *_positions(positions)),))


PIECES: Mapping[str, Callable[..., Piece]] = {
    "product": _linear,
    "conv 1×1": _conv(1),
    "conv 3×3": _conv(3),
    "depthwise 3×3": _depthwise,
    "transposed 2×2": _transposed,
    "attention": _attention(0.0),
    "attention with dropout": _attention(0.1),
    "rnn": _recurrent(nn.RNN),
    "gru": _recurrent(nn.GRU),
    "lstm": _recurrent(nn.LSTM),
    "view": lambda: Piece(lambda x: x.transpose(0, 1), (torch.randn(8, 8),)),
    "copy": _elementwise(lambda x: torch.cat((x[: len(x) // 2], x[len(x) // 2 :]))),
    "add": _elementwise(torch.add, 2),
    "relu": _elementwise(F.relu),
    "sigmoid": _elementwise(torch.sigmoid),
    "gelu": _elementwise(F.gelu),
    "softmax": lambda elements: Piece(nn.Softmax(-1), (torch.randn(*_rows(elements)),)),
    "dropout": lambda elements: Piece(nn.Dropout(0.1), (torch.randn(elements),)),
    "batch norm": _batch_norm,
    "layer norm": lambda elements: Piece(nn.LayerNorm(_rows(elements)[1]), (torch.randn(*_rows(elements)),)),
    "max pool 2×2": _pool(lambda: nn.MaxPool2d(2)),
    "max pool 3×3": _pool(lambda: nn.MaxPool2d(3, 2, padding=1), overlap=9 / 4),
    "average pool": _pool(lambda: nn.AvgPool2d(2)),
    "global average": _pool(lambda: nn.AdaptiveAvgPool2d(1)),
    "embedding": _embedding,
}
"""The makers of a piece of each kind of work, from its sizes."""


def _optimizer(kind: str, elements: int, count: int) -> Run:
    """A step of an optimizer with so many parameters of a size."""
    parameters = [nn.Parameter(torch.randn(elements)) for _ in range(count)]
    for each in parameters:
        each.grad = torch.randn(elements)
    makers: Mapping[str, Callable[[], torch.optim.Optimizer]] = {
        "sgd": lambda: torch.optim.SGD(parameters, 1e-6),
        "momentum": lambda: torch.optim.SGD(parameters, 1e-6, momentum=0.9),
        "adam": lambda: torch.optim.Adam(parameters, 1e-6),
        "adamw": lambda: torch.optim.AdamW(parameters, 1e-6),
    }
    return makers[kind]().step


def _device_name(device: torch.device) -> str:
    """The name of the processor, as far as the system tells it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()
