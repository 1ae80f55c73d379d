"""The playground while a network of the zoo is edited, and in narrow windows."""

from __future__ import annotations

import re

import pytest
from browser import needs_browser
from playwright.sync_api import Page, expect
from shown import PATIENCE, show

from netspec import zoo
from netspec.playground.link import fragment

pytestmark = [pytest.mark.slow, needs_browser]

WRONG = "netspec: 1\nname: small\ninputs: {x: [N, 4]}\nnetwork: [liner: 3]\n"
DIFF = "#panel-diff iframe:not(.next)"


def edited() -> str:
    text = (zoo.folder() / "resnet.yaml").read_text("utf-8")
    return fragment(text.replace("out_channels: 64", "out_channels: 32")) + "&variant=resnet18"


def test_other_counts_than_expected_are_a_note_and_no_error(page: Page):
    show(page, edited())
    expect(page.locator("#state")).to_have_text("no errors")
    expect(page.locator("#problems li")).to_have_count(1)
    expect(page.locator("#problems li")).to_contain_text("not 11,689,512 (and 4 other variants)")
    expect(page.locator("#problems li button")).to_have_attribute("data-severity", "note")
    expect(page.locator("#editor .cm-lintRange-error")).to_have_count(0)
    page.locator("#variant").select_option("resnet50")
    expect(page.locator("#problems li")).to_contain_text("not 25,557,032 (and 4 other variants)")


def test_problems_that_come_leave_the_cursor_in_sight(page: Page):
    page.set_viewport_size({"width": 1400, "height": 500})
    lines = "".join(f"  - liner: {size}\n" for size in range(9))
    show(page, fragment("netspec: 1\nname: small\ninputs: {x: [N, 4]}\nnetwork:\n" + "  - relu\n" * 60))
    page.locator("#editor .cm-content").focus()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(lines)
    expect(page.locator("#problems li")).to_have_count(9)
    page.wait_for_timeout(200)
    cursor, problems = (page.locator(each).bounding_box() for each in ("#editor .cm-cursor-primary", "#problems"))
    assert cursor is not None
    assert problems is not None
    assert cursor["y"] + cursor["height"] <= problems["y"]
    assert problems["height"] <= 175
    assert page.locator("#problems").evaluate("(each) => each.scrollHeight > each.clientHeight")


@pytest.mark.parametrize(
    ("words", "first"), [("resnet", "resnet"), ("squeeze excite", "squeeze_excite"), ("vit_b", "vit_b")]
)
def test_the_name_that_is_typed_comes_first(page: Page, words: str, first: str):
    page.locator("#browse").click()
    page.locator("#wanted").fill(words)
    expect(page.locator("#offers [aria-selected=true] b")).to_have_text(re.compile(f"^{first}"))
    names = page.locator("#offers [role=group]").first.locator("b").all_text_contents()
    begin = [name.startswith(words.replace(" ", "_")) for name in names]
    assert names[0].startswith(first)
    assert words != "resnet" or begin == sorted(begin, reverse=True)
    page.keyboard.press("Escape")


def test_a_link_to_what_makes_nothing_opens_on_the_spec_in_a_narrow_window(page: Page):
    page.set_viewport_size({"width": 400, "height": 800})
    show(page, fragment(WRONG))
    expect(page.locator("#editor")).to_be_visible()
    expect(page.locator("#problems")).to_contain_text("liner")
    expect(page.get_by_role("tab", name="Spec")).to_have_attribute("aria-selected", "true")
    for view, noun in (("Table", "table"), ("PyTorch", "PyTorch source"), ("Diff", "comparison")):
        page.get_by_role("tab", name=view).click()
        expect(page.locator("#empty")).to_have_text(f"The {noun} appears here once the spec has no errors.")
    show(page, "example=lenet")
    expect(page.get_by_role("tab", name="Table")).to_have_attribute("aria-selected", "true")
    box = page.get_by_role("button", name="lenet").bounding_box()
    assert box is not None
    assert box["width"] <= 32


def test_titles_of_columns_that_are_short_are_explained(page: Page):
    page.set_viewport_size({"width": 1800, "height": 850})
    expect(page.locator("#panel-table")).to_contain_text("kept")
    for title, meaning in (("field", "receptive field"), ("kept", "backward pass"), ("share", "MACs")):
        expect(page.locator(f"#panel-table [title*='{meaning}']")).to_have_text(re.compile(f"^ +{title}$"))


@pytest.mark.parametrize("width", [1280, 690, 400])
def test_a_comparison_has_its_whole_title_and_room_for_ops(page: Page, width: int):
    page.set_viewport_size({"width": width, "height": 850})
    show(page, edited() + "&view=diff&against=resnet18")
    frame = page.frame_locator(DIFF)
    name = frame.locator("#name")
    expect(name).to_have_text("resnet18 → yours", timeout=PATIENCE)
    assert name.evaluate("(each) => each.scrollWidth <= each.clientWidth")
    assert frame.locator("th", has_text="op").first.evaluate("(each) => each.getBoundingClientRect().width") >= 90
