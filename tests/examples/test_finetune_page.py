"""The page on fine-tuning: its commands run, and what it says comes of them does."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from places import GUIDES

from netspec.cli import main
from netspec.pipeline import compile_spec, read_value

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("without_pictures")]

PAGE = (GUIDES / "finetune.md").read_text(encoding="utf-8")
COMMANDS = [shlex.split(text.replace("\\\n", " ")) for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)]
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SPECS = {re.findall(r"name: (\w+)", text)[0]: text for text in re.findall(r"```yaml[^\n]*\n(.*?)```", PAGE, re.DOTALL)}
TOLD = {run: int(percent) / 100 for run, percent in re.findall(r"\| `(\w+)` \|.*\| (\d+) % \|", PAGE)}


@pytest.fixture(scope="module")
def accuracies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """The share of the images for the test that each run of the page gets right."""
    place = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        for text in PYTHON:
            exec(text, {})
        for name, text in SPECS.items():
            Path(f"{name}.yaml").write_text(text, encoding="utf-8")
        for command in COMMANDS:
            assert main(command[1:]) == 0, command
        return {
            each.parent.name: json.loads(each.read_text())["scores"]["test"]["accuracy"]
            for each in place.glob("*/result.json")
        }


def test_the_first_task_is_learned(accuracies: dict[str, float]) -> None:
    assert 0.96 < accuracies["base"] <= 1


def test_who_starts_from_weights_is_ahead(accuracies: dict[str, float]) -> None:
    assert accuracies.keys() == {*TOLD, "base"}
    for run in TOLD.keys() - {"scratch"}:
        assert 0.05 < accuracies[run] - accuracies["scratch"] < 0.5, run


def test_the_page_tells_what_comes_of_it(accuracies: dict[str, float]) -> None:
    for run, told in TOLD.items():
        assert accuracies[run] == pytest.approx(told, abs=0.08), run


def test_the_page_counts_what_is_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in SPECS.items():
        Path(f"{name}.yaml").write_text(text, encoding="utf-8")
    (command,) = (each for each in COMMANDS if "--lora" in each)
    keys = {"train.lora": command[command.index("--lora") + 1]}
    keys |= dict(each.split("=", 1) for each in command if each.startswith("train."))
    body = compile_spec("new.yaml", overrides={key: read_value(key, text) for key, text in keys.items()}).body
    count = body.parameter_count
    assert f"{count - body.frozen_count:,} numbers of {count:,}" in PAGE
