"""ONNX, written from the graph rather than traced: names are spec paths and symbolic dimensions keep theirs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Union

import numpy as np

from netspec.analysis.scan_schedule import LevelSchedule, ScanSchedule
from netspec.dims import Shape, plain_shape
from netspec.emit.onnx.bodies import close_bodies
from netspec.emit.onnx.builder import DTYPES, GraphBuilder, Held, NamedArray, OpExporter
from netspec.emit.onnx.ends import OnnxEnds
from netspec.emit.onnx.notes import OPTIMIZED, PRECISION, SILENT, SIZES, OpNote, silent_notes, write_notes
from netspec.emit.onnx.optimize import optimize
from netspec.emit.onnx.parts import OnnxModel, OnnxValue
from netspec.emit.onnx.precision.half import REAL, settle
from netspec.emit.onnx.precision.int8 import quantize
from netspec.emit.onnx.runtimes import ANY_FORM, OnnxForm
from netspec.emit.onnx.versions import kind_of
from netspec.emit.onnx.wanted import guard_nodes, guard_opset, wanted_ir, wanted_opset
from netspec.graph import Graph, Level, Node, Step, Value, axis_of_time, over_time, state_key, walk
from netspec.ops import Tensor
from netspec.text.quoting import visible

Values = dict[Value, Union[OnnxValue, None]]
"""The ONNX values of a level's own; ``None`` for what exists only in training."""


def emit_onnx(
    graph: Graph,
    weights: Mapping[str, np.ndarray],
    version: str,
    exporter: OpExporter | None = None,
    metadata: Mapping[str, str] | None = None,
    form: OnnxForm = ANY_FORM,
    ends: OnnxEnds | None = None,
) -> OnnxModel:
    """The inference graph with these weights, keyed as in ``state_dict``; ``version`` is netspec's.

    ``exporter`` writes the ops that do not say themselves in ONNX; ``metadata`` are further properties; ``ends`` has
    nodes in front of the network and behind it. Raises
    ``EnvironmentFault`` where the opset of ``form``, or its runtime, does not have what an op needs.
    """
    builder = GraphBuilder(exporter=exporter, opset=wanted_opset(graph, form), half=form.half)
    emitter = _Emitter(builder, weights)
    inputs, outputs = emitter.network(graph, ends)
    if builder.late:
        guard_opset(builder.late, emitter.written, form)
        later = form._replace(opset=max(opset for opset, _ in builder.late))  # a plugin's op, or one that torch wrote
        return emit_onnx(graph, weights, version, exporter, metadata, later, ends)
    guard_nodes(emitter.notes, emitter.written, form)
    removed = optimize(builder, outputs) if form.optimized or form.int8 is not None else None
    if form.int8 is not None:
        quantize(builder, form.int8)
    settle(builder.initializers.values())
    notes = close_bodies(builder, [] if removed or form.int8 is not None else emitter.notes)
    write_notes(notes)
    proto = builder.model(builder.graph(graph.name, inputs, outputs), wanted_ir(builder.opset, form))
    proto.producer_name, proto.producer_version = "netspec", version
    proto.doc_string = visible(graph.doc, keep="\n\t")
    properties = {
        "netspec.spec": visible(graph.file),
        "netspec.digest": graph.digest,
        "netspec.parameters": json.dumps(graph.parameters),
        SIZES: json.dumps(dict(graph.sizes)),
        **({OPTIMIZED: removed.said()} if removed else {}),
        **({PRECISION: form.half.dtype} if form.half is not None else {}),
        **(metadata or {}),
        **({} if ends is None else ends.metadata()),
    }
    for key, value in sorted(properties.items()):
        proto.metadata_props.add(key=key, value=value)
    silent = "" if removed or form.int8 is not None else silent_notes(notes, emitter.aliases, emitter.results)
    if silent:
        proto.graph.metadata_props.add(key=SILENT, value=silent)
    return OnnxModel(proto, builder.kept())


class _Emitter:
    """Writes levels into one flat ONNX graph; the iterations of a scan into a graph of their own.

    ``ready`` has the results of steps that ran ahead of the scan around them, by path; ``shared`` the path of the
    module that a step runs again; ``blocks`` the blocks of the levels that are being written, by their paths;
    ``aliases`` what steps without nodes give, such as dropout, with the values that these are in the file, and
    ``results`` those of them that are outputs; ``written`` has the nodes by their paths, ``tied`` the
    keys of tensors that others are tied to.
    """

    def __init__(self, builder: GraphBuilder, weights: Mapping[str, np.ndarray]):
        self.builder, self.weights = builder, weights
        self.owned: dict[str, dict[str, np.ndarray]] = {}
        for key, array in weights.items():
            owner, _, name = key.rpartition(".")
            self.owned.setdefault(owner, {})[name] = array
        self.shapes: dict[Shape, list[int | str]] = {}
        self.ready: dict[str, list[OnnxValue | None]] = {}
        self.notes: list[OpNote] = []
        self.aliases: dict[OnnxValue, OnnxValue] = {}
        self.named: set[str] = set()
        self.results: dict[str, OnnxValue] = {}
        self.shared: dict[str, str] = {}
        self.blocks: dict[str, str] = {}
        self.written: dict[str, Node] = {}
        self.tied: set[str] = set()

    def network(self, graph: Graph, ends: OnnxEnds | None) -> tuple[list[OnnxValue], list[OnnxValue]]:
        """Write a network, with what is in front of it and behind it; return the inputs and outputs of the file."""
        builder, nodes = self.builder, [step for _, step, _ in walk(graph.body) if isinstance(step, Node)]
        self.tied = {target for node in nodes for _, target in node.ties}
        builder.taken.update(name for name, output in graph.outputs.items() if not output.training)
        raw: Sequence[OnnxValue] = ()
        made: Mapping[str, OnnxValue] = {}
        if ends is not None:
            raw, made = ends.before(builder)
        inputs = [
            made.get(name) or builder.input(name, plain_shape(each.shape), each.tensor.dtype)
            for name, each in graph.inputs.items()
        ]
        builder.entries.update(inputs)
        outputs: dict[str, OnnxValue] = {}
        for name, result in zip(graph.body.output_names, self.level(graph.body, inputs, "")):
            if not graph.outputs[name].training:
                assert result is not None
                taken = [*inputs, *outputs.values()]
                outputs[name] = self.output(name, result, taken, graph.outputs[name].value.tensor)
        given = dict.fromkeys([*raw, *(value for value in inputs if value.node is None)])
        return [*given], [*(outputs.values() if ends is None else ends.behind(builder, outputs))]

    def level(self, level: Level, inputs: Sequence[OnnxValue | None], prefix: str) -> list[OnnxValue | None]:
        """The results of a level; ``None`` for what exists only in training."""
        values: dict[Value, OnnxValue | None] = dict(zip(level.inputs, inputs))
        self.steps(level, level.steps, values, prefix)
        return [values[value] for value in level.outputs]

    def steps(self, level: Level, steps: Iterable[Step], values: Values, prefix: str) -> None:
        """Write steps of a level; ``values`` has what they read and gets what they make."""
        for step in steps:
            path = prefix + step.name
            if step.shares:
                self.shared[path] = prefix + step.shares
            if step.training:
                values.update(dict.fromkeys(step.outputs))
            elif path in self.ready:
                values.update(zip(step.outputs, self.ready[path]))
            else:
                values.update(zip(step.outputs, self.step(step, [values[value] for value in step.inputs], path, level)))

    def step(self, step: Step, inputs: Sequence[OnnxValue | None], path: str, level: Level) -> list[OnnxValue | None]:
        """The results of a step."""
        if isinstance(step, Node):
            return self.node(step, inputs, path, level)
        if step.body.loop is not None:
            return self.scan(step.body, inputs, path)
        if not step.body.title:
            return self.level(step.body, inputs, path + ".")
        self.blocks[path] = step.body.title
        made = self.level(step.body, inputs, path + ".")
        del self.blocks[path]
        return made

    def node(
        self,
        node: Node,
        inputs: Sequence[OnnxValue | None],
        path: str,
        level: Level,
        seen: Callable[[Value], Tensor] = lambda value: value.tensor,
    ) -> list[OnnxValue | None]:
        """The results of a node; ``seen`` says what each of its values is where it runs."""
        unread = [number for number, value in enumerate(node.outputs) if value not in level.uses]
        self.builder.begin(path, self.parameters(node, path), unread)
        given = node.arranged([seen(value) for value in node.inputs])
        made = [seen(value) for value in node.outputs]
        needed = node.op.onnx_opset(*given)
        if needed > self.builder.opset:
            self.builder.late[needed, path] = node.op.name
        self.written[path] = node
        ports = node.arranged(inputs)
        before = len(self.builder.nodes)
        results = self.builder.write(node.op, [*map(self.real, ports)], given, made)
        nodes = self.builder.nodes[before:]
        if nodes:
            for result, tensor in zip(results, made):
                if result is not None and result not in inputs:
                    self.describe(result, tensor)
        else:
            results = [None if result is None else self.alias(path, result) for result in results]
        held, blocks = self.keys(node, path), {**self.blocks}
        self.notes.append(OpNote(self.home(path), path, (*nodes,), node.op, ports, results, held, blocks))
        return results

    def alias(self, path: str, value: OnnxValue) -> OnnxValue:
        """Return another name for a value: what the step at a path gives, which has no nodes."""
        name, count = f"({path})", len(self.aliases)
        made = OnnxValue(f"{name}{count}" if name in self.named else name)
        self.named.add(name)
        self.aliases[made] = self.aliases.get(value, value)
        return made

    def real(self, value: OnnxValue | None) -> OnnxValue | None:
        """Return the value of the file that a value is."""
        return None if value is None else self.aliases.get(value, value)

    def keys(self, node: Node, path: str) -> dict[str, str]:
        """The keys of the tensors that a node holds, by torch's names."""
        names = [*(() if node.keys else self.owned.get(self.home(path), ())), *node.state]
        return {**{name: self.key(node, path, name) for name in names}, **dict(node.ties)}

    def ahead(self, level: Level, values: Values, prefix: str) -> None:
        """Write what a level, and those that it calls, do ahead of the scan around; ``values`` has what they read."""
        parts = LevelSchedule(level)
        self.steps(level, parts.ahead, values, prefix)
        for step in parts.ahead:
            if step in level.phases:
                self.ready[prefix + step.name] = [values[value] for value in step.outputs]
        for call in parts.prepared:
            inner = {own: values[value] for own, value in zip(call.body.inputs, call.inputs) if value in values}
            self.ahead(call.body, inner, f"{prefix}{call.name}.")

    def scan(self, body: Level, inputs: Sequence[OnnxValue | None], path: str) -> list[OnnxValue | None]:
        """Return the results of a scan: one Scan node, with loop-invariant steps ahead of it and behind it."""
        assert body.loop is not None
        loop, schedule = body.loop, ScanSchedule(body)
        prefix = path + "."
        given = dict(zip(body.inputs, inputs))
        whole: Values = {value: given[value] for value in schedule.sequences}
        values: Values = {value: made for value, made in given.items() if value not in {*whole, *schedule.states}}
        self.ahead(body, values, prefix)
        self.at_once(body, schedule.before, values, whole, prefix)
        states: Sequence[OnnxValue | None] = [given[state] for state in schedule.states]
        if schedule.kept or states:
            cut = schedule.cut or [schedule.sequences[0]]
            made = self.iterations(body, schedule, cut, values, states, [whole[value] for value in cut], path)
            last, kept = made[: len(states)], made[len(states) :]
            for value, result in zip(schedule.kept, kept):
                self.describe(result, over_time(value.tensor, loop.length))
            whole.update(zip(schedule.kept, kept))
            for state, result in zip(schedule.states, last):
                self.describe(result, state.tensor)
            states = last
        self.at_once(body, schedule.after, values, whole, prefix)
        return [*(whole[value] for value in schedule.collected), *states]

    def at_once(self, body: Level, steps: Sequence[Step], fixed: Values, whole: Values, prefix: str) -> None:
        """Write steps of a scan for all its iterations; ``whole`` has the tensors that hold every iteration's value."""
        assert body.loop is not None
        length = body.loop.length

        def seen(value: Value) -> Tensor:
            return value.tensor if value in fixed else over_time(value.tensor, length)

        for step in steps:
            assert isinstance(step, Node), "only nodes run for all iterations at once"
            inputs = [fixed[value] if value in fixed else whole[value] for value in step.inputs]
            whole.update(zip(step.outputs, self.node(step, inputs, prefix + step.name, body, seen)))

    def iterations(
        self,
        body: Level,
        schedule: ScanSchedule,
        cut: Sequence[Value],
        fixed: Values,
        states: Sequence[OnnxValue | None],
        sequences: Sequence[OnnxValue | None],
        path: str,
    ) -> list[OnnxValue]:
        """The Scan node: the states after the last iteration, then what each iteration leaves."""
        assert body.loop is not None
        outer, prefix = self.builder, path + "."
        self.builder = GraphBuilder(outer)
        names = dict(zip(body.inputs, body.input_names))
        formal: Values = {}
        for value in (*schedule.states, *cut):
            name = f"{prefix}{names.get(value, 'step')}"
            formal[value] = self.builder.input(name, plain_shape(value.shape), self.inside(value.tensor).dtype)
        values: Values = {**fixed, **formal}
        self.steps(body, schedule.iteration, values, prefix)
        results: list[OnnxValue] = []
        for value in (*schedule.following, *schedule.kept):
            results.append(self.own(values[value], results, self.inside(value.tensor), path))
        graph = self.builder.graph(path, [value for value in formal.values() if value is not None], results)
        self.builder = outer
        outer.begin(path)
        directions = [int(body.loop.reverse)]
        made = outer.op(
            "Scan",
            *(self.handed(value, state.tensor) for value, state in zip(states, schedule.states)),
            *(self.handed(value, each.tensor) for value, each in zip(sequences, cut)),
            outputs=len(results),
            body=graph,
            num_scan_inputs=len(cut),
            scan_input_axes=[axis_of_time(value.shape) for value in cut],
            scan_output_axes=[axis_of_time(value.shape) for value in schedule.kept],
            scan_input_directions=directions * len(cut),
            scan_output_directions=directions * len(schedule.kept),
        )
        return list(made) if isinstance(made, tuple) else [made]

    def inside(self, tensor: Tensor) -> Tensor:
        """Return a tensor as a body of iterations takes and gives it."""
        return tensor if self.builder.half is None else self.builder.half.made(tensor)

    def handed(self, value: OnnxValue | None, tensor: Tensor) -> OnnxValue | None:
        """Return a value as a body of iterations takes it."""
        value = self.real(value)
        return (
            value if value is None or self.builder.half is None else self.builder.read(value, self.inside(tensor).dtype)
        )

    def own(self, value: OnnxValue | None, taken: Sequence[OnnxValue], tensor: Tensor, path: str) -> OnnxValue:
        """A result of the graph in hand. What comes from outside it, or is a result already, gets a node of its own."""
        value = self.real(value)
        assert value is not None
        if self.builder.half is not None:
            self.builder.begin(path)
            value = self.builder.read(value, tensor.dtype)
        if value in taken or value.node not in self.builder.nodes:
            self.builder.begin(path)
            value = self.builder.op("Identity", value)
            self.describe(value, tensor)
        return value

    def parameters(self, node: Node, path: str) -> dict[str, Held]:
        """The parameters and buffers of a node by torch name; what another is tied to is one initializer of both."""
        home = self.home(path)
        names = [*(() if node.keys else self.owned.get(home, ())), *node.state]  # a submodule's, or a bare parameter's
        found: dict[str, Held] = {}
        for key, name in {self.key(node, path, name): name for name in names}.items():
            array = self.weights[key]
            found[name] = self.builder.initializer(key, array) if key in self.tied else NamedArray(key, array)
        for name, target in node.ties:
            found[name] = self.builder.initializer(target, self.weights[target])
        return found

    def key(self, node: Node, path: str, name: str) -> str:
        """Return the key of a tensor of the node at a path."""
        if not node.keys:
            return state_key(self.home(path), name)
        around = self.home(path.removesuffix(node.name).rstrip("."))
        return node.key(f"{around}." if around else "", name)

    def home(self, path: str) -> str:
        """Return the path of the weights of a step: another's, if it or a level around it is shared."""
        if not self.shared:
            return path
        parts = path.split(".")
        made = ""
        for part in parts:
            made = f"{made}.{part}" if made else part
            made = self.shared.get(made, made)
        return made

    def output(self, name: str, value: OnnxValue, taken: Sequence[OnnxValue], tensor: Tensor) -> OnnxValue:
        """A result under the output's name. What is no node's, or an output already, gets a node of its own."""
        if value in self.aliases:
            self.results[name] = value
            value = self.aliases[value]
        if self.builder.half is not None:
            self.builder.begin(name)
            value = self.builder.read(value, tensor.dtype)
        if value in taken or value.node is None:
            self.builder.begin(name)
            value = self.builder.op("Identity", value)
            self.describe(value, tensor)
        value.name = name
        return value

    def describe(self, value: OnnxValue, tensor: Tensor) -> None:
        """Give a value its shape and type. Few shapes are many values', and spelling a symbolic one takes long."""
        if tensor.shape not in self.shapes:
            self.shapes[tensor.shape] = plain_shape(tensor.shape)
        kind: int = DTYPES[tensor.dtype]
        if self.builder.half is not None and tensor.dtype in REAL:
            kind = kind_of(value, self.builder.opset) or DTYPES[self.builder.half.dtype]
        value.shape, value.kind = self.shapes[tensor.shape], kind
