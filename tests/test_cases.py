"""The failing specs of ``tests/cases``, each with the exact text that it gets, and the passing ones.

A spec whose first line is ``# limits: nodes=16`` is read under that bound on files: what is too large stays small here.

``NETSPEC_CASES=write pytest tests/test_cases.py`` writes the texts anew: read the difference as a newcomer would.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from places import CASES

from netspec.checks.check import check_loaded
from netspec.diagnostics import SpecError
from netspec.diagnostics.catalogue import CATALOGUE
from netspec.diagnostics.text import render_all
from netspec.pipeline import load_spec
from netspec.syntax import FileLimits

PASSING = sorted((CASES / "passing").glob("*.yaml"))
FAILING = sorted(path for path in CASES.glob("*/*.yaml") if path.parent.name != "passing")
LIMITS = re.compile(r"# limits: (\w+)=(\d+)\n")
WRITE = os.environ.get("NETSPEC_CASES") == "write"


def limits(path: Path) -> FileLimits:
    """The bounds on files that the first line of a case asks for, else the usual ones."""
    asked = LIMITS.match(path.read_bytes().decode(errors="replace"))
    return FileLimits(**{asked[1]: int(asked[2])}) if asked else FileLimits()


def told(path: Path, monkeypatch: pytest.MonkeyPatch, warnings: bool = True) -> str:
    """What `netspec check` says of a spec, run in the spec's folder."""
    monkeypatch.chdir(path.parent)
    try:
        checked = check_loaded(load_spec(Path(path.name), limits(path)))
        return render_all(checked.diagnostics or (checked.warnings if warnings else ()), checked.more)
    except SpecError as found:
        return str(found)


@pytest.mark.parametrize("path", FAILING, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_failing(path: Path, monkeypatch: pytest.MonkeyPatch):
    text = told(path, monkeypatch) + "\n"
    expected = path.with_suffix(".txt")
    if WRITE:
        expected.write_text(text)
    assert text == expected.read_text()
    assert re.match(r"(error|warning)\[[a-z-]+\]: .+\n +--> \S+:\d+:\d+\n", text)


@pytest.mark.parametrize("path", PASSING, ids=lambda path: path.stem)
def test_passing(path: Path, monkeypatch: pytest.MonkeyPatch):
    assert told(path, monkeypatch, warnings="unused" in path.read_text()) == ""


def test_there_are_many_and_every_id_is_among_them():
    assert len(FAILING) >= 150
    assert {path.with_suffix(".yaml") for path in CASES.glob("*/*.txt")} == {*FAILING}
    texts = [path.with_suffix(".txt").read_text() for path in FAILING]
    ids = {id for text in texts for id in re.findall(r"^(?:error|warning)\[([a-z-]+)\]", text, re.M)}
    assert ids == set(CATALOGUE)
