"""The page on recipes that generalise: its recipe compiles, and its words are words."""

from __future__ import annotations

import re
from pathlib import Path

from places import GUIDES

from netspec.pipeline import compile_spec
from netspec.recipes import ingredients

PAGE = (GUIDES / "generalizing.md").read_text(encoding="utf-8")
HEAD = "netspec: 1\nname: flowers\ninputs: {image: [N, 3, 160, 160]}\nnetwork: [global_avg_pool, {linear: 5}]\n"


def test_its_recipe_compiles(tmp_path: Path):
    (recipe,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "flowers.yaml").write_text(HEAD + recipe)
    assert compile_spec(tmp_path / "flowers.yaml").recipe is not None


def test_its_table_has_every_augmentation_and_says_what_needs_torchvision():
    rows = [line.split("|")[1:-1] for line in PAGE.splitlines() if re.match(r"\| `\w+(: [\d.]+)?` \|", line)]
    told = {re.findall(r"\w+", name)[0]: need.strip() for name, _, need in (row for row in rows if len(row) == 3)}
    kinds = ingredients("transform")
    varying = {name for name, kind in kinds.items() if kind.varies()}  # type: ignore[attr-defined]
    assert {*told} == varying
    apart = {name for name in told if kinds[name]().apart}  # type: ignore[attr-defined]
    assert {name for name, need in told.items() if need} == apart
