"""benchmarks/gpu/report.py, with the CPU in place of a GPU: every part has its rows, and a part that fails is named."""

from __future__ import annotations

import runpy
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from ops.all_cases import CASES
from places import ROOT

SCRIPT = str(ROOT / "benchmarks" / "gpu" / "report.py")
CPU = torch.device("cpu")


@pytest.fixture
def report() -> Iterator[dict[str, Any]]:
    """The names in the script; what it sets for the process is put back."""
    path, tf32, precision = [*sys.path], torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    yield runpy.run_path(SCRIPT)
    sys.path[:], torch.backends.cudnn.allow_tf32 = path, tf32
    torch.set_float32_matmul_precision(precision)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_every_part_has_its_rows(
    report: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    file = tmp_path / "report.md"
    monkeypatch.setattr(sys, "argv", [SCRIPT, "--device", "cpu", "--tiny", "--eager", "-o", str(file)])
    report["main"]()
    assert file.read_text() == capsys.readouterr().out
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in file.read_text().splitlines()[4:]]
    figures = {what: (figure, beside) for what, figure, beside in rows}
    assert not [row for row in rows if row[1] in ("failed", "not started", "differs", "missing")]
    assert figures["DDP with one process on gloo"] == ("the same gradients", "10 parameters of LeNet")
    assert figures["`netspec build lenet --device cpu --only onnx`"][0] == "exit code 0"
    for network in ("ResNet-50", "GPT-2 small"):
        ours, theirs = (figures[f"a step of {network}, {side}"] for side in ("netspec", "by hand"))
        assert float(ours[0].removesuffix(" ms")) > 0 < float(theirs[0].removesuffix(" ms"))
    assert "TF32 " in figures["LeNet, examples per second"][0]


def test_an_op_that_differs_is_found(report: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    compare, names = report["compare_op"], report["compare_op"].__globals__
    case = next(case for case in CASES if case.name == "conv2d")
    compare(case, CPU)
    real, calls = names["outputs_and_gradients"], []

    def differing(case: Any, device: torch.device) -> list[torch.Tensor]:
        calls.append(device)
        found: list[torch.Tensor] = real(case, device)
        return found if len(calls) % 2 else [*found[:-1], found[-1] * 1.001]  # the gradient of the last parameter

    monkeypatch.setitem(names, "outputs_and_gradients", differing)
    with pytest.raises(AssertionError, match="not close"):
        compare(case, CPU)


def test_gradients_are_compared_too(report: dict[str, Any]):
    case = next(case for case in CASES if case.name == "linear")
    output, to_input, *to_parameters = report["outputs_and_gradients"](case, CPU)
    assert to_input.shape == case.values(case.sizes[0])[0].shape
    assert [each.dim() for each in to_parameters] == [2, 1]
    assert output.shape[-1] == len(to_parameters[1])


def test_what_the_time_does_not_suffice_for_is_named(report: dict[str, Any]):
    rows = [*report["rows"](report["Bench"](CPU, True, time.perf_counter() - 1), False)]
    assert len(rows) == 7
    assert {row[1:] for row in rows} == {("not started", "out of time")}


def test_a_part_that_fails_is_a_row(report: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    names = report["rows"].__globals__

    def fail(bench: Any) -> Iterator[tuple[str, str, str]]:
        raise RuntimeError("no peak\nat all")
        yield

    for name in ("check_processes", "check_runtime", "check_build", "check_ops", "measure_book"):
        monkeypatch.setitem(names, name, lambda bench: iter(()))
    monkeypatch.setitem(names, "measure_steps", lambda bench, compiled: iter(()))
    monkeypatch.setitem(names, "measure_peak", fail)
    rows = [*report["rows"](report["Bench"](CPU, True, time.perf_counter() + 60), False)]
    assert rows == [("peak", "failed", "RuntimeError: no peak")]
