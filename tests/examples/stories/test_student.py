"""The student's story: the sizes of AlexNet as published, LeNet trained, optimizers compared, a digit of one's own."""

from __future__ import annotations

import json
import re

import pytest
from examples.stories.told import Story

pytestmark = pytest.mark.slow


def accuracy(story: Story, run: str) -> float:
    return json.loads((story.folder / "runs" / run / "result.json").read_text())["scores"]["test"]["accuracy"]


def test_the_sizes_of_alexnet_are_those_of_the_books(story: Story):
    published, d2l = story.out.split("\nalexnet_d2l\n")[:2]
    sizes = {name: re.findall(r"^(?:0|2|5|12) .*?N×\d+×(\d+)×", text, re.M) for name, text in
             {"2012": published, "d2l": d2l.partition("in → out")[0]}.items()}  # fmt: skip
    assert sizes == {"2012": ["55", "27", "13", "6"], "d2l": ["54", "26", "12", "5"]}
    shown = story.page.partition("```\nlayer")[2].partition("```")[0]
    assert shown.strip() in published
    assert re.search(r"^12 .* 195 ", published, re.M)  # Araujo, Norris and Sim 2019
    assert (story.folder / "alexnet.svg").read_text().lstrip().startswith("<")


def test_sigmoids_are_on_their_plateau_and_relus_are_not(story: Story):
    assert 0.08 <= accuracy(story, "sigmoid") <= 0.2
    assert 0.93 <= accuracy(story, "relu") <= 0.97


def test_momentum_is_ahead(story: Story):
    compared = json.loads((story.folder / "runs/compare/1/compare.json").read_text())
    found = [run["scores"]["test"]["accuracy"] for run in compared.values()]
    plain, momentum, adam, faster_adam = found
    assert momentum == max(found)
    assert 0.92 < momentum < 0.96
    assert abs(plain - adam) < 0.05
    assert faster_adam > adam + 0.02
    assert (story.folder / "runs/compare/1/compare.png").stat().st_size > 10_000


def test_the_negative_is_the_seven(story: Story):
    answers = dict(re.findall(r"^(paint|seven)\.png +(\d)", story.out, re.M))
    assert answers["paint"] != "7"
    assert answers["seven"] == "7"
    assert "dark and light are swapped" in story.err
    assert story.err.splitlines()[-1].split(" (")[0] in story.page
