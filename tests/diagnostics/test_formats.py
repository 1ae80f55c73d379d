"""Diagnostics for programs: what they parse is what was told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from netspec.cli import main

SPEC = """\
netspec: 1
name: net
inputs: {image: [N, 3, 32, 32]}
params: {width: 4}
network:
  - conv2d: {name: stem, out_channels: "width // 8", kernel_size: 3}
  - rellu
"""


@pytest.fixture
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a,b%.yaml").write_text(SPEC)
    return "a,b%.yaml"


def test_json(spec: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", spec, "--error-format", "json"]) == 1
    told = capsys.readouterr()
    first, second = json.loads(told.out)
    assert told.err == ""
    assert first == {
        "id": "bad-argument",
        "severity": "error",
        "message": "`out_channels` of `conv2d` is 0, but must be at least 1",
        "file": spec,
        "line": 6,
        "column": 40,
        "endLine": 6,
        "endColumn": 52,
        "labels": [
            {"file": spec, "line": 6, "column": 40, "endLine": 6, "endColumn": 52, "text": "", "primary": True},
            {
                "file": spec,
                "line": 4,
                "column": 17,
                "endLine": 4,
                "endColumn": 18,
                "text": "here `width` is 4",
                "primary": False,
            },
        ],
        "trail": [],
        "notes": [],
        "help": None,
    }
    assert (second["id"], second["help"]) == ("unknown-op", "did you mean `relu`?")


def test_json_of_a_sound_spec_is_an_empty_list(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "lenet", "--error-format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_json_of_a_wrong_call(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "no_such_net", "--error-format", "json"]) == 2
    (found,) = json.loads(capsys.readouterr().out)
    assert found["file"] is None
    assert "no_such_net" in found["message"]


def test_github(spec: str, capsys: pytest.CaptureFixture[str]):
    assert main(["shapes", spec, "--error-format", "github"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "::error file=a%2Cb%25.yaml,line=6,endLine=6,col=40,endColumn=51,title=netspec bad-argument::"
        "`out_channels` of `conv2d` is 0, but must be at least 1"
    )
    assert second.endswith("::no op or block is called `rellu`; help: did you mean `relu`?")


def required(node: Any, path: str, *keys: str) -> None:
    assert set(keys) <= set(node), f"{path} lacks {set(keys) - set(node)}"


def test_sarif(spec: str, capsys: pytest.CaptureFixture[str]):
    """By the required properties of the SARIF 2.1.0 schema."""
    assert main(["check", spec, "--error-format", "sarif"]) == 1
    log = json.loads(capsys.readouterr().out)
    required(log, "log", "version", "runs")
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    required(run, "run", "tool", "results")
    driver = run["tool"]["driver"]
    required(driver, "driver", "name", "rules")
    assert driver["name"] == "netspec"
    for rule in driver["rules"]:
        required(rule, "rule", "id", "shortDescription", "fullDescription")
        required(rule["shortDescription"], "text", "text")
    for result in run["results"]:
        required(result, "result", "message", "ruleId", "ruleIndex", "level", "locations")
        assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in ("none", "note", "warning", "error")
        for location in result["locations"] + result.get("relatedLocations", []):
            physical = location["physicalLocation"]
            assert physical["artifactLocation"]["uri"] == "a%2Cb%25.yaml"
            region = physical["region"]
            assert 1 <= region["startLine"] <= region["endLine"]
            assert 1 <= region["startColumn"] < region["endColumn"]
    assert len(run["results"]) == 2


def test_sarif_of_a_sound_spec_has_no_results(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "lenet", "--error-format", "sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []


def test_text_goes_to_stderr_and_is_counted(spec: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", spec]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("\n\n2 errors\n")
