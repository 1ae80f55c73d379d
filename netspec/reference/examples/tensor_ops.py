"""An example of each op on tensors that needs more than one input, or arguments of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TWO = "{a: [N, 16], b: [N, 16]}"
BITS = "{a: {shape: [N, 16], dtype: int64}, b: {shape: [N, 16], dtype: int64}}"

TENSOR_OPS: Mapping[str, tuple[str, Sequence[str]]] = {
    "remainder": ("{x: [N, 16]}", ["remainder: 2"]),
    "fmod": ("{x: [N, 16]}", ["fmod: 2"]),
    "floor_divide": ("{x: [N, 16]}", ["floor_divide: 2"]),
    "pow": ("{x: [N, 16]}", ["pow: 2"]),
    "atan2": (TWO, ["atan2: {input: a, other: b}"]),
    "hypot": (TWO, ["hypot: {input: a, other: b}"]),
    "xlogy": (TWO, ["xlogy: {input: a, other: b}"]),
    "logaddexp": (TWO, ["logaddexp: {input: a, other: b}"]),
    "lerp": (TWO, ["lerp: {input: a, end: b, weight: 0.5}"]),
    "bitwise_and": (BITS, ["bitwise_and: {from: [a, b]}"]),
    "bitwise_or": (BITS, ["bitwise_or: {from: [a, b]}"]),
    "bitwise_xor": (BITS, ["bitwise_xor: {from: [a, b]}"]),
    "bitwise_not": ("{x: {shape: [N, 16], dtype: int64}}", ["bitwise_not"]),
}
"""The inputs and the steps by the op's name."""
