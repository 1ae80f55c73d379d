"""The inferred shape of every step of every zoo network, against the tensors of the running module.

Steps that are modules are watched by forward hooks; the lines of ``forward`` and ``prepare`` by tracing: after each
line, the variable that it assigned is read. A scan's turns are watched one by one; what its loop leaves for all turns
at once makes the tensor of all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from zoo.networks import FORMS, SEQUENCES, batch_of_two, compiled, meta_inputs, on_meta

from netspec.dims import evaluate_shape
from netspec.emit.source import Program
from netspec.graph import Call, Graph, Level, Node, Step, over_time
from netspec.ops import Op
from netspec.ops.recurrent.sequence import Recurrent


class Watch:
    """Compares what steps make with what was inferred for them."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int]):
        self.sizes = sizes
        self.steps: dict[str, Step] = {}
        self.levels = {"": graph.body}
        self.inferred: dict[str, list[tuple[int, ...]]] = {}
        self.seen: set[str] = set()
        self.wrong: list[str] = []
        self.expect(graph.body, "")

    def expect(self, level: Level, prefix: str) -> None:
        """Take in what was inferred for the steps of a level and those in it."""
        for step in level.steps:
            path = prefix + step.name
            tensors = [value.tensor for value in step.outputs]
            if level.phases.get(step) in ("before", "after"):
                assert level.loop is not None
                tensors = [over_time(tensor, level.loop.length) for tensor in tensors]
            self.steps[path] = step
            self.inferred[path] = [evaluate_shape(tensor.shape, self.sizes) for tensor in tensors]
            if isinstance(step, Call) and not step.shares:
                self.levels[path] = step.body
                self.expect(step.body, path + ".")

    def see(self, path: str, made: Sequence[Tensor | None]) -> None:
        """Judge one step's results; ``None`` is one that is not kept."""
        self.seen.add(path)
        got = [None if tensor is None else tuple(tensor.shape) for tensor in made]
        want = self.inferred[path]
        if len(got) != len(want) or any(found not in (None, shape) for found, shape in zip(got, want)):
            self.wrong.append(f"{path} makes {got}, but {want} was inferred")

    def is_recurrent(self, path: str) -> bool:
        """Whether the step is one of torch's recurrent layers."""
        step = self.steps[path]
        return isinstance(step, Node) and isinstance(step.op, Recurrent)

    def is_whole(self, path: str) -> bool:
        """Whether a module does all that its step does; others are only a part of what their line does."""
        step = self.steps[path]
        return isinstance(step, Call) or type(step.op).statements is Op.statements or self.is_recurrent(path)

    def hook(self, path: str) -> Callable[..., None]:
        """A forward hook for the module at this path."""
        more = [None] if self.is_recurrent(path) else []  # torch's recurrent layers do not give ``last``
        return lambda module, inputs, made: self.see(path, [*tensors_of(made), *more])


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
                path = f"{path}.{step.name}".lstrip(".")
                targets = texts[number - 1].strip().split(" = ")[0].split(", ")
                made = [None if target == "_" else frame.f_locals[target] for target in targets]
                if not watch.is_recurrent(path):
                    watch.see(path, made)
                elif len(made) == 1:  # ``last``; the hook sees the others
                    watch.see(path, [*[None] * (len(watch.inferred[path]) - 1), *made])
        return line

    def call(frame: FrameType, event: str, _: Any) -> Any:
        ours = frame.f_code.co_filename == filename and frame.f_code.co_name in ("forward", "prepare")
        return line if ours else None

    filename = type(module).__init__.__code__.co_filename
    outer = sys.gettrace()
    sys.settrace(call)
    try:
        yield
    finally:
        sys.settrace(outer)


def assert_inferred(name: str, sizes: Mapping[str, int]) -> None:
    """Run a network at these sizes and judge every step."""
    graph, program = compiled(name)
    module = on_meta(name).train()
    watch = Watch(graph, sizes)
    for path, each in module.named_modules():
        if path in watch.steps and watch.is_whole(path):
            each.register_forward_hook(watch.hook(path))
    with torch.no_grad(), tracing(module, program, watch):
        made = module(*meta_inputs(graph, sizes))
    assert watch.wrong == []
    assert watch.seen == set(watch.steps)
    named = made if isinstance(made, dict) else dict(zip(graph.outputs, [made]))
    assert {name: tuple(tensor.shape) for name, tensor in named.items()} == {
        name: evaluate_shape(output.value.shape, sizes) for name, output in graph.outputs.items()
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMS)
def test_every_step_makes_the_inferred_shape(name: str) -> None:
    assert_inferred(name, batch_of_two(compiled(name)[0]))


@pytest.mark.slow
@pytest.mark.parametrize("length", [1, 7])
@pytest.mark.parametrize("name", [name for name in FORMS if name in SEQUENCES])
def test_every_step_makes_the_inferred_shape_at_other_lengths(name: str, length: int) -> None:
    sizes = {"N": length + 1, "S": 2 * length + 1, "T": length, "I": 3, "P": length - 1}
    assert_inferred(name, {symbol: sizes[symbol] for symbol in compiled(name)[0].sizes})
