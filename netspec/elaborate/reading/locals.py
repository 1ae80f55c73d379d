"""Named locals: ``let`` at the top, in a block and in a body."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from netspec.diagnostics import Label, clipped
from netspec.elaborate.reading.scope import Scope
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.expressions import UNKNOWN_VALUE
from netspec.spec import Entry


def with_locals(reader: Reader, written: Mapping[str, Entry], env: Scope, taken: Collection[str] = ()) -> Scope:
    """Return the scope with named locals, each worked out in order; one at fault is reported, and unknown.

    ``taken`` are the names around them that they must not hide.
    """
    if not written:
        return env
    made = Scope(env, {**env.origins})
    for name, (key, node) in written.items():
        if name in taken:
            origin = env.origins.get(name)
            label = () if origin is None else (Label(origin.span, "its value is set here"),)
            help = "give the local another name"
            reader.error(
                "duplicate-name", f"`{clipped(name)}` has a value already", key.span, help=help, secondary=label
            )
        try:
            value = reader.remembered(node, made, lambda: reader.with_words(node, made))  # noqa: B023 (called at once)
            if value is None:
                help = f"write a value: `{name}: 64`"
                raise reader.error("wrong-type", f"the local `{clipped(name)}` has no value", key.span, help=help)
        except AlreadyReported:
            value = UNKNOWN_VALUE
        made[name] = value
        made.origins[name] = node  # type: ignore[index]
    return made
