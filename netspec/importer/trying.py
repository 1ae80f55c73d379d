"""The original as it runs by itself: in silence, and whether it takes the inputs that it is given."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

import torch
from torch import nn

from netspec.diagnostics import UsageError
from netspec.importer.capture.inputs import by_path, called


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what torch.export says of its progress to itself; what it refuses, it raises."""
    before = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def guard_runs(module: nn.Module, inputs: Mapping[str, Any]) -> None:
    """Guard: the module runs on these inputs, in inference. Raises ``UsageError`` with its own reason and line."""
    training = {each: each.training for each in module.modules()}
    module.eval()
    try:
        with quiet(), torch.no_grad():
            called(module, inputs)
    except Exception as reason:  # whatever its code raises
        shapes = ", ".join(
            f"{name} {list(each.shape)}" for name, each in by_path(inputs).items() if hasattr(each, "shape")
        )
        raise UsageError(
            f"{type(module).__name__} does not run on {shapes}{place_of(reason)}: {first_line(reason)}"
            f"{_whole_numbers(module, inputs, reason)}"
        ) from reason
    finally:
        for each, mode in training.items():
            each.training = mode


def _whole_numbers(module: nn.Module, inputs: Mapping[str, Any], reason: Exception) -> str:
    """Return how to give whole numbers, where an error is about real ones in their place; else nothing."""
    given = by_path(inputs).items()
    real = next((name for name, each in given if isinstance(each, torch.Tensor) and each.is_floating_point()), None)
    if real is None or not re.search(r"\b(Long|Int|int64|integers?|long)\b", str(reason)):
        return ""
    tables = [each.num_embeddings for each in module.modules() if isinstance(each, nn.Embedding)]
    return f"; an input of whole numbers is written `{real}={{shape: [N, T], below: {min(tables, default=10)}}}`"


def first_line(reason: BaseException) -> str:
    """Return the kind of an error with the first line of what it says."""
    lines = str(reason).strip().splitlines()
    return f"{type(reason).__name__}: {lines[0]}" if lines else type(reason).__name__


def place_of(reason: BaseException) -> str:
    """Return the last line of the user's own code that an error went through: `` at nets.py:12``, or nothing."""
    place = ""
    trace = reason.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if not file.startswith("<") and not any(part in file for part in ("/torch/", "/netspec/", "importlib")):
            place = f" at {file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
