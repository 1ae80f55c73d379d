"""What all tests share: the cores, and the one switch that writes compared texts anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import WorkStealingScheduling

if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # parallel workers do not fight over the cores


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> WorkStealingScheduling:
    """Let a worker that is done take tests from the other, so that the longest ones hold nobody up."""
    return WorkStealingScheduling(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    help = "write the golden files and the JSON Schema anew, in place of comparing them: look at the difference then"
    parser.addoption("--snapshot-update", action="store_true", help=help)


@pytest.fixture
def snapshot(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compare a text with a committed file, or write the file under ``--snapshot-update``."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--snapshot-update"):
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{path.name} differs; if it is meant to: --snapshot-update"

    return compare


@pytest.fixture(scope="module")
def without_pictures() -> Iterator[None]:
    """Have runs end without curves and report, whose drawing takes most of the time of a short one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("netspec.train.job.write_pictures", lambda *_, **__: None)
        yield
