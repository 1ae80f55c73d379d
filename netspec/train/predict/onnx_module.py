"""An ONNX file that is called like the module it was exported from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.runtime.onnx.session import open_session


class OnnxModule(nn.Module):
    """Runs a file on onnxruntime, on the CPU: tensors in the order of its inputs in; one tensor, or outputs by name."""

    def __init__(self, path: Path):
        super().__init__()
        if not path.is_file():
            raise EnvironmentFault(f"there is no {path}: `netspec evaluate` and `predict` run on torch without it")
        self.session = open_session(path)
        self.inputs = [each.name for each in self.session.get_inputs()]
        self.outputs = [each.name for each in self.session.get_outputs()]

    def forward(self, *tensors: Tensor | None) -> Any:
        """``(N, …)`` for each input; raises ``UsageError`` where one is absent, as a file has no optional inputs."""
        arrays = {}
        for name, tensor in zip(self.inputs, tensors):
            if tensor is None:
                raise UsageError(f"the ONNX file takes all inputs, but the data have none for `{name}`: use torch")
            arrays[name] = tensor.cpu().numpy()
        outputs = [torch.from_numpy(array) for array in self.session.run(None, arrays)]
        return outputs[0] if len(outputs) == 1 else dict(zip(self.outputs, outputs))
