"""Warnings of `netspec check`: the spec is sound, and every format says what nothing reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.lsp.document import analyse
from netspec.zoo import files

SPEC = """\
netspec: 1
name: net
inputs: {x: [N, 8]}
network:
  - linear: {name: a, out_features: 800}
  - linear: {name: b, from: x, out_features: 4}
"""
MESSAGE = "nothing reads `a`, so its 7,200 parameters do not affect any output"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "net.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return "net.yaml"


def test_a_warning_is_no_fault(path: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", path]) == 0
    told = capsys.readouterr()
    assert told.out == "net.yaml    1 network  ok\n"
    assert told.err.startswith(f"warning[unused-step]: {MESSAGE}\n  --> net.yaml:5:5\n")
    assert told.err.endswith("\n1 warning\n")


def test_errors_and_warnings_are_counted_apart(path: str, capsys: pytest.CaptureFixture[str]):
    Path("wrong.yaml").write_text(SPEC.replace("linear: {name: b", "linera: {name: b"))
    assert main(["check", path, "wrong.yaml"]) == 1
    assert capsys.readouterr().err.endswith("\n1 error and 1 warning\n")


def test_programs_are_told_too(path: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", path, "--error-format", "json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert (record["severity"], record["message"], record["line"]) == ("warning", MESSAGE, 5)
    assert main(["check", path, "--error-format", "sarif"]) == 0
    (run,) = json.loads(capsys.readouterr().out)["runs"]
    assert [result["level"] for result in run["results"]] == ["warning"]
    assert main(["check", path, "--error-format", "github"]) == 0
    assert capsys.readouterr().out.startswith("::warning file=net.yaml,line=5,")


def test_an_editor_underlines_it():
    (found,) = analyse("net.yaml", SPEC).diagnostics
    assert (found.id, found.severity, found.primary.span.line) == ("unused-step", "warning", 5)


def test_the_zoo_has_none(capsys: pytest.CaptureFixture[str]):
    assert main(["check", *map(str, files())]) == 0
    assert capsys.readouterr().err == ""
