"""Nodes that tools which change files, such as writers of float16, would leave as they are, or runtimes fail on."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import netspec

FLOAT = onnx.TensorProto.FLOAT
NETWORKS = {
    "attention": (
        "inputs: {x: [N, T, 8], m: {shape: [N, T, T], dtype: bool}}\n"
        "network:\n  - scaled_dot_product_attention: {query: x, key: x, value: x, attn_mask: m}"
    ),
    "pooling": "inputs: {x: [N, 3, H, W]}\nnetwork: [adaptive_avg_pool2d: 6]",
    "a table of ones": "inputs: {x: [N, T]}\nnetwork:\n  - eye: {n: T, like: x}",
    "bags": "inputs: {x: {shape: [N, T], dtype: int64, below: 5}}\nnetwork:\n"
    "  - embedding_bag: {num_embeddings: 5, embedding_dim: 3, padding_idx: 0}",
    "a cast": "inputs: {x: {shape: [N, T], dtype: bool}}\nnetwork: [cast: float32]",
}


def nodes_of(tmp_path: Path, text: str) -> list[onnx.NodeProto]:
    """The nodes of a network's file."""
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\n{text}\n")
    return [*onnx.load(netspec.load(tmp_path / "net.yaml").export(tmp_path / "net.onnx")).graph.node]


@pytest.mark.parametrize("text", NETWORKS.values(), ids=[*NETWORKS])
def test_what_is_true_or_not_becomes_a_real_number_without_a_cast(tmp_path: Path, text: str):
    """onnxconverter-common's float16 changes constants, and leaves every Cast to float32."""
    casts = [node for node in nodes_of(tmp_path, text) if node.op_type == "Cast"]
    assert not [node.name for node in casts if node.attribute[0].i == FLOAT]


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_recurrent_layer_does_not_end_in_a_transposition(tmp_path: Path, bidirectional: bool):
    """In float16, onnxruntime's optimizer ends the process where it joins one with the product that reads it."""
    layer = f"lstm: {{hidden_size: 4, batch_first: true, bidirectional: {str(bidirectional).lower()}}}"
    nodes = nodes_of(tmp_path, f"inputs: {{x: [N, T, 3]}}\nnetwork:\n  - {layer}\n  - linear: 2")
    made = {name: node.op_type for node in nodes for name in node.output}
    product = next(node for node in nodes if node.op_type == "MatMul")
    assert made[product.input[0]] == ("Reshape" if bidirectional else "Squeeze")
    assert sum(node.op_type == "Transpose" for node in nodes) == 2
