"""The import of torchvision, also of one that was built for another torch."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module

import torch

from netspec.diagnostics import EnvironmentFault

BOXES = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
TORCHVISION_OPERATORS = (("torchvision::nms", BOXES), ("torchvision::qnms", BOXES))


def import_torchvision() -> None:
    """Import torchvision if it is installed, as torchmetrics will, though nothing here needs it. Raises
    ``EnvironmentFault`` if it cannot be imported.

    One that was built for another torch fails at import, as torch lacks two of its operators: they are declared then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it may lack its decoders of images, too
            import_module("torchvision")
    except ModuleNotFoundError:
        return
    except (ImportError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        help = "install the one for this torch, or none: `netspec doctor` tries all packages"
        raise EnvironmentFault(f"torchvision is installed, but cannot be imported: {reason}; {help}") from None
    except RuntimeError:
        for name in [name for name in [*sys.modules] if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        for operator in TORCHVISION_OPERATORS:
            torch.library.define(*operator)
