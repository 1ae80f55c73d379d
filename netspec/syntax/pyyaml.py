"""PyYAML, imported without compiling the regular expressions of its own scanner, resolver and constructor.

LibYAML reads specs without them, and they take half the time of the import. Each is compiled when it is first used.
"""

from __future__ import annotations

import re
import sys
from types import ModuleType
from typing import Any

__all__ = ["yaml"]


class _Pattern:
    """A regular expression that is compiled when it is first used."""

    def __init__(self, *given: Any):
        self._given = given

    def __getattr__(self, name: str) -> Any:
        return getattr(re.compile(*self._given), name)

    def __reduce__(self) -> Any:
        return re.compile, self._given


class _Expressions(ModuleType):
    """The module ``re`` as PyYAML finds it while it is imported: the rest of the process keeps the real one."""

    def __enter__(self) -> None:
        vars(self).update({**vars(re), "compile": _Pattern})
        sys.modules["re"] = self

    def __exit__(self, *_: object) -> None:
        sys.modules["re"] = re
        vars(self)["compile"] = re.compile


with _Expressions("re"):
    import yaml
