"""Links that are followed within the page."""

from __future__ import annotations

from playwright.sync_api import Page

PATIENCE = 120_000
"""Milliseconds that a start may take on a machine that does much else."""


def show(page: Page, link: str) -> None:
    """Follow a link within the page, and wait until what it names is shown."""
    page.evaluate(
        """(link) => new Promise((done) => {
            history.replaceState(null, "", "#");
            addEventListener("hashchange", done, { once: true });
            location.hash = link;
        })""",
        link,
    )
    page.locator("#views[aria-busy=false]").wait_for(state="attached", timeout=PATIENCE)
