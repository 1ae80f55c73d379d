"""A measured device: the seconds of each kind of work at a grid of sizes, and of work of any size between.

Times are interpolated in the logarithms of sizes and of seconds. Above the grid they grow with the work; below it,
where launching dominates, they stay.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError

FORMAT = 1
"""The version of the file's form."""

Axes = Mapping[str, int]
"""The sizes that tell work of one kind apart, each with the power at which the work grows with it."""

PRODUCT: Axes = {"rows": 1, "inner": 1, "columns": 1}
CONVOLUTION: Axes = {"inputs": 1, "outputs": 1, "positions": 1}
RECURRENT: Axes = {"batch": 1, "hidden": 2}
ELEMENTS: Axes = {"elements": 1}

OPTIMIZER_KINDS = ("sgd", "momentum", "adam", "adamw")

POOLS = ("max pool 2×2", "max pool 3×3", "average pool", "global average")

KINDS: Mapping[str, Axes] = {
    "product": PRODUCT,
    "conv 1×1": CONVOLUTION,
    "conv 3×3": CONVOLUTION,
    "depthwise 3×3": {"channels": 1, "positions": 1},
    "transposed 2×2": CONVOLUTION,
    "attention": {"heads": 1, "positions": 2},
    "attention with dropout": {"heads": 1, "positions": 2},
    "rnn": RECURRENT,
    "gru": RECURRENT,
    "lstm": RECURRENT,
    "view": {},
    **dict.fromkeys(
        ("copy", "add", "relu", "sigmoid", "gelu", "softmax", "dropout", "layer norm", "embedding", *POOLS),
        ELEMENTS,
    ),
    "batch norm": {"channels": 1, "positions": 1},
    **dict.fromkeys(OPTIMIZER_KINDS, ELEMENTS),
}
"""The kinds of work that are measured."""


class Seconds(NamedTuple):
    """Times of a piece of work: of inference, and of the forward pass in training with the backward pass."""

    forward: float = 0.0
    training: float = 0.0

    def times(self, count: float) -> Seconds:
        """Return the times of ``count`` pieces of such work."""
        return Seconds(self.forward * count, self.training * count)


@dataclass(frozen=True)
class WorkTable:
    """The seconds of one kind of work: ``sizes`` along each axis, and a time for each combination, the last axis first.

    ``forward`` and ``training`` are in the order of ``itertools.product`` over the sizes.
    """

    sizes: Mapping[str, Sequence[int]]
    forward: Sequence[float]
    training: Sequence[float]

    @cached_property
    def _seconds(self) -> Mapping[tuple[int, ...], Seconds]:
        places = product(*(range(len(sizes)) for sizes in self.sizes.values()))
        return dict(zip(places, map(Seconds, self.forward, self.training)))

    def seconds(self, powers: Axes, *sizes: float) -> Seconds:
        """Return the time of work of these sizes, one for each axis."""
        corners = [_corners(measured, size) for measured, size in zip(self.sizes.values(), sizes)]
        beyond = math.prod(
            max(1.0, size / measured[-1]) ** power
            for size, measured, power in zip(sizes, self.sizes.values(), powers.values())
        )
        forward = training = 0.0
        for corner in product(*corners):
            found = self._seconds[tuple(place for place, _ in corner)]
            weight = math.prod(share for _, share in corner)
            forward += weight * math.log(found.forward)
            training += weight * math.log(found.training)
        return Seconds(math.exp(forward), math.exp(training)).times(beyond)


def _corners(measured: Sequence[int], size: float) -> list[tuple[int, float]]:
    """Return the places of the measured sizes next to a size, each with its share."""
    if size <= measured[0]:
        return [(0, 1.0)]
    if size >= measured[-1]:
        return [(len(measured) - 1, 1.0)]
    after = next(at for at, each in enumerate(measured) if each > size)
    share = math.log(size / measured[after - 1]) / math.log(measured[after] / measured[after - 1])
    return [(after - 1, 1 - share), (after, share)]


@dataclass(frozen=True)
class DeviceRecord:
    """A measured device. ``clock`` says which time the seconds are of: ``processor`` or ``wall``."""

    name: str
    device: str
    torch: str
    threads: int
    clock: str
    measured: str
    work: Mapping[str, WorkTable]

    @property
    def title(self) -> str:
        """``AMD EPYC, 1 thread, processor time``; what does not go without saying."""
        threads = f"{self.threads} thread" + "s" * (self.threads != 1)
        return ", ".join([self.name, *([threads] if self.device == "cpu" else []), f"{self.clock} time"])

    def seconds(self, kind: str, *sizes: float) -> Seconds:
        """Return the time of one piece of work of a kind, at its sizes."""
        return self.work[kind].seconds(KINDS[kind], *sizes)

    def to_json(self) -> str:
        """Return the record as the text of its file, a kind of work a line."""
        record = {"netspec_device": FORMAT, **asdict(self)}
        work = record.pop("work")
        head = [f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in record.items()]
        tables = ",\n    ".join(
            f"{json.dumps(kind, ensure_ascii=False)}: {json.dumps(_rounded(table))}" for kind, table in work.items()
        )
        return "{\n  " + ",\n  ".join([*head, f'"work": {{\n    {tables}\n  }}']) + "\n}\n"


def _rounded(table: Mapping[str, Any]) -> dict[str, Any]:
    rounded = {key: [float(f"{each:.3g}") for each in table[key]] for key in ("forward", "training")}
    return {"sizes": table["sizes"], **rounded}


def read_device(path: str) -> DeviceRecord:
    """Read the file of a measured device. Raises ``UsageError`` where it is none."""
    again = "; `netspec measure-device` writes one"
    try:
        record = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as fault:
        raise UsageError(f"cannot read {path}: {fault.strerror}{again}") from None
    except ValueError:
        raise UsageError(f"{path} is no JSON{again}") from None
    if not isinstance(record, dict) or record.pop("netspec_device", None) != FORMAT:
        raise UsageError(f"{path} is no file of a measured device in this version's form{again}")
    try:
        work = {kind: WorkTable(**table) for kind, table in record.pop("work").items()}
        found = DeviceRecord(work=work, **record)
        if any(not _is_whole(work[kind], axes) for kind, axes in KINDS.items()):
            raise ValueError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UsageError(f"{path} lacks some of what is measured of a device{again}") from None
    return found


def _is_whole(table: WorkTable, axes: Axes) -> bool:
    """Return whether a table has these axes, and a positive time for each combination of sizes."""
    count = math.prod(map(len, table.sizes.values()))
    sizes = [size for each in table.sizes.values() for size in each]
    times = [*table.forward, *table.training]
    return (
        list(table.sizes) == list(axes)
        and len(table.forward) == len(table.training) == count
        and all(isinstance(each, (int, float)) and 0 < each < math.inf for each in [*sizes, *times])
        and all(list(each) == sorted(set(each)) for each in table.sizes.values())
    )
