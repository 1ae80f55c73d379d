"""The playground in headless Chromium: how soon the first table stands there, and how soon an edit shows.

The edit is one in the file of ResNet-50, with its five variants: from the keystroke until the table is drawn. It is
held against the same text, read and drawn by Python outside of the browser. The page is built first if need be.
"""

from __future__ import annotations

import json
import shutil
import statistics
import threading
import time
from collections.abc import Sequence

from pairs import Bar, alternate, finish, judge, ratios, seconds
from playwright.sync_api import Browser, Page, expect, sync_playwright

from netspec import zoo
from netspec.cli.commands.reference.playground.site import PageServer
from netspec.playground.build import built
from netspec.playground.session import Session

SLOWER = Bar(8)
STARTS, EDITS = 3, 15
PATIENCE = 120_000
AGAIN = 12
"""Seconds in which a page that has started puts away what was compiled."""


def first_table(page: Page, address: str) -> float:
    """The seconds from the opening of a page to its first table."""
    begun = time.perf_counter()
    page.goto(address)
    expect(page.locator("#panel-table pre")).to_contain_text("parameters", timeout=PATIENCE)
    return time.perf_counter() - begun


def starts(browser: Browser, address: str) -> None:
    """Print how long first visits take, and second ones, which find what was compiled."""
    first: list[float] = []
    second: list[float] = []
    for _ in range(STARTS):
        context = browser.new_context()
        page = context.new_page()
        first.append(first_table(page, address))
        page.wait_for_timeout(AGAIN * 1000)
        page.goto("about:blank")
        second.append(first_table(page, address))
        context.close()
    for name, times in (("first visit", first), ("second visit", second)):
        print(f"{name:<44} {_spread(times)} s")


def _spread(times: Sequence[float]) -> str:
    return f"{statistics.median(times):.2f}  [{min(times):.2f} … {max(times):.2f}]"


class Edited:
    """ResNet-50, open in a page and in a session of its own, edited in both."""

    def __init__(self, page: Page, address: str):
        self.page, self.session = page, Session()
        page.goto(f"{address}#example=resnet50")
        expect(page.locator("#panel-table pre")).to_contain_text("resnet50", timeout=PATIENCE)
        page.locator("#editor .cm-content").focus()
        page.keyboard.press("Control+End")
        self.text = (zoo.folder() / "resnet.yaml").read_text("utf-8")
        self.columns = int(page.locator("#panel-table").get_attribute("data-columns") or 80)

    def in_page(self) -> float:
        """Type a letter; gives the seconds until the table shows."""
        self.page.evaluate("() => performance.clearMeasures()")
        self.page.keyboard.type("#")
        while not (found := self.page.evaluate("() => performance.getEntriesByName('edit').map((it) => it.duration)")):
            time.sleep(0.01)
        return float(found[-1]) / 1000

    def outside(self) -> float:
        """Have Python read the text with one letter more, and draw its table; gives the seconds."""
        self.text += "#"
        begun = time.perf_counter()
        for question, *given in (("read", self.text, False, "resnet50"), ("table", "resnet50", self.columns)):
            self.session.answer(json.dumps({"ask": question, "with": given}))
        return time.perf_counter() - begun


def edits(browser: Browser, address: str) -> bool:
    """An edit in the page against the same outside of it."""
    edited = Edited(browser.new_page(viewport={"width": 1400, "height": 850}), address)
    edited.in_page(), edited.outside()
    pairs = alternate(edited.in_page, edited.outside, EDITS)
    print("an edit of ResNet-50 in the page : outside of it")
    print(f"{'in the page':<44} {_spread([1000 * inside for inside, _ in pairs])} ms")
    return judge("resnet50, wall", ratios(pairs), SLOWER, seconds(pairs))


def main() -> None:
    server = PageServer(built(print), 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        starts(browser, server.url)
        results = [edits(browser, server.url)]
        browser.close()
    finish(results)


if __name__ == "__main__":
    main()
