"""An example of each op on tensors that needs more than one input, or arguments of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

TWO = "{a: [N, 16], b: [N, 16]}"
BITS = "{a: {shape: [N, 16], dtype: int64}, b: {shape: [N, 16], dtype: int64}}"

SEARCH = "searchsorted: {sorted_sequence: edges, input: x}"

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
    "roi_align": (
        "{image: [N, 16, 32, 32], places: [N, 10, 4]}",
        ["roi_align: {input: image, boxes: places, output_size: 7}"],
    ),
    "roi_pool": (
        "{image: [N, 16, 32, 32], places: [N, 10, 4]}",
        ["roi_pool: {input: image, boxes: places, output_size: 7}"],
    ),
    "nms": (
        "{places: [N, 100, 4], likely: [N, 100]}",
        ["nms: {boxes: places, scores: likely, iou_threshold: 0.5, max_output: 10}"],
    ),
    "deform_conv2d": (
        "{image: [N, 16, 32, 32], moves: [N, 18, 32, 32]}",
        ["deform_conv2d: {input: image, offset: moves, out_channels: 32, kernel_size: 3, padding: 1}"],
    ),
    "topk": ("{x: [N, 16]}", ["topk: 3"]),
    "kthvalue": ("{x: [N, 16]}", ["kthvalue: 3"]),
    "searchsorted": ("{x: [N, T]}", ["constant: {name: edges, value: [0.0, 0.5, 1.0]}", SEARCH]),
    "take": (
        "{x: [N, 16], places: {shape: [T], below: 16, dtype: int64}}",
        ["take: {input: x, index: places, dim: 1}"],
    ),
    "scatter": (
        "{x: [N, 16], y: [N, 4], places: {shape: [N, 4], below: 16, dtype: int64}}",
        ["scatter: {input: x, index: places, src: y, dim: 1, reduce: sum}"],
    ),
    "masked_scatter": (
        "{x: [N, 16], y: [N, 16], empty: {shape: [N, 16], dtype: bool}}",
        ["masked_scatter: {input: x, mask: empty, source: y}"],
    ),
    "roll": ("{x: [N, 8, 16]}", ["roll: {shifts: [1], dims: [1]}"]),
    "tile": ("{x: [N, 16]}", ["tile: [1, 2]"]),
    "repeat_interleave": ("{x: [N, 16]}", ["repeat_interleave: {repeats: 2, dim: 1}"]),
    "unbind": ("{x: [N, 3, 16]}", ["unbind: {name: parts, dim: 1}", "add: {from: [parts.0, parts.1, parts.2]}"]),
    "sliding_windows": ("{x: [N, 16]}", ["sliding_windows: {dimension: 1, size: 4, step: 2}"]),
    "meshgrid": (
        "{y: [H], x: [W]}",
        ["meshgrid: {name: grid, from: [y, x]}", "stack: {from: [grid.0, grid.1], dim: -1}"],
    ),
    "diagonal": ("{x: [N, 8, 8]}", ["diagonal: {dim1: 1, dim2: 2}"]),
    "full": ("{x: [N, 16]}", ["full: {name: share, size: [16], fill_value: 0.5}", "multiply: {from: [x, share]}"]),
    "linspace": (
        "{x: [N, 16]}",
        ["linspace: {name: ramp, start: 0, end: 1, steps: 16}", "multiply: {from: [x, ramp]}"],
    ),
    "cosine_similarity": (TWO, ["cosine_similarity: {x1: a, x2: b}"]),
    "pairwise_distance": (TWO, ["pairwise_distance: {x1: a, x2: b}"]),
    "cdist": ("{a: [N, 8, 16], b: [N, 4, 16]}", ["cdist: {x1: a, x2: b}"]),
    "inverse": ("{x: [N, 3, 3]}", ["inverse"]),
    "det": ("{x: [N, 3, 3]}", ["det"]),
    "eye": ("{x: [N, 16, 16]}", ["eye: {name: unit, n: 16}", "add: {from: [x, unit]}"]),
}
"""The inputs and the steps by the op's name."""
