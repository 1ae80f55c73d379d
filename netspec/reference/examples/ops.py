"""An example of each op: inputs that it takes, and the step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.ops import Op
from netspec.reference.examples.tensor_ops import TENSOR_OPS

INPUTS: Mapping[str, str] = {
    "1d": "[N, 16, 32]",
    "2d": "[N, 16, 32, 32]",
    "3d": "[N, 16, 8, 32, 32]",
    "pixel_shuffle": "[N, 16, 32, 32]",
    "pixel_unshuffle": "[N, 16, 32, 32]",
    "frozen_batch_norm2d": "[N, 16, 32, 32]",
    "channel_shuffle": "[N, 16, 32, 32]",
    "unfold": "[N, 16, 32, 32]",
    "global_avg_pool": "[N, 16, 32, 32]",
    "global_max_pool": "[N, 16, 32, 32]",
    "group_norm": "[N, 16, 32, 32]",
    "pad": "[N, 16, 32, 32]",
    "flatten": "[N, 16, 4, 4]",
    "permute": "[N, 16, 4, 4]",
    "tril": "[N, 8, 8]",
    "triu": "[N, 8, 8]",
    "embedding": "{shape: [N, T], below: 1000, dtype: int64}",
    "one_hot": "{shape: [N], below: 10, dtype: int64}",
    "rnn": "[N, T, 16]",
    "gru": "[N, T, 16]",
    "lstm": "[N, T, 16]",
    "multihead_attention": "[N, T, 16]",
    "learned_positions": "[N, 64, 16]",
    "sinusoidal_positions": "[N, T, 16]",
    "rotary_embedding": "[N, T, 16]",
    "causal_mask": "[N, T, 16]",
    "alibi": "[N, T, 16]",
    "irfft": "[N, 9, 2]",
    "fft": "[N, 16, 2]",
    "ifft": "[N, 16, 2]",
    "rfft2": "[N, 16, 16]",
    "irfft2": "[N, 16, 9, 2]",
    "fft2": "[N, 16, 16, 2]",
    "ifft2": "[N, 16, 16, 2]",
    "stft": "[N, 2000]",
    "istft": "[N, 201, T, 2]",
    "relative_position_buckets": "[N, T, 16]",
    "masked_softmax": "[N, T, T]",
    "logical_not": "{shape: [N, 16], dtype: bool}",
}
"""The input by the op's name, or by the number of dimensions that it ends with; any other op has ``[N, 16]``."""

PLAIN = "[N, 16]"

ARGUMENTS: Mapping[str, str] = {
    "out_channels": "32",
    "kernel_size": "3",
    "output_size": "4",
    "norm_type": "2",
    "groups": "4",
    "num_groups": "4",
    "out_features": "10",
    "threshold": "0.1",
    "value": "0.0",
    "dim": "-1",
    "unflattened_size": "[4, 4]",
    "dims": "[0, 2, 3, 1]",
    "dim0": "0",
    "dim1": "1",
    "pad": "[1, 1]",
    "upscale_factor": "2",
    "downscale_factor": "2",
    "factor": "0.5",
    "amount": "1.0",
    "exponent": "2",
    "num_embeddings": "1000",
    "embedding_dim": "64",
    "num_classes": "10",
    "index": "0",
    "hidden_size": "32",
    "num_heads": "4",
    "n_fft": "400",
    "max_length": "64",
}
"""The value of an argument that must be there, by its name."""

WHOLE: Mapping[str, tuple[str, Sequence[str]]] = {
    "affine": ("{x: [N, 16], w: [16, 10]}", ["affine: {input: x, weight: w}"]),
    "filter1d": ("{x: [N, 4, 16], w: [6, 4, 3]}", ["filter1d: {input: x, weight: w}"]),
    "filter2d": ("{x: [N, 4, 16, 16], w: [6, 4, 3, 3]}", ["filter2d: {input: x, weight: w}"]),
    "filter3d": ("{x: [N, 4, 8, 8, 8], w: [6, 4, 3, 3, 3]}", ["filter3d: {input: x, weight: w}"]),
    "matmul": ("{a: [N, 8, 16], b: [N, 16, 4]}", ["matmul: {input: a, other: b}"]),
    "coalesce": ("{y: [N, 16], x: {shape: [N, 16], optional: true}}", ["coalesce: {input: x, default: y}"]),
    "where": (
        "{mask: {shape: [N, 16], dtype: bool}, a: [N, 16], b: [N, 16]}",
        ["where: {condition: mask, input: a, other: b}"],
    ),
    "masked_fill": (
        "{x: [N, 16], hidden: {shape: [N, 16], dtype: bool}}",
        ["masked_fill: {input: x, mask: hidden, value: 0}"],
    ),
    "gather": (
        "{x: [N, 16], places: {shape: [N, 4], below: 16, dtype: int64}}",
        ["gather: {input: x, index: places, dim: 1}"],
    ),
    "einsum": ("{a: [N, 8, 16], b: [N, 16]}", ["einsum: {equation: 'nij,nj->ni', from: [a, b]}"]),
    **{
        f"max_unpool{rank}d": (
            f"{{x: [N, 16, {sizes}]}}",
            [
                f"max_pool{rank}d: {{name: pool, kernel_size: 2, return_indices: true}}",
                f"max_unpool{rank}d: {{input: pool, indices: pool.indices, kernel_size: 2}}",
            ],
        )
        for rank, sizes in ((1, "32"), (2, "32, 32"), (3, "8, 32, 32"))
    },
    "bilinear": ("{x: [N, 16], y: [N, 8]}", ["bilinear: {input1: x, input2: y, out_features: 4}"]),
    "embedding_bag": (
        "{x: {shape: [N, 8], below: 1000, dtype: int64}}",
        ["embedding_bag: {num_embeddings: 1000, embedding_dim: 64, mode: sum}"],
    ),
    "fold": ("{x: [N, 36, 16]}", ["fold: {output_size: [8, 8], kernel_size: 3, stride: 2, padding: 1}"]),
    "grid_sample": ("{x: [N, 3, 32, 32], places: [N, 8, 8, 2]}", ["grid_sample: {input: x, grid: places}"]),
    "affine_grid": ("{x: [N, 2, 3]}", ["affine_grid: [32, 32]"]),
    "relative_position_index": (
        "{x: [N, 49, 49]}",
        [
            "relative_position_index: {name: places, window_size: [7, 7]}",
            "parameter: {name: table, shape: [169]}",
            "take: {input: table, index: places}",
            "add: {from: [prev, x]}",
        ],
    ),
    "reshape": ("{x: [N, 16]}", ["reshape: [N, 4, 4]"]),
    "transpose": ("{x: [N, 8, 16]}", ["transpose: {dim0: 1, dim1: 2}"]),
    "unsqueeze": ("{x: [N, 16]}", ["unsqueeze: 1"]),
    "squeeze": ("{x: [N, 1, 16]}", ["squeeze: 1"]),
    "select": ("{x: [N, 8, 16]}", ["select: {dim: 1, index: 0}"]),
    "slice": ("{x: [N, 8, 16]}", ["slice: {dim: 1, end: 4}"]),
    "flip": ("{x: [N, 8, 16]}", ["flip: [1]"]),
    "unflatten": ("{x: [N, 16]}", ["unflatten: {dim: 1, unflattened_size: [4, 4]}"]),
    "equal": ("{x: [N, 16]}", ["equal: 0"]),
    "not_equal": ("{x: [N, 16]}", ["not_equal: 0"]),
    "less": ("{x: [N, 16]}", ["less: 0"]),
    "less_equal": ("{x: [N, 16]}", ["less_equal: 0"]),
    "greater": ("{x: [N, 16]}", ["greater: 0"]),
    "greater_equal": ("{x: [N, 16]}", ["greater_equal: 0"]),
    "clamp": ("{x: [N, 16]}", ["clamp: {min: 0, max: 1}"]),
    "parameter": ("{x: [N, 16]}", ["parameter: {name: scale, shape: [16]}", "multiply: {from: [x, scale]}"]),
    "buffer": (
        "{x: [N, 3, 32, 32]}",
        ["buffer: {name: mean, value: [[[0.485]], [[0.456]], [[0.406]]]}", "subtract: {from: [x, mean]}"],
    ),
    "constant": ("{x: [N, 16]}", ["constant: {name: two, value: 2.0}", "multiply: {from: [x, two]}"]),
    "arange": ("{x: [N, 16]}", ["arange: {name: places, end: 16}"]),
    "zeros": ("{x: [N, 16]}", ["zeros: {name: start, size: [N, 8], like: x}", "concat: {from: [x, start], dim: 1}"]),
    "ones": ("{x: [N, 16]}", ["ones: {name: bias, size: [N, 1], like: x}", "concat: {from: [x, bias], dim: 1}"]),
    "expand": ("{x: [N, 1, 16]}", ["expand: [-1, 8, -1]"]),
    "local_response_norm": ("{x: [N, 16, 32, 32]}", ["local_response_norm: 5"]),
    "rnn_cell": ("{x: [N, 16], h: [N, 32]}", ["rnn_cell: {input: x, state: h, hidden_size: 32}"]),
    "gru_cell": ("{x: [N, 16], h: [N, 32]}", ["gru_cell: {input: x, state: h, hidden_size: 32}"]),
    "lstm_cell": (
        "{x: [N, 16], h0: [N, 32], c0: [N, 32]}",
        ["lstm_cell: {input: x, h: h0, c: c0, hidden_size: 32}"],
    ),
    "scaled_dot_product_attention": (
        "{q: [N, 4, T, 16], k: [N, 4, T, 16], v: [N, 4, T, 16]}",
        ["scaled_dot_product_attention: {query: q, key: k, value: v, is_causal: true}"],
    ),
    "cast": ("{x: [N, 16]}", ["cast: float64"]),
    "upsample": ("{x: [N, 16, 32, 32]}", ["upsample: 2"]),
    "split": ("{x: [N, 16]}", ["split: {split_size_or_sections: 4, dim: 1}"]),
    "chunk": ("{x: [N, 16]}", ["chunk: {chunks: 2, dim: 1}"]),
}
"""The inputs and steps of ops that need more to be told than the tables above hold."""


def op_example(op: type[Op]) -> str:
    """Return a spec that runs an op, but for the keys that every spec needs."""
    whole = WHOLE.get(op.name) or TENSOR_OPS.get(op.name)
    if whole is not None:
        return _spec(*whole)
    if op.variadic:
        shape = "{shape: [N, 16], dtype: bool}" if op.name.startswith("logical") else PLAIN
        needed = "".join(f", {name}: {ARGUMENTS.get(name, '…')}" for name in _required(op))
        return _spec(f"{{a: {shape}, b: {shape}}}", [f"{op.name}: {{from: [a, b]{needed}}}"])
    shape = INPUTS.get(op.name) or INPUTS.get(op.name[-2:], PLAIN)
    return _spec(f"{{x: {shape}}}", [_step(op)])


def _step(op: type[Op]) -> str:
    """A step that gives an op the arguments that must be there."""
    needed = {name: ARGUMENTS.get(name, "…") for name in _required(op)}
    if not needed:
        return op.name
    if op.main is not None and [*needed] == [op.main]:
        return f"{op.name}: {needed[op.main]}"
    return f"{op.name}: {{{', '.join(f'{name}: {value}' for name, value in needed.items())}}}"


def _required(op: type[Op]) -> list[str]:
    return [name for name, field in op.model_fields.items() if field.is_required()]


def _spec(inputs: str, steps: Sequence[str]) -> str:
    return "\n".join([f"inputs: {inputs}", "network:", *(f"  - {step}" for step in steps)])
