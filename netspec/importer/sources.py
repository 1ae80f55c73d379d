"""The sources of ``netspec import``: Python's name of a module, or a file."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

from netspec.diagnostics import SpecError, UsageError, did_you_mean
from netspec.importer.convert import in_silence
from netspec.importer.examples import EXAMPLE, InputExample, plain_value, read_example
from netspec.importer.imported import ImportedSpec
from netspec.importer.trying import first_line, place_of, quiet

if TYPE_CHECKING:
    from torch import nn


def import_source(
    source: str,
    *,
    inputs: Sequence[str] = (),
    dims: Sequence[str] = (),
    arguments: Sequence[str] = (),
    name: str | None = None,
    partial: bool = False,
    say: Callable[[str], None] = in_silence,
) -> ImportedSpec:
    """Import what the command line names; ``inputs``, ``dims`` and ``arguments`` are its ``NAME=VALUE`` texts.

    ``say`` is told what is being done. What Python itself says of its inputs is taken where none are given.

    Raises ``UsageError`` where there is no such module or file, and for one that cannot be imported.
    """
    examples = [read_example(text) for text in inputs]
    sizes = {key: _size(key, value) for key, value in _pairs(dims, "--dim").items()}
    suffix = os.path.splitext(source)[1].lower()
    if suffix == ".onnx":
        from netspec.importer.convert import from_onnx

        for texts, option in ((arguments, "--argument"), (inputs, "--input"), (dims, "--dim")):
            _refuse(texts, option)
        say(f"reading {source}")
        return from_onnx(source, name=name, partial=partial)
    if suffix in (".pt2", ".pt"):
        from netspec.importer.convert import from_exported

        for texts, option in ((arguments, "--argument"), (inputs, "--input"), (dims, "--dim")):
            _refuse(texts, option)
        say(f"reading {source}")
        named = name or os.path.splitext(os.path.basename(source))[0]
        return from_exported(load_exported(source), name=named, partial=partial)
    return _from_python(source, examples, sizes, arguments, name, partial, say)


def _from_python(
    source: str,
    examples: Sequence[InputExample],
    sizes: Mapping[str, int],
    arguments: Sequence[str],
    name: str | None,
    partial: bool,
    say: Callable[[str], None],
) -> ImportedSpec:
    from netspec.importer.capture.inputs import nested
    from netspec.importer.convert import from_torch
    from netspec.importer.guesses import guessed_inputs

    say(f"making {source}")
    given = {key: read_argument(key, value) for key, value in _pairs(arguments, "--argument").items()}
    module = find_module(source, given)
    guesses = [] if examples else guessed_inputs(module, find_object(source))
    examples = examples or guesses
    if not examples:
        raise UsageError(_which_inputs(source, module))
    traced = _traced(examples, sizes)
    dynamic = {each.name: each.dynamic() for each in examples}
    named = name or source.rpartition(".")[2].rpartition(":")[2]

    def imported(traced: Mapping[str, int], quoted: Mapping[str, int]) -> ImportedSpec:
        tensors = nested({each.name: each.example(traced) for each in examples}, module)
        return from_torch(module, tensors, dynamic, name=named, sizes=quoted, partial=partial, say=say)

    spec = imported(traced, sizes)
    if fixed := _fixed_by_chance(spec, dynamic, sizes):
        smaller = {key: size * 3 // 4 if key in fixed else size for key, size in traced.items()}
        with suppress(UsageError):
            again = imported(smaller, {**{key: traced[key] for key in fixed}, **sizes})
            spec = again if len(_fixed_by_chance(again, dynamic, sizes)) < len(fixed) else spec
    spec.notes += [f"the input is the one that its weights are for, {each}; --input gives another" for each in guesses]
    return spec


def _fixed_by_chance(
    spec: ImportedSpec, dynamic: Mapping[str, Mapping[int, str]], sizes: Mapping[str, int]
) -> set[str]:
    """The symbolic dimensions that became numbers, perhaps because the size to trace at is a limit of the module's."""
    return {
        wanted
        for path, by_number in dynamic.items()
        if (value := spec.model.graph.inputs.get(path.replace(".", "_"))) is not None
        for at, wanted in by_number.items()
        if isinstance(size := value.shape[at], int) and size > EXAMPLE and wanted not in sizes
    }


def find_module(source: str, arguments: Mapping[str, Any]) -> nn.Module:
    """Return the module that ``package.module:Name`` is, or makes when it is called. Runs that Python.

    Raises ``UsageError`` where there is nothing like that.
    """
    from torch import nn

    found = find_object(source)
    if not isinstance(found, nn.Module):
        if not callable(found):
            raise UsageError(f"{source} is a {type(found).__name__}, and no module, class or function")
        _guard_arguments(source, found, arguments)
        try:
            found = found(**arguments)
        except Exception as reason:  # whatever the user's code raises
            raise UsageError(f"{source} failed as it was called{place_of(reason)}: {first_line(reason)}") from reason
    elif arguments:
        raise UsageError(f"{source} is a module already and takes no --argument")
    if not isinstance(found, nn.Module):
        raise UsageError(f"{source} gives a {type(found).__name__}, and no nn.Module")
    return found


def find_object(source: str) -> Any:
    """Return what Python has under ``package.module:Name``; the folder that one stands in is looked into, too.

    Raises ``UsageError`` where there is nothing like that.
    """
    place, colon, name = source.partition(":")
    if not colon or not all(part.isidentifier() for part in f"{place}.{name}".split(".")):
        raise UsageError(f"`{source}` is no file that ends in .onnx or .pt2, and not written `{_as_python(source)}`")
    found = _imported(place)
    for part in name.split("."):
        if not hasattr(found, part):
            hint = did_you_mean(part, [each for each in dir(found) if not each.startswith("_")]) or "names are exact"
            raise UsageError(f"{place} has no `{name}`: {hint}")
        found = getattr(found, part)
    return found


def _as_python(source: str) -> str:
    """Return how the user might have written it: ``nets.py`` as ``nets:Name``, ``nets.Net`` as ``nets:Net``."""
    parts = source.removesuffix(".py").replace(os.sep, ".").strip(".").split(".")
    if not all(part.isidentifier() for part in parts):
        return "package.module:Name"
    if source.endswith(".py") or len(parts) == 1:
        return f"{'.'.join(parts)}:Name"
    return f"{'.'.join(parts[:-1])}:{parts[-1]}"


def _guard_arguments(source: str, found: Any, arguments: Mapping[str, Any]) -> None:
    """Guard: the class or function takes arguments of these names, and needs no others."""
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):  # some of C's have none
        return
    try:
        signature.bind(**arguments)
    except TypeError as reason:
        known = [
            name
            for name, each in signature.parameters.items()
            if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)
        ]
        wrong = next((name for name in arguments if name not in known), None)
        hint = did_you_mean(wrong, known) if wrong is not None else None
        takes = f"it takes {', '.join(known)}" if known else "it takes none"
        raise UsageError(f"{source}: {reason}: {hint or takes}; write --argument NAME=VALUE") from None


def load_exported(path: str) -> Any:
    """Return the program that ``torch.export.save`` wrote. Raises ``UsageError`` where the file is none."""
    import torch

    if not os.path.isfile(path):
        raise UsageError(f"there is no file {path}")
    try:
        with quiet():
            return torch.export.load(path)
    except Exception as reason:  # a file that is damaged, or none of torch's, fails in many ways
        raise UsageError(f"{path} is not a program that torch.export.save wrote: {first_line(reason)}") from reason


def _imported(place: str) -> Any:
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        if place.partition(".")[0] == "torchvision":
            from netspec.runtime.vision import import_torchvision

            import_torchvision()  # one that was built for another torch, too
        return import_module(place)
    except ModuleNotFoundError as reason:
        if reason.name is not None and (place == reason.name or place.startswith(f"{reason.name}.")):
            raise UsageError(f"Python finds no module `{reason.name}` here: is it installed?") from reason
        raise UsageError(f"{place} cannot be imported: {first_line(reason)}") from reason
    except Exception as reason:  # whatever the user's code raises
        raise UsageError(f"{place} failed as it was imported{place_of(reason)}: {first_line(reason)}") from reason


def _which_inputs(source: str, module: nn.Module) -> str:
    from netspec.importer.capture.inputs import parameter_names

    known = parameter_names(module)
    first = known[0] if known else "NAME"
    example = f"--input '{first}=[N, 3, 224, 224]'"
    return f"the inputs of {source} are needed: its forward takes {', '.join(known)}; write `{example}`"


def _traced(examples: Sequence[InputExample], sizes: Mapping[str, int]) -> dict[str, int]:
    """The sizes to trace at: torch.export would take 1 for a fixed size."""
    defaults = {name: size for each in reversed(examples) for name, size in each.defaults().items()}
    unknown = next((name for name in sizes if name not in defaults), None)
    if unknown is not None:
        hint = (
            did_you_mean(unknown, [*defaults]) or f"there are {', '.join(defaults)}" if defaults else "there are none"
        )
        raise UsageError(f"--dim {unknown}: no input has such a symbolic dimension: {hint}")
    return {name: max(sizes.get(name, size), EXAMPLE) for name, size in defaults.items()}


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

    try:
        node = read_value(name, text)
    except SpecError as error:
        raise UsageError(f"--argument {name}={text}: {error.diagnostics[0].message}") from None
    return None if node is None else plain_value(node)


def _refuse(texts: Sequence[str], option: str) -> None:
    if texts:
        what = {"--argument": "arguments", "--input": "inputs", "--dim": "sizes"}[option]
        raise UsageError(f"{option} is for modules of Python; a file has its own {what}")
