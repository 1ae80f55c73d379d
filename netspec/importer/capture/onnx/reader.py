"""Goes through an ONNX graph once, node by node, knowing the shape of all that it has met."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import onnx

from netspec.dims import Dim
from netspec.importer.capture.control.scans import Undecided, place_scans
from netspec.importer.capture.onnx.control.reading import CONTROL, ControlReader
from netspec.importer.capture.onnx.idioms import say_idioms
from netspec.importer.capture.onnx.keys import give_keys
from netspec.importer.capture.onnx.known import Unfoldable, folded, is_symbolic, numbers, whole
from netspec.importer.capture.onnx.layout.affine import say_affine
from netspec.importer.capture.onnx.layout.channels_first import put_channels_first
from netspec.importer.capture.onnx.layout.in_order import say_plainly
from netspec.importer.capture.onnx.merges import drop_unread, merge
from netspec.importer.capture.onnx.nodes import NodeReader
from netspec.importer.capture.onnx.own.notes import quoted_sizes, silent_ops
from netspec.importer.capture.onnx.own.reading import OwnReader
from netspec.importer.capture.onnx.rewrites import simpler
from netspec.importer.capture.onnx.scopes import identifier, key_of, node_scopes, port_names
from netspec.importer.capture.onnx.sizes import dtype_of_sizes, enlarge_sizes, measured
from netspec.importer.capture.onnx.table import MALFORMED, Declared, NodeTable
from netspec.importer.capture.onnx.undone import Layouts
from netspec.importer.lower.table import WrongReading
from netspec.importer.program import ForeignProgram, ForeignStep, LoweringProblem, ModuleCall
from netspec.ops.core.foreign import ForeignCall, ForeignTensor
from netspec.weights.files.onnx_file import OnnxFile

Names = dict[str, Any]
MOST_NODES, MOST_DEPTH = 40_000, 64
LAYOUT = frozenset({"Transpose", "Cast", "Identity"})
"""The nodes that a weight stays itself through."""
ALIASES = frozenset({"Identity", "Dropout"})
OWN_PRODUCER, OWN_DOMAINS = "netspec", ("", "ai.onnx")
SPATIAL_RANK = 4
MADE_UP_SIZE = re.compile(r"(s|u|unk_*|dim_?|d)\d+|None")
"""The names that an exporter made, of sizes that have none."""


class OnnxReader:
    """Reads a file. ``sized`` has the values of whole numbers that depend on symbolic dimensions, ``rounded`` those of
    them that stand for fractions, ``own`` reads what netspec's notes say; without ``notes`` these are not read.
    """

    def __init__(self, file: OnnxFile, notes: bool = True):
        self.file = file
        self.model = file.model
        self.program = ForeignProgram(name_of(file), {}, {}, [], {}, doc=plain_text(self.model.doc_string))
        self.sizes: dict[str, int] = {}
        self.program.sizes = self.sizes
        self.symbols: dict[str, Dim] = {}
        self.sized: dict[ForeignTensor, Any] = {}
        self.rounded: set[ForeignTensor] = set()
        self.layouts = Layouts()
        self.table = NodeTable(self.program)
        versions = {each.domain: each.version for each in self.model.opset_import}
        self.nodes = NodeReader(file, versions)
        self.functions = {(each.domain, each.name): each for each in self.model.functions}
        self.declared = {each.name: each for each in (*self.model.graph.value_info, *self.model.graph.output)}
        self.count = 0
        self.undecided = ""
        self.doubled: list[str] = []
        silent = silent_ops(self.model.graph)
        self.own = OwnReader(self.program, self.table, silent, self.output, versions.get("", 0)) if notes else None
        self.dotted = self.model.producer_name == OWN_PRODUCER

    def read(self) -> ForeignProgram:
        """Return the program. Raises ``UsageError`` where the file is broken."""
        graph = self.model.graph
        if len(graph.node) > MOST_NODES:
            raise self.file.wrong(f"it has {len(graph.node)} nodes, more than {MOST_NODES}")
        names: Names = {"": None}
        for proto in graph.initializer:
            names[proto.name] = self.initializer(proto)
        given = [value for value in graph.input if value.name not in names]
        for name, value in zip(self.ports(given, "input"), given):
            names[value.name] = self.program.inputs[name] = self.input(value)
        self.graph(graph.node, names, ())
        for name, value in zip(self.ports(graph.output, "output"), graph.output):
            made = self.computed(self.at(names, value.name))
            if not isinstance(made, ForeignTensor):
                raise self.file.wrong(f"output `{value.name}` is no tensor")
            names[value.name] = made
            self.program.outputs[name] = self.own.result(value.name, names) if self.own else made
        said = self.own.said if self.own else {}
        self.program.own = all(step in said or step.loop is not None for step in self.program.steps)
        if not self.program.own:
            put_channels_first(self.program)
            say_affine(self.program)
            say_plainly(self.program)
            drop_unread(self.program, said)
        merge(self.program, said)
        say_idioms(self.program, said)
        drop_unread(self.program, said)
        enlarge_sizes(self.program)
        self.program.quoted = quoted_sizes(self.model) if self.own else {}
        give_keys(self.program, said)
        blocks = self.own.blocks if self.own else {}
        for step in self.program.steps:
            step.scopes = tuple(call._replace(kind=blocks.get(call.path, call.kind)) for call in step.scopes)
        place_scans(self.program.steps, self.dotted)
        if self.doubled:
            more = f" and {len(self.doubled) - 1} more" if len(self.doubled) > 1 else ""
            self.program.notes.append(f"{self.doubled[0]}{more}: both branches are computed; the condition takes one")
        return self.program

    def ports(self, values: Iterable[onnx.ValueInfoProto], wish: str) -> list[str]:
        """Return names for inputs or outputs; in netspec's files, they are a person's."""
        names = [value.name for value in values]
        return [*map(identifier, names)] if self.dotted else port_names(names, wish)

    def initializer(self, proto: onnx.TensorProto) -> ForeignTensor:
        """Return a weight, or a constant where its name is one that an exporter made."""
        array = self.file.tensor(proto)
        dtype = self.file.dtype(proto.data_type, f"tensor `{proto.name}`")
        name = proto.name.removesuffix("/T") if self.dotted else proto.name
        key = key_of(name) if array.size > 1 or "." in name else ""
        return ForeignTensor(array.shape, dtype, key=key, learned=bool(key) and array.dtype.kind == "f", constant=array)

    def input(self, value: onnx.ValueInfoProto) -> ForeignTensor:
        """Return an input, whose unknown sizes become symbols."""
        if not value.type.HasField("tensor_type"):
            raise self.file.wrong(f"input `{value.name}` is no tensor, but a sequence, a map or an optional one")
        kind = value.type.tensor_type
        if not kind.HasField("shape"):
            raise self.file.wrong(f"input `{value.name}` says nothing of its number of dimensions")
        shape: list[Any] = []
        rank = len(kind.shape.dim)
        for axis, size in enumerate(kind.shape.dim):
            if size.HasField("dim_value") and size.dim_value > 0:
                shape.append(size.dim_value)
            else:
                shape.append(self.symbol(size.dim_param, value.name, axis, rank))
        return ForeignTensor(tuple(shape), self.file.dtype(kind.elem_type, f"input `{value.name}`"))

    def symbol(self, name: str, owner: str, axis: int, rank: int) -> Dim:
        """Return the symbol of an unknown size: by the name that the file gives it, or one of its place."""
        if name and name in self.symbols:
            return self.symbols[name]
        plain = re.sub(r"\W+", "_", name).strip("_")
        said = plain.isidentifier() and plain.isascii() and len(plain) < 40 and not MADE_UP_SIZE.fullmatch(plain)
        wish = plain if said else "N" if axis == 0 else f"{identifier(owner)}_{axis}"
        while wish in self.sizes and (said or axis > 0 or name):
            wish += "_"
        self.sizes.setdefault(wish, 2 if axis == 0 else 64 if rank >= SPATIAL_RANK else 16)
        self.symbols[name] = Dim.symbol(wish)
        return self.symbols[name]

    def at(self, names: Names, name: str) -> Any:
        """Return the tensor of a name, ``None`` for that of an input left out."""
        if name not in names:
            raise self.file.wrong(
                f"something reads `{name[:80]}` before anything makes it: a cycle, or a part is missing"
            )
        return names[name]

    def graph(
        self, nodes: Sequence[onnx.NodeProto], names: Names, scopes: Sequence[ModuleCall], depth: int = 0
    ) -> None:
        """Read nodes in their order; ``names`` has the tensors that are known, and gets those that they make."""
        if depth > MOST_DEPTH:
            raise self.file.wrong(f"its functions call one another more than {MOST_DEPTH} deep")
        read = 0
        for at, node in enumerate(nodes):
            self.count += 1
            if self.count > MOST_NODES:
                raise self.file.wrong(f"it has more than {MOST_NODES} nodes, its functions written out")
            if at >= read and self.own is not None:
                read = at + self.own.read(nodes, at, names)
            if at < read:
                continue
            try:
                self.any_node(node, names, scopes, depth)
            except MALFORMED as reason:
                what = f"{node.op_type[:80]} `{node.name[:80]}`"
                raise self.file.wrong(f"the node {what} is not as ONNX describes it: {reason}") from None

    def any_node(self, node: onnx.NodeProto, names: Names, scopes: Sequence[ModuleCall], depth: int) -> None:
        """Read a node, a call of a function, or one of control flow."""
        function = self.functions.get((node.domain, node.op_type))
        if function is not None:
            self.function(function, node, names, scopes, depth)
        elif node.op_type not in CONTROL or node.domain not in OWN_DOMAINS or not self.control(node, names, depth):
            self.node(node, names, scopes, depth)

    def control(self, node: onnx.NodeProto, names: Names, depth: int) -> bool:
        """Read a node of control flow as what it comes to; return whether that is known."""
        scopes = self.scopes(node, ())

        def body(graph: onnx.GraphProto, inner: Names) -> list[Any]:
            inner |= {each.name: self.initializer(each) for each in graph.initializer}
            self.graph(graph.node, inner, scopes, depth + 1)
            return [self.at(inner, each.name) for each in graph.output]

        def say(call: ForeignCall) -> None:
            self.step(ForeignStep(call, scopes, node.name[:200]))

        inputs = [self.at(names, name) for name in node.input]
        before, problems = len(self.program.steps), len(self.program.problems)
        try:
            control = ControlReader(body, say, self.known, self.program.steps, self.doubled)
            outputs = control.read(node.op_type, inputs, self.nodes.attributes(node), names, node.name[:200])
        except Undecided as reason:
            del self.program.steps[before:], self.program.problems[problems:]
            self.undecided = str(reason)
            return False
        if node.op_type == "If" and self.known(inputs[0]) is None:
            self.program.notes.append(
                f"{node.name or 'If'}: both branches are computed, of which the condition takes one"
            )
        names.update(zip(node.output, outputs))
        return True

    def function(
        self, function: onnx.FunctionProto, node: onnx.NodeProto, names: Names, scopes: Sequence[ModuleCall], depth: int
    ) -> None:
        """Read the nodes of a function in place of its call."""
        inner: Names = {"": None}
        inner.update(dict.fromkeys(function.input))
        inner.update(zip(function.input, (self.at(names, each) for each in node.input)))
        given = {each.name: each for each in node.attribute}
        defaults = {each.name: each for each in function.attribute_proto}
        with self.nodes.inside(function, {**defaults, **given}):
            self.graph(function.node, inner, self.scopes(node, scopes), depth + 1)
        names.update(zip(node.output, (self.at(inner, each) for each in function.output)))

    def scopes(self, node: onnx.NodeProto, outer: Sequence[ModuleCall]) -> tuple[ModuleCall, ...]:
        metadata = {each.key: each.value for each in node.metadata_props}
        return node_scopes(node.name, node.op_type, metadata, self.dotted) or tuple(outer)

    def node(self, node: onnx.NodeProto, names: Names, scopes: Sequence[ModuleCall], depth: int) -> None:
        """Read a node: as a value, as another's name, or as steps."""
        inputs = [self.at(names, name) for name in node.input]
        attributes = self.nodes.attributes(node)
        made = self.value(node.op_type, inputs, attributes) if node.domain in OWN_DOMAINS else None
        if made is not None:
            names[node.output[0]] = made
            return
        if node.op_type in ALIASES:
            names[node.output[0]] = inputs[0]
            return
        outputs = tuple(self.output(name) if name else None for name in node.output)
        place = self.scopes(node, scopes), node.name[:200]
        given = [self.computed(each, *place) for each in self.given(node, inputs)]
        call = self.nodes.call(node, given, attributes, outputs)
        same: dict[Any, Any] = {}
        for simple in self.simpler(call):
            known = {name: same.get(value, value) for name, value in simple.arguments.items() if _is_tensor(value)}
            simple = simple._replace(arguments={**simple.arguments, **known})
            again = simple.arguments["input"] if simple.name == "Identity" else self.undone(simple)
            if again is not None:
                same[simple.outputs[0]] = again
            else:
                self.step(ForeignStep(simple, *place))
        names.update((name, same.get(tensor, tensor)) for name, tensor in zip(node.output, outputs))

    def undone(self, call: ForeignCall) -> ForeignTensor | None:
        """Return the tensor that a call gives again, where it undoes those before it."""
        try:
            return None if self.reads_unknown(call) else self.layouts.undone(call)
        except MALFORMED:
            return None

    def simpler(self, call: ForeignCall) -> list[ForeignCall]:
        """Return the calls that a node is; itself where what it reads has no known shape, or is wrong."""
        if self.reads_unknown(call):
            return [call]
        try:
            return simpler(call, self.nodes.version)
        except MALFORMED:
            return [call]

    def reads_unknown(self, call: ForeignCall) -> bool:
        """Return whether a call reads a tensor whose shape nobody says."""
        return any(tensor in self.table.unknown for tensor in _tensors(call.arguments.values()))

    def output(self, name: str) -> ForeignTensor:
        """Return a tensor that a node makes, with what the file says of it."""
        tensor = ForeignTensor((), "float32")
        declared = self.declared.get(name)
        if declared is not None and declared.type.HasField("tensor_type"):
            kind = declared.type.tensor_type
            sizes = [size.dim_value if size.HasField("dim_value") else None for size in kind.shape.dim]
            dtype = self.file.dtype(kind.elem_type, f"`{name}`") if kind.elem_type else None
            self.table.declared[tensor] = Declared(dtype, tuple(sizes) if kind.HasField("shape") else None)
        return tensor

    def given(self, node: onnx.NodeProto, inputs: Sequence[Any]) -> list[Any]:
        """The inputs of a node, those that are sizes and the like as plain numbers where they are known."""
        plain = []
        for name, tensor in zip(self.nodes.input_names(node), inputs):
            sizes = name in PLAIN or (name == "input" and node.op_type == "ConstantOfShape")
            value = self.sized.get(tensor, tensor.constant) if isinstance(tensor, ForeignTensor) and sizes else None
            if value is None:
                plain.append(tensor)
            else:
                listed = numbers(value)
                plain.append(listed[0] if value.ndim == 0 else listed)
        return plain

    def computed(self, tensor: Any, scopes: tuple[ModuleCall, ...] = (), place: str = "") -> Any:
        """Return what a node reads: of sizes, a tensor that holds them; one of unknown shape where they are rounded."""
        if not isinstance(tensor, ForeignTensor) or tensor not in self.sized:
            return tensor
        if tensor in self.rounded:
            self.table.unknown.add(tensor)
            return tensor
        value = self.sized[tensor]
        return measured(value, tensor.dtype, lambda call: self.step(ForeignStep(call, scopes, place)))

    def known(self, tensor: ForeignTensor) -> Any:
        """Return the value of a tensor where it is known, and no weight."""
        if tensor in self.sized:
            return self.sized[tensor]
        return None if tensor.learned else tensor.constant

    def value(self, kind: str, inputs: Sequence[Any], attributes: Mapping[str, Any]) -> ForeignTensor | None:
        """Return the tensor that a node makes, where it is known without running anything."""
        if kind == "Constant":
            return self.constant(self.nodes.constant(attributes))
        if kind == "Shape":
            shape = inputs[0].shape[attributes.get("start", 0) : attributes.get("end")]
            return None if inputs[0] in self.table.unknown else self.constant(whole(shape))
        if kind == "Size" and inputs[0] not in self.table.unknown:
            return self.constant(folded("ReduceProd", [whole(inputs[0].shape)], {"keepdims": 0}))
        if not inputs or any(each is not None and self._value(kind, each) is None for each in inputs):
            return None
        try:
            made = folded(kind, [None if each is None else self._value(kind, each) for each in inputs], attributes)
        except Unfoldable:
            return None
        tensor = self.constant(made)
        if tensor in self.sized:
            tensor.dtype = dtype_of_sizes(kind, inputs, attributes)
            if "float" in tensor.dtype and (kind == "Div" or not self.rounded.isdisjoint(inputs)):
                self.rounded.add(tensor)  # a quotient, which is known as a whole number alone
        if kind in LAYOUT:
            tensor.key, tensor.learned = inputs[0].key, inputs[0].learned
        return tensor

    def _value(self, kind: str, tensor: ForeignTensor) -> Any:
        return tensor.constant if kind in LAYOUT and tensor.learned else self.known(tensor)

    def constant(self, array: Any) -> ForeignTensor:
        """Return the tensor of a known value."""
        if is_symbolic(array):
            tensor = ForeignTensor(array.shape, "int64")
            self.sized[tensor] = array
            return tensor
        return ForeignTensor(array.shape, str(array.dtype), constant=array)

    def step(self, step: ForeignStep) -> None:
        """Add a step as the op that it is; where none says it, its outputs are what the file says of them."""
        if self.reads_unknown(step.call):
            self.table.forget(step.call)
        else:
            try:
                step.op, step.reading = self.table.read(step.call)
            except WrongReading as wrong:
                self.table.trust(step.call)
                reason = self.undecided if step.call.name in CONTROL else str(wrong)
                self.program.problems.append(LoweringProblem(step, reason))
        self.layouts.note(step.call)
        self.program.steps.append(step)


PLAIN = frozenset(
    {"shape", "axes", "axis", "starts", "ends", "steps", "repeats", "sizes", "scales", "pads", "split", "K", "k"}
    | {"depth", "min", "max", "ratio", "training_mode", "start", "limit", "delta", "M", "output_shape"}
    | {"constant_value"}
)
"""The inputs of nodes that a person would write as numbers."""


def name_of(file: OnnxFile) -> str:
    """Return a name for the network of a file."""
    name = identifier(file.path.stem)
    return name if name.isascii() else "network"


def plain_text(value: Any) -> str:
    """Return a text of a file in a line, as far as it is one."""
    return " ".join(each for each in value.split() if each.isprintable())[:1000] if isinstance(value, str) else ""


def _is_tensor(value: Any) -> bool:
    return isinstance(value, ForeignTensor)


def _tensors(values: Iterable[Any]) -> Iterable[ForeignTensor]:
    for value in values:
        if isinstance(value, ForeignTensor):
            yield value
        elif isinstance(value, list):
            yield from _tensors(value)
