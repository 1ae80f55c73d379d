"""The matching of a source's tensors with a spec's: by key, after the renames that were asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from netspec.dataclass import dataclass
from netspec.diagnostics import UsageError, clipped, did_you_mean
from netspec.dims import Shape
from netspec.graph import covers
from netspec.recipes.weights import WeightsSource
from netspec.weights.keys import SpecTensor

FORMER = (
    (re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\."), r"\1\2."),  # torchvision's DenseNet
    (re.compile(r"(\.mlp\.)linear_1\."), r"\g<1>0."),  # torchvision's ViT
    (re.compile(r"(\.mlp\.)linear_2\."), r"\g<1>3."),
    (re.compile(r"(^|\.)weight_g$"), r"\1parametrizations.weight.original0"),  # torch's first weight norm
    (re.compile(r"(^|\.)weight_v$"), r"\1parametrizations.weight.original1"),
    (re.compile(r"\.gamma$"), ".weight"),  # Hugging Face's first BERT
    (re.compile(r"\.beta$"), ".bias"),
)
"""Names that published files still have from earlier versions of the code, with those of today."""


@dataclass(slots=True)
class WeightsMatch:
    """The outcome for each tensor of a spec, by its key.

    ``taken`` has the key of the source that it is read from, ``tied`` the key of the spec that it is one with.
    ``skipped`` and ``reshaped`` have the shape that the source has under its key (``None`` for no such key).
    ``missing`` are not in the source, ``unused`` the keys of the source that nothing takes. ``former`` counts those
    that have an earlier name in the source.
    """

    tensors: Mapping[str, SpecTensor]
    taken: dict[str, str] = field(default_factory=dict)
    tied: dict[str, str] = field(default_factory=dict)
    skipped: dict[str, Shape | None] = field(default_factory=dict)
    reshaped: dict[str, Shape] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    former: int = 0

    @property
    def anew(self) -> list[str]:
        """Return the keys of what starts from the spec's own initial values."""
        return [*self.skipped, *self.missing]

    def count(self, keys: Iterable[str]) -> int:
        """Return how many of the keys are those of parameters, tied ones counted once, but for changes that the source
        need not have.
        """
        found = (self.tensors[key] for key in keys)
        return sum(each.learned and not each.added and each.tied not in self.tensors for each in found)


def match(
    tensors: Sequence[SpecTensor], held: Mapping[str, Shape], source: WeightsSource, aliases: Mapping[str, str] = {}
) -> WeightsMatch:
    """Match the tensors of a spec with those that a source holds, by key and shape.

    ``aliases`` has keys of the source under which a tensor stands once more, with its own. Raises ``UsageError`` where
    ``skip`` or ``rename`` names nothing, or two keys become one.
    """
    by_key = {tensor.key: tensor for tensor in tensors}
    guard_skips(source.skip, by_key)
    names = renamed(held, source)
    found = WeightsMatch(by_key)
    former = _former(names, held, by_key)
    for key, tensor in by_key.items():
        own = names.get(key, former.get(key))
        if any(covers(pattern, key) for pattern in source.skip):
            found.skipped[key] = held[own] if own is not None else None
        elif own is None and tensor.tied in by_key:
            found.tied[key] = tensor.tied
        elif own is None:
            if tensor.needed:
                found.missing.append(key)
        elif held[own] != tensor.shape:
            found.reshaped[key] = held[own]
        else:
            found.taken[key] = own
            found.former += key not in names
    _settle_ties(found)
    used = {*found.taken.values()}
    used |= {key for pair in aliases.items() if not used.isdisjoint(pair) for key in pair}
    known = {names.get(key, former.get(key)) for key in (*found.skipped, *found.reshaped)}
    unused = [key for key in held if key not in used and key not in known]
    found.unused = [key for key in unused if aliases.get(key) not in unused]
    return found


def renamed(held: Iterable[str], source: WeightsSource) -> dict[str, str]:
    """Return the keys of a source by what the prefix and the renames make of them."""
    keys = {key: key.removeprefix(source.prefix) for key in held if key.startswith(source.prefix)}
    for pattern, replacement in source.rename.items():
        changed = {key: re.sub(pattern, replacement, name) for key, name in keys.items()}
        if keys and changed == keys:
            first = clipped(next(iter(keys.values())))
            raise UsageError(
                f"the rename `{pattern}` of `weights` changes no key of {source.origin}, such as `{first}`"
            )
        keys = changed
    names: dict[str, str] = {}
    for key, name in keys.items():
        if name in names:
            raise UsageError(f"the renames of `weights` make `{names[name]}` and `{key}` the same key, `{name}`")
        names[name] = key
    return names


def guard_skips(patterns: Iterable[str], keys: Mapping[str, SpecTensor]) -> None:
    """Guard: each pattern names some tensor of the spec."""
    for pattern in patterns:
        if not any(covers(pattern, key) for key in keys):
            modules = dict.fromkeys(tensor.module for tensor in keys.values())
            hint = did_you_mean(pattern.removesuffix(".*"), modules) or "`netspec weights` lists the keys"
            raise UsageError(f"`skip: {pattern}` names nothing of the spec: {hint}")


def _former(names: Mapping[str, str], held: Mapping[str, Shape], tensors: Mapping[str, SpecTensor]) -> dict[str, str]:
    """Return the keys of a source that are earlier names, by today's."""
    found: dict[str, str] = {}
    for name, key in names.items():
        if name in tensors:
            continue
        for pattern, replacement in FORMER:
            today = pattern.sub(replacement, name)
            if today != name and today in tensors and today not in names and held[key] == tensors[today].shape:
                found.setdefault(today, key)
    return found


def _settle_ties(found: WeightsMatch) -> None:
    """Take what a tensor is tied to for it, and the reverse where the source has the other one alone."""
    for key, target in [*found.tied.items()]:
        if target not in found.taken and target not in found.skipped:
            del found.tied[key]
            found.missing.append(key)
    for key, tensor in found.tensors.items():
        if tensor.tied in found.missing and key in found.taken:
            found.missing.remove(tensor.tied)
            found.tied[tensor.tied] = key
