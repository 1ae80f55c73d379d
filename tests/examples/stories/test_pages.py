"""The pages of the stories show the very commands that their scripts run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from places import EXAMPLES, ROOT

PLACE = EXAMPLES / "stories"
STORIES = sorted(path.parent for path in PLACE.glob("*/run.sh"))


@pytest.mark.parametrize("folder", STORIES, ids=lambda folder: folder.name)
def test_the_script_has_the_commands_of_the_page(folder: Path):
    page, script = ((folder / name).read_text(encoding="utf-8") for name in ("README.md", "run.sh"))
    head, _, body = script.partition("set -euo pipefail\n\n")
    assert head.startswith("#!/usr/bin/env bash\n# ")
    assert body == "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL))


def test_every_story_is_found():
    index = (PLACE / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((\w+)/README\.md\)", index) == [
        name for name in ("student", "data_scientist", "vision_engineer", "researcher", "platform_engineer")
        if PLACE / name in STORIES
    ]  # fmt: skip
    assert len(re.findall(r"\]\((\w+)/README\.md\)", index)) == len(STORIES)
    assert "examples/stories/README.md" in (ROOT / "README.md").read_text(encoding="utf-8")
