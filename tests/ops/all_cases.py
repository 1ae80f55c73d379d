"""The cases of all ops, collected from the tests in the folders beside this file."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path

from netspec.testing.case import OpCase


def cases_of_all_ops() -> Iterator[OpCase]:
    """The cases that compare each op with torch, from the tests in the folders beside this file."""
    here = Path(__file__).parent
    for path in sorted(here.glob("*/test_*.py")):
        module = ".".join(("ops", *path.relative_to(here).with_suffix("").parts))
        for name, test in vars(importlib.import_module(module)).items():
            for mark in getattr(test, "pytestmark", []) if "match" in name else []:
                if mark.name == "parametrize" and mark.args[0] == "case":
                    yield from mark.args[1]


CASES = [*cases_of_all_ops()]
