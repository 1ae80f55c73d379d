"""The names in the source: a spec's own where Python takes them, and what stands for the others.

Names of steps are attributes and keys of the ``state_dict``, so that they stay; one that cannot be written behind a dot
is given as text. All other names are variables, which are ours to choose.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable

NO_WORD = re.compile(r"\W+", re.ASCII)
BUILTINS = frozenset(
    {"float", "getattr", "int", "isinstance", "len", "max", "min", "range", "reversed", "super", "zip"}
)
"""Those that the source calls: a variable of that name would hide them."""

RESERVED = frozenset(
    {"self", "torch", "torchvision", "nn", "F", "Tensor", "FrozenBatchNorm2d", "recompute", "_", *BUILTINS}
)
"""Names with a meaning of their own everywhere in the source."""


def is_attribute(name: str) -> bool:
    """Return whether an attribute of that name may be written behind a dot: ``self.conv1``."""
    return name.isidentifier() and not keyword.iskeyword(name) and name != "__debug__" and not is_mangled(name)


def is_mangled(name: str) -> bool:
    """Return whether Python gives the name another form inside a class: ``self.__x`` means ``self._Net__x`` there."""
    return name.startswith("__") and not name.endswith("__")


def is_variable(name: str) -> bool:
    """Return whether a variable may have that name."""
    return is_attribute(name) and name not in RESERVED and not name.startswith("__")  # Python's own, as `__class__`


def word_of(name: str) -> str:
    """Return a name of letters, digits and underscores for one that may be a key such as `block1-0`."""
    return NO_WORD.sub("_", name).strip("_") or "value" if NO_WORD.search(name) else name


def variable_name(name: str) -> str:
    """The name where it may be a variable's, else one like it."""
    name = word_of(name)
    if name[:1].isdecimal():
        name = f"x{name}"  # what a step gives that is called by a number
    return name if is_variable(name) else f"{name.lstrip('_') or 'value'}_"


def variable_names(names: Iterable[str], taken: Collection[str] = ()) -> list[str]:
    """Names of variables for these names, each like its own, and none twice or among the taken ones."""
    made: list[str] = []
    for name in names:
        free = variable_name(name)
        while free in made or free in taken:
            free += "_"
        made.append(free)
    return made
