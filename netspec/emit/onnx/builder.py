"""Writes ONNX nodes: what ops are handed to say themselves in ONNX. Names are spec paths.

The first node of an op is called by the op's path, the next ones ``path/Type``; a value is called as the node that
makes it, a parameter by its ``state_dict`` key, a constant ``path/const``. A result of the network has the output's
name, and what else would be called so gets a number behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

from netspec.diagnostics import EnvironmentFault
from netspec.ops import Op, Tensor

OPSET = 23
EARLY_OPSET = 21
"""The last version of which onnxruntime has all kernels."""
EARLY = {
    "RandomNormalLike": "draws no random numbers",
    "RandomUniformLike": "draws no random numbers",
    "RoiAlign": "has no `roi_align`",
    "MaxRoiPool": "has no `roi_pool`",
}
"""The kinds of ONNX nodes that onnxruntime cannot run as later versions have them, and how that is said."""
LATE = {"Attention": "attention", "RMSNormalization": "rms_norm"}
"""The kinds of ONNX nodes that this version does not have yet, with the ops that need them."""
DTYPES = {
    "float16": ir.DataType.FLOAT16,
    "bfloat16": ir.DataType.BFLOAT16,
    "float32": ir.DataType.FLOAT,
    "float64": ir.DataType.DOUBLE,
    "int32": ir.DataType.INT32,
    "int64": ir.DataType.INT64,
    "bool": ir.DataType.BOOL,
}
"""ONNX's types by the names of torch's dtypes."""


OpExporter = Callable[[Op, Sequence[Tensor | None]], ir.Model]
"""Makes a model of an op alone, whose inputs are those that are not left out, and whose parameters begin with ``OWN``.
"""
OWN = "op."


class GraphBuilder:
    """Collects the nodes and initializers of one graph; ``begin`` says whose nodes come next.

    A graph inside another (the body of a Scan) has a builder of its own; names and initializers are the outer one's.
    """

    def __init__(self, outer: GraphBuilder | None = None, exporter: OpExporter | None = None) -> None:
        self._exporter: OpExporter | None = exporter if outer is None else outer._exporter
        self._domains: dict[str, int] = {} if outer is None else outer._domains
        self.nodes: list[ir.Node] = []
        self.initializers: dict[str, ir.Value] = {} if outer is None else outer.initializers
        self.taken: set[str] = set() if outer is None else outer.taken
        self._nodes_taken: set[str] = set() if outer is None else outer._nodes_taken
        self._path = ""
        self._first = True
        self._parameters: Mapping[str, ir.Value | np.ndarray] = {}
        self._unread: Collection[int] = ()
        self._gates: dict[tuple[object, ...], ir.Value] = {} if outer is None else outer._gates
        self._kinds: set[str] = set() if outer is None else outer._kinds
        self._inner = outer is not None

    def begin(
        self, path: str, parameters: Mapping[str, ir.Value | np.ndarray] | None = None, unread: Collection[int] = ()
    ) -> None:
        """Begin the nodes of the op at ``path``, whose parameters and buffers are these, by torch name.

        An array becomes the initializer ``path.name`` when it is first asked for (``path`` where the name is empty); a
        value is used as it is. ``unread`` are the numbers of the outputs that nothing reads.
        """
        self._path, self._first, self._parameters, self._unread = path, True, parameters or {}, unread

    def input(self, name: str, shape: Sequence[int | str], dtype: str = "float32") -> ir.Value:
        """An input of the graph; a text is a symbolic dimension."""
        return ir.Value(name=self.claim(name), shape=ir.Shape(shape), type=ir.TensorType(DTYPES[dtype]))

    def initializer(self, name: str, array: np.ndarray) -> ir.Value:
        """A named tensor of the graph; the same name gives the same value."""
        if name not in self.initializers:
            self.initializers[name] = _initial(self.claim(name), array)
        return self.initializers[name]

    def op(self, op_type: str, *inputs: ir.Value | None, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node; gives its output, or a tuple of them when ``outputs`` is above one."""
        domain, _, kind = op_type.rpartition("::")
        given = [_attribute(key, value) for key, value in attributes.items()]
        made = self._node(domain, kind, inputs, outputs, given)
        return made[0] if outputs == 1 else made

    def _node(
        self, domain: str, op_type: str, inputs: Sequence[ir.Value | None], outputs: int, given: Sequence[ir.Attr]
    ) -> tuple[ir.Value, ...]:
        self._kinds.add(op_type)
        if domain:
            self._domains.setdefault(domain, 1)
        path = self._path if self._first else f"{self._path}/{op_type}"
        self._first = False
        kept = list(inputs)
        while kept and kept[-1] is None:
            kept.pop()
        name = _free(path, self._nodes_taken)
        names = [self.claim(name)] if outputs == 1 else [self.claim(f"{name}/{index}") for index in range(outputs)]
        made = tuple(ir.Value(name=text) for text in names)
        self.nodes.append(ir.Node(domain, op_type, kept, given, outputs=made, name=name))
        return made

    def exported(self, op: Op, inputs: Sequence[ir.Value | None], tensors: Sequence[Tensor | None]) -> Any:
        """Write the nodes that torch's exporter makes of an op; gives its output, or a tuple of several.

        Raises ``EnvironmentFault`` where it makes none that can stand among others.
        """
        assert self._exporter is not None, f"`{op.name}` has no ONNX form, and torch is not at hand to make one"
        model = self._exporter(op, tensors)
        values: dict[ir.Value, ir.Value | None] = {}
        values.update(zip(model.graph.inputs, (value for value in inputs if value is not None)))
        for name, value in model.graph.initializers.items():
            own = self.parameter(name.removeprefix(OWN)) if name.startswith(OWN) else None
            assert value.const_value is not None
            values[value] = own or self._constant(value.const_value.numpy())
        for node in model.graph:
            given = [*node.attributes.values()]
            if any(attribute.type in (ir.AttributeType.GRAPH, ir.AttributeType.GRAPHS) for attribute in given):
                help = "give its class a method `onnx`"
                raise EnvironmentFault(f"torch exports `{op.name}` as a loop or a branch: {help}")
            read = [None if value is None else values[value] for value in node.inputs]
            made = self._node(node.domain, node.op_type, read, len(node.outputs), given)
            values.update(zip(node.outputs, made))
        results = tuple(values[value] for value in model.graph.outputs)
        return results[0] if len(results) == 1 else results

    def _constant(self, array: np.ndarray) -> ir.Value:
        name = self.claim(f"{self._path}/const")
        self.initializers[name] = _initial(name, array)
        return self.initializers[name]

    def parameter(self, name: str) -> ir.Value | None:
        """The initializer of this op's own parameter or buffer, by its torch name; ``None`` where it has none."""
        held = self._parameters.get(name)
        key = f"{self._path}.{name}" if name else self._path
        return self.initializer(key, held) if isinstance(held, np.ndarray) else held

    def gates(self, name: str, rows: Sequence[Sequence[str]], order: Sequence[int]) -> ir.Value:
        """An initializer ``path.name`` made of parameters; the same parameters in the same order give the same value.

        Each is cut into ``len(order)`` equal blocks along its first dimension, which are put in that order; those of a
        row are joined, and the rows stacked.
        """
        arrays = [[self._array(each) for each in row] for row in rows]
        sources = tuple(tuple(array.__array_interface__["data"][0] for array in row) for row in arrays)
        key = (sources, tuple(order))
        if key not in self._gates:
            made = [np.concatenate([_reordered(array, order) for array in row]) for row in arrays]
            self._gates[key] = self.initializer(f"{self._path}.{name}", np.stack(made))
        return self._gates[key]

    def _array(self, name: str) -> np.ndarray:
        held = self._parameters[name]
        if isinstance(held, np.ndarray):
            return held
        assert held.const_value is not None, "gates are made of initializers"
        return held.const_value.numpy()

    def reads(self, output: int) -> bool:
        """Return whether anything reads the op's output of that number."""
        return output not in self._unread

    def constant(self, value: Any, dtype: str = "int64") -> ir.Value:
        """A constant tensor from a number or nested lists."""
        return self._constant(np.asarray(value, DTYPES[dtype].numpy()))

    def cast(self, x: ir.Value, dtype: str) -> ir.Value:
        """The value in another dtype, by torch's name of it."""
        made: ir.Value = self.op("Cast", x, to=DTYPES[dtype].value)
        return made

    def carry(self, x: ir.Value, dtype: str) -> ir.Value:
        """The value in another dtype, by a node beside those of the op."""
        first, self._first = self._first, False
        made = self.cast(x, dtype)
        self._first = first
        return made

    def graph(self, name: str, inputs: Sequence[ir.Value], outputs: Sequence[ir.Value]) -> ir.Graph:
        """The graph of what was written so far."""
        initializers = [] if self._inner else list(self.initializers.values())
        imports = {"": self.opset(), **self._domains}
        return ir.Graph(inputs, outputs, nodes=self.nodes, initializers=initializers, opset_imports=imports, name=name)

    def opset(self) -> int:
        """Return the version of ONNX's ops to write. Raises ``EnvironmentFault`` where none has all that is needed."""
        early = " and ".join(dict.fromkeys(text for kind, text in EARLY.items() if kind in self._kinds))
        if not early:
            return OPSET
        late = " and ".join(f"`{op}`" for kind, op in LATE.items() if kind in self._kinds)
        if late:
            repair = ": make the noise an input of the network, or draw it `when: training` only"
            raise EnvironmentFault(
                f"onnxruntime {early} at opset {OPSET}, which {late} needs{repair if 'random' in early else ''}"
            )
        return EARLY_OPSET

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


def _initial(name: str, array: np.ndarray) -> ir.Value:
    tensor = ir.Tensor(array, name=name)
    return ir.Value(name=name, shape=ir.Shape(array.shape), type=ir.TensorType(tensor.dtype), const_value=tensor)


def _attribute(name: str, value: Any) -> ir.Attr:
    """The attribute. A list of numbers is typed here: onnx_ir would try a dozen protocols on it first."""
    if isinstance(value, (list, tuple)) and not value:
        return ir.AttrInt64s(name, [])
    if isinstance(value, (list, tuple)):
        kinds = {type(item) for item in value}
        if kinds == {int}:
            return ir.AttrInt64s(name, value)
        if kinds == {float}:
            return ir.AttrFloat32s(name, value)
    if isinstance(value, ir.Graph):
        return ir.AttrGraph(name, value)
    return ir.convenience.convert_attribute(name, value)
