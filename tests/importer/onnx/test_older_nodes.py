"""Nodes of older versions of ONNX, rare ones, and those that have no place in a spec."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from files import agrees, program_of, write
from importer.lower.running import ops_of

from netspec.diagnostics import UsageError
from netspec.importer.convert import from_onnx

R = np.random.default_rng(3)
IMAGE = "g (float[N, 4, 8, 6] x) => (float[a, b, c, d] y) { y = "
KERNEL = {"w": R.standard_normal((4, 3, 3, 3)).astype(np.float32)}
UNEVEN = ["conv_transpose2d", "slice", "slice"]
CASES: dict[str, tuple[int, str, dict[str, Any], list[str]]] = {
    "upsample": (7, 'Upsample <mode = "nearest", scales = [1.0, 1.0, 2.0, 2.0]> (x)', {}, ["upsample"]),
    "resize": (10, "Resize (x, s)", {"s": np.array([1, 1, 2, 3], np.float32)}, ["upsample"]),
    "clip": (6, "Clip <min = 0.0, max = 6.0> (x)", {}, ["relu6"]),
    "hard_sigmoid": (9, "HardSigmoid <alpha = 0.25> (x)", {}, ["scale", "shift", "clamp"]),
    "thresholded": (10, "ThresholdedRelu <alpha = 0.5> (x)", {}, ["threshold"]),
    "shrink": (9, "Shrink <lambd = 0.5, bias = 0.5> (x)", {}, ["softshrink"]),
    "lp_norm": (9, "LpNormalization <axis = 1> (x)", {}, ["normalize"]),
    "same_max": (
        8,
        'MaxPool <kernel_shape = [3, 3], strides = [2, 2], auto_pad = "SAME_UPPER"> (x)',
        {},
        ["pad", "max_pool2d"],
    ),
    "groups": (18, "GroupNormalization <num_groups = 2> (x, s, b)", {"s": [0.5, 2], "b": [1, -1]}, ["group_norm"]),
    "to_space": (9, "DepthToSpace <blocksize = 2> (x)", {}, ["unflatten", "permute", "reshape"]),
    "to_space_crd": (11, 'DepthToSpace <blocksize = 2, mode = "CRD"> (x)', {}, ["pixel_shuffle"]),
    "to_depth": (9, "SpaceToDepth <blocksize = 2> (x)", {}, ["reshape", "permute", "flatten"]),
    "transposed_upper": (7, 'ConvTranspose <auto_pad = "SAME_UPPER", strides = [2, 2]> (x, w)', KERNEL, UNEVEN),
    "transposed_lower": (
        7,
        'ConvTranspose <auto_pad = "SAME_LOWER", strides = [2, 2]> (x, w)',
        KERNEL,
        ["conv_transpose2d"],
    ),
    "transposed_shape": (
        7,
        "ConvTranspose <output_shape = [16, 12], strides = [2, 2], kernel_shape = [3, 3]> (x, w)",
        KERNEL,
        ["conv_transpose2d"],
    ),
}


@pytest.mark.parametrize(("opset", "node", "weights", "ops"), CASES.values(), ids=CASES)
def test_an_old_node_is_what_it_was(tmp_path, opset, node, weights, ops):
    arrays = {name: np.asarray(value, np.float32) for name, value in weights.items()}
    path = write(tmp_path, f"{IMAGE}{node} }}", arrays, opset=opset)
    assert ops_of(agrees(path)) == ops


def test_arithmetic_of_old_says_where_its_second_input_begins(tmp_path):
    path = write(
        tmp_path, f"{IMAGE}Add <axis = 1, broadcast = 1> (x, val_0) }}", {"val_0": R.random(4, np.float32)}, opset=6
    )
    assert ops_of(program_of(path)) == ["constant", "add"]
    spec = from_onnx(path)
    assert spec.proof is None
    assert "onnxruntime does not take" in spec.notes[-1]


OUTSIDE = {
    "quantised": ("y = QuantizeLinear (x, s)", "is of a quantised network"),
    "scikit-learn": ("y = ai.onnx.ml.Scaler (x)", "scikit-learn"),
    "onnxruntime": ("y = com.microsoft.SkipLayerNormalization (x, x)", "onnxruntime's own"),
}


@pytest.mark.parametrize(("node", "reason"), OUTSIDE.values(), ids=OUTSIDE)
def test_a_node_that_is_no_step_is_refused_by_name(tmp_path, node, reason):
    path = write(tmp_path, f"g (float[N, 4] x) => (float[N, 4] y) {{ {node} }}", {"s": np.float32(1)})
    with pytest.raises(UsageError, match=reason) as refused:
        from_onnx(path)
    assert node.split()[2] in str(refused.value)
