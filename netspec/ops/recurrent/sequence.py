"""Recurrent layers over whole sequences: rnn, gru and lstm."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.arguments import Natural, Positive, Probability
from netspec.ops.core.layout import NEW, Place, folds, shortened
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import Run, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import Constructor
from netspec.ops.core.tensors import Numbers, ShapeError, Tensor, known, need_rank
from netspec.ops.tensors.reshape import differ


class Recurrent(Op):
    """What the recurrent layers share.

    The input is [N, T, C] (``batch_first``, which torch leaves off by default), the states [layers · directions, N, H].
    ``lengths`` [N] says how long each sequence of a padded batch is; then ``output`` is 0 behind each end, and the
    final states are those at each sequence's own end. ``last`` is the last layer's final state [N, directions · H].
    ``gates`` counts the gates; ``onnx_order`` says which of torch's stands where in ONNX.
    """

    family = "sequence"
    main = "hidden_size"
    ports: ClassVar[tuple[str, ...]] = ("input", "h_0", "lengths")
    optional: ClassVar[tuple[str, ...]] = ("h_0", "lengths")
    outputs: ClassVar[tuple[str, ...]] = ("output", "h_n", "last")
    torch_defaults = {"batch_first": False}
    gates: ClassVar[int]
    onnx_type: ClassVar[str]
    onnx_order: ClassVar[tuple[int, ...]]
    autocast = "bfloat16"

    hidden_size: Positive
    num_layers: Positive = 1
    bias: bool = True
    batch_first: bool = True
    dropout: Probability = 0.0
    bidirectional: bool = False

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def suffixes(self) -> list[str]:
        """What torch appends to the names of the parameters of each direction."""
        return ["", "_reverse"][: self.directions]

    @property
    def output_size(self) -> int:
        """The size of one direction's output."""
        return self.hidden_size

    def features(self, shape: Shape) -> int:
        """The size of the input's last dimension; guards its rank."""
        need_rank(self.name, shape, 3, layout="[N, T, C]" if self.batch_first else "[T, N, C]")
        return known(shape[-1], f"the last dimension that {self.name} takes")

    def input_sizes(self, shape: Shape) -> list[int]:
        """The size of each layer's input."""
        return [self.features(shape), *[self.output_size * self.directions] * (self.num_layers - 1)]

    def state_shapes(self, batch: Size) -> dict[str, Shape]:
        """The shapes of the states by the letter in their names."""
        return {"h": (self.num_layers * self.directions, batch, self.output_size)}

    def given(self, inputs: Sequence[Tensor | None]) -> dict[str, Tensor]:
        """The inputs that are given, by port."""
        return {port: tensor for port, tensor in zip(self.ports, inputs) if tensor is not None}

    def expected(self, inputs: Sequence[Tensor | None]) -> dict[str, Shape]:
        """The shape that each given optional input must have."""
        given = self.given(inputs)
        self.features(given["input"].shape)
        batch = given["input"].shape[0 if self.batch_first else 1]
        wanted = {f"{letter}_0": shape for letter, shape in self.state_shapes(batch).items()} | {"lengths": (batch,)}
        return {port: shape for port, shape in wanted.items() if port in given}

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        given = self.given(inputs)
        for port, wanted in self.expected(inputs).items():
            for axis, (found, size) in enumerate(zip(given[port].shape, wanted)):
                yield found, size, f"{self.name} needs {port} of shape {pretty_shape(wanted)}: dim {axis}"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        given = self.given(inputs)
        x = given["input"]
        for port, tensor in given.items():
            wanted = "int64" if port == "lengths" else x.dtype
            if tensor.dtype != wanted or (port == "input" and "float" not in wanted):
                needed = "floating-point numbers" if port == "input" else wanted
                raise ShapeError(f"{self.name} takes {needed} as its {port}, but got {tensor.dtype}")
        for port, shape in self.expected(inputs).items():
            found = given[port].shape
            if len(found) != len(shape) or any(map(differ, found, shape)):
                text = f"{self.name} needs {port} of shape {pretty_shape(shape)}, but got {pretty_shape(found)}"
                raise ShapeError(text)
        states = {port for port in given if port.endswith("_0")}
        if states and len(states) < len(self.ports) - 2:
            raise ShapeError(f"{self.name} takes h_0 and c_0, or neither of them")
        batch = x.shape[0 if self.batch_first else 1]
        width = self.output_size * self.directions
        shapes = [(*x.shape[:2], width), *self.state_shapes(batch).values(), (batch, width)]
        return tuple(Tensor(shape, x.dtype) for shape in shapes)

    def nullable(self, port: str) -> bool:
        return port == "h_0" and "c_0" not in self.ports

    def numbers(self, port: str, *inputs: Tensor | None) -> Numbers | None:
        time = self.given(inputs)["input"].shape[1 if self.batch_first else 0]
        return Numbers(1, time + 1) if port == "lengths" else None

    def parameters(self, *inputs: Tensor | None) -> Mapping[str, Shape]:
        rows = self.gates * self.hidden_size
        made: dict[str, Shape] = {}
        for layer, size in enumerate(self.input_sizes(self.given(inputs)["input"].shape)):
            for suffix in self.suffixes:
                made[f"weight_ih_l{layer}{suffix}"] = (rows, size)
                made[f"weight_hh_l{layer}{suffix}"] = (rows, self.output_size)
                if self.bias:
                    made[f"bias_ih_l{layer}{suffix}"] = made[f"bias_hh_l{layer}{suffix}"] = (rows,)
                made |= self.projection(layer, suffix)
        return made

    def projection(self, layer: int, suffix: str) -> Mapping[str, Shape]:
        """The parameters that project a layer's state."""
        return {}

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        weights = (shape for name, shape in self.parameters(*inputs).items() if name.startswith("weight"))
        per_step = sum(known(product(shape), "a weight") for shape in weights)
        return product(outputs[0].shape[:2]) * per_step

    def module(self, *inputs: Tensor | None) -> Constructor:
        assert self.torch is not None
        keywords = {name: value for name, value in self.changed().items() if name != "hidden_size"}
        sizes = {"input_size": self.features(self.given(inputs)["input"].shape), "hidden_size": self.hidden_size}
        return Constructor(self.torch, sizes, keywords)

    def statements(
        self,
        module: str | None,
        arguments: Sequence[str | None],
        targets: Sequence[str | None],
        inputs: Sequence[Tensor | None],
        fresh: Callable[[str], str],
    ) -> list[str]:
        """``x, (h_n, _) = self.encoder(x)``; a batch with lengths is packed before and padded after."""
        x, *states, lengths = arguments
        output, *finals, last = targets
        if last is not None and finals[0] is None:
            finals[0] = last if not self.bidirectional and last not in arguments else fresh("h_n")
        carried = pair(states) if states[0] is not None else ""
        received = pair(finals) if any(finals) else "_"
        lines = []
        if lengths is None:
            read = ", ".join(text for text in (x, carried) if text)
            lines.append(f"{output or '_'}, {received} = {module}({read})")
        else:
            packed, total = fresh("packed"), fresh("length")
            first = "batch_first=True, " if self.batch_first else ""
            cpu = f"{lengths}.cpu()"
            read = ", ".join(text for text in (packed, carried) if text)
            if output is not None:
                lines.append(f"{total} = {x}.size({1 if self.batch_first else 0})")
            lines.append(
                f"{packed} = nn.utils.rnn.pack_padded_sequence({x}, {cpu}, {first}enforce_sorted=False)",
            )
            lines.append(f"{packed if output else '_'}, {received} = {module}({read})")
            if output is not None:
                unpack = f"nn.utils.rnn.pad_packed_sequence({packed}, {first}total_length={total})"
                lines.append(f"{output}, _ = {unpack}")
        if last is not None:
            h_n = finals[0]
            lines.append(
                f"{last} = torch.cat(({h_n}[-2], {h_n}[-1]), dim=1)" if self.bidirectional else f"{last} = {h_n}[-1]"
            )
        return lines

    def saved(self, run: Run) -> Saved:
        """As torch does it step by step; the kernels of cuDNN and oneDNN keep the same in a block of their own."""
        x = run.inputs[0]
        batch, length = x.shape[:2] if self.batch_first else (x.shape[1], x.shape[0])
        runs = self.num_layers * self.directions
        states = [Tensor(shape, x.dtype) for shape in self.state_shapes(batch).values()]
        between = [Tensor((length, batch, self.output_size * self.directions), x.dtype)] * (self.num_layers - 1)
        made = [*between, *between] if self.dropout else between  # what goes from layer to layer, and masks
        made += [Tensor((runs, length, batch, self.turn_size), x.dtype)]
        made += [Tensor((runs, length - 1, batch, state.shape[-1]), x.dtype) for state in states]
        inputs: tuple[int, ...] = ()
        if run.inputs[-1] is not None:  # packed, with lengths and orders
            made += [x, *(Tensor((size,), "int64") for size in (length, batch, batch))]
        elif folds(x.shape, run.strides[0], self.batch_first):
            inputs = (0,)
        else:
            made += [x] * self.directions
        if run.inputs[1] is None:
            return Saved(inputs, made=(*made, *states))
        return Saved((*inputs, *range(1, 1 + len(states))), made=tuple(made))

    def passing(self, run: Run) -> tuple[Tensor, ...]:
        """What torch has on CPU: the input's products for all turns, once more as the bias is added, or beside them the
        turns' results before they are stacked.
        """
        places, width = run.outputs[0].shape[:-1], self.output_size * self.directions
        products = self.gates * self.hidden_size
        more = max(width, products - width if self.bias else 0)
        return (*self.passed_on(run), *(Tensor((*places, size), run.outputs[0].dtype) for size in (products, more)))

    def passed_on(self, run: Run) -> tuple[Tensor, ...]:
        """What goes from layer to layer, and what is packed and unpacked."""
        between = (run.outputs[0],) if self.num_layers > 1 else ()
        packed = () if run.inputs[-1] is None else (run.inputs[0], run.outputs[0])
        return (*between, *packed)

    @property
    def turn_size(self) -> int:
        """How many numbers a step of one layer keeps of each sample, besides the states that it is given."""
        raise AssertionError("each kind of layer keeps something else")

    def places(self, run: Run) -> tuple[Place, ...]:
        """The output is made as [T, N, H]."""
        others = (NEW,) * (len(run.outputs) - 1)
        if not self.batch_first:
            return (NEW, *others)
        batch, _, width = run.outputs[0].shape
        return (Place(None, shortened(run.outputs[0].shape, (width, batch * width, 1))), *others)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        """One node a layer, over both directions. onnxruntime wants time first."""
        x, *states, lengths = inputs
        swap = [1, 0, 2]
        if self.batch_first:
            x = builder.op("Transpose", x, perm=swap)
        if lengths is not None:
            lengths = builder.cast(lengths, "int32")
        starts = [self.split(builder, state) for state in states]
        finals: list[list[Any]] = [[] for _ in states]
        for layer in range(self.num_layers):
            begin = [parts[layer] for parts in starts]
            x, *ends = self.layer(builder, layer, x, begin, lengths)
            for found, end in zip(finals, ends):
                found.append(end)
        output = None
        if builder.reads(0):
            output = builder.op("Transpose", x, perm=swap) if self.batch_first else x
        joined = [
            (found[0] if len(found) == 1 else builder.op("Concat", *found, axis=0)) if builder.reads(1 + at) else None
            for at, found in enumerate(finals)
        ]
        last = self.merged(builder, finals[0][-1]) if builder.reads(1 + len(finals)) else None
        return (output, *joined, last)

    def merged(self, builder: OnnxBuilder, state: Any) -> Any:
        """The final state [directions, N, H] of a layer as [N, directions · H]."""
        if not self.bidirectional:
            return builder.op("Squeeze", state, builder.constant([0]))
        return builder.op("Reshape", builder.op("Transpose", state, perm=[1, 0, 2]), builder.constant([0, -1]))

    def split(self, builder: OnnxBuilder, state: Any) -> Sequence[Any]:
        """An initial state's part for each layer."""
        if state is None or self.num_layers == 1:
            return [state] * self.num_layers
        parts: Sequence[Any] = builder.op("Split", state, outputs=self.num_layers, axis=0, num_outputs=self.num_layers)
        return parts

    def layer(self, builder: OnnxBuilder, layer: int, x: Any, states: Sequence[Any], lengths: Any) -> tuple[Any, ...]:
        """One layer over [T, N, C]: its output [T, N, directions · H] and its final states [directions, N, H]."""
        taken, kept = (
            builder.gates(
                f"{letter}_l{layer}", [[f"{kind}_l{layer}{suffix}"] for suffix in self.suffixes], self.onnx_order
            )
            for letter, kind in (("W", "weight_ih"), ("R", "weight_hh"))
        )
        projector = self.projector(builder, layer)
        if projector is not None:
            kept = builder.op("MatMul", kept, projector)
        biases = [[f"bias_ih_l{layer}{suffix}", f"bias_hh_l{layer}{suffix}"] for suffix in self.suffixes]
        bias = builder.gates(f"B_l{layer}", biases, self.onnx_order) if self.bias else None
        direction = "bidirectional" if self.bidirectional else "forward"
        attributes = {"hidden_size": self.hidden_size, "direction": direction, **self.attributes()}
        given = (x, taken, kept, bias, lengths, *states)
        made = builder.op(self.onnx_type, *given, outputs=1 + len(states), **attributes)
        if projector is not None:
            back = builder.op("Transpose", projector, perm=[0, 2, 1])
            made = (*(builder.op("MatMul", each, back) for each in made[:2]), *made[2:])
        if not self.bidirectional:
            return (builder.op("Squeeze", made[0], builder.constant([1])), *made[1:])
        output = builder.op("Transpose", made[0], perm=[0, 2, 1, 3])
        return (builder.op("Reshape", output, builder.constant([0, 0, -1])), *made[1:])

    def projector(self, builder: OnnxBuilder, layer: int) -> Any:
        """What projects a layer's state in ONNX [directions, proj_size, hidden_size], if anything does."""
        return None

    def attributes(self) -> dict[str, Any]:
        """The attributes that one kind of layer adds in ONNX."""
        return {}

    def detail(self) -> str:
        parts = [str(self.hidden_size)]
        if self.num_layers > 1:
            parts.append(f"{self.num_layers} layers")
        if self.bidirectional:
            parts.append("both ways")
        return ", ".join(parts)


class RNN(Recurrent):
    """Recurrent layers, tanh(W·x + U·h + b) (``torch.nn.RNN``, but batch first): (N, T, C) -> (N, T, hidden_size)."""

    name = "rnn"
    torch = "nn.RNN"
    gates = 1
    onnx_type = "RNN"
    onnx_order = (0,)

    nonlinearity: Literal["tanh", "relu"] = "tanh"

    def attributes(self) -> dict[str, Any]:
        return {"activations": [self.nonlinearity.capitalize()] * self.directions}

    @property
    def turn_size(self) -> int:
        return 0  # the output is the next state

    def saved(self, run: Run) -> Saved:
        made = super().saved(run)
        last = Tensor(run.outputs[1].shape, run.inputs[0].dtype)  # what tanh gives is kept, the last state too
        return replace(made, made=(*made.made, last))


class GRU(Recurrent):
    """Gated recurrent units (``torch.nn.GRU``, but batch first): (N, T, C) -> (N, T, hidden_size)."""

    name = "gru"
    torch = "nn.GRU"
    gates = 3
    onnx_type = "GRU"
    onnx_order = (1, 0, 2)  # torch: reset, update, new; ONNX: update, reset, new

    def attributes(self) -> dict[str, Any]:
        return {"linear_before_reset": 1}

    @property
    def turn_size(self) -> int:
        return 6 * self.hidden_size


class LSTM(Recurrent):
    """Long short-term memory (``torch.nn.LSTM``, but batch first): (N, T, C) -> (N, T, proj_size or hidden_size)."""

    name = "lstm"
    torch = "nn.LSTM"
    ports = ("input", "h_0", "c_0", "lengths")
    optional = ("h_0", "c_0", "lengths")
    outputs = ("output", "h_n", "c_n", "last")
    gates = 4
    onnx_type = "LSTM"
    onnx_order = (0, 3, 1, 2)  # torch: input, forget, cell, output; ONNX: input, output, forget, cell

    proj_size: Natural = 0

    def passing(self, run: Run) -> tuple[Tensor, ...]:
        """A kernel does all turns, oneDNN's on CPU too."""
        return self.passed_on(run)

    @property
    def output_size(self) -> int:
        return self.proj_size or self.hidden_size

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        if self.proj_size >= self.hidden_size:
            text = f"proj_size {self.proj_size} must be below hidden_size {self.hidden_size}"
            raise ShapeError(text, argument="proj_size")
        return super().infer(*inputs)

    def state_shapes(self, batch: Size) -> dict[str, Shape]:
        cell = (self.num_layers * self.directions, batch, self.hidden_size)
        return {**super().state_shapes(batch), "c": cell}

    def projection(self, layer: int, suffix: str) -> Mapping[str, Shape]:
        return {f"weight_hr_l{layer}{suffix}": (self.proj_size, self.hidden_size)} if self.proj_size else {}

    def projector(self, builder: OnnxBuilder, layer: int) -> Any:
        """ONNX's LSTM does not project. As nothing bends what is projected, P·m, before it is multiplied with U,
        U·(P·m) is (U·P)·m: an LSTM that keeps m, whose results are projected afterwards, is the same.
        """
        if not self.proj_size:
            return None
        return builder.gates(f"P_l{layer}", [[f"weight_hr_l{layer}{suffix}"] for suffix in self.suffixes], (0,))

    @property
    def turn_size(self) -> int:
        return (6 if self.proj_size else 5) * self.hidden_size  # gates, tanh(c), and what is projected

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        assert not self.proj_size or inputs[1] is None, "lstm with proj_size and h_0 has no ONNX form"
        return super().onnx(builder, *inputs, tensors=tensors)


def pair(names: Sequence[str | None]) -> str:
    """Names as torch takes and gives states: one alone, two in brackets."""
    texts = [name or "_" for name in names]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"
