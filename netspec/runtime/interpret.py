"""The meaning of a graph without the source that is written for it: each node is run by itself, in order.

A module is held against this. Every op is made and run by its own lines of PyTorch, with its weights from the state
dict; which levels share a class, which variables hold what, and what is taken out of a loop plays no part.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import chain, count
from types import CodeType
from typing import Any

import torch
from torch import Tensor, nn

from netspec.elaborate.passes.sizes import small_sizes
from netspec.graph import Graph, Level, Node, Step, Value, axis_of_time
from netspec.ops import ForwardCall
from netspec.ops.tensors.held import FLEETING
from netspec.runtime.fixed_noise import fixed_noise, is_random
from netspec.runtime.own_modules import op_scope
from netspec.runtime.reference import Made, Reference, as_taken, exactly, made_by
from netspec.runtime.single import constructor, own_module

VARIABLES = "abcdefghijklmnopqrstuvwxyz"

TOLERANCE = 1e-4

Held = Tensor | None
"""The tensor of a value while the graph runs; ``None`` for an input that the caller leaves out."""


def interpret(
    graph: Graph, state: Mapping[str, Tensor], inputs: Mapping[str, Held], training: bool = False
) -> dict[str, Tensor]:
    """The outputs of a graph by name, with weights and buffers keyed as in ``state_dict``."""
    reader = Interpreter(state, training)
    given = [inputs.get(name) for name in graph.body.input_names]
    results = dict(zip(graph.body.output_names, reader.level(graph.body, given, "")))
    shown = {name: results[name] for name, output in graph.outputs.items() if training or not output.training}
    return {name: result for name, result in shown.items() if result is not None}


class Misbuilt(Exception):
    """The module that was made for a graph does not do what the graph says."""


def check_module(graph: Graph, module: nn.Module) -> float:
    """Hold a module against its graph, as ``check_reference`` does."""
    return check_reference(Reference(graph, module))


def check_reference(reference: Reference) -> float:
    """Hold a module's outputs against its graph at small sizes; gives the largest relative difference of one.

    Raises ``Misbuilt`` where that is more than rounding: no spec can bring that about, only a fault of netspec.
    """
    graph, module, sizes = reference.graph, reference.module, small_sizes(reference.graph)
    rows = reference.rows(sizes)
    if rows is not None and (difference := _from_graph(graph, module, *rows)) <= TOLERANCE:
        return difference
    inputs = reference.inputs(sizes)
    difference = _from_graph(graph, module, inputs, reference.made(sizes))
    if difference > TOLERANCE:  # a deep network may amplify single precision's rounding beyond any fixed tolerance
        difference = difference_from_graph(graph, copy.deepcopy(module).double(), inputs)
    if difference > TOLERANCE:
        raise Misbuilt(f"the module differs by {difference:.1e} (max|Δ|/max|y|) from its graph, run node by node")
    return difference


def difference_from_graph(graph: Graph, module: nn.Module, inputs: Mapping[str, Tensor]) -> float:
    """max|Δ| / max|y| over the outputs in inference, of the module and of its graph; infinite ones must be alike."""
    return _from_graph(graph, module, inputs, made_by(module, inputs, is_random(graph)))


def _from_graph(graph: Graph, module: nn.Module, inputs: Mapping[str, Tensor], made: Made) -> float:
    given = {name: as_taken(each, module) for name, each in inputs.items()}
    with exactly(), fixed_noise(is_random(graph)):
        wanted = interpret(graph, module.state_dict(keep_vars=True), given)
    computed = made if isinstance(made, dict) else dict.fromkeys(wanted, made)
    return max(_difference(want, computed[name]) for name, want in wanted.items())


def _difference(want: Tensor, got: Tensor) -> float:
    if want.shape != got.shape or want.dtype != got.dtype:
        return math.inf
    want, got = want.double(), got.double()
    finite = want.isfinite()
    alike = torch.allclose(want[~finite], got[~finite], rtol=0, atol=0, equal_nan=True)
    if not alike or not got[finite].isfinite().all():
        return math.inf
    apart = (want - got)[finite].abs()
    return float(apart.max() / want[finite].abs().max().clamp(min=1e-30)) if len(apart) else 0.0


class Interpreter:
    """Runs levels. A step's home is the path of its module: another step's, where it shares that one's."""

    def __init__(self, state: Mapping[str, Tensor], training: bool):
        self.state, self.training = state, training

    def level(self, level: Level, inputs: Sequence[Held], prefix: str) -> list[Held]:
        """The outputs of a level; nothing where they are made in training only."""
        values: dict[Value, Held] = dict(zip(level.inputs, inputs))
        for step in level.steps:
            if step.training and not self.training:
                values.update(dict.fromkeys(step.outputs))
            else:
                home = prefix + (step.shares or step.name)
                values.update(zip(step.outputs, self.step(step, [values[each] for each in step.inputs], home, level)))
        return [values[value] for value in level.outputs]

    def step(self, step: Step, inputs: Sequence[Held], home: str, level: Level) -> Sequence[Held]:
        """The outputs of a step."""
        if isinstance(step, Node):
            return self.node(step, inputs, home, level)
        run = self.level if step.body.loop is None else self.scan
        return run(step.body, inputs, f"{home}.")

    def scan(self, body: Level, inputs: Sequence[Held], prefix: str) -> list[Held]:
        """The body once for each step of the sequences."""
        assert body.loop is not None
        loop = body.loop
        sequences, fixed = inputs[: loop.sequences], inputs[loop.sequences + loop.states :]
        states = inputs[loop.sequences :][: loop.states]
        cut = [
            each.unbind(axis_of_time(value.shape)) for value, each in zip(body.inputs, sequences) if each is not None
        ]
        iterations = list(zip(*cut))
        count = len(body.outputs) - loop.states
        collected: list[Sequence[Held]] = []
        numbered = [*enumerate(iterations)]
        for at, slices in reversed(numbered) if loop.reverse else numbered:
            results = self.iteration(body, at, [*slices, *states, *fixed], prefix)
            collected.append(results[:count])
            states = results[count:]
        ordered = collected[::-1] if loop.reverse else collected
        stacked = [
            torch.stack([each for each in column if each is not None], axis_of_time(value.shape))
            for value, column in zip(body.outputs, zip(*ordered))
        ]
        return [*stacked, *states]

    def iteration(self, body: Level, at: int, inputs: Sequence[Held], prefix: str) -> list[Held]:
        """The outputs of a scan's body for one step of the sequences, whose number is ``at``."""
        return self.level(body, inputs, prefix)

    def node(self, node: Node, inputs: Sequence[Held], home: str, level: Level) -> Sequence[Held]:
        """The outputs of one op, by the lines that say it alone."""
        held, ports = node.arranged(inputs), () if node.op.variadic else node.op.ports
        given = [value is not None for value in node.arranged(node.inputs)]
        bears = [at < len(ports) and node.op.may_be_none(ports[at]) for at in range(len(held))]
        absent = [at for at in range(len(held)) if given[at] and held[at] is None and not bears[at]]
        if absent and node.outputs[0].optional:
            return [None] * len(node.outputs)
        op, tensors = node.without(absent)
        given = [have and at not in absent for at, have in enumerate(given)]
        names = [VARIABLES[at] if at < 26 else f"a{at}" for at in range(len(held))]
        arguments = [name if have else None for name, have in zip(names, given)]
        several = len(node.outputs) > 1
        targets = [f"made{at}" if value in level.uses or not several else None for at, value in enumerate(node.outputs)]
        taken = {*names, *(target for target in targets if target)}

        def fresh(wish: str) -> str:
            name = next(each for each in chain([wish], (f"{wish}{at}" for at in count(2))) if each not in taken)
            taken.add(name)
            return name

        holder: Any = nn.Module()
        holder.training = self.training
        if op.has_module:
            holder.op = self.module(node, home)
        module = "self.op" if op.has_module else None
        lines = op.statements(ForwardCall(module, arguments, targets, tensors, fresh))
        scope = op_scope(op, self=holder, **dict(zip(names, held)))
        exec(_compiled("\n".join(lines)), scope)
        return [None if target is None else scope[target] for target in targets]

    def module(self, node: Node, home: str) -> Any:
        """The node's own module with its own weights; a parameter or a buffer by itself is a tensor."""
        made = node.op.module(*node.tensors)
        tied = dict(node.ties)
        prefix = home.removesuffix(node.shares or node.name)
        own = {name: self.state[tied.get(name, node.key(prefix, name))] for name in node.state}
        if "" in own:
            return own[""]
        if made.wrap == FLEETING:
            return self.alike(eval(constructor(made), op_scope(node.op)))
        return own_module(node, own).train(self.training)

    def alike(self, buffer: Tensor) -> Tensor:
        """A buffer that no checkpoint has, where the weights are and in their precision."""
        weight = next((each for each in self.state.values() if each.is_floating_point()), buffer)
        return buffer.to(weight.device, weight.dtype if buffer.is_floating_point() else None)


@lru_cache(maxsize=4096)
def _compiled(text: str) -> CodeType:
    return compile(text, "<op>", "exec")
