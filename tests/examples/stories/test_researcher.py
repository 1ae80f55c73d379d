"""The researcher's story: GPT-2 and what has become of it, compared, killed, resumed, extended, and read."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from examples.stories.told import Story

pytestmark = pytest.mark.slow


def epochs(story: Story, run: str) -> list[dict[str, Any]]:
    """The epochs of a run, without the time that they took."""
    lines = (story.folder / "runs" / run / "metrics.jsonl").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [{key: value for key, value in each.items() if key != "seconds"} for each in found if "validation" in each]


def test_the_page_shows_the_block(story: Story):
    shown = yaml.safe_load(story.page.split("```yaml\n")[1].split("```")[0])
    kept = yaml.safe_load((story.folder / "writer.yaml").read_text())
    assert shown.items() <= kept["blocks"].items()
    for line in re.findall(r"^(?:parameters|MACs) .*→.*$", story.page, re.M):
        assert line in story.out


def test_the_modern_variants_are_ahead(story: Story):
    runs = json.loads((story.folder / "runs/compare/1/compare.json").read_text())
    assert [*runs] == ["published", "ungrouped", "writer"]
    perplexity = {name: run["scores"]["test"]["perplexity"] for name, run in runs.items()}
    assert 8 < perplexity["published"] < 10.5
    assert 6 < perplexity["writer"] < 8
    assert abs(perplexity["ungrouped"] - perplexity["writer"]) < 0.7
    parameters = {name: int(count.replace(",", "")) for name, count in
                  re.findall(r"^(published|ungrouped|writer)[ *]+([\d,]+) +\d", story.out, re.M)}  # fmt: skip
    assert parameters == {"published": 105_920, "ungrouped": 100_096, "writer": 91_904}


def test_a_killed_run_ends_as_one_that_was_not(story: Story):
    assert "runs/writer/1 goes on as it was begun, with --set train.epochs=3" in story.out
    assert re.search(r"^going on after step \d+$", story.out, re.M)
    whole, taken_up = epochs(story, "compare/1/3-writer"), epochs(story, "writer/1")
    assert len(whole) == 3
    assert taken_up[:3] == whole


def test_longer_is_better(story: Story):
    assert "extended from 3 epochs to 5 epochs" in story.out
    assert len(epochs(story, "writer/1")) == 5
    scores = [
        json.loads((story.folder / "runs" / run / "result.json").read_text())["scores"]["test"]["perplexity"]
        for run in ("compare/1/3-writer", "writer/1")
    ]
    assert scores[1] < scores[0] - 0.3
    assert re.search(r"^epochs +3 +5$", story.out, re.M)


def test_it_writes_letters_and_spaces(story: Story):
    text = story.out.rstrip("\n").split("\n")[-1]
    assert re.fullmatch(r"[a-z ]{50,58}", text)
    assert 0.05 < text.count(" ") / len(text) < 0.4
