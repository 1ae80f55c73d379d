"""A machine in trouble is told in a sentence and ends with exit code 3, however the library at hand puts it."""

from __future__ import annotations

import errno
import os
import re
import tomllib
from collections.abc import Callable

import numpy as np
import pytest
import torch
from places import ROOT

from netspec import cli
from netspec.cli.commands.reference import schema
from netspec.cli.machine import machine_fault


def numpys() -> None:
    np.empty(1 << 58)


def torchs() -> None:
    torch.empty(1 << 55)


def pythons() -> None:
    bytearray(1 << 62)


def kernels() -> None:
    raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))


def cudas() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB.")


def onnxruntimes() -> None:
    kind = type("RuntimeException", (Exception,), {"__module__": "onnxruntime.capi.onnxruntime_pybind11_state"})
    raise kind("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Exception during initialization: std::bad_alloc")


def too_deep() -> None:
    too_deep()


@pytest.mark.parametrize("fails", [numpys, torchs, pythons, kernels, cudas, onnxruntimes, too_deep])
def test_exit_code_3_and_one_sentence(
    fails: Callable[[], None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema, "run", lambda options: fails())
    assert cli.main(["schema"]) == 3
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert told.startswith(
        "netspec: this machine does not have enough memory" if fails is not too_deep else "netspec: it is nested"
    )
    assert "bug" not in told


def not_loaded(name: str | None, path: str | None, said: str) -> ImportError:
    """As Python raises it, and numpy around it."""
    found = ImportError("\n\nIMPORTANT: PLEASE READ THIS FOR ADVICE ON HOW TO SOLVE THIS ISSUE!\n", name="numpy")
    found.__cause__ = ImportError(said, name=name, path=path)
    return found


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (
            not_loaded(
                "_C", "/x/site-packages/torch/_C.so", "libtorch_cpu.so: failed to map segment from shared object"
            ),
            "this machine does not have enough memory (libtorch_cpu.so: failed to map segment from shared object)",
        ),
        (
            not_loaded("_C", "/x/site-packages/torch/_C.so", "libc.so.6: version `GLIBC_2.38' not found"),
            "torch cannot be loaded: libc.so.6: version `GLIBC_2.38' not found",
        ),
        (not_loaded("numpy._core", None, "no such symbol"), "numpy cannot be loaded: no such symbol"),
        (ImportError("it is broken"), "a package cannot be loaded: it is broken"),
        (ModuleNotFoundError("Could not import 'A'"), "a package cannot be loaded: Could not import 'A'"),
    ],
)
def test_a_package_that_does_not_load_is_named_and_why(found: ImportError, told: str) -> None:
    assert machine_fault(found) == told


@pytest.mark.parametrize("found", [RuntimeError("shape mismatch"), ValueError("x"), KeyError("x")])
def test_other_faults_are_no_fault_of_the_machine(found: Exception) -> None:
    assert machine_fault(found) is None


def test_every_package_of_the_project_is_told_with_what_brings_it():
    """Those of ``pyproject.toml``, but for the two that every command imports first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {"": project["dependencies"], **project["optional-dependencies"]}
    extras = {extra: extras[extra] for extra in extras.keys() - {"test", "dot", "docs"}}  # the last two are programs
    modules = {"pillow": "PIL", "onnxruntime-gpu": "onnxruntime"}
    for extra, wanted in extras.items():
        for name in {re.split(r"[>;\[ ]", each)[0] for each in wanted} - {"pyyaml", "pydantic"}:
            said = machine_fault(ModuleNotFoundError(name=modules.get(name, name)))
            place = f"'netspec[{extra}]'" if extra else "netspec"
            assert said == (
                f"this command needs {modules.get(name, name)}, which is not installed: `pip install {place}` brings it"
            )
    assert machine_fault(ModuleNotFoundError(name="mine")) == "this command needs mine, which is not installed"
