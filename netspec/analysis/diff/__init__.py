"""The comparison of two networks: rows, sizes, ``state_dict`` keys, inputs and outputs.

    two graphs ─► matching (which steps correspond) ─► changes

``align`` finds which items of two sequences correspond; ``matching`` applies it to levels, from the network down.
"""

from netspec.analysis.diff.changes import Differences

__all__ = ["Differences"]
