"""The panes of the explorer: widened by pointer and keyboard, hidden, remembered, on wide and narrow windows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Watch, launched, needs_browser
from playwright.sync_api import BrowserContext, Page, expect

from netspec.emit.explorer import explorer_page
from netspec.pipeline import compile_spec

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("panes") / "explorer.html"
    path.write_text(explorer_page(compile_spec("resnet18")), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def context() -> Iterator[BrowserContext]:
    with launched() as browser:
        yield browser.new_context(viewport={"width": 1400, "height": 900})


@pytest.fixture
def page(context: BrowserContext, address: str) -> Iterator[Page]:
    page = context.new_page()
    watch = Watch(page)
    page.goto(address)
    yield page
    assert watch.said == []


def width(page: Page, pane: str) -> float:
    box = page.locator(f"#{pane}").bounding_box()
    return 0 if box is None else box["width"]


def drag(page: Page, divider: int, x: float, y: float = 0) -> None:
    box = page.locator(".divider").nth(divider).bounding_box()
    assert box is not None
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(*middle)
    page.mouse.down()
    page.mouse.move(middle[0] + x, middle[1] + y, steps=4)
    page.mouse.up()


def test_a_divider_is_dragged_and_its_place_remembered(page: Page, context: BrowserContext, address: str):
    before = [width(page, pane) for pane in ("diagram", "table", "source")]
    drag(page, 0, 150)
    drag(page, 1, -60)
    after = [width(page, pane) for pane in ("diagram", "table", "source")]
    assert after == pytest.approx([before[0] + 150, before[1] - 210, before[2] + 60], abs=2)
    again = context.new_page()
    again.goto(address)
    assert [width(again, pane) for pane in ("diagram", "table", "source")] == pytest.approx(after, abs=1)
    again.locator(".divider").first.dblclick()
    assert [width(again, pane) for pane in ("diagram", "table", "source")] == pytest.approx(before, abs=1)


def test_no_drag_makes_a_pane_vanish_or_moves_another(page: Page):
    source = width(page, "source")
    drag(page, 0, -2000)
    assert width(page, "diagram") >= 100
    assert width(page, "source") == pytest.approx(source, abs=1)
    drag(page, 0, 3000)
    assert width(page, "table") >= 100


def test_arrows_move_a_divider(page: Page):
    divider = page.get_by_role("separator").first
    before, now = width(page, "diagram"), int(divider.get_attribute("aria-valuenow") or 0)
    divider.focus()
    for _ in range(3):
        divider.press("ArrowRight")
    assert width(page, "diagram") == pytest.approx(before + 72, abs=2)
    assert int(divider.get_attribute("aria-valuenow") or 0) > now
    divider.press("ArrowLeft")
    assert width(page, "diagram") == pytest.approx(before + 48, abs=2)
    divider.press("Home")
    assert width(page, "diagram") < before
    divider.press("Enter")
    assert width(page, "diagram") == pytest.approx(before, abs=1)


def test_panes_are_hidden_by_button_and_key_and_one_stays(page: Page, context: BrowserContext, address: str):
    def shown(found: Page) -> list[str]:
        return [pane for pane in ("diagram", "table", "source") if found.locator(f"#{pane}").is_visible()]

    page.get_by_role("button", name="Table", exact=True).click()
    assert shown(page) == ["diagram", "source"]
    assert page.locator(".divider:visible").count() == 1
    drag(page, 0, 100)
    assert width(page, "diagram") + width(page, "source") == pytest.approx(1393, abs=2)
    page.keyboard.press("3")
    assert shown(page) == ["diagram"]
    page.keyboard.press("1")
    assert shown(page) == ["diagram"]
    expect(page.get_by_role("button", name="Diagram", exact=True)).to_be_disabled()
    again = context.new_page()
    again.goto(address)
    assert shown(again) == ["diagram"]
    again.keyboard.press("2")
    again.keyboard.press("1")
    assert shown(again) == ["table"]
    again.reload()
    again.keyboard.press("1")
    card = again.locator('#drawing .spot[data-spot="conv1"]').bounding_box()
    assert card is not None
    assert 0 <= card["x"] < width(again, "diagram")


def test_what_must_hold_of_sizes_brings_a_hidden_text_back(page: Page):
    page.keyboard.press("3")
    expect(page.locator("#source")).to_be_hidden()
    page.locator("#constraints button").first.click()
    expect(page.locator("#source li.lit")).to_be_visible()


def test_on_a_narrower_window_the_panes_stand_below_each_other(page: Page):
    page.set_viewport_size({"width": 900, "height": 800})
    table, source = (page.locator(f"#{pane}").bounding_box() for pane in ("table", "source"))
    assert table is not None
    assert source is not None
    assert table["x"] == source["x"]
    assert table["y"] + table["height"] <= source["y"]
    divider = page.get_by_role("separator").nth(1)
    assert divider.get_attribute("aria-orientation") == "horizontal"
    drag(page, 1, 0, 80)
    moved = page.locator("#table").bounding_box()
    assert moved is not None
    assert moved["height"] == pytest.approx(table["height"] + 80, abs=2)
    page.keyboard.press("2")
    page.keyboard.press("3")
    assert width(page, "diagram") == pytest.approx(900, abs=1)


def test_on_a_phone_nothing_is_wider_than_the_window(page: Page):
    page.set_viewport_size({"width": 400, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    assert page.locator(".divider:visible").count() == 0
    page.get_by_role("button", name="YAML", exact=True).click()
    expect(page.locator("#source")).to_be_hidden()


def test_what_was_kept_by_another_page_does_no_harm(page: Page):
    for kept in (
        '{"shares": {"wide": {"diagram": -1, "table": "x", "source": 1e99}}, "hidden": "all"}',
        "{",
        "null",
        "7",
    ):
        page.evaluate("(kept) => localStorage.setItem('netspec.panes.explorer', kept)", kept)
        page.reload()
        assert width(page, "diagram") == pytest.approx(439, abs=3)
