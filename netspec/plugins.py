"""Ops and ingredients from outside: classes of a module that the command line names or an installed package offers.

A spec never names Python to import. ``--plugin MODULE`` does, and so does a package, by an entry point of the group
``netspec.plugins`` whose value is a module; those are looked for when a spec has a name that netspec does not know.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from netspec.diagnostics import UsageError
from netspec.ops import OPS
from netspec.ops.registry import ops_in
from netspec.recipes.base import PLUGIN_MODULES, ingredients, ingredients_in

GROUP = "netspec.plugins"

_named: list[str] = []
_looked: list[bool] = []


def plugins() -> tuple[str, ...]:
    """The modules that the command line has named, in order."""
    return tuple(_named)


def add_plugin(module: str) -> None:
    """Add the ops and ingredients of a module: classes derived from those of netspec, each with a ``name``.

    It is imported as ``import`` finds it: from an installed package, or a folder on PYTHONPATH. Raises ``UsageError``
    where it cannot be imported, brings nothing, or brings a name that there is already.
    """
    _add(module, _imported(module))
    if module not in _named:
        _named.append(module)


def look_for_plugins() -> None:
    """Add what installed packages offer, once a process. Raises ``UsageError`` as ``add_plugin`` does."""
    if _looked:
        return
    _looked.append(True)
    from importlib.metadata import entry_points

    for point in entry_points(group=GROUP):
        _add(point.value, _imported(point.value))


def clear_plugins() -> None:
    """Forget every plugin, as if the process had just begun."""
    OPS.forget(PLUGIN_MODULES)
    PLUGIN_MODULES.clear()
    _named.clear()
    _looked.clear()
    ingredients.cache_clear()


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as fault:
        if fault.name != module.partition(".")[0] and fault.name != module:
            raise UsageError(f"the plugin `{module}` needs {fault.name}, which is not installed") from None
        message = f"there is no module `{module}`: install it, or put its folder on PYTHONPATH"
        raise UsageError(message) from None


def _add(name: str, module: ModuleType) -> None:
    if name in PLUGIN_MODULES:
        return
    ops = [kind for kind in ops_in(module) if kind.__module__ == name]
    own = [kind for kind in ingredients_in(module) if kind.__module__ == name]
    if not ops and not own:
        raise UsageError(
            f"the plugin `{name}` brings nothing: no op or ingredient, that is a class derived from one of netspec's "
            "with a `name`"
        )
    for kind in ops:
        OPS.add(kind)
    PLUGIN_MODULES.append(name)
    ingredients.cache_clear()
