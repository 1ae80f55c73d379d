"""onnxruntime as it is found: missing, too old, or asked to keep to itself how it is used."""

from __future__ import annotations

import os
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest
from places import ROOT

from netspec.cli import main
from netspec.runtime.onnx.session import LEAST

PROJECT = ROOT / "pyproject.toml"


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (SimpleNamespace(__version__="1.9.0"), "onnxruntime 1.9.0 is too old, as netspec needs 1.23: `pip install"),
        (None, "this command needs onnxruntime, which is not installed: `pip install netspec` brings it"),
    ],
)
def test_without_a_runtime_nothing_is_written(
    found: object, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setitem(sys.modules, "onnxruntime", found)
    assert main(["export", "xor", "-o", str(tmp_path / "xor.onnx")]) == 3
    faults = capsys.readouterr().err
    assert (told in faults, faults.count("\n")) == (True, 1)
    assert [*tmp_path.iterdir()] == []


def test_the_least_version_is_that_of_the_project():
    wanted = tomllib.loads(PROJECT.read_text())["project"]["dependencies"]
    runtimes = [each.partition(";")[0] for each in wanted if each.startswith("onnxruntime")]
    assert {each.partition(">=")[2] for each in runtimes} == {".".join(map(str, LEAST))}


def test_how_it_is_used_is_sent_to_nobody(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("ORT_DISABLE_TELEMETRY", raising=False)
    assert main(["list"]) == 0
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"
