"""The rules of ``init``: which parameters get which initial values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from netspec.dataclass import dataclass
from netspec.diagnostics import Span
from netspec.ops import OPS, Op


@dataclass(frozen=True, slots=True)
class InitRule:
    """One rule of ``init``: which parameters (an ``op.parameter`` pair or a path pattern) get which initial values.

    Of a rule that stands on a step ``keys`` has the parameters one by one, as the step's own ``state_dict`` calls them;
    in a graph's rules, as the network's does.
    """

    pattern: str
    function: str
    arguments: Mapping[str, Any]
    span: Span
    keys: frozenset[str] | None = None

    @property
    def op(self) -> str | None:
        """The op that the rule is for; ``None`` where the pattern is a path: an op that learns nothing is a name."""
        op, dot, parameter = self.pattern.partition(".")
        learns = op in OPS and OPS[op].parameters is not Op.parameters
        return op if learns and dot and "." not in parameter and self.keys is None else None

    @property
    def meaning(self) -> tuple[Any, ...]:
        """The key that is equal for two rules that do the same to the same parameters."""
        return self.function, tuple(self.arguments.items()), self.keys

    def sets(self, key: str, op: str, parameter: str) -> bool:
        """Return whether the rule gives this parameter of a node, which has that key and runs ``op``, its values."""
        if self.keys is not None:
            return key in self.keys
        if self.op is not None:
            return self.pattern == f"{op}.{parameter}"
        return fnmatchcase(key, self.pattern)


LOOP = re.compile(r"\([^()]*\)\.")
"""A part of a path that no key has: the name of a scan that is no level in the ``state_dict``."""


def key_of(path: str) -> str:
    """Return what a path is in the ``state_dict``: without the scans that are no levels there."""
    return LOOP.sub("", path) if "(" in path else path


def state_key(path: str, name: str) -> str:
    """The ``state_dict`` key of a node's parameter or buffer; that of a bare parameter is the node's path."""
    return key_of(f"{path}.{name}" if name else path)


def covers(pattern: str, key: str) -> bool:
    """Return whether a pattern is that of a ``state_dict`` key, or of a level that it is in: ``fc`` as ``fc.*``."""
    return fnmatchcase(key, pattern) or fnmatchcase(key, f"{pattern}.*")
