"""The vision engineer's story: 200 photos, a checkpoint of other classes, and a file that takes photos."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from examples.stories.told import Story

pytestmark = pytest.mark.slow


def accuracy(story: Story, run: str) -> float:
    return json.loads((story.folder / "runs" / run / "result.json").read_text())["scores"]["test"]["accuracy"]


def test_the_photos_are_200_in_five_folders(story: Story):
    for part in ("train", "test"):
        counts = {folder.name: len([*folder.glob("*.png")]) for folder in (story.folder / "photos" / part).iterdir()}
        assert counts == dict.fromkeys(("five", "six", "seven", "eight", "nine"), 40)


def test_the_page_shows_the_spec_and_the_script(story: Story):
    shown = yaml.safe_load(story.page.split("```yaml\n")[1].split("```")[0])
    assert shown == yaml.safe_load((story.folder / "photos.yaml").read_text())
    script = story.page.split("```python\n")[1].split("```")[0]
    assert (story.folder / "answer.py").read_text().endswith(f'"""\n\n{script}')
    assert len([line for line in script.split("\n") if line]) == 10


def test_all_of_the_checkpoint_fits_but_the_classes(story: Story):
    table = story.page.split("```\nkey")[1].split("```")[0]
    assert table in story.out
    assert "weights: 60 of 62 parameters; `fc` starts anew" in story.out  # as training says


def test_the_checkpoint_helps(story: Story):
    told = {run: int(percent) / 100 for run, percent in re.findall(r"\| `(\w+)` \|.*\| (\d+) % \|", story.page)}
    found = {run: accuracy(story, run) for run in told}
    assert accuracy(story, "tuned") - accuracy(story, "scratch") > 0.1
    assert found == pytest.approx(told, abs=0.1)
    log = (story.folder / "runs/base/result.json").read_text()
    assert json.loads(log)["scores"]["validation"]["accuracy"] > 0.95


def test_the_file_answers_as_the_run_does(story: Story):
    by_file = re.findall(r"^photos/test/(\w+)/(\d+)\.png: (\w+) ([\d.]+)%$", story.out, re.M)
    by_run = re.findall(r"^photos/test/(\w+)/(\d+)\.png +(\w+) +([\d.]+)%", story.out, re.M)
    assert len(by_file) == 10
    assert by_file == by_run
    assert sum(folder == said for folder, _, said, _ in by_file) >= 8
