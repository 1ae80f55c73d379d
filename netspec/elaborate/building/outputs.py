"""The inputs and outputs that a block or the network declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.references import reference
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.values import AlreadyReported
from netspec.graph import NetworkOutput, Value
from netspec.spec import OutputSpec


def guard_order(context: Context, inputs: Sequence[tuple[str, Span, bool]]) -> None:
    """Guard: inputs that may be left out come after those that may not."""
    for at, (name, span, optional) in enumerate(inputs):
        if optional and (at == 0 or not all(later for _, _, later in inputs[at:])):
            message = f"`{name}` is optional, so it must come after the required inputs"
            raise context.reader.error("optional-value", message, span, help="reorder the inputs")


def read_outputs(
    context: Context, frame: Frame, written: Mapping[str, OutputSpec] | None, last: Value | None, span: Span
) -> dict[str, NetworkOutput]:
    """Return the declared outputs; without any, the last step as ``output``. Raises ``AlreadyReported`` for a fault."""
    if not written:
        return {"output": NetworkOutput(required(context, previous(context, last, span), span, "an output"))}
    made: dict[str, NetworkOutput] = {}
    failed = False
    for name, output in written.items():
        try:
            if output.test is None or context.reader.condition(output.test, frame.env, "the `if` of an output"):
                value = reference(context, frame, output.source, last)
                value = required(context, value, output.source.span, "an output")
                made[name] = NetworkOutput(value, output.when == "training")
        except AlreadyReported:
            failed = True
    if failed:
        raise AlreadyReported
    if not made:
        tests = [output.test.span for output in written.values() if output.test is not None]
        help = "define at least one output without `if`"
        raise context.reader.error(
            "missing-key", "no output is left: the `if` of every output is false", tests[-1], help=help
        )
    return made
