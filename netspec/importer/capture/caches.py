"""Modules as they compute without caches of keys and values, which generation alone needs: Hugging Face's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


@contextmanager
def without_caches(module: nn.Module) -> Iterator[None]:
    """Turn ``use_cache`` off in the configurations of a module and its parts; afterwards each is as it was."""
    configs: dict[int, Any] = {id(each.config): each.config for each in module.modules() if hasattr(each, "config")}
    caching = [config for config in configs.values() if getattr(config, "use_cache", None) is True]
    for config in caching:
        config.use_cache = False
    try:
        yield
    finally:
        for config in caching:
            config.use_cache = True
