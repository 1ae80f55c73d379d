"""`netspec doctor`: what is there, what is missing, and the exit code that says whether netspec can work."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError
from types import ModuleType
from typing import Any

import pytest
import torch

from netspec.cli import main
from netspec.cli.commands.reference.doctor import installation


def test_all_that_is_needed_is_there(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    assert torch.__version__ in told
    assert told.endswith("netspec can work here.\n")
    assert max(map(len, told.splitlines())) <= 80


def test_json_says_the_same(capsys: pytest.CaptureFixture[str]):
    assert main(["doctor", "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["faults"] == []
    assert {"torch", "pydantic", "onnx"} <= {each["name"] for each in record["packages"] if not each["extra"]}
    assert "CPU" in record["runtimes"]


@pytest.fixture
def versions(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Versions of packages that differ from those that are installed."""
    given: dict[str, str | None] = {}
    real = installation.version

    def version(name: str) -> str:
        found = given[name] if name in given else real(name)
        if found is None:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(installation, "version", version)
    return given


def test_what_is_missing_or_too_old_is_a_fault(versions: dict[str, str | None], capsys: pytest.CaptureFixture[str]):
    versions |= {"graphviz": None, "rich": "12.6.0"}
    assert main(["doctor"]) == 3
    told = capsys.readouterr().out
    assert "graphviz is missing: `pip install 'graphviz>=0.20'`" in told
    assert "rich 12.6.0: `pip install 'rich>=13'`" in told


def test_a_missing_extra_is_none(versions: dict[str, str | None], capsys: pytest.CaptureFixture[str]):
    versions |= {"safetensors": None}
    assert main(["doctor"]) == 0
    assert "training: `pip install 'netspec[train]'`" in capsys.readouterr().out


def test_one_of_two_packages_of_onnxruntime_is_enough(versions: dict[str, str | None]):
    versions |= {"onnxruntime-gpu": None, "onnxruntime": "1.24.0"}
    assert main(["doctor"]) == 0


def test_a_package_that_does_not_load_is_a_fault(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def load(name: str) -> Any:
        if name == "onnx":
            raise ImportError("libprotobuf.so.3: cannot open shared object file")
        return ModuleType(name)

    monkeypatch.setattr(installation, "import_module", load)
    assert main(["doctor"]) == 3
    assert "onnx is installed, but does not load: libprotobuf.so.3: cannot open" in capsys.readouterr().out


def test_a_source_tree_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def requires(name: str) -> list[str]:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(installation, "requires", requires)
    assert main(["doctor"]) == 3
    assert "`pip install -e .`" in capsys.readouterr().err
