"""Shorter steps for tensors that depend on sizes alone: positions that are counted, masks that are a band.

A tensor of one number becomes ``full``; one that counts along its last dimension ``arange``; one that is another number
in a band of its last two dimensions, as masks of attention are, ``tril`` and ``triu`` of ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from netspec.importer.lower.idioms.matching import OpSteps, reading, symbols_in
from netspec.importer.lower.table import OpTable
from netspec.importer.program import ForeignProgram, ForeignStep
from netspec.ops.core.foreign import ForeignTensor

FEWEST = 3
"""As many steps as this stay as they are."""


class Band(NamedTuple):
    """``inside`` where low <= column - row <= high in the last two dimensions, else ``outside``; ``None``: no limit."""

    low: int | None
    high: int | None
    inside: Any
    outside: Any


def say_in_short(program: ForeignProgram, table: OpTable) -> None:
    """Put short steps in the place of those that make something of sizes alone, where something else reads it."""
    steps = OpSteps(program, table)
    for step in program.steps:
        if step.reading is not None:
            steps.made.update({each: step for each in step.reading.outputs if each is not None})
    shortening = _Shortening(steps)
    done: list[ForeignStep] = []
    for step in program.steps:
        if step.reading is not None and not all(map(steps.sizes_only.holds, _made(step))):
            inputs = tuple(each if each is None else shortening.instead(each, done) for each in step.reading.inputs)
            step.reading = step.reading._replace(inputs=inputs)
        done.append(step)
    program.steps[:] = done


class _Shortening:
    """Knows what was said in short already."""

    def __init__(self, steps: OpSteps):
        self.steps = steps
        self.known: dict[ForeignTensor, ForeignTensor] = {}

    def instead(self, tensor: ForeignTensor, done: list[ForeignStep]) -> ForeignTensor:
        """Return what stands for a tensor; the steps that make it are added to ``done``."""
        if tensor not in self.known:
            self.known[tensor] = tensor
            if symbols_in(tensor) and self._is_long(tensor):
                made = self._said(tensor)
                if made:
                    done += made
                    self.known[tensor] = _made(made[-1])[0]
        return self.known[tensor]

    def _is_long(self, tensor: ForeignTensor) -> bool:
        """Return whether a tensor depends on sizes alone, and takes more than a few steps, or a constant."""
        if tensor.constant is not None or not self.steps.sizes_only.holds(tensor):
            return False
        chain = self.steps.sizes_only.chain(tensor)
        return len(chain) > FEWEST or any(
            each is not None and each.constant is not None and each.constant.size > 1
            for step in chain
            for each in reading(step).inputs
        )

    def _said(self, tensor: ForeignTensor) -> list[ForeignStep]:
        values = self.steps.values_at_sizes(tensor)
        if not values:
            return []
        bands = [band_of(value) for value in values]
        whole = widest(bands)
        if whole is not None and all(cut_band(whole, each.shape) == band for each, band in zip(values, bands)):
            return self._band(tensor, whole)
        return self._counts(tensor) if all(map(counts, values)) else []

    def _band(self, tensor: ForeignTensor, band: Band) -> list[ForeignStep]:
        """The steps that make a band."""
        if band.low is None and band.high is None:
            said: dict[str, Any] = {"size": tensor.shape, "dtype": tensor.dtype}
            if band.inside in (0, 1):
                return self._steps(tensor, [("ones" if band.inside else "zeros", said, ())], tensor.shape)
            return self._steps(tensor, [("full", {**said, "fill_value": float(band.inside)}, ())], tensor.shape)
        matrix = tensor.shape[-2:]
        calls: list[tuple[str, Mapping[str, Any], tuple[int, ...]]] = [("ones", {"size": matrix, "dtype": "bool"}, ())]
        calls += [("tril", {"diagonal": band.high}, (-1,))] if band.high is not None else []
        calls += [("triu", {"diagonal": band.low}, (-1,))] if band.low is not None else []
        if tensor.dtype != "bool":
            calls.append(("full", {"size": matrix, "fill_value": float(band.outside), "dtype": tensor.dtype}, ()))
            calls.append(("masked_fill", {"value": float(band.inside)}, (-1, -2)))
        elif not band.inside:
            calls.append(("logical_not", {}, (-1,)))
        return self._steps(tensor, calls, matrix)

    def _counts(self, tensor: ForeignTensor) -> list[ForeignStep]:
        """The steps that count along the last dimension."""
        return self._steps(tensor, [("arange", {"end": tensor.shape[-1]}, ())], tensor.shape[-1:])

    def _steps(self, tensor: ForeignTensor, calls: list[Any], shape: Any) -> list[ForeignStep]:
        """The steps of calls, each of which reads earlier ones by their places, spread to the tensor's shape."""
        at = self.steps.made[tensor]
        if shape != tensor.shape:
            front = tensor.shape[: len(tensor.shape) - len(shape)]
            spread = ("expand", {"shape": (*front, *(-1 for _ in shape))}, (-1,))
            calls = [*calls, ("unsqueeze", {"dim": 0}, (-1,)) if front == (1,) else spread]
        made: list[ForeignStep] = []
        for op, said, reads in calls:
            dtype = "int64" if op == "arange" else said.get("dtype") or _made(made[-1])[0].dtype
            output = ForeignTensor(tensor.shape if op in ("expand", "unsqueeze") else shape, dtype)
            inputs = [_made(made[place])[0] for place in reads]
            step = self.steps.step(at, op, said, inputs, (output,))
            if step is None:
                return []
            made.append(step)
        return made if _made(made[-1])[0].dtype == tensor.dtype else []


def _made(step: ForeignStep) -> list[ForeignTensor]:
    return [each for each in reading(step).outputs if each is not None]


def counts(values: Any) -> bool:
    """Return whether values are 0, 1, … along the last dimension, in every row."""
    along = values.shape[-1] if values.ndim else 0
    return along > 1 and bool((values == np.arange(along)).all())


def widest(bands: list[Band | None]) -> Band | None:
    """Return the band with the most limits of those that were found at each size, if there is one at all."""
    found = [band for band in bands if band is not None]
    if len(found) < len(bands) or not found:
        return None
    return max(found, key=lambda band: (band.low is not None) + (band.high is not None))


def cut_band(band: Band, shape: tuple[int, ...]) -> Band:
    """Return a band without the limits that a matrix of this shape does not reach."""
    if band.low is None and band.high is None:
        return band
    low = band.low if band.low is not None and band.low > 1 - shape[-2] else None
    high = band.high if band.high is not None and band.high < shape[-1] - 1 else None
    return Band(low, high, band.inside, band.inside if low is None and high is None else band.outside)


def band_of(values: Any) -> Band | None:
    """Return the band that values are, if they are one; a number throughout is a band without limits."""
    if values.size == 0:
        return None
    first = values.flat[0].item()
    if bool((values == first).all()):
        return Band(None, None, first, first)
    if values.ndim < 2 or min(values.shape[-2:]) < 3:
        return None
    matrix = values.reshape(-1, *values.shape[-2:])[0]
    inside = matrix[0, 0].item()
    kept = matrix == inside
    rest = matrix[~kept]
    if rest.size == 0 or not bool((rest == rest.flat[0]).all()) or not bool((values == matrix).all()):
        return None
    rows, columns = matrix.shape
    apart = np.arange(columns) - np.arange(rows)[:, None]
    low, high = int(apart[kept].min()), int(apart[kept].max())
    if not bool((kept == ((low <= apart) & (apart <= high))).all()):
        return None
    below, above = low == 1 - rows, high == columns - 1
    return Band(None if below else low, None if above else high, inside, rest.flat[0].item())
