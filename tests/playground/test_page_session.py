"""Answers of netspec to the page: those of the command line and the language server, in the page's own places."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from netspec import zoo
from netspec.emit.table import ShapeTable
from netspec.pipeline import compile_spec
from netspec.playground.offsets import Offsets
from netspec.playground.session import Session

SMALL = "netspec: 1\nname: small\ninputs: {x: [N, 4]}\nnetwork:\n  - linear: {name: fc, out_features: 3}\n"


class Asked:
    """A session that is asked as the page asks."""

    def __init__(self) -> None:
        self.session = Session()

    def __call__(self, question: str, *given: Any) -> Any:
        found = json.loads(self.session.answer(json.dumps({"ask": question, "with": given})))
        return found["answer"]

    def fault(self, question: str, *given: Any) -> str:
        return str(json.loads(self.session.answer(json.dumps({"ask": question, "with": given})))["fault"])


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> Asked:
    monkeypatch.chdir(zoo.folder())
    return Asked()


def test_a_table_is_that_of_the_command_line_with_its_styles(ask: Asked):
    ask("read", (zoo.folder() / "resnet.yaml").read_text("utf-8"), True, "")
    found = ask("table", "resnet50", 100)
    assert found["columns"]["kept"].startswith("What one forward pass in training keeps for the backward pass")
    lines = found["lines"]
    assert "\n".join("".join(text for text, _ in line) for line in lines) == ShapeTable(compile_spec("resnet50")).text(
        100
    )
    assert ["conv2d", "convolution"] in [span for line in lines for span in line]
    text = (zoo.folder() / "resnet.yaml").read_text("utf-8").split("\n")
    for line, row in zip(lines, found["rows"], strict=True):
        name = line[0][0].strip() if line else ""
        if name in ("conv1", "bn1", "fc"):
            assert f"name: {name}" in text[row - 1]
        if name in ("layer", "image", "parameters"):
            assert row == 0


def test_what_is_read_has_its_variants_totals_and_shapes(ask: Asked):
    found = ask("read", SMALL + "variants: {small: {}, other: {}}\n", True, "other")
    assert found["variants"] == ["small", "other"]
    assert found["name"] == "other"
    assert found["totals"] == [["parameters", "15", "15"], ["MACs", "12", "12 at N = 1"]]
    assert found["hints"] == [[SMALL.index("3}\n") + 2, "→ [N, 3]"]]
    assert found["problems"] == []


def test_a_fault_keeps_the_network_before_unless_the_text_is_another(ask: Asked):
    before = ask("read", SMALL, True, "")
    wrong = ask("read", SMALL.replace("linear", "liner"), False, "")
    assert (before["fresh"], wrong["fresh"]) == (True, False)
    assert wrong["built"] == before["built"]
    assert "small" in str(ask("table", "", 80))
    assert ask("read", "netspec: 1\n", True, "")["variants"] == []
    assert "no network" in ask.fault("table", "", 80)


def test_a_problem_has_its_place_and_its_help(ask: Asked):
    text = "# 😀\n" + SMALL.replace("linear", "liner")
    (problem,) = ask("read", text, True, "")["problems"]
    start = len(text[: text.index("liner")].encode("utf-16-le")) // 2
    assert (problem["from"], problem["to"], problem["line"]) == (start, start + len("liner"), 6)
    assert problem["id"] == "unknown-op"
    assert "linear" in problem["help"]
    assert problem["help"] in problem["text"]
    assert problem["repair"] == {"from": start, "to": start + len("liner"), "word": "linear"}


def test_a_problem_of_a_file_that_is_imported_stands_at_the_top(ask: Asked):
    text = SMALL.replace("network:", "network:\n  - use: {network: mobilenet_v3, with: {classes: 0}}")
    problems = ask("read", text, True, "")["problems"]
    assert problems
    assert all(each["from"] <= each["to"] <= len(text) for each in problems)


def test_a_spec_of_the_zoo_imports_another(ask: Asked):
    assert ask("read", (zoo.folder() / "lraspp.yaml").read_text("utf-8"), True, "")["problems"] == []


def test_data_that_are_not_there_are_no_matter(ask: Asked):
    train = "train: {data: {csv: {path: nowhere.csv, target: y}}, loss: mse, optimizer: adam, epochs: 1}\n"
    assert ask("read", SMALL.replace("3}", "1}") + train, True, "")["problems"] == []


def of_zoo(name: str) -> str:
    return (zoo.folder() / f"{name}.yaml").read_text("utf-8")


def test_what_an_edited_network_was_expected_to_be_is_one_note_on_the_variant_that_is_shown(ask: Asked):
    text = of_zoo("resnet").replace("out_channels: 64", "out_channels: 32")
    for variant, expected in (("resnet18", "11,689,512"), ("resnet50", "25,557,032")):
        found = ask("read", text, True, variant)
        (note,) = found["problems"]
        params = found["totals"][0][2]
        what = f"parameters are {params}, not {expected} (and 4 other variants)"
        assert note["message"] == f"differs from what the spec expects: {what}"
        assert note["severity"] == "note"
        assert f"{variant}:" in text.split("\n")[note["line"] - 1]
        assert found["fresh"]


def test_what_another_variant_was_expected_to_be_names_that_one(ask: Asked):
    text = SMALL + "variants: {a: {}, b: {expect: {params: 1, macs: 12}}, c: {expect: {outputs: {y: [N]}}}}\n"
    (note,) = ask("read", text, True, "a")["problems"]
    what = "parameters are 15, not 1 (and 1 other variant)"
    assert note["message"] == f"b differs from what the spec expects: {what}"
    (note,) = ask("read", text, True, "c")["problems"]
    assert note["message"].startswith("differs from what the spec expects: there is no output `y`")


def test_an_expectation_that_cannot_be_read_is_an_error(ask: Asked):
    (problem,) = ask("read", SMALL + "expect: {params: 3 MB}\n", True, "")["problems"]
    assert (problem["id"], problem["severity"]) == ("bad-value", "error")


def test_words_are_offered_at_a_place_and_replace_what_is_there(ask: Asked):
    ask("read", SMALL, True, "")
    text = "# 😀\n" + SMALL + "  - batch_n"
    found = ask("complete", text, len(text.encode("utf-16-le")) // 2)
    assert found["from"] == len(text.encode("utf-16-le")) // 2 - len("batch_n")
    assert "batch_norm1d" in [item["label"] for item in found["items"]]


def test_a_word_is_explained_where_it_stands(ask: Asked):
    ask("read", SMALL, True, "")
    assert "15 parameters" in ask("hover", SMALL.index("linear"))
    assert ask("hover", 0) is not None
    assert ask("hover", len(SMALL)) is None


def test_pages_are_for_frames_or_by_themselves(ask: Asked):
    ask("read", SMALL, True, "")
    for question in (("explorer", ""), ("difference", "", "lenet")):
        framed, alone = ask(*question, True)["html"], ask(*question, False)["html"]
        assert "parent.postMessage" in framed
        assert "parent.postMessage" not in alone


def test_a_difference_names_the_file_of_the_zoo_alone(ask: Asked):
    ask("read", (zoo.folder() / "lenet.yaml").read_text("utf-8"), True, "")
    page = ask("difference", "", "lenet", True)["html"]
    assert str(zoo.folder()) not in page
    assert "no spec file or zoo entry" in ask.fault("difference", "", "nothing", True)


def test_an_edited_network_of_the_zoo_is_yours_beside_it(ask: Asked):
    text = of_zoo("lenet").replace("kernel_size: 5", "kernel_size: 3")
    ask("read", text, True, "")
    for against, names in (("lenet", ["lenet", "yours"]), ("resnet18", ["resnet18", "lenet"])):
        (sides,) = re.findall(r'"sides":(\[.*?\])', ask("difference", "", against, True)["html"])
        assert json.loads(sides) == names


def test_what_is_told_later_is_read_ahead_a_little_at_a_time(ask: Asked):
    slices = 0
    while ask.session.warm():
        slices += 1
    assert slices > 200


@pytest.mark.parametrize("text", ["", "a", "a\n", "ä😀b\n😀\n\nend", "\n\n"])
def test_offsets_and_places_are_each_others_opposites(text: str):
    offsets = Offsets(text)
    for line, content in enumerate(text.split("\n"), 1):
        for column in range(1, len(content) + 2):
            at = offsets.of(line, column)
            before = "\n".join([*text.split("\n")[: line - 1], content[: column - 1]])
            assert at == len(before.encode("utf-16-le")) // 2
            assert offsets.place(at) == (line, column)
    assert offsets.of(99, 1) == offsets.end_of(len(offsets.lines)) == len(text.encode("utf-16-le")) // 2


def test_an_offset_inside_of_a_character_is_behind_it():
    assert Offsets("😀b").place(1) == (1, 2)
