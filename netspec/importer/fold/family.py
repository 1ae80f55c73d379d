"""The numbers that make a family of a network, as parameters of the spec: classes, layers, width, heads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from netspec.importer.fold.numbers.meanings import makes_width
from netspec.importer.write.phrases import CallPhrase, Formula, LoopPhrase, Phrase, SpecPhrase
from netspec.importer.write.rooms import everything_in

LEAST_USES = 5
"""A width that stands in so many places is the network's."""
LARGEST_FACTOR = 8


def name_family(spec: SpecPhrase) -> None:
    """Give names to numbers of the whole network, where no block or loop has them already."""
    phrases = [*everything_in(spec.body), *(each for block in spec.blocks for each in everything_in(block.body))]
    calls = [phrase for phrase in phrases if isinstance(phrase, CallPhrase)]
    loops = [phrase for phrase in phrases if isinstance(phrase, LoopPhrase)]
    taken = {name for block in spec.blocks for name in block.params} | {*spec.inputs, *spec.sizes, *spec.let}
    taken |= {name for loop in loops for name in loop.columns}
    for name, find in (("width", _width), ("heads", _heads), ("layers", _layers), ("classes", _classes)):
        if name not in taken:
            value = find(spec, calls, loops, name)
            if value is not None:
                spec.params[name] = value


def _width(spec: SpecPhrase, calls: list[CallPhrase], loops: list[LoopPhrase], name: str) -> int | None:
    """Say the width that most layers have, and multiples of it, by its name."""
    counts = Counter(value for _, _, value in _widths(calls))
    width, uses = counts.most_common(1)[0] if counts else (0, 0)
    if uses < LEAST_USES or width < 16:
        return None
    for call, argument, value in [*_widths(calls)]:
        factor, rest = divmod(value, width)
        if rest == 0 and factor <= LARGEST_FACTOR and not _is_last(spec, call):
            call.arguments[argument] = Formula(name if factor == 1 else f"{factor} * {name}")
    return width


def _widths(calls: list[CallPhrase]) -> Iterator[tuple[CallPhrase, str, int]]:
    for call in calls:
        for argument, value in call.arguments.items():
            if type(value) is int and makes_width(argument) and call.block is None:
                yield call, argument, value


def _heads(spec: SpecPhrase, calls: list[CallPhrase], loops: list[LoopPhrase], name: str) -> int | None:
    """Say the number of heads by its name, where all attention has the same."""
    using = [call for call in calls if "num_heads" in call.arguments and call.block is None]
    values = {call.arguments["num_heads"] for call in using}
    if len(values) != 1 or type(value := values.pop()) is not int:
        return None
    for call in using:
        call.arguments["num_heads"] = Formula(name)
    return value


def _layers(spec: SpecPhrase, calls: list[CallPhrase], loops: list[LoopPhrase], name: str) -> int | None:
    """Say the count of the only long loop over a block by its name."""
    long = [loop for loop in loops if len(loop.body) == 1 and type(loop.count) is int and not loop.columns]
    long = [loop for loop in long if loop.count > 3 and getattr(loop.body[0], "block", None) is not None]
    if len(long) != 1:
        return None
    (loop,) = long
    value = int(loop.count)
    loop.count = Formula(name)
    return value


def _classes(spec: SpecPhrase, calls: list[CallPhrase], loops: list[LoopPhrase], name: str) -> int | None:
    """Say the width of the last layer by its name."""
    last = next((call for call in reversed(calls) if _is_last(spec, call)), None)
    if last is None or type(value := last.arguments.get("out_features")) is not int:
        return None
    last.arguments["out_features"] = Formula(name)
    return value


def _is_last(spec: SpecPhrase, call: CallPhrase) -> bool:
    """Return whether a linear layer makes what the network gives, and nothing stands behind it."""
    phrase: Phrase | None = spec.body[-1] if spec.body else None
    while getattr(phrase, "body", None) and not isinstance(phrase, LoopPhrase):
        phrase = phrase.body[-1]  # type: ignore[union-attr]
    return phrase is call and call.word == "linear" and len(call.makes[0].tensor.shape) == 2
