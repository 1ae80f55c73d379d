"""Weights that two nodes of different kinds read: they are one tensor in the spec, too."""

from __future__ import annotations

import numpy as np
import onnx
from files import write

from netspec.importer.convert import from_onnx

GRAPH = """g (int64[N, 5] tokens) => (float[N, 5, 7] scores) {
 rows = Gather (table, tokens)
 turned = Transpose <perm = [1, 0]> (table)
 scores = MatMul (rows, turned)
}"""


def test_the_table_of_an_embedding_is_the_weight_of_a_head(tmp_path):
    table = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)
    path = write(tmp_path, GRAPH, {"table": table})
    model = onnx.load(path)
    model.graph.initializer[0].name = "wte.weight"  # the parser of texts takes no dots
    for node in model.graph.node:
        node.input[:] = ["wte.weight" if name == "table" else name for name in node.input]
    path.write_bytes(model.SerializeToString())
    spec = from_onnx(path)
    assert spec.proof is not None
    assert spec.proof.holds
    assert "tie: {weight: wte.weight}" in spec.text
    assert spec.model.graph.body.parameter_count == table.size


NORMS = """g (float[N, 4] x) => (float[N, 4] y) {
 a = LayerNormalization (x, ones, zeros)
 b = Relu (a)
 y = LayerNormalization (b, ones, zeros)
}"""


def test_equal_norms_that_a_file_has_once_are_two(tmp_path):
    path = write(tmp_path, NORMS, {"ones": np.ones(4, np.float32), "zeros": np.zeros(4, np.float32)})
    model = onnx.load(path)
    keys = {"ones": "layers.0.weight", "zeros": "layers.0.bias"}
    for tensor in model.graph.initializer:
        tensor.name = keys[tensor.name]
    for node, place in zip(model.graph.node, ("/layers.0", "/act", "/layers.1")):
        node.input[:] = [keys.get(name, name) for name in node.input]
        node.name = f"{place}/{node.op_type}"
    path.write_bytes(model.SerializeToString())
    spec = from_onnx(path)
    assert spec.proof is not None
    assert spec.proof.holds
    assert {*spec.weights} == {f"layers.{at}.{name}" for at in (0, 1) for name in ("weight", "bias")}
    assert "share" not in spec.text
