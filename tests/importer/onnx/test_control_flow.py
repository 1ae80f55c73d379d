"""Branches and loops of ONNX files: what is decided before the network runs is written out, scans stay scans."""

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


@pytest.mark.parametrize("length", ["2", "T"])
def test_scan_is_a_scan_of_any_length(tmp_path: Path, length: str) -> None:
    graph = f"g (float[N, {length}, 4] x, float[N, 4] h0) => (float[] y, float[] z) {{ {SCAN} }}"
    spec = from_onnx(write(tmp_path, graph, HELD))
    assert spec.proof is not None
    assert spec.proof.holds
    assert f"x: [N, {length}, 4]" in spec.text
    assert "reverse: true" in spec.text


def test_scan_over_another_dimension_is_turned(tmp_path: Path) -> None:
    scan = SCAN.replace("axes = [1]", "axes = [0]").replace(
        "scan_input_directions = [1],", "scan_output_directions = [1],"
    )
    spec = from_onnx(
        write(tmp_path, f"g (float[T, N, 4] x, float[N, 4] h0) => (float[] y, float[] z) {{ {scan} }}", HELD)
    )
    assert spec.proof is not None
    assert spec.proof.holds
    assert "flip" in spec.text


def test_branch_that_depends_on_the_input_is_told(tmp_path: Path) -> None:
    branches = "then_branch = a () => (float[] p) { p = Relu (x) }, else_branch = b () => (float[] q) { q = Tanh (x) }"
    path = write(tmp_path, f"g (float[N, 4] x, bool d) => (float[] y) {{ y = If (d) <{branches}> }}", HELD)
    with pytest.raises(UsageError, match="depends on the input"):
        from_onnx(str(path), verify=False)
