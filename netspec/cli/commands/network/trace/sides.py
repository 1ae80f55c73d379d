"""The two sides of a trace, from what the command line names."""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor, nn
from torch.export import UnflattenedModule, unflatten

from netspec.cli.given_arrays import check_inputs, given_arrays, read_arrays
from netspec.cli.given_weights import GivenWeights
from netspec.cli.option_values import graph_of, pairs, sizes_of, weights_of
from netspec.cli.output import warn
from netspec.diagnostics import EnvironmentFault, UsageError
from netspec.dims import Dim
from netspec.elaborate.passes.sizes import quick_sizes
from netspec.graph import Graph
from netspec.recipes.weights import WeightsSource
from netspec.runtime.examples import example_inputs
from netspec.runtime.module import build_module, merged
from netspec.runtime.onnx.export import export_onnx
from netspec.runtime.onnx.layer_values import LayersOfFile
from netspec.runtime.trace.layers import Trace
from netspec.runtime.trace.module_values import ModuleValues
from netspec.runtime.trace.replay import trace_layers
from netspec.runtime.trace.runs import LayerValues, Recorder
from netspec.sources.run_folders import names_run

WEIGHTS = (".pth", ".pt", ".safetensors", ".bin", ".ckpt")


@dataclass(frozen=True)
class _Network:
    """A network in PyTorch, with weights."""

    name: str
    graph: Graph
    module: nn.Module

    def in_precision(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return its weights, real ones in a dtype."""
        state = self.module.state_dict()
        return {name: each.to(dtype) if each.is_floating_point() else each for name, each in state.items()}


@dataclass(frozen=True)
class _Other:
    """The side that the network is held against: its values, and the coarsest dtype that it computes in."""

    name: str
    values: LayerValues
    coarsest: torch.dtype = torch.float32


def traced(options: Namespace) -> tuple[Trace, Graph | None]:
    """Return the trace of A and B, and the spec's graph if one of them is a spec. Raises ``UsageError``."""
    one, other = options.one, options.other
    if options.bound is not None and not 0 <= options.bound < math.inf:
        raise UsageError(f"--bound takes a number that is not below 0, not {options.bound}")
    if _is_onnx(one) and (other is None or _is_onnx(other)):
        return _of_files(options), None
    if _is_onnx(one):
        one, other = other, one
    network = _network(options, one)
    module = _original(options, other)
    if module is not None and options.weights is None:
        _take_weights(network, module, other)
    inputs, sizes = given_inputs(options, network.graph, _sizes_fixed_by(module, network.graph))
    held = _values_of_module(module, network, inputs, other) if module else _values(options, network, other, inputs)
    sides = (network.name, held.name)
    state = network.module.state_dict()
    trace = trace_layers(network.graph, state, inputs, held.values, sides, sizes, held.coarsest, options.bound)
    return trace, network.graph


def _is_onnx(text: str | None) -> bool:
    return text is not None and text.lower().endswith(".onnx")


def _network(options: Namespace, text: str, weights: WeightsSource | None = None) -> _Network:
    """The network in PyTorch that a spec or a run's folder is."""
    if Path(text).is_dir() or names_run(text):
        from netspec.train.predict.trained_run import TrainedRun

        run = TrainedRun.find(text, warn=warn)[0]
        source = weights or weights_of(options)
        if source is not None:
            run.other_weights = GivenWeights(run.graph, source).fill
        graph, module = merged(run.graph, run.module("torch"))
        return _Network(text, graph, module)
    graph = graph_of(Namespace(**{**vars(options), "spec": text}))
    module, source = build_module(graph, "cpu"), weights or weights_of(options)
    if source is not None:
        GivenWeights(graph, source).fill(module)
    return _Network(text, *merged(graph, module))


def given_inputs(
    options: Namespace, graph: Graph, fixed: Mapping[str, int] | None = None
) -> tuple[dict[str, Tensor], Mapping[str, int]]:
    """Return the inputs that files hold, or random ones, and the sizes of the latter, of which the other side may have
    ``fixed`` some. Raises ``UsageError``.
    """
    if options.input:
        return given_arrays(options.input, graph, "--input"), {}
    sizes = {**quick_sizes(graph)[0], **(fixed or {}), **sizes_of(options)}
    return example_inputs(graph, sizes), sizes


def _values(options: Namespace, network: _Network, other: str | None, inputs: Mapping[str, Tensor]) -> _Other:
    """The values of an ONNX file, or of a network in PyTorch: another one, or the same in another precision."""
    if _is_onnx(other) or (other is None and options.on):
        if options.precision:
            raise UsageError("--precision is for PyTorch, and an ONNX file has its own: leave it out")
        return _values_of_file(options.on or "onnxruntime", network, other, inputs)
    if options.on:
        raise UsageError(f"--on is for ONNX files, and {other} runs in PyTorch: leave it out, or leave {other} out")
    if other is None and not options.precision:
        raise UsageError(f"name what to compare {network.name} with: another side B, --precision or --on")
    if other is not None and other.lower().endswith(WEIGHTS):
        compared = _network(options, options.one, WeightsSource(other))
    else:
        compared = network if other is None else _network(options, other)
    check_inputs(compared.graph, inputs, network.graph.name if not options.input else "--input")
    dtype = getattr(torch, options.precision or "float32")
    recorder = Recorder(compared.in_precision(dtype))
    given = {name: each.to(dtype) if each.is_floating_point() else each for name, each in inputs.items()}
    try:
        recorder.run(compared.graph, given)
    except RuntimeError as reason:
        first = str(reason).strip().splitlines()[0]
        raise EnvironmentFault(f"PyTorch does not run {compared.name} so: {first}") from None
    name = f"{other or network.name}{f' in {options.precision}' if options.precision else ''}"
    return _Other(name, recorder.values, dtype if dtype != torch.float64 else torch.float32)


def _values_of_file(runtime: str, network: _Network, file: str | None, inputs: Mapping[str, Tensor]) -> _Other:
    with TemporaryDirectory() as folder:
        path = Path(file) if file else export_onnx(network.graph, network.module, Path(folder) / "model.onnx")
        layers = LayersOfFile(path, runtime)
        layers.run(inputs)
    name = f"{path.name} on {runtime}" if file else runtime
    return _Other(name, layers.values, layers.coarsest)


def _original(options: Namespace, text: str | None) -> nn.Module | None:
    """The module that is named as Python does, that of a program which `torch.export` made, or none."""
    if text is not None and text.lower().endswith(".pt2"):
        from netspec.importer.sources import load_exported
        from netspec.importer.trying import quiet

        with quiet():
            return unflatten(load_exported(text))  # a module with the modules that the program was made of
    if text is None or ":" not in text or Path(text).exists():
        return None
    from netspec.importer.sources import find_module, read_argument

    given = {name: read_argument(name, value) for name, value in pairs(options.argument, "--argument")}
    return find_module(text, given)


def _sizes_fixed_by(module: nn.Module | None, graph: Graph) -> dict[str, int]:
    """Return the symbolic sizes of a graph that a program was exported with as numbers; other modules fix none."""
    sizes: dict[str, int] = {}
    if isinstance(module, UnflattenedModule):
        for value, read in zip(graph.inputs.values(), module.input_placeholders):
            for size, own in zip(value.shape, read.meta["val"].shape):
                if isinstance(size, Dim) and size == Dim.symbol(str(size)) and isinstance(own, int):
                    sizes[str(size)] = own
    return sizes


def _take_weights(network: _Network, module: nn.Module, name: str) -> None:
    """Give a network the weights of the module that it was imported from."""
    theirs, ours = module.state_dict(), network.module.state_dict()
    missing = [key for key in ours if key not in theirs and not key.endswith("num_batches_tracked")]
    if missing:
        raise UsageError(
            f"{name} has no `{missing[0]}`, which the spec has: it was not imported from there, or name --weights"
        )
    network.module.load_state_dict({**ours, **{key: each for key, each in theirs.items() if key in ours}})


def _values_of_module(module: nn.Module, network: _Network, inputs: Mapping[str, Tensor], name: str) -> _Other:
    held = ModuleValues(module, lambda given: module(*given.values()))
    try:
        held.run(inputs)
    except Exception as reason:  # whatever the user's code raises
        first = (str(reason).strip().splitlines() or [type(reason).__name__])[0]
        raise UsageError(f"{name} does not run on the inputs of {network.name}: {first}") from reason
    return _Other(name, held.values)


def _of_files(options: Namespace) -> Trace:
    """The trace of two files, or of one on two runtimes; the inputs are random ones if no files are given."""
    from netspec.runtime.onnx.trace_files import TracedFile, random_inputs, trace_files

    one, other = Path(options.one), Path(options.other or options.one)
    if options.other is None and options.on in (None, "onnxruntime"):
        raise UsageError(f"name what to compare {one} with: another file, a spec, or --on openvino")
    if options.weights or options.precision or options.set or options.variant:
        raise UsageError("ONNX files have their weights and their precision: leave the options of specs out")
    if options.output:
        raise UsageError("-o draws a spec: name one as A or B")
    sizes = sizes_of(options)
    inputs = random_inputs(one, sizes)
    if options.input:
        inputs = read_arrays(options.input, [*inputs], "--input")
    second = TracedFile(other, options.on or "onnxruntime")
    return trace_files(TracedFile(one), second, inputs, sizes, options.bound)
