"""The site, built once for all tests that look at it."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of the built site; processes that test side by side share one."""
    from filelock import FileLock
    from sitemaker.assemble import build

    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    place = shared / "site"
    with FileLock(shared / "site.lock"):
        return place if place.exists() else build(place)
