"""The data scientist's story: a messy table in, classes with probabilities out, and what is confused with what."""

from __future__ import annotations

import csv
import re
from collections import Counter

import pytest
import yaml
from examples.stories.told import Story

from netspec.cli import main

pytestmark = pytest.mark.slow
CLASSES = ["leaves", "stays", "upgrades"]


def rows(story: Story, name: str) -> list[dict[str, str]]:
    with open(story.folder / name, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_shows_the_table_and_the_keys(story: Story):
    table = (story.folder / "customers.csv").read_text(encoding="utf-8-sig")
    assert "\n".join(table.split("\n")[:4]) in story.page
    shown = yaml.safe_load(story.page.split("```yaml\n")[1].split("```")[0])
    kept = yaml.safe_load((story.folder / "churn.yaml").read_text())
    assert shown["train"].items() <= kept["train"].items()


def test_what_became_of_the_table_is_said(story: Story):
    with open(story.folder / "customers.csv", encoding="utf-8-sig", newline="") as file:
        trained = list(csv.DictReader(file, delimiter=";"))
    told = re.search(r"`joined` as year.*", story.out)
    assert told is not None
    gaps = {name: sum(not row[name] for row in trained) for name in ("plan", "usage gb", "support calls")}
    for name, count in gaps.items():
        assert f"`{name}` {count} gaps filled with " in told[0]
    shown = story.page.partition("```\n`joined`")[2].partition("```")[0].replace("\n", " ").strip()
    assert shown in told[0]


def test_the_answers_have_classes_and_probabilities(story: Story):
    answers = rows(story, "answers.csv")
    assert [answer["customer"] for answer in answers] == [f"C{number:05}" for number in range(2500, 2520)]
    for answer in answers:
        chances = {name: float(answer[name]) for name in CLASSES}
        assert sum(chances.values()) == pytest.approx(1, abs=1e-5)
        assert answer["class"] == max(chances, key=chances.__getitem__)
    assert "`plan` is `student` in 1 row: no training row has that" in story.err
    first = story.out.splitlines()[-4:]
    leaving = [float(line.split(",")[3]) for line in first]
    assert leaving == sorted((float(answer["leaves"]) for answer in answers), reverse=True)[:4]


def test_the_confusions_are_those_of_the_answers(story: Story):
    """Precision and recall by counting in the table and in the answers for it."""
    made = story.folder / "again.csv"
    words = ["predict", str(story.folder / "runs/churn/last"), str(story.folder / "last_month.csv")]
    assert main([*words, "-o", str(made), "--keep", "outcome"]) == 0
    found = Counter((row["outcome"], row["class"]) for row in rows(story, "again.csv"))
    for right in CLASSES:
        counts = [found[right, answer] for answer in CLASSES]
        taken = sum(found[other, right] for other in CLASSES)
        precision, recall = (found[right, right] / count for count in (taken, sum(counts)))
        assert re.search(rf"^{right} +{' +'.join(map(str, counts))}$", story.out, re.M)
        assert re.search(rf"^{right} +{precision:.4f} +{recall:.4f} +[\d.]+ +{sum(counts)}$", story.out, re.M)
        assert 0.6 < precision < 0.97
        assert 0.75 < recall < 0.99
    assert 0.83 < sum(found[name, name] for name in CLASSES) / 500 < 0.95
