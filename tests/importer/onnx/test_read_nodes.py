"""Nodes of ONNX as ops: each in a file of its own, run on onnxruntime and as the ops that it came to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from files import agrees, write
from importer.lower.running import ops_of

R = np.random.default_rng(1)


def weights(**shapes: tuple[int, ...]) -> dict[str, Any]:
    """Return random weights by name."""
    return {name: R.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


IMAGE = "float[N, 4, 9, 7] x"
ROW = "float[N, 5, 6] x"
CASES = {
    "conv": (IMAGE, "y = Conv <pads = [1, 2, 1, 2], strides = [2, 1]> (x, w)", weights(w=(6, 4, 3, 3)), ["conv2d"]),
    "conv_group": (IMAGE, "y = Conv <group = 2> (x, w, b)", weights(w=(6, 2, 3, 3), b=(6,)), ["conv2d"]),
    "conv_uneven": (
        IMAGE,
        "y = Conv <pads = [0, 0, 1, 1], strides = [2, 2]> (x, w)",
        weights(w=(6, 4, 3, 3)),
        ["pad", "conv2d"],
    ),
    "conv_same": (IMAGE, 'y = Conv <auto_pad = "SAME_UPPER"> (x, w)', weights(w=(6, 4, 3, 3)), ["conv2d"]),
    "conv_transpose": (
        IMAGE,
        "y = ConvTranspose <strides = [2, 2], output_padding = [1, 1]> (x, w)",
        weights(w=(4, 3, 3, 3)),
        ["conv_transpose2d"],
    ),
    "gemm": ("float[N, 6] x", "y = Gemm <transB = 1> (x, w, b)", weights(w=(3, 6), b=(3,)), ["linear"]),
    "gemm_stored_otherwise": ("float[N, 6] x", "y = Gemm (x, w, b)", weights(w=(6, 3), b=(3,)), ["linear"]),
    "gemm_scaled": (
        "float[N, 6] x",
        "y = Gemm <alpha = 0.5, beta = 2.0> (x, w, b)",
        weights(w=(6, 3), b=(3,)),
        None,
    ),
    "matmul_bias": (ROW, "h = MatMul (x, w)\n y = Add (h, b)", weights(w=(6, 3), b=(3,)), ["linear"]),
    "matmul": (ROW, "t = Transpose <perm = [0, 2, 1]> (x)\n y = MatMul (x, t)", {}, ["transpose", "matmul"]),
    "max_pool": (
        IMAGE,
        "y = MaxPool <kernel_shape = [3, 3], strides = [2, 2], pads = [1, 1, 1, 1]> (x)",
        {},
        ["max_pool2d"],
    ),
    "of_one": (ROW, "a = Max (x)\n b = Min (a)\n c = Mean (b)\n y = Relu (c)", {}, ["relu"]),
    "avg_pool": (IMAGE, "y = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (x)", {}, ["avg_pool2d"]),
    "global_pool": (IMAGE, "y = GlobalAveragePool (x)", {}, ["adaptive_avg_pool2d"]),
    "layer_norm": (
        ROW,
        "y = LayerNormalization <axis = -1, epsilon = 0.001> (x, w, b)",
        weights(w=(6,), b=(6,)),
        ["layer_norm"],
    ),
    "batch_norm": (
        IMAGE,
        "y = BatchNormalization (x, w, b, m, v)",
        {**weights(w=(4,), b=(4,), m=(4,)), "v": np.full(4, 2.0, np.float32)},
        ["batch_norm2d"],
    ),
    "instance_norm": (IMAGE, "y = InstanceNormalization (x, w, b)", weights(w=(4,), b=(4,)), ["instance_norm2d"]),
    "prelu": (IMAGE, "y = PRelu (x, w)", weights(w=(4, 1, 1)), ["prelu"]),
    "flatten": (IMAGE, "y = Flatten (x)", {}, ["flatten"]),
    "flatten_elsewhere": (IMAGE, "y = Flatten <axis = 2> (x)", {}, ["reshape"]),
    "reshape": (ROW, "y = Reshape (x, s)", {"s": np.array([0, 0, 2, 3])}, ["unflatten"]),
    "squeeze_two": ("float[1, 5, 1] x", "y = Squeeze (x)", {}, ["squeeze", "squeeze"]),
    "slice_two": (
        IMAGE,
        "y = Slice (x, s, e, a)",
        {"s": np.array([1, -3]), "e": np.array([3, 99]), "a": np.array([1, 3])},
        ["slice", "slice"],
    ),
    "slice_backwards": (
        ROW,
        "y = Slice (x, s, e, a, d)",
        {"s": np.array([-1]), "e": np.array([-99]), "a": np.array([1]), "d": np.array([-1])},
        ["flip"],
    ),
    "split": (ROW, "y, z = Split <axis = -1> (x, s)", {"s": np.array([2, 4])}, ["split"]),
    "chunk": (ROW, "y, z = Split <axis = -1, num_outputs = 2> (x)", {}, ["chunk"]),
    "gather_one": (ROW, "y = Gather <axis = 1> (x, i)", {"i": np.array(2)}, ["select"]),
    "embedding": ("int64[N, 3] x", "y = Gather (w, x)", weights(w=(7, 5)), ["embedding"]),
    "scalars": (
        ROW,
        "a = Sub (x, c)\n b = Div (a, c)\n d = Sub (c, b)\n y = Div (c, d)",
        {"c": np.float32(3.5)},
        ["shift", "scale", "neg", "shift", "reciprocal", "scale"],
    ),
    "clip": (ROW, "y = Clip (x, l, h)", {"l": np.float32(0), "h": np.float32(6)}, ["relu6"]),
    "norms": (ROW, "a = ReduceL2 <keepdims = 1> (x, i)\n y = Div (x, a)", {"i": np.array([-1])}, None),
    "pow": (ROW, "y = Pow (x, c)", {"c": np.float32(2)}, ["pow"]),
    "compare": (
        ROW,
        "a = Greater (x, c)\n y = Where (a, x, c)",
        {"c": np.float32(0.25)},
        None,
    ),
    "softmax": (ROW, "y = Softmax (x)", {}, ["softmax"]),
    "argmax": (ROW, "y = ArgMax <axis = 1, keepdims = 0> (x)", {}, ["argmax"]),
    "topk": (ROW, "y, i = TopK (x, k)", {"k": np.array([2])}, ["topk"]),
    "einsum": (ROW, 'y = Einsum <equation = "nld,nmd->nlm"> (x, x)', {}, ["einsum"]),
    "pad": (ROW, "y = Pad (x, p)", {"p": np.array([0, 1, 0, 0, 0, 2])}, ["pad"]),
    "reflect": (IMAGE, 'y = Pad <mode = "reflect"> (x, p)', {"p": np.array([0, 0, 1, 2, 0, 0, 1, 2])}, ["pad"]),
    "expand": ("float[1, 5, 1] x", "y = Expand (x, s)", {"s": np.array([2, 1, 4])}, ["expand"]),
    "resize": (
        IMAGE,
        'y = Resize <mode = "linear", coordinate_transformation_mode = "half_pixel"> (x, r, s)',
        {"r": np.zeros(0, np.float32), "s": np.array([1, 1, 2, 2], np.float32)},
        ["upsample"],
    ),
    "pixel_shuffle": (IMAGE, 'y = DepthToSpace <blocksize = 2, mode = "CRD"> (x)', {}, ["pixel_shuffle"]),
    "cast": (ROW, "a = Cast <to = 7> (x)\n y = Cast <to = 1> (a)", {}, ["cast", "cast"]),
    "silu": (ROW, "a = Sigmoid (x)\n y = Mul (x, a)", {}, ["silu"]),
    "gelu": (
        ROW,
        "a = Div (x, r)\n b = Erf (a)\n c = Add (b, one)\n d = Mul (x, c)\n y = Mul (d, half)",
        {"r": np.float32(2**0.5), "one": np.float32(1), "half": np.float32(0.5)},
        ["gelu"],
    ),
    "nearly_gelu": (
        ROW,
        "a = Div (x, r)\n b = Erf (a)\n c = Add (b, one)\n d = Mul (x, c)\n y = Mul (d, half)",
        {"r": np.float32(1.5), "one": np.float32(1), "half": np.float32(0.5)},
        ["scale", "erf", "shift", "multiply", "scale"],
    ),
    "layer_norm_by_hand": (
        ROW,
        "m = ReduceMean (x, i)\n d = Sub (x, m)\n p = Pow (d, two)\n v = ReduceMean (p, i)\n e = Add (v, eps)\n"
        "s = Sqrt (e)\n n = Div (d, s)\n k = Mul (n, w)\n y = Add (k, b)",
        {**weights(w=(6,), b=(6,)), "i": np.array([-1]), "two": np.float32(2), "eps": np.float32(1e-3)},
        ["layer_norm"],
    ),
    "gru": (
        "float[T, N, 3] x",
        "s, y = GRU <hidden_size = 4, linear_before_reset = 1> (x, w, r, b)",
        weights(w=(1, 12, 3), r=(1, 12, 4), b=(1, 24)),
        None,
    ),
    "lstm_batch_first": (
        "float[N, T, 3] x",
        "t = Transpose <perm = [1, 0, 2]> (x)\n s, h, c = LSTM <hidden_size = 4> (t, w, r, b)\n"
        "q = Squeeze (s, a)\n y = Transpose <perm = [1, 0, 2]> (q)",
        {**weights(w=(1, 16, 3), r=(1, 16, 4), b=(1, 32)), "a": np.array([1])},
        ["lstm"],
    ),
    "lstm_both_ways": (
        "float[N, T, 3] x",
        "t = Transpose <perm = [1, 0, 2]> (x)\n"
        's, h, c = LSTM <hidden_size = 4, direction = "bidirectional"> (t, w, r, b)\n'
        "q = Transpose <perm = [0, 2, 1, 3]> (s)\n k = Reshape (q, a)\n y = Transpose <perm = [1, 0, 2]> (k)",
        {**weights(w=(2, 16, 3), r=(2, 16, 4), b=(2, 32)), "a": np.array([0, 0, -1])},
        ["lstm"],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_node_is_an_op_that_computes_the_same(tmp_path: Path, name: str) -> None:
    given, nodes, held, ops = CASES[name]
    outputs = "int64[] y" if name == "argmax" else "float[] y"
    path = write(tmp_path, f"g ({given}) => ({outputs}) {{\n {nodes}\n}}", held)
    program = agrees(path, {"N": 3, "T": 5})
    assert ops is None or ops_of(program) == ops


def test_sizes_that_a_file_works_out_are_symbols(tmp_path: Path) -> None:
    nodes = """
    s = Shape (x)  n = Gather (s, zero)  m = Unsqueeze (n, first)
    h = Gather (s, one)  k = Mul (h, two)  l = Unsqueeze (k, first)  w = Concat <axis = 0> (m, l, three)
    y = Reshape (x, w)
    """
    held = {"zero": np.array(0), "one": np.array(1), "two": np.array(2), "first": np.array([0]), "three": np.array([3])}
    program = agrees(write(tmp_path, f"g (float[N, T, 6] x) => (float[] y) {{ {nodes} }}", held), {"N": 2, "T": 5})
    assert ops_of(program) == ["reshape"]
    assert [*map(str, program.outputs["y"].shape)] == ["N", "2·T", "3"]


def test_functions_are_written_out(tmp_path: Path) -> None:
    text = """
    <ir_version: 10, opset_import: ["" : 21, "mine" : 1]>
    g (float[N, 6] x) => (float[] y) { a = mine.twice <alpha = 0.25> (x)  y = mine.twice <alpha = 0.5> (a) }
    <domain: "mine", opset_import: ["" : 21]>
    twice <alpha> (z) => (r) { q = LeakyRelu <alpha: float = @alpha> (z)  r = Add (q, z) }
    """
    import onnx.parser

    path = tmp_path / "functions.onnx"
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    program = agrees(path)
    assert ops_of(program) == ["leaky_relu", "add"] * 2
    slopes = [step.reading.arguments for step in program.steps if step.reading and step.op == "leaky_relu"]
    assert slopes == [{"negative_slope": 0.25}, {"negative_slope": 0.5}]
