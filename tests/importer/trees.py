"""Trees of levels from compiled graphs, as importing a module makes them, and what makes two graphs the same."""

from __future__ import annotations

from typing import Any

from netspec.graph import Call, Graph, Level, Node, Step, Value
from netspec.importer.tree import ModuleLevel, NetworkTree, OpNode, Ref, TreeNode


def tree_of(graph: Graph) -> NetworkTree:
    """Return a graph as the tree that importing its module makes."""
    body = _level(graph.body, "", "")
    return NetworkTree(graph.name, body, tuple(graph.inputs), tuple(graph.outputs), graph.sizes, graph.doc)


def can_be_tree(graph: Graph) -> bool:
    """Return whether a tree can say a graph: none of its inputs may be left out, and it has no scan."""
    levels, waiting = set(), [graph.body]
    while waiting:
        level = waiting.pop()
        levels.add(level)
        waiting += [step.body for step in level.steps if isinstance(step, Call) and step.body not in levels]
    return not any(level.loop or any(value.optional for value in level.inputs) for level in levels)


def _level(level: Level, name: str, path: str) -> ModuleLevel:
    places = {value: Ref(-1, at) for at, value in enumerate(level.inputs)}
    body: list[TreeNode] = []
    for step in level.steps:
        where = f"{path}.{step.name}" if path else step.name
        node = _node(step, where)
        node.inputs = tuple(None if value is None else places[value] for value in _read(step))
        node.outputs = tuple(value.tensor for value in step.outputs)
        node.shared = ".".join([path, step.shares] if path else [step.shares]) if step.shares else ""
        places.update((value, Ref(len(body), port)) for port, value in enumerate(step.outputs))
        body.append(node)
    results = tuple(places[value] for value in level.outputs)
    takes = tuple(value.tensor for value in level.inputs)
    return ModuleLevel(name, (), (), body=body, takes=takes, results=results, kind=f"nets.{level.title}")


def _read(step: Step) -> list[Value | None]:
    if isinstance(step, Call):
        return list(step.inputs)
    arranged = step.arranged(step.inputs)
    return arranged if step.op.variadic else arranged[: len(step.op.ports)]


def _node(step: Step, path: str) -> TreeNode:
    if isinstance(step, Call):
        return _level(step.body, step.name if holds(step.body) else "", path)
    keyed = bool(step.state)
    fields = type(step.op).model_fields
    arguments = {name: getattr(step.op, name) for name in fields if getattr(step.op, name) != fields[name].default}
    return OpNode(
        step.name if keyed and not step.shares else "", (), (), op=step.op.name, arguments=arguments, keyed=keyed,
        tied=dict(step.ties),
    )  # fmt: skip


def holds(level: Level) -> bool:
    """Return whether a level holds tensors of the ``state_dict``."""
    return any(step.state if isinstance(step, Node) else holds(step.body) for step in level.steps)


PARTS: dict[Any, list[int]] = {}
"""The values that were joined in one, by its hash and the op: a join of joins is one join."""


def meaning(graph: Graph) -> Any:
    """Return what two graphs have in common that compute the same from the same keys, whatever their steps are called.

    It is a hash for each output: of the op, its arguments and keys, and of what it reads.
    """
    known: dict[Value, int] = {value: hash(("input", name)) for name, value in graph.inputs.items()}
    _walk(graph.body, "", known, {})
    inside = dict(zip(graph.body.output_names, graph.body.outputs))
    return {name: known[inside.get(name, output.value)] for name, output in graph.outputs.items()}


def _walk(level: Level, prefix: str, known: dict[Value, int], shared: dict[str, str]) -> None:
    for step in level.steps:
        path = prefix + step.name
        shared[path] = shared[prefix + step.shares] if step.shares else path
        if isinstance(step, Call):
            inner = dict(zip(step.body.inputs, (known[value] for value in step.inputs)))
            _walk(step.body, shared[path] + ".", inner, shared)
            known.update((value, inner[result]) for value, result in zip(step.outputs, step.body.outputs))
            continue
        reads = [known[value] for value in step.inputs]
        if step.op.name == "identity":
            known[step.outputs[0]] = reads[0]
            continue
        if step.op.name in ("add", "multiply"):
            reads = sorted(reads)
        if step.op.name == "concat":
            reads = [part for read in reads for part in PARTS.get((read, step.op), [read])]
        keys = shared[path] if step.state else ""
        whole = hash((step.op, tuple(reads), step.ports, keys, step.ties, tuple(step.state)))
        known.update((value, hash((whole, port, value.tensor))) for port, value in enumerate(step.outputs))
        if step.op.name == "concat":
            PARTS[known[step.outputs[0]], step.op] = reads
