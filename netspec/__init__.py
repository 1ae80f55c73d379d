"""netspec: write a neural network as YAML; get its shapes, PyTorch source, verified ONNX and a diagram.

model = netspec.load("resnet50", classes=10)
print(model.shapes())
net = model.module(device="cuda")
"""

from __future__ import annotations

from netspec.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netspec.diagnostics import EnvironmentFault, NetspecError, SpecError, UsageError
    from netspec.model import Model, load

__all__ = ["EnvironmentFault", "Model", "NetspecError", "SpecError", "UsageError", "__version__", "load"]


def __getattr__(name: str) -> Any:
    if name in ("Model", "load"):
        from netspec import model

        return getattr(model, name)
    if name in __all__:
        from netspec import diagnostics

        return getattr(diagnostics, name)
    raise AttributeError(f"module 'netspec' has no attribute '{name}'")
