"""Names that positions give as well, as in ``nn.Sequential``."""

from __future__ import annotations

from collections.abc import Sequence

from netspec.importer.write.phrases import IfPhrase, ParallelPhrase, Phrase, ResidualPhrase
from netspec.importer.write.rooms import phrases_in


def drop_positions(body: Sequence[Phrase]) -> None:
    """Take the names from a level's steps where each is the number of the step."""
    steps = [each for each in phrases_in(body) if not isinstance(each, (ResidualPhrase, IfPhrase)) and each.makes]
    if any(isinstance(each, ParallelPhrase) for each in steps) or not any(each.keyed for each in steps):
        return
    if all(each.name == str(at) or not each.keyed for at, each in enumerate(steps)):
        for each in steps:
            if each.keyed:
                each.place, each.name = each.name, ""
