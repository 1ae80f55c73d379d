"""The sources of ``netspec import``: Python's name of a module, or a file."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import UsageError, did_you_mean
from netspec.importer.examples import EXAMPLE, InputExample, plain_value, read_example
from netspec.importer.imported import ImportedSpec

if TYPE_CHECKING:
    from torch import nn


def import_source(
    source: str,
    *,
    inputs: Sequence[str] = (),
    dims: Sequence[str] = (),
    arguments: Sequence[str] = (),
    name: str | None = None,
) -> ImportedSpec:
    """Import what the command line names; ``inputs``, ``dims`` and ``arguments`` are its ``NAME=VALUE`` texts.

    Raises ``UsageError`` where there is no such module or file, and for one that cannot be imported.
    """
    examples = [read_example(text) for text in inputs]
    sizes = {key: _size(key, value) for key, value in _pairs(dims, "--dim").items()}
    suffix = os.path.splitext(source)[1].lower()
    if suffix == ".onnx":
        from netspec.importer.convert import from_onnx

        _refuse(arguments, "--argument")
        _refuse(inputs, "--input")
        return from_onnx(source, name=name)
    if suffix in (".pt2", ".pt"):
        from netspec.importer.convert import from_exported

        _refuse(arguments, "--argument")
        return from_exported(load_exported(source), name=name or os.path.splitext(os.path.basename(source))[0])
    from netspec.importer.convert import from_torch

    module = find_module(
        source, {key: read_argument(key, value) for key, value in _pairs(arguments, "--argument").items()}
    )
    tensors = {each.name: each.tensor(_traced(examples, sizes)) for each in examples}
    dynamic = {each.name: each.dynamic() for each in examples}
    if not tensors:
        raise UsageError(_which_inputs(source, module))
    return from_torch(module, tensors, dynamic, name=name or source.rpartition(".")[2].rpartition(":")[2], sizes=sizes)


def find_module(source: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return the module that ``package.module:Name`` is, or makes when it is called. Runs that Python.

    The folder that one stands in is looked into, too. Raises ``UsageError`` where there is nothing like that.
    """
    from torch import nn

    place, colon, name = source.partition(":")
    if not colon or not all(part.isidentifier() for part in f"{place}.{name}".split(".")):
        raise UsageError(f"`{source}` is no file that ends in .onnx or .pt2, and not written `package.module:Name`")
    found = _imported(place)
    for part in name.split("."):
        if not hasattr(found, part):
            hint = did_you_mean(part, [each for each in dir(found) if not each.startswith("_")]) or "names are exact"
            raise UsageError(f"{place} has no `{name}`: {hint}")
        found = getattr(found, part)
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise UsageError(f"{source} is a {type(found).__name__}, and no module, class or function")
        try:
            found = found(**arguments)
        except Exception as reason:  # whatever the user's code raises
            raise UsageError(f"{source} failed as it was called{_at(reason)}: {_short(reason)}") from reason
    elif arguments:
        raise UsageError(f"{source} is a module already and takes no --argument")
    if not isinstance(found, nn.Module):
        raise UsageError(f"{source} gives a {type(found).__name__}, and no nn.Module")
    return found


def load_exported(path: str) -> Any:
    """Return the program that ``torch.export.save`` wrote. Raises ``UsageError`` where the file is none."""
    import torch

    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path}")
    try:
        return torch.export.load(path)
    except Exception as reason:  # a file that is damaged, or none of torch's, fails in many ways
        raise UsageError(f"{path} is not a program that torch.export.save wrote: {_short(reason)}") from reason


def _imported(place: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return import_module(place)
    except ModuleNotFoundError as reason:
        if reason.name is not None and (place == reason.name or place.startswith(f"{reason.name}.")):
            raise UsageError(f"Python finds no module `{reason.name}` here: is it installed?") from reason
        raise UsageError(f"{place} cannot be imported: {_short(reason)}") from reason
    except Exception as reason:  # whatever the user's code raises
        raise UsageError(f"{place} failed as it was imported{_at(reason)}: {_short(reason)}") from reason


def _which_inputs(source: str, module: nn.Module) -> str:
    from netspec.importer.capture.export import parameter_names

    known = parameter_names(module)
    first = known[0] if known else "NAME"
    example = f"--input '{first}=[N, 3, 224, 224]'"
    return f"the inputs of {source} are needed: its forward takes {', '.join(known)}; write `{example}`"


def _traced(examples: Sequence[InputExample], sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes to trace at: torch.export would take 1 for a fixed size."""
    names = {size for each in examples for size in each.shape if isinstance(size, str)}
    return {name: max(sizes.get(name, EXAMPLE), EXAMPLE) for name in names}


def _pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    for text in texts:
        if "=" not in text:
            raise UsageError(f"{option} {text}: write NAME=VALUE")
    return {text.partition("=")[0].strip(): text.partition("=")[2] for text in texts}


def _size(name: str, text: str) -> int:
    if not text.strip().isdecimal():
        raise UsageError(f"--dim {name}={text}: a size is a whole number")
    return int(text)


def read_argument(name: str, text: str) -> Any:
    """Return the value of an argument, which is written as in YAML."""
    from netspec.pipeline import read_value

    node = read_value(name, text)
    return None if node is None else plain_value(node)


def _refuse(texts: Sequence[str], option: str) -> None:
    if texts:
        raise UsageError(f"{option} is for modules of Python; a file has its own")


def _at(reason: BaseException) -> str:
    frames = [frame for frame in traceback.extract_tb(reason.__traceback__) if "importlib" not in frame.filename]
    last = frames[-1] if frames else None
    return f" at {last.filename}:{last.lineno}" if last is not None and not last.filename.startswith("<") else ""


def _short(reason: BaseException) -> str:
    lines = str(reason).strip().splitlines()
    return f"{type(reason).__name__}: {lines[0]}" if lines else type(reason).__name__
