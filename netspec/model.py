"""A compiled spec as an object: what Python users hold in their hands."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from netspec.diagnostics import UsageError
from netspec.emit.diagram.write import write_diagram
from netspec.emit.explorer import explorer_page
from netspec.emit.source import emit_source
from netspec.emit.table import ShapeTable
from netspec.files import write_text
from netspec.graph import Graph
from netspec.pipeline import Origin, compile_loaded, load_spec
from netspec.plugins import emitted, find_target
from netspec.targets import WriteOptions, blamed

if TYPE_CHECKING:
    import torch
    from torch import nn

    from netspec.cached import CachedForm
    from netspec.runtime.decoding.choosing import Choosing
    from netspec.train.start.here import RecipeValue
    from netspec.train.start.saved_run import SavedRun
    from netspec.train.torch_datasets import Splits
    from netspec.weights.asked import Asked
    from netspec.weights.report import WeightsReport


ParameterValue: TypeAlias = "bool | int | float | str | Sequence[ParameterValue] | None"
"""The value of a spec's parameter."""


def load(
    spec: str | Path, *, variant: str | None = None, dims: Mapping[str, int] | None = None, **params: ParameterValue
) -> Model:
    """Load and compile a spec: ``netspec.load("specs/resnet.yaml", variant="resnet50", classes=10)``.

    ``spec`` is a path, or the name of a zoo entry or variant; ``params`` override its parameters; ``dims`` sets the
    sizes of symbolic dimensions at which costs are quoted. Raises ``SpecError`` with everything that is wrong in the
    file, ``UsageError`` for a name that does not exist.
    """
    loaded = load_spec(spec)
    graph = compile_loaded(loaded, variant=variant, overrides=params, sizes=dims)
    values = (f"{name}={json.dumps(value, default=_plain)}" for name, value in params.items())
    return Model(graph, Origin(loaded, variant, tuple(values)))


def _plain(value: object) -> object:
    """Return a number of NumPy's or PyTorch's as one of Python's, and all else as text."""
    return value.item() if hasattr(value, "item") else str(value)


class Model:
    """A network, checked and shaped: ``graph`` has its steps. Nothing is allocated until ``module`` is called."""

    def __init__(self, graph: Graph, origin: Origin | None = None):
        self.graph, self._origin = graph, origin

    def __repr__(self) -> str:
        return f"<netspec.Model {self.graph.name}: {self.graph.body.parameter_count:,} parameters>"

    def _repr_html_(self) -> str:
        """Return the shape table, which notebooks show."""
        return self.shapes()._repr_html_()

    @property
    def name(self) -> str:
        """The name that the spec, or its variant, gives the network."""
        return self.graph.name

    def shapes(self) -> ShapeTable:
        """Return the table of shapes, parameters and MACs: it prints, iterates, has totals and ``to_json()``.

        Shapes are tuples of numbers and formulas of the symbolic dimensions. Parameters are counted once where they are
        shared; MACs are those of one forward pass in inference at ``graph.sizes``.
        """
        return ShapeTable(self.graph)

    def source(self) -> str:
        """Return the network as standalone PyTorch source, which imports torch alone: one class a block."""
        return emit_source(self.graph).text

    def module(
        self,
        device: str | torch.device | None = None,
        dtype: torch.dtype | None = None,
        seed: int = 0,
        weights: Asked | None = None,
    ) -> nn.Module:
        """Return the network as an ``nn.Module`` in training mode on ``device`` (default: the CPU), initialised once.

        ``forward`` takes the spec's inputs in their order and gives a tensor, or where there are several outputs a dict
        of tensors by their names. A parameter's values depend on ``seed`` and its path alone, unless they come from
        ``weights``: a file, a folder, ``torchvision:IMAGENET1K_V1``, ``hf:owner/name``, or a mapping with what is made
        of its keys, ``{"from": "resnet18.pth", "skip": "fc.*", "rename": {r"^model\\.": ""}}``. What these lack keeps
        its initial values; ``weights`` says the same without a module.

        Raises ``EnvironmentFault`` where there is no such device, or not memory enough; ``UsageError`` where no tensor
        of the weights has a key of the spec, or one has another shape.
        """
        from netspec.runtime.module import build_module

        module = build_module(self.graph, device, dtype, seed)
        if weights is not None:
            self._fill(weights, module)
        return module

    def weights(self, weights: Asked) -> WeightsReport:
        """Return how the tensors of a source of weights match those of the network, as ``module`` would take them.

        It prints as a table. Nothing is allocated; of safetensors only the header is read. Raises ``UsageError`` where
        there are no such weights.
        """
        from netspec.weights.asked import asked_source
        from netspec.weights.places import report_on

        return report_on(self.graph, asked_source(weights))[0]

    def data(self) -> Splits:
        """Return the data of the spec's recipe, read and prepared as for ``netspec train``, but not augmented.

        ``train``, ``validation`` and ``test`` are PyTorch data sets, ready for a ``DataLoader``; ``images, labels =
        model.data().test[:]`` are all rows of one. Needs ``netspec[train]``. Raises ``UsageError`` where the spec has
        no ``train``, ``SpecError`` for data that cannot be read or do not fit the network.
        """
        from netspec.train.torch_datasets import read_splits

        return read_splits(self.graph)

    def train(
        self,
        recipe: Mapping[str, RecipeValue] | None = None,
        *,
        output: str | Path | None = None,
        progress: bool = True,
        **keys: RecipeValue,
    ) -> SavedRun:
        """Train the network as its ``train`` says, with the keys of ``recipe`` on top; gives the run, in its folder.

        ``model.train(epochs=3, optimizer={"adam": 0.01})``: keys and values are those of a recipe, which may be whole,
        and ``{"optimizer.lr": 0.1}`` is one inside. Paths among them start here. The run is written to the next folder
        in ``runs/NAME``, or to ``output``. ``progress`` shows its epochs: in a notebook as one table. Ctrl-C finishes
        the step, and saves; ``resume`` of what is given goes on. One run goes on at a time, whichever thread asks.

        Raises ``SpecError`` for a recipe or data that do not fit, ``TrainingFault`` where training cannot go on.
        """
        from netspec.train.start.here import train_here
        from netspec.train.start.saved_run import SavedRun

        if self._origin is None:
            raise UsageError(f"{self.name} was made without a spec, which a run keeps: get it by netspec.load")
        folder = train_here(
            self._origin, {**(recipe or {}), **keys}, None if output is None else Path(output), progress
        )
        return SavedRun(folder.path)

    def export(self, path: str | Path, module: nn.Module | None = None) -> Path:
        """Write ONNX with the weights of ``module`` (default: freshly initialised); gives the path.

        Symbolic dimensions stay dynamic, and changes by ``lora`` are part of the weights. The file is checked in form,
        but not run: ``write("onnx", folder)`` holds it against PyTorch, too. Raises ``EnvironmentFault`` where the file
        cannot be written.
        """
        from netspec.runtime.module import merged
        from netspec.runtime.onnx.export import export_onnx

        return export_onnx(*merged(self.graph, module if module is not None else self.module()), Path(path))

    def generate(
        self,
        prompt: str | Sequence[int],
        module: nn.Module,
        tokenizer: str | Path | None = None,
        runtime: Literal["torch", "onnx"] = "torch",
        inputs: Mapping[str, torch.Tensor] | None = None,
        choosing: Choosing | None = None,
    ) -> str | list[int]:
        """Return what the network writes behind a prompt, word by word from its cached form: a text if that is one.

        A text is divided by ``tokenizer``, the path of a ``tokenizer.json``; else a prompt is numbers of words, (T).
        A network that answers a text reads it as its other input, where ``inputs`` does not give that.
        ``module`` has the weights; ``inputs`` are tensors of one row for the inputs beside the words. ``choosing``,
        ``netspec.Choosing(most=100, temperature=0.8)``, says how words are chosen: by default the likeliest, 100 of
        them. Raises ``UsageError`` for a network that has no cached form.
        """
        import torch

        from netspec.runtime.decoding.choosing import Choosing, generate
        from netspec.runtime.decoding.decoder import WordDecoder
        from netspec.runtime.decoding.prompting import prompted
        from netspec.runtime.decoding.tokenizer import TokenizerFile

        words = None if tokenizer is None else TokenizerFile(Path(tokenizer))
        if isinstance(prompt, str) and words is None:
            raise UsageError("a text needs a tokenizer: name its file, or give the numbers of words")
        if runtime not in ("torch", "onnx"):
            raise UsageError(f"a text is written on `torch` or on `onnx`, not on `{runtime}`")
        numbers = words.numbers(prompt) if isinstance(prompt, str) and words is not None else prompt
        chosen = choosing or Choosing()
        if words is not None and not chosen.ends:
            chosen = replace(chosen, ends=words.ends)
        given = torch.as_tensor(numbers, dtype=torch.int64)
        if given.dim() != 1:
            raise UsageError(f"a prompt is the numbers of the words of one text, (T), not {[*given.shape]}")
        decoder = (WordDecoder.on_onnx if runtime == "onnx" else WordDecoder.on_torch)(self.graph, module)
        if isinstance(prompt, str) and words is not None and inputs is None:
            given, inputs = prompted(decoder, given.tolist(), words.begin)
        written = [*generate(decoder, given, chosen, inputs)]
        return written if words is None else words.text(written)

    def cached(self) -> CachedForm:
        """Return its cached form: ``Model(model.cached().step)`` is the network that reads new words and what it keeps.

        Raises ``UsageError`` for a network that has none, with the line of the step that forbids it.
        """
        from netspec.cached import cached_form

        return cached_form(self.graph)

    def diagram(
        self,
        path: str | Path,
        depth: int | None = None,
        expand: str | Sequence[str] = (),
        direction: Literal["TB", "LR"] | None = None,
    ) -> Path:
        """Draw the network into an .svg, .png, .pdf, .dot or .mmd (Mermaid) file; gives the path.

        ``depth`` levels stand open, one in the other, by default as many as a page holds; those in ``expand`` in any
        case, by path, name or block. ``direction`` is by default what fits a page best. Raises ``UsageError`` for a
        level that does not exist and for another kind of file.
        """
        write_diagram(self.graph, Path(path), depth, expand, direction)
        return Path(path)

    def emit(self, target: str) -> str:
        """Return the network as a target that is text: ``source``, ``shapes``, …, or one of a plugin's.

        ``netspec emit`` lists them all. Raises ``UsageError`` for another name, and for one that is no text.
        """
        return emitted(target, lambda: self.graph)

    def write(
        self, target: str, folder: str | Path, device: str = "auto", weights: Asked | None = None
    ) -> tuple[Path, ...]:
        """Write the files of a target into a folder; gives their paths.

        ``device`` (``auto``, ``cpu``, ``cuda``, …) is where the network is run, for a target that is verified by that;
        ``weights`` are those that it holds, as for ``module``. Raises ``UsageError`` for another name,
        ``EnvironmentFault`` where a file cannot be written.
        """
        declared = find_target(target)
        fill = None if weights is None else partial(self._fill, weights)
        with blamed(declared):
            return declared.write(self.graph, Path(folder), WriteOptions(device, fill=fill)).files

    def _fill(self, weights: Asked, module: nn.Module) -> None:
        """Put the weights of a source into the network's module."""
        from netspec.weights.asked import asked_source
        from netspec.weights.load import load_weights

        load_weights(module, self.graph, asked_source(weights))

    def explorer(self, path: str | Path) -> Path:
        """Write one HTML file with the diagram, the table and the YAML to look into; gives the path.

        Raises ``EnvironmentFault`` where the file cannot be written.
        """
        write_text(Path(path), explorer_page(self.graph))
        return Path(path)
