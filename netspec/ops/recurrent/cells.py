"""Recurrent cells: one step of a sequence, for loops written with ``scan``."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Literal

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ, one_dtype
from netspec.ops.core.arguments import Positive
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.layout import OutputLayout, like
from netspec.ops.core.op import Op
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.roles.torch_form import ForwardCall
from netspec.ops.core.tensors import ShapeError, Tensor, known, need_rank

KINDS = (("w", "weight"), ("b", "bias"))
"""The letters by which ATen calls a cell's tensors."""


class Cell(Op):
    """Base of the recurrent cells: an input [N, C] and a state [N, hidden_size]; ``gates`` counts the gates."""

    family = "sequence"
    main = "hidden_size"
    ports: ClassVar[tuple[str, ...]] = ("input", "state")
    gates: ClassVar[int]
    autocast = "bfloat16"
    aten_names = MappingProxyType({f"{letter}_{of}": f"{kind}_{of}" for letter, kind in KINDS for of in ("ih", "hh")})

    hidden_size: Positive
    bias: bool = True

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        states = call.arguments["hx"]
        reading = cls.by_name(call.without("hx"), cls.aten_names, {})
        if reading is None or "weight_hh" not in reading.state:
            return None
        inputs = (reading.inputs[0], *(states if isinstance(states, list) else [states]))
        hidden = reading.state["weight_hh"].shape[1]
        return reading._replace(inputs=inputs).saying(hidden_size=hidden, bias="bias_hh" in reading.state)

    def sizes(self, *inputs: Tensor) -> Mapping[str, Any]:
        return {"input_size": self.features(inputs[0].shape)}

    def features(self, shape: Shape) -> int:
        """The size of the input's last dimension; guards its rank."""
        need_rank(self.name, shape, 2, layout="[N, C]")
        return known(shape[-1], f"the last dimension that {self.name} takes")

    def requirements(self, *inputs: Tensor) -> Iterable[tuple[Size, Size, str]]:
        self.features(inputs[0].shape)
        for port, tensor in zip(self.ports[1:], inputs[1:]):
            for axis, (size, wanted) in enumerate(zip(tensor.shape, (inputs[0].shape[0], self.hidden_size))):
                yield size, wanted, f"{self.name} needs a {port} of [N, {self.hidden_size}]: dim {axis}"

    def infer(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        one_dtype(self.name, inputs)
        (output,) = super().infer(*inputs)
        return (output,) * len(self.outputs)

    def output_shape(self, *shapes: Shape) -> Shape:
        self.features(shapes[0])
        wanted = (shapes[0][0], self.hidden_size)
        for port, shape in zip(self.ports[1:], shapes[1:]):
            if len(shape) != 2 or any(map(differ, shape, wanted)):
                text = f"{self.name} needs a {port} of shape {pretty_shape(wanted)}, but got {pretty_shape(shape)}"
                raise ShapeError(text)
        return wanted

    def parameters(self, *inputs: Tensor) -> Mapping[str, Shape]:
        rows = self.gates * self.hidden_size
        shapes: dict[str, Shape] = {
            "weight_ih": (rows, self.features(inputs[0].shape)),
            "weight_hh": (rows, self.hidden_size),
        }
        return shapes | ({"bias_ih": (rows,), "bias_hh": (rows,)} if self.bias else {})

    def macs(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        columns = self.features(inputs[0].shape) + self.hidden_size
        return product(outputs[0].shape) * (self.gates * columns)

    def products(self, builder: OnnxBuilder, x: Any, state: Any) -> tuple[Any, Any]:
        """W·x + b and U·h + b in ONNX, over all gates."""
        both = (("ih", x), ("hh", state))
        products = [
            builder.op("Gemm", value, builder.parameter(f"weight_{of}"), builder.parameter(f"bias_{of}"), transB=1)
            for of, value in both
        ]
        return products[0], products[1]

    def split(self, builder: OnnxBuilder, x: Any) -> Any:
        """The gates, each by itself."""
        return builder.op("Split", x, outputs=self.gates, axis=1, num_outputs=self.gates)


class RNNCell(Cell):
    """One step of a recurrent layer (``torch.nn.RNNCell``): (N, C), (N, hidden_size) -> (N, hidden_size)."""

    name = "rnn_cell"
    torch = "nn.RNNCell"
    gates = 1

    nonlinearity: Literal["tanh", "relu"] = "tanh"
    aten = ("rnn_tanh_cell", "rnn_relu_cell")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        return reading and reading.saying(nonlinearity=call.name.split("_")[1])

    def saved(self, run: OpRun) -> Saved:
        return Saved((0, 1) if run.learns else (), (0,))

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        return builder.op(self.nonlinearity.capitalize(), builder.op("Add", *self.products(builder, *inputs)))


class GRUCell(Cell):
    """One step of a gated recurrent unit (``torch.nn.GRUCell``): (N, C), (N, hidden_size) -> (N, hidden_size)."""

    name = "gru_cell"
    torch = "nn.GRUCell"
    gates = 3
    keeps_state = True

    def saved(self, run: OpRun) -> Saved:
        state, dtype = run.outputs[0], run.inputs[0].dtype
        gates, gate = (Tensor((*state.shape[:-1], count * self.hidden_size), dtype) for count in (3, 1))
        return Saved((0, 1) if run.learns else (), made=(gates, gate, gate, state))

    def output_layout(self, run: OpRun) -> tuple[OutputLayout, ...]:
        return (OutputLayout(None, like(run.outputs[0].shape, [(run.inputs[1].shape, run.strides[1])])),)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        from_input, from_state = (self.split(builder, value) for value in self.products(builder, *inputs))
        reset, update = (builder.op("Sigmoid", builder.op("Add", from_input[at], from_state[at])) for at in (0, 1))
        new = builder.op("Tanh", builder.op("Add", from_input[2], builder.op("Mul", reset, from_state[2])))
        return builder.op("Add", new, builder.op("Mul", update, builder.op("Sub", inputs[1], new)))


class LSTMCell(Cell):
    """One step of an LSTM (``torch.nn.LSTMCell``): input (N, C), h and c (N, hidden_size) -> new h and c."""

    name = "lstm_cell"
    torch = "nn.LSTMCell"
    ports = ("input", "h", "c")
    outputs = ("h", "c")
    gates = 4
    keeps_state = True

    def statements(self, forward: ForwardCall) -> list[str]:
        x, h, c = forward.arguments
        return [forward.assign(f"{forward.module}({x}, ({h}, {c}))")]

    def saved(self, run: OpRun) -> Saved:
        state = run.outputs[0]
        gates = Tensor((*state.shape[:-1], 4 * self.hidden_size), run.inputs[0].dtype)
        return Saved((0, 1, 2) if run.learns else (2,), made=(gates, state))  # and tanh(c)

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor]) -> Any:
        x, h, c = inputs
        gates = self.split(builder, builder.op("Add", *self.products(builder, x, h)))
        take, forget, show = (builder.op("Sigmoid", gates[at]) for at in (0, 1, 3))
        added = builder.op("Mul", take, builder.op("Tanh", gates[2]))
        c = builder.op("Add", builder.op("Mul", forget, c), added)
        return builder.op("Mul", show, builder.op("Tanh", c)), c
