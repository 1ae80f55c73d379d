"""Recurrent layers: states of zeros at first, which they have anyway, and what the last layer knows at the end."""

from __future__ import annotations

from netspec.importer.lower.idioms.matching import Found, OpSteps, reading
from netspec.importer.program import ForeignStep
from netspec.ops.core.foreign import ForeignTensor


def zeros_at_first(steps: OpSteps, step: ForeignStep) -> Found:
    """States that are all zeros need not be given."""
    x, *states, lengths = reading(step).inputs
    if states[0] is None or not all(_is_zero(steps, each) for each in states):
        return None
    said = reading(step)
    inputs = (x, *(None for _ in states), lengths)
    found = steps.step(step, step.op, said.arguments, inputs, said.outputs, said.state)
    return None if found is None else [found]


def last_state(steps: OpSteps, step: ForeignStep) -> Found:
    """The last layer's state, both directions' in a row, is an output of its own."""
    said = reading(step)
    if step.op == "concat" and said.arguments.get("dim", 1) not in (1, -1):
        return None
    selects = [steps.maker(each, "select") for each in said.inputs] if step.op == "concat" else [step]
    layers = [_layer(steps, each, at - len(selects)) for at, each in enumerate(selects)]
    layer = layers[0] if layers else None
    if layer is None or layers != [layer] * (2 if reading(layer).arguments.get("bidirectional") else 1):
        return None
    *others, last = reading(layer).outputs
    if last is None:
        made = reading(step).outputs[0]
        assert made is not None
        last = ForeignTensor(made.shape, made.dtype)
        layer.reading = reading(layer)._replace(outputs=(*others, last))
        steps.made[last] = layer
    return last


def _layer(steps: OpSteps, select: ForeignStep | None, at: int) -> ForeignStep | None:
    """The recurrent step of which a select takes the state in this place, from behind."""
    source = reading(select).inputs[0] if select is not None else None
    layer = steps.maker(source, *RECURRENT)
    if select is None or source is None or layer is None or reading(layer).outputs[1] is not source:
        return None
    said = reading(select).arguments
    return layer if said.get("dim") == 0 and said["index"] in (at, at + int(str(source.shape[0]))) else None


def _is_zero(steps: OpSteps, tensor: ForeignTensor | None) -> bool:
    if tensor is not None and tensor.constant is not None and not tensor.key:
        return not tensor.constant.any()
    return steps.maker(tensor, "zeros") is not None


RECURRENT = ("lstm", "gru", "rnn")
IDIOMS = {**{op: (zeros_at_first,) for op in RECURRENT}, "select": (last_state,), "concat": (last_state,)}
