"""The import of packages, in a process of its own that a broken one may abort: a line of JSON for each.

``python -P -m netspec.cli.commands.reference.doctor.probe torch torchvision`` is what ``trials.py`` starts.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from importlib import import_module
from typing import Any

from netspec.cli.machine import machine_fault
from netspec.diagnostics import EnvironmentFault

NO_MEMORY = "there is not enough memory to load it"


def main(modules: list[str]) -> None:
    """Import modules in turn, and say of each how it went."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)  # what packages print while they are imported
        warnings.simplefilter("ignore")
        for module in modules:
            print(json.dumps({"module": module, **tried(module)}), file=out, flush=True)


def tried(module: str) -> dict[str, Any]:
    """Return what a module knows of this machine, or the ``fault`` of one that cannot be imported."""
    try:
        if module in WITH_TORCHVISION:
            import_module("netspec.runtime.vision").import_torchvision()
        import_module(module)
        return {"seen": SEEN[module]() if module in SEEN else {}}
    except EnvironmentFault as error:
        return {"fault": str(error)}
    except ModuleNotFoundError as error:
        return {"fault": f"it needs {error.name}, which is missing"}
    except MemoryError:
        return {"fault": NO_MEMORY}
    except Exception as error:  # whatever their code runs into
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return {"fault": NO_MEMORY if "memory" in (machine_fault(error) or "") else lines[0]}


def _of_torch() -> dict[str, Any]:
    import torch

    from netspec.runtime.machine import free_memory

    gpus = [torch.cuda.get_device_name(each) for each in range(torch.cuda.device_count())]
    return {"devices": gpus, "cuda": torch.version.cuda, "free_memory": free_memory()}


def _of_onnxruntime() -> dict[str, Any]:
    import onnxruntime

    return {"runtimes": [each.removesuffix("ExecutionProvider") for each in onnxruntime.get_available_providers()]}


def _of_torchvision() -> dict[str, Any]:
    import torch

    has_operators = import_module("torchvision.extension")._has_ops()
    other = f"it was built for another torch than {torch.__version__}: its operators, such as nms, are missing"
    return {} if has_operators else {"torchvision": other}


SEEN = {"torch": _of_torch, "onnxruntime": _of_onnxruntime, "torchvision": _of_torchvision}
WITH_TORCHVISION = ("torchvision", "torchmetrics")

if __name__ == "__main__":
    main(sys.argv[1:])
