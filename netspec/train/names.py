"""Functions and classes of the ingredients, by their full names."""

from __future__ import annotations

import logging
import threading
from functools import cache
from importlib import import_module
from typing import Any

from netspec.diagnostics import EnvironmentFault
from netspec.runtime.vision import import_torchvision

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns of a home that it cannot keep settings in

ONE_AT_A_TIME = threading.Lock()
"""Threads that read data at once would import torchvision twice, and declare its operators twice."""


@cache
def resolve(name: str) -> Any:
    """Return the object of a full name, such as ``torch.optim.Adam``. Raises ``EnvironmentFault``."""
    module, _, attribute = name.rpartition(".")
    if module.startswith(("torchmetrics", "torchvision")):
        with ONE_AT_A_TIME:
            import_torchvision()
    try:
        return getattr(import_module(module), attribute)
    except ModuleNotFoundError as error:
        if (error.name or "netspec").startswith("netspec"):
            raise
        raise EnvironmentFault(f"training needs {error.name}: `pip install 'netspec[train]'`") from None
