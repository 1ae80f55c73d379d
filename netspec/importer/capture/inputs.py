"""Examples of what ``forward`` takes: tensors by themselves, or in lists and dictionaries of them.

An example in a list or a dictionary goes by its path, ``batch.age`` or ``states.0``; as an input of the spec, it is
``batch_age`` or ``states_0``.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils import _pytree as pytree

from netspec.diagnostics import UsageError


def by_path(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return all examples by their paths."""
    return {path_of(keys): leaf for keys, leaf in pytree.tree_flatten_with_path(dict(inputs))[0]}


def path_of(keys: Sequence[Any]) -> str:
    """Return the steps into lists and dictionaries as a path."""
    return ".".join(str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in keys)


def plain_name(path: str) -> str:
    """Return the name of a spec's input."""
    return path.replace(".", "_")


def with_tensors(inputs: Mapping[str, Any], tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Return the examples with other tensors, by the names of the spec's inputs."""
    instead = lambda keys, leaf: tensors.get(plain_name(path_of(keys)), leaf)  # noqa: E731
    return dict(pytree.tree_map_with_path(instead, dict(inputs)))


def apart(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the examples, where no two are one tensor: torch.export would take them for one input."""
    seen: set[int] = set()

    def one(value: Any) -> Any:
        again = id(value) in seen
        seen.add(id(value))
        return value.clone() if again and isinstance(value, torch.Tensor) else value

    return dict(pytree.tree_map(one, dict(inputs)))


def nested(examples: Mapping[str, Any], module: nn.Module) -> dict[str, Any]:
    """Return examples by paths as ``forward`` takes them: those with numbers in lists or tuples, others by their keys.

    Raises ``UsageError`` where numbers and names meet in one, or a number is left out.
    """
    whole: dict[str, Any] = {}
    for path, value in examples.items():
        inner = whole
        *outer, last = path.split(".")
        for part in outer:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise UsageError(f"--input {path}: `{path.rpartition('.')[0]}` is an input by itself")
        inner[last] = value
    known = inspect.signature(module.forward).parameters
    return {
        name: _listed(value, name, str(known[name].annotation) if name in known else "")
        for name, value in whole.items()
    }


def _listed(value: Any, path: str, kind: str) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(each, f"{path}.{key}", "") for key, each in value.items()}
    if not any(key.isdecimal() for key in inner):
        return inner
    if sorted(inner) != [str(at) for at in range(len(inner))]:
        raise UsageError(
            f"--input {path}: its parts are numbered {path}.0, {path}.1 and so on, and it has {', '.join(inner)}"
        )
    parts = [inner[str(at)] for at in range(len(inner))]
    return parts if "ist" in kind else tuple(parts)


def parameter_names(module: nn.Module) -> list[str]:
    """Return the names of ``forward``'s parameters, without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(module.forward).parameters.values()
    return [each.name for each in parameters if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]


def bound(module: nn.Module, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the examples as positional and keyword arguments of ``forward``.

    Raises ``UsageError`` for one that it does not take.
    """
    signature = inspect.signature(module.forward).parameters
    several = next((each.name for each in signature.values() if each.kind is each.VAR_POSITIONAL), None)
    open_ended = any(each.kind is each.VAR_KEYWORD for each in signature.values())
    known = parameter_names(module)
    for name in inputs:
        if name not in (*known, several) and not open_ended:
            raise UsageError(f"{type(module).__name__}.forward has no parameter `{name}`; it takes {', '.join(known)}")
    positional: list[Any] = []
    keywords = dict(inputs)
    for name, each in signature.items():
        if name not in keywords or each.kind is each.KEYWORD_ONLY:
            break
        value = keywords.pop(name)
        positional += [*value] if name == several else [value]
    return tuple(positional), keywords


def called(module: nn.Module, inputs: Mapping[str, Any]) -> Any:
    """Return what a module gives for inputs by the names of ``forward``'s parameters."""
    positional, keywords = bound(module, inputs)
    return module(*positional, **keywords)


def paths_in_order(exported: torch.export.ExportedProgram, module: nn.Module, inputs: Mapping[str, Any]) -> list[str]:
    """Return the paths of the examples in the order of an exported program's inputs."""
    paths = pytree.tree_map_with_path(lambda keys, leaf: path_of(keys), dict(inputs))
    positional, keywords = bound(module, paths)
    tree = exported.call_spec.in_spec
    _, order = pytree.tree_unflatten(range(tree.num_leaves), tree)
    return [
        str(path) for each in (positional, *(keywords[name] for name in order)) for path in pytree.tree_leaves(each)
    ]


def dynamic_shapes(module: nn.Module, inputs: Mapping[str, Any], dynamic: Mapping[str, Mapping[int, str]]) -> Any:
    """Return the dynamic shapes as ``torch.export`` wants them: by the parameters' names.

    ``dynamic`` has the names of symbolic dimensions by their numbers, by the examples' paths.
    """
    shapes = pytree.tree_map_with_path(lambda keys, leaf: _dynamic(leaf, dynamic.get(path_of(keys), {})), dict(inputs))
    signature = inspect.signature(module.forward).parameters
    rest = next((each.name for each in signature.values() if each.kind is each.VAR_KEYWORD), "")
    own = {
        name: tuple(each) if _is_several(signature, name) else each
        for name, each in shapes.items()
        if name in signature
    }
    extra = {name: each for name, each in shapes.items() if name not in signature}
    return {**own, rest: extra} if extra else own


def _is_several(signature: Mapping[str, inspect.Parameter], name: str) -> bool:
    return signature[name].kind is inspect.Parameter.VAR_POSITIONAL


def _dynamic(value: Any, names: Mapping[int, str]) -> Any:
    is_tensor = isinstance(value, torch.Tensor)
    return {at: torch.export.Dim.AUTO for at in names} or None if is_tensor else None
