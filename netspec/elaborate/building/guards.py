"""Guards: a step reads one value, and one that is there."""

from __future__ import annotations

from netspec.diagnostics import Span
from netspec.elaborate.context import Context
from netspec.elaborate.reading.values import AlreadyReported
from netspec.elaborate.state.levels import ABSENT, UNKNOWN
from netspec.graph import Value


def previous(context: Context, prev: Value | None, span: Span) -> Value:
    if prev is UNKNOWN:
        raise AlreadyReported
    if prev is None:
        help = "name its input with `from:`"
        raise context.reader.error("no-value", "the step before does not give a single value", span, help=help)
    return prev


def required(context: Context, value: Value, span: Span, what: str, help: str | None = None) -> Value:
    """Guard: a value is there whenever the network runs."""
    if not value.optional:
        return value
    why = "this call omits it" if value is ABSENT else "this one is optional"
    help = help or "`coalesce: {from: …, default: …}` supplies a value when it is absent"
    raise context.reader.error("optional-value", f"{what} requires a value, but {why}", span, help=help)
