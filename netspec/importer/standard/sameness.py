"""Hashes of all that a level computes: equal for a level that was read and a standard block that does the same.

Left out is what tells nothing: steps that pass on what they read, which op says a view, and the order in which two
values are added or multiplied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from netspec.graph import Call, Level, Node, Value, state_key
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, Phrase, Wire
from netspec.ops import OPS, Op, Tensor

VIEWS = ("reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
COMMUTES = ("add", "multiply")


class NoPlainLevel(Exception):
    """Tells that a level has more than ops and levels."""


def told_by_phrases(
    body: Sequence[Phrase], takes: Mapping[Wire, int], prefix: str, sizes: Mapping[str, int]
) -> dict[Wire, int]:
    """Return a hash for each wire of a level whose inputs have such; ``sizes`` are those of symbolic dimensions.

    Raises ``NoPlainLevel`` for steps that no standard block has.
    """
    known = dict(takes)
    for phrase in body:
        if isinstance(phrase, GroupPhrase):
            inner = {take: known[read] for take, read in zip(phrase.takes, phrase.reads) if read is not None}
            inside = told_by_phrases(phrase.body, inner, f"{prefix}{phrase.name}.", sizes)
            known.update((made, inside[result]) for made, result in zip(phrase.makes, phrase.results))
            continue
        if not isinstance(phrase, CallPhrase) or phrase.block is not None or phrase.tied:
            raise NoPlainLevel
        tensors = [None if wire is None else wire.tensor.at(sizes) for wire in phrase.reads]
        reads = [None if wire is None else known[wire] for wire in phrase.reads]
        op = op_of(phrase).with_sizes(sizes)
        state = (*op.parameters(*tensors), *op.buffers(*tensors))  # type: ignore[arg-type]
        keys = [prefix + (phrase.keys.get(name) or state_key(str(phrase.name), name)) for name in state]
        made = told_by_step(op, reads, keys, tensors, [wire.tensor.at(sizes) for wire in phrase.makes])
        known.update(zip(phrase.makes, made))
    return known


def op_of(phrase: CallPhrase) -> Op:
    """Return the op that a step calls."""
    return OPS[phrase.word].model_validate(dict(phrase.arguments))


def told_by_level(level: Level, known: dict[Value, int], prefix: str) -> None:
    """Add a hash for each value of a graph's level, whose inputs are ``known``. Raises ``NoPlainLevel`` for scans."""
    for step in level.steps:
        if isinstance(step, Call):
            if step.body.loop is not None:
                raise NoPlainLevel
            inside = {inner: known[value] for inner, value in zip(step.body.inputs, step.inputs)}
            told_by_level(step.body, inside, prefix if step.is_transparent else f"{prefix}{step.name}.")
            known.update((value, inside[result]) for value, result in zip(step.outputs, step.body.outputs))
            continue
        reads = [None if value is None else known[value] for value in step.arranged(step.inputs)]
        keys = [step.key(prefix, name) for name in step.state]
        known.update(zip(step.outputs, told_by_step(step.op, reads, keys, step.tensors, _tensors(step))))


def _tensors(step: Node) -> list[Tensor]:
    return [value.tensor for value in step.outputs]


def told_by_step(
    op: Op,
    reads: Sequence[int | None],
    keys: Iterable[str],
    tensors: Sequence[Tensor | None],
    made: Sequence[Tensor],
) -> list[int]:
    """Return a hash for each value that a step makes."""
    first = next((each for each in reads if each is not None), 0)
    if _is_idle(op) or (op.name in VIEWS and tensors[0] == made[0]):
        return [first]
    given: list[Any] = [each for each in reads if each is not None] if op.variadic else _without_end(reads)
    given = sorted(given) if op.name in COMMUTES else given
    what: Any = made[0].shape if op.name in VIEWS else tuple(_arguments(op))
    name = "view" if op.name in VIEWS else op.name
    whole = hash((name, what, tuple(given), tuple(sorted(keys))))
    return [hash((whole, at)) for at in range(len(made))]


def _without_end(reads: Sequence[int | None]) -> list[int | None]:
    """Return what is read by each port, without those at the end that are left out."""
    count = max((at + 1 for at, each in enumerate(reads) if each is not None), default=0)
    return [*reads[:count]]


def _is_idle(op: Op) -> bool:
    return op.name == "identity" or getattr(op, "p", None) == 0


def _arguments(op: Op) -> Iterable[tuple[str, Any]]:
    """Return the arguments that are not what they are by default."""
    for name, about in type(op).model_fields.items():
        value = getattr(op, name)
        if value != about.default and name != "inplace":
            yield name, _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        items = tuple(map(_plain, value))
        return items[0] if len(items) > 1 and len({*items}) == 1 else items
    return tuple(sorted(value.items())) if isinstance(value, dict) else value
