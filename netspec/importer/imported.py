"""The result of an import: the text of the spec, the network that it is, and its proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import EnvironmentFault, Source
from netspec.files import write_text
from netspec.model import Model
from netspec.pipeline import Loaded, Origin, compile_loaded, load_source

if TYPE_CHECKING:
    import torch

    from netspec.importer.prove import Proof


class ImportedSpec:
    """A network that came from PyTorch or ONNX, as a spec. ``text`` is its YAML, ``model`` what ``netspec.load`` gives.

    ``weights`` are the tensors of the original by the keys that the spec gives them. ``proof`` says how far the spec's
    module was held against the original, ``notes`` what a reader should know of it,
    ``left_open`` for what the text has ``opaque`` steps. Shown in a notebook, it is the
    table of its shapes and its diagram.
    """

    def __init__(
        self,
        name: str,
        text: str,
        weights: Mapping[str, torch.Tensor],
        notes: Sequence[str] = (),
        proof: Proof | None = None,
        left_open: str = "",
    ):
        self.name, self.text = name, text
        self.weights = weights
        self.notes = list(notes)
        self.proof = proof
        self.left_open = left_open

    @cached_property
    def _loaded(self) -> Loaded:
        return load_source(Source(f"{self.name}.yaml", self.text))

    @cached_property
    def model(self) -> Model:
        """The network, checked and shaped."""
        return Model(compile_loaded(self._loaded), Origin(self._loaded))

    @property
    def block_count(self) -> int:
        """The number of the blocks that the text has."""
        return len(self._loaded.spec.blocks)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        lines = self.text.count("\n")
        return (
            f"<netspec.ImportedSpec {self.name}: {lines} lines, {self.model.graph.body.parameter_count:,} parameters>"
        )

    def _repr_html_(self) -> str:
        """Return the shape table and the diagram, which notebooks show."""
        return f"{self.model._repr_html_()}\n{self._diagram()}"

    def _diagram(self) -> str:
        """The diagram as SVG within the page; nothing where no renderer is installed."""
        with TemporaryDirectory() as folder:
            try:
                picture = self.model.diagram(Path(folder) / "diagram.svg").read_text(encoding="utf-8")
            except (EnvironmentFault, ModuleNotFoundError):
                return ""
        return f'<div style="overflow: auto">{picture[picture.index("<svg") :]}</div>'

    def write(self, path: str | Path) -> Path:
        """Write the YAML; gives the path. Raises ``EnvironmentFault`` where the file cannot be written."""
        write_text(Path(path), self.text)
        return Path(path)

    def write_weights(self, path: str | Path) -> Path:
        """Write the weights by the spec's keys, as safetensors; gives the path.

        Raises ``EnvironmentFault`` where the file cannot be written, or safetensors is not installed.
        """
        from netspec.weights.files.safetensors import write_tensors

        tensors = self.module().state_dict()
        write_tensors({key: value.clone() for key, value in tensors.items()}, Path(path))  # tied ones under each name
        return Path(path)

    def module(self, **options: Any) -> torch.nn.Module:
        """Return the spec's ``nn.Module`` with the original's weights; ``options`` are those of ``Model.module``."""
        module = self.model.module(**options)
        keys = module.state_dict().keys()
        module.load_state_dict({key: value for key, value in self.weights.items() if key in keys}, strict=True)
        return module
