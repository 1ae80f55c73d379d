"""The browser in which pages are opened, once for each file of tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import launched
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as found:
        yield found
