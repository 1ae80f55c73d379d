"""Hugging Face's modules as they are read best: without caches of keys and values, and experts by products of batches.

Both are choices in a module's configuration that change nothing of what it computes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn

CHOICES = {"use_cache": False, "_experts_implementation": "batched_mm"}


@contextmanager
def plain_choices(module: nn.Module) -> Iterator[None]:
    """Make these choices in the configurations of a module and its parts; afterwards each is as it was."""
    configs: dict[int, Any] = {id(each.config): each.config for each in module.modules() if hasattr(each, "config")}
    before = [(config, name, getattr(config, name, None)) for config in configs.values() for name in CHOICES]
    changed = [each for each in before if each[2]]
    for config, name, _ in changed:
        setattr(config, name, CHOICES[name])
    try:
        yield
    finally:
        for config, name, value in changed:
            setattr(config, name, value)
