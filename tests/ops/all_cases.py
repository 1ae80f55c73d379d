"""The cases of all ops, collected from the tests beside this one."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from netspec.testing.case import OpCase


def cases_of_all_ops() -> Iterator[OpCase]:
    """The cases that hold each op against torch, from the tests beside this one."""
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem in ("test_saved", "test_gradients", "test_torch_export"):
            continue
        for name, test in vars(importlib.import_module(f"ops.{path.stem}")).items():
            for mark in getattr(test, "pytestmark", []) if "match" in name else []:
                if mark.name == "parametrize" and mark.args[0] == "case":
                    yield from mark.args[1]


CASES = [*cases_of_all_ops()]
