"""The ops are found in the files of their families, and imported when they are needed."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from inspect import getmembers
from pathlib import Path

import pytest

import netspec.ops
from netspec.ops import OPS, Op
from netspec.ops.registry import FAMILIES

ROOT = Path(netspec.ops.__file__).parent
FILES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in ROOT.rglob("*.py") if path.stem != "__init__"
)


@pytest.mark.parametrize("file", FILES)
def test_every_op_is_found_in_the_file_of_its_family(file: str):
    module = import_module(f"netspec.ops.{file}")
    classes = {each for _, each in getmembers(module, lambda value: isinstance(value, type) and issubclass(value, Op))}
    ops = {each.name: each for each in classes if each.__module__ == module.__name__ and "name" in vars(each)}
    ops.pop("opaque", None)  # a structure makes it
    assert {name: OPS[name] for name in OPS if OPS[name].__module__ == module.__name__} == ops
    assert bool(ops) == (file in FAMILIES)


def test_ops_are_a_mapping():
    assert len(OPS) == len(set(OPS)) == len(list(OPS.values())) > 140
    assert "conv2d" in OPS
    assert "conv9d" not in OPS
    assert OPS.get("conv9d") is None
    with pytest.raises(KeyError):
        OPS["conv9d"]


def test_a_command_imports_the_families_that_its_spec_needs_alone():
    code = (
        "import sys; from netspec.cli import main\n"
        "code = main(['check', 'mlp', 'polynomial'])\n"
        "print(*(name.removeprefix('netspec.ops.') for name in sys.modules if name.startswith('netspec.ops.')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = set(done.stdout.splitlines()[-1].split()) & set(FAMILIES)
    assert "linear.linear" in imported
    assert imported.isdisjoint(
        {
            "spatial.conv",
            "spatial.pool",
            "norm.channel",
            "activation.smooth",
            "recurrent.sequence",
            "attention.dot_product",
            "math.compare",
        }
    )


def test_every_public_name_is_there():
    assert {name for name in netspec.ops.__all__ if not hasattr(netspec.ops, name)} == set()
    with pytest.raises(AttributeError, match="no attribute 'Elementwize'"):
        netspec.ops.Elementwize  # noqa: B018


def test_the_bases_of_families_are_imported_when_they_are_asked_for():
    code = (
        "import sys, netspec.ops\n"
        "before = {name for name in sys.modules if name.startswith('netspec.ops.math.')}\n"
        "netspec.ops.Elementwise; print(before, 'netspec.ops.math.arithmetic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set() True\n"


def test_an_op_can_be_told_from_its_roles():
    said = [role.__name__ for role in Op.__mro__ if role.__module__.startswith("netspec.ops.core.roles.")]
    assert all(f"``{name}``" in str(Op.__doc__) for name in said)
