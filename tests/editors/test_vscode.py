"""The extension of VS Code without an editor: its types, and its own tests, which ask the real language server."""

from __future__ import annotations

import json
import re
from importlib.metadata import version

import pytest
from editors.npm import EXTENSION, needed, npm
from places import ROOT

pytestmark = pytest.mark.slow


def test_its_types_are_right_and_its_tests_pass():
    needed()
    types = npm("run", "check-types")
    assert types.returncode == 0, types.stdout
    tests = npm("test")
    assert tests.returncode == 0, tests.stdout + tests.stderr
    found = re.search(r"^(?:#|ℹ) pass (\d+)$", tests.stdout, re.MULTILINE)
    assert found is not None
    assert int(found[1]) >= 40


def test_its_version_is_netspecs():
    manifest = json.loads((EXTENSION / "package.json").read_text(encoding="utf-8"))
    lock = json.loads((EXTENSION / "package-lock.json").read_text(encoding="utf-8"))
    assert manifest["version"] == lock["version"] == version("netspec")


def test_its_licence_is_netspecs():
    assert (EXTENSION / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_the_lock_file_names_no_registry():
    assert "resolved" not in (EXTENSION / "package-lock.json").read_text(encoding="utf-8")
