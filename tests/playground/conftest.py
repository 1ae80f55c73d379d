"""The page as it is built, served, and opened in a browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Watch, launched
from playwright.sync_api import Browser, Page, expect
from shown import PATIENCE, show

from netspec.cli.commands.reference.playground.site import PageServer
from netspec.diagnostics import EnvironmentFault
from netspec.playground.build import built


@pytest.fixture(scope="session")
def page_folder() -> Path:
    """The folder of the page; where the registries cannot be reached, there is none."""
    try:
        return built(print)
    except EnvironmentFault as fault:
        pytest.skip(f"the page cannot be built: {fault}")


@pytest.fixture(scope="session")
def address(page_folder: Path) -> Iterator[str]:
    server = PageServer(page_folder, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.url
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found


@pytest.fixture(scope="module")
def opened(browser: Browser, address: str) -> Iterator[tuple[Page, Watch]]:
    """The page with netspec started in it; a start takes seconds, so the tests of a file share it."""
    context = browser.new_context(viewport={"width": 1400, "height": 850}, color_scheme="light")
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address.rstrip("/"))
    page = context.new_page()
    watch = Watch(page)
    page.goto(address)
    expect(page.locator("#panel-table pre")).to_contain_text("lenet", timeout=PATIENCE)
    yield page, watch
    context.close()


@pytest.fixture
def page(opened: tuple[Page, Watch], address: str) -> Iterator[Page]:
    """The page with its first example, as it is opened; it says nothing, and asks nobody else."""
    page, watch = opened
    page.set_viewport_size({"width": 1400, "height": 850})
    page.emulate_media(color_scheme="light")
    page.keyboard.press("Escape")
    show(page, "example=lenet")
    yield page
    assert watch.said == []
    assert [each for each in watch.asked if not each.startswith((address, "data:", "blob:"))] == []
