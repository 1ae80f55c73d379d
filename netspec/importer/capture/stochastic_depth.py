"""Stochastic depth as a step: its modules do nothing in inference, so that torch.export would show nothing of them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from netspec.importer.capture.recurrent import LIBRARY

CALLED = re.compile(r"Drop|Stochastic")
"""The names of the classes that are tried."""
MOST_ROWS, MOST_DRAWS = 50_000, 64
"""The most rows of a trial, and the most trials."""
SEEN = 40
"""So many rows of a trial are left out on the average."""


class DropRate(NamedTuple):
    """With which probability something is left out in training: each row by itself, or all at once."""

    p: float
    mode: str = "row"


@contextmanager
def shown_stochastic_depth(module: nn.Module) -> Iterator[None]:
    """Have the modules that leave out rows at random call an operator that says so."""
    rates = drop_rates(module)
    parts = [(module.get_submodule(path), rate) for path, rate in rates.items()]
    for part, rate in parts:
        part.forward = partial(_call, rate)
    try:
        yield
    finally:
        for part, _ in parts:
            del part.forward


def drop_rates(module: nn.Module) -> Mapping[str, DropRate]:
    """Return the paths of the modules of stochastic depth, as ``torchvision.ops.StochasticDepth`` is one.

    A module is tried: in training it must give whole rows as they are, or as nothing, scaled so that the mean stays.
    Those that leave out nothing are listed too where others of their class do, or that have their name: the first
    block's rate is often 0, and some put an ``nn.Identity`` there.
    """
    parts = dict(module.named_modules())
    found = {path: rate for path, part in parts.items() if path and (rate := _rate_of(part)) is not None}
    kinds = {type(parts[path]) for path in found}
    names = {name for path in found if not (name := path.rpartition(".")[2]).isdecimal()}
    for path, part in parts.items():
        alike = type(part) in kinds or (type(part) is nn.Identity and path.rpartition(".")[2] in names)
        if path not in found and alike and _passes(part, training=True):
            found[path] = DropRate(0.0)
    return found


def _call(rate: DropRate, *given: Tensor, **named: Tensor) -> Any:
    return torch.ops.netspec.stochastic_depth(*given, *named.values(), *rate)


def _rate_of(part: nn.Module) -> DropRate | None:
    """Return the rate of a module that leaves out rows at random; ``None`` where it does anything else."""
    kind = type(part)
    if (
        not CALLED.search(kind.__name__)
        or kind.__module__.startswith("torch.nn")
        or part.state_dict()
        or [*part.children()]
    ):
        return None
    told = [value for value in vars(part).values() if isinstance(value, float) and 0 < value < 1]
    if not told or not _passes(part, training=False):
        return None
    draws: set[str] = set()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(MOST_DRAWS):
            kept, scale = _drawn(part, min(MOST_ROWS, int(SEEN / min(told)) + SEEN))
            p = next((p for p in told if abs(scale * (1 - p) - 1) < 1e-4), None) if kept else told[0]
            if p is None or kept is None:
                return None
            draws.add("some" if 0 < kept < 1 else "all" if kept else "none")
            if "some" in draws or {"all", "none"} <= draws:
                return DropRate(p, "row" if "some" in draws else "batch")
    return None


def _drawn(part: nn.Module, rows: int) -> tuple[float | None, float]:
    """Return which share of rows of ones a module leaves in training, and what it makes of them; ``None`` for the
    share where it does something else to them.
    """
    made = _run(part, torch.ones(rows, 2, 2, 2), training=True)
    if made is None or made.shape != (rows, 2, 2, 2):
        return None, 0.0
    made = made.flatten(1)
    kept = made[:, 0] != 0
    scale = made[kept, 0].max().item() if kept.any() else 0.0
    whole = torch.equal(made, (kept * scale).unsqueeze(1).expand_as(made))
    return (kept.float().mean().item() if whole else None), scale


def _passes(part: nn.Module, training: bool) -> bool:
    """Return whether a module gives what it is given."""
    given = torch.arange(48.0).reshape(6, 2, 2, 2)
    made = _run(part, given, training)
    return made is not None and made.shape == given.shape and torch.equal(made, given)


def _run(part: nn.Module, given: Tensor, training: bool) -> Tensor | None:
    before, part.training = part.training, training
    try:
        with torch.no_grad():
            made = part(given)
    except Exception:  # whatever the code of a class raises that only has a name like these
        return None
    finally:
        part.training = before
    return made if isinstance(made, Tensor) else None


def _as_it_is(input: Tensor, p: float, mode: str) -> Tensor:
    return input.clone()


LIBRARY.define("stochastic_depth(Tensor input, float p, str mode) -> Tensor")  # type: ignore[no-untyped-call]
LIBRARY.impl("stochastic_depth", _as_it_is, "CPU")  # type: ignore[no-untyped-call]
torch.library.register_fake("netspec::stochastic_depth", _as_it_is, lib=LIBRARY)
