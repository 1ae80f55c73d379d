"""The inferred shape of every step of every zoo network, against the tensors of the running module.

Steps that are modules are watched by forward hooks; the lines of ``forward`` by tracing: after each line, the
variable that it assigned is read.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from zoo.networks import NAMES, batch_of_two, compiled, meta_inputs, on_meta

from netspec.dims import evaluate_shape
from netspec.emit.source import Program
from netspec.graph import Call, Graph, Step, walk
from netspec.ops.base import Op


class Watch:
    """Compares what steps make with what was inferred for them."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int]):
        self.sizes = sizes
        self.steps = {path: step for path, step, _ in walk(graph.body)}
        self.levels = {"": graph.body}
        self.levels |= {path: step.body for path, step in self.steps.items() if isinstance(step, Call)}
        self.seen: set[str] = set()
        self.wrong: list[str] = []

    def see(self, path: str, step: Step, made: Any) -> None:
        """Judge one step's results."""
        self.seen.add(path)
        tensors = tensors_of(made)
        got = [tuple(tensor.shape) for tensor in tensors if tensor is not None]
        shapes = [evaluate_shape(value.shape, self.sizes) for value in step.outputs]
        want = [shape for shape, tensor in zip(shapes, tensors) if tensor is not None]  # what nothing reads is not made
        if got != want:
            self.wrong.append(f"{path} makes {got}, but {want} was inferred")

    def hook(self, path: str) -> Callable[..., None]:
        """A forward hook for the module at this path."""
        return lambda module, inputs, made: self.see(path, self.steps[path], made)


def tensors_of(made: Any) -> list[Tensor | None]:
    """The tensors in a result, nested tuples opened."""
    if made is None or isinstance(made, Tensor):
        return [made]
    return [tensor for part in made for tensor in tensors_of(part)]


@contextmanager
def tracing(module: nn.Module, program: Program, watch: Watch) -> Iterator[None]:
    """Watches each line of each ``forward`` of the program."""
    texts = program.text.split("\n")
    paths = {id(each): path for path, each in module.named_modules()}
    before: dict[int, int] = {}

    def line(frame: FrameType, event: str, _: Any) -> Any:
        if event == "exception":  # the line has assigned nothing
            before.pop(id(frame), None)
        if event in ("line", "return"):
            number = before.pop(id(frame), None)
            if event == "line":
                before[id(frame)] = frame.f_lineno
            if number in program.steps:
                path = paths[id(frame.f_locals["self"])]
                step = watch.levels[path].steps[program.steps[number]]
                targets = texts[number - 1].strip().split(" = ")[0].split(", ")
                made = [frame.f_locals[target] for target in targets]
                watch.see(f"{path}.{step.name}".lstrip("."), step, made)
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        ours = frame.f_code.co_filename == filename and frame.f_code.co_name == "forward"
        return line if ours else None

    filename = type(module).__init__.__code__.co_filename
    outer = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(outer)


@pytest.mark.parametrize("name", NAMES)
def test_every_step_makes_the_inferred_shape(name: str) -> None:
    graph, program = compiled(name)
    sizes = batch_of_two(graph)
    module = on_meta(name).train()
    watch = Watch(graph, sizes)
    for path, each in module.named_modules():
        step = watch.steps.get(path)
        if isinstance(step, Call) or (step is not None and type(step.op).statements is Op.statements):
            each.register_forward_hook(watch.hook(path))  # other modules are only a part of what their line does
    with torch.no_grad(), tracing(module, program, watch):
        made = module(*meta_inputs(graph, sizes))
    assert watch.wrong == []
    assert watch.seen == set(watch.steps)
    named = made if isinstance(made, dict) else dict(zip(graph.outputs, [made]))
    assert {name: tuple(tensor.shape) for name, tensor in named.items()} == {
        name: evaluate_shape(output.value.shape, sizes) for name, output in graph.outputs.items()
    }
