"""Writes ONNX nodes: what ops are handed to say themselves in ONNX. Names are spec paths.

The first node of an op is called by the op's path, the next ones ``path/Type``; a value is called as the node that
makes it, a parameter by its ``state_dict`` key, a constant ``path/const``. A result of the network has the output's
name, and what else would be called so gets a number behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import onnx
from onnx import helper, numpy_helper

from netspec.diagnostics import EnvironmentFault
from netspec.emit.onnx.names import name_in_form
from netspec.emit.onnx.older import NodeCall, spell
from netspec.emit.onnx.parts import Attribute, OnnxGraph, OnnxNode, OnnxValue, attribute, bounded
from netspec.emit.onnx.versions import USUAL, kind_of, least_opset, said_plainly, since
from netspec.ops import HALVES, Op, Tensor

DTYPES = {
    "float16": onnx.TensorProto.FLOAT16,
    "bfloat16": onnx.TensorProto.BFLOAT16,
    "float32": onnx.TensorProto.FLOAT,
    "float64": onnx.TensorProto.DOUBLE,
    "int32": onnx.TensorProto.INT32,
    "int64": onnx.TensorProto.INT64,
    "bool": onnx.TensorProto.BOOL,
    "uint8": onnx.TensorProto.UINT8,
    "string": onnx.TensorProto.STRING,
}
"""ONNX's types by the names of torch's dtypes."""

REALS = frozenset(DTYPES[dtype] for dtype in ("float32", *HALVES))
DOMAINS = {"ai.onnx.ml": 2}
"""The versions of domains beside ONNX's own, where nodes are of a later one than the first."""


OpExporter = Callable[[Op, Sequence[Tensor | None]], onnx.ModelProto]
"""Makes a model of an op alone, whose inputs are those that are not left out, and whose parameters begin with ``OWN``.
"""
OWN = "op."


class NamedArray(NamedTuple):
    """A tensor of the network by its key, where that is not under the path of the op that reads it."""

    key: str
    array: np.ndarray


Held = OnnxValue | np.ndarray | NamedArray
"""A parameter or buffer of an op: an array becomes an initializer when it is asked for, a value is one already."""


class OpsInHalf(Protocol):
    """Writes the ops of a network whose weights and products are in ``dtype``, of 16 bits."""

    @property
    def dtype(self) -> str:
        """The dtype, by torch's name."""

    def made(self, tensor: Tensor) -> Tensor:
        """Return a tensor of the graph as the states of scans have it."""

    def write(
        self,
        builder: GraphBuilder,
        op: Op,
        inputs: Sequence[OnnxValue | None],
        tensors: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
    ) -> list[OnnxValue | None]:
        """Write the nodes of an op; return its results."""


class GraphBuilder:
    """Collects the nodes and initializers of one graph; ``begin`` says whose nodes come next.

    A graph inside another (the body of a Scan) has a builder of its own; names and initializers are the outer one's.
    ``opset`` is the version that nodes are written in, and ``late`` has those that need a later one: their kinds, by
    the opset and the path of the op. ``half`` says which ops are in 16 bits, if any are, and ``real`` what weights are
    in now; ``entries`` are float32 at the edge of the network, and count as in half.
    """

    def __init__(
        self,
        outer: GraphBuilder | None = None,
        exporter: OpExporter | None = None,
        opset: int = USUAL,
        half: OpsInHalf | None = None,
    ) -> None:
        self.opset: int = opset if outer is None else outer.opset
        self.late: dict[tuple[int, str], str] = {} if outer is None else outer.late
        self._exporter: OpExporter | None = exporter if outer is None else outer._exporter
        self._domains: dict[str, int] = {} if outer is None else outer._domains
        self.nodes: list[OnnxNode] = []
        self.initializers: dict[str, OnnxValue] = {} if outer is None else outer.initializers
        self.taken: set[str] = set() if outer is None else outer.taken
        self._nodes_taken: set[str] = set() if outer is None else outer._nodes_taken
        self.path = ""
        self._first = True
        self.parameters: Mapping[str, Held] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], OnnxValue] = {}
        self.made: dict[Hashable, Any] = {}
        self._unread: Collection[int] = ()
        self._gates: dict[tuple[object, ...], OnnxValue] = {} if outer is None else outer._gates
        self.half: OpsInHalf | None = half if outer is None else outer.half
        self.real: str = "float32" if self.half is None else self.half.dtype
        self.entries: set[OnnxValue] = set()
        self._casts: dict[tuple[OnnxValue, str], OnnxValue] = {}

    def begin(self, path: str, parameters: Mapping[str, Held] | None = None, unread: Collection[int] = ()) -> None:
        """Begin the nodes of the op at ``path``, whose parameters and buffers are these, by torch name.

        An array becomes the initializer ``path.name`` when it is first asked for (``path`` where the name is empty); a
        value is used as it is. ``unread`` are the numbers of the outputs that nothing reads.
        """
        self.path, self._first, self.parameters, self._unread = path, True, parameters or {}, unread

    def input(self, name: str, shape: Sequence[int | str], dtype: str = "float32") -> OnnxValue:
        """An input of the graph; a text is a symbolic dimension."""
        return OnnxValue(self.claim(name), shape, DTYPES[dtype])

    def initializer(self, name: str, array: np.ndarray) -> OnnxValue:
        """A named tensor of the graph; the same name gives the same value."""
        if name not in self.initializers:
            self.initializers[name] = made = initial(self.claim(name), array)
            if array.dtype == np.float32:
                made.kind = DTYPES[self.real]  # its numbers are rounded when all nodes are there
        return self.initializers[name]

    def has(self, kind: str) -> bool:
        """Return whether the opset has nodes of a kind."""
        return since(kind) <= self.opset

    def op(self, op_type: str, *inputs: OnnxValue | None, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node, as the newest opset has it, in the form of the opset of the file; gives its output, or a tuple of
        them when ``outputs`` is above one.
        """
        domain, _, kind = op_type.rpartition("::")
        return spell(self, NodeCall(kind, inputs, attributes, outputs, domain), self.opset)

    def add(self, node: NodeCall) -> Any:
        """Add a node as it stands; gives its output, or a tuple of several."""
        kept = [*node.inputs]
        while kept and kept[-1] is None:
            kept.pop()
        given: Mapping[str, Attribute] = {key: attribute(key, each) for key, each in node.attributes.items()}
        if node.domain:
            self._domains.setdefault(node.domain, DOMAINS.get(node.domain, 1))
        else:
            given = said_plainly(node.kind, given)
            needed = least_opset(node.kind, len(kept), node.outputs, frozenset(given))
            if needed > self.opset:
                self.late[needed, self.path] = node.kind
        path = self.path if self._first else f"{self.path}/{node.kind}"
        self._first = False
        name = _free(path, self._nodes_taken)
        several = node.outputs != 1
        names = [self.claim(f"{name}/{at}") for at in range(node.outputs)] if several else [self.claim(name)]
        made = OnnxNode(name, node.domain, node.kind, kept, given)
        made.outputs = tuple(OnnxValue(text, node=made) for text in names)
        self.nodes.append(made)
        return made.outputs if several else made.outputs[0]

    def exported(self, op: Op, inputs: Sequence[OnnxValue | None], tensors: Sequence[Tensor | None]) -> Any:
        """Write the nodes that torch's exporter makes of an op; gives its output, or a tuple of several.

        Raises ``EnvironmentFault`` where it makes none that can stand among others.
        """
        assert self._exporter is not None, f"`{op.name}` has no ONNX form, and torch is not at hand to make one"
        model = self._exporter(op, tensors)
        graph = model.graph
        values: dict[str, OnnxValue | None] = {"": None}
        values.update(zip((each.name for each in graph.input), (value for value in inputs if value is not None)))
        for tensor in graph.initializer:
            own = self.parameter(tensor.name.removeprefix(OWN)) if tensor.name.startswith(OWN) else None
            values[tensor.name] = own or self._constant(numpy_helper.to_array(tensor))
        for node in graph.node:
            if any(each.type in (each.GRAPH, each.GRAPHS) for each in node.attribute):
                help = "give its class a method `onnx`"
                raise EnvironmentFault(f"torch exports `{op.name}` as a loop or a branch: {help}")
            given = {each.name: each for each in node.attribute}
            inputs = [values[name] for name in node.input]
            made = spell(self, NodeCall(node.op_type, (*inputs,), given, len(node.output), node.domain), self.opset)
            values.update(zip(node.output, made if isinstance(made, tuple) else (made,)))
        results = tuple(values[each.name] for each in graph.output)
        return results[0] if len(results) == 1 else results

    def _constant(self, array: np.ndarray) -> OnnxValue:
        """An initializer of numbers; equal ones of a graph are one."""
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._constants:
            name = self.claim(f"{self.path}/const")
            self._constants[key] = self.initializers[name] = initial(name, array)
        return self._constants[key]

    def parameter(self, name: str) -> OnnxValue | None:
        """The initializer of this op's own parameter or buffer, by its torch name; ``None`` where it has none."""
        held = self.parameters.get(name)
        if held is None:
            return None
        value = held if isinstance(held, OnnxValue) else self.initializer(*_named(self.path, name, held))
        return value if self.half is None or value.kind not in REALS else self.read(value, self.real)

    def turned(self, name: str, part: tuple[int, int] | None = None) -> OnnxValue | None:
        """The transposed parameter as an initializer ``key/T``, or ``key/0/T`` for ``part`` 0 of so many of its rows.

        ``None`` for one that other ops read as it is: it would stand in the file twice.
        """
        held = self.parameters[name]
        if isinstance(held, OnnxValue):
            return None
        key, array = _named(self.path, name, held)
        at = None if part is None else part[0]
        array = array if part is None else np.split(array, part[1])[part[0]]
        return self.initializer(name_in_form(key, at, turned=True), array.T)

    def part(self, name: str, at: int, count: int) -> OnnxValue | None:
        """One of ``count`` equal parts of a parameter as an initializer ``key/0``; ``None`` as of ``turned``."""
        held = self.parameters[name]
        if isinstance(held, OnnxValue):
            return None
        key, array = _named(self.path, name, held)
        return self.initializer(name_in_form(key, at), np.split(array, count)[at])

    def gates(self, name: str, rows: Sequence[Sequence[str]], order: Sequence[int]) -> OnnxValue:
        """An initializer ``path.name`` made of parameters; the same parameters in the same order give the same value.

        Each is cut into ``len(order)`` equal blocks along its first dimension, which are put in that order; those of a
        row are joined, and the rows stacked.
        """
        arrays = [[self._array(each) for each in row] for row in rows]
        sources = tuple(tuple(array.__array_interface__["data"][0] for array in row) for row in arrays)
        key = (sources, tuple(order))
        if key not in self._gates:
            made = [np.concatenate([_reordered(array, order) for array in row]) for row in arrays]
            self._gates[key] = self.initializer(f"{self.path}.{name}", np.stack(made))
        return self._gates[key]

    def _array(self, name: str) -> np.ndarray:
        held = self.parameters[name]
        if isinstance(held, np.ndarray):
            return held
        assert held.array is not None, "gates are made of initializers"
        return held.array

    def once(self, key: Hashable, made: Callable[[], Any]) -> Any:
        """Return what ``made`` writes; what was written for the same key in the same graph is not written again."""
        if key not in self.made:
            self.made[key] = made()
        return self.made[key]

    def reads(self, output: int) -> bool:
        """Return whether anything reads the op's output of that number."""
        return output not in self._unread

    def constant(self, value: Any, dtype: str = "int64") -> OnnxValue:
        """A constant tensor from a number or nested lists."""
        if dtype in HALVES:
            return self._constant(bounded(np.asarray(value, np.float64), DTYPES[dtype]))
        return self._constant(np.asarray(value, helper.tensor_dtype_to_np_dtype(DTYPES[dtype])))

    def cast(self, x: OnnxValue, dtype: str) -> OnnxValue:
        """The value in another dtype, by torch's name of it."""
        made: OnnxValue = self.op("Cast", x, to=DTYPES[dtype])
        return made

    def write(
        self,
        op: Op,
        inputs: Sequence[OnnxValue | None],
        tensors: Sequence[Tensor | None],
        outputs: Sequence[Tensor],
    ) -> list[OnnxValue | None]:
        """Write the nodes of an op, whose inputs and outputs are these tensors; return its results.

        Where ONNX's nodes lack a dtype they run in another, between casts.
        """
        if self.half is not None:
            return self.half.write(self, op, inputs, tensors, outputs)
        carried = [tensor and Tensor(tensor.shape, op.carrier(tensor.dtype)) for tensor in tensors]
        read = [
            self._carry(value, to) if value is not None and to is not None and to != tensor else value
            for value, tensor, to in zip(inputs, tensors, carried)
        ]
        made = op.onnx(self, *read, tensors=carried)  # type: ignore[arg-type]
        results: list[OnnxValue | None] = [*made] if isinstance(made, tuple) else [made]
        if carried == [*tensors]:
            return results
        return [value if value is None else self._carry(value, tensor) for value, tensor in zip(results, outputs)]

    def _carry(self, x: OnnxValue, to: Tensor) -> OnnxValue:
        """The value in another dtype, by a node beside those of the op."""
        first, self._first = self._first, False
        made = self.cast(x, to.dtype)
        self._first = first
        return made

    def read(self, x: OnnxValue, dtype: str) -> OnnxValue:
        """Return a value in a dtype: as it is, or by a cast, which is one for all that read it so."""
        if kind_of(x, self.opset) in (DTYPES[dtype], 0):
            return x
        if (x, dtype) not in self._casts:
            self._casts[x, dtype] = made = self._carry(x, Tensor((), dtype))
            if x.shape is not None:
                made.shape, made.kind = x.shape, DTYPES[dtype]
        return self._casts[x, dtype]

    def graph(self, name: str, inputs: Sequence[OnnxValue], outputs: Sequence[OnnxValue]) -> OnnxGraph:
        """The graph of what was written so far."""
        return OnnxGraph(name, inputs, outputs, self.nodes)

    def kept(self) -> list[OnnxValue]:
        """Return the initializers that nodes of the graph itself read."""
        read = {value for node in self.nodes for value in node.inputs}
        return [value for value in self.initializers.values() if value in read]

    def model(self, graph: OnnxGraph, ir_version: int) -> onnx.ModelProto:
        """The model of a graph, without weights and metadata."""
        versions = {"": self.opset, **self._domains}
        imports = [helper.make_opsetid(domain, version) for domain, version in sorted(versions.items())]
        return onnx.ModelProto(ir_version=ir_version, opset_import=imports, graph=graph.proto())

    def claim(self, name: str) -> str:
        """A value's name, with a number where it is taken."""
        return _free(name, self.taken)


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number where it is taken; it is taken then."""
    free, count = name, 0
    while free in taken:
        count += 1
        free = f"{name}_{count}"
    taken.add(free)
    return free


def _reordered(array: np.ndarray, order: Sequence[int]) -> np.ndarray:
    blocks = np.split(array, len(order))
    return np.concatenate([blocks[at] for at in order])


def initial(name: str, array: np.ndarray) -> OnnxValue:
    """Return an initializer."""
    return OnnxValue(name, array.shape, helper.np_dtype_to_tensor_dtype(array.dtype), array=array)


def _named(path: str, name: str, held: np.ndarray | NamedArray) -> NamedArray:
    """Return the array of a parameter of the op at a path, with its key."""
    if isinstance(held, NamedArray):
        return held
    return NamedArray(f"{path}.{name}" if name else path, held)
