"""What differs between two networks: rows, sizes, ``state_dict`` keys, inputs and outputs.

    two graphs ─► matching (which steps correspond) ─► changes ─► text · JSON · picture

``align`` finds which items of two sequences correspond; ``matching`` applies it to levels, from the network down.
"""

from __future__ import annotations

from netspec.analysis.diff.changes import Diff

__all__ = ["Diff"]
