"""Closes the bodies of Scan nodes: what they read of the graph around becomes an input, as OpenVINO takes no captures.

A weight or a constant that one body alone reads is an initializer of its own. Anything else is a state that each
iteration hands on as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.emit.onnx.builder import GraphBuilder
from netspec.emit.onnx.notes import OpNote
from netspec.emit.onnx.parts import OnnxGraph, OnnxNode, OnnxValue, every_node

SMALL = 1024
"""Bytes; smaller numbers that several graphs read stand in each of them."""
Replaced = dict[OnnxValue, OnnxValue]


def close_bodies(builder: GraphBuilder, notes: Sequence[OpNote]) -> list[OpNote]:
    """Close the bodies of a network's Scan nodes; return its notes, with the values that these read now."""
    owners: dict[OnnxValue, int] = {}
    for nodes in _graphs(builder.nodes):
        for value in {
            value for node in nodes for value in node.inputs if value is not None and value.array is not None
        }:
            owners[value] = owners.get(value, 0) + 1
    replaced: dict[OnnxNode, Replaced] = {}
    _close(builder, builder.nodes, owners, replaced)
    return [_renamed(note, replaced.get(note.nodes[0], {})) if note.nodes else note for note in notes]


def _graphs(nodes: Sequence[OnnxNode]) -> Iterator[Sequence[OnnxNode]]:
    """Yield the nodes of a graph, and of the graphs inside it."""
    yield nodes
    for node in nodes:
        if node.body is not None:
            yield from _graphs(node.body.nodes)


def _close(
    builder: GraphBuilder, nodes: Sequence[OnnxNode], owners: dict[OnnxValue, int], replaced: dict[OnnxNode, Replaced]
) -> None:
    """Close the bodies of these nodes, from the innermost on."""
    for node in nodes:
        if node.body is None:
            continue
        _close(builder, node.body.nodes, owners, replaced)
        made = _closed(builder, node, node.body, owners)
        for inner in every_node(node.body.nodes):
            replaced.setdefault(inner, {}).update(made)


def _closed(builder: GraphBuilder, node: OnnxNode, body: OnnxGraph, owners: dict[OnnxValue, int]) -> Replaced:
    """Close a node's body; return what its nodes read in place of what is outside it."""
    own = {*body.inputs, *(value for inner in body.nodes for value in inner.outputs)}
    read = dict.fromkeys(value for inner in body.nodes for value in inner.inputs if value is not None)
    made: Replaced = {}
    initializers: list[OnnxValue] = []
    passed: list[OnnxValue] = []
    for value in read:
        if value in own:
            continue
        if value.array is None or (owners[value] > 1 and value.array.nbytes > SMALL):
            name = builder.claim(f"{node.name}/{value.name}")
            made[value] = OnnxValue(name, value.shape, value.kind)
            passed.append(value)
        elif owners[value] > 1:
            made[value] = OnnxValue(builder.claim(f"{node.name}/const"), value.shape, value.kind, array=value.array)
            initializers.append(made[value])
        else:
            initializers.append(value)
    for inner in body.nodes:
        inner.inputs = [value and made.get(value, value) for value in inner.inputs]
    handed = [_handed(builder, node, made[value]) for value in passed]
    node.inputs = [*passed, *node.inputs]
    node.outputs = [*(OnnxValue(builder.claim(f"{node.name}/last"), node=node) for _ in passed), *node.outputs]
    node.attributes = {
        **node.attributes,
        "body": OnnxGraph(
            body.name,
            [*(made[value] for value in passed), *body.inputs],
            [*(each.outputs[0] for each in handed), *body.outputs],
            [*body.nodes, *handed],
            initializers,
        ),
    }
    return made


def _handed(builder: GraphBuilder, node: OnnxNode, value: OnnxValue) -> OnnxNode:
    """A node that gives a state as it is."""
    name = builder.claim(f"{node.name}/handed")
    made = OnnxNode(name, "", "Identity", [value], {})
    made.outputs = [OnnxValue(name, value.shape, value.kind, made)]
    return made


def _renamed(note: OpNote, made: Replaced) -> OpNote:
    """A note with what its nodes read now."""
    return note._replace(inputs=[value and made.get(value, value) for value in note.inputs]) if made else note
