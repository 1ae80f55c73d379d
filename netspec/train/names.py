"""Functions and classes of the ingredients, by their full names."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from functools import cache
from importlib import import_module
from typing import Any

import torch

from netspec.diagnostics import EnvironmentFault

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a home that it cannot keep settings in

ONE_AT_A_TIME = threading.Lock()
"""Threads that read data at once would import torchvision twice, and declare its operators twice."""
BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
TORCHVISION_OPERATORS = (("torchvision::nms", BOXES), ("torchvision::qnms", BOXES))


@cache
def resolve(name: str) -> Any:
    """Return the object of a full name, such as ``torch.optim.Adam``. Raises ``EnvironmentFault``."""
    module, _, attribute = name.rpartition(".")
    if module.startswith("torchmetrics"):
        with ONE_AT_A_TIME:
            import_torchvision()
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "netspec").startswith("netspec"):
            raise
        raise EnvironmentFault(f"training needs {error.name}: `pip install 'netspec[train]'`") from None


def import_torchvision() -> None:
    """Import torchvision if it is installed, as torchmetrics will, though nothing here needs it.

    One that was built for another torch fails at import, as torch lacks two of its operators: they are declared then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it may lack its decoders of images, too
            import_module("torchvision")
    except ModuleNotFoundError:
        return
    except RuntimeError:
        for name in [name for name in [*sys.modules] if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in TORCHVISION_OPERATORS:
            torch.library.define(*operator)
