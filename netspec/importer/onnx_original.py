"""An ONNX file in the place of the module that an import is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from netspec.diagnostics import UsageError
from netspec.runtime.onnx.session import open_session


class OnnxOriginal(nn.Module):
    """The file on onnxruntime; its ``state_dict`` are the weights that were read from it.

    Raises ``UsageError`` where onnxruntime refuses the file.
    """

    def __init__(self, path: Path, weights: Mapping[str, torch.Tensor]):
        super().__init__()
        self.weights = dict(weights)
        try:
            self.session = open_session(path)
        except Exception as reason:  # onnxruntime has a class of its own for each kind of refusal, all of them private
            first = str(reason).strip().splitlines()[0] if str(reason).strip() else type(reason).__name__
            raise UsageError(f"onnxruntime refuses {path}: {first}") from None

    def state_dict(self, *args: Any, **options: Any) -> Any:
        """Return the weights by their keys in the spec."""
        return self.weights

    def run(self, inputs: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        """Return the outputs for inputs in the order of the file's."""
        names = [each.name for each in self.session.get_inputs()]
        given = dict(zip(names, (value.numpy() for value in inputs.values())))
        return [torch.from_numpy(each) for each in self.session.run(None, given)]
