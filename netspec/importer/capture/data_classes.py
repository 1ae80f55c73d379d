"""Data classes among what a module gives, which torch.export must be told of."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from torch.utils import _pytree as pytree


def register_data_classes(values: Any) -> bool:
    """Tell torch.export of the data classes among values, and in them; return whether there were new ones."""
    found = {type(each): each for each in pytree.tree_leaves(values) if dataclasses.is_dataclass(each)}
    for kind, each in found.items():
        torch.export.register_dataclass(kind)
        register_data_classes([getattr(each, field.name) for field in dataclasses.fields(each)])
    return bool(found)
