"""The proof of a note: an op is what a file says if netspec, writing it again, writes the nodes that are there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx

from netspec.emit.onnx.builder import GraphBuilder, initial
from netspec.emit.onnx.parts import OnnxGraph, OnnxNode, OnnxValue
from netspec.importer.lower.table import tensors_at
from netspec.ops import Op
from netspec.ops.core.foreign import ForeignTensor

Named = Mapping[str, str]
Known = Callable[[str], Any]
"""Gives the numbers that the file has of a name; ``None`` where it has none."""


class WrittenOp(NamedTuple):
    """An op of a note, and its inputs and outputs with their names in the file, ``None`` for those left out.

    ``plain`` are the tensors that the file has as torch has them.
    """

    op: Op
    path: str
    inputs: Sequence[tuple[str, ForeignTensor] | None]
    outputs: Sequence[tuple[str, ForeignTensor] | None]
    state: Mapping[str, ForeignTensor]
    plain: Collection[str] = ()


@dataclass
class MetValues:
    """The values of a file that ops read: one of each name, and those that an op makes for all that come after it, by
    the builder's keys, with their names in the file.
    """

    by_name: dict[str, OnnxValue] = field(default_factory=dict)
    made: dict[Hashable, Any] = field(default_factory=dict)
    names: dict[OnnxValue, str] = field(default_factory=dict)

    def named(self, name: str) -> OnnxValue:
        """Return the value of a name."""
        return self.by_name.setdefault(name, OnnxValue(name))

    def meet(self, made: Mapping[Hashable, Any], names: Mapping[OnnxValue, str]) -> None:
        """Keep what an op has made for others."""
        self.made.update(made)
        self.names.update((value, names[value]) for each in made.values() for value in _values(each) if value in names)


def _values(made: Any) -> Iterator[OnnxValue]:
    if isinstance(made, OnnxValue):
        yield made
    elif isinstance(made, tuple):
        for each in made:
            yield from _values(each)


def is_written_as(
    written: WrittenOp, nodes: Sequence[onnx.NodeProto], known: Known, opset: int, met: MetValues
) -> bool:
    """Return whether these nodes, and no others, are what an op is written as in an opset, after those met before."""
    builder = GraphBuilder(exporter=_exported, opset=opset)
    unread = [at for at, each in enumerate(written.outputs) if each is None]
    held = {name: tensor.constant for name, tensor in written.state.items()}
    plain = {name: initial(f"{written.path}.{name}", held[name]) for name in written.plain}
    builder.begin(written.path, {**held, **plain}, unread)
    builder.made.update(met.made)
    values = {name: met.named(name) for each in written.inputs if each is not None for name in each[:1]}
    names = {**met.names, **{value: name for name, value in values.items()}}
    results = builder.write(
        written.op,
        [None if each is None else values[each[0]] for each in written.inputs],
        tensors_at(None if each is None else each[1] for each in written.inputs),
        tensors_at(None if each is None else each[1] for each in written.outputs),
    )
    if len(builder.nodes) != len(nodes):
        return False
    for node, there in zip(builder.nodes, nodes):
        if not _is_node(node, there, names, known):
            return False
        names.update(zip(node.outputs, there.output))
    pairs = zip(results, (each and each[0] for each in written.outputs))
    if not all(_is_value(value, name or "", names, known) for value, name in pairs if value is not None or name):
        return False
    met.meet(builder.made, names)
    return True


def _exported(op: Op, tensors: Any) -> onnx.ModelProto:
    """Export an op of a plugin, which says itself in PyTorch alone."""
    from netspec.runtime.onnx.exported_op import exported_op

    return exported_op(op, tensors)


def _is_node(node: OnnxNode, there: onnx.NodeProto, names: Mapping[OnnxValue, str], known: Known) -> bool:
    """Return whether a node is the one in the file: its kind, what it reads, its attributes."""
    if (node.domain, node.op_type) != (there.domain, there.op_type) or len(node.outputs) != len(there.output):
        return False
    if len(node.inputs) != len(there.input) or len(node.attributes) != len(there.attribute):
        return False
    if not all(_is_value(value, name, names, known) for value, name in zip(node.inputs, there.input)):
        return False
    found = {each.name: each for each in there.attribute}
    return all(
        name in found and not isinstance(value, OnnxGraph) and _spelled(value) == _spelled(found[name])
        for name, value in node.attributes.items()
    )


def _spelled(attribute: onnx.AttributeProto) -> bytes:
    return bytes(attribute.SerializeToString(deterministic=True))


def _is_value(value: OnnxValue | None, name: str, names: Mapping[OnnxValue, str], known: Known) -> bool:
    """Return whether a value is that of a name in the file: one that was met, or the same numbers."""
    if value is None:
        return not name
    if value in names:
        return names[value] == name
    return value.array is not None and _is_equal(value.array, known(name))


def _is_equal(wanted: Any, found: Any) -> bool:
    if found is None or wanted.shape != found.shape or wanted.dtype.itemsize != found.dtype.itemsize:
        return False
    if wanted.dtype.kind in "biuf" and wanted.dtype != found.dtype:
        return False
    if wanted is found or _place(wanted) == _place(found):
        return True
    return np.ascontiguousarray(wanted).tobytes() == np.ascontiguousarray(found).tobytes()


def _place(array: Any) -> tuple[int, tuple[int, ...]]:
    """Return where the numbers of an array lie."""
    return array.__array_interface__["data"][0], array.strides
