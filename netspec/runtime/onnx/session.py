"""ONNX files opened on onnxruntime, the one place where this is done."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from netspec.diagnostics import EnvironmentFault

LEAST = (1, 23)
"""The first onnxruntime that runs all that is written; ``pyproject.toml`` has the same."""


def open_session(path: Path, providers: Sequence[Any] = ("CPUExecutionProvider",), brief: bool = False) -> Any:
    """Return an ``onnxruntime.InferenceSession`` of a file. In a ``brief`` one, for a few runs, threads sleep while
    they wait, and weights are not copied into the order that a kernel reads fastest.

    Raises as ``loaded_runtime`` does.
    """
    onnxruntime = loaded_runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if brief:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.disable_prepacking", "1")
    return onnxruntime.InferenceSession(os.fspath(path), options, providers=[*providers])


def loaded_runtime() -> Any:
    """Return onnxruntime. Raises ``EnvironmentFault`` where it is too old, ``ModuleNotFoundError`` where it is gone."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # it would send how it is used to its makers
    import onnxruntime

    version = onnxruntime.__version__
    if tuple(int(part) for part in version.split(".")[:2]) < LEAST:
        wanted = ".".join(map(str, LEAST))
        raise EnvironmentFault(
            f"onnxruntime {version} is too old, as netspec needs {wanted}: `pip install 'onnxruntime>={wanted}'`"
        )
    return onnxruntime
