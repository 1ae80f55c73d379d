"""A module of PyTorch as a program of ATen's operators, by ``torch.export``."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from netspec.diagnostics import UsageError
from netspec.importer.capture.choices import plain_choices
from netspec.importer.capture.data_classes import register_data_classes
from netspec.importer.capture.inputs import apart, bound, dynamic_shapes
from netspec.importer.capture.parametrizations import whole_spectral_norms
from netspec.importer.capture.recurrent import whole_recurrent_layers
from netspec.importer.capture.stochastic_depth import shown_stochastic_depth
from netspec.importer.capture.tracing import easy_tracing

UNKNOWN = "not a known type"
"""Words of torch.export's where a module gives an object of a class of its own."""
PLAIN_REASONS = (
    (
        UNKNOWN,
        "it gives an object of a class of its own: give tensors, lists, dictionaries, named tuples or data classes",
    ),
    (
        "pack_padded_sequence",
        "it packs sequences by their lengths, which are values: give the padded batch to the layer",
    ),
    ("DataDependent", "what it does depends on the values of a tensor, which are not known before it runs"),
    ("data-dependent", "what it does depends on the values of a tensor, which are not known before it runs"),
)
"""Plain words for what torch.export says."""


def export_module(
    module: nn.Module, inputs: Mapping[str, Any], dynamic: Mapping[str, Mapping[int, str]]
) -> torch.export.ExportedProgram:
    """Return what ``torch.export`` makes of a module in inference, with examples of its inputs by name.

    ``dynamic`` has the names of symbolic dimensions by the examples' paths.

    Raises ``UsageError`` with torch's reason where it refuses the module.
    """
    was_training = {name: each.training for name, each in module.named_modules()}
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    module.eval()
    try:
        positional, keywords = bound(module, apart(inputs))
        shapes = dynamic_shapes(module, inputs, dynamic)
        with (
            warnings.catch_warnings(),
            easy_tracing(),
            whole_recurrent_layers(),
            whole_spectral_norms(),
            shown_stochastic_depth(module),
            plain_choices(module),
        ):
            warnings.simplefilter("ignore")  # of what torch.export does inside, which nobody here can change
            try:
                return torch.export.export(module, positional, keywords, dynamic_shapes=shapes, strict=False)
            except RuntimeError as reason:
                if UNKNOWN not in str(reason) or not register_data_classes(_results(module, positional, keywords)):
                    raise
            return torch.export.export(module, positional, keywords, dynamic_shapes=shapes, strict=False)
    except UsageError:
        raise
    except Exception as reason:  # torch.export raises whatever the module's forward raises
        raise UsageError(_refusal(module, reason)) from reason
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for name, each in module.named_modules():
            each.training = was_training[name]


def _refusal(module: nn.Module, reason: Exception) -> str:
    place = next(reversed([*_places(reason)]), "")
    at = f" at {place}" if place else ""
    text = str(reason).strip().split("\n\n")[0]
    said = f"{type(reason).__name__}: {text}\n{' '.join(_functions(reason))}"
    plain = next((f" {words}." for word, words in PLAIN_REASONS if word in said), "")
    return f"torch.export refuses {type(module).__name__}{at}:{plain} {type(reason).__name__}: {text}"


def _results(module: nn.Module, positional: Sequence[Any], keywords: Mapping[str, Any]) -> Any:
    with torch.no_grad():
        return module(*positional, **keywords)


def _functions(reason: BaseException) -> Iterator[str]:
    """The names of the functions that the error went through."""
    trace = reason.__traceback__
    while trace is not None:
        yield trace.tb_frame.f_code.co_name
        trace = trace.tb_next


def _places(reason: BaseException) -> Iterator[str]:
    """The lines of the module's own code that the error went through."""
    trace = reason.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if trace.tb_frame.f_code.co_name == "forward" and "/torch/" not in file:
            yield f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
