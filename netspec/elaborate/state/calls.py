"""The parts of a call, sorted once: a step is elaborated many times, in loops and in every variant.

With them come the names that its arguments might read: what is read from a call depends on nothing but their values.
"""

from __future__ import annotations

from collections.abc import Mapping

from netspec.dataclass import dataclass
from netspec.elaborate.reading.words import words_in
from netspec.ops import Op
from netspec.spec import BlockSpec, CallStep, Entry, Written


@dataclass(frozen=True, slots=True, eq=False)
class OpCall:
    """A call of an op: the steps that its ports read, and its arguments; ``places`` has the main one among them."""

    ports: Mapping[str, Written]
    arguments: Mapping[str, Entry]
    places: Mapping[str, Entry]
    tie: Entry | None
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class BlockCall:
    """A call of a block: the steps that its inputs read by name, and its arguments.

    ``default_names`` are what the defaults of the block's parameters might read.
    """

    inputs: Mapping[str, Written]
    arguments: Mapping[str, Entry]
    names: tuple[str, ...]
    default_names: tuple[str, ...]


def op_call(step: CallStep, kind: type[Op]) -> OpCall:
    """Sort the parts of a step that runs an op."""
    ports = [port for port in kind.ports if port in step.arguments and port not in kind.model_fields]
    arguments = {name: entry for name, entry in step.arguments.items() if name not in ports and name != "tie"}
    places = arguments
    if step.main is not None and kind.main is not None:
        places = {**arguments, kind.main: (step.key, step.main)}
    tie = step.arguments.get("tie")
    return OpCall(
        {port: step.arguments[port][1] for port in ports}, arguments, places, tie, names_read(step, arguments)
    )


def block_call(step: CallStep, block: BlockSpec) -> BlockCall:
    """Sort the parts of a step that runs a block."""
    inputs = {
        name: node for name, (_, node) in step.arguments.items() if name in block.formal and name not in block.params
    }
    arguments = {name: entry for name, entry in step.arguments.items() if name not in inputs}
    defaults = [parameter.default for parameter in block.params.values()]
    return BlockCall(inputs, arguments, names_read(step, arguments), tuple(dict.fromkeys(words_in(defaults))))


def names_read(step: CallStep, arguments: Mapping[str, Entry]) -> tuple[str, ...]:
    """Return every word in the values of a step's arguments."""
    return tuple(dict.fromkeys(words_in((step.main, [node for _, node in arguments.values()]))))
