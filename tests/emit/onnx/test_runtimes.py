"""Files for a runtime: what it reads, and what it lacks."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import netspec
from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.emit.onnx.runtimes import form_of, runtime_named
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare_onnx

ROUND = """\
inputs: {x: [N, 3, 8]}
network: [{conv1d: {out_channels: 2, kernel_size: 3, padding: 1, padding_mode: circular}}]"""
NORMS = "inputs: {x: [N, 8]}\nnetwork: [layer_norm, gelu]"


def network(tmp_path: Path, steps: str) -> netspec.Model:
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\n{steps}\n")
    return netspec.load(tmp_path / "net.yaml")


@pytest.mark.parametrize(
    ("runtime", "opset", "ir"),
    [
        ("onnxruntime==1.10", 15, 8),
        ("onnxruntime==1.11.1", 16, 8),
        ("onnxruntime-web==1.20", 17, 8),
        ("onnxruntime", 17, 8),
        ("coreml", 17, 8),
        ("openvino", 17, 8),
        ("tensorrt==8.4", 13, 7),
        ("tensorrt", 17, 8),
    ],
)
def test_a_file_is_what_the_runtime_reads(runtime: str, opset: int, ir: int, tmp_path: Path):
    model = network(tmp_path, NORMS)
    module = model.module()
    path = export_onnx(model.graph, module, tmp_path / "net.onnx", form=form_of(None, None, runtime))
    proto = onnx.load(path)
    assert (proto.opset_import[0].version, proto.ir_version) == (opset, ir)
    assert compare_onnx(model.graph, module, path).agrees


@pytest.mark.parametrize(
    ("runtime", "told"),
    [
        ("onnxruntim", "no runtime `onnxruntim`: did you mean `onnxruntime`"),
        ("caffe", "no runtime `caffe`: one of `onnxruntime`, `onnxruntime-web`, `coreml`, `openvino`, `tensorrt`"),
        ("onnxruntime==new", "`new` is no version: write `onnxruntime==1.23`"),
        ("onnxruntime==1.2", "onnxruntime 1.2 is older than 1.10, the oldest that files are written for"),
    ],
)
def test_a_runtime_that_is_not_known_is_told(runtime: str, told: str):
    with pytest.raises(UsageError) as found:
        runtime_named(runtime)
    assert told in str(found.value)


def test_an_opset_that_the_runtime_does_not_read_is_told():
    with pytest.raises(UsageError, match=r"onnxruntime 1\.15 reads no more than `--opset 18`"):
        form_of(20, None, "onnxruntime==1.15")


def test_what_a_runtime_lacks_is_told_with_the_line(tmp_path: Path):
    folded = network(tmp_path, "inputs: {x: [N, 8, 9]}\nnetwork:\n  - fold: {output_size: 4, kernel_size: 2}")
    with pytest.raises(EnvironmentFault, match=r"net.yaml:5:5: `fold` is Col2Im in ONNX: take the step out"):
        export_onnx(folded.graph, folded.module(), tmp_path / "net.onnx", form=form_of(None, None, "tensorrt"))
    with pytest.raises(EnvironmentFault, match=r"onnxruntime 1.12 reads opset 17[^`]*`fold` needs opset 18\nwrite the"):
        export_onnx(folded.graph, folded.module(), tmp_path / "net.onnx", form=form_of(None, None, "onnxruntime==1.12"))


@pytest.mark.parametrize(
    ("runtime", "lacks"), [("onnxruntime==1.20", True), ("onnxruntime==1.25", False), ("coreml", False)]
)
def test_what_an_old_onnxruntime_lacks_of_an_opset_that_it_reads(runtime: str, lacks: bool):
    lack = runtime_named(runtime).lacks.get("DeformConv")
    assert (lack is not None) == lacks
    assert lack is None or lack.way == "write the file for 1.25, which has it"


@pytest.mark.parametrize(
    ("steps", "lacked"),
    [
        (ROUND, "Pad"),
        ("inputs: {x: {shape: [N, 8], dtype: int64}}\nnetwork: [{argmax: -1}]", "ArgMax"),
    ],
)
def test_what_old_onnxruntimes_lack_is_written_of_nodes_that_they_have(steps: str, lacked: str, tmp_path: Path):
    model = network(tmp_path, steps)
    module = model.module()
    path = export_onnx(model.graph, module, tmp_path / "net.onnx", form=form_of(None, None, "onnxruntime==1.10"))
    assert lacked not in {node.op_type for node in onnx.load(path).graph.node}
    assert compare_onnx(model.graph, module, path).agrees


def test_openvino_runs_no_lengths(tmp_path: Path):
    model = netspec.load("lstm_classifier")
    with pytest.raises(EnvironmentFault, match=r"`lstm` is LSTM in ONNX: it runs every sequence to its end: leave"):
        export_onnx(model.graph, model.module(), tmp_path / "net.onnx", form=form_of(None, None, "openvino"))
