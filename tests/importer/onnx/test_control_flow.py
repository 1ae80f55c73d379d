"""Branches and loops of ONNX files: what is decided before the network runs is written out, scans stay scans."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from files import agrees, write
from importer.lower.running import ops_of

from netspec.diagnostics import UsageError
from netspec.importer.convert import from_onnx

ZERO = np.array(0, np.float32)
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


BRANCHES = "then_branch = a () => (float[] p) { p = MatMul (x, w) }, else_branch = b () => (float[] q) { q = Tanh (x) }"


def test_both_branches_are_computed_where_the_input_chooses(tmp_path: Path) -> None:
    given = f"s = ReduceSum <keepdims = 0> (x) d = Less (s, z) y = If (d) <{BRANCHES}>"
    spec = agrees(write(tmp_path, f"g (float[N, 4] x) => (float[] y) {{ {given} }}", {**HELD, "z": ZERO}))
    assert ops_of(spec)[-3:] == ["linear", "tanh", "where"]
    assert any("both branches" in note for note in spec.notes)


def test_branches_by_a_size_are_both_computed(tmp_path: Path) -> None:
    given = f"s = Shape (x) f = Gather (s, k) d = Greater (f, n) y = If (d) <{BRANCHES}>"
    agrees(write(tmp_path, f"g (float[N, 4] x) => (float[] y) {{ {given} }}", {**HELD, "k": np.array(0)}))


def test_branches_of_different_shapes_are_told(tmp_path: Path) -> None:
    branches = BRANCHES.replace("q = Tanh (x)", "q = Transpose (x)")
    path = write(tmp_path, f"g (float[N, 4] x, bool d) => (float[] y) {{ y = If (d) <{branches}> }}", HELD)
    with pytest.raises(UsageError, match="different shapes"):
        from_onnx(str(path), verify=False)


COUNT = "ends = Shape <start = 1, end = 2> (x) t = Squeeze (ends)"
COUNTED = """
    y, z = Loop (t, c, h0) <body = b (int64 i, bool k, float[] h) => (bool m, float[] r, float[] s) {
        m = Identity (k)  e = Gather <axis = 1> (x, i)  q = MatMul (h, w)  r = Add (q, e)  s = Tanh (r)
    }>
"""
NUMBERED = COUNTED.replace("r = Add (q, e)", "f = Cast <to = 1> (i)  g = Add (q, e)  r = Mul (g, f)")
UNREAD = COUNTED.replace("e = Gather <axis = 1> (x, i)", "e = Identity (h)")
GROWING = """
    l0 = SequenceEmpty ()
    g, l, v = Loop (t, c, h0, l0, h0) <
        body = b (int64 i, bool k, float[] h, seq(float[]) l1, float[] u) =>
                 (bool m, float[] r, seq(float[]) l2, float[] o) {
            m = Identity (k)  e = Gather <axis = 1> (x, i)  q = Add (h, u)  r = Add (q, e)
            l2 = SequenceInsert (l1, r)  o = Identity (u)
    }>
    y = ConcatFromSequence <axis = 1, new_axis = 1> (l)
    j = ConcatFromSequence <axis = -1> (l)
    z = ReduceSum <keepdims = 0> (j)
"""


@pytest.mark.parametrize("loop", [COUNTED, NUMBERED, UNREAD, GROWING])
def test_a_loop_over_a_symbolic_size_is_a_scan(tmp_path: Path, loop: str) -> None:
    graph = f"g (float[N, T, 4] x, float[N, 4] h0) => (float[] y, float[] z) {{ {COUNT} {loop} }}"
    spec = from_onnx(write(tmp_path, graph, HELD))
    assert spec.proof is not None, spec.notes
    assert spec.proof.holds
    assert spec.text.count("scan:") == 1
    assert "each iteration of a loop is written out" not in "".join(spec.notes)


def test_a_long_loop_is_a_scan_and_an_endless_one_is_told(tmp_path: Path) -> None:
    graph = f"g (float[N, 4] x) => (float[] y, float[] z) {{ {LOOP} }}"
    assert from_onnx(write(tmp_path, graph, {**HELD, "n": np.array(65)})).text.count("scan:") == 1
    with pytest.raises(UsageError, match="more than 10000 iterations"):
        from_onnx(write(tmp_path, graph, {**HELD, "n": np.array(2**62)}))


def test_a_loop_as_long_as_the_input_says_is_told(tmp_path: Path) -> None:
    path = write(
        tmp_path, f"g (float[N, 4] x, int64 m) => (float[] y, float[] z) {{ {LOOP.replace('n,', 'm,')} }}", HELD
    )
    with pytest.raises(UsageError, match="a Loop whose length depends on the input"):
        from_onnx(str(path), verify=False)


def test_a_sequence_is_the_tensors_in_it(tmp_path: Path) -> None:
    nodes = """
        l = SequenceConstruct (x, x)  r = Relu (x)  m = SequenceInsert (l, r, k)  a = SequenceAt (m, k)
        y = ConcatFromSequence <axis = 1> (m)  z = Add (a, x)
    """
    spec = agrees(write(tmp_path, f"g (float[N, 4] x) => (float[] y, float[] z) {{ {nodes} }}", {"k": np.array(1)}))
    assert sorted(ops_of(spec)) == ["add", "concat", "relu"]


def test_sizes_that_a_node_computes_with_are_tensors(tmp_path: Path) -> None:
    nodes = "s = Shape (x) f = Cast <to = 1> (s) y = Mul (x, f) z = Identity (s)"
    agrees(write(tmp_path, f"g (float[N, 2] x) => (float[] y, int64[] z) {{ {nodes} }}", {}))
