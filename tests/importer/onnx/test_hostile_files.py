"""ONNX files that are damaged, or lie about themselves: each gets a clear error, soon."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.helper as make
import pytest
from files import write
from onnx import TensorProto

from netspec.cli import main
from netspec.diagnostics import UsageError
from netspec.importer.convert import from_onnx

GRAPH = "g (float[N, 4] x) => (float[] y) { y = MatMul (x, w) }"


def model_with(tensor: Any, node: Any = None) -> bytes:
    """Return a file that multiplies its input by a tensor."""
    x = make.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4])
    y = make.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 4])
    graph = make.make_graph([node or make.make_node("MatMul", ["x", "w"], ["y"])], "g", [x], [y], [tensor])
    content: bytes = make.make_model(graph).SerializeToString()
    return content


def weight(**fields: Any) -> Any:
    """Return a tensor with these fields."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4, 4])
    for name, value in fields.items():
        if isinstance(value, list):
            del getattr(tensor, name)[:]
            getattr(tensor, name).extend(value)
        else:
            setattr(tensor, name, value)
    return tensor


def external(**entries: str) -> Any:
    """Return a tensor whose numbers lie in another file."""
    tensor = weight(data_location=TensorProto.EXTERNAL)
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def wide(shape: list[int]) -> bytes:
    """Return a file with a node that would make a constant of this shape."""
    value = make.make_tensor("v", TensorProto.FLOAT, [1], [1.0])
    sizes = make.make_node("ConstantOfShape", ["s"], ["c"], value=value)
    model = onnx.load_from_string(model_with(weight(raw_data=bytes(64))))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(shape), "s"))
    model.graph.node.insert(0, sizes)
    model.graph.node[1].input[1] = "c"
    content: bytes = model.SerializeToString()
    return content


FILES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "holds no graph"),
    "text": (b"hello world, this is no model", "no ONNX file"),
    "truncated": (model_with(weight(raw_data=bytes(64)))[:-9], "no ONNX file"),
    "too few bytes": (model_with(weight(raw_data=bytes(60))), "should have 64 bytes"),
    "too many numbers": (model_with(weight(float_data=[0.0] * 17)), "should have 16 numbers"),
    "huge": (model_with(weight(dims=[10**9, 10**9], raw_data=bytes(4))), "impossible shape"),
    "negative": (model_with(weight(dims=[-4, 4], raw_data=bytes(4))), "impossible shape"),
    "strings": (model_with(weight(data_type=TensorProto.STRING)), "holds STRING"),
    "unknown type": (model_with(weight(data_type=99, raw_data=bytes(64))), "type 99"),
    "elsewhere": (model_with(external(location="../../etc/passwd")), "outside the folder"),
    "absolute": (model_with(external(location="/etc/passwd")), "outside the folder"),
    "not there": (model_with(external(location="w.bin")), "not there"),
    "nameless": (model_with(external()), "outside the folder"),
    "no number": (model_with(external(location="w.bin", offset="-1")), "cannot be read"),
    "wide": (wide([10**6, 10**6]), "cannot be said"),
    "cycle": (
        model_with(weight(raw_data=bytes(64)), make.make_node("MatMul", ["y", "w"], ["y"])),
        "before anything makes it",
    ),
    "unknown node": (
        model_with(weight(raw_data=bytes(64)), make.make_node("Frobnicate", ["x", "w"], ["y"])),
        "Frobnicate",
    ),
    "unknown node with bytes": (
        model_with(weight(raw_data=bytes(64)), make.make_node("Frobnicate", ["x", "w"], ["y"], setting=b"\xb5\x00")),
        "Frobnicate",
    ),
    "bytes for a text": (
        model_with(weight(raw_data=bytes(64)), make.make_node("MaxPool", ["x"], ["y"], auto_pad=b"\xb5")),
        "not UTF-8",
    ),
    "too few inputs": (model_with(weight(raw_data=bytes(64)), make.make_node("MatMul", ["x"], ["y"])), "`MatMul`"),
    "no outputs": (model_with(weight(raw_data=bytes(64)), make.make_node("MatMul", ["x", "w"], [])), "before anything"),
    "wrong attribute": (
        model_with(weight(raw_data=bytes(64)), make.make_node("Transpose", ["x"], ["y"], perm=[0, 7])),
        "permute",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_broken_file_is_told(tmp_path: Path, kind: str) -> None:
    content, told = FILES[kind]
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(UsageError) as found:
        from_onnx(str(path), verify=False)
    assert told in str(found.value)
    assert len(str(found.value)) < 2000


def test_texts_that_are_none_are_left_out_or_told(tmp_path: Path) -> None:
    path = write(tmp_path, GRAPH, {"w": np.ones((4, 4), np.float32)})
    model = onnx.load(path)
    model.doc_string, model.producer_name = "A description.", "A producer"
    content = model.SerializeToString()
    path.write_bytes(content.replace(b"A description", b"A descrip\xffion").replace(b"A prod", b"\xfe_prod"))
    assert "doc" not in from_onnx(str(path), verify=False).text
    path.write_bytes(content.replace(b"A prod", b"\xfe_prod").replace(b"MatMul", b"Foobar"))
    with pytest.raises(UsageError, match="Foobar"):
        from_onnx(str(path), verify=False)


def test_weights_beside_a_file_are_read(tmp_path: Path) -> None:
    array = np.arange(16, dtype=np.float32)
    (tmp_path / "w.bin").write_bytes(bytes(8) + array.tobytes())
    (tmp_path / "model.onnx").write_bytes(model_with(external(location="w.bin", offset="8", length="64")))
    spec = from_onnx(str(tmp_path / "model.onnx"), verify=False)
    (held,) = spec.weights.values()
    assert np.array_equal(held.numpy(), array.reshape(4, 4).T)


def test_weights_that_end_too_soon_are_told(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(60))
    (tmp_path / "model.onnx").write_bytes(model_with(external(location="w.bin")))
    with pytest.raises(UsageError, match="ends at 60"):
        from_onnx(str(tmp_path / "model.onnx"), verify=False)


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "secret").write_bytes(bytes(64))
    (inside / "w.bin").symlink_to(tmp_path / "secret")
    (inside / "model.onnx").write_bytes(model_with(external(location="w.bin")))
    with pytest.raises(UsageError, match="outside the folder"):
        from_onnx(str(inside / "model.onnx"), verify=False)


def test_a_function_that_calls_itself_is_told(tmp_path: Path) -> None:
    import onnx.parser

    text = """
    <ir_version: 10, opset_import: ["" : 21, "m" : 1]>
    g (float[N, 4] x) => (float[] y) { y = m.f (x) }
    <domain: "m", opset_import: ["" : 21, "m" : 1]>
    f (a) => (b) { c = m.f (a) b = m.f (c) }
    """
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx.parser.parse_model(text).SerializeToString())
    with pytest.raises(UsageError, match="call one another"):
        from_onnx(str(path), verify=False)


@pytest.mark.parametrize("change", [lambda m: m.graph.node[0].ClearField("op_type"), lambda m: m.opset_import.pop()])
def test_what_lacks_its_head_is_told_or_read(tmp_path: Path, change: Callable[[Any], None]) -> None:
    path = write(tmp_path, GRAPH, {"w": np.ones((4, 4), np.float32)})
    model = onnx.load(path)
    change(model)
    path.write_bytes(model.SerializeToString())
    with suppress(UsageError):
        from_onnx(str(path), verify=False)


def test_every_cut_of_a_file_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, GRAPH, {"w": np.ones((4, 4), np.float32)})
    content = path.read_bytes()
    for end in range(0, len(content), 3):
        path.write_bytes(content[:end])
        with suppress(UsageError):
            from_onnx(str(path), verify=False)


def test_the_command_ends_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import", str(tmp_path / "nothing.onnx")]) == 2
    assert "cannot be read" in capsys.readouterr().err
