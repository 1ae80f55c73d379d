"""The arguments, shapes, parameters and costs of recurrent layers."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from netspec.dims import Shape, Size, pretty_shape, product
from netspec.ops.core.agreement import differ
from netspec.ops.core.arguments import Positive, Probability
from netspec.ops.core.foreign import ForeignCall, OpReading
from netspec.ops.core.op import Op
from netspec.ops.core.tensors import InputRange, ShapeError, Tensor, known, need_rank


class RecurrentShapes(Op):
    """The arguments of the recurrent layers, and what follows from them: shapes, parameters, costs.

    The input is [N, T, C] (``batch_first``, which torch leaves off by default), the states [layers · directions, N, H].
    ``lengths`` [N] says how long each sequence of a padded batch is; then ``output`` is 0 behind each end, and the
    final states are those at each sequence's own end. ``last`` is the last layer's final state [N, directions · H].
    ``gates`` counts the gates.
    """

    family = "sequence"
    main = "hidden_size"
    ports: ClassVar[tuple[str, ...]] = ("input", "h_0", "lengths")
    optional: ClassVar[tuple[str, ...]] = ("h_0", "lengths")
    outputs: ClassVar[tuple[str, ...]] = ("output", "h_n", "last")
    torch_defaults = {"batch_first": False}
    gates: ClassVar[int]
    autocast = "bfloat16"

    hidden_size: Positive
    num_layers: Positive = 1
    bias: bool = True
    batch_first: bool = True
    dropout: Probability = 0.0
    bidirectional: bool = False

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        states, weights, said = call.arguments["hx"], call.arguments.get("params"), call.arguments
        if weights is None or "batch_sizes" in said:
            return None
        states = states if isinstance(states, list) else [states]
        biased, both, layers = said["has_biases"], said["bidirectional"], said["num_layers"]
        parts = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if biased else [])]
        each = len(weights) // (layers * (2 if both else 1))
        parts = [*parts, "weight_hr"][:each]
        names = [f"{part}_l{at}{way}" for at in range(layers) for way in ["", "_reverse"][: 1 + both] for part in parts]
        arguments = {"hidden_size": weights[0].shape[0] // cls.gates, "num_layers": layers, "bias": biased}
        arguments |= {"batch_first": said["batch_first"], "dropout": said["dropout"], "bidirectional": both}
        inputs = (said["input"], *states, None)
        return OpReading(arguments, inputs, dict(zip(names, weights)), (*call.outputs, None))

    @property
    def directions(self) -> int:
        return 2 if self.bidirectional else 1

    @property
    def suffixes(self) -> list[str]:
        """The suffixes of torch's names for the parameters of each direction."""
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
        tensors = self.given(inputs)
        self.features(tensors["input"].shape)
        batch = tensors["input"].shape[0 if self.batch_first else 1]
        wanted = {f"{letter}_0": shape for letter, shape in self.state_shapes(batch).items()} | {"lengths": (batch,)}
        return {port: shape for port, shape in wanted.items() if port in tensors}

    def requirements(self, *inputs: Tensor | None) -> Iterable[tuple[Size, Size, str]]:
        tensors = self.given(inputs)
        for port, wanted in self.expected(inputs).items():
            for axis, (actual, size) in enumerate(zip(tensors[port].shape, wanted)):
                yield actual, size, f"{self.name} needs {port} of shape {pretty_shape(wanted)}: dim {axis}"

    def infer(self, *inputs: Tensor | None) -> tuple[Tensor, ...]:
        tensors = self.given(inputs)
        x = tensors["input"]
        for port, tensor in tensors.items():
            wanted = "int64" if port == "lengths" else x.dtype
            if tensor.dtype != wanted or (port == "input" and "float" not in wanted):
                needed = "floating-point numbers" if port == "input" else wanted
                raise ShapeError(f"{self.name} takes {needed} as its {port}, but got {tensor.dtype}")
        for port, shape in self.expected(inputs).items():
            actual = tensors[port].shape
            if len(actual) != len(shape) or any(map(differ, actual, shape)):
                text = f"{self.name} needs {port} of shape {pretty_shape(shape)}, but got {pretty_shape(actual)}"
                raise ShapeError(text)
        states = {port for port in tensors if port.endswith("_0")}
        if states and len(states) < len(self.ports) - 2:
            raise ShapeError(f"{self.name} takes h_0 and c_0, or neither of them")
        batch = x.shape[0 if self.batch_first else 1]
        width = self.output_size * self.directions
        shapes = [(*x.shape[:2], width), *self.state_shapes(batch).values(), (batch, width)]
        return tuple(Tensor(shape, x.dtype) for shape in shapes)

    def may_be_none(self, port: str) -> bool:
        return port == "h_0" and "c_0" not in self.ports

    def input_range(self, port: str, *inputs: Tensor | None) -> InputRange | None:
        time = self.given(inputs)["input"].shape[1 if self.batch_first else 0]
        return InputRange(1, time + 1) if port == "lengths" else None

    def parameters(self, *inputs: Tensor | None) -> Mapping[str, Shape]:
        rows = self.gates * self.hidden_size
        shapes: dict[str, Shape] = {}
        for layer, size in enumerate(self.input_sizes(self.given(inputs)["input"].shape)):
            for suffix in self.suffixes:
                shapes[f"weight_ih_l{layer}{suffix}"] = (rows, size)
                shapes[f"weight_hh_l{layer}{suffix}"] = (rows, self.output_size)
                if self.bias:
                    shapes[f"bias_ih_l{layer}{suffix}"] = shapes[f"bias_hh_l{layer}{suffix}"] = (rows,)
                shapes |= self.projection(layer, suffix)
        return shapes

    def projection(self, layer: int, suffix: str) -> Mapping[str, Shape]:
        """The parameters that project a layer's state."""
        return {}

    def macs(self, inputs: Sequence[Tensor | None], outputs: Sequence[Tensor]) -> Size:
        weights = (shape for name, shape in self.parameters(*inputs).items() if name.startswith("weight"))
        per_step = sum(known(product(shape), "a weight") for shape in weights)
        return product(outputs[0].shape[:2]) * per_step
