"""A folder in Hugging Face's layout as ``transformers`` load it, beside the network that it was written from."""

from __future__ import annotations

import contextlib
import io
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import nn

from netspec.emit.hugging_face.standing import HuggingFaceForm
from netspec.graph import Graph
from netspec.runtime.examples import example_inputs
from netspec.runtime.vision import import_torchvision

TOLERANCE = 1e-5
"""The largest difference from the network that will do, as a share of its largest number."""


class FolderComparison(NamedTuple):
    """The outcome: keys that ``transformers`` missed, or had no use for, and the largest relative difference."""

    odd: tuple[str, ...]
    difference: float

    @property
    def agrees(self) -> bool:
        """Return whether all keys were taken, and the outputs are the same."""
        return not self.odd and self.difference <= TOLERANCE

    def told(self, form: HuggingFaceForm) -> str:
        """Return the outcome in a line."""
        if self.odd:
            return f"transformers' {form.architecture} does not take the keys as they are: {', '.join(self.odd[:3])}"
        if not self.agrees:
            limit = f"({TOLERANCE:.0e} would do)"
            return f"transformers' {form.architecture} and the network differ by {self.difference:.1e} {limit}"
        return f"verified: transformers' {form.architecture} and the network agree to {self.difference:.1e}"


def compare_folder(
    form: HuggingFaceForm, graph: Graph, module: nn.Module, folder: Path, sizes: Sequence[Mapping[str, int]]
) -> FolderComparison | None:
    """Load a folder with ``transformers``, and compare the outputs at these sizes of the symbolic dimensions.

    Gives ``None`` where ``transformers`` is not installed.
    """
    library = _transformers(form.architecture)
    if library is None:
        return None
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):  # bars, and what weights are read from
        warnings.simplefilter("ignore")
        kind = getattr(library, form.architecture)
        theirs, info = kind.from_pretrained(folder, local_files_only=True, output_loading_info=True)
    odd = tuple(str(key) for name in ("missing_keys", "unexpected_keys", "mismatched_keys") for key in info[name])
    device = next(iter(module.state_dict().values())).device
    theirs, worst, training = theirs.eval().to(device), 0.0, module.training
    module.eval()
    for each in sizes if not odd else ():
        inputs = {name: value.to(device) for name, value in example_inputs(graph, each).items()}
        with torch.inference_mode():
            own = module(*inputs.values())
            other = theirs(**{form.inputs[name]: value for name, value in inputs.items()})
        for name, value in (own if isinstance(own, dict) else {next(iter(graph.outputs)): own}).items():
            scale = float(value.abs().max()) or 1.0
            worst = max(worst, float((value - other[form.outputs[name]]).abs().max()) / scale)
    module.train(training)
    return FolderComparison(odd, worst)


def _transformers(architecture: str) -> Any:
    """The package ``transformers`` with a class of it loaded, silent; ``None`` where it is not installed."""
    import_torchvision()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library: Any = import_module("transformers")
            getattr(library, architecture)
    except (ModuleNotFoundError, AttributeError):
        return None
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library
