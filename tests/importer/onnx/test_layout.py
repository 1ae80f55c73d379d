"""Graphs with channels last around nodes with channels first, as TensorFlow's: they come in with channels first."""

from __future__ import annotations

import re

import numpy as np
import pytest
from files import agrees, write
from importer.lower.running import ops_of

R = np.random.default_rng(2)
HEAD = "g (float[N, 8, 6, 3] x) => (float[N, a, b, c] y) {\n first = Transpose <perm = [0, 3, 1, 2]> (x)\n"
LAST = "Transpose <perm = [0, 2, 3, 1]>"
FIRST = "Transpose <perm = [0, 3, 1, 2]>"
CONV = ["permute", "conv2d"]
CASES = {
    "by element": (f"c = Conv (first, w)\n l = {LAST} (c)\n r = Relu (l)\n y = {FIRST} (r)", [*CONV, "relu"]),
    "an output": (f"c = Conv (first, w)\n l = {LAST} (c)\n y = Relu (l)", [*CONV, "relu", "permute"]),
    "a residual": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n r = Relu (l)\n f = {FIRST} (r)\n d = Conv (f, square)\n"
        f" m = {LAST} (d)\n s = Add (r, m)\n y = {FIRST} (s)",
        [*CONV, "relu", "conv2d", "add"],
    ),
    "a concatenation": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n r = Relu (l)\n s = Concat <axis = -1> (l, r)\n y = {FIRST} (s)",
        [*CONV, "relu", "concat"],
    ),
    "a padding": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n p = Pad (l, pads)\n y = {FIRST} (p)",
        [*CONV, "pad"],
    ),
    "a bias and a batch norm": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n b = Add (l, bias)\n s = Sub (b, mean)\n m = Mul (s, scale)\n"
        f" a = Add (m, shift)\n y = {FIRST} (a)",
        [*CONV, "batch_norm2d"],
    ),
    "a batch norm without a mean": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n m = Mul (l, scale)\n a = Add (m, shift)\n y = {FIRST} (a)",
        [*CONV, "batch_norm2d"],
    ),
    "a mean over all places": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n r = ReduceMean <keepdims = 1> (l, places)\n y = {FIRST} (r)",
        [*CONV, "reduce_mean"],
    ),
    "squeeze and excitation": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n m = ReduceMean <keepdims = 0> (l, places)\n"
        f" s = Reshape (m, single)\n t = {FIRST} (s)\n d = Conv (t, square)\n e = {LAST} (d)\n"
        f" g = Sigmoid (e)\n k = Mul (l, g)\n y = {FIRST} (k)",
        [*CONV, "adaptive_avg_pool2d", "conv2d", "sigmoid", "multiply"],
    ),
    "what needs its channels last": (
        f"c = Conv (first, w)\n l = {LAST} (c)\n r = Relu (l)\n y = MatMul (r, matrix)",
        [*CONV, "relu", "permute", "linear"],
    ),
    "strides that change nothing": (
        "f = Reshape (x, whole)\n n = Shape <start = 0, end = 1> (x)\n o = Squeeze (n)\n r = Range (zero, o, one)\n"
        " s = Mul (r, steps)\n u = Unsqueeze (s, axes)\n p = Add (u, inner)\n y = Gather (f, p)",
        [],
    ),
    "a padding before the first turn": (
        "p = Pad (x, pads)\n f = Transpose <perm = [0, 3, 1, 2]> (p)\n y = Conv (f, square)",
        ["permute", "pad", "conv2d"],
    ),
    "an even padding before a window": (
        "c = Pad (first, even)\n d = Conv (c, w)\n r = Relu (d)\n p = Pad (r, even)\n"
        " y = MaxPool <kernel_shape = [3, 3]> (p)",
        [*CONV, "relu", "max_pool2d"],
    ),
    "rows of an embedding from its end": (
        "a = Abs (x)\n i = Cast <to = 7> (a)\n"
        " b = Less (i, zero)\n m = Add (i, rest)\n k = Where (b, m, i)\n e = Gather (matrix, k)\n"
        " y = ReduceMax <keepdims = 0> (e, width)",
        ["abs", "cast", "embedding", "reduce_max"],
    ),
    "rows that are no images": ("y = Mul (x, rows)", ["constant", "multiply"]),
}


SHAPES = {"w": (4, 3, 3, 3), "square": (4, 4, 1, 1), "matrix": (4, 5), "rows": (1, 1, 1, 3)}
SHAPES |= dict.fromkeys(("bias", "mean", "scale", "shift"), (1, 1, 1, 4))
WEIGHTS = {name: R.standard_normal(shape).astype(np.float32) for name, shape in SHAPES.items()}
WEIGHTS |= {"pads": np.array([0, 1, 2, 0, 0, 3, 0, 1]), "places": np.array([1, 2]), "single": np.array([-1, 1, 1, 4])}
WEIGHTS |= {"even": np.array([0, 0, 1, 1, 0, 0, 1, 1]), "rest": np.array(4), "width": np.array([4])}
WEIGHTS |= {"whole": np.array([-1]), "zero": np.array(0), "one": np.array(1), "steps": np.array(8 * 6 * 3)}
WEIGHTS |= {"axes": np.array([1, 2, 3]), "inner": np.arange(8 * 6 * 3).reshape(1, 8, 6, 3)}


@pytest.mark.parametrize(("body", "ops"), CASES.values(), ids=CASES)
def test_channels_come_first_throughout(tmp_path, body, ops):
    read = {name: f"val_{at}" for at, name in enumerate(WEIGHTS)}  # a name that an exporter made up
    nodes = (HEAD if "first" in body else HEAD.partition("\n")[0]) + body + "\n}"
    nodes = re.sub(rf"\b({'|'.join(read)})\b(?=[,)])", lambda found: read[found[0]], nodes)
    path = write(
        tmp_path, nodes, {made: WEIGHTS[name] for name, made in read.items() if re.search(rf"\b{made}\b", nodes)}
    )
    assert ops_of(agrees(path)) == ops
