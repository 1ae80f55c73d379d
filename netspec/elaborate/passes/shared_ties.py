"""Ties of what runs another step's module: their keys are those of that module, the only ones in the ``state_dict``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netspec.elaborate.passes.draft import Draft
from netspec.graph import Call, Level, Step, visits


def settle_shared_ties(draft: Draft) -> None:
    """Give every tie to a parameter of a shared module the key that the module has where it stands first."""
    if not draft.body.has_ties:
        return
    shared = (visit for visit in visits(draft.body) if visit.step.shares)
    homes = {visit.path: visit.path.removesuffix(visit.step.name) + visit.step.shares for visit in shared}
    if homes:
        draft.body = _settled(draft.body, homes)


def _settled(level: Level, homes: Mapping[str, str]) -> Level:
    """Return a level whose ties name the modules that are there."""
    if not level.has_ties:
        return level
    steps = [_settled_step(step, homes) for step in level.steps]
    phases = {new: level.phases[old] for old, new in zip(level.steps, steps) if old in level.phases}
    return replace(level, steps=tuple(steps), phases=phases)


def _settled_step(step: Step, homes: Mapping[str, str]) -> Step:
    if isinstance(step, Call):
        body = _settled(step.body, homes)
        return step if body is step.body else replace(step, body=body)
    ties = tuple((name, _home(key, homes)) for name, key in step.ties)
    return step if ties == step.ties else replace(step, ties=ties)


def _home(key: str, homes: Mapping[str, str]) -> str:
    """Return a key with the paths of modules in place of the steps that run them again."""
    around = key
    while around := around.rpartition(".")[0]:
        if around in homes:
            return _home(homes[around] + key.removeprefix(around), homes)
    return key
