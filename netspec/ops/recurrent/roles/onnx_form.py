"""Recurrent layers in ONNX: one node a layer."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.roles.onnx_form import OnnxBuilder
from netspec.ops.core.tensors import Tensor
from netspec.ops.recurrent.roles.shapes import RecurrentShapes


def _known(values: Any) -> ForeignTensor:
    return ForeignTensor(values.shape, str(values.dtype), "", True, values)


class RecurrentOnnx(RecurrentShapes):
    """The ONNX nodes of the layers.

    ``onnx_type`` is the op of a layer, ``onnx_activations`` its functions; ``onnx_order`` says which of torch's gates
    stands where in ONNX.
    """

    onnx_type: ClassVar[str]
    onnx_activations: ClassVar[tuple[str, ...]]
    onnx_order: ClassVar[tuple[int, ...]]

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        """Return the layer that a node is, whose own sequence is time first, and whose output torch's."""
        given, weights = call.arguments, call.tensor("W")
        x, direction = call.tensor("X"), given.get("direction", "forward")
        if x is None or weights is None or direction == "reverse" or not cls.onnx_settings(given):
            return None
        held = {letter: given[letter].constant for letter in "WRB" if letter in given}
        state = {name: _known(values) for name, values in cls.torch_parameters(held).items()}
        arguments = {
            "hidden_size": given["hidden_size"],
            "bias": "B" in given,
            "batch_first": bool(given.get("batch_first", 0)),
            "bidirectional": direction == "bidirectional",
            **cls.onnx_settings(given),
        }
        states = (call.tensor(f"initial_{name[0]}") for name in cls.ports[1:-1])
        return OpReading(arguments, (x, *states, call.tensor("sequence_lens")), state, call.outputs)

    @classmethod
    def torch_parameters(cls, held: Mapping[str, Any], layer: int = 0) -> dict[str, Any]:
        """Return the parameters of a layer by torch's names, as numpy arrays.

        ``held`` has ONNX's ``W`` and ``R`` [directions, gates · H, …], perhaps ``B`` [directions, 2 · gates · H] and
        ``P`` [directions, projection, H].
        """
        order = cls.onnx_order
        size = held["W"].shape[1] // len(order)
        rows = [order.index(gate) * size + row for gate in range(len(order)) for row in range(size)]
        made = {}
        for at, suffix in enumerate(("", "_reverse")[: len(held["W"])]):
            for letter, name in (("W", "weight_ih"), ("R", "weight_hh")):
                made[f"{name}_l{layer}{suffix}"] = held[letter][at][rows]
            if "B" in held:
                for name, half in (("bias_ih", held["B"][at][: len(rows)]), ("bias_hh", held["B"][at][len(rows) :])):
                    made[f"{name}_l{layer}{suffix}"] = half[rows]
            if "P" in held:
                made[f"weight_hr_l{layer}{suffix}"] = held["P"][at]
        return made

    @classmethod
    def onnx_settings(cls, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that follow from attributes of a node; nothing where torch has no such layer."""
        strange = {"P", "clip", "input_forget", "layout", "activation_alpha", "activation_beta"} & given.keys()
        usual = [each.lower() for each in given.get("activations", cls.onnx_activations)]
        count = len(cls.onnx_activations)
        kinds = {tuple(usual[at : at + count]) for at in range(0, len(usual), count)}
        known = tuple(each.lower() for each in cls.onnx_activations)
        return {} if strange or kinds != {known} else {"num_layers": 1}

    def onnx(self, builder: OnnxBuilder, *inputs: Any, tensors: Sequence[Tensor | None]) -> Any:
        """One node a layer, over both directions. onnxruntime wants time first."""
        x, *states, lengths = inputs
        if self.batch_first:
            x = builder.op("Transpose", x, perm=[1, 0, 2])
        if lengths is not None:
            lengths = builder.cast(lengths, "int32")
        starts = [self.split(builder, state) for state in states]
        finals: list[list[Any]] = [[] for _ in states]
        for layer in range(self.num_layers):
            begin = [parts[layer] for parts in starts]
            made, *ends = self.layer(builder, layer, x, begin, lengths)
            last_one = layer == self.num_layers - 1
            if not last_one or builder.reads(0):
                x = self.sequence(builder, made, last_one and self.batch_first)
            for states_of_layers, end in zip(finals, ends):
                states_of_layers.append(end)
        output = x if builder.reads(0) else None
        joined = [
            (states_of_layers[0] if len(states_of_layers) == 1 else builder.op("Concat", *states_of_layers, axis=0))
            if builder.reads(1 + at)
            else None
            for at, states_of_layers in enumerate(finals)
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
        """One layer over [T, N, C]: its output [T, directions, N, H] and its final states [directions, N, H]."""
        input_weights, state_weights = (
            builder.gates(
                f"{letter}_l{layer}", [[f"{kind}_l{layer}{suffix}"] for suffix in self.suffixes], self.onnx_order
            )
            for letter, kind in (("W", "weight_ih"), ("R", "weight_hh"))
        )
        projector = self.projector(builder, layer)
        if projector is not None:
            state_weights = builder.op("MatMul", state_weights, projector)
        biases = [[f"bias_ih_l{layer}{suffix}", f"bias_hh_l{layer}{suffix}"] for suffix in self.suffixes]
        bias = builder.gates(f"B_l{layer}", biases, self.onnx_order) if self.bias else None
        direction = "bidirectional" if self.bidirectional else "forward"
        attributes = {"hidden_size": self.hidden_size, "direction": direction, **self.attributes()}
        operands = (x, input_weights, state_weights, bias, lengths, *states)
        results: tuple[Any, ...] = builder.op(self.onnx_type, *operands, outputs=1 + len(states), **attributes)
        if projector is not None:
            back = builder.op("Transpose", projector, perm=[0, 2, 1])
            results = (*(builder.op("MatMul", each, back) for each in results[:2]), *results[2:])
        return results

    def sequence(self, builder: OnnxBuilder, x: Any, batch_first: bool) -> Any:
        """A layer's output [T, directions, N, H] as [T, N, directions · H], or as [N, T, directions · H].

        A Transpose does not come last: where a product reads one in float16, onnxruntime's optimizer ends the process.
        """
        if not self.bidirectional and not batch_first:
            return builder.op("Squeeze", x, builder.constant([1]))
        x = builder.op("Transpose", x, perm=[2, 0, 1, 3] if batch_first else [0, 2, 1, 3])
        if not self.bidirectional:
            return builder.op("Squeeze", x, builder.constant([2]))
        return builder.op("Reshape", x, builder.constant([0, 0, -1]))

    def projector(self, builder: OnnxBuilder, layer: int) -> Any:
        """Return the weights that project a layer's state in ONNX [directions, proj_size, hidden_size], if any do."""
        return None

    def attributes(self) -> dict[str, Any]:
        """The attributes that one kind of layer adds in ONNX."""
        return {}
