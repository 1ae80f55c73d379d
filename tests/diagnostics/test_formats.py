"""Diagnostics for programs: what they parse is what was told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema

from netspec.cli import main

Capture = pytest.CaptureFixture[str]
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
    assert found["file"] == "no_such_net"
    assert "no_such_net" in found["message"]


def test_github(spec: str, capsys: pytest.CaptureFixture[str]):
    assert main(["shapes", spec, "--error-format", "github"]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first == (
        "::error file=a%2Cb%25.yaml,line=6,endLine=6,col=40,endColumn=51,title=netspec bad-argument::"
        "`out_channels` of `conv2d` is 0, but must be at least 1"
    )
    assert second.endswith("::there is no op or block named `rellu`; help: did you mean `relu`?")


def sarif(text: str) -> dict[str, Any]:
    """A log, held against the models that are generated from the schema of SARIF 2.1.0 (package `pydantic-sarif`)."""
    StaticAnalysisResultsFormatSarifVersion210JsonSchema.model_validate_json(text)
    log: dict[str, Any] = json.loads(text)
    return log


def test_the_models_of_sarif_forbid_what_the_schema_does():
    for wrong in ('{"runs": []}', '{"version": "2.0.0", "runs": []}', '{"version": "2.1.0", "runs": [], "more": 1}'):
        with pytest.raises(ValidationError):
            sarif(wrong)


def test_sarif(spec: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", spec, "--error-format", "sarif"]) == 1
    log = sarif(capsys.readouterr().out)
    (run,) = log["runs"]
    driver = run["tool"]["driver"]
    assert driver["name"] == "netspec"
    first, second = run["results"]
    for result in (first, second):
        rule = driver["rules"][result["ruleIndex"]]
        assert rule["id"] == result["ruleId"]
        assert rule["fullDescription"]["text"]
        assert result["level"] == "error"
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "a%2Cb%25.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 6, "startColumn": 40, "endLine": 6, "endColumn": 52},
            }
        }
    ]
    assert [each["message"]["text"] for each in first["relatedLocations"]] == ["here `width` is 4"]
    assert second["message"]["text"] == "there is no op or block named `rellu` (help: did you mean `relu`?)"


MANY = pytest.mark.parametrize(
    ("faults", "more", "told"), [(150, 50, "and 50 more"), (900, 300, "and at least 300 more")]
)


def faulty(path: Path, faults: int) -> Path:
    path.write_text(SPEC + "".join(f"  - rellu{number}\n" for number in range(faults - 2)))
    return path


@MANY
def test_json_says_what_it_leaves_out(
    faults: int, more: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["check", str(faulty(tmp_path / "net.yaml", faults)), "--error-format", "json"]) == 1
    *found, last = json.loads(capsys.readouterr().out)
    assert len(found) == 100
    assert all(each["severity"] == "error" for each in found)
    assert {key: last[key] for key in ("id", "severity", "message", "file", "line", "more")} == {
        "id": None,
        "severity": "note",
        "message": told,
        "file": None,
        "line": None,
        "more": more,
    }
    assert [*last] == [*found[0], "more"]


@MANY
def test_sarif_says_what_it_leaves_out(
    faults: int, more: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    path = faulty(tmp_path / "net.yaml", faults)
    assert main(["check", str(path), "--error-format", "sarif"]) == 1
    (run,) = sarif(capsys.readouterr().out)["runs"]
    assert len(run["results"]) == 100
    (notice,) = run["invocations"][0]["toolExecutionNotifications"]
    assert notice == {"level": "note", "message": {"text": told}}


def test_sarif_is_relative_to_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture):
    """As GitHub's code scanning wants it, however a file is named; what is outside has a place of its own."""
    inside, outside = tmp_path / "repository" / "nets" / "my nets", tmp_path / "elsewhere"
    for folder in (inside, outside, tmp_path / "repository" / ".git"):
        folder.mkdir(parents=True)
    (inside / "a.yaml").write_text(SPEC)
    (outside / "b.yaml").write_text(SPEC)
    monkeypatch.chdir(inside.parent)
    names = ["my nets/a.yaml", "./my nets/../my nets/a.yaml", str(inside / "a.yaml"), "../../elsewhere/b.yaml"]
    assert main(["check", *names, "--error-format", "sarif"]) == 1
    (run,) = sarif(capsys.readouterr().out)["runs"]
    root = (tmp_path / "repository").as_uri() + "/"
    assert run["originalUriBaseIds"] == {"%SRCROOT%": {"uri": root}}
    places = [each["locations"][0]["physicalLocation"]["artifactLocation"] for each in run["results"]]
    own = {"uri": "nets/my%20nets/a.yaml", "uriBaseId": "%SRCROOT%"}
    assert places == [*[own] * 6, *[{"uri": (outside / "b.yaml").as_uri()}] * 2]


def test_a_spec_that_is_not_there_is_told_with_the_faults_of_the_others(spec: str, capsys: Capture):
    words = ["check", spec, "none.yaml", "lenet", "--error-format"]
    assert main([*words, "sarif"]) == 2
    (run,) = sarif(capsys.readouterr().out)["runs"]
    *found, missing = run["results"]
    assert len(found) == 2
    assert missing["message"]["text"].startswith("no such file: none.yaml")
    place = missing["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "none.yaml", "uriBaseId": "%SRCROOT%"}
    assert run["invocations"][0]["executionSuccessful"] is False
    assert main([*words, "json"]) == 2
    *found, missing = json.loads(capsys.readouterr().out)
    assert (len(found), missing["id"], missing["file"]) == (2, None, "none.yaml")
    assert [*missing] == [*found[0]]
    assert main([*words, "github"]) == 2
    assert capsys.readouterr().out.splitlines()[-1].startswith("::error file=none.yaml,title=netspec::no such file")
    assert main([*words, "text"]) == 2
    told = capsys.readouterr()
    assert re.search(r"^lenet +\d+ variants  ok$", told.out, re.MULTILINE)
    assert "netspec: no such file: none.yaml" in told.err
    assert told.err.endswith("2 errors\n")


def test_what_ends_another_command_is_in_sarif(capsys: Capture):
    assert main(["shapes", "none.yaml", "--error-format", "sarif"]) == 2
    (run,) = sarif(capsys.readouterr().out)["runs"]
    (told,) = run["invocations"][0]["toolExecutionNotifications"]
    assert told["message"]["text"].startswith("no such file: none.yaml")
    assert (run["results"], run["invocations"][0]["executionSuccessful"]) == ([], False)


def test_sarif_of_a_sound_spec_has_no_results(capsys: pytest.CaptureFixture[str]):
    assert main(["check", "lenet", "--error-format", "sarif"]) == 0
    assert sarif(capsys.readouterr().out)["runs"][0]["results"] == []


def test_text_goes_to_stderr_and_is_counted(spec: str, capsys: pytest.CaptureFixture[str]):
    assert main(["check", spec]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.endswith("\n\n2 errors\n")
