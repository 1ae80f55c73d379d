"""Messages for calls of what does not exist, or with arguments that it does not have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netspec import library
from netspec.diagnostics import Label, clipped, did_you_mean, nearest, some_of
from netspec.elaborate.reading.scope import Scope, origin_labels
from netspec.elaborate.reading.values import AlreadyReported, Reader
from netspec.ops import OPS, Op
from netspec.spec import CALL_KEYS, BlockSpec, CallStep
from netspec.spec.steps import STRUCTURES
from netspec.syntax import ScalarNode

JOIN_HELP = "`concat`, `add`, `mean` and similar ops combine several values into one"


def theirs(what: str, names: Sequence[str], word: str) -> str:
    """Return ``its arguments are `a`, `b`, `c```, of which there may be more than fit into a message."""
    return f"its {what}s are {some_of(names, word)}" if len(names) > 1 else f"its {what} is `{names[0]}`"


def replaced(key: ScalarNode, text: str) -> ScalarNode:
    """A node at the same place with another text."""
    return ScalarNode(key.span, text, text, True)


def unknown_op(
    reader: Reader, step: CallStep, key: str, blocks: Mapping[str, BlockSpec], env: Scope
) -> AlreadyReported:
    """Report a step that runs nothing."""
    from netspec.elaborate.messages.foreign import op_help  # its tables are for faults alone

    whole = next((name for name in blocks if name.endswith(f".{key}")), None)
    help = op_help(key, (*OPS, *blocks, *STRUCTURES, *library.names())) if whole is None else f"write `{whole}`"
    if ":" in key:
        help = f"write `{clipped(key.replace(':', ': ', 1))}`, with a space after the colon"
    labels: tuple[Label, ...] = ()
    if step.key.text.startswith("$"):
        labels = origin_labels(env, [replaced(step.key, step.key.text[1:])], step.span)
    return reader.error(
        "unknown-op", f"there is no op or block named `{clipped(key)}`", step.span, help=help, secondary=labels
    )


def unknown_parameter(reader: Reader, step: CallStep, key: str, block: BlockSpec, name: str) -> AlreadyReported:
    """Report an argument that a block does not have."""
    known = [*block.params, *CALL_KEYS]
    help = did_you_mean(name, known) if nearest(name, known) else None
    if help is None:
        word = key if key in library.names() else ""
        help = theirs("parameter", [*block.params], word) if block.params else "it has none"
    span = step.arguments[name][0].span
    return reader.error("unknown-argument", f"`{key}` has no parameter `{clipped(name)}`", span, help=help)


INFERRED = frozenset({"in_channels", "in_features", "num_features", "num_channels", "input_size", "input_shape"})
"""Arguments of PyTorch and Keras that say what a layer reads."""


def unknown_op_argument(reader: Reader, kind: type[Op], key: ScalarNode) -> AlreadyReported:
    """Report an argument that an op does not have."""
    known = [*kind.model_fields, *(port for port in kind.ports if port != "input"), *CALL_KEYS]
    fields = kind.argument_names()
    close = None if key.text in (*INFERRED, "activation") else nearest(key.text, known)
    word = kind.name if kind.__module__.startswith("netspec.") else ""
    help = f"did you mean `{close}`?" if close else theirs("argument", fields, word) if fields else "it takes none"
    if key.text in INFERRED:
        help = "leave it out: input sizes are inferred"
    if key.text == "activation":
        help = "write the activation as a separate step on the next line: `- relu`"
    message = f"`{kind.name}` has no argument `{clipped(key.text)}`"
    return reader.error("unknown-argument", message, key.span, help=help)
