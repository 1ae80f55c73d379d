"""The calls of other libraries that an op is: ATen's operators and ONNX's nodes, as ``netspec import`` meets them."""

from collections.abc import Mapping
from typing import Any, ClassVar

from netspec.ops.core.foreign import ForeignCall, ForeignTensor, OpReading
from netspec.ops.core.roles.torch_form import OpTorch


class OpOrigins(OpTorch):
    """The role that recognises the op in a program that was not written in netspec's language.

    May say: ``aten``, the operators of ATen that it is, where its name and ``functional`` do not tell them;
    ``aten_names``, which of their arguments have another name here (``None``: it may be ignored), ``aten_defaults``,
    which have another default there; ``onnx_nodes``, the nodes of ONNX that it is, where ``onnx_type`` does not tell
    them, ``onnx_names``, the same of their attributes; ``from_aten`` and ``from_onnx``, where names alone do not do.
    """

    aten: ClassVar[tuple[str, ...]] = ()
    aten_names: ClassVar[Mapping[str, str | None]] = {}
    aten_defaults: ClassVar[Mapping[str, Any]] = {}
    onnx_nodes: ClassVar[tuple[str, ...] | None] = None
    onnx_names: ClassVar[Mapping[str, str | None]] = {}

    @classmethod
    def operators(cls) -> tuple[str, ...]:
        """Return the operators of ATen, without overloads, that may be this op."""
        function = (cls.functional or "").rpartition(".")[2]
        return tuple(dict.fromkeys((cls.name, *((function,) if function else ()), *cls.aten)))

    @classmethod
    def nodes(cls) -> tuple[str, ...]:
        """Return the nodes of ONNX that may be this op."""
        single = getattr(cls, "onnx_type", None)
        return cls.onnx_nodes if cls.onnx_nodes is not None else (single,) if isinstance(single, str) else ()

    @classmethod
    def from_aten(cls, call: ForeignCall) -> OpReading | None:
        """Return the op that a call of ATen is, or ``None`` where it does something else."""
        return cls.by_name(call, cls.aten_names, cls.aten_defaults)

    @classmethod
    def from_onnx(cls, call: ForeignCall) -> OpReading | None:
        """Return the op that a node of ONNX is, or ``None`` where it does something else."""
        return cls.by_position(call, cls.onnx_names)

    @classmethod
    def by_position(cls, call: ForeignCall, names: Mapping[str, str | None]) -> OpReading | None:
        """Return the reading where tensors go to the ports in order, and other arguments to the field of their name."""
        arguments: dict[str, Any] = {}
        inputs: list[ForeignTensor | None] = []
        for name, value in call.arguments.items():
            field = names.get(name, name)
            if isinstance(value, ForeignTensor):
                inputs.append(value)
            elif cls.variadic and isinstance(value, list) and all(isinstance(each, ForeignTensor) for each in value):
                inputs += value
            elif field in cls.model_fields:
                arguments[field] = value
            elif field is not None:
                return None
        if not cls.variadic:
            inputs += [None] * (len(cls.ports) - len(inputs))
        return OpReading(arguments, tuple(inputs), {}, call.outputs)

    @classmethod
    def by_name(
        cls, call: ForeignCall, names: Mapping[str, str | None], defaults: Mapping[str, Any]
    ) -> OpReading | None:
        """Return the reading where each argument goes to the port, the field or the parameter of its name.

        A tensor with a key that goes to no port is taken for the op's own; ``bias: false`` follows from its absence. A
        number in the place of the second input is the main argument.
        """
        arguments: dict[str, Any] = {**defaults}
        inputs: dict[str, ForeignTensor] = {}
        state: dict[str, ForeignTensor] = {}
        positional: list[ForeignTensor] = []
        for name, value in call.arguments.items():
            field = names.get(name, name)
            if field is None or value is None:
                continue
            if field in cls.model_fields and not isinstance(value, ForeignTensor):
                arguments[field] = value
            elif cls.variadic and isinstance(value, list) and all(isinstance(each, ForeignTensor) for each in value):
                positional += value
            elif field in cls.ports[1:] and cls.main and isinstance(value, (int, float)):
                arguments[cls.main] = value
            elif not isinstance(value, ForeignTensor):
                return None
            elif cls.variadic:
                positional.append(value)
            elif field in cls.ports:
                inputs[field] = value
            elif not inputs and name in ("self", "x", "X"):
                inputs[cls.ports[0]] = value
            elif value.key:
                state[field] = value
            else:
                return None
        if "bias" in cls.model_fields and "weight" in state:
            arguments["bias"] = "bias" in state
        ordered = tuple(positional) if cls.variadic else tuple(inputs.get(port) for port in cls.ports)
        return OpReading(arguments, ordered, state, call.outputs)
