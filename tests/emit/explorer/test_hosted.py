"""The explorer's page as an editor shows it: news, lines, and colours come and go as messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser import Watch, needs_browser
from playwright.sync_api import Browser, Page, expect

from netspec.emit.explorer import explorer_page, waiting_page
from netspec.pipeline import compile_spec

pytestmark = [needs_browser, pytest.mark.slow]

EDITOR = """<script>
{
  const said = [];
  let kept = JSON.parse(sessionStorage.getItem("editor") ?? "null");
  globalThis.said = said;
  globalThis.acquireVsCodeApi = () => ({
    postMessage: (message) => said.push(message),
    getState: () => kept,
    setState: (state) => sessionStorage.setItem("editor", JSON.stringify((kept = state))),
  });
}
</script>"""
"""An editor's side of a page: its script comes before the page's policy, as in VS Code."""


@pytest.fixture
def shown(browser: Browser) -> Callable[..., tuple[Page, Watch]]:
    """Show a page of an editor in its dark or light colours."""

    def show(html: str, theme: str = "vscode-dark") -> tuple[Page, Watch]:
        page = browser.new_page(viewport={"width": 700, "height": 900})
        watch = Watch(page)
        body = f'<body data-vscode-theme-kind="{theme}">'
        text = html.replace("<head>", "<head>" + EDITOR).replace("<body>", body)
        page.route("http://editor/**", lambda route: route.fulfill(body=text, content_type="text/html; charset=utf-8"))
        page.goto("http://editor/")
        return page, watch

    return show


def tell(page: Page, **message: Any) -> None:
    page.evaluate("message => window.postMessage(message)", message)


def news(version: str, fault: str = "") -> dict[str, Any]:
    return {"version": version, "fault": fault, "texts": [], "marks": []}


def said(page: Page) -> list[dict[str, Any]]:
    return page.evaluate("said")


def network(version: str = "a.1") -> str:
    return explorer_page(compile_spec("resnet18"), version=version, host="editor")


def test_it_is_ready_and_asks_for_nothing(shown):
    page, watch = shown(network())
    assert said(page) == [{"type": "ready"}]
    assert watch.asked == ["http://editor/"]
    assert watch.said == []


def test_the_text_beside_it_is_not_shown_again_and_colours_are_the_editors(shown):
    page, _ = shown(network())
    expect(page.locator("#source")).to_be_hidden()
    expect(page.locator("#theme")).to_be_hidden()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.evaluate("document.body.dataset.vscodeThemeKind = 'vscode-high-contrast-light'")
    page.wait_for_function("document.documentElement.dataset.theme === 'light'")


def test_a_line_of_the_text_lights_its_layers(shown):
    page, _ = shown(network())
    line = page.evaluate("network.sources[0].text.split('\\n').findIndex(each => each.includes('kernel_size: 7')) + 1")
    tell(page, type="line", line=line)
    expect(page.locator("#table tr.lit")).to_contain_text("conv1")
    tell(page, type="line", line=1)
    expect(page.locator("#table tr.lit")).to_have_count(0)


def test_a_click_tells_the_line(shown):
    page, _ = shown(network())
    page.locator("#table tr", has_text="conv1").first.click()
    line = page.evaluate("network.sources[0].text.split('\\n').findIndex(each => each.includes('kernel_size: 7')) + 1")
    assert said(page)[1:] == [{"type": "line", "line": line}]


def test_a_fault_is_told_shown_when_asked_for_and_goes(shown):
    page, _ = shown(network())
    tell(page, type="news", news=news("a.1", "error[unknown-op]: no op"))
    expect(page.locator("#sign")).to_contain_text("last valid state")
    expect(page.locator("#fault")).to_have_count(0)
    page.get_by_role("button", name="show the error").click()
    expect(page.locator("#fault")).to_contain_text("no op")
    tell(page, type="news", news=news("a.1", "error[unknown-op]: no other op"))
    expect(page.locator("#fault")).to_contain_text("no other op")
    tell(page, type="news", news=news("a.1"))
    expect(page.locator("#fault")).to_have_count(0)
    expect(page.locator("#sign")).to_be_hidden()


def test_the_next_version_takes_over_what_the_reader_has_made_of_this_one(shown):
    page, _ = shown(network())
    page.locator("#heat button[value=macs]").click()
    tell(page, type="next")
    page.wait_for_function("said.some(({ type }) => type === 'next')")
    page.reload()  # as the editor puts the next page in its place
    assert page.evaluate("document.documentElement.dataset.heat") == "macs"


def test_a_server_that_has_gone_is_told(shown):
    page, _ = shown(network())
    tell(page, type="gone")
    expect(page.locator("#sign")).to_contain_text("The language server has stopped")


def test_a_page_that_waits_shows_the_faults_and_gives_way(shown):
    page, watch = shown(waiting_page("a.0", "editor"))
    tell(page, type="news", news=news("a.0", "error[missing-key]: no `network`"))
    expect(page.locator("#fault")).to_contain_text("no `network`")
    tell(page, type="next")
    page.wait_for_function("said.some(({ type }) => type === 'next')")
    assert watch.said == []
