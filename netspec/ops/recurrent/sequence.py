"""Recurrent layers over whole sequences: rnn, gru and lstm."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from netspec.dims import Shape, Size, product
from netspec.ops.core.arguments import Natural
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.roles.memory import OpRun, Saved
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import ShapeError, Tensor
from netspec.ops.recurrent.roles.memory import RecurrentMemory
from netspec.ops.recurrent.roles.onnx_form import RecurrentOnnx
from netspec.ops.recurrent.roles.torch_form import RecurrentTorch


class Recurrent(RecurrentTorch, RecurrentMemory, RecurrentOnnx):
    """Base of the recurrent layers, of its roles."""

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
    onnx_activations = ("Tanh",)

    nonlinearity: Literal["tanh", "relu"] = "tanh"

    aten = ("rnn_tanh", "rnn_relu")

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        return reading and reading.saying(nonlinearity=call.name.removeprefix("rnn_"))

    @classmethod
    def onnx_settings(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        kinds = {each.lower() for each in given.get("activations", ["Tanh"])}
        if kinds not in ({"tanh"}, {"relu"}):
            return {}
        rest = {name: value for name, value in given.items() if name != "activations"}
        return {**super().onnx_settings(rest), "nonlinearity": kinds.pop()} if super().onnx_settings(rest) else {}

    def attributes(self) -> dict[str, Any]:
        return {"activations": [self.nonlinearity.capitalize()] * self.directions}

    @property
    def saved_per_step(self) -> int:
        return 0  # the output is the next state

    def saved(self, run: OpRun) -> Saved:
        saved = super().saved(run)
        last = Tensor(run.outputs[1].shape, run.inputs[0].dtype)  # what tanh gives is kept, the last state too
        return saved._replace(made=(*saved.made, last))


class GRU(Recurrent):
    """Gated recurrent units (``torch.nn.GRU``, but batch first): (N, T, C) -> (N, T, hidden_size)."""

    name = "gru"
    torch = "nn.GRU"
    gates = 3
    keeps_state = True
    onnx_type = "GRU"
    onnx_activations = ("Sigmoid", "Tanh")
    onnx_order = (1, 0, 2)  # torch: reset, update, new; ONNX: update, reset, new

    def attributes(self) -> dict[str, Any]:
        return {"linear_before_reset": 1}

    @classmethod
    def onnx_settings(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        return super().onnx_settings(given) if given.get("linear_before_reset", 0) else {}

    @property
    def saved_per_step(self) -> int:
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
    onnx_activations = ("Sigmoid", "Tanh", "Tanh")
    onnx_order = (0, 3, 1, 2)  # torch: input, forget, cell, output; ONNX: input, output, forget, cell

    proj_size: Natural = 0

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        reading = super().from_aten(call)
        projection = reading and reading.state.get("weight_hr_l0")
        return reading and reading.saying(proj_size=projection.shape[0] if projection else None)

    def saved(self, run: OpRun) -> Saved:
        """On CUDA about as step by step; on CPU what oneDNN's kernel keeps of each layer and way."""
        if not run.on_cpu or self.proj_size:
            return super().saved(run)
        x, output = run.inputs[0], run.outputs[0]
        places = output.shape[:-1]
        between = [Tensor((*places, self.hidden_size * self.directions), x.dtype)] * (self.num_layers - 1)
        made = [*between, *between] if self.dropout else between
        batch = run.outputs[1].shape[1]
        for width in self.input_sizes(x.shape):
            made += [kernel_block(places, batch, width, self.hidden_size, x.dtype)] * self.directions
            made += [Tensor((4 * self.directions, batch, self.hidden_size), x.dtype)]  # states, first and last
        if self.bidirectional:  # whose halves are kept, and joined
            made += [Tensor((*places, self.hidden_size), x.dtype)] * (2 * self.num_layers)
            return Saved((0,), made=tuple(made))
        return Saved((0,), (0,), made=tuple(made))

    def workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """A kernel does all iterations, oneDNN's on CPU too."""
        return self.passed_on(run)

    def forward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return what oneDNN's kernel has for a layer: its weights in another order, and its gates in float32."""
        if not run.on_cpu or self.proj_size:
            return super().forward_workspace(run)
        dtype = run.outputs[0].dtype
        gates = Tensor((*run.outputs[0].shape[:-1], 4 * self.hidden_size), dtype)
        return (*((gates,) if dtype == "float32" else ()), self.weights(run, dtype))

    def backward_workspace(self, run: OpRun) -> tuple[Tensor, ...]:
        """Return what is there in the forward pass, a layer's weights in one more order, and the result's gradient as
        [T, N, H]. From lower precisions, the gradients are float32: these are half of the weights' own.
        """
        if not run.on_cpu or self.proj_size:
            return super().backward_workspace(run)
        dtype, result = run.outputs[0].dtype, run.outputs[:1] if self.batch_first else ()
        made = (*self.forward_workspace(run), self.weights(run, "float32"), *result)
        if dtype == "float32":
            return made
        return (*made, self.weights(run, dtype), Tensor(run.outputs[0].shape, "float32"))

    def weights(self, run: OpRun, dtype: str) -> Tensor:
        """The weights of the widest layer and way."""
        width = max(self.input_sizes(run.inputs[0].shape))
        return Tensor((4 * self.hidden_size, width + self.hidden_size), dtype)

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
    def saved_per_step(self) -> int:
        return (6 if self.proj_size else 5) * self.hidden_size  # gates, tanh(c), and what is projected

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        assert not self.proj_size or inputs[1] is None, "lstm with proj_size and h_0 has no ONNX form"
        return super().onnx(builder, *inputs, tensors=tensors)


def kernel_block(places: Shape, batch: Size, width: int, hidden: int, dtype: str) -> Tensor:
    """Return the block that oneDNN's LSTM keeps of one layer and way, in bytes.

    That is, for each step: gates, results, states of the layer and of the iteration, with those before the first; and
    room for the gradients of the states, in float32.
    """
    each = 4 if dtype == "float32" else 2
    steps = product(places)
    more = steps + batch
    wide, widest = padded(max(width, hidden), each), padded(max(width, hidden), 4)
    states = 2 * each * (wide + padded(hidden, each)) + 4 * (4 * widest + 2 * hidden)
    return Tensor((steps * each * (padded(4 * hidden, each) + hidden) + more * states,), "uint8")


def padded(width: int, each: int) -> int:
    """Return the numbers of ``each`` so many bytes that oneDNN puts apart for a row: whole cache lines, and one more
    where rows would meet in the same places of the cache.
    """
    line = 64 // each
    whole = -(-width // line) * line
    return whole + line if whole * each % 1024 == 0 else whole
