"""Warnings of `netspec check`: the spec is sound, and every format says what nothing reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec.cli import main
from netspec.diagnostics import Source
from netspec.lsp.document import analyse
from netspec.pipeline import compile_loaded, load_source
from netspec.zoo import files

SPEC = """\
netspec: 1
name: net
inputs: {x: [N, 8]}
network:
  - linear: {name: a, out_features: 800}
  - linear: {name: b, from: x, out_features: 4}
"""
MESSAGE = "nothing reads `a`: it is left out, with its 7,200 parameters"


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


def test_strict_takes_warnings_for_errors(path: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", "--strict", path]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(f"error[unused-step]: {MESSAGE}\n  --> net.yaml:5:5\n")
    assert told.err.endswith("\n1 error\n")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("800}", "800}  # netspec: ignore[unused-step]", False),
        ("800}", "800}  # a head to come; netspec: ignore", True),
        ("800}", "800}  #netspec:ignore", False),
        ("800}", "800}  # netspec: ignore[unused-input, unused-step]", False),
        ("800}", "800}  # netspec: ignore[unused-input]", True),
        ("network:", "network:\n  # netspec: ignore[unused-step]", False),
        ("network:", "network:  # netspec: ignore[unused-step]", True),
    ],
)
def test_a_comment_silences_a_warning_at_its_line_and_below(old: str, new: str, told: bool):
    assert bool(analyse("net.yaml", SPEC.replace(old, new)).diagnostics) == told


def test_what_is_left_out_is_nowhere():
    graph = compile_loaded(load_source(Source("net.yaml", SPEC)))
    assert graph.body.parameter_count == 36
    assert [step.name for step in graph.body.steps] == ["b"]
    assert [step.name for step in graph.body.unread] == ["a"]


def test_what_lends_its_weights_is_not_left_out():
    text = SPEC + "  - linear: {name: c, from: x, out_features: 800, tie: {weight: a.weight}}\n"
    graph = compile_loaded(load_source(Source("net.yaml", text + "outputs: {b: b, c: c}\n")))
    assert [step.name for step in graph.body.steps] == ["a", "b", "c"]


def test_an_editor_underlines_it():
    (found,) = analyse("net.yaml", SPEC).diagnostics
    assert (found.id, found.severity, found.primary.span.line) == ("unused-step", "warning", 5)


def test_the_zoo_has_none(capsys: pytest.CaptureFixture[str]):
    assert main(["check", *map(str, files())]) == 0
    assert capsys.readouterr().err == ""
