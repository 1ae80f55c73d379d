"""Files of 16 bits: what they hold, that they agree with PyTorch in float32, and what is said where they do not."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from elaborate.samples import SAMPLES, Sample
from elaborate.test_legal_specs import loaded
from onnx import TensorProto, numpy_helper

import netspec
from netspec.cli import main
from netspec.diagnostics import EnvironmentFault, SpecError
from netspec.elaborate.passes.sizes import quick_sizes
from netspec.emit.onnx.precision.half import Half
from netspec.emit.onnx.runtimes import OnnxForm, runtime_named
from netspec.graph import Graph
from netspec.runtime.module import build_module
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.verify import compare, export_verified
from netspec.runtime.precision.budget import half_within, layers_in_half
from netspec.runtime.reference import Reference

UNLIKE = ("roi_align", "roi_pool")
"""Ops that onnxruntime does not have in the first opset with bfloat16."""
OVERFLOWS = """\
netspec: 1
name: loud
inputs: {x: [N, 8]}
network:
  - linear: 16
  - scale: 3000
  - scale: {name: loudest, factor: 3000}
  - linear: 4
  - layer_norm
"""


def network(folder: Path, text: str) -> Graph:
    path = folder / "net.yaml"
    path.write_text(f"netspec: 1\nname: net\n{text}")
    return netspec.load(path).graph


def written(graph: Graph, folder: Path, form: OnnxForm, module: torch.nn.Module | None = None) -> onnx.ModelProto:
    module = build_module(graph).eval() if module is None else module
    return onnx.load(export_onnx(graph, module, folder / "net.onnx", form=form))


def kinds(model: onnx.ModelProto) -> dict[str, int]:
    """The dtypes of what nodes give, as onnx infers them."""
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    return {each.name: each.type.tensor_type.elem_type for each in (*inferred.value_info, *inferred.output)}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("sample", SAMPLES, ids=str)
def test_every_op(sample: Sample, dtype: str, tmp_path: Path):
    try:
        graph = loaded(sample.spec("float32"), tmp_path).graph
    except SpecError:
        pytest.skip("the op takes no real numbers")
    if dtype == "bfloat16" and sample.op in UNLIKE:
        pytest.skip("onnxruntime has no such node in opset 22")
    torch.manual_seed(0)
    module = build_module(graph).eval()
    path = export_onnx(graph, module, tmp_path / "op.onnx", form=OnnxForm(half=Half(dtype)))
    parity = compare(Reference(graph, module), path, quick_sizes(graph)[:1], precision=dtype)
    assert parity.worst <= 4 * torch.finfo(getattr(torch, dtype)).eps


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["lenet_batch_norm", "lstm_classifier", "rnn_attention", "attention_layer"])
def test_networks(name: str, dtype: str, tmp_path: Path):
    torch.manual_seed(0)
    graph = netspec.load(name).graph
    form = OnnxForm(half=Half(dtype))
    path, parity = export_verified(graph, build_module(graph), tmp_path / "net.onnx", form=form)
    assert parity.agrees
    assert 1e-5 < parity.worst < (1e-2 if dtype == "float16" else 8e-2), "nothing was rounded, or too much"
    model = onnx.load(path)
    ends = (*model.graph.input, *model.graph.output)
    assert TensorProto.FLOAT in {each.type.tensor_type.elem_type for each in ends}
    assert TensorProto.FLOAT16 not in {each.type.tensor_type.elem_type for each in ends}
    whole = export_onnx(graph, build_module(graph), tmp_path / "whole.onnx")
    if name != "attention_layer":  # which has no weights
        assert path.stat().st_size < 0.6 * whole.stat().st_size


def test_what_must_stays_in_float32(tmp_path: Path):
    """Statistics that are measured, exponentials, and what is made of whole numbers, such as the angles of places."""
    text = """\
inputs: {x: [N, T, 8], time: {shape: [N], dtype: int64}}
network:
  - linear: {name: first, out_features: 8}
  - layer_norm: {name: normed}
  - softmax: {name: soft, dim: -1}
  - linear: {name: second, out_features: 8}
  - cast: {name: angle, dtype: float32, from: time}
  - scale: {name: turned, factor: 0.7}
  - sin: {name: wave}
outputs: {made: second, wave: wave}
"""
    found = kinds(written(network(tmp_path, text), tmp_path, OnnxForm(half=Half("float16"))))
    halves = {name for name, kind in found.items() if kind == TensorProto.FLOAT16}
    assert {"first"} <= halves
    assert {name: found[name] for name in ("normed", "soft", "angle", "turned")} == dict.fromkeys(
        ("normed", "soft", "angle", "turned"), TensorProto.FLOAT
    )


def test_weights_are_rounded_once_all_nodes_are_there(tmp_path: Path):
    """A batch norm is folded in float32, and one whose statistics float16 does not hold stays in float32."""
    text = (
        "inputs: {x: [N, 3, 8, 8]}\nnetwork: [conv2d: {out_channels: 4, kernel_size: 3, bias: false}, batch_norm2d]\n"
    )
    graph = network(tmp_path, text)
    module = build_module(graph).eval()
    state = module.state_dict()
    for key, low, high in (("1.running_mean", -1, 1), ("1.running_var", 0.3, 2), ("1.weight", 0.5, 1.5)):
        state[key].uniform_(low, high)
    folded = [
        {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
        for half in (None, Half("float16"))
        for model in [written(graph, tmp_path, OnnxForm(optimized=True, half=half), module)]
    ]
    assert folded[1].keys() == folded[0].keys()
    for name, array in folded[0].items():
        assert np.array_equal(array.astype(np.float16), folded[1][name]), name
    state["1.running_var"][0] = 1e6
    _, parity = export_verified(graph, module, tmp_path / "net.onnx", form=OnnxForm(half=Half("float16")))
    assert parity.agrees
    held = {each.name: each.data_type for each in onnx.load(tmp_path / "net.onnx").graph.initializer}
    assert held["1.running_var"] == TensorProto.FLOAT
    assert held["0.weight"] == TensorProto.FLOAT16


def test_the_layer_that_overflows_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spec, file = tmp_path / "loud.yaml", str(tmp_path / "loud.onnx")
    spec.write_text(OVERFLOWS)
    assert main(["export", str(spec), "-o", file, "--precision", "float16"]) == 1
    told = capsys.readouterr()
    assert "they part first in `loudest` (scale, loud.yaml:7): gives infinite numbers" in told.err
    assert "`--precision bfloat16` has the range of float32" in told.err
    assert "loud.rejected.onnx" in told.out
    kept = [word for name in ("loudest", "3") for word in ("--keep-float", name)]
    assert main(["export", str(spec), "-o", file, "--precision", "float16", *kept]) == 0
    assert "in float32: loudest, 3" in capsys.readouterr().out
    assert main(["export", str(spec), "-o", file, "--precision", "bfloat16"]) == 0
    assert main(["export", str(spec), "-o", file, "--precision", "float16", "--keep-float", "loudes"]) == 2
    assert "--keep-float `loudes` matches no layer: did you mean `loudest`?" in capsys.readouterr().err
    assert main(["export", str(spec), "-o", file, "--keep-float", "3"]) == 2


def test_the_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "lenet.onnx"
    assert main(["export", "lenet", "-o", str(file), "--precision", "float16"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"lenet\.onnx  1\d\d kB, 5\d% of 2\d\d kB in float32\n", told)
    assert re.search(r"a run at N=3: [\d.]+ ms, [\d.]+ ms in float32, on one thread of onnxruntime's\n", told)
    assert "the farthest from float32 of 12 layers (max|Δ|/max|y|):\n" in told
    assert len(re.findall(r"^  \d+: \d\.\de-0[34]$", told, re.MULTILINE)) == 5


def test_targets(tmp_path: Path):
    graph = netspec.load("lenet").graph
    for old in (OnnxForm(opset=13, half=Half("float16")), OnnxForm(runtime=runtime_named("onnxruntime==1.10"))):
        _, parity = export_verified(graph, build_module(graph), tmp_path / "old.onnx", form=old)
        assert parity.agrees
    for late in (OnnxForm(opset=15), OnnxForm(runtime=runtime_named("onnxruntime==1.18"))):
        with pytest.raises(EnvironmentFault, match="22"):
            written(graph, tmp_path, late._replace(half=Half("bfloat16")))


def test_layers_stay_in_float32_until_the_outputs_agree(tmp_path: Path):
    """The loud step overflows, and so do those behind it; the quiet branch keeps its 16 bits."""
    text = OVERFLOWS.split("\n", 2)[2].replace(
        "  - layer_norm\n", "  - layer_norm\n  - linear: {name: quiet, out_features: 3}\n"
    )
    graph = network(tmp_path, text)
    torch.manual_seed(0)
    module = build_module(graph).eval()
    form = half_within(graph, module, OnnxForm(half=Half("float16")), 1e-2)
    assert form.half is not None
    able = layers_in_half(graph, Half("float16"))
    assert 0 < len(form.half.keep) < len(able)
    assert "quiet" not in form.half.keep
    path = export_onnx(graph, module, tmp_path / "net.onnx", form=form)
    assert compare(Reference(graph, module), path, quick_sizes(graph), precision="float16").worst <= 1e-2
    assert half_within(graph, module, OnnxForm(half=Half("bfloat16")), 0.5).half == Half("bfloat16", [])


def test_a_bound_and_what_meets_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = ["-o", str(tmp_path / "net.onnx")]
    assert main(["export", "lenet", "--precision", "float16", "--agree", "1e-4", *out]) == 0
    said = capsys.readouterr().out
    kept = said.split("in float32: ")[1].splitlines()[0].split(", ")
    assert kept
    assert float(re.search(r"agree to (\S+)", said)[1]) <= 1e-4  # type: ignore[index]
    for given, told in (
        (["--agree", "0.1"], "--agree is for --precision float16 or bfloat16"),
        (["--precision", "float16", "--agree", "0"], "above 0"),
        (["--precision", "float16", "--agree", "1e-12"], "with every layer in float32"),
    ):
        assert main(["export", "lenet", *given, *out]) == 2
        assert told in capsys.readouterr().err
