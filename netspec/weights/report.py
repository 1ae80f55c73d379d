"""The telling of a match: in a line, in a table, and as the error that it is."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError, clipped
from netspec.dims import Shape
from netspec.recipes.weights import WeightsSource, written_source
from netspec.weights.keys import SpecTensor
from netspec.weights.matching import WeightsMatch, match
from netspec.weights.near import mending, parts_that_match

FEW = 3


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """The match of a source's tensors with a spec's, in words. ``told`` is what the source is called.

    ``aliases`` has keys of the source under which a tensor stands once more, with its own.
    """

    told: str
    source: WeightsSource
    held: Mapping[str, Shape]
    found: WeightsMatch
    aliases: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def of(
        told: str,
        tensors: Sequence[SpecTensor],
        held: Mapping[str, Shape],
        source: WeightsSource,
        aliases: Mapping[str, str] = {},
    ) -> WeightsReport:
        """Match, and return what is to be told of it. Raises ``UsageError`` as ``match`` does."""
        return WeightsReport(told, source, held, match(tensors, held, source, aliases), aliases)

    def line(self) -> str:
        """Return what was matched: ``60 of 62 parameters; `fc` starts anew: 1000 → 10``."""
        found = self.found
        total = found.count(found.tensors)
        parts = [f"{found.count([*found.taken, *found.tied]):,} of {total:,} parameters"]
        if found.former:
            parts.append(f"{found.former:,} of them under earlier names")
        if anew := _anew(found):
            more = f" and {len(anew) - FEW:,} more" if len(anew) > FEW else ""
            parts.append(f"{', '.join(anew[:FEW])}{more} start{'s' * (len(anew) == 1)} anew{self._change(anew)}")
        if found.unused:
            parts.append(f"{self._left_over()}")
        return "; ".join(parts)

    def _change(self, anew: Sequence[str]) -> str:
        """The change of the first dimension, where that alone is another in the source."""
        if len(anew) != 1:
            return ""
        shapes = {(held, self.found.tensors[key].shape) for key, held in self.found.skipped.items() if held}
        firsts = {(old[0], new[0]) for old, new in shapes if old and new and old[0] != new[0] and old[1:] == new[1:]}
        return f": {next(iter(firsts))[0]} → {next(iter(firsts))[1]}" if len(firsts) == 1 else ""

    def _left_over(self) -> str:
        names = [f"`{clipped(key)}`" for key in self.found.unused]
        more = f" and {len(names) - FEW:,} more" if len(names) > FEW else ""
        return f"{', '.join(names[:FEW])}{more} of the source {'are' if len(names) > 1 else 'is'} left over"

    def advice(self) -> str | None:
        """Return the rename that would mend near misses; ``None`` where there are none."""
        found = self.found
        mended = mending([*found.tensors.values()], self.held, self.source, found, self.aliases)
        if mended is None:
            return None
        written = written_source(replace(self.source, rename=mended.rename))
        return f"{mended.count:,} more tensors match with `weights: {written}`"

    def guard(self, complete: bool = False, elsewhere: Collection[str] = ()) -> None:
        """Guard: something matches, and nothing that is not skipped has another shape; if ``complete``, all is there.

        Keys that are ``elsewhere`` may be missing. Raises ``UsageError`` with the repair.
        """
        found = self.found
        self._guard_changes()
        if found.reshaped:
            raise UsageError(self._reshaped())
        if not found.taken:
            raise UsageError(self._nothing())
        missing = [key for key in found.missing if key not in elsewhere]
        if complete and missing:
            keys = ", ".join(f"`{clipped(key)}`" for key in missing[:FEW])
            more = f" and {len(missing) - FEW:,} more" if len(missing) > FEW else ""
            advice = self.advice()
            raise UsageError(f"{self.told} has no {keys}{more} of the spec{f': {advice}' if advice else ''}")

    def _guard_changes(self) -> None:
        """Guard: no changes of low rank are left over, without which the weights are those of another network."""
        end = ".lora_A.weight"
        left = [key for key in self.found.unused if key.endswith(end) and key.replace("lora_A", "lora_B") in self.held]
        if left:
            more = f" and {len(left) - 1:,} more" if len(left) > 1 else ""
            rank = self.held[left[0]][0]
            what = f"a change of low rank for `{clipped(left[0].removesuffix(end))}`{more}"
            help = f"`--lora '{{rank: {rank}, …}}'` adds them, with the values that they were learned with"
            raise UsageError(f"{self.told} holds {what}, for which the spec has no steps: {help}")

    def _reshaped(self) -> str:
        found = self.found
        (key, shape), *others = found.reshaped.items()
        wanted = found.tensors[key].shape
        more = f" ({len(others):,} more differ{'s' * (len(others) == 1)})" if others else ""
        turned = "; it is the other way round" if len(shape) == 2 and shape[::-1] == wanted != shape else ""
        modules = [*dict.fromkeys(f"{found.tensors[each].module}.*" for each in found.reshaped)]
        skip = [*self.source.skip, *modules[:FEW]]
        written = written_source(replace(self.source, skip=tuple(skip)))
        return (
            f"`{clipped(key)}` is {[*shape]} in {self.told} and {[*wanted]} in the spec{more}{turned}: "
            f"`weights: {written}` lets {'it' if len(modules) == 1 else 'them'} start anew"
        )

    def _nothing(self) -> str:
        if not self.held:
            return f"{self.told} holds no tensors"
        theirs = ", ".join(f"`{clipped(key)}`" for key in [*self.held][:FEW])
        ours = ", ".join(f"`{clipped(key)}`" for key in [*self.found.tensors][:FEW])
        parts = parts_that_match([*self.found.tensors.values()], self.held, self.source)
        if len(parts) > 1:
            listed = " and ".join(f"`{clipped(each)}`" for each in parts)
            written = written_source(replace(self.source, prefix=next(iter(parts)), rename={}))
            return f"{self.told} holds several networks, under {listed}: choose one, as `weights: {written}`"
        advice = self.advice()
        help = advice or "are these the weights of another network?"
        return f"nothing of {self.told} matches the spec: its keys are {theirs} …, the spec's {ours} …; {help}"

    def record(self) -> dict[str, Any]:
        """Return what was matched, as ``build.json`` and a run have it."""
        found = self.found
        return {
            **self.source.plain(),
            "parameters": found.count(found.tensors),
            "matched": found.count([*found.taken, *found.tied]),
            "anew": [*found.anew],
            "left_over": [*found.unused],
        }


def _anew(found: WeightsMatch) -> list[str]:
    """The levels of which every parameter starts anew, and single ones of others."""
    anew = {*found.anew}
    mixed = {level for key, each in found.tensors.items() if each.needed and key not in anew for level in _levels(key)}
    names = (
        next((level for level in _levels(key) if level not in mixed), key)
        for key, tensor in found.tensors.items()
        if key in anew and tensor.needed
    )
    return [f"`{clipped(name)}`" for name in dict.fromkeys(names)]


def _levels(key: str) -> list[str]:
    """The paths of the levels that a key is in, the outermost first."""
    parts = key.split(".")
    return [".".join(parts[:length]) for length in range(1, len(parts))]
