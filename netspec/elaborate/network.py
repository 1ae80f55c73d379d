"""The network's own body: from the inputs to the values that its outputs are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from netspec.diagnostics import Label
from netspec.elaborate.building.outputs import guard_order, read_outputs, written_output
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.inputs import INNER
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.elaborate.state.levels import UNKNOWN, LevelBuilder
from netspec.graph import Level, NetworkOutput, Value
from netspec.spec import Spec


class Network(NamedTuple):
    """The body as it was built, not yet closed, and its outputs: none where they are at fault."""

    builder: LevelBuilder
    outputs: Mapping[str, NetworkOutput]

    def close(self, context: Context) -> Level:
        """Return the finished level."""
        values = {name: output.value for name, output in self.outputs.items()}
        training = [name for name, output in self.outputs.items() if output.training]
        return self.builder.close(context.cache.interned, values, {}, training_outputs=training)[0]


def build_network(context: Context, spec: Spec, title: str, inputs: Mapping[str, Value]) -> Network:
    """Elaborate the steps of the network, and read what it gives. Raises ``SpecError`` where no input can be read."""
    reader = context.reader
    builder = LevelBuilder("network", title, spec.network[0].span, "")
    try:
        guard_order(context, [(name, given.span, given.optional) for name, given in spec.inputs.items()])
    except AlreadyReported:
        reader.report.raise_if_any()
    if not inputs:
        reader.report.raise_if_any()
    builder.declared = [(value, value, name) for name, value in inputs.items() if value is not UNKNOWN]
    builder.names = dict(inputs)
    frame = Frame(builder, context.globals)
    last = context.run(frame, spec.network, next(iter(inputs.values())))
    if last is UNKNOWN and not spec.outputs:
        return Network(builder, {})
    try:
        outputs = read_outputs(context, frame, spec.outputs, last, builder.span)
        for name, output in outputs.items():
            _guard_output(context, spec, name, output)
    except AlreadyReported:
        return Network(builder, {})
    _guard_inference(spec, reader, outputs)
    return Network(builder, outputs)


def _guard_output(context: Context, spec: Spec, name: str, output: NetworkOutput) -> None:
    """Guard: onnxruntime can give the output, under a name of its own, and it exists whenever it is asked for."""
    reader = context.reader
    if output.value.tensor.dtype == INNER:
        span = written_output(spec.outputs, name).source.span if spec.outputs else spec.network[-1].span
        message = f"the output `{name}` is {INNER}, which onnxruntime does not return"
        reader.error("shape-mismatch", message, span, help="end with `- cast: float32`")
    if name in spec.inputs:
        _report_clash(spec, reader, name)
    if output.value in context.training_only and not output.training:
        assert spec.outputs is not None
        span = written_output(spec.outputs, name).source.span
        help = f"`{name}: {{from: …, when: training}}`"
        reader.error("training-only", f"the output `{name}` exists only in training", span, help=help)


def _report_clash(spec: Spec, reader: Reader, name: str) -> None:
    """Report an output with the name of an input: an ONNX file has both in one name space."""
    span = spec.inputs[name].span
    labels: tuple[Label, ...] = ()
    help = "this is the name of the last step's value: rename the input, or name the output: `outputs: {result: prev}`"
    if spec.outputs:
        labels = (Label(span, "the input"),)
        span, help = written_output(spec.outputs, name).source.span, "give one of them another name"
    reader.error("duplicate-name", f"an input and an output are both named `{name}`", span, help=help, secondary=labels)


def _guard_inference(spec: Spec, reader: Reader, outputs: Mapping[str, NetworkOutput]) -> None:
    """Guard: the network gives something when it is used, too."""
    if spec.outputs and all(output.training for output in outputs.values()):
        span = written_output(spec.outputs, next(iter(outputs))).source.span
        help = "define at least one output without `when: training`"
        reader.error("training-only", "every output exists only in training", span, help=help)
