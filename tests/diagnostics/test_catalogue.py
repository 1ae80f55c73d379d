"""Every diagnostic id is explained, and its wrong and its right spec are what they say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from places import ROOT

from netspec.checks.check import check_loaded
from netspec.cli import main
from netspec.diagnostics import SpecError
from netspec.diagnostics.catalogue import CATALOGUE, Explanation, complete
from netspec.pipeline import load_spec


def found(path: Path) -> list[str]:
    """The ids of everything that `netspec check` finds."""
    try:
        checked = check_loaded(load_spec(path))
        return [each.id for each in (*checked.diagnostics, *checked.warnings)]
    except SpecError as fault:
        return [each.id for each in fault.diagnostics]


def written(folder: Path, text: str, entry: Explanation, encoding: str = "utf-8") -> Path:
    for name, other in entry.beside:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(other)
    path = folder / "spec.yaml"
    wrong = text == entry.wrong
    made = text + "\n" if wrong and entry.whole else complete(text, entry.repeated if wrong else 1)
    path.write_bytes(made.encode(encoding))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("id", CATALOGUE)
def test_the_wrong_spec_gives_its_id_and_no_other(id: str, tmp_path: Path):
    entry = CATALOGUE[id]
    assert set(found(written(tmp_path, entry.wrong, entry, entry.encoding))) == {id}


@pytest.mark.parametrize("id", CATALOGUE)
def test_the_right_spec_passes(id: str, tmp_path: Path):
    entry = CATALOGUE[id]
    told = found(written(tmp_path, entry.right, entry))
    assert not [each for each in told if each == id or not each.startswith("unused-")]


def test_every_id_that_is_used_is_explained_and_the_other_way_round():
    quoted: set[str] = set()
    for path in (ROOT / "netspec").rglob("*.py"):
        if "catalogue" not in path.parts:
            quoted |= set(re.findall(r'"((?:[a-z]+-)+[a-z]+)"', path.read_text()))
    used = {word for word in quoted if word not in OTHER_WORDS}
    assert used == set(CATALOGUE)


OTHER_WORDS = {
    "nearest-exact",
    "graphviz-pure",
    "no-cache",
    "onnxruntime-gpu",
    "sans-serif",
    "site-packages",
    "measure-device",
    "onnxruntime-web",
}
OTHER_WORDS |= {"data-dependent"}  # torch.export's
OTHER_WORDS |= {"rev-parse", "cat-file", "ls-tree"}  # git's
OTHER_WORDS |= {"no-store", "same-origin", "no-referrer"}  # HTTP's
"""Texts of the source that look like ids."""


@pytest.mark.parametrize("id", CATALOGUE)
def test_explain_prints_it(id: str, capsys: pytest.CaptureFixture[str]):
    assert main(["explain", id]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{id}\n\n")
    assert told.index("Wrong:") < told.index("Right:")
    assert all(character.isprintable() or character == "\n" for character in told)


def test_explain_lists_them_and_knows_the_nearest(capsys: pytest.CaptureFixture[str]):
    assert main(["explain"]) == 0
    told = capsys.readouterr().out
    assert all(f"  {id} " in told for id in CATALOGUE)
    assert main(["explain", "shape-missmatch"]) == 2
    assert "did you mean `shape-mismatch`?" in capsys.readouterr().err
