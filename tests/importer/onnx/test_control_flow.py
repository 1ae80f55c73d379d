"""Branches and loops of ONNX files: what is decided before the network runs is written out, the rest is told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files import agrees, write
from importer.lower.running import ops_of

from netspec.diagnostics import UsageError
from netspec.importer.convert import from_onnx

HELD = {"c": np.array(True), "w": np.full((4, 4), 0.1, np.float32), "n": np.array(3)}
LOOP = """
y, z = Loop (n, c, x) <body = b (int64 i, bool k, float[] h) => (bool m, float[] r, float[] s) {
    m = Identity (k)  r = MatMul (h, w)  s = Relu (r)
}>
"""
SCAN = """
y, z = Scan <num_scan_inputs = 1, scan_input_axes = [1], scan_output_axes = [1], scan_input_directions = [1],
    body = b (float[] h, float[] e) => (float[] r, float[] s) { q = MatMul (h, w)  r = Add (q, e)  s = Tanh (r) }
> (h0, x)
"""


def test_branch_that_is_known_is_taken(tmp_path: Path) -> None:
    branches = "then_branch = a () => (float[] p) { p = Relu (x) }, else_branch = b () => (float[] q) { q = Tanh (x) }"
    path = write(tmp_path, f"g (float[N, 4] x) => (float[] y) {{ y = If (c) <{branches}> }}", HELD)
    assert ops_of(agrees(path)) == ["relu"]


def test_loop_of_known_length_is_written_out(tmp_path: Path) -> None:
    path = write(tmp_path, f"g (float[N, 4] x) => (float[] y, float[] z) {{ {LOOP} }}", HELD)
    assert ops_of(agrees(path)) == ["linear", "relu"] * 3 + ["stack"]


def test_scan_of_known_length_is_written_out(tmp_path: Path) -> None:
    path = write(tmp_path, f"g (float[N, 2, 4] x, float[N, 4] h0) => (float[] y, float[] z) {{ {SCAN} }}", HELD)
    assert ops_of(agrees(path)) == ["select", "linear", "add", "tanh"] * 2 + ["stack"]


def test_scan_of_any_length_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, f"g (float[N, T, 4] x, float[N, 4] h0) => (float[] y, float[] z) {{ {SCAN} }}", HELD)
    with pytest.raises(UsageError, match="a Scan over T steps"):
        from_onnx(str(path), verify=False)


def test_branch_that_depends_on_the_input_is_told(tmp_path: Path) -> None:
    branches = "then_branch = a () => (float[] p) { p = Relu (x) }, else_branch = b () => (float[] q) { q = Tanh (x) }"
    path = write(tmp_path, f"g (float[N, 4] x, bool d) => (float[] y) {{ y = If (d) <{branches}> }}", HELD)
    with pytest.raises(UsageError, match="depends on the input"):
        from_onnx(str(path), verify=False)
