"""Hashes of all that a level computes: equal for a level that was read and a standard block that does the same.

Left out is what tells nothing: steps that pass on what they read, which op says a view, and the order in which two
values are added or multiplied.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from netspec.dataclass import dataclass
from netspec.graph import Call, Level, state_key
from netspec.importer.write.phrases import CallPhrase, GroupPhrase, Phrase
from netspec.ops import OPS, Op, Tensor

VIEWS = ("reshape", "flatten", "unflatten", "squeeze", "unsqueeze")
COMMUTES = ("add", "multiply")


class NoPlainLevel(Exception):
    """Tells that a level has more than ops and levels."""


@dataclass(eq=False)
class Told:
    """A hash for each wire of a level that was read, or each value of a graph; ``numbers`` has the constant ones."""

    hashes: dict[Any, int]
    numbers: dict[Any, Any] = field(default_factory=dict)

    def entered(self, pairs: Iterable[tuple[Any, Any]]) -> Told:
        """Return what is known inside a level, of pairs of what is inside and outside."""
        known = [(inner, outer) for inner, outer in pairs if outer is not None]
        numbers = {inner: self.numbers[outer] for inner, outer in known if outer in self.numbers}
        return Told({inner: self.hashes[outer] for inner, outer in known}, numbers)

    def left(self, inside: Told, pairs: Iterable[tuple[Any, Any]]) -> None:
        """Add what a level gives, of pairs of what is outside and inside."""
        for outer, inner in pairs:
            self.hashes[outer] = inside.hashes[inner]
            if inner in inside.numbers:
                self.numbers[outer] = inside.numbers[inner]

    def step(self, op: Op, reads: Sequence[Any], keys: Sequence[str], tensors: Tensors, makes: Sequence[Any]) -> None:
        """Add what a step makes, of tensors like ``makes`` or what they are the tensors of."""
        made = [tensors.made[each] for each in makes]
        hashes = [None if each is None else self.hashes[each] for each in reads]
        self.hashes.update(zip(makes, told_by_step(op, hashes, keys, tensors.read, made)))
        numbers = None if keys else self._numbers(op, reads, tensors.read)
        if numbers is not None:
            self.numbers.update(zip(makes, numbers))
            self.hashes.update(zip(makes, map(_hash_of_numbers, numbers)))

    def _numbers(self, op: Op, reads: Sequence[Any], tensors: Sequence[Tensor | None]) -> Sequence[Any] | None:
        """Return the numbers that a step gives, if they are the same for all inputs; else ``None``."""
        if op.has_module or op.is_random():
            return None
        ports = ("",) * len(reads) if op.variadic else op.ports
        wanted = [None if port == "like" else each for port, each in zip(ports, reads)]
        if any(each is not None and each not in self.numbers for each in wanted):
            return None
        from netspec.testing.pytorch import run_lines

        given = [None if each is None else self.numbers[each] for each in wanted]
        kept = [None if port == "like" else tensor for port, tensor in zip(ports, tensors)]
        try:
            return run_lines(op, None, kept, given, range(len(op.output_names(*kept))))  # type: ignore[arg-type]
        except Exception:  # an op that cannot run on what is there is told by what it reads
            return None


class Tensors(NamedTuple):
    """The tensors that a step reads, and those that it makes by what stands for them."""

    read: Sequence[Tensor | None]
    made: Mapping[Any, Tensor]


def _hash_of_numbers(tensor: Any) -> int:
    return hash(("numbers", str(tensor.dtype), *tensor.shape, *(f"{each:.5g}" for each in tensor.flatten().tolist())))


def tell_phrases(body: Sequence[Phrase], told: Told, prefix: str, sizes: Mapping[str, int]) -> None:
    """Add a hash for each wire of a level whose inputs have such; ``sizes`` are those of symbolic dimensions.

    Raises ``NoPlainLevel`` for steps that no standard block has.
    """
    for phrase in body:
        if isinstance(phrase, GroupPhrase):
            inside = told.entered(zip(phrase.takes, phrase.reads))
            tell_phrases(phrase.body, inside, f"{prefix}{phrase.name}.", sizes)
            told.left(inside, zip(phrase.makes, phrase.results))
            continue
        if not isinstance(phrase, CallPhrase) or phrase.block is not None or phrase.tied:
            raise NoPlainLevel
        tensors: list[Any] = [None if wire is None else wire.tensor.at(sizes) for wire in phrase.reads]
        op = op_of(phrase).with_sizes(sizes)
        state = (*op.parameters(*tensors), *op.buffers(*tensors))
        keys = [prefix + (phrase.keys.get(name) or state_key(str(phrase.name), name)) for name in state]
        made = {wire: wire.tensor.at(sizes) for wire in phrase.makes}
        told.step(op, phrase.reads, keys, Tensors(tensors, made), phrase.makes)


def op_of(phrase: CallPhrase) -> Op:
    """Return the op that a step calls."""
    return OPS[phrase.word].model_validate(dict(phrase.arguments))


def tell_level(level: Level, told: Told, prefix: str) -> None:
    """Add a hash for each value of a graph's level, whose inputs have such. Raises ``NoPlainLevel`` for scans."""
    for step in level.steps:
        if isinstance(step, Call):
            if step.body.loop is not None:
                raise NoPlainLevel
            inside = told.entered(zip(step.body.inputs, step.inputs))
            tell_level(step.body, inside, prefix if step.is_transparent else f"{prefix}{step.name}.")
            told.left(inside, zip(step.outputs, step.body.outputs))
            continue
        keys = [step.key(prefix, name) for name in step.state]
        made = {value: value.tensor for value in step.outputs}
        told.step(step.op, step.arranged(step.inputs), keys, Tensors(step.tensors, made), step.outputs)


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
