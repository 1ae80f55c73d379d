"""A module of PyTorch as a program of ATen's operators, by ``torch.export``."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import nn

from netspec.diagnostics import UsageError
from netspec.importer.capture.choices import plain_choices
from netspec.importer.capture.parametrizations import whole_spectral_norms
from netspec.importer.capture.recurrent import whole_recurrent_layers
from netspec.importer.capture.stochastic_depth import shown_stochastic_depth
from netspec.importer.capture.tracing import easy_tracing


def export_module(
    module: nn.Module, inputs: Mapping[str, Any], dynamic: Mapping[str, Mapping[int, str]]
) -> torch.export.ExportedProgram:
    """Return what ``torch.export`` makes of a module in inference, with examples of its inputs by name.

    Raises ``UsageError`` with torch's reason where it refuses the module.
    """
    was_training = {name: each.training for name, each in module.named_modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        positional, keywords = _bind(module, inputs)
        shapes = {name: _dynamic(value, dynamic.get(name, {})) for name, value in inputs.items()}
        with (
            warnings.catch_warnings(),
            easy_tracing(),
            whole_recurrent_layers(),
            whole_spectral_norms(),
            shown_stochastic_depth(module),
            plain_choices(module),
        ):
            warnings.simplefilter("ignore")  # of what torch.export does inside, which nobody here can change
            return torch.export.export(
                module, positional, keywords, dynamic_shapes=_by_call(module, shapes), strict=False
            )
    except UsageError:
        raise
    except Exception as reason:  # torch.export raises whatever the module's forward raises
        raise UsageError(_refusal(module, reason)) from reason
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for name, each in module.named_modules():
            each.training = was_training[name]


def parameter_names(module: nn.Module) -> list[str]:
    """Return the names of ``forward``'s parameters, without ``*args`` and ``**kwargs``."""
    parameters = inspect.signature(module.forward).parameters.values()
    return [
        each.name
        for each in parameters
        if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY, each.POSITIONAL_ONLY)
    ]


def _bind(module: nn.Module, inputs: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The examples as positional and keyword arguments of ``forward``."""
    known = parameter_names(module)
    signature = inspect.signature(module.forward).parameters
    open_ended = any(each.kind is each.VAR_KEYWORD for each in signature.values())
    for name in inputs:
        if name not in known and not open_ended:
            raise UsageError(f"{type(module).__name__}.forward has no parameter `{name}`; it takes {', '.join(known)}")
    positional: list[Any] = []
    keywords = dict(inputs)
    for name in known:
        if name not in keywords or signature[name].kind is inspect.Parameter.KEYWORD_ONLY:
            break
        positional.append(keywords.pop(name))
    return tuple(positional), keywords


def _by_call(module: nn.Module, shapes: Mapping[str, Any]) -> Any:
    """The dynamic shapes as ``torch.export`` wants them: by the parameters' names."""
    known = parameter_names(module)
    if all(name in known for name in shapes):
        return dict(shapes)
    extra = {name: each for name, each in shapes.items() if name not in known}
    rest = next(p.name for p in inspect.signature(module.forward).parameters.values() if p.kind is p.VAR_KEYWORD)
    return {**{name: each for name, each in shapes.items() if name in known}, rest: extra}


def _dynamic(value: Any, names: Mapping[int, str]) -> Any:
    if isinstance(value, torch.Tensor):
        return {at: torch.export.Dim.AUTO for at in names} or None
    if isinstance(value, (list, tuple)):
        return type(value)(_dynamic(each, names) for each in value)
    return None


def _refusal(module: nn.Module, reason: Exception) -> str:
    place = next(reversed([*_places(reason)]), "")
    at = f" at {place}" if place else ""
    text = str(reason).strip().split("\n\n")[0]
    return f"torch.export refuses {type(module).__name__}{at}: {type(reason).__name__}: {text}"


def _places(reason: BaseException) -> Iterator[str]:
    """The lines of the module's own code that the error went through."""
    trace = reason.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if trace.tb_frame.f_code.co_name == "forward" and "/torch/" not in file:
            yield f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
