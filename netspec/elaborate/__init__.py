"""From a spec to its shaped graph. ``elaborate.py`` is the file to read first."""

from netspec.elaborate.elaborate import elaborate
from netspec.elaborate.state.budget import Limits
from netspec.elaborate.state.cache import ElaborationCache

__all__ = ["ElaborationCache", "Limits", "elaborate"]
