"""Executes emitted source: the classes that it defines behave like those of an imported file.

Instances pickle (the pickle carries the source), deepcopy, and show their lines in tracebacks.
"""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Mapping
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from netspec.diagnostics import EnvironmentFault
from netspec.emit.source import emit_source
from netspec.graph import Graph, Node, walk
from netspec.runtime.initialize import construct_uninitialised, initialize
from netspec.runtime.machine import need_memory
from netspec.runtime.own_modules import import_modules


def build_module(
    graph: Graph, device: str | torch.device | None = None, dtype: torch.dtype | None = None, seed: int = 0
) -> nn.Module:
    """The network as an ``nn.Module`` on ``device``, initialised once.

    Each parameter's values depend on ``seed`` and its path alone: not on the device, nor on the rest of the
    network. Raises ``EnvironmentFault`` where the device, or a package that an op needs, is not to be had.
    """
    device = checked_device(device)
    guard_weights(graph, 4)
    if device.type == "cuda":
        guard_weights(graph, 4 if dtype is None else dtype.itemsize, device)
    import_modules({name for _, step, _ in walk(graph.body) if isinstance(step, Node) for name in step.op.modules()})
    program = emit_source(graph)
    namespace = load_source(program.text)
    module = construct_uninitialised(getattr(namespace, program.class_name))
    initialize(module, graph, seed)
    return module.to(device=device, dtype=dtype) if device.type != "cpu" or dtype is not None else module


def part_of(graph: Graph, weights: Mapping[str, Tensor]) -> nn.Module:
    """Return the module of a graph that is a part of another, with the other's weights, which both then have.

    It is in inference mode.
    """
    program = emit_source(graph)
    module = construct_uninitialised(getattr(load_source(program.text), program.class_name))
    own = module.state_dict().keys()
    module.load_state_dict({key: weights[key] for key in own}, assign=True)
    return module.eval()


def merged(graph: Graph, module: nn.Module) -> tuple[Graph, nn.Module]:
    """Return a graph and its module without the steps of ``lora``: their changes are part of the weights.

    A graph without such steps is returned with its module, as it is.
    """
    if graph.unchanged is None:
        return graph, module
    state = module.state_dict()
    made = build_module(graph.unchanged, next(iter(state.values())).device)
    made.load_state_dict(merged_weights(graph, state))
    return graph.unchanged, made.train(module.training)


def merged_weights(graph: Graph, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of the graph without the steps of ``lora``, by their keys; the sums are made in float32."""
    weights = dict(state)
    with torch.no_grad():
        for change in graph.changes:
            down, up = (weights.pop(key).float() for key in (change.down, change.up))
            own = weights[change.weight]
            weights[change.weight] = (own + change.scale * change.op.change(down, up)).to(own.dtype)
    return weights


def guard_weights(graph: Graph, each: int, device: torch.device | None = None) -> None:
    """Guard: the weights, of so many bytes ``each``, fit in the memory of a device (default: the CPU)."""
    count = graph.body.parameter_count
    doing = f"making {graph.name} with its {count:,} parameters"
    need_memory(count * each, doing, "use a smaller network, or a machine with more memory", device)


def checked_device(device: str | torch.device | None) -> torch.device:
    """The device that a name means; ``auto`` is CUDA where torch sees it."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        made = torch.device(device or "cpu")
    except RuntimeError as found:
        raise EnvironmentFault(f"torch knows no device `{device}`: {str(found).splitlines()[0]}") from None
    if made.type == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("torch finds no CUDA device here; use `cpu`, or install a CUDA build of torch")
    return made


@lru_cache(maxsize=64)
def load_source(text: str) -> ModuleType:
    """Execute a module's text once; its classes know how to pickle themselves."""
    name = f"netspec_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    filename = f"<{name}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    module = ModuleType(name)
    exec(compile(text, filename, "exec"), vars(module))
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name:
            value.__netspec_source__ = text  # type: ignore[attr-defined]
            value.__reduce_ex__ = _reduce  # type: ignore[assignment, method-assign]
    return module


def _reduce(self: Any, protocol: Any) -> tuple[Any, ...]:
    """Pickle by source and class name, so that a process which has never seen the spec can load it."""
    return _revive, (type(self).__netspec_source__, type(self).__name__), self.__getstate__()


def _revive(text: str, class_name: str) -> nn.Module:
    kind = getattr(load_source(text), class_name)
    module: nn.Module = kind.__new__(kind)
    return module
