"""A user's file is typed through and through: mypy meets no ``Any`` where netspec is used from Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from places import TESTS

STRICT = ("--strict", "--disallow-any-expr", "--disallow-any-explicit", "--disallow-any-decorated", "--config-file=")


def mypy(file: Path, cache: Path) -> str:
    """What mypy says of a file itself."""
    words = [sys.executable, "-m", "mypy", *STRICT, "--cache-dir", str(cache), str(file)]
    said = subprocess.run(words, capture_output=True, text=True).stdout.splitlines()
    return "\n".join(line for line in said if file.name in line or line.startswith("Success"))


@pytest.mark.slow
def test_no_any_is_met(tmp_path: Path):
    assert mypy(TESTS / "typing/user.py", tmp_path) == "Success: no issues found in 1 source file"
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import netspec\nnetspec.load('lenet', classes=object())\nnetspec.load('lenet').emit(3)\n")
    said = mypy(wrong, tmp_path)
    assert 'Argument "classes" to "load" has incompatible type "object"' in said
    assert 'Argument 1 to "emit" of "Model" has incompatible type "int"' in said
