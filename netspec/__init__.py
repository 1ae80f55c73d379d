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
    from netspec.importer.convert import from_exported, from_onnx, from_torch
    from netspec.importer.imported import ImportedSpec
    from netspec.model import Model, load
    from netspec.runtime.decoding.choosing import Choosing
    from netspec.train.predict.answers import Answer
    from netspec.train.start.saved_run import SavedRun
    from netspec.train.start.saved_run import saved_run as run

__all__ = [
    "Answer",
    "Choosing",
    "EnvironmentFault",
    "ImportedSpec",
    "Model",
    "NetspecError",
    "SavedRun",
    "SpecError",
    "UsageError",
    "__version__",
    "from_exported",
    "from_onnx",
    "from_torch",
    "load",
    "run",
]


def __getattr__(name: str) -> Any:
    if name in ("Model", "load"):
        from netspec import model

        return getattr(model, name)
    if name.startswith("from_"):
        from netspec.importer import convert

        return getattr(convert, name)
    if name in ("SavedRun", "run"):
        from netspec.train.start import saved_run

        return saved_run.SavedRun if name == "SavedRun" else saved_run.saved_run
    if name == "Answer":
        from netspec.train.predict import answers

        return answers.Answer
    if name == "Choosing":
        from netspec.runtime.decoding import choosing

        return choosing.Choosing
    if name == "ImportedSpec":
        from netspec.importer import imported

        return imported.ImportedSpec
    if name in __all__:
        from netspec import diagnostics

        return getattr(diagnostics, name)
    raise AttributeError(f"module 'netspec' has no attribute '{name}'")
