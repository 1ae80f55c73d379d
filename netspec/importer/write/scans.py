"""Scans in the text: the names of what their bodies read and make, and how their first states are said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netspec.dims import symbols
from netspec.importer.write.phrases import CallPhrase, Phrase, ScanPhrase, Wire

STATES = "hcsuvw"
"""The names of states."""


def name_scans(scans: Sequence[ScanPhrase], taken: set[str]) -> None:
    """Give names to what the bodies of scans read and make, which nothing else has; ``taken`` has them then."""
    for scan in scans:
        if scan.names:
            taken.update((*scan.names, *scan.ports))
            continue
        for at in range(scan.sequences):
            scan.names.append(_free(_element_name(scan.reads[at]), taken))
        for at in range(scan.states):
            scan.names.append(_free(STATES[min(at, len(STATES) - 1)], taken))
        count = len(scan.results) - scan.states
        collected = ["output"] if count == 1 else [f"output{at or ''}" for at in range(count)]
        scan.ports = [*collected, *scan.names[scan.sequences :]]


def _element_name(whole: Wire | None) -> str:
    """Return a name for one step of a sequence."""
    maker = whole.maker if whole is not None else None
    if isinstance(maker, CallPhrase) and maker.word == "arange":
        return "step"
    name = maker.name if maker is not None and isinstance(maker.name, str) and maker.name.isidentifier() else ""
    return f"{name}_t" if name else "x_t"


def _free(base: str, taken: set[str]) -> str:
    name, number = base, 1
    while name in taken:
        number += 1
        name = f"{base}{number}"
    taken.add(name)
    return name


def zero_states(scan: ScanPhrase) -> Iterator[int]:
    """Yield the numbers of the states that begin as zeros, which their shape alone says."""
    sequences = [wire for wire in scan.reads[: scan.sequences] if wire is not None]
    like = next((wire for wire in sequences if "float" in wire.tensor.dtype), next(iter(sequences), None))
    if like is None:
        return
    for at in range(scan.states):
        wire = scan.reads[scan.sequences + at]
        if wire is None or not is_zeros(wire.maker) or like.tensor.dtype != wire.tensor.dtype:
            continue
        if symbols(wire.tensor.shape) <= symbols(like.tensor.shape):
            yield at


def is_zeros(phrase: Phrase | None) -> bool:
    """Return whether a step gives zeros of a shape that it says itself."""
    return isinstance(phrase, CallPhrase) and phrase.word == "zeros" and phrase.block is None


def without_first_states(phrases: Sequence[Phrase], wanted: Sequence[Wire]) -> list[Phrase]:
    """Return the steps of a level without the zeros that nothing but the states of scans begins with."""
    others = {wire for phrase in phrases for wire in _reads_beside_zeros(phrase)} | {*wanted}
    states = {wire for phrase in phrases for wire in phrase.reads if isinstance(phrase, ScanPhrase)}
    return [
        phrase
        for phrase in phrases
        if not (is_zeros(phrase) and phrase.makes[0] in states and phrase.makes[0] not in others)
    ]


def _reads_beside_zeros(phrase: Phrase) -> list[Wire | None]:
    if not isinstance(phrase, ScanPhrase):
        return phrase.reads
    zeros = {phrase.sequences + at for at in zero_states(phrase)}
    return [wire for at, wire in enumerate(phrase.reads) if at not in zeros]
