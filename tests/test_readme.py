"""What the README shows is what netspec prints."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from places import ROOT

import netspec
from netspec.diagnostics import SpecError

README = (ROOT / "README.md").read_text()


def test_the_table():
    assert netspec.load("lenet").shapes().text() in README


def test_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("err.yaml").write_text(
        "netspec: 1\nname: broken\ninputs: {image: [N, 3, 32, 32]}\nnetwork:\n"
        "  - conv2d: {out_channels: 32, kernel_size: 3, padding: 1}\n"
        "  - residual:\n"
        "      - conv2d: {out_channels: 64, kernel_size: 3, stride: 2, padding: 1}\n"
        "      - batch_norm2d\n"
    )
    with pytest.raises(SpecError) as caught:
        netspec.load("err.yaml")
    assert str(caught.value) in README


def test_the_spec_is_the_example():
    shown = README.split("```yaml\n")[1].split("```")[0]
    example = yaml.safe_load((ROOT / "examples" / "residual.yaml").read_text())
    example.pop("doc")
    assert yaml.safe_load(shown) == example


def test_ci_runs_the_test_command():
    install = ".venv/bin/pip install -q -c constraints.txt -e '.[dot,test]'"
    command = f"python3 -m venv .venv && {install} && .venv/bin/pytest -n 2"
    assert f"    {command}\n" in README
    assert f"\n{command}\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.slow
def test_the_tour_runs(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, ROOT / "examples" / "tour.py"], cwd=tmp_path, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "build" / "tour" / "residual.onnx").exists()
