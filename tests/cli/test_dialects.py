"""How tables are written stays as it was in training, unless other data say otherwise; what is empty is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netspec.cli import main

SPEC = """\
netspec: 1
name: rows
inputs: {features: [N, 2]}
network: [linear: 2]
train:
  data: {csv: {path: own.csv, target: y, classes: true, separator: ":", decimal: ","}}
  loss: cross_entropy
  metrics: [accuracy]
  optimizer: {adam: 0.3}
  epochs: 30
"""
ROWS = [(each / 4 - 2.125, (each * 7) % 5 / 4) for each in range(18)]


def table(separator: str, decimal: str, *names: str) -> str:
    lines = [separator.join(names)]
    for a, b in ROWS:
        cells = {"a": str(a).replace(".", decimal), "b": str(b).replace(".", decimal), "y": "yes" if a > 0 else "no"}
        lines.append(separator.join(cells[name] for name in names))
    return "\n".join(lines) + "\n"


def test_other_tables_are_written_as_the_training_table(tmp_path: Path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("rows.yaml").write_text(SPEC)
    Path("own.csv").write_text(table(":", ",", "a", "y", "b"))
    Path("same.csv").write_text(table(":", ",", "b", "a", "y"))
    Path("other.csv").write_text(table(",", ".", "y", "b", "a"))
    assert main(["train", "rows.yaml", "-o", "run"]) == 0
    capsys.readouterr()
    found = []
    for data in ("own.csv", "same.csv", "{path: other.csv, separator: ',', decimal: '.'}"):
        assert main(["evaluate", "run", "--data", f"csv: {data}", "--format", "json"]) == 0
        found.append(json.loads(capsys.readouterr().out)["scores"]["rows"])
    assert found[0]["accuracy"] == 1.0
    assert found[1] == pytest.approx(found[0])
    assert found[2] == pytest.approx(found[0])
    assert main(["predict", "run", "same.csv", "--format", "json"]) == 0
    said = [each["class"] for each in json.loads(capsys.readouterr().out)]
    assert said == ["yes" if a > 0 else "no" for a, _ in ROWS]
