"""The inputs and outputs that a block or the network declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec.diagnostics import Span
from netspec.elaborate.building.guards import previous, required
from netspec.elaborate.building.references import list_of
from netspec.elaborate.context import Context, Frame
from netspec.elaborate.reading.values import AlreadyReported
from netspec.graph import NetworkOutput, Value
from netspec.spec import OutputSpec, Written
from netspec.syntax import ListNode


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
                for key, value in named_values(context, frame, name, output.source, last).items():
                    if key in made:
                        message = f"two outputs are named `{key}`"
                        help = "a list gives numbered outputs: rename one of them"
                        raise context.reader.error("duplicate-name", message, output.source.span, help=help)
                    value = required(context, value, output.source.span, "an output")
                    made[key] = NetworkOutput(value, output.when == "training")
        except AlreadyReported:
            failed = True
    if failed:
        raise AlreadyReported
    if not made:
        tests = [output.test.span for output in written.values() if output.test is not None]
        why = "the `if` of every output is false" if tests else "every list is empty"
        place = tests[-1] if tests else next(iter(written.values())).source.span
        help = "define at least one output without `if`" if tests else "add an output that is always there"
        raise context.reader.error("missing-key", f"no output is left: {why}", place, help=help)
    return made


def named_values(context: Context, frame: Frame, name: str, source: Written, last: Value | None) -> dict[str, Value]:
    """Return the values of an output: of a list one output each, `hidden_0`, `hidden_1`, ….

    A list is written, or is what a loop has collected.
    """
    values, collected = list_of(context, frame, source, last)
    if not collected and not isinstance(source, ListNode):
        return {name: values[0]}
    return {f"{name}_{number}": value for number, value in enumerate(values)}


def written_output(written: Mapping[str, OutputSpec], name: str) -> OutputSpec:
    """Return what the author has written for an output: for one of a list, the list."""
    return written[name] if name in written else written[name.rpartition("_")[0]]
