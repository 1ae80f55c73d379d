"""Every word of the language has an entry with a text, and its examples are right."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from zoo.vision import models

from netspec.checks.check import check_loaded
from netspec.diagnostics import UsageError
from netspec.elaborate.steps import STRUCTURES
from netspec.expressions import parse
from netspec.ops import OPS
from netspec.pipeline import load_spec
from netspec.recipes import ingredients
from netspec.recipes.base import BASES
from netspec.reference.examples.complete import complete
from netspec.reference.examples.forms import FORMS, form_examples
from netspec.reference.registry import SECTIONS, all_names, find
from netspec.reference.show.page import Page
from netspec.reference.show.types import type_text
from netspec.reference.sources.expressions import FUNCTIONS, WORDS
from netspec.reference.sources.forms import HOLDS, form_keys
from netspec.reference.word import Word

ALL = [(section, group, name) for section in SECTIONS for group, name in section.names()]
WORD_IDS = [f"{section.kind}-{group}-{name}" for section, group, name in ALL]


@pytest.mark.parametrize(("section", "group", "name"), ALL, ids=WORD_IDS)
def test_an_entry_says_what_it_is_and_what_it_takes(section, group, name):
    word = section.entry(group, name)
    assert word.name == name
    assert word.summary, "a class's docstring, or the text below its field"
    assert [each.name for each in word.arguments if not each.doc] == [], "say what it means below its field"
    untyped = [each.name for each in word.arguments if type_text(each.holds) == "any value"]
    assert untyped in ([], ["default"])  # a parameter's default has its own type
    assert {each.name for each in word.arguments} == {*section.arguments(group, name)} or section.kind == "key"
    assert word in find(name)
    assert name not in word.related
    assert {*word.related} <= {*all_names()}


def runs(word: Word, folder: Path) -> None:
    """Have ``netspec check`` take every example of a word, which it must show."""
    (folder / "blocks.yaml").write_text(complete("blocks: {hidden: {body: [linear: 8]}}\nnetwork: [hidden]"))
    for example in word.examples:
        path = folder / "example.yaml"
        path.write_text(complete(example), encoding="utf-8")
        assert check_loaded(load_spec(path)).diagnostics == (), example
        assert re.search(rf"\b{re.escape(word.name)}\b", example)


RUN = [each for each in ALL if each[0].kind not in ("type", "function", "expression word", "diagnostic", "column")]


@pytest.mark.parametrize(("section", "group", "name"), RUN, ids=[f"{each[1]}-{each[2]}" for each in RUN])
def test_its_examples_are_right(section, group, name, tmp_path):
    word = section.entry(group, name)
    assert word.examples
    runs(word, tmp_path)


def test_every_form_structure_op_and_ingredient_has_an_entry():
    names = {(section.kind, name) for section, _, name in ALL}
    keys = {key for form in HOLDS if form.known_as not in STRUCTURES for key in form_keys(form)}
    assert {("key", key) for key in keys} <= names
    assert {("structure", word) for word in STRUCTURES} <= names
    assert {("op", name) for name in OPS} <= names
    assert {(kind, name) for kind in BASES for name in ingredients(kind)} <= names


@pytest.mark.parametrize("form", [*FORMS, *STRUCTURES.values()], ids=lambda form: form.__name__)
def test_the_examples_of_a_form_show_each_of_its_keys(form, tmp_path):
    shown = "\n".join(form_examples(form))
    own = [key for key in form_keys(form) if key != "state_key"]  # which every step has, and an entry of its own
    missing = [key for key in own if not re.search(rf"\b{key}:", shown)]
    assert missing == [] or (form.known_as == "share" and missing == ["freeze"])
    for at, example in enumerate(form_examples(form)):
        path = tmp_path / f"{at}.yaml"
        path.write_text(complete(example), encoding="utf-8")
        (tmp_path / "blocks.yaml").write_text(complete("blocks: {hidden: {body: [linear: 8]}}\nnetwork: [hidden]"))
        assert check_loaded(load_spec(path)).diagnostics == ()


@pytest.mark.parametrize("name", [*FUNCTIONS, *WORDS])
def test_the_examples_of_expressions_have_a_value(name):
    _, example = {**FUNCTIONS, **WORDS}[name]
    assert re.search(rf"\b{name}\b", example)
    values = {"width": 64, "widths": [8, 16, 32], "shape": [1, 2, 3]}
    functions = {name: getattr(math, name) for name in ("ceil", "floor", "sqrt", "exp", "log")}
    wanted = eval(example, {**values, **functions, "make_divisible": models._utils._make_divisible})
    assert parse(example).evaluate(values) == (list(wanted) if name in ("range", "reversed") else wanted)


def meanings(name: str) -> list[tuple[str, str]]:
    return [(word.kind, word.group) for word in find(name)]


def test_all_meanings_of_a_word():
    assert meanings("residual") == [("structure", "")]
    assert meanings("params") == [("key", "spec"), ("key", "block"), ("key", "expect"), ("column", ""), ("key", "use")]
    assert meanings("if") == [("key", "output"), ("structure", ""), ("expression word", "")]
    assert meanings("linear") == [("op", "linear"), ("schedule", "")]
    assert meanings("patience") == [("key", "early_stopping"), ("argument", "plateau")]
    assert meanings("mixed") == [("value", "")]
    assert meanings("conv2d.padding") == [("argument", "conv2d")]
    assert meanings("repeat.count") == [("key", "repeat")]
    assert meanings("train.batch") == [("key", "train")]


def test_an_argument_of_many_words_is_told_once_for_each_meaning():
    first, *_ = find("kernel_size")
    assert "`conv2d`" in first.place
    assert "`max_pool3d`" in first.place
    assert len({word.doc for word in find("dim")}) == len(find("dim"))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("adan", "`adam`"),
        ("residul", "`residual`"),
        ("csvv", "`csv`"),
        ("cross", "`cross_entropy`"),
        ("lr_", "`lr`"),
        ("dense", "`linear`"),
        ("learning_rate", "`lr`"),
        ("confd2", "`conv2d`"),
        ("conv2d.pading", "`conv2d.padding`"),
        ("repeat.cuont", "`repeat.count`"),
    ],
)
def test_an_unknown_word_gets_the_nearest(word, meant):
    with pytest.raises(UsageError, match=f"there is no word named `{re.escape(word)}`") as found:
        find(word)
    assert meant in str(found.value)


def test_what_resembles_nothing():
    with pytest.raises(UsageError, match="`netspec help` lists them all"):
        find("zzzzqqqq")


@pytest.mark.parametrize("width", [80, 120])
def test_a_page_fits_the_terminal(width):
    for section, group, name in ALL:
        for line in Page((section.entry(group, name),)).text(width).split("\n"):
            assert len(line) <= width or line.startswith("    "), line
