"""The angles of a rotary embedding: at which speeds its pairs turn, and by which positions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from netspec.importer.lower.idioms.heads.masks import values_of
from netspec.importer.lower.idioms.matching import OpSteps, reading
from netspec.importer.lower.sizes_only import FUNCTIONS
from netspec.ops.attention.rotary import RotaryEmbedding
from netspec.ops.core.foreign import ForeignTensor

ONCE, HALVES, DOUBLED = "once", "halves", "doubled"
"""The ways to hold one number for each pair: once; for its first elements, then its second; twice in a row."""
MOST_STEPS = 32
"""The most steps between positions and cosines."""


class Turning(NamedTuple):
    """The arguments of ``rotary_embedding``, and its positions, if they do not count from 0. ``before_heads`` says
    that they go along the third dimension from the end, not the second.
    """

    arguments: Mapping[str, Any]
    positions: ForeignTensor | None
    before_heads: bool = False


def turning(
    steps: OpSteps, x: ForeignTensor, cosines: ForeignTensor, sines: ForeignTensor, layout: str
) -> Turning | None:
    """Return how a tensor is turned by cosines and sines, if it is by positions times the speeds of an op."""
    width = x.shape[-1]
    if not isinstance(width, int) or width < 4 or len(x.shape) < 2:
        return None
    if steps.sizes_only.holds(cosines) and steps.sizes_only.holds(sines):
        values = values_of(steps, cosines), values_of(steps, sines)
        probes = [
            _Probe(cosine, sine, None) for cosine, sine in zip(*values) if cosine.shape[-1:] == sine.shape[-1:] != ()
        ]
        found = _arguments(probes, width, layout, x)
        if found is not None:
            return found
    for positions in _positions(steps, cosines, x):
        found = _arguments(_probes(steps, cosines, sines, positions), width, layout, x)
        if found is not None:
            return found._replace(positions=positions)
    return None


class _Probe(NamedTuple):
    """The values of cosines and sines at some positions, which count from 0 where they are ``None``."""

    cosine: Any
    sine: Any
    positions: Any


def _positions(steps: OpSteps, cosines: ForeignTensor, x: ForeignTensor) -> Iterator[ForeignTensor]:
    """The tensors that cosines are made of which may be positions (T), or (N, T)."""
    waiting, seen = [cosines], {cosines}
    while waiting and len(seen) <= MOST_STEPS:
        tensor = waiting.pop(0)
        if tensor.dtype == "int64" and len(tensor.shape) in (1, 2) and not tensor.key and tensor.constant is None:
            lengths = x.shape[-3:-1]
            if tensor.shape[-1] in lengths and (len(tensor.shape) == 1 or tensor.shape[0] == x.shape[0]):
                yield tensor
        step = steps.made.get(tensor)
        if step is not None and step.op in FUNCTIONS:
            new = [each for each in reading(step).inputs if each is not None and each not in seen]
            seen.update(new)
            waiting += new


def _probes(steps: OpSteps, cosines: ForeignTensor, sines: ForeignTensor, positions: ForeignTensor) -> list[_Probe]:
    """The values of cosines and sines at positions that are put in by hand."""
    probes = []
    for sizes in steps.sizes():
        shape = steps.sizes_only.shape(positions, sizes)
        if shape is None:
            return []
        given = np.arange(math.prod(shape)).reshape(shape) * 5 % 7
        made = [steps.sizes_only.value(each, sizes, {positions: given}) for each in (cosines, sines)]
        if any(each is None for each in made):
            return []
        probes.append(_Probe(made[0], made[1], given))
    return probes


def _arguments(probes: list[_Probe], width: int, layout: str, x: ForeignTensor) -> Turning | None:
    """The arguments that give what all probes are."""
    for probe in probes:
        cosine, sine = (_once(each, width, layout) for each in (probe.cosine, probe.sine))
        if cosine is None or sine is None:
            return None
        for before_heads in (False, True) if len(x.shape) == 4 else (False,):
            axis = -3 if before_heads else -2
            if cosine.ndim < -axis or cosine.shape != sine.shape or cosine.shape[axis] < 2:
                continue
            times = np.arange(cosine.shape[axis]) if probe.positions is None else probe.positions
            speeds = _speeds(cosine, sine, times, axis)
            for arguments in () if speeds is None else _sayings(speeds, width):
                wanted = np.asarray(RotaryEmbedding(**arguments).speeds(width))
                if all(_turns_so(each, wanted, axis, width, layout) for each in probes):
                    return Turning(arguments, None, before_heads)
    return None


def _once(values: Any, width: int, layout: str) -> Any:
    """One number for each pair; ``None`` where both elements have numbers, and they differ."""
    if layout == ONCE:
        return values if values.shape[-1:] == (width // 2,) else None
    if values.shape[-1:] != (width,):
        return None
    first, second = (
        (values[..., 0::2], values[..., 1::2])
        if layout == DOUBLED
        else (values[..., : width // 2], values[..., width // 2 :])
    )
    return first if np.array_equal(first, second) else None


def _speeds(cosine: Any, sine: Any, times: Any, axis: int) -> Any:
    """The angle of each pair at a position of 1."""
    places = np.argwhere(times == 1)
    if not len(places) or (times.ndim == 2 and len(cosine) != len(times)):
        return None
    *row, at = places[0]
    one, other = (np.take(each[tuple(row)], at, axis=axis).reshape(-1, each.shape[-1])[0] for each in (sine, cosine))
    return np.arctan2(one, other)


def _turns_so(probe: _Probe, speeds: Any, axis: int, width: int, layout: str) -> bool:
    """Return whether cosines and sines are those of positions times speeds, along a dimension."""
    cosine, sine = (_once(each, width, layout) for each in (probe.cosine, probe.sine))
    length = cosine.shape[axis] if cosine.ndim >= -axis else 0
    times = np.arange(length) if probe.positions is None else probe.positions
    if times.shape[-1] != length:
        return False
    angles = times[..., None] * speeds
    if axis == -3:
        angles = angles[..., None, :]
    if times.ndim == 2:
        angles = angles.reshape(len(times), *(1,) * (cosine.ndim - angles.ndim), *angles.shape[1:])
    if cosine.ndim < angles.ndim or (times.ndim == 2 and len(cosine) != len(times)):
        return False
    made = np.broadcast_to(np.cos(angles), cosine.shape), np.broadcast_to(np.sin(angles), sine.shape)
    return np.allclose(cosine, made[0], atol=2e-5) and np.allclose(sine, made[1], atol=2e-5)


def _sayings(speeds: Any, width: int) -> Iterator[dict[str, Any]]:
    """The arguments that may give these speeds."""
    if speeds[0] <= 0 or speeds[1] <= 0:
        return
    exact = float(speeds[0] / speeds[1]) ** (width / 2)
    base = float(f"{exact:.4g}")
    said: dict[str, Any] = {} if base == 10000 else {"base": base}
    factor = float(f"{1 / speeds[0]:.5g}")
    if factor != 1:
        yield {**said, "rope_type": "linear", "factor": factor}
        return
    yield said
    plain = np.asarray(RotaryEmbedding(**said).speeds(width))
    kept = speeds / plain
    slower = float(f"{1 / kept[-1]:.4g}")
    between = np.flatnonzero((kept > 1.01 / slower) & (kept < 0.99))
    if slower > 1 and len(between):
        share = (kept[between[0]] - 1 / slower) / (1 - 1 / slower)
        length = round((3 * share + 1) * 2 * math.pi / plain[between[0]])
        yield {**said, "rope_type": "llama3", "factor": slower, "original_max_position_embeddings": length}
