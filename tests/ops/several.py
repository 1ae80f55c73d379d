"""Cases of ops with several inputs or outputs, and the lines that they write."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from netspec.ops import OPS
from netspec.testing.case import OpCase, Values
from netspec.testing.check import check_case

SIZES = ({"N": 2, "T": 5, "S": 3}, {"N": 1, "T": 1, "S": 1}, {"N": 3, "T": 8, "S": 11})


def several(
    name: str,
    *inputs: str | None,
    at: tuple[Mapping[str, int], ...] = SIZES,
    close: float = 1e-5,
    counted: bool = True,
    values: Callable[[Values], Values] | None = None,
    **args: Any,
) -> OpCase:
    return OpCase(OPS[name], inputs, args, at, close, counted, values)


def each(*found: OpCase) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", found, ids=str)


def check_several(case: OpCase) -> None:
    check_case(case)
