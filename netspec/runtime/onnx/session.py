"""ONNX files opened on onnxruntime, the one place where this is done."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from netspec.diagnostics import EnvironmentFault, UsageError

RUNTIMES = ("onnxruntime", "openvino")
"""The runtimes that files are verified on."""
LEAST = (1, 23)
"""The first onnxruntime that runs all that is written; ``pyproject.toml`` has the same."""


def open_session(
    path: Path, providers: Sequence[Any] = ("CPUExecutionProvider",), brief: bool = False, threads: int = 0
) -> Any:
    """Return an ``onnxruntime.InferenceSession`` of a file. In a ``brief`` one, for a few runs, threads sleep while
    they wait, and weights are not copied into the order that a kernel reads fastest. 0 ``threads`` are one a core.

    Raises as ``loaded_runtime`` does.
    """
    onnxruntime = loaded_runtime()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
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


class OpenedFile(NamedTuple):
    """A file that a runtime has opened: ``run`` gives the outputs for inputs by name."""

    run: Callable[[Mapping[str, Any]], Sequence[Any]]
    providers: Sequence[str]


def open_on(runtime: str, path: Path, providers: Sequence[Any]) -> OpenedFile:
    """Open a file on a runtime for a few runs. Raises ``EnvironmentFault`` where it is not installed or refuses it."""
    if runtime == "onnxruntime":
        session = open_session(path, providers, brief=True)
        return OpenedFile(lambda inputs: session.run(None, dict(inputs)), session.get_providers())
    openvino = loaded_openvino()
    try:
        compiled = openvino.Core().compile_model(os.fspath(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    except RuntimeError as reason:
        raise EnvironmentFault(f"OpenVINO refuses {path.name}: {str(reason).strip().splitlines()[-1]}") from None
    request = compiled.create_infer_request()
    names = {name for each in compiled.inputs for name in each.names}

    def run(inputs: Mapping[str, Any]) -> Sequence[Any]:
        made = request.infer({name: each for name, each in inputs.items() if name in names})
        return [made[at] for at in range(len(compiled.outputs))]

    return OpenedFile(run, ["CPU"])


def other_runtimes(text: str) -> list[str]:
    """Return the runtimes of a list with commas, but for onnxruntime, on which every file is verified.

    Raises ``UsageError`` for one that is not known, and ``EnvironmentFault`` for one that is not installed.
    """
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in RUNTIMES:
            raise UsageError(f"no file is verified on `{name}`: write some of {', '.join(RUNTIMES)}")
    if "openvino" in asked:
        loaded_openvino()
    return [name for name in dict.fromkeys(asked) if name != "onnxruntime"]


def loaded_openvino() -> Any:
    """Return OpenVINO. Raises ``EnvironmentFault`` where it is not installed."""
    try:
        import openvino
    except ModuleNotFoundError:
        raise EnvironmentFault("OpenVINO is not installed: `pip install openvino`") from None
    return openvino
