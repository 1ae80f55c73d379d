"""An ONNX file on onnxruntime, as a function of the inputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import onnxruntime
import torch


class RefusedFile(Exception):
    """A file that onnxruntime does not run, as those of versions before it; the message says why."""


def session_of(path: Path) -> Callable[[dict[str, torch.Tensor]], list[torch.Tensor]]:
    """Return a function that runs a file on inputs in their order. Raises ``RefusedFile``."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    except Exception as reason:  # its exceptions have no common base
        first = str(reason).splitlines()[0]
        raise RefusedFile(f"onnxruntime does not take {path}: {first}") from reason
    names = [each.name for each in session.get_inputs()]

    def run(inputs: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        given = {name: value.numpy() for name, value in zip(names, inputs.values())}
        return [torch.from_numpy(output) for output in session.run(None, given)]

    return run
