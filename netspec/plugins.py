"""Plugins: ops, ingredients and targets of a module that the command line names or a package offers.

A spec never names Python to import. ``--plugin MODULE`` does, and so does a package, by an entry point of the group
``netspec.plugins`` whose value is a module; those are looked for when a name is not known, or targets are listed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType

from netspec.diagnostics import NetspecError, UsageError, did_you_mean
from netspec.graph import Graph
from netspec.ops import OPS, Op
from netspec.ops.registry import ops_in
from netspec.recipes.base import PLUGIN_MODULES, Ingredient, ingredients, ingredients_in
from netspec.targets import Target, add_target, blamed, forget_targets, loaded_target, target_names, targets_in

GROUP = "netspec.plugins"

_named: list[str] = []
_looked: list[bool] = []


def plugins() -> tuple[str, ...]:
    """The modules that the command line has named, in order."""
    return tuple(_named)


def add_plugin(module: str) -> None:
    """Add the ops and ingredients of a module (classes derived from those of netspec, with a ``name``) and its targets.

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


def find_target(name: str) -> Target:
    """Return a target by its name, one of netspec's or of a plugin's. Raises ``UsageError`` where there is none."""
    target = loaded_target(name)
    if target is None:
        look_for_plugins()
        target = loaded_target(name)
    if target is None:
        hint = did_you_mean(name, target_names()) or "`netspec emit` lists them all"
        raise UsageError(f"there is no target named `{name}`: {hint}")
    return target


def all_targets() -> list[Target]:
    """Return netspec's targets, then those of every plugin."""
    look_for_plugins()
    return [find_target(name) for name in target_names()]


def emitted(name: str, graph: Callable[[], Graph]) -> str:
    """Return the text of a target for a graph, which is compiled once the target is known.

    Raises ``UsageError`` where there is no such target, or it is no text.
    """
    target = find_target(name)
    if target.text is None:
        raise UsageError(f"`{name}` is not a text target: write it with `netspec build SPEC --only {name}`")
    compiled = graph()
    with blamed(target):
        return target.text(compiled)


def clear_plugins() -> None:
    """Forget every plugin, as if the process had just begun."""
    OPS.forget(PLUGIN_MODULES)
    forget_targets()
    PLUGIN_MODULES.clear()
    _named.clear()
    _looked.clear()
    ingredients.cache_clear()


def _imported(module: str) -> ModuleType:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0] and error.name != module:
            raise UsageError(f"the plugin `{module}` needs {error.name}, which is not installed") from None
        message = f"there is no module `{module}`: install it, or put its folder on PYTHONPATH"
        raise UsageError(message) from None
    except (NetspecError, OSError, MemoryError):
        raise
    except Exception as error:
        raise UsageError(f"the plugin `{module}` cannot be imported: {type(error).__name__}: {error}") from error


def _add(name: str, module: ModuleType) -> None:
    if name in PLUGIN_MODULES:
        return
    ops = [kind for kind in ops_in(module) if kind.__module__ == name]
    own = [kind for kind in ingredients_in(module) if kind.__module__ == name]
    targets = targets_in(module)
    if not ops and not own and not targets:
        raise UsageError(f"the plugin `{name}` brings nothing: {_nothing(name, module)}")
    for kind in ops:
        OPS.add(kind)
    for target in targets:
        add_target(target)
    PLUGIN_MODULES.append(name)
    ingredients.cache_clear()


def _nothing(name: str, module: ModuleType) -> str:
    """Return why a module brings no op, no ingredient and no target."""
    classes = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, (Op, Ingredient))]
    nameless = [kind for kind in classes if kind.__module__ == name]
    if nameless:
        return f"its class `{nameless[0].__name__}` has no `name`"
    foreign = [kind for kind in classes if not kind.__module__.startswith("netspec.")]
    if foreign:
        return f"`{foreign[0].__name__}` is a class of `{foreign[0].__module__}`, which is the module to name"
    return "it has no class of its own that is derived from one of netspec's ops or ingredients, and no target"
