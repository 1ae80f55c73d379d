"""Networks that are not defined for every number: what an export is verified with, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import netspec
from netspec.cli import main
from netspec.runtime.examples import example_inputs
from netspec.runtime.onnx.parity import relative_difference
from netspec.runtime.onnx.verify import export_verified

RANGE = "say in what range an input lies: `{shape: …, range: [0, 1]}`"


def exported(folder: Path, shape: str, network: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    path = folder / "net.yaml"
    path.write_text(f"netspec: 1\nname: net\ninputs: {{x: {shape}}}\nnetwork: {network}\n")
    code = main(["export", str(path), "-o", str(folder / "net.onnx")])
    told = capsys.readouterr()
    return code, told.out, told.err


@pytest.mark.parametrize("op", ["sqrt", "log", "log, exp, sqrt"])
def test_what_is_defined_for_positive_numbers_is_verified_with_such(
    op: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code, out, _ = exported(tmp_path, "[N, 8]", f"[{op}, linear: 4]", capsys)
    assert code == 0
    assert f"on inputs from 0 to 1: for negative ones, both give numbers that are not finite; {RANGE}" in out
    code, out, _ = exported(tmp_path, "{shape: [N, 8], range: [0.5, 2]}", f"[{op}, linear: 4]", capsys)
    assert code == 0
    assert RANGE not in out


def test_where_nothing_is_defined_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    code, _, err = exported(tmp_path, "{shape: [N, 8], range: [-3, -1]}", "[sqrt, linear: 4]", capsys)
    assert code == 1
    assert "give no finite number for random inputs at N=1  N=2  N=3, so nothing can be compared" in err
    assert (tmp_path / "net.rejected.onnx").is_file()


def test_examples_lie_in_the_range(tmp_path: Path):
    (tmp_path / "net.yaml").write_text(
        "netspec: 1\nname: net\nparams: {low: -2.5}\ninputs: {x: {shape: [N, 500], range: [low, low + 1]}}\n"
        "network: [sigmoid]\n"
    )
    model = netspec.load(tmp_path / "net.yaml")
    (x,) = example_inputs(model.graph, {"N": 20}).values()
    assert -2.5 <= x.min() < -2.49
    assert -1.51 < x.max() <= -1.5


def test_places_without_a_number_must_be_the_same_on_both_sides():
    nan, inf = float("nan"), float("inf")
    assert relative_difference([1.0, nan, inf], [1.0, nan, inf]) == 0
    assert relative_difference([1.0, nan], [1.0, 2.0]) == inf
    assert relative_difference([1.0, inf], [1.0, -inf]) == inf
    assert relative_difference([1.0, 2.0], [1.0, inf]) == inf
    assert np.isnan(relative_difference([nan, nan], [nan, nan]))
    assert relative_difference(np.zeros((0, 3)), np.zeros((0, 3))) == 0


def test_a_partly_undefined_output_is_compared_where_it_is_defined(tmp_path: Path):
    (tmp_path / "net.yaml").write_text("netspec: 1\nname: net\ninputs: {x: [N, 8]}\nnetwork: [{linear: 30}, sqrt]\n")
    model = netspec.load(tmp_path / "net.yaml")
    _, parity = export_verified(model.graph, model.module(), tmp_path / "net.onnx")
    assert parity.agrees
    assert parity.undefined


@pytest.mark.parametrize(
    ("network", "said"),
    [
        ("[linear: 6, group_norm: 6]", "exported: at N=3  N=2  N=5 PyTorch and onnxruntime give only rounding errors"),
        (
            "[linear: 1, {softmax: {dim: -1}}]",
            "but with these, it does not depend on the input either: the comparison says little",
        ),
    ],
)
def test_an_output_that_is_always_the_same_tells_nothing(
    network: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code, out, _ = exported(tmp_path, "[N, 4]", network, capsys)
    assert code == 0
    assert said in out


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_compared_where_it_has_digits(dtype: str, tmp_path: Path):
    network = f"[cast: {dtype}, instance_norm2d, cast: float32]"
    (tmp_path / "net.yaml").write_text(f"netspec: 1\nname: net\ninputs: {{x: [N, 4, H, 9]}}\nnetwork: {network}\n")
    model = netspec.load(tmp_path / "net.yaml")
    _, parity = export_verified(model.graph, model.module(), tmp_path / "net.onnx")
    assert parity.agrees
    assert {each.mean for each in parity.comparisons} == {0.0}
