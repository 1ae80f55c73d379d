"""The table of torch's callables is complete, says only what is, and the page in docs/ is the command's."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from places import DOCS, ROOT
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
ROWS = torch_table()
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
    snapshot(DOCS / "reference" / "torch.md", show_table(ROWS))


def test_every_callable_is_said_in_one_place() -> None:
    of_ops = [name for op in OPS.values() for name in op.covers]
    excluded = " ".join((*DETERMINISTIC.values(), *WITHOUT_FORWARD.values())).split()
    told = Counter([*of_ops, *excluded, *COMPOSITIONS, *ALIASES])
    assert set(told) - ALL == set()
    assert [name for name, count in told.items() if count > 1] == []


def test_what_an_op_is_named_after_is_not_left_out() -> None:
    rows = {row.name: row for row in ROWS}
    of_ops = {name for op in OPS.values() for name in claims(op)} & ALL
    assert {name for name in of_ops if not rows[name].is_covered} == {"Tensor.coalesce", "Tensor.equal"}


def test_compositions_are_of_ops_that_there_are() -> None:
    words = {word for text in COMPOSITIONS.values() for word in re.findall(r"`([a-z_0-9]+)(?=[`:])", text)}
    assert words - {*OPS, *library.names(), *ingredients("loss"), *STRUCTURES, *ARGUMENTS} == set()


OTHER_NAMES = {
    *{"args", "kwargs", "_stacklevel", "implicit", "input", "self", "other", "tensors", "training", "inplace"},
    *{"weight", "bias", "running_mean", "running_var"},  # an op that learns has its own
    *{"dtype", "device", "layout", "pin_memory", "memory_format", "generator", "out", "output_size"},
    *{"sizes", "size", "split_size", "split_sizes", "repeats", "value", "logits", "from", "to"},
}
"""Arguments that have another name in a spec, or none there."""


def arguments(name: str) -> set[str]:
    """The arguments that a function or a method of torch takes, but for those that no op has."""
    place, _, word = name.partition(".")
    if place == "F":
        function = getattr(F, word)
        written = {*inspect.signature(function).parameters} if inspect.isfunction(function) else set()
        return written - OTHER_NAMES
    schemas = torch._C._jit_get_schemas_for_operator(f"aten::{word}") if place == "Tensor" else []
    of_tensors = [each for each in schemas if each.arguments and str(each.arguments[0].type) == "Tensor"]
    plain = [each for each in of_tensors if not any("str" in str(given.type) for given in each.arguments[1:2])]
    found = {given.name for each in plain for given in each.arguments if not given.is_out}
    return found - OTHER_NAMES


@pytest.mark.parametrize("name", list(OPS))
def test_an_op_names_the_arguments_that_it_does_not_take(name: str) -> None:
    op = OPS[name]
    rows = {row.name: row for row in ROWS if row.text == f"`{name}`"}
    taken = {*op.model_fields, *op.ports, *op.without}
    lacking = {each: arguments(each) - taken for each in (*claims(op), *op.covers) if each in rows}
    assert {each: lost for each, lost in lacking.items() if lost} == {}


def test_95_in_100_are_covered() -> None:
    covered, counted = share(ROWS)
    assert covered >= 0.95 * counted


def test_a_callable_is_found_with_and_without_its_namespace() -> None:
    rows = ROWS
    assert find_rows(rows, "Conv2d") == find_rows(rows, "torch.nn.Conv2d") == "nn.Conv2d: conv2d"
    assert find_rows(rows, "relu") == "F.relu: relu\nTensor.relu: relu"
    assert find_rows(rows, "Tensor.svd").startswith("Tensor.svd: left out. ONNX has no such decomposition")
    with pytest.raises(UsageError, match="torch has no `frobnicate`"):
        find_rows(rows, "frobnicate")
