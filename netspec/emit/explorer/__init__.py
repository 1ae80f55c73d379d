"""The explorer: a network as one HTML file that needs nothing else, to look into and to play with."""

from netspec.emit.explorer.differences import LayerDifferences
from netspec.emit.explorer.page import (
    comparison_page,
    embedded_scripts,
    explorer_page,
    joined,
    policy_hash,
    waiting_page,
)

__all__ = [
    "LayerDifferences",
    "comparison_page",
    "embedded_scripts",
    "explorer_page",
    "joined",
    "policy_hash",
    "waiting_page",
]
