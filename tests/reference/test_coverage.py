"""The table of torch's callables is complete, says only what is, and the page in docs/ is the command's."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from places import ROOT
from torch import nn

from netspec import library
from netspec.diagnostics import UsageError
from netspec.ops import OPS
from netspec.recipes import ingredients
from netspec.reference.coverage.compositions import ALIASES, COMPOSITIONS
from netspec.reference.coverage.left_out import DETERMINISTIC, WITHOUT_FORWARD
from netspec.reference.coverage.table import NAMESPACES, claims, find_rows, share, show_table, torch_table

PROPERTIES = {"T", "mT", "H", "mH", "real", "imag"}
"""The attributes of tensors that give other values."""
STRUCTURES = {"repeat"}
ARGUMENTS = {"dim", "keepdim", "like", "reduce", "value"}
HELPERS = {"boolean_dispatch", "assert_int_or_pair", "handle_torch_function"}
ALL = {name for names in NAMESPACES.values() for name in names}


def without_in_place(names: Iterable[str]) -> list[str]:
    """The names but for those, such as ``add_``, whose plain form is there too."""
    found = set(names)
    return sorted(name for name in found if not (name.endswith("_") and name[:-1] in found))


def modules() -> list[str]:
    return sorted(name for name, each in vars(nn).items() if isinstance(each, type) and issubclass(each, nn.Module))


def functions() -> list[str]:
    found = [name for name, each in vars(F).items() if callable(each) and not isinstance(each, type)]
    public = [name for name in found if name.islower() and not name.startswith(("_", "has_"))]
    return without_in_place(name for name in public if name not in HELPERS)


def methods() -> list[str]:
    found = [name for name in dir(torch.Tensor) if name[0] != "_"]
    return without_in_place(name for name in found if name in PROPERTIES or callable(getattr(torch.Tensor, name)))


def test_the_names_are_torchs(snapshot: Callable[[Path, str], None]) -> None:
    text = '"""The names of all modules, functions and methods of torch, as its namespaces have them."""\n'
    for title, names in (("NN", modules()), ("FUNCTIONAL", functions()), ("TENSOR", methods())):
        wrapped = textwrap.fill(" ".join(names), 116, initial_indent="    ", subsequent_indent="    ")
        text += f'\n{title} = """\n{wrapped}\n"""\n'
    snapshot(ROOT / "netspec" / "reference" / "coverage" / "names.py", text)


def test_the_page_is_what_the_command_prints(snapshot: Callable[[Path, str], None]) -> None:
    snapshot(ROOT / "docs" / "torch.md", show_table(torch_table()))


def test_every_callable_is_said_in_one_place() -> None:
    of_ops = [name for op in OPS.values() for name in op.covers]
    excluded = " ".join((*DETERMINISTIC.values(), *WITHOUT_FORWARD.values())).split()
    told = Counter([*of_ops, *excluded, *COMPOSITIONS, *ALIASES])
    assert set(told) - ALL == set()
    assert [name for name, count in told.items() if count > 1] == []


def test_what_an_op_is_named_after_is_not_left_out() -> None:
    rows = {row.name: row for row in torch_table()}
    of_ops = {name for op in OPS.values() for name in claims(op)} & ALL
    assert {name for name in of_ops if not rows[name].is_covered} == {"Tensor.coalesce", "Tensor.equal"}


def test_compositions_are_of_ops_that_there_are() -> None:
    words = {word for text in COMPOSITIONS.values() for word in re.findall(r"`([a-z_0-9]+)(?=[`:])", text)}
    assert words - {*OPS, *library.names(), *ingredients("loss"), *STRUCTURES, *ARGUMENTS} == set()


def test_95_in_100_are_covered() -> None:
    covered, counted = share(torch_table())
    assert covered >= 0.95 * counted


def test_a_callable_is_found_with_and_without_its_namespace() -> None:
    rows = torch_table()
    assert find_rows(rows, "Conv2d") == find_rows(rows, "torch.nn.Conv2d") == "nn.Conv2d: conv2d"
    assert find_rows(rows, "relu") == "F.relu: relu\nTensor.relu: relu"
    assert find_rows(rows, "Tensor.svd").startswith("Tensor.svd: left out. ONNX has no such decomposition")
    with pytest.raises(UsageError, match="torch has no `frobnicate`"):
        find_rows(rows, "frobnicate")
