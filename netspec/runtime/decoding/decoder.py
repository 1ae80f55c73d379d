"""A decoder that runs word by word, in PyTorch or on onnxruntime."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn

from netspec.cached import CachedForm, cached_form
from netspec.diagnostics import UsageError
from netspec.dims import Dim, evaluate, evaluate_shape
from netspec.graph import Graph
from netspec.runtime.module import merged, part_of
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.session import open_session

Run = Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""Runs a graph: tensors by the names of its inputs in, its outputs by their names out."""

ENDLESS = 2**31


@dataclass(frozen=True)
class DecoderState:
    """The state of a decoder that has read ``count`` words: ``memory`` of its other inputs, and ``states`` by the names
    of the inputs that take them.
    """

    memory: Mapping[str, Tensor]
    states: Mapping[str, Tensor]
    count: int = 0


class WordDecoder:
    """A network in its cached form, at work: ``start`` reads its other inputs, ``read`` new words."""

    def __init__(self, form: CachedForm, step: Run, begin: Run | None, device: torch.device):
        self.form, self.step, self.begin, self.device = form, step, begin, device
        self.most, self.known = most_words(form), known_words(form)
        batch = form.step.inputs[form.words].shape[0]
        self.batch = str(batch) if isinstance(batch, Dim) else None
        self.axes = {
            name: value.shape.index(batch) if batch in value.shape else None
            for name, value in form.step.inputs.items()
            if name != form.words
        }

    @staticmethod
    def on_torch(graph: Graph, module: nn.Module) -> WordDecoder:
        """Return the decoder of a graph in PyTorch, with the weights of its module and on its device.

        Raises ``UsageError`` for a network that has no cached form.
        """
        graph, module = merged(graph, module)
        form, weights = cached_form(graph), module.state_dict()
        device = next(iter(weights.values())).device
        parts = [None if part is None else runner(part, part_of(part, weights)) for part in (form.step, form.begin)]
        assert parts[0] is not None
        return WordDecoder(form, parts[0], parts[1], device)

    @staticmethod
    def on_onnx(graph: Graph, module: nn.Module) -> WordDecoder:
        """Return the same on onnxruntime, on the CPU; the files live no longer than it takes to open them."""
        graph, module = merged(graph, module)
        form, weights = cached_form(graph), module.state_dict()
        with TemporaryDirectory() as folder:
            parts = [
                None if part is None else on_session(part, weights, Path(folder) / f"{part.name}.onnx")
                for part in (form.step, form.begin)
            ]
        assert parts[0] is not None
        return WordDecoder(form, parts[0], parts[1], torch.device("cpu"))

    def start(self, rows: int, inputs: Mapping[str, Tensor] | None = None) -> DecoderState:
        """Return the progress before the first word, of so many rows of words; ``inputs`` are those beside the words.

        Raises ``UsageError`` where one of them is missing.
        """
        given: dict[str, Tensor] = {}
        if self.begin is not None:
            assert self.form.begin is not None
            missing = [name for name in self.form.begin.inputs if name not in (inputs or {})]
            if missing:
                raise UsageError(f"{self.form.begin.name} takes `{missing[0]}`, which is not given")
            with torch.inference_mode():
                given = self.begin({name: (inputs or {})[name].to(self.device) for name in self.form.begin.inputs})
        sizes = {"P": 0, **({} if self.batch is None else {self.batch: rows})}
        states = {}
        for state in self.form.states:
            value = self.form.step.inputs[state.past]
            dtype = getattr(torch, value.tensor.dtype)
            if state.start is not None:
                states[state.past] = given[state.start]
            else:
                states[state.past] = torch.zeros(evaluate_shape(value.shape, sizes), dtype=dtype, device=self.device)
        return DecoderState({name: given[name] for name in self.form.memory}, states)

    def read(self, progress: DecoderState, words: Tensor) -> tuple[Tensor, DecoderState]:
        """Read words, int64 (N, T), and return their scores, float32 (N, T, words), with the new progress.

        Raises ``UsageError`` for more words than the network has positions.
        """
        count = progress.count + words.shape[1]
        if count > self.most:
            raise UsageError(f"the network reads at most {self.most} words, not {count}")
        inputs = {**progress.memory, **progress.states, self.form.words: words.to(self.device)}
        if self.form.counts:
            inputs["positions"] = torch.arange(progress.count, count, device=self.device)
        with torch.inference_mode():
            outputs = self.step(inputs)
        states = {state.past: outputs[state.present] for state in self.form.states}
        return outputs[self.form.scores].float(), DecoderState(progress.memory, states, count)

    def chosen(self, progress: DecoderState, rows: Sequence[int]) -> DecoderState:
        """Return the progress of some of the rows, in this order; a row may come several times."""
        index = torch.tensor(rows, device=self.device)
        memory, states = (
            {name: self._chosen(name, tensor, index) for name, tensor in held.items()}
            for held in (progress.memory, progress.states)
        )
        return DecoderState(memory, states, progress.count)

    def _chosen(self, name: str, tensor: Tensor, index: Tensor) -> Tensor:
        axis = self.axes[name]
        return tensor if axis is None else tensor.index_select(axis, index)


def runner(graph: Graph, module: nn.Module) -> Run:
    """Return what runs the module of a graph."""
    names = [*graph.outputs]

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        outputs = module(*[inputs[name] for name in graph.inputs])
        return outputs if isinstance(outputs, dict) else {names[0]: outputs}

    return run


def on_session(graph: Graph, weights: Mapping[str, Tensor], path: Path) -> Run:
    """Return what runs a graph on onnxruntime; ``path`` is where its file is written for that."""
    session = open_session(export_onnx(graph, part_of(graph, weights), path))
    names = [each.name for each in session.get_outputs()]
    taken = [each.name for each in session.get_inputs()]

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        arrays = {name: inputs[name].contiguous().numpy() for name in taken}
        return dict(zip(names, map(torch.from_numpy, session.run(None, arrays))))

    return run


def known_words(form: CachedForm) -> int:
    """Return how many words a decoder has numbers for, as its embedding has it."""
    taken = form.step.input_ranges.get(form.words)
    return taken.below if taken is not None and isinstance(taken.below, int) else ENDLESS


def most_words(form: CachedForm) -> int:
    """Return the most words that a decoder reads, as its conditions on sizes have it."""
    length = form.step.inputs[form.words].shape[1]
    assert isinstance(length, Dim)
    (name,) = length.symbols
    most = ENDLESS
    for each in form.step.requirements:
        own = {symbol for side in (each.left, each.right) if isinstance(side, Dim) for symbol in side.symbols}
        if each.relation != ">=" or not own <= {name, "P"}:
            continue
        least, above = 0, most
        while least < above:
            middle = (least + above + 1) // 2
            sizes = {name: 1, "P": middle - 1} if "P" in own else {name: middle}
            holds = evaluate(each.left, sizes) >= evaluate(each.right, sizes)
            least, above = (middle, above) if holds else (least, middle - 1)
        most = least
    return most
